"""Pictures as people have them: the object is where the mask and the placement say."""

from __future__ import annotations

import random

import numpy as np
import pytest

from backend.embedded.objects.scenes import Placement, as_photographed, placed


def test_placing_moves_an_image_as_it_says():
    image = np.zeros((64, 64), np.float32)
    image[28:36, 28:36] = 1
    moved = placed(image, Placement(0.5, 0.25, -0.125), order=0)
    rows, columns = np.nonzero(moved)
    assert (rows.mean(), columns.mean()) == pytest.approx((31.5 - 8, 31.5 + 16), abs=0.6)
    assert moved.sum() == pytest.approx(16, abs=5)


def test_photographs_hold_the_object_where_the_mask_says():
    y, x = np.mgrid[:64, :64]
    mask = ((x - 32) ** 2 + (y - 32) ** 2 < 400).astype(np.float32)
    image = np.where(mask[..., None] > 0, np.array([0.9, 0.05, 0.05]), 1.0).astype(np.float32)
    reds = []
    for seed in range(12):
        picture, there, placement = as_photographed(image, mask, random.Random(seed), [(image, mask)] * (seed % 2))
        again = as_photographed(image, mask, random.Random(seed), [(image, mask)] * (seed % 2))[0]
        assert np.array_equal(picture, again) and picture.shape == image.shape
        assert 0 <= picture.min() and picture.max() <= 1
        np.testing.assert_array_equal(there, placed(mask, placement, order=0))
        inside = picture[there > 0]
        reds.append(inside[:, 0].mean() - inside[:, 1].mean())
    assert min(reds) > 0.3
