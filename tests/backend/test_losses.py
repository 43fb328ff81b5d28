"""Losses: numbers by hand, gradients by hand and by finite differences, invariances, bounds, what must stay finite."""

from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck

from backend.losses import (
    contextual,
    feature_distance,
    masked_total_variation,
    normal_alignment,
    opacity_entropy,
    out_of_range,
    pearson_depth,
    photometric,
    reward_shortfall,
    silhouette,
    total_variation,
    two_by_two,
    untouched,
)


def picture(*rows: list[float]) -> torch.Tensor:
    """Return one image of one channel in fp64, [1, H, W, 1], whose gradient is wanted."""
    return torch.tensor(rows, dtype=torch.float64)[None, :, :, None].requires_grad_()


def gradient(loss: torch.Tensor, at: torch.Tensor) -> list[float]:
    (found,) = torch.autograd.grad(loss, at)
    return found.flatten().tolist()


# ---- regularisers of the object --------------------------------------------------------------------------------------


def test_total_variation_is_the_mean_step_down_and_the_mean_step_right() -> None:
    image = picture([0, 1, 4], [2, 2.5, 1])
    loss = total_variation(image)
    assert loss.item() == pytest.approx((2 + 1.5 + 3) / 3 + (1 + 3 + 0.5 + 1.5) / 4)
    down, right = 1 / 3, 1 / 4
    by_hand = [-down - right, -down, down + right, down - right, down + 2 * right, -down - right]
    assert gradient(loss, image) == pytest.approx(by_hand)  # of steps of every length alike: not squared
    assert gradcheck(total_variation, torch.rand(2, 3, 4, 3, dtype=torch.float64, requires_grad=True))


def test_total_variation_knows_no_batch_no_channels_and_no_brightness() -> None:
    image = torch.rand(2, 5, 4, 3, generator=torch.manual_seed(0))
    loss = total_variation(image)
    torch.testing.assert_close(total_variation(image.repeat(3, 1, 1, 2) + 0.5), loss)
    torch.testing.assert_close(total_variation(-2 * image), 2 * loss)
    assert total_variation(torch.ones(1, 3, 3, 1)) == 0


def test_masked_total_variation_counts_a_step_by_how_solid_both_its_sides_are() -> None:
    image, alpha = picture([0, 1, 4], [2, 2.5, 1]), picture([1, 1, 0], [1, 0.5, 1])
    loss = masked_total_variation(image, alpha)
    total = 2 + 1.5 * 0.5 + 3 * 0 + 1 + 3 * 0 + 0.5 * 0.5 + 1.5 * 0.5
    assert loss.item() == pytest.approx(total / 4.5)
    by_hand = [-2, 1 - 0.5, 0, 1 - 0.5, 0.5 + 0.5 + 0.5, -0.5]
    assert gradient(masked_total_variation(image, alpha), image) == pytest.approx([value / 4.5 for value in by_hand])
    assert torch.autograd.grad(loss, alpha, allow_unused=True) == (None,)  # fog is no way out
    values = torch.rand(2, 3, 4, 3, dtype=torch.float64, requires_grad=True)
    solid = torch.rand(2, 3, 4, 1, dtype=torch.float64)
    assert gradcheck(lambda images: masked_total_variation(images, solid), values)


def test_masked_total_variation_does_not_see_the_outline_nor_how_large_the_object_is() -> None:
    image, alpha = torch.zeros(1, 8, 8, 3), torch.zeros(1, 8, 8, 1)
    image[:, 2:6, 2:6], alpha[:, 2:6, 2:6] = 5.0, 1.0
    assert masked_total_variation(image, alpha) == 0 < total_variation(image)
    image[:, 3, 3] += 1.0  # four steps of 1 among 16 solid pixels
    assert masked_total_variation(image, alpha).item() == pytest.approx(4 / 16)
    torch.testing.assert_close(
        masked_total_variation(image.repeat(2, 1, 1, 1), alpha.repeat(2, 1, 1, 1)),
        masked_total_variation(image, alpha),
    )
    assert masked_total_variation(image, torch.zeros_like(alpha)) == 0  # and not 0 / 0


def test_entropy_is_of_a_coin_and_drives_alpha_to_the_nearer_end() -> None:
    assert opacity_entropy(torch.full((2, 3, 3, 1), 0.5)).item() == pytest.approx(math.log(2))
    quarter = 0.25 * math.log(4) + 0.75 * math.log(4 / 3)
    alpha = picture([0.25, 0.75], [0.5, 0.25])
    loss = opacity_entropy(alpha)
    assert loss.item() == pytest.approx((3 * quarter + math.log(2)) / 4)
    odds = math.log(3) / 4  # d/da of the entropy is the logarithm of (1 - a) / a
    assert gradient(loss, alpha) == pytest.approx([odds, -odds, 0, odds])
    assert gradcheck(opacity_entropy, torch.rand(2, 3, 3, 1, dtype=torch.float64, requires_grad=True))


def test_entropy_of_what_has_decided_is_nearly_nothing_and_finite() -> None:
    alpha = picture([0.0, 1.0])
    loss = opacity_entropy(alpha)
    assert loss.item() == pytest.approx(1e-3 * math.log(1e3) + 0.999 * math.log(1 / 0.999))
    assert gradient(loss, alpha) == [0, 0]


def test_colours_out_of_range_cost_the_square_of_what_they_exceed() -> None:
    values = torch.tensor([1.5, -2.0, 0.3, 1.0], dtype=torch.float64, requires_grad=True)
    loss = out_of_range(values)
    assert loss.item() == pytest.approx((0.25 + 4) / 4)
    assert gradient(loss, values) == pytest.approx([2 * 0.5 / 4, -2 * 2 / 4, 0, 0])
    assert gradcheck(out_of_range, 3 * torch.rand(3, 4, dtype=torch.float64).sub(0.5).requires_grad_())


# ---- what holds an object to a picture -------------------------------------------------------------------------------


def test_photometric_is_the_mean_absolute_difference_inside_the_mask() -> None:
    target = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    rgb = torch.tensor([[0.5, -0.25, 0.75], [1, 1, 2], [9, 9, 9]], dtype=torch.float64)[None, None].requires_grad_()
    mask = torch.tensor([1, 0.5, 0], dtype=torch.float64)[None, None, :, None]
    loss = photometric(rgb, target, mask)
    assert loss.item() == pytest.approx((1.5 + 0.5 * 4) / (1.5 * 3))  # absolute: squares would give (0.875 + 3) / 4.5
    each = 1 / 4.5
    by_hand = [each, -each, each, each / 2, each / 2, each / 2, 0, 0, 0]
    assert gradient(loss, rgb) == pytest.approx(by_hand)
    wanted = torch.rand(2, 3, 3, 3, dtype=torch.float64)
    inside = torch.rand(2, 3, 3, 1, dtype=torch.float64)
    assert gradcheck(lambda images: photometric(images, wanted, inside), wanted.rot90(1, (1, 2)).requires_grad_())


def test_photometric_of_an_empty_mask_is_nothing() -> None:
    rgb = torch.ones(1, 4, 4, 3, requires_grad=True)
    loss = photometric(rgb, torch.zeros(1, 4, 4, 3), torch.zeros(1, 4, 4, 1))
    assert loss.item() == 0 and set(gradient(loss, rgb)) == {0}


def test_silhouette_is_the_mean_squared_difference() -> None:
    alpha, mask = picture([0.5, 0.75], [1, 0]), picture([0, 1], [1, 0]).detach()
    loss = silhouette(alpha, mask)
    assert loss.item() == pytest.approx((0.25 + 0.0625) / 4)  # squared: absolute would give 0.75 / 4
    assert gradient(loss, alpha) == pytest.approx([2 * 0.5 / 4, -2 * 0.25 / 4, 0, 0])
    other = torch.rand(2, 3, 3, 1, dtype=torch.float64)
    assert gradcheck(lambda values: silhouette(values, other), other.flip(1).requires_grad_())


def test_only_what_is_hardly_pulled_is_held() -> None:
    pull = torch.zeros(2, 4, 8, 8)
    pull[0, :, 2:4, 2:4] = 5.0
    pull[1, 0] = torch.linspace(0, 1e-3, 8)  # its own longest vector counts, however short
    kept = untouched(pull, 64)
    assert kept.shape == (2, 64, 64, 1) and float(kept.min()) == 0 and float(kept.max()) == 1
    assert float(kept[0, 20:28, 20:28].max()) == 0 and float(kept[0, 48:].min()) == 1
    assert bool((kept[1, :, 1:] <= kept[1, :, :-1]).all())
    assert float(untouched(torch.zeros(1, 4, 8, 8), 16).min()) == 1  # nothing pulls: everything is held


def test_what_is_pulled_half_as_much_as_the_most_is_held_in_part() -> None:
    pull = torch.zeros(1, 2, 1, 4)
    pull[0, :, 0] = torch.tensor([[3.0, 1.5, 0.3, 0.9], [4.0, 2.0, 0.4, 1.2]])  # lengths 5, 2.5, 0.5, 1.5
    kept = untouched(pull.expand(1, 2, 4, 4), 4)[0, 0, :, 0]
    assert kept.tolist() == pytest.approx([0, 1 - (0.5 - 0.2) / 0.5, 1, 1 - (0.3 - 0.2) / 0.5])


# ---- semantic-geometry calibration -----------------------------------------------------------------------------------


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


def slow_contextual(one: torch.Tensor, other: torch.Tensor, bandwidth: float) -> float:
    """Return the contextual loss of vectors [N, C] and [M, C] in plain loops."""
    mean = other.mean(0)

    def apart(x: torch.Tensor, y: torch.Tensor) -> float:
        x, y = x - mean, y - mean
        return 1 - float(x @ y) / (float(x.norm()) * float(y.norm()))

    rows = []
    for x in one:
        distances = [apart(x, y) for y in other]
        weights = [math.exp((1 - d / (min(distances) + 1e-5)) / bandwidth) for d in distances]
        rows.append([weight / sum(weights) for weight in weights])
    best = [max(row[j] for row in rows) for j in range(len(other))]
    return -math.log(sum(best) / len(best))


def test_the_contextual_loss_is_that_of_plain_loops() -> None:
    drawn = torch.Generator().manual_seed(4)
    one, other = (torch.randn(2, n, 5, generator=drawn, dtype=torch.float64) for n in (7, 6))
    wanted = [slow_contextual(*pair, 0.5) for pair in zip(one, other, strict=True)]
    assert float(contextual(one, other)) == pytest.approx(sum(wanted) / 2, rel=1e-6)
    assert float(contextual(one, other, 0.2)) != pytest.approx(sum(wanted) / 2, rel=1e-2)
    assert gradcheck(lambda x: contextual(x, other), one.requires_grad_())


def test_the_contextual_loss_does_not_see_where_something_stands_and_is_least_for_the_same_things() -> None:
    drawn = torch.Generator().manual_seed(5)
    one, other = (torch.randn(1, 8, 6, generator=drawn, dtype=torch.float64) for _ in range(2))
    moved = one[:, torch.randperm(8, generator=drawn)]
    assert float(contextual(moved, other)) == pytest.approx(float(contextual(one, other)))
    assert float(contextual(moved, one)) == pytest.approx(0, abs=1e-3) and float(contextual(one, other)) > 0.3


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
