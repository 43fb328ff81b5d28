"""The signed distances, the tracer and the grammar of the embedded world."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from backend.cameras import orbit
from backend.embedded.captions import RARE_TOKENS, caption, vocabulary
from backend.embedded.categories import CATEGORIES
from backend.embedded.data import modality_image, render_object, view_parameters
from backend.embedded.shapes import COLOURS, HELD_OUT, TRAINED_CATEGORIES, make_subject
from backend.embedded.solids import FIT_RADIUS, Primitive, Solid, albedo, photograph, signed_distance
from backend.embedded.tokenizer import build_tokenizer

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


@pytest.mark.parametrize("category", list(CATEGORIES))
def test_every_category_fits_the_unit_sphere_and_shows_its_colours(category: str):
    subject = make_subject(3, category=category, colour="purple", pattern="plain")
    picture = photograph(subject.solid, orbit([20.0], 15.0, size=64), torch.ones(3))
    share = float(picture.mask.mean())
    assert 0.05 < share < 0.75
    assert float(picture.mask[0, 0].sum() + picture.mask[0, -1].sum()) == 0  # nothing touches the border
    line = torch.linspace(-1, 1, 24)
    grid = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
    inside = grid[signed_distance(subject.solid, grid) < 0]
    assert len(inside) and float(inside.norm(dim=-1).max()) < FIT_RADIUS + 0.05
    colours = albedo(subject.solid, inside)
    assert (colours - torch.tensor(COLOURS["purple"])).abs().sum(-1).min() < 1e-6


def test_training_never_draws_what_is_held_out():
    subjects = [make_subject(seed) for seed in range(120)]
    assert not {s.category for s in subjects} & set(HELD_OUT.categories)
    assert not any(HELD_OUT.pair(s.category, s.colour) for s in subjects)
    assert len(TRAINED_CATEGORIES) >= 24
    pairs = [sum(HELD_OUT.pair(category, colour) for colour in COLOURS) for category in TRAINED_CATEGORIES]
    assert set(pairs) == {2}


def test_unseen_shapes_use_the_held_out_share_of_a_range():
    from backend.embedded.categories import Draw

    seen = [Draw(random.Random(i), 0.9, False)(0.0, 1.0) for i in range(200)]
    unseen = [Draw(random.Random(i), 0.9, True)(0.0, 1.0) for i in range(200)]
    assert max(seen) <= 0.9 < min(unseen)


def test_the_same_seed_renders_the_same_bytes():
    one, other = (render_object(11, 2)[0] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_modality_pictures_have_their_colours():
    solid = Solid((Primitive("ellipsoid", (0, 0, 0), (0.6, 0.6, 0.6)),), GREY)
    camera = orbit([70.0], 30.0, size=32)
    picture = photograph(solid, camera, torch.ones(3))
    normal = modality_image("normal", picture, camera.camera_to_world, 0)
    assert normal[16, 16].tolist() == pytest.approx([0.5, 0.5, 1.0], abs=0.06)  # towards the viewer, in camera axes
    assert normal[8, 16, 1] > 0.6 and normal[16, 24, 0] > 0.6  # up is green, right is red
    depth = modality_image("depth", picture, camera.camera_to_world, 0)
    assert depth[16, 16, 0] > 0.95 and depth[0, 0, 0] == 0  # near is bright
    assert torch.equal(modality_image("mask", picture, camera.camera_to_world, 0)[..., :1], picture.mask[0])


def test_captions_use_known_words_only_and_each_is_one_token():
    tokenizer = build_tokenizer(vocabulary())
    rng = random.Random(0)
    for seed in range(60):
        view = view_parameters(rng, 1)[0]
        words = caption(
            make_subject(seed), rng, azimuth=view["azimuth"], elevation=view["elevation"],
            style=rng.choice(["matte", "neon", "glossy"]), modality=rng.choice(["rgb", "depth", "normal", "mask"]),
        )  # fmt: skip
        assert len(tokenizer(words).input_ids) <= tokenizer.model_max_length, words
        for word in words.replace(",", "").split():
            assert word in vocabulary(), words
            assert len(tokenizer.tokenize(word)) == 1, word
    assert all(len(tokenizer.tokenize(token)) == 1 for token in RARE_TOKENS)
    assert len(tokenizer.tokenize("turtle")) > 1  # a held-out category is not known
