"""Renders the training images once and keeps them on disk: `python -m backend.embedded.objects.data --objects N`."""

from __future__ import annotations

import argparse
import json
import math
import random
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from backend.cameras import Cameras, framing_distance, orbit
from backend.embedded.objects.shapes import HELD_OUT, STYLES, make_subject
from backend.embedded.objects.solids import photograph

SIZE = 128
VIEWS = 8
MODALITY_VIEWS = ("depth", "normal", "mask")
STYLE_WEIGHTS = (0.62, 0.11, 0.09, 0.09, 0.09)
SHARD_OBJECTS = 250


def view_parameters(rng: random.Random, count: int) -> list[dict]:
    """Draw cameras: azimuths spread evenly with a random start, most elevations between -10 and 45 degrees."""
    start = rng.uniform(0, 360)
    views = []
    for i in range(count):
        azimuth = (start + 360 * (i + rng.uniform(-0.4, 0.4)) / count + 180) % 360 - 180
        elevation = rng.uniform(-10, 45) if rng.random() < 0.87 else rng.uniform(45, 80)
        views.append(
            {"azimuth": azimuth, "elevation": elevation, "fov": rng.uniform(30, 50), "zoom": rng.uniform(0.95, 1.12)}
        )
    return views


def cameras_of(views: list[dict]) -> Cameras:
    """Return the cameras of drawn views."""
    return orbit(
        [v["azimuth"] for v in views],
        [v["elevation"] for v in views],
        fov_degrees=[v["fov"] for v in views],
        distance=[float(framing_distance(v["fov"])) * v["zoom"] for v in views],
        size=SIZE,
    )


def sun_direction(rng: random.Random) -> torch.Tensor:
    """Draw a direction to the sun: from the upper front, within 80 degrees of azimuth."""
    azimuth, elevation = rng.uniform(-80, 80), rng.uniform(25, 65)
    a, e = math.radians(azimuth), math.radians(elevation)
    return torch.tensor([math.cos(e) * math.sin(a), -math.cos(e) * math.cos(a), math.sin(e)])


def background_colour(rng: random.Random, style: str) -> torch.Tensor:
    """Draw a plain background: often white, else a light grey with a tint; dark for neon."""
    if style == "neon":
        return torch.tensor([0.05, 0.05, 0.09])
    if rng.random() < 0.35:
        return torch.ones(3)
    grey = rng.uniform(0.45, 1.0)
    return torch.tensor([min(1.0, grey * rng.uniform(0.94, 1.06)) for _ in range(3)])


def render_object(seed: int, views: int = VIEWS, *, modalities: bool = True, **subject_arguments) -> tuple[list, list]:
    """Return images (uint8 [H, W, 3]) and their descriptions for one object; the last shows a modality."""
    rng = random.Random(seed * 7919 + 13)
    subject = make_subject(seed, **subject_arguments)
    style = rng.choices(STYLES, STYLE_WEIGHTS)[0]
    parameters = view_parameters(rng, views + modalities)
    cameras = cameras_of(parameters)
    background = background_colour(rng, style)
    picture = photograph(subject.solid, cameras, background, light=sun_direction(rng), style=style)
    facts = {
        "seed": seed, "category": subject.category, "colour": subject.colour, "accent": subject.accent,
        "pattern": subject.pattern, "hat": subject.hat, "style": style,
    }  # fmt: skip
    images = list(picture.rgb)
    descriptions = [facts | view | {"modality": "rgb"} for view in parameters]
    if modalities:
        modality = MODALITY_VIEWS[seed % 3]
        images[-1] = modality_image(modality, picture, cameras.camera_to_world, -1)
        descriptions[-1]["modality"] = modality
    return [(255 * image).round().byte().numpy() for image in images], descriptions


def modality_image(modality: str, picture, camera_to_world: torch.Tensor, index: int) -> torch.Tensor:
    """Colour one view's depth (near is bright), camera-axis normal ((n + 1) / 2, +y up, +z to the viewer) or mask."""
    mask = picture.mask[index]
    if modality == "mask":
        return mask.expand(-1, -1, 3)
    if modality == "depth":
        depth = picture.depth[index]
        inside = depth[mask > 0]
        near, far = inside.min(), inside.max()
        return (mask * (1 - 0.85 * (depth - near) / (far - near).clamp_min(1e-4))).expand(-1, -1, 3)
    normal = picture.normal[index] @ camera_to_world[index, :3, :3] * torch.tensor([1.0, -1.0, -1.0])
    return mask * (normal + 1) / 2 + (1 - mask) * 0.5


def _render_shard(arguments: tuple[int, Path]) -> int:
    shard, folder = arguments
    target = folder / f"{shard:04d}.npy"
    if target.exists():
        return shard
    torch.set_num_threads(1)
    images, descriptions = [], []
    for seed in range(shard * SHARD_OBJECTS, (shard + 1) * SHARD_OBJECTS):
        assert seed < HELD_OUT.first_seed, f"seed {seed} is held out"
        one, facts = render_object(seed)
        for fact in facts:
            assert fact["category"] not in HELD_OUT.categories and not HELD_OUT.pair(fact["category"], fact["colour"])
        images += one
        descriptions += facts
    (folder / f"{shard:04d}.json").write_text(json.dumps(descriptions))
    partial = target.with_suffix(".partial.npy")
    np.save(partial, np.stack(images))
    partial.rename(target)
    return shard


def render_dataset(folder: Path, objects: int, processes: int = 2) -> None:
    """Render whole shards until at least `objects` objects are on disk; shards already there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = math.ceil(objects / SHARD_OBJECTS)
    with get_context("spawn").Pool(processes) as pool:
        for done in pool.imap_unordered(_render_shard, [(i, folder) for i in range(shards)]):
            print(f"shard {done} of {shards}", flush=True)


def load_dataset(folder: Path) -> tuple[list[np.ndarray], list[dict]]:
    """Return the shards, memory-mapped uint8 [N, H, W, 3] each, and all descriptions in the same order."""
    shards, descriptions = [], []
    for path in sorted(folder.glob("[0-9][0-9][0-9][0-9].npy")):
        shards.append(np.load(path, mmap_mode="r"))
        descriptions += json.loads(path.with_suffix(".json").read_text())
    return shards, descriptions


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".cache/embedded/renders"))
    parser.add_argument("--objects", type=int, default=5000)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    render_dataset(options.folder, options.objects, options.processes)
