"""The loop that refines colours: what is pulled changes, what is known stays, a kill goes on to the same bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from addon.protocol.systems.customize_it_3d import CustomizeIt3DSettings
from backend.cameras import orbit
from backend.meshes.mesh import Mesh, mesh_from_arrays
from backend.meshes.point_colours import ColouredPoints
from backend.meshes.poisson_disk import poisson_disk
from backend.rendering.points.deferred import DeferredRenderer, NeuralPoints
from backend.runtime.checkpoint import load_checkpoint, save_checkpoint
from backend.systems.customize_it_3d.refine import (
    WIDTHS,
    RefinedPoints,
    mesh_cover,
    neural_points,
    refine_colours,
    refined_views,
)
from tests.backend.systems.customize_it_3d.closed_form import (
    GREEN,
    RADIUS,
    SIZE,
    SMALL,
    Pull,
    ball,
    ball_seen,
    open_stage,
)

GREY = torch.full((3,), 0.5)
SETTINGS = replace(SMALL, refine_novel_views=0.0, contextual=0.0, refine_rate=0.03, reference=20.0)


def ball_mesh() -> Mesh:
    import trimesh

    made = trimesh.creation.icosphere(3, RADIUS)
    return mesh_from_arrays(made.vertices, made.faces)


def points_of(colour: torch.Tensor, known: bool = False) -> ColouredPoints:
    points, normals = poisson_disk(ball_mesh(), 600, torch.Generator().manual_seed(0))
    return ColouredPoints(points, normals, colour.repeat(600, 1), torch.full((600, 1), known))


def refined(
    folder: Path, pull: Any, settings: CustomizeIt3DSettings, coloured: ColouredPoints, checkpoint_steps: int = 0
) -> NeuralPoints:
    job = open_stage(folder, checkpoint_steps=checkpoint_steps)
    values = job.stage(
        "refined", lambda: refine_colours(job, pull, None, None, ball_seen(), ball_mesh(), coloured, settings)
    )
    neural = neural_points(coloured, 0, torch.device("cpu"), WIDTHS[settings.network])
    neural.load_state_dict(values)
    return neural


@torch.no_grad()
def error(neural: NeuralPoints, azimuth: float) -> float:
    camera = orbit([azimuth], 10.0, size=SIZE)
    render = DeferredRenderer(neural, mesh_cover(ball_mesh()))
    return float((render(camera, torch.ones(3)).rgb - ball(camera, GREEN, torch.ones(3))).abs().mean())


def test_the_image_colours_its_side_and_guidance_the_others(tmp_path: Path) -> None:
    grey = points_of(GREY)
    before = neural_points(grey, 0, torch.device("cpu"))
    seen = refined(tmp_path / "image", Pull(None), replace(SETTINGS, refine_steps=40), grey)
    assert error(seen, 0.0) < 0.4 * error(before, 0.0)
    pulled = replace(SETTINGS, refine_steps=40, reference=0.0, refine_guidance=50.0)
    guided = refined(tmp_path / "guided", Pull(GREEN), pulled, grey)
    assert error(guided, 180.0) < 0.5 * error(before, 180.0)


def test_known_points_are_held_to_their_colours(tmp_path: Path) -> None:
    settings = replace(SETTINGS, reference=0.0, refine_guidance=50.0, anchor_known=1e4, anchor_others=0.0)
    moved = {
        known: (refined(tmp_path / str(known), Pull(GREEN), settings, points_of(GREY, known)).colours - GREY)
        .abs()
        .mean()
        for known in (True, False)
    }
    assert float(moved[True].detach()) < 0.3 * float(moved[False].detach())


def test_a_killed_loop_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    class Killed(Pull):
        left = 5

        def gradient(self, *arguments: Any) -> torch.Tensor:
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            return super().gradient(*arguments)

    settings, grey = replace(SETTINGS, refine_steps=8), points_of(GREY)
    whole = refined(tmp_path / "whole", Pull(), settings, grey)
    with pytest.raises(KeyboardInterrupt):
        refined(tmp_path / "half", Killed(), settings, grey, checkpoint_steps=3)
    again = refined(tmp_path / "half", Pull(), settings, grey, checkpoint_steps=3)
    assert all(torch.equal(value, whole.parameters()[name]) for name, value in again.parameters().items())


def test_points_come_back_from_disk_with_their_optimiser(tmp_path: Path) -> None:
    one, other = (RefinedPoints(neural_points(points_of(GREY), seed, torch.device("cpu"))) for seed in (1, 2))
    for part in (one, other):
        (part.neural.colours.sum() + part.neural.features.square().sum()).backward()
    one.step(0.1)
    save_checkpoint(tmp_path / "points.safetensors", one.state_dict())
    other.load_state_dict(load_checkpoint(tmp_path / "points.safetensors"))
    for part in (one, other):
        part.forget()
        part.neural.features.square().sum().backward()
        part.step(0.1)
    assert torch.equal(one.neural.features, other.neural.features)
    assert one.is_finite
    (one.neural.colours.sum() * torch.inf).backward()
    assert not one.is_finite


def test_views_are_drawn_a_few_at_a_time_before_black() -> None:
    neural = neural_points(points_of(GREEN), 0, torch.device("cpu"))
    render, cameras = DeferredRenderer(neural, mesh_cover(ball_mesh())), orbit([0.0, 120.0, 240.0], 10.0, size=SIZE)
    views = refined_views(render, cameras, together=2)
    assert views.shape == (3, SIZE, SIZE, 3)
    assert torch.allclose(views, ball(cameras, GREEN, torch.zeros(3)), atol=1.0) and float(views[:, 0, 0].max()) == 0
    assert torch.allclose(views[:, SIZE // 2, SIZE // 2], GREEN.expand(3, 3), atol=1e-3)
