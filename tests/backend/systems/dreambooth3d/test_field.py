"""The loop's plumbing with guidance that is known: it pulls every view to a coloured ball; redrawn views correct it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from addon import protocol
from addon.protocol.systems.dreambooth3d import DreamBooth3DSettings
from backend.cameras import Cameras, orbit, rays
from backend.rendering.volume import volume_renderer
from backend.representations.radiance_grid import RadianceGrid, blob_grid
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.systems.dreambooth3d.field import (
    PseudoViews,
    draw_shading,
    first_field,
    off_centre,
    optimise_field,
    shifted,
)
from backend.systems.dreambooth3d.mesh import sampled_points, textured_field

SIZE, RADIUS = 24, 0.6
GREEN, ORANGE = torch.tensor([0.1, 0.7, 0.2]), torch.tensor([0.9, 0.5, 0.1])
SMALL = DreamBooth3DSettings(
    nodes=24, view_size=SIZE, views=3, backdrop="white", lit=0.0, mesh_resolution=40, max_faces=800, texture_size=64,
    texture_steps=0, radius=0.4, field_rate=0.3,
)  # fmt: skip


def ball(cameras: Cameras, colour: torch.Tensor) -> torch.Tensor:
    """Return pictures [B, H, W, 3] of a ball about the origin on white, in closed form."""
    origins, directions = rays(cameras)
    nearest = (origins - (origins * directions).sum(-1, keepdim=True) * directions).norm(dim=-1, keepdim=True)
    return torch.where(nearest < RADIUS, colour, torch.ones(3))


class Pull:
    """Guidance whose latents are pixels, and whose gradient is the difference to a picture of the ball, with noise."""

    def __init__(self, colour: torch.Tensor, noise: float = 0.0) -> None:
        self.colour, self.noise = colour, noise
        self.variational_score, self.at_once = None, 0
        self.prior: Any = SimpleNamespace(
            encode=lambda images: images, image_size=SIZE, alphas=torch.linspace(1, 0.01, 1000), device="cpu",
            small_encoder=None,
        )  # fmt: skip

    def contexts(self, prompt: str, negative: str, cameras: Cameras, **told: Any) -> Cameras:
        return cameras

    def gradient(self, latents: torch.Tensor, t: int, contexts: Cameras, generator: torch.Generator) -> torch.Tensor:
        noise = self.noise * torch.randn(latents.shape, generator=generator)
        return latents - ball(contexts, self.colour) + noise


def shaped(
    folder: Path,
    pull: Pull,
    settings: DreamBooth3DSettings,
    steps: int,
    views: PseudoViews | None = None,
    checkpoint_steps: int = 0,
    guess: RadianceGrid | None = None,
) -> RadianceGrid:
    folder.mkdir(parents=True, exist_ok=True)
    photos = tuple(protocol.InputImage(path=f"inputs/{i:02}.png", role="subject") for i in range(3))
    settled: dict[str, protocol.Setting] = {"checkpoint_steps": checkpoint_steps}
    asked = protocol.Request(system="dreambooth3d", prompt="a ball", images=photos, settings=settled)
    job = Job(folder, asked, lambda event: None, Control())
    guidance: Any = pull
    first = first_field(settings, steps)
    values = job.stage(
        "coarse", lambda: optimise_field(job, guidance, "a ball", settings, first, steps, views, guess=guess)
    )
    return RadianceGrid(**values)


@torch.no_grad()
def colour_error(field: RadianceGrid, colour: torch.Tensor) -> float:
    """Return the mean difference to the ball's colour inside its outline, from sides that were not drawn."""
    cameras = orbit([20.0, 140.0, 260.0], 15.0, size=SIZE)
    seen, wanted = volume_renderer(field)(cameras, torch.ones(3)).rgb, ball(cameras, colour)
    inside = (wanted - colour).abs().sum(-1) < 1e-6
    return float((seen - wanted).abs()[inside].mean())


def test_known_guidance_makes_the_ball_a_mesh_and_points_of_its_colour(tmp_path: Path) -> None:
    field = shaped(tmp_path, Pull(GREEN), SMALL, 60)
    assert len(field) == 24 and colour_error(field, GREEN) < 0.08
    mesh, facts = textured_field(field, SMALL, SIZE)
    assert facts["silhouette_iou"] > 0.85
    assert float(mesh.vertices.norm(dim=1).mean()) == pytest.approx(RADIUS, abs=0.08)
    points = sampled_points(mesh, 200, 0, field)
    points.write(tmp_path / "points.ply")
    content = (tmp_path / "points.ply").read_bytes()
    colours = torch.frombuffer(bytearray(content[content.index(b"end_header\n") + 11 :]), dtype=torch.uint8)
    assert torch.allclose(colours.reshape(200, 15)[:, 12:].float().mean(0) / 255, GREEN, atol=0.12)


def test_redrawn_views_lower_the_error_that_guidance_leaves(tmp_path: Path) -> None:
    """Guidance is a little off and noisy; the views, themselves not of one colour, are right on average."""
    cameras = orbit([0.0, 90.0, 180.0, 270.0], 20.0, size=SIZE)
    spread = torch.tensor([0.1, -0.1, 0.1, -0.1])[:, None, None, None]
    pictures = ball(cameras, ORANGE)
    pictures = torch.where(pictures < 1, (pictures + spread).clamp(0, 1), pictures)
    off = Pull(ORANGE + torch.tensor([-0.3, 0.2, 0.2]), noise=0.3)
    settings = replace(SMALL, reconstruction=3.0)
    alone = shaped(tmp_path / "alone", off, settings, 50)
    held = shaped(tmp_path / "held", off, settings, 50, PseudoViews(cameras, pictures))
    assert colour_error(held, ORANGE) < 0.7 * colour_error(alone, ORANGE)


def test_offsets_of_rays_and_pictures_are_those_of_a_finer_picture() -> None:
    field = blob_grid(24, radius=0.5)
    field.values[..., 1:] += torch.linspace(-2, 2, 24)[:, None, None, None] * torch.tensor([1.0, 0.0, -1.0])
    coarse, fine = (orbit([30.0], 20.0, size=size) for size in (SIZE, 2 * SIZE))
    quarter = torch.tensor([-0.25, 0.25])  # of a pixel: the centres of the lower left of the finer ones
    white = torch.ones(3)
    between = volume_renderer(field, samples=48)(off_centre(coarse, quarter), white).rgb
    finer = volume_renderer(field, samples=48)(fine, white).rgb
    assert torch.allclose(between, finer[:, 1::2, ::2], atol=1e-5)
    ramp = torch.arange(8.0)[None, None, :, None].expand(1, 8, 8, 1) + 10 * torch.arange(8.0)[None, :, None, None]
    assert torch.allclose(shifted(ramp, quarter)[:, :-1, 1:], ramp[:, :-1, 1:] - 0.25 + 2.5, atol=1e-5)


def test_a_killed_loop_goes_on_to_the_same_bytes_also_over_a_finer_grid(tmp_path: Path) -> None:
    pull = Pull(GREEN, noise=0.2)
    whole = shaped(tmp_path / "whole", pull, SMALL, 12)

    class Killed(Pull):
        left = 7  # after the first finer grid, at step 3

        def gradient(self, *arguments: Any) -> torch.Tensor:
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            return super().gradient(*arguments)

    with pytest.raises(KeyboardInterrupt):
        shaped(tmp_path / "half", Killed(GREEN, noise=0.2), SMALL, 12, checkpoint_steps=5)
    again = shaped(tmp_path / "half", pull, SMALL, 12, checkpoint_steps=5)
    assert all(torch.equal(value, whole.parameters()[name]) for name, value in again.parameters().items())


def test_light_comes_late_and_takes_the_same_draws() -> None:
    settings = replace(SMALL, unlit=0.5, lit=1.0, textureless=1.0)
    cameras, kinds, states = orbit([0.0, 90.0], 10.0), [], []
    for step in (0, 49, 50, 99):
        generator = torch.Generator().manual_seed(1)
        kinds.append(draw_shading(step, 100, cameras, settings, generator).kind)
        states.append(generator.get_state())
    assert kinds == ["albedo", "albedo", "textureless", "textureless"]
    assert all(torch.equal(state, states[0]) for state in states)
    coloured = draw_shading(99, 100, cameras, replace(settings, textureless=0.0), torch.Generator().manual_seed(1))
    assert coloured.kind == "lambertian"


def test_a_guess_holds_what_the_prior_pulls_elsewhere(tmp_path: Path) -> None:
    guess = blob_grid(24, radius=RADIUS, strength=60.0)
    guess.values[..., 1:] = GREEN.logit()
    cameras = orbit([0.0, 120.0, 240.0], 10.0, size=SIZE)
    wanted = ball(cameras, GREEN)
    off = {}
    for weight in (0.0, 30.0):
        field = shaped(tmp_path / f"{weight}", Pull(ORANGE), replace(SMALL, imagined_sides=weight), 40, guess=guess)
        off[weight] = float((volume_renderer(field)(cameras, torch.ones(3)).rgb - wanted).abs().mean())
    assert off[30.0] < 0.5 * off[0.0]
