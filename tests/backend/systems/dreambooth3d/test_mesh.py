"""A field's surface is where its density says, with its colours, and points lie on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from addon.protocol.systems.dreambooth3d import DreamBooth3DSettings
from backend.meshes.mirroring import mirrored, mirrored_faces
from backend.representations.radiance import raw_of
from backend.representations.radiance_grid import RadianceGrid, grid_points
from backend.systems.dreambooth3d.mesh import sampled_points, textured_field


def test_a_ball_becomes_a_mesh_of_its_size_and_colour_with_points_on_it(tmp_path: Path) -> None:
    nodes, radius = 32, 0.5
    raw = (40 * (radius - grid_points(nodes).norm(dim=-1))).clamp(-20, 6).reshape(nodes, nodes, nodes, 1)
    colour = torch.tensor([0.2, 0.6, 0.8])
    field = RadianceGrid(torch.cat([raw, torch.logit(colour).expand(nodes, nodes, nodes, 3)], -1), torch.zeros(3))
    settings = DreamBooth3DSettings(mesh_resolution=48, max_faces=600, texture_size=64, texture_steps=0)
    mesh, facts = textured_field(field, settings, 32)
    assert facts["silhouette_iou"] > 0.9 and facts["threshold"] > 0
    expected = radius - float(raw_of(torch.tensor(facts["threshold"]))) / 40  # where the density is that
    assert float(mesh.vertices.norm(dim=1).mean()) == pytest.approx(expected, abs=0.02)
    halves = replace(settings, mirror="left")
    assert len(mirrored(textured_field(field, halves, 32)[0], "left").faces) <= 600 < mirrored_faces(mesh, "left")
    points = sampled_points(mesh, 50, 3, field)
    assert points.kind == "coloured" and points.count == 50 and points.extent == pytest.approx(radius, abs=0.1)
    points.write(tmp_path / "points.ply")
    content = (tmp_path / "points.ply").read_bytes()
    body = content[content.index(b"end_header\n") + 11 :]
    table = torch.frombuffer(bytearray(body), dtype=torch.uint8).reshape(50, 15)
    assert torch.allclose(table[:, 12:].float() / 255, colour.expand(50, 3), atol=0.05)
    assert len(body) == 50 * 15 and b"element vertex 50" in content
