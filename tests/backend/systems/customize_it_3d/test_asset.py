"""Refined views on the mesh, and points in its colours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from backend.cameras import orbit
from backend.meshes.baking import unwrap
from backend.meshes.mesh import Mesh
from backend.meshes.rasteriser import render_mesh
from backend.rendering.points.deferred import DeferredRenderer
from backend.systems.customize_it_3d.asset import baked_mesh, result_points, textured_points
from backend.systems.customize_it_3d.refine import mesh_cover, neural_points
from tests.backend.systems.customize_it_3d.closed_form import GREEN, SMALL, ball_seen
from tests.backend.systems.customize_it_3d.test_refine import GREY, ball_mesh, points_of

RED = torch.tensor([0.8, 0.1, 0.1])


def grey_mesh() -> Mesh:
    made = unwrap(ball_mesh(), size=64)
    return replace(made, texture=GREY.expand(64, 64, 3).clone())


def test_the_texture_takes_the_refined_colours_and_the_photo_comes_on_top() -> None:
    mesh = grey_mesh()
    render = DeferredRenderer(neural_points(points_of(RED), 0, torch.device("cpu")), mesh_cover(mesh))
    made, facts = baked_mesh(mesh, render, ball_seen().photo, SMALL, 48)
    front, back = render_mesh(made, orbit([0.0, 180.0], 10.0, size=48)).rgb[:, 24, 24]
    assert torch.allclose(back, RED, atol=0.05) and torch.allclose(front, GREEN, atol=0.05)
    assert facts["texture_error"] < 0.03 and made.texture is not None and made.texture.shape == (64, 64, 3)


def test_points_take_the_textures_colours_and_keep_theirs_where_nothing_sees_them(tmp_path: Path) -> None:
    mesh, coloured = grey_mesh(), points_of(RED)
    inside = replace(coloured, points=0.2 * coloured.points)  # within the ball: hidden from all sides
    assert torch.allclose(textured_points(mesh, coloured, 48).colours.mean(0), GREY, atol=0.02)
    assert torch.equal(textured_points(mesh, inside, 48).colours, inside.colours)
    render = DeferredRenderer(neural_points(coloured, 0, torch.device("cpu")), mesh_cover(mesh))
    points = result_points(coloured, render)
    assert (points.kind, points.count) == ("coloured", 600) and abs(points.extent - 0.6) < 0.02
    points.write(tmp_path / "points.ply")
    content = (tmp_path / "points.ply").read_bytes()
    colours = torch.frombuffer(bytearray(content[content.index(b"end_header\n") + 11 :]), dtype=torch.uint8)
    assert torch.allclose(colours.reshape(600, 15)[:, 12:].float().mean(0) / 255, RED, atol=0.01)
