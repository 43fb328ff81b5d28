"""The trainer of masks, depth and normals: its targets, its errors and its variations."""

from __future__ import annotations

import random

import numpy as np
import torch

from backend.embedded.objects.shapes import HELD_OUT
from backend.embedded.training.contrastive import spoil, vary
from backend.embedded.training.perception import (
    affine_error,
    angular_error,
    before_anything,
    nearness,
    render_maps,
)


def test_nearness_is_standard_inside_the_mask_and_the_error_forgives_a_shift_but_not_a_sign():
    depth = torch.tensor([[[[1.0, 2.0], [4.0, 0.0]]]])
    mask = (depth > 0).float()
    near = nearness(depth, mask)
    assert near[0, 0, 0, 0] > near[0, 0, 0, 1] > near[0, 0, 1, 0]
    assert near[0, 0, 1, 1] == 0
    torch.testing.assert_close((near * mask).sum(), torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(near.square().sum() / 3, torch.tensor(1.0))
    assert affine_error(near + 5, near, mask) < 1e-6
    assert affine_error(-near, near, mask) > 1


def test_rendered_maps_agree_with_each_other_and_normals_are_the_cameras():
    rgb, depth, normal = render_maps(HELD_OUT.first_seed, 2, category="mushroom", colour="red")
    assert rgb.shape == (2, 128, 128, 3) and normal.dtype == np.int8
    inside = depth > 0
    assert 0.05 < inside.mean() < 0.7
    directions = normal[inside].astype(np.float32) / 127
    np.testing.assert_allclose(np.linalg.norm(directions, axis=-1), 1, atol=0.02)
    assert (directions[:, 2] > -0.05).mean() > 0.99  # what is seen faces the viewer
    rows = np.nonzero(inside)[1]
    upper = rows < np.quantile(rows, 0.1)
    assert directions[upper][:, 1].mean() > 0.3  # the top of a cap looks up
    one = torch.from_numpy(directions[None, :, :, None].transpose(0, 2, 1, 3))
    assert angular_error(2 * one, one, torch.ones(1, 1, *one.shape[2:])) < 1e-3
    assert angular_error(-one, one, torch.ones(1, 1, *one.shape[2:])) > 1.9


def test_variations_depend_on_the_generator_alone_and_backgrounds_leave_the_inside():
    images = torch.rand(3, 3, 32, 32) * 2 - 1
    assert torch.equal(vary(images, random.Random(1)), vary(images, random.Random(1)))
    assert not torch.equal(vary(images, random.Random(1)), vary(images, random.Random(2)))
    assert {spoil(images, random.Random(i)).shape for i in range(6)} == {images.shape}
    mask = torch.zeros(3, 1, 32, 32)
    mask[:, :, 8:24, 8:24] = 1
    placed = before_anything(images, mask, random.Random(4))
    inner = (slice(None), slice(None), slice(10, 22), slice(10, 22))
    assert (placed - images)[inner].abs().mean() < 0.1  # only noise
    assert (placed - images)[:, :, :6].abs().mean() > 0.2
