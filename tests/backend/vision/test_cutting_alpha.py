"""Which alpha channels cut something out, and which are only there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.images import alpha_mask, subject_mask
from tests.backend.test_images import DISC, SIZE, WHITE, X, Y, picture


def test_an_alpha_channel_is_the_mask_itself() -> None:
    alpha = torch.from_numpy(DISC.astype(np.float32))[..., None]
    alpha[DISC & (X < 0.3)] = 0.3  # glass
    mask = subject_mask(torch.rand(SIZE, SIZE, 3), alpha)
    assert torch.equal(mask, alpha) and mask is not alpha


@pytest.mark.parametrize("opacity", [0.55, 0.3])
def test_a_cut_out_on_a_faint_layer_is_whole(opacity: float) -> None:
    whole = torch.from_numpy(DISC.astype(np.float32))[..., None]
    assert torch.equal(subject_mask(torch.rand(SIZE, SIZE, 3), whole * opacity), whole)


def rounded(radius: float, rows: int = SIZE, columns: int = SIZE) -> torch.Tensor:
    """Return the alpha [H, W, 1] of a picture with rounded corners, whose radius is a share of the shorter side."""
    y, x = np.mgrid[0:rows, 0:columns] + 0.5
    inner = radius * min(rows, columns)
    across = np.maximum(np.maximum(inner - x, x - (columns - inner)), 0)
    down = np.maximum(np.maximum(inner - y, y - (rows - inner)), 0)
    return torch.from_numpy((np.hypot(across, down) <= inner).astype(np.float32))[..., None]


def stray(count: int) -> torch.Tensor:
    """Return an alpha [H, W, 1] with so many clear pixels anywhere."""
    alpha = torch.ones(SIZE * SIZE, 1)
    alpha[torch.randperm(SIZE * SIZE, generator=torch.Generator().manual_seed(0))[:count]] = 0.0
    return alpha.view(SIZE, SIZE, 1)


@pytest.mark.parametrize(
    "alpha",
    [
        pytest.param(torch.ones(SIZE, SIZE, 1), id="opaque"),
        pytest.param(torch.full((SIZE, SIZE, 1), 0.55), id="a layer at 55 %"),
        pytest.param(torch.full((SIZE, SIZE, 1), 0.2), id="a layer at 20 %"),
        pytest.param(stray(12), id="12 stray pixels"),
        pytest.param(stray(150), id="stray pixels, 0.9 %"),
        pytest.param(rounded(0.05), id="rounded corners"),
        pytest.param(rounded(0.22), id="the corners of an icon"),
        pytest.param(rounded(0.05) * 0.55, id="rounded corners at 55 %"),
    ],
)
def test_an_alpha_channel_that_cuts_nothing_out_says_nothing(alpha: torch.Tensor) -> None:
    image = picture(WHITE, DISC, (0.8, 0.1, 0.1))
    assert alpha_mask(alpha) is None
    assert torch.equal(subject_mask(image, alpha), subject_mask(image, None))


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(((Y - 0.5) ** 2 + (X - 0.5) ** 2 <= 0.25), id="a disc that fills its picture"),
        pytest.param(abs(X - 0.5) + abs(Y - 0.5) <= 0.5, id="a diamond"),
        pytest.param((abs(X - 0.5) < 0.25) | (abs(Y - 0.5) < 0.25), id="a cross, clear in its corners alone"),
        pytest.param((X - 0.5) * 0.04 + Y > 0.05, id="leaning along one side"),
        pytest.param(((Y - 0.5) ** 2 + (X - 0.5) ** 2 > 0.01), id="a hole"),
    ],
)
def test_a_cut_out_that_fills_its_picture_is_believed(cut: np.ndarray) -> None:
    alpha = torch.from_numpy(cut.astype(np.float32))[..., None]
    assert torch.equal(subject_mask(torch.rand(SIZE, SIZE, 3), alpha), alpha)


def test_the_corners_of_a_long_picture_are_no_cut_out() -> None:
    assert alpha_mask(rounded(0.2, 60, 200)) is None and alpha_mask(rounded(0.2, 200, 60)) is None
