"""What pictures of forms show: size, depth and normals of a sphere."""

from __future__ import annotations

import pytest
import torch

from backend.cameras import orbit
from backend.embedded.objects.forms import Form, Material, Piece
from backend.embedded.objects.pictures import picture
from backend.embedded.objects.solids import Primitive
from backend.embedded.objects.surfaces import Light

GREY = (Material((0.5, 0.5, 0.5)),)


def ball(x: float, r: float, blend: float = 0.0, **more) -> Piece:
    return Piece(Primitive("ellipsoid", (x, 0, 0), (r, r, r), **more), blend)


def test_the_tracer_sees_a_sphere_as_geometry_says():
    camera = orbit([30.0], 20.0, size=64)
    light = Light((0.0, 0.0, 1.0))
    seen = picture(Form((ball(0, 0.6),), GREY), camera, (1.0, 1.0, 1.0), light)
    distance = float(camera.position.norm())
    radius = 0.6 / (distance**2 - 0.36) ** 0.5 * float(camera.intrinsics[0, 0, 0])
    assert float(seen.mask.sum()) == pytest.approx(torch.pi * radius**2, rel=0.01)
    assert float(seen.depth[0, 31:33, 31:33].mean()) == pytest.approx(distance - 0.6, abs=0.01)
    towards = torch.nn.functional.normalize(camera.position[0], dim=-1)
    assert float(seen.normal[0, 31, 31] @ towards) > 0.998
