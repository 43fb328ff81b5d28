"""Jobs and edits of TV-3DG that take a few steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from addon import protocol
from backend.cameras import orbit
from backend.embedded.objects.solids import photograph
from backend.export import read_points_ply, write_points_ply
from backend.images import save_image
from backend.representations.gaussians import Gaussians
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.systems import tv3dg
from benchmarks.commands.demo import sample_subject
from tests.backend.gaussian_shapes import two_coloured_shell

SMALL: dict[str, Any] = {
    "steps": 6, "count": 400, "growth_rounds": 2, "delta_t": 400, "views": 2, "mesh_resolution": 40,
    "max_faces": 800, "texture_size": 128, "grow_gradient": 1e-12, "start": "ball",
}  # fmt: skip


def new_job(
    folder: Path, *, image: bool = False, prompt: str = "a red robot", threads: int = 1, **settings: Any
) -> Path:
    """Write a job folder, with the demo's sample as reference if wanted."""
    images = ()
    if image:
        (folder / "inputs").mkdir(parents=True)
        camera = orbit([0.0], 15.0, size=96)
        save_image(folder / "inputs/00.png", photograph(sample_subject().solid, camera, torch.full((3,), 0.8)).rgb[0])
        images = (protocol.InputImage(path="inputs/00.png", role="reconstruct", elevation_degrees=15.0),)
    folder.mkdir(parents=True, exist_ok=True)
    request = protocol.Request(
        system="tv3dg", prompt=prompt, images=images, seed=4, preset="bench", threads=threads, settings=SMALL | settings
    )
    protocol.write_request(folder, request)
    return folder


def open_job(folder: Path, emit: list[Any] | None = None) -> Job:
    request = protocol.read_request(folder)
    return Job(folder, request, (emit if emit is not None else []).append, Control())


SMALL_EDIT: dict[str, Any] = {
    "edit_steps": 4,
    "edit_delta_t": 400,
    "views": 2,
    "edit_grow_gradient": 1e6,
    "steps": 1,
    "edit_redraw": 0.0,
}


def new_edit(folder: Path, *, start: Gaussians | None = None, **settings: Any) -> Path:
    """Write the folder of an edit of a small red and blue ball."""
    (folder / "inputs").mkdir(parents=True)
    write_points_ply(folder / "inputs/start.ply", two_coloured_shell(150, radius=0.5) if start is None else start)
    first = protocol.Request(system="tv3dg", prompt="a red mug", seed=4, preset="bench", threads=1, outputs=("points",))
    protocol.write_request(folder, first.edited("a green mug", settings=SMALL_EDIT | settings))
    return folder


def run_edit(folder: Path, control: Control | None = None, emit: Any = lambda event: None) -> Gaussians:
    tv3dg.run(Job(folder, protocol.read_request(folder), emit, control or Control()))
    return read_points_ply(folder / "result/points.ply")
