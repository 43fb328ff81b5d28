"""The smallest jobs of each kind that have all their stages and checkpoints: seconds each, and the same every time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from addon import protocol
from backend.cameras import orbit
from backend.embedded.objects.solids import photograph
from backend.export import write_points_ply
from backend.images import save_image
from backend.representations.gaussians import ball_of_gaussians
from benchmarks.commands.demo import sample_subject

KINDS: tuple[str, ...] = ("prompt", "image", "edit", "dreambooth3d", "customize_it_3d", "queue")
QUEUED = ("first", "second")  # the names of a queue's jobs

# A checkpoint after each step: wherever a job dies, it has to go on from one.
TV3DG: dict[str, Any] = {
    "steps": 3, "edit_steps": 3, "edit_delta_t": 400, "edit_redraw": 0.0, "edit_grow_gradient": 1e6, "count": 200,
    "growth_rounds": 1, "grow_gradient": 1e-12, "delta_t": 400, "views": 1, "start": "ball", "mesh_resolution": 24,
    "max_faces": 200, "texture_size": 64, "texture_steps": 0, "checkpoint_steps": 1,
}  # fmt: skip
DREAMBOOTH3D: dict[str, Any] = {
    "partial_steps": 2, "full_steps": 3, "multi_view_steps": 2, "tuning_batch": 1, "class_pictures": 1,
    "coarse_steps": 2, "final_steps": 2, "nodes": 24, "view_size": 32, "views": 1, "pseudo_views": 1, "pseudo_steps": 2,
    "mesh_resolution": 24, "max_faces": 200, "texture_size": 32, "texture_steps": 0, "points": 100, "tuning_rank": 2,
    "tuning_whole": "lora", "reconstruction_views": 1, "checkpoint_steps": 1,
}  # fmt: skip
CUSTOMIZE_IT_3D: dict[str, Any] = {
    "mask_steps": 1, "depth_steps": 1, "normal_steps": 1, "rgb_steps": 1, "tuning_batch": 1, "class_pictures": 1,
    "coarse_steps": 3, "nodes": 24, "view_size": 32, "views": 1, "points": 200, "enhanced_views": 1, "enhance_steps": 6,
    "refine_steps": 2, "mesh_resolution": 32, "max_faces": 400, "texture_size": 32, "texture_steps": 0,
    "tuning_rank": 2, "tuning_whole": "lora", "checkpoint_steps": 1,
}  # fmt: skip
SMALLEST = {"tv3dg": TV3DG, "dreambooth3d": DREAMBOOTH3D, "customize_it_3d": CUSTOMIZE_IT_3D}


def write_small_job(kind: str, folder: Path) -> None:
    """Write a job folder, or a queue's folder, of a kind."""
    if kind == "queue":
        for name in QUEUED:
            _write(folder / name, request(name, outputs=("points",)))
        protocol.write_turns(folder / protocol.QUEUE_FILE, [protocol.new_turn(name) for name in QUEUED])
    else:
        _WRITERS[kind](folder)


def request(prompt: str, **fields: Any) -> protocol.Request:
    """Return a request of the smallest kind."""
    settings = SMALLEST[fields.get("system", "tv3dg")]
    asked = {"system": "tv3dg", "preset": "bench", "seed": 3, "threads": 1, "settings": settings} | fields
    return protocol.Request(prompt=f"a red {prompt}", **asked)


def _write_prompt(folder: Path) -> None:
    _write(folder, request("mug"))


def _write_image(folder: Path) -> None:
    settings = TV3DG | {"start": "sides"}
    _write(folder, request("robot", images=_photos(folder, 1, "reconstruct"), settings=settings))


def _write_edit(folder: Path) -> None:
    (folder / protocol.INPUT_FOLDER).mkdir(parents=True)
    first = request("mug")
    asked = first.edited("a green mug")
    write_points_ply(folder / asked.start, ball_of_gaussians(150, 0.5, torch.Generator().manual_seed(0)))
    _write(folder, asked)


def _write_dreambooth3d(folder: Path) -> None:
    _write(folder, request("robot", system="dreambooth3d", images=_photos(folder, 2, "subject")))


def _write_customize_it_3d(folder: Path) -> None:
    _write(folder, request("robot", system="customize_it_3d", images=_photos(folder, 1, "reconstruct")))


def _photos(folder: Path, count: int, role: str) -> tuple[protocol.InputImage, ...]:
    """Put photos of the sample from several sides into a job folder."""
    (folder / protocol.INPUT_FOLDER).mkdir(parents=True)
    names = [f"{protocol.INPUT_FOLDER}/{number:02}.png" for number in range(count)]
    for number, name in enumerate(names):
        camera = orbit([70.0 * number], 15.0, size=64)
        save_image(folder / name, photograph(sample_subject().solid, camera, torch.full((3,), 0.8)).rgb[0])
    return tuple(protocol.InputImage(path=name, role=role) for name in names)


def _write(folder: Path, asked: protocol.Request) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    protocol.write_request(folder, asked)


_WRITERS: dict[str, Callable[[Path], None]] = {
    "prompt": _write_prompt, "image": _write_image, "edit": _write_edit, "dreambooth3d": _write_dreambooth3d,
    "customize_it_3d": _write_customize_it_3d,
}  # fmt: skip
