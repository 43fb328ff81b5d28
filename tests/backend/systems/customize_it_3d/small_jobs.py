"""Jobs on the embedded prior, as small as they go, and the image that they begin from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from addon import protocol
from backend.cameras import orbit
from backend.embedded.objects.solids import photograph
from backend.images import save_image
from backend.runtime.control import Control
from backend.runtime.job import Job
from benchmarks.commands.demo import sample_subject

SMALL: dict[str, Any] = {
    "mask_steps": 1, "depth_steps": 1, "normal_steps": 1, "rgb_steps": 2, "tuning_batch": 1, "class_pictures": 1,
    "coarse_steps": 6, "nodes": 24, "view_size": 32, "views": 1, "points": 300, "enhanced_views": 2, "enhance_steps": 6,
    "refine_steps": 3, "mesh_resolution": 32, "max_faces": 400, "texture_size": 64, "texture_steps": 1,
    "tuning_rank": 2, "tuning_whole": "lora",
}  # fmt: skip


def photo(size: int = 96) -> torch.Tensor:
    """Return the demo's robot before a grey wall, [S, S, 3]."""
    camera = orbit([0.0], 15.0, size=size)
    return photograph(sample_subject().solid, camera, torch.full((3,), 0.8)).rgb[0]


def new_job(
    folder: Path, *, prompt: str = "a red robot", picture: torch.Tensor | None = None, stop_after: str = "",
    said: list[Any] | None = None, image: bool = True, **settings: Any,
) -> Job:  # fmt: skip
    """Make a job folder and open it."""
    (folder / "inputs").mkdir(parents=True)
    images = ()
    if image:
        save_image(folder / "inputs/00.png", photo() if picture is None else picture)
        images = (protocol.InputImage(path="inputs/00.png", elevation_degrees=15.0, name="robot.png"),)
    request = protocol.Request(
        system="customize_it_3d", prompt=prompt, images=images, seed=2, preset="bench", threads=1,
        stop_after=stop_after, settings=SMALL | settings,
    )  # fmt: skip
    protocol.write_request(folder, request)
    return open_job(folder, said)


def open_job(folder: Path, said: list[Any] | None = None) -> Job:
    """Open a job folder again; what it says is added to `said`."""
    return Job(folder, protocol.read_request(folder), (said if said is not None else []).append, Control())


def results(folder: Path) -> dict[str, bytes]:
    """Return the bytes of what a job has made."""
    return {name: (folder / "result" / name).read_bytes() for name in ("model.glb", "points.ply")}
