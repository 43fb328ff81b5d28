"""Training pictures: the same bytes for the same seed, and modalities in their colours."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.cameras import orbit
from backend.embedded.objects.data import modality_image, render_object
from backend.embedded.objects.solids import Primitive, Solid, photograph

GREY = ((0.5, 0.5, 0.5),)


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
