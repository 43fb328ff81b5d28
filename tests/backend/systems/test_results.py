"""The pictures of a result show all of it, and no light that is not in its texture."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from addon import protocol
from addon.protocol import Request
from backend.cameras import orbit
from backend.export import write_points_ply
from backend.gltf.splats import write_splats_glb
from backend.meshes.mesh import Mesh
from backend.meshes.rasteriser import render_mesh
from backend.rendering.splats import splat_renderer
from backend.representations.gaussians import extent, gaussians_from_points
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.systems.results import Points, mesh_views, placed, symmetric, write_results
from backend.systems.textured_mesh import textured_gaussians
from benchmarks.commands.demo import read_glb
from tests.backend.gaussian_shapes import two_coloured_shell
from tests.backend.gltf.test_splats import attributes_of, document_and_bytes
from tests.backend.meshes.test_mirroring import boxes


@pytest.mark.parametrize("output", ["mesh", "points"])
@pytest.mark.parametrize("top", [0.55, 1.0])
def test_what_leaves_the_unit_sphere_is_in_the_pictures(top: float, output: str, tmp_path: Path) -> None:
    """A red ball with a blue one on it that does, and one that does not, lie inside the unit sphere."""
    generator = torch.manual_seed(1)
    balls = [
        centre + radius * torch.nn.functional.normalize(torch.randn(800, 3, generator=generator), dim=-1)
        for centre, radius in ((torch.tensor([0.0, 0.0, top - 0.6]), 0.4), (torch.tensor([0.0, 0.0, top]), 0.25))
    ]
    colours = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]).repeat_interleave(800, dim=0)
    gaussians = gaussians_from_points(torch.cat(balls), colours, opacity=0.95)
    job = Job(tmp_path, Request(system="tv3dg", prompt="two balls", outputs=(output,)), lambda event: None, Control())
    write = partial(write_points_ply, gaussians=gaussians)
    points = Points("gaussians", len(gaussians), write, splat_renderer(gaussians), extent(gaussians, 0.999))
    mesh = partial(textured_gaussians, gaussians, resolution=48, max_faces=4_000, texture_size=256)
    write_results(job, mesh=mesh, points=points, made_with={})
    picture = np.asarray(Image.open(tmp_path / "result/preview.png").convert("RGB"), dtype=float)
    blue = (picture[..., 2] > 1.5 * picture[..., 0]) & (picture[..., 2] > 60)
    rows = np.flatnonzero(blue.any(axis=1))
    assert rows.min() > 0 and blue.sum() > 2_000  # whole
    columns = np.flatnonzero(blue.any(axis=0))
    assert abs(np.ptp(rows) - np.ptp(columns)) < 0.2 * np.ptp(columns)  # and round


def test_pictures_of_a_mesh_show_its_texture_as_it_is() -> None:
    """An octahedron, which turns most of its faces away from the camera, in one colour."""
    corners = torch.cat([torch.eye(3), -torch.eye(3)]) * 0.8
    faces = torch.tensor([[0, 1, 2], [1, 3, 2], [3, 4, 2], [4, 0, 2], [1, 0, 5], [3, 1, 5], [4, 3, 5], [0, 4, 5]])
    colour = torch.tensor([0.3, 0.6, 0.9])
    mesh = Mesh(corners, faces, uv=torch.full((6, 2), 0.5), texture=colour.expand(4, 4, 3).clone())
    cameras = orbit([20.0, 200.0], [15.0, -40.0], size=48)
    pictures, alpha = mesh_views(mesh)(cameras), render_mesh(mesh, cameras).alpha
    inside = alpha[..., 0] > 0.999
    assert int(inside.sum()) > 300
    torch.testing.assert_close(pictures[inside], colour.expand(int(inside.sum()), 3), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("origin", "height", "low", "high", "place"),
    [
        ("centre", 0.0, -0.5, 1.0, {}),
        ("base", 0.0, 0.0, 1.5, {"scale": 1.0, "lift": 0.5}),
        ("centre", 0.3, -0.1, 0.2, {"scale": 0.2, "lift": 0.0}),
        ("base", 0.3, 0.0, 0.3, {"scale": 0.2, "lift": 0.1}),
    ],
)
def test_a_mesh_has_its_height_in_metres_and_its_origin_where_it_is_wanted(
    origin: str, height: float, low: float, high: float, place: dict[str, float]
) -> None:
    mesh = Mesh(torch.tensor([[0.0, 0.0, -0.5], [0.4, 0.0, 1.0], [0.0, 0.2, 0.0]]), torch.tensor([[0, 1, 2]]))
    there, said = placed(mesh, origin, height)
    assert said == pytest.approx(place) and (there is mesh) == (place == {})
    assert there.vertices[:2, 2].tolist() == pytest.approx([low, high], abs=1e-6)
    scale = place.get("scale", 1.0)
    assert there.vertices[1, 0].item() == pytest.approx(0.4 * scale)
    made = torch.tensor([0.0, 0.2, 0.0]) * scale + torch.tensor([0.0, 0.0, place.get("lift", 0.0)])
    torch.testing.assert_close(there.vertices[2], made)


def opaque_box(low: float, high: float) -> Mesh:
    """Return a grey box from one x to another, textured."""
    mesh = boxes((low, high))
    return Mesh(mesh.vertices, mesh.faces, torch.full((len(mesh.vertices), 2), 0.5), torch.full((4, 4, 3), 0.5))


@pytest.mark.parametrize(
    ("low", "kept", "faces", "said"),
    [
        (-0.25, "left", None, ""),
        (0.25, "left", 12, "not mirrored: nothing of it lies in the left half; it reaches from x = 0.25 to 1.25"),
        (0.25, "right", 24, "Nothing of the mesh lies in the left half, so its mirror image stands apart"),
    ],
)
def test_a_mesh_without_anything_on_one_side_gets_a_sentence(
    low: float, kept: str, faces: int | None, said: str, tmp_path: Path
) -> None:
    job = Job(tmp_path, Request(system="tv3dg", prompt="a box"), lambda event: None, Control())
    box = opaque_box(low, low + 1)
    made = symmetric(job, box, kept)
    assert [said in warning for warning in job.warnings] == ([True] if said else [])
    assert faces is None or len(made.faces) == faces
    assert (made is box) == (faces == 12)


def test_the_file_and_the_pictures_have_the_mesh_mirrored_and_the_points_are_as_they_were(tmp_path: Path) -> None:
    """A box from x = -0.2 to 0.6 of which the right half is kept, twice as high as it was made."""
    job = Job(tmp_path, Request(system="tv3dg", prompt="a box"), lambda event: None, Control())
    drawn: list[Path] = []
    points = Points("coloured", 1, lambda path: drawn.append(path) or path.write_bytes(b"ply"), None, 1.0)  # pyright: ignore
    write_results(
        job, mesh=(opaque_box(-0.2, 0.6), {}), points=points, made_with={}, origin="base", height=2.0, mirror="right"
    )
    mesh = read_glb(tmp_path / "result/model.glb")
    low, high = mesh.vertices.amin(0), mesh.vertices.amax(0)
    torch.testing.assert_close(low[[0, 2]], torch.tensor([-1.2, 0.0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(high[[0, 2]], torch.tensor([1.2, 2.0]), atol=1e-5, rtol=0)
    assert (tmp_path / "result/points.ply").read_bytes() == b"ply" and len(drawn) == 1
    front = Image.open(tmp_path / "result/turntable.webp").convert("RGB")  # its first frame is the front
    there = np.flatnonzero((np.asarray(front, dtype=float) < 200).all(axis=-1).any(axis=0))
    assert abs(there[0] + there[-1] - 255) <= 2


@pytest.mark.parametrize(("outputs", "is_wanted"), [(("points",), True), (("points",), False), (("mesh",), True)])
def test_gaussians_are_gltf_too_where_that_is_asked_for_beside_points(
    outputs: tuple[str, ...], is_wanted: bool, tmp_path: Path
) -> None:
    shell = two_coloured_shell()
    request = Request(system="tv3dg", prompt="a ball", outputs=outputs, seed=3)
    told: list[Any] = []
    job = Job(tmp_path, request, told.append, Control())
    write = partial(write_points_ply, gaussians=shell)
    splats = partial(write_splats_glb, gaussians=shell) if is_wanted else None
    points = Points("gaussians", len(shell), write, splat_renderer(shell), extent(shell, 0.999), splats)
    mesh = partial(textured_gaussians, shell, resolution=32, max_faces=4_000, texture_size=64)
    write_results(job, mesh=mesh, points=points, made_with={})
    made, known = tmp_path / "result/splats.glb", json.loads((tmp_path / "result/result.json").read_text())["files"]
    assert made.is_file() == (is_wanted and "points" in outputs) == ("splats.glb" in known)
    warned = [event.message for event in told if isinstance(event, protocol.Warning)]
    assert warned == (
        ["There is no splats.glb, since Points is not among the outputs."] if outputs == ("mesh",) else []
    )
    if made.is_file():
        (node,) = document_and_bytes(made)[0]["nodes"]
        assert node["name"] == "a ball" and node["extras"] == {"prompt": "a ball", "system": "tv3dg", "seed": 3}
        assert len(attributes_of(made)["POSITION"]) == len(shell)
