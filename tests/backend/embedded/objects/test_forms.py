"""Distances of forms: primitives, cuts, copies, deformations, and how they are fitted."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree

from backend.embedded.objects import solids, world
from backend.embedded.objects.forms import Form, Material, Piece, fit, signed_distance, table
from backend.embedded.objects.shapes import make_subject
from backend.embedded.objects.solids import FIT_RADIUS, Primitive

GREY = (Material((0.5, 0.5, 0.5)),)


def ball(x: float, r: float, blend: float = 0.0, **more) -> Piece:
    return Piece(Primitive("ellipsoid", (x, 0, 0), (r, r, r), **more), blend)


def surface_cloud(form: Form, count: int = 60_000, reach: float = 1.3) -> np.ndarray:
    """Return points where the distance changes sign along random lines, without any faith in its slope."""
    generator = np.random.default_rng(0)
    low, high = generator.uniform(-reach, reach, size=(2, count, 3))
    differs = (signed_distance(form, low) < 0) != (signed_distance(form, high) < 0)
    low, high = low[differs], high[differs]
    for _ in range(30):
        middle = (low + high) / 2
        same = ((signed_distance(form, middle) < 0) == (signed_distance(form, low) < 0))[:, None]
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return (low + high) / 2


PRIMITIVES = {
    "limb": (0.3, 0.15, 0.4), "arc": (0.5, 0.12, 100.0), "prism": (0.4, 0.3, 5.0),
    "box": (0.5, 0.3, 0.2), "cone": (0.5, 0.2, 0.4), "torus": (0.5, 0.15, 0.0), "ellipsoid": (0.5, 0.5, 0.5),
}  # fmt: skip


@pytest.mark.parametrize("kind", PRIMITIVES)
def test_distances_are_distances_to_the_surface(kind: str):
    form = Form((Piece(Primitive(kind, (0.1, 0, 0), PRIMITIVES[kind], rotation=(20, 30, 40))),), GREY)
    points = np.random.default_rng(1).uniform(-1, 1, size=(300, 3))
    nearest = KDTree(surface_cloud(form)).query(points)[0]
    claimed = np.abs(signed_distance(form, points))
    assert (nearest - claimed).min() > -2e-3  # never farther than the surface
    assert np.abs(claimed - nearest).max() < 0.06 and np.mean(nearest - claimed) < 0.015


@pytest.mark.parametrize("kind", ["heart", "wedge", "pyramid", "star"])
def test_bounds_never_exceed_the_distance(kind: str):
    form = Form((Piece(Primitive(kind, (0, 0, 0), (0.6, 0.3, 5.0 if kind == "star" else 0.4))),), GREY)
    points = np.random.default_rng(1).uniform(-1.2, 1.2, size=(300, 3))
    nearest = KDTree(surface_cloud(form)).query(points)[0]
    outside = signed_distance(form, points) > 0
    assert (nearest - signed_distance(form, points))[outside].min() > -2e-3
    assert (~outside).any()


def test_cutting_takes_away_and_softly_a_little_more():
    at = np.array([[0.0, 0, 0], [0.4, 0, 0], [0.7, 0, 0]])
    sharp = Form((ball(0, 0.5), ball(0, 0.3, cut=True)), GREY)
    assert signed_distance(sharp, at).tolist() == pytest.approx([0.3, -0.1, 0.2])
    soft = Form((ball(0, 0.5), ball(0, 0.3, 0.25, cut=True)), GREY)
    assert signed_distance(soft, at)[1] == pytest.approx(-0.1 + 0.25 / 4)


def test_copies_are_where_mirrors_and_turns_put_them():
    one = Primitive("box", (0.5, 0.2, 0), (0.2, 0.1, 0.15), rotation=(10, 20, 30))
    points = np.random.default_rng(2).uniform(-1, 1, size=(200, 3))
    alone = Form((Piece(one),), GREY)
    mirrored = np.minimum(*(signed_distance(alone, points * [side, 1, 1]) for side in (1, -1)))
    np.testing.assert_allclose(signed_distance(Form((Piece(one, copies=-2),), GREY), points), mirrored, atol=1e-9)
    turned = []
    for i in range(3):
        c, s = math.cos(2 * math.pi * i / 3), math.sin(2 * math.pi * i / 3)
        turned.append(signed_distance(alone, points @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])))
    ring = signed_distance(Form((Piece(one, copies=3),), GREY), points)
    np.testing.assert_allclose(ring, np.minimum.reduce(turned), atol=1e-9)


@pytest.mark.parametrize(
    "deformed", [{"bend": 0.5}, {"bend": -0.5}, {"twist": 1.4}, {"taper": 0.45}, {"stretch": (0.6, 1.7)}]
)
def test_deformed_distances_stay_bounds(deformed: dict):
    pieces = (
        Piece(Primitive("box", (0, 0, 0), (0.25, 0.3, 0.8), rounding=0.02)),
        Piece(Primitive("torus", (0.2, 0, 0.5), (0.3, 0.1, 0.0)), 0.1),
    )
    form = Form(pieces, GREY, **deformed)
    points = np.random.default_rng(3).uniform(-1.2, 1.2, size=(400, 3))
    claimed, nearest = signed_distance(form, points), KDTree(surface_cloud(form)).query(points)[0]
    outside = claimed > 0
    assert (nearest - claimed)[outside].min() > -5e-3
    assert np.mean(claimed[outside]) > 0.3 * np.mean(nearest[outside])  # and are worth something


def test_a_bent_column_follows_a_circle():
    column = Form((Piece(Primitive("limb", (0, 0, 0), (0.1, 0.1, 0.8))),), GREY, bend=0.5)
    along = np.array([-0.7, -0.3, 0.0, 0.4, 0.8])  # arc lengths on the axis, a circle of radius 2 towards +x
    axis = np.stack([2 - 2 * np.cos(along / 2), np.zeros(5), 2 * np.sin(along / 2)], axis=-1)
    inside = signed_distance(column, axis) / table(column).placement[7]
    np.testing.assert_allclose(inside, -0.1, atol=1e-6)


def test_v1_solids_have_the_distances_that_they_had():
    for seed in (1, 2, 3):
        solid = make_subject(seed).solid
        form = Form(tuple(Piece(p) for p in solid.primitives), GREY * 8, offset=solid.offset, scale=solid.scale)
        points = np.random.default_rng(seed).uniform(-0.9, 0.9, size=(500, 3))
        before = solids.signed_distance(solid, torch.tensor(points, dtype=torch.float32)).numpy()
        near = np.abs(before) < 0.05  # farther away bounding spheres may know better
        np.testing.assert_allclose(signed_distance(form, points)[near], before[near], atol=1e-5)


def test_fitted_forms_fill_the_sphere():
    for seed in range(4):
        form = world.make_thing(seed).form
        cloud = surface_cloud(form, 20_000, 1.0)
        assert 0.85 < np.linalg.norm(cloud, axis=-1).max() < FIT_RADIUS + 0.05


def test_a_form_without_an_inside_says_so():
    with pytest.raises(ValueError, match="without an inside"):
        fit(Form((ball(0, 0.2), ball(0, 0.5, cut=True)), GREY))
