"""Distances of features against values computed by hand."""

from __future__ import annotations

import pytest
import torch

from benchmarks.metrics import features


def test_lpips_like_of_known_maps() -> None:
    one = [torch.tensor([1.0, 0]).reshape(1, 2, 1, 1).expand(1, 2, 2, 2), torch.ones(1, 4, 1, 1)]
    other = [torch.tensor([0.0, 3]).reshape(1, 2, 1, 1).expand(1, 2, 2, 2), 5 * torch.ones(1, 4, 1, 1)]
    assert features.lpips_like(one, one).item() == 0
    assert features.lpips_like(one, other).item() == pytest.approx((2 + 0) / 2)  # orthogonal; a multiple
    with pytest.raises(ValueError, match="1 layers against 2"):
        features.lpips_like(one[:1], other)


def test_consistency_closes_the_ring_and_is_zero_for_equal_views() -> None:
    def apart(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return features.lpips_like([one.permute(0, 3, 1, 2)], [other.permute(0, 3, 1, 2)])

    red, green = torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 0])
    views = torch.stack([red, red, green]).reshape(3, 1, 1, 3)
    assert features.adjacent_distance(views[:2], apart) == 0
    assert features.adjacent_distance(views, apart) == pytest.approx((0 + 2 + 2) / 3)


def test_frechet_distance_of_two_gaussians() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(40_000, 3, generator=generator)
    noise = (noise - noise.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(noise.T.cov())).T  # exactly white
    scale, shift = torch.tensor([1.0, 2, 3]), torch.tensor([1.0, -2, 0])
    exact = float(shift.square().sum() + ((scale - 1) ** 2).sum())
    assert features.frechet_distance(noise, noise) == pytest.approx(0, abs=1e-6)
    assert features.frechet_distance(noise * scale + shift, noise) == pytest.approx(exact, rel=1e-4)
    with pytest.raises(ValueError, match="at least 2"):
        features.frechet_distance(noise[:1], noise)


def test_identity_is_the_mean_cosine() -> None:
    renders = torch.tensor([[2.0, 0], [0, 1]])
    assert features.identity(renders, torch.tensor([[1.0, 0]])) == pytest.approx(0.5)
