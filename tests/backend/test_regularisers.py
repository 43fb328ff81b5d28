"""Regularisers of radiance fields: numbers by hand, the double sum, what they leave alone, and signs."""

from __future__ import annotations

import math

import pytest
import torch

from backend.regularisers import (
    depth_variance,
    distortion,
    grid_variation,
    mean_square_opacity,
    normal_image_smoothness,
    normal_smoothness,
    orientation,
    over_rays,
    sparsity,
)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cells(rays: int = 4, samples: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights that sum to less than 1, and edges of stretches of different lengths."""
    weights = drawn(rays, samples) / samples
    return weights, torch.cat([torch.zeros(rays, 1), drawn(rays, samples, seed=1).cumsum(-1) / samples], -1)


def test_distortion_is_the_double_sum_of_the_paper() -> None:
    weights, edges = cells()
    middles = (edges[:, 1:] + edges[:, :-1]) / 2
    pairs = weights[:, :, None] * weights[:, None] * (middles[:, :, None] - middles[:, None]).abs()
    wanted = pairs.sum((1, 2)) + (weights.square() * edges.diff(dim=-1)).sum(-1) / 3
    torch.testing.assert_close(distortion(weights, edges), wanted, rtol=1e-12, atol=1e-14)


def test_distortion_by_hand() -> None:
    weights, edges = torch.tensor([[0.5, 0.25]]), torch.tensor([[0.0, 0.2, 0.6]])
    assert distortion(weights, edges).item() == pytest.approx(2 * 0.5 * 0.25 * 0.3 + (0.25 * 0.2 + 0.0625 * 0.4) / 3)


def test_splitting_a_stretch_changes_no_distortion() -> None:
    weights, edges = cells()
    share = 0.3
    cut = edges[:, 4:5] + share * (edges[:, 5:6] - edges[:, 4:5])
    finer = torch.cat([edges[:, :5], cut, edges[:, 5:]], -1)
    part = weights[:, 4:5]
    split = torch.cat([weights[:, :4], share * part, (1 - share) * part, weights[:, 5:]], -1)
    torch.testing.assert_close(distortion(split, finer), distortion(weights, edges), rtol=1e-12, atol=1e-14)


def test_distortion_of_one_thin_stretch_is_zero_and_grows_with_distance() -> None:
    weights = torch.tensor([[0.0, 0.9, 0.0]])
    thin = torch.tensor([[0.0, 0.5, 0.5, 1.0]])
    assert distortion(weights, thin).item() == 0
    weights, edges = cells()
    torch.testing.assert_close(distortion(weights, 3 * edges), 3 * distortion(weights, edges))


def test_the_gradient_of_distortion_draws_weights_together() -> None:
    weights = torch.tensor([[0.3, 0.0, 0.3, 0.0, 0.3]], requires_grad=True)
    edges = torch.linspace(0, 1, 6)[None]
    distortion(weights, edges).sum().backward()
    assert weights.grad is not None
    outer, middle = weights.grad[0, 0], weights.grad[0, 2]
    assert outer > middle > 0  # descending takes from the ends first


@pytest.mark.parametrize("function", [distortion, depth_variance])
def test_gradients_are_finite_differences(function) -> None:
    weights, edges = cells()
    along = edges if function is distortion else edges[:, 1:]
    assert torch.autograd.gradcheck(function, (weights.requires_grad_(), along.clone().requires_grad_()))


def test_orientation_counts_what_faces_away_by_its_weight_and_leaves_the_weight_alone() -> None:
    weights = torch.tensor([[0.5, 0.25, 0.1]], requires_grad=True)
    facing = torch.tensor([[-0.9, 0.4, 0.0]], requires_grad=True)
    value = orientation(weights, facing)
    assert value.item() == pytest.approx(0.25 * 0.16)
    value.sum().backward()
    assert weights.grad is None and facing.grad is not None
    torch.testing.assert_close(facing.grad, torch.tensor([[0.0, 2 * 0.25 * 0.4, 0.0]]))
    assert orientation(weights, torch.full((1, 3), -1.0)).item() == 0


def test_the_variance_of_one_sample_is_zero_and_of_two_by_hand() -> None:
    assert depth_variance(torch.tensor([[0.0, 0.7]]), torch.tensor([[1.0, 2.0]])).item() == 0
    # mean 1.25 of weights 0.6 and 0.2
    found = depth_variance(torch.tensor([[0.6, 0.2]]), torch.tensor([[1.0, 2.0]]))
    assert found.item() == pytest.approx(0.6 * 0.0625 + 0.2 * 0.5625)
    assert depth_variance(torch.zeros(1, 2), torch.ones(1, 2)).item() == 0


def test_rays_that_see_nothing_do_not_thin_out_the_mean() -> None:
    alpha = torch.tensor([0.0, 0.4, 0.6, 1.0]).reshape(1, 2, 2, 1)
    values = torch.tensor([9.0, 3.0, 1.0, 2.0]).reshape(1, 2, 2, 1)
    assert over_rays(values, alpha).item() == pytest.approx(2.0)
    assert over_rays(values, alpha, least=0.5).item() == pytest.approx(1.5)
    assert over_rays(values, torch.zeros_like(alpha)).item() == 0


def test_sparsity_and_squared_opacity_by_hand_and_what_is_there_costs() -> None:
    alpha = torch.tensor([0.0, 1.0], requires_grad=True)
    assert sparsity(alpha).item() == pytest.approx((0.1 + math.sqrt(1.01)) / 2)
    assert mean_square_opacity(alpha).item() == pytest.approx(0.5)
    for function in (sparsity, mean_square_opacity):
        (slope,) = torch.autograd.grad(function(alpha), [alpha])
        assert slope[1] > 0 and slope[0] == 0


def test_normals_that_agree_cost_nothing_and_others_by_hand() -> None:
    flat = torch.tensor([0.0, 0.0, 1.0]).expand(2, 4, 5, 3)
    assert normal_image_smoothness(flat).item() == 0
    assert normal_smoothness(flat.reshape(-1, 3), flat.reshape(-1, 3)).item() == 0
    image = torch.zeros(1, 2, 2, 3)
    image[0, 1, 1, 0] = 1.0
    # One of two differences along rows, one of two along columns, in one of three components.
    assert normal_image_smoothness(image).item() == pytest.approx(1 / 6 + 1 / 6)
    assert normal_smoothness(torch.tensor([[1.0, 0, 0]]), torch.tensor([[0.0, 1, 0]])).item() == pytest.approx(2 / 3)


def test_the_variation_of_a_grid_is_that_of_its_axes_added() -> None:
    x, y, z = torch.meshgrid(torch.arange(3.0), torch.arange(4.0), torch.arange(5.0), indexing="ij")
    assert grid_variation((2 * x - 3 * y + 0.5 * z)[..., None]).item() == pytest.approx(5.5)
    assert grid_variation(torch.ones(3, 3, 3, 4)).item() == 0
