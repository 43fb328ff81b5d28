"""Draws what the denoiser of joint views learns from: which views, how noisy, which clean, and what is said of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import torch

from backend.diffusion.camera_tokens import angle_features
from backend.embedded.training.latent_stream import Rows

ROWS = 48  # of a batch: whole groups of 2, 3, 4 and 6
SINGLE = 0.3  # of the batches are single pictures of many objects
VIEWS = (2, 3, 4, 4, 5, 6)
REFERENCE = 0.7  # of groups have a first row that is clean
FACING = 0.5  # of references are the view that is nearest to the front, as pictures that people have mostly are
UNTOLD = 0.12  # of prompts are empty, for classifier-free guidance
UNTOLD_BESIDE_REFERENCE = 0.4  # so that the reference alone suffices
OWN_NOISE = 0.15  # of groups have another timestep in each row
NO_CAMERA = {True: 0.1, False: 0.5}  # single pictures with and without words whose camera is not told
TIMESTEPS = 1000

Describe = Callable[[dict, random.Random], str]


@dataclass
class ViewBatch:
    """Rows of latents with all that is told of them; each `views` rows that follow each other show one object."""

    rows: list[int]
    views: int
    timesteps: torch.Tensor  # [B], long, 0 where clean
    clean: torch.Tensor  # [B], bool
    words: list[str]
    camera: torch.Tensor | None  # [B], bool: which cameras are told; None: the context has no camera tokens


def draw_batch(rows: Rows, rng: random.Random, describe: Describe, size: int = ROWS) -> ViewBatch:
    """Draw a batch: of single pictures for SINGLE of all, else of groups."""
    if rng.random() < SINGLE:
        return draw_single(rows, rng, describe, size)
    views = rng.choice(VIEWS)
    return draw_groups(rows, rng, describe, views, max(1, size // views))


def draw_single(rows: Rows, rng: random.Random, describe: Describe, size: int) -> ViewBatch:
    """Draw pictures of any kind, each of an object of its own; a fifth of these batches knows no cameras at all."""
    chosen = [rng.randrange(len(rows.facts)) for _ in range(size)]
    words = ["" if rng.random() < UNTOLD else describe(rows.facts[i], rng) for i in chosen]
    steps = torch.tensor([rng.randrange(TIMESTEPS) for _ in chosen])
    told = torch.tensor([rng.random() >= NO_CAMERA[bool(word)] for word in words])
    camera = told if rng.random() < 0.8 else None
    return ViewBatch(chosen, 1, steps, torch.zeros(size, dtype=torch.bool), words, camera)


def draw_groups(rows: Rows, rng: random.Random, describe: Describe, views: int, groups: int) -> ViewBatch:
    """Draw groups of views of one object, in any order; all of a group are told in the same wording, or not at all."""
    chosen, words, steps, clean = [], [], [], []
    for _ in range(groups):
        members = rng.choice(rows.groups)
        picked = rng.sample(members, min(views, len(members)))
        if len(picked) < views:
            raise ValueError(f"a group of {len(members)} views for a batch of {views}")
        reference = rng.random() < REFERENCE
        if reference and rng.random() < FACING:
            facing = min(picked, key=lambda i: abs(rows.facts[i]["azimuth"]))
            picked = [facing, *(i for i in picked if i != facing)]
        untold = rng.random() < (UNTOLD_BESIDE_REFERENCE if reference else UNTOLD)
        wording, step, apart = rng.random(), rng.randrange(TIMESTEPS), rng.random() < OWN_NOISE
        for place, row in enumerate(picked):
            clean.append(reference and place == 0)
            steps.append(0 if clean[-1] else rng.randrange(TIMESTEPS) if apart else step)
            words.append("" if untold else describe(rows.facts[row], random.Random(wording)))
        chosen += picked
    told = torch.ones(len(chosen), dtype=torch.bool)
    return ViewBatch(chosen, views, torch.tensor(steps), torch.tensor(clean), words, told)


def camera_rows(facts: list[dict]) -> torch.Tensor:
    """Return the cameras' features [B, 8] of facts, whose angles are in degrees."""
    column = {key: torch.tensor([fact[key] for fact in facts]) for key in ("azimuth", "elevation", "fov", "zoom")}
    return angle_features(
        torch.deg2rad(column["azimuth"]),
        torch.deg2rad(column["elevation"]),
        torch.tan(torch.deg2rad(column["fov"]) / 2),
        column["zoom"],
    )
