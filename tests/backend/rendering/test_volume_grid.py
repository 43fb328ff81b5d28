"""What a grid tells before rays are marched: what they skip, and the slopes between whose nodes normals lie."""

from __future__ import annotations

import numpy as np
import pytest

from backend.rendering.volume_grid import add_slopes_backward, find_slopes


def grid(size: int) -> np.ndarray:
    return np.random.default_rng(size).normal(size=(size, size, size, 4))


@pytest.mark.parametrize("size", [2, 5, 8])
def test_slopes_of_a_plane_are_its_own_and_halve_at_the_border(size: int) -> None:
    axis = np.linspace(-1, 1, size)
    values = np.zeros((size, size, size, 4))
    values[..., 0] = 3 * axis[:, None, None] - 5 * axis[None, :, None] + 7 * axis
    slopes = np.empty((size, size, size, 3))
    find_slopes(values, slopes)
    for along, expected in enumerate((3, -5, 7)):
        line = np.moveaxis(slopes[..., along], along, 0)
        np.testing.assert_allclose(line[1:-1], expected, rtol=1e-12)
        np.testing.assert_allclose(line[[0, -1]], expected / 2, rtol=1e-12)


@pytest.mark.parametrize("size", [2, 3, 6])
def test_the_way_back_of_the_slopes_is_their_transpose(size: int) -> None:
    values, wanted = grid(size), grid(size)[..., 1:].copy()
    slopes, back = np.empty_like(wanted), np.zeros_like(values)
    find_slopes(values, slopes)
    add_slopes_backward(wanted, back)
    assert (slopes * wanted).sum() == pytest.approx((values * back).sum(), rel=1e-10)
    assert not back[..., 1:].any()
