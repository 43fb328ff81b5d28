"""Two things of one picture, made by the real backend, stand in a real Blender as they stood before the camera."""

# pyright: reportMissingImports=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from backend.cameras import orbit
from backend.embedded.objects.solids import photograph
from benchmarks.report import pieces

# Fewer steps than `bench` has, for the outlines and places are there from the guess on.
FEWER = {
    "mask_steps": 1, "depth_steps": 1, "normal_steps": 1, "rgb_steps": 1, "class_pictures": 1, "coarse_steps": 4,
    "refine_steps": 2, "enhanced_views": 2, "points": 500, "texture_size": 64, "texture_steps": 0, "max_faces": 2_000,
}  # fmt: skip


def test_the_picture_shows_both_and_the_nearer_one_in_front() -> None:
    rgb, masks = pieces.picture_of(pieces.two_things(), 64)
    robot, mushroom = masks[..., 0] > 0.5
    assert rgb.shape == (64, 64, 3) and not (robot & mushroom).any() and robot.sum() > mushroom.sum() > 100
    assert rgb[robot].mean(0)[0] > rgb[robot].mean(0)[2] and rgb[mushroom].mean(0)[2] > rgb[mushroom].mean(0)[0]
    assert torch.nonzero(mushroom).amax(0)[0] > torch.nonzero(robot).amax(0)[0]  # its base is lower, for it is nearer
    camera = orbit([0.0], pieces.ELEVATION, fov_degrees=pieces.FOV, size=64)
    alone = photograph(pieces.two_things()[0], camera, torch.full((3,), pieces.WALL)).rgb[0]
    assert (rgb - alone).abs()[robot].max() < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("system", ["customize_it_3d"])
def test_what_is_made_of_the_picture_stands_as_in_it(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bpy: Any = pytest.importorskip("bpy", reason="bpy is not in this environment; install requirements.lock")
    import addon

    bpy.ops.wm.read_factory_settings(use_empty=True)
    monkeypatch.delenv("MAQUETTE_PYTHON", raising=False)
    addon.register()
    try:
        settings = [word for name, value in FEWER.items() for word in ("--set", f"{name}={value}")]
        asked = ["--system", system, "--preset", "bench", "--threads", "1", *settings]
        items, camera = pieces.standing(pieces.make(tmp_path, 256, asked), tmp_path / "jobs")
    finally:
        addon.unregister()
    found = pieces.measured(items, camera, 128)
    assert min(found["outline"]) > 0.8, found
    assert found["place"] == pytest.approx(found["true_place"], abs=0.08)
    assert found["height"] == pytest.approx(found["true_height"], abs=0.08)
