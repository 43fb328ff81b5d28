"""The second world: what is in it, and what is held out."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from backend.embedded.objects import world
from backend.embedded.objects.data import cameras_of, render_object
from backend.embedded.objects.forms import Form, Material, Piece
from backend.embedded.objects.groups import view_parameters
from backend.embedded.objects.pictures import picture
from backend.embedded.objects.pieces import TellingDraw
from backend.embedded.objects.shapes import HELD_OUT, TRAINED_CATEGORIES
from backend.embedded.objects.solids import Primitive
from backend.embedded.objects.surfaces import TEXTURES, Light

# The first view of the first world's object 11: means of blocks of 16 x 16 pixels, row by row, as it always was.
FIRST_WORLD = (
    253, 253, 253, 253, 253, 253, 253, 253, 253, 253, 253, 253, 253, 253, 253, 253, 253, 253, 200, 158, 214, 253,
    253, 253, 253, 233, 16, 21, 55, 207, 221, 253, 253, 253, 142, 25, 13, 39, 101, 250, 253, 253, 231, 218, 170, 153,
    141, 253, 253, 253, 253, 253, 253, 251, 241, 253, 253, 253, 253, 253, 253, 253, 253, 253,
)  # fmt: skip


def test_the_first_worlds_images_are_what_they_were():
    images, facts = render_object(11, 2)
    assert (facts[0]["category"], facts[0]["colour"], facts[0]["accent"]) == ("fish", "black", "pink")
    means = images[0].reshape(8, 16, 8, 16, 3).mean(axis=(1, 3, 4)).ravel()
    np.testing.assert_allclose(means, FIRST_WORLD, atol=0.75)


def test_there_are_categories_enough_and_most_have_a_front():
    assert len(world.TRAINED_CATEGORIES_2) >= 60 and len(set(world.CATEGORIES_2)) == len(world.CATEGORIES_2)
    assert set(TRAINED_CATEGORIES) <= set(world.TRAINED_CATEGORIES_2)
    assert set(world.WITH_FRONT_2) <= set(world.CATEGORIES_2)
    assert len(world.WITH_FRONT_2) > len(world.CATEGORIES_2) / 2
    assert set(world.PATTERNS_2) == set(TEXTURES)


def test_nothing_held_out_is_ever_drawn(monkeypatch):
    monkeypatch.setattr(world, "fit", lambda form, *_: (form, np.ones(3)))  # words alone are wanted: skip the work
    monkeypatch.setattr(world, "_most_seen_first", lambda form: (form, (0.0, 0.0, 0.0), True))
    monkeypatch.setattr(world, "seen_slots", lambda form: np.ones(13))
    monkeypatch.setattr(world, "_usual", lambda category: ((0.0, 9.0), (0.0, 9.0)))
    things = [world.make_thing(seed) for seed in range(4000)]
    categories = {t.category for t in things if not t.free}
    assert categories == set(world.TRAINED_CATEGORIES_2)
    assert not any(world.HELD_OUT_2.pair(t.category, t.colour) for t in things if not t.free)
    assert np.mean([t.free for t in things]) == pytest.approx(world.FREE_SHARE, abs=0.03)
    pairs = {c: [n for n in world.COLOURS_2 if world.HELD_OUT_2.pair(c, n)] for c in world.CATEGORIES_2}
    assert {len(colours) for colours in pairs.values()} == {1}
    assert all(HELD_OUT.pair(c, pairs[c][0]) for c in TRAINED_CATEGORIES)  # also what the first world held out


def test_every_recipe_can_be_built_at_both_ends_of_its_ranges():
    for name in world.CATEGORIES_2:
        for seed in range(3):
            pieces = world.build(name, TellingDraw(random.Random(seed), 1.0, seed == 0)).pieces
            world.Form(tuple(pieces), ())  # asserts that there are not too many
            sizes = [s for p in pieces for s in p.primitive.size]
            assert min(sizes) >= 0 and max(sizes) < 180, name


def test_colours_are_called_by_their_names():
    for name, rgb in world.COLOURS_2.items():
        assert world.colour_name(rgb) == ("", name)
    assert world.colour_name((0.2, 0.2, 0.9)) == ("", "blue")
    assert world.colour_name((0.5, 0.6, 0.95)) == ("light", "blue")


def test_a_free_form_is_named_after_the_colour_that_is_seen_most():
    big, small = (Primitive("ellipsoid", (x, 0, 0), (r, r, r), slot) for x, r, slot in ((0, 0.6, 2), (0.6, 0.2, 0)))
    materials = tuple(Material(world.COLOURS_2[name]) for name in ("red", "lime", "blue"))
    form, second, _ = world._most_seen_first(Form((Piece(small), Piece(big)), materials))
    assert [world.colour_name(material.colour)[1] for material in form.materials] == ["blue", "lime", "red"]
    assert [piece.primitive.slot for piece in form.pieces] == [2, 0] and world.colour_name(second)[1] == "red"
    thing = world.make_thing(13, free_form=True, pattern="plain")
    flat = picture(thing.form, cameras_of(view_parameters(random.Random(1), 4)), (0, 0, 0), Light((0, 0, 1), flat=True))
    seen = flat.rgb[flat.mask[..., 0] > 0]
    shares = [((seen - torch.tensor(m.colour)).abs().amax(-1) < 0.01).float().mean() for m in thing.form.materials]
    assert shares[0] > 0.4 and max(shares) == shares[0]
