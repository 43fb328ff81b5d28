"""Signed distances against the surface itself, and what the tracer sees against geometry."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.cameras import orbit
from backend.embedded.objects.shapes import make_subject
from backend.embedded.objects.solids import Primitive, Solid, photograph, signed_distance

GREY = ((0.5, 0.5, 0.5),)


def surface_cloud(primitive: Primitive, count: int = 40_000) -> np.ndarray:
    """Return points where the distance changes sign along random lines: the surface without its formula's slope."""
    generator = np.random.default_rng(0)
    ends = generator.uniform(-1.2, 1.2, size=(2, count, 3))
    low, high = (torch.tensor(end, dtype=torch.float32) for end in ends)
    solid = Solid((primitive,), GREY)
    differs = (signed_distance(solid, low) < 0) != (signed_distance(solid, high) < 0)
    low, high = low[differs], high[differs]
    for _ in range(40):
        middle = (low + high) / 2
        same = ((signed_distance(solid, middle) < 0) == (signed_distance(solid, low) < 0))[:, None]
        low, high = torch.where(same, middle, low), torch.where(same, high, middle)
    return ((low + high) / 2).numpy()


@pytest.mark.parametrize(
    "primitive",
    [
        Primitive("ellipsoid", (0.1, 0, 0), (0.5, 0.5, 0.5)),
        Primitive("box", (0, 0.1, 0), (0.5, 0.3, 0.2), rotation=(20, 30, 40), rounding=0.05),
        Primitive("cone", (0, 0, 0), (0.5, 0.2, 0.4), rotation=(0, 70, 0)),
        Primitive("torus", (0, 0, 0), (0.5, 0.15, 0), rotation=(50, 0, 10)),
    ],
    ids=lambda primitive: primitive.kind,
)
def test_distances_are_distances_to_the_surface(primitive: Primitive):
    from scipy.spatial import KDTree

    cloud = surface_cloud(primitive)
    points = torch.tensor(np.random.default_rng(1).uniform(-1, 1, size=(300, 3)), dtype=torch.float32)
    claimed = signed_distance(Solid((primitive,), GREY), points).abs().numpy()
    nearest = KDTree(cloud).query(points.numpy())[0]
    assert np.abs(claimed - nearest).max() < 0.05  # the cloud has gaps, so the nearest of it is a little farther
    assert np.mean(nearest - claimed) < 0.012 and (nearest - claimed).min() > -2e-3


def test_cutting_takes_away():
    ball, hole = (
        Primitive("ellipsoid", (0, 0, 0), (0.5, 0.5, 0.5)),
        Primitive("ellipsoid", (0, 0, 0), (0.3, 0.3, 0.3), cut=True),
    )
    at = torch.tensor([[0.0, 0, 0], [0.4, 0, 0], [0.7, 0, 0]])
    assert signed_distance(Solid((ball, hole), GREY), at).tolist() == pytest.approx([0.3, -0.1, 0.2], abs=1e-6)


def test_the_tracer_sees_a_sphere_as_geometry_says():
    solid = Solid((Primitive("ellipsoid", (0, 0, 0), (0.6, 0.6, 0.6)),), GREY)
    camera = orbit([30.0], 20.0, size=64)
    picture = photograph(solid, camera, torch.ones(3))
    distance = float(camera.position.norm())
    radius = 0.6 / (distance**2 - 0.36) ** 0.5 * float(camera.intrinsics[0, 0, 0])  # of the outline, in pixels
    assert float(picture.mask.sum()) == pytest.approx(torch.pi * radius**2, rel=0.01)
    centre = picture.depth[0, 31:33, 31:33].mean()
    assert float(centre) == pytest.approx(distance - 0.6, abs=0.01)
    towards = torch.nn.functional.normalize(camera.position[0], dim=-1)
    assert float(picture.normal[0, 31, 31] @ towards) > 0.998
    assert (
        picture.depth[picture.mask == 0].abs().max() == 0
        and picture.normal[0][picture.mask[0, ..., 0] == 0].abs().max() == 0
    )
    edge = (picture.rgb[0] - 1).abs().sum(-1)
    assert ((edge > 0) & (picture.mask[0, ..., 0] == 0)).sum() > 20  # the silhouette is anti-aliased


def test_views_of_one_batch_are_those_taken_alone():
    subject = make_subject(5)
    cameras = orbit([0.0, 100.0], [10.0, 40.0], size=32)
    both, alone = (photograph(subject.solid, c, torch.ones(3)) for c in (cameras, cameras[1]))
    torch.testing.assert_close(both.rgb[1], alone.rgb[0], atol=1e-5, rtol=0)
