"""Losses of semantic-geometry calibration: invariances, bounds, signs, and where they must not be infinite."""

from __future__ import annotations

import pytest
import torch

from backend.losses import feature_distance, normal_alignment, pearson_depth, reward_shortfall, two_by_two


@pytest.fixture()
def depth() -> torch.Tensor:
    return torch.rand(2, 8, 8, 1, generator=torch.manual_seed(0))


def test_depth_counts_up_to_scale_and_offset(depth):
    other, mask = torch.rand(2, 8, 8, 1), torch.ones(2, 8, 8, 1)
    loss = pearson_depth(depth, other, mask)
    for scale, offset in ((3.0, 0.0), (0.5, 2.0), (10.0, -1.0)):
        assert pearson_depth(scale * depth + offset, other, mask).item() == pytest.approx(loss.item(), abs=1e-5)
        assert pearson_depth(depth, scale * other + offset, mask).item() == pytest.approx(loss.item(), abs=1e-5)
    assert pearson_depth(depth, 2 * depth + 1, mask).item() == pytest.approx(0, abs=1e-5)
    assert pearson_depth(depth, -2 * depth + 1, mask).item() == pytest.approx(2, abs=1e-5)


def test_the_correlation_is_numpys_for_each_image(depth):
    import numpy as np

    other, mask = torch.rand(2, 8, 8, 1), torch.ones(2, 8, 8, 1)
    each = [np.corrcoef(depth[i].flatten(), other[i].flatten())[0, 1] for i in range(2)]
    assert pearson_depth(depth, other, mask).item() == pytest.approx(1 - np.mean(each), abs=1e-5)


def test_depth_outside_the_mask_does_not_count(depth):
    other, mask = torch.rand(2, 8, 8, 1), torch.zeros(2, 8, 8, 1)
    mask[:, 2:6, 2:6] = 1
    loss = pearson_depth(depth, other, mask)
    spoilt = torch.where(mask > 0, depth, 100.0)
    torch.testing.assert_close(pearson_depth(spoilt, other, mask), loss)
    inside = pearson_depth(depth[:, 2:6, 2:6], other[:, 2:6, 2:6], torch.ones(2, 4, 4, 1))
    torch.testing.assert_close(inside, loss, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("value", [0.0, 3.7])
@pytest.mark.parametrize("covered", [0.0, 1.0])
def test_constant_depth_and_empty_masks_give_finite_gradients(value, covered, depth):
    flat = torch.full((2, 8, 8, 1), value, requires_grad=True)
    loss = pearson_depth(flat, depth, torch.full((2, 8, 8, 1), covered))
    loss.backward()
    assert loss.item() == pytest.approx(1.0, abs=1e-3)
    assert flat.grad is not None and torch.isfinite(flat.grad).all()


def test_as_printed_depth_is_divided_by_variances_and_flat_is_best(depth):
    """-cov / (var var): for a depth with itself -1 / var, so that half the depth has four times the agreement."""
    mask = torch.ones(2, 8, 8, 1)
    variance = depth.var(dim=(1, 2, 3), correction=0)
    got = pearson_depth(depth, depth, mask, printed=True)
    assert got.item() == pytest.approx((1 - 1 / variance).mean().item(), rel=1e-4)
    flatter = pearson_depth(depth / 2, depth / 2, mask, printed=True)
    assert (1 - flatter).item() == pytest.approx(4 * (1 - got).item(), rel=1e-4)
    assert pearson_depth(depth / 2, depth / 2, mask).item() == pytest.approx(0, abs=1e-5)  # ours has nothing to gain
    one = depth.clone().requires_grad_()
    pearson_depth(one, depth, mask, printed=True).backward()
    assert one.grad is not None and (one.grad * (depth - depth.mean((1, 2, 3), keepdim=True))).sum() > 0  # flattens


def test_normals_agree_between_minus_one_and_one():
    normal = torch.nn.functional.normalize(torch.randn(2, 8, 8, 3), dim=-1)
    mask = torch.ones(2, 8, 8, 1)
    assert normal_alignment(normal, normal, mask).item() == pytest.approx(-1, abs=1e-5)
    assert normal_alignment(normal, -normal, mask).item() == pytest.approx(1, abs=1e-5)
    other = torch.randn(2, 8, 8, 3)
    loss = normal_alignment(normal, other, mask)
    assert -1 <= loss <= 1
    torch.testing.assert_close(normal_alignment(5 * normal, 0.1 * other, mask), loss, atol=1e-5, rtol=1e-4)
    half = mask.clone()
    half[:, 4:] = 0
    wrong_below = torch.where(half > 0, normal, -normal)
    assert normal_alignment(wrong_below, normal, half).item() == pytest.approx(-1, abs=1e-5)


def test_features_are_compared_by_direction():
    one = torch.tensor([[3.0, 0.0]])
    assert feature_distance(one, 7 * one).item() == pytest.approx(0, abs=1e-6)
    assert feature_distance(one, torch.tensor([[0.0, 1.0]])).item() == pytest.approx(2)
    assert feature_distance(one, -one).item() == pytest.approx(4)


def test_rewards_above_two_are_good_enough():
    reward = torch.tensor([3.0, 2.5, 1.0, -4.0], requires_grad=True)
    loss = reward_shortfall(reward)
    assert loss.item() == pytest.approx((0 + 0 + 1 + 6) / 4)
    loss.backward()
    assert reward.grad is not None and reward.grad.tolist() == [0, 0, -0.25, -0.25]


def test_four_views_stand_front_right_above_left_back():
    """The views come in order of azimuth (front, right, back, left) and every one gets its gradient."""
    views = torch.arange(4.0)[:, None, None, None].expand(4, 2, 2, 3).clone().requires_grad_()
    grid = two_by_two(views)
    assert grid.shape == (1, 4, 4, 3)
    assert grid[0, ::2, ::2, 0].tolist() == [[0, 1], [3, 2]]
    (grid * torch.arange(1.0, 17.0).view(1, 4, 4, 1)).sum().backward()
    assert views.grad is not None and (views.grad > 0).all()
