"""Fields of opacity and colour against a plain sum over all Gaussians."""

from __future__ import annotations

import pytest
import torch

from backend.representations.fields import colour_field, opacity_field
from tests.backend.gaussian_shapes import BLUE, RED, coloured, joined, two_coloured_shell


def plain_sum(gaussians, points: torch.Tensor) -> torch.Tensor:
    """The definition, one Gaussian at a time in float64, with a rotation built from two reflections' product."""
    total = torch.zeros(len(points), dtype=torch.float64)
    for mean, log_scale, quaternion, logit in zip(
        gaussians.means, gaussians.log_scales, gaussians.quaternions, gaussians.opacity_logits, strict=True
    ):
        w, *v = (quaternion.double() / quaternion.double().norm()).tolist()
        vector = torch.tensor(v, dtype=torch.float64)
        cross = torch.tensor([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]], dtype=torch.float64)
        rotation = torch.eye(3) * (w * w - vector @ vector) + 2 * torch.outer(vector, vector) + 2 * w * cross
        covariance = rotation @ torch.diag((2 * log_scale.double()).exp()) @ rotation.T
        offset = points.double() - mean.double()
        squared = (offset @ torch.linalg.inv(covariance) * offset).sum(dim=-1)
        total += torch.where(squared < 9, logit.double().sigmoid() * torch.exp(-0.5 * squared), 0.0)
    return total


def test_opacity_field_is_the_plain_sum() -> None:
    generator = torch.Generator().manual_seed(0)
    gaussians = coloured(
        torch.rand(60, 3, generator=generator) - 0.5, torch.rand(60, 3, generator=generator), scale=1.0
    )
    gaussians.log_scales = torch.rand(60, 3, generator=generator) * 2 - 3.5
    gaussians.quaternions = torch.randn(60, 4, generator=generator) * 3
    gaussians.opacity_logits = torch.randn(60, generator=generator)
    points = torch.rand(3000, 3, generator=generator) * 2 - 1
    expected = plain_sum(gaussians, points)
    actual = opacity_field(gaussians)(points).double()
    # A point within rounding of a three sigma border may fall to either side: that is 1 % of one opacity.
    assert float((actual - expected).abs().max()) < 0.012
    assert float(((actual - expected).abs() > 1e-4).double().mean()) < 0.002
    assert float(expected.max()) > 1


def test_faint_gaussians_and_far_points_count_nothing() -> None:
    gaussians = coloured(torch.zeros(1, 3), torch.ones(1, 3), scale=0.1, opacity=0.004)
    assert opacity_field(gaussians)(torch.zeros(1, 3)).tolist() == [0.0]
    gaussians = coloured(torch.zeros(1, 3), torch.ones(1, 3), scale=0.1)
    assert opacity_field(gaussians)(torch.tensor([[0.31, 0, 0], [9.0, 9, 9], [0, 0, 0]])).tolist() == pytest.approx(
        [0, 0, 0.9]
    )


def test_broken_gaussians_are_counted_in_a_sentence() -> None:
    gaussians = coloured(torch.zeros(3, 3), torch.ones(3, 3), scale=0.1)
    gaussians.means[1, 2] = float("nan")
    with pytest.raises(ValueError, match="1 of 3 Gaussians hold numbers that are not finite"):
        opacity_field(gaussians)


def test_colour_is_what_is_seen_from_outside() -> None:
    shell = two_coloured_shell()
    green = coloured(shell.means * 0.8, torch.tensor([[0.0, 1.0, 0.0]]).repeat(len(shell.means), 1), scale=0.05)
    colour = colour_field(joined(shell, green))
    directions = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0.8, 0, 0.6]])
    rgb = colour(directions * 0.72, directions)
    assert torch.allclose(rgb, torch.tensor([RED, BLUE, RED]), atol=0.08)  # hardly any of the green one below
    inner = colour_field(green, reach=0.05)(directions * 0.56, directions)
    assert torch.allclose(inner, torch.tensor([0.0, 1.0, 0.0]).expand(3, 3), atol=1e-3)


def test_a_point_off_every_gaussian_takes_the_nearest_colour() -> None:
    colour = colour_field(coloured(torch.tensor([[0.5, 0, 0], [-0.5, 0, 0]]), torch.tensor([RED, BLUE]), scale=0.02))
    rgb = colour(torch.tensor([[0.5, 0.9, 0], [-0.5, 0, 0.9]]), torch.tensor([[0.0, 1, 0], [0, 0, 1]]))
    assert torch.allclose(rgb, torch.tensor([RED, BLUE]), atol=1e-4)
    with pytest.raises(ValueError, match="none of 1 Gaussians is more opaque"):
        colour_field(coloured(torch.zeros(1, 3), torch.ones(1, 3), scale=0.1, opacity=0.001))
