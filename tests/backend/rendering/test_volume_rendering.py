"""What a volume rendering says of its rays: the variance from its moments, and what it lacks without geometry."""

from __future__ import annotations

import pytest
import torch

from backend.regularisers import depth_variance
from backend.rendering.volume_rendering import VolumeRendering


def of_samples(weights: torch.Tensor, depths: torch.Tensor, origin: float) -> VolumeRendering:
    """One pixel that saw these samples."""
    sums = torch.stack([(weights * depths).sum(), *torch.zeros(3)]).reshape(1, 1, 1, 4)
    extras = torch.stack([(weights * (depths - origin).square()).sum(), torch.tensor(0.3), torch.tensor(0.7)])
    alpha = weights.sum().reshape(1, 1, 1, 1)
    return VolumeRendering(
        torch.zeros(1, 1, 1, 3), alpha, sums, extras.reshape(1, 1, 1, 3), torch.full((1, 1, 1, 1), origin)
    )


def test_the_variance_is_that_of_its_samples_wherever_the_origin_is() -> None:
    weights, depths = torch.tensor([0.2, 0.5, 0.1]), torch.tensor([2.8, 3.0, 3.5])
    for origin in (0.0, 3.0):
        found = of_samples(weights, depths, origin)
        assert found.variance.item() == pytest.approx(depth_variance(weights, depths).item(), rel=1e-4)
    assert (found.orientation.item(), found.distortion.item()) == pytest.approx((0.3, 0.7))


def test_nothing_seen_is_no_variance_with_a_finite_gradient() -> None:
    weights = torch.zeros(2, requires_grad=True)
    variance = of_samples(weights, torch.tensor([2.0, 3.0]), 2.5).variance
    variance.sum().backward()
    assert variance.item() == 0 and weights.grad is not None and weights.grad.isfinite().all()


def test_without_geometry_a_sentence_says_how_to_ask_for_it() -> None:
    bare = VolumeRendering(torch.zeros(1, 1, 1, 3), torch.zeros(1, 1, 1, 1), None, None, torch.zeros(1, 1, 1, 1))
    for name in ("variance", "orientation", "distortion", "depth"):
        with pytest.raises(ValueError, match="geometry=True"):
            getattr(bare, name)
