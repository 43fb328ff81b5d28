"""A ball in closed form as a perceived image, and guidance and turned views that know it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch.nn import functional

from addon import protocol
from addon.protocol.systems.customize_it_3d import CustomizeIt3DSettings
from backend.cameras import Cameras, orbit, rays
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.systems.customize_it_3d.perceived import Perceived
from backend.systems.reference import Target
from backend.vision.calibration import in_camera_axes

SIZE, RADIUS = 24, 0.6
GREEN = torch.tensor([0.1, 0.7, 0.2])
SMALL = CustomizeIt3DSettings(
    nodes=24, view_size=SIZE, views=2, lit=0.0, normal_views=0.0, mesh_resolution=40, max_faces=800, texture_size=64,
    texture_steps=1, radius=0.4, start="ball", palette=0.0, field_rate=0.3, points=500, refine_steps=20,
    first_azimuth=180.0,
)  # fmt: skip


def inside(cameras: Cameras) -> torch.Tensor:
    """Return where cameras see the ball, [B, H, W, 1]."""
    origins, directions = rays(cameras)
    nearest = (origins - (origins * directions).sum(-1, keepdim=True) * directions).norm(dim=-1, keepdim=True)
    return (nearest < RADIUS).float()


def ball(cameras: Cameras, colour: torch.Tensor, background: torch.Tensor) -> torch.Tensor:
    """Return pictures [B, H, W, 3] of the ball before a background [3]."""
    return torch.where(inside(cameras) > 0, colour, background)


def ball_seen(colour: torch.Tensor = GREEN, azimuth: float = 0.0) -> Perceived:
    """Return the ball as it is seen in an image."""
    camera = orbit([azimuth], 10.0, size=SIZE)
    origins, directions = rays(camera)
    along = -(origins * directions).sum(-1, keepdim=True)
    off = (origins + along * directions).square().sum(-1, keepdim=True)
    distance = along - (RADIUS**2 - off).clamp_min(0).sqrt()
    normal = in_camera_axes(functional.normalize(origins + distance * directions, dim=-1), camera)
    mask = inside(camera)
    target = Target(camera, colour.expand(1, SIZE, SIZE, 3) * mask, mask)
    return Perceived(target, target, (2.0 - distance / 4) * mask, normal * mask, "ball")


class Pull:
    """Guidance whose latents are pixels, and whose gradient is the difference to the ball, whatever is judged."""

    def __init__(self, colour: torch.Tensor | None = GREEN) -> None:
        self.colour, self.variational_score, self.at_once = colour, None, 0
        self.told: list[str] = []
        self.prior: Any = SimpleNamespace(
            encode=lambda images: images, image_size=SIZE, alphas=torch.linspace(1, 0.01, 1000),
            device=torch.device("cpu"), small_encoder=None,
        )  # fmt: skip

    def contexts(self, prompt: str, negative: str, cameras: Cameras, **told: Any) -> Cameras:
        self.told.append(prompt)
        return cameras

    def gradient(self, latents: torch.Tensor, t: int, contexts: Cameras, generator: torch.Generator) -> torch.Tensor:
        torch.rand(1, generator=generator)
        if self.colour is None:
            return torch.zeros_like(latents)
        return latents - ball(contexts, self.colour, torch.ones(3))


def open_stage(folder: Path, **settings: Any) -> Job:
    """Open a job for one stage; running it in the same folder again goes on with it."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = protocol.Request(system="customize_it_3d", prompt="a ball", settings=settings)
    return Job(folder, asked, lambda event: None, Control())
