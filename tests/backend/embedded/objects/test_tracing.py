"""Distances of forms while they are traced: smooth unions, and culling that loses nothing."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from backend.cameras import orbit
from backend.embedded.objects.forms import Form, Material, Piece, fit, signed_distance
from backend.embedded.objects.pictures import picture
from backend.embedded.objects.recipes.free import draw_form
from backend.embedded.objects.solids import Primitive
from backend.embedded.objects.surfaces import Light
from backend.embedded.objects.tracing import smooth_minimum

GREY = (Material((0.5, 0.5, 0.5)),)


FLAT = Light((0.0, -0.6, 0.8), flat=True)


def ball(x: float, r: float, blend: float = 0.0, **more) -> Piece:
    return Piece(Primitive("ellipsoid", (x, 0, 0), (r, r, r), **more), blend)


def test_a_smooth_union_is_rounded_off_as_its_formula_says():
    a, b, k = 0.2, 0.26, 0.1
    assert smooth_minimum(a, b, k) == pytest.approx(a - (k - (b - a)) ** 2 / (4 * k))
    assert smooth_minimum(a, a, k) == pytest.approx(a - k / 4)
    assert smooth_minimum(a, a + 2 * k, k) == a and smooth_minimum(a, b, 0.0) == a
    # Halfway between two balls that touch, the surface is a quarter of the width farther out.
    form = Form((ball(-0.5, 0.5), ball(0.5, 0.5, blend=0.4)), GREY)
    at = np.array([[0.0, 0.3, 0.0]])
    assert signed_distance(form, at)[0] == pytest.approx(math.hypot(0.5, 0.3) - 0.5 - 0.1)


def test_culling_changes_nothing():
    rng = random.Random(4)
    while True:
        form = fit(draw_form(rng).form)[0]
        if len(form.pieces) > 6 and max(p.blend for p in form.pieces) > 0.05 and not form.bend + form.twist:
            break
    camera = orbit([40.0], 25.0, size=32)
    seen = picture(form, camera, (1.0, 1.0, 1.0), FLAT)
    # The plain reference: march every ray by the full distance.
    from backend.cameras import rays

    origin, direction = (r.reshape(-1, 3).double().numpy() for r in rays(camera))
    t, hit = np.full(len(origin), float(camera.position.norm()) - 1.1), np.zeros(len(origin), dtype=bool)
    for _ in range(300):
        d = signed_distance(form, origin + t[:, None] * direction)
        hit |= d < 1e-3
        t = np.where(hit, t, t + d)
    hit &= t < 10
    differs = hit != (seen.mask.reshape(-1).numpy() > 0)
    assert differs.sum() <= 2  # a ray that grazes
    depth = t * (direction @ camera.camera_to_world[0, :3, 2].double().numpy())
    both = hit & ~differs
    np.testing.assert_allclose(seen.depth.reshape(-1).numpy()[both], depth[both], atol=0.02)
