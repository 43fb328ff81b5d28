"""Shape parameters that say what they are."""

from __future__ import annotations

import random

import numpy as np

from backend.embedded.objects.forms import Form, Material, signed_distance
from backend.embedded.objects.pieces import TELLING, Pieces, TellingDraw


def test_shapes_held_out_are_beyond_those_of_training():
    seen = [TellingDraw(random.Random(i), 0.9, False)(1.0, 2.0, "short|long") for i in range(200)]
    unseen = [TellingDraw(random.Random(i), 0.9, True)(1.0, 2.0, "short|long") for i in range(200)]
    assert max(seen) <= 1.9 < min(unseen)


def test_marked_parameters_tell_of_the_ends_of_their_ranges():
    for seed in range(300):
        draw = TellingDraw(random.Random(seed), 0.9, False)
        value = draw(0.0, 1.0, "thin|thick")
        assert ("thin" in draw.said) == (value < 0.9 * TELLING)
        assert ("thick" in draw.said) == (value > 0.9 * (1 - TELLING))


def test_limbs_reach_from_point_to_point():
    pieces = Pieces()
    pieces.limb((0.1, -0.3, 0.2), (0.5, 0.4, -0.1), 0.1, 0.05)
    ends = np.array([(0.1, -0.3, 0.2), (0.5, 0.4, -0.1)])
    form = Form(tuple(pieces.pieces), (Material((0.5, 0.5, 0.5)),))
    np.testing.assert_allclose(signed_distance(form, ends), [-0.1, -0.05], atol=1e-6)
