"""What is rendered of artists' models: pictures and volumes that agree, and nothing like what is held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from backend.embedded.objects.groups import Setting
from backend.embedded.objects.surfaces import Light
from backend.embedded.volumes import model_examples
from backend.embedded.volumes.examples import MODELS_FROM, VIEWS
from backend.embedded.volumes.model_examples import lit_by, render_model, write_model
from backend.embedded.volumes.models import load_model

RED = "newmtl red\nKd 0.6 0.02 0.02\n"
FLAT = Setting("flat", "", Light((0.0, 0.0, 1.0), flat=True), "white", (1.0, 1.0, 1.0), "matte")
HARD = Setting("hard", "", Light((0.0, -1.0, 0.0), (0.5, 0.5, 0.5), (0.2, 0.2, 0.2)), "white", (1.0, 1.0, 1.0), "matte")


def box(folder: Path, name: str, extents: tuple[float, float, float]) -> Path:
    (folder / "red.mtl").write_text(RED)
    (folder / f"{name}.obj").write_text(
        f"mtllib red.mtl\nusemtl red\n{trimesh.creation.box(extents).export(file_type='obj')}"
    )
    return folder / f"{name}.obj"


def test_a_model_throws_the_shadow_that_its_picture_shows_in_its_own_colour(tmp_path: Path) -> None:
    one = render_model(load_model(box(tmp_path, "box", (1, 2, 1.5))), 5, variants=2)
    assert len(one["rgba"]) == 2 * VIEWS
    for rgba, solid, colours in zip(one["rgba"], one["occupancy"], one["colours"], strict=True):
        mask, shadow = rgba[..., 3] > 127, solid.max(0) > 127
        assert (mask & shadow).sum() / (mask | shadow).sum() > 0.93
        assert not (solid.max(0) < 128)[mask].any()  # something is on each ray
        full = np.sort((solid > 127).sum(0)[mask])
        assert full[len(full) // 2] > 6  # of 32 cells: a box, no shell
        shown = rgba[rgba[..., 3] > 250][:, :3].mean(0)
        assert shown[0] > 2 * shown[1]
        near = np.abs(colours.astype(float).transpose(1, 2, 3, 0) - shown).max(-1) < 60
        assert near.mean() > 0.05


def test_light_falls_on_what_looks_to_it_and_flat_light_changes_nothing() -> None:
    colours = np.array([[0.8, 0.4, 0.2], [0.8, 0.4, 0.2]], dtype=np.float32)
    normals = np.array([[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]])
    directions = np.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])
    assert lit_by(FLAT, colours, normals, directions) == pytest.approx(colours, abs=1e-6)
    lit, dark = lit_by(HARD, colours, normals, directions)
    assert lit[0] > 2 * dark[0] and lit / lit[0] == pytest.approx(colours[0] / colours[0, 0], rel=1e-3)


def test_what_looks_like_the_benchmark_is_left_out(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(model_examples, "render_model", lambda model, seed, variants: {"place": np.full((1, 2), seed)})
    shown, same, other = (box(tmp_path, *each) for each in (("a", (1, 2, 3)), ("b", (3, 2, 1)), ("c", (3, 1, 1))))
    assert "left out, it is like a" in write_model(tmp_path, 7, same, [shown])
    assert write_model(tmp_path, 8, other, [shown]) == f"c: {MODELS_FROM + 8}.npz"
    assert sorted(path.name for path in tmp_path.glob("*.npz")) == [f"{MODELS_FROM + 8}.npz"]
    assert write_model(tmp_path, 8, other, [shown]) == "c: there"


def test_what_is_thinner_than_a_pixel_is_left_out(tmp_path: Path) -> None:
    needle, other = box(tmp_path, "needle", (0.001, 3, 0.001)), box(tmp_path, "other", (1, 1, 1))
    assert "needle: left out." in write_model(tmp_path, 9, needle, [other])
    assert not list(tmp_path.glob("*.npz"))
