"""Feature losses are least for the image itself, and each weight asks for its own network alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from backend.losses import contextual
from backend.systems.customize_it_3d.likeness import Likeness, load_likeness
from tests.backend.systems.customize_it_3d.closed_form import ball_seen


def unit(*numbers: float) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.tensor([numbers]).float(), dim=-1)


def test_the_sum_is_minus_the_cosines_and_the_contextual_loss_with_their_weights() -> None:
    views = torch.rand(2, 4, 4, 3, generator=torch.Generator().manual_seed(0))
    pair: Any = SimpleNamespace(images=lambda views: torch.cat([unit(1, 0), unit(1, 1)]))
    patches = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1))
    features: Any = lambda views: (None, patches)  # noqa: E731
    target = torch.randn(1, 6, 3, generator=torch.Generator().manual_seed(2))
    likeness = Likeness(pair, unit(1, 0), unit(0, 1), features, target)
    half = 0.5**0.5
    assert float(likeness.loss(views, image=2.0)) == pytest.approx(-2 * (1 + half) / 2)
    assert float(likeness.loss(views, text=3.0)) == pytest.approx(-3 * half / 2)
    details = float(contextual(patches, target.expand(2, -1, -1)))
    assert float(likeness.loss(views, details=0.5)) == pytest.approx(0.5 * details)
    both = likeness.loss(views, image=2.0, details=0.5)
    assert float(both) == pytest.approx(-2 * (1 + half) / 2 + 0.5 * details) and float(likeness.loss(views)) == 0


def test_the_image_itself_is_most_like_it_and_gradients_reach_the_views() -> None:
    seen = ball_seen()
    likeness = load_likeness(seen, "a green ball", "", "cpu", image=True, text=True, details=True)
    assert likeness is not None
    own, other = seen.picture("rgb"), 1 - seen.picture("rgb")
    for weight in ({"image": 1.0}, {"details": 1.0}):
        assert float(likeness.loss(own, **weight)) < float(likeness.loss(other, **weight)) - 0.01
    views = other.clone().requires_grad_()
    likeness.loss(views, image=1.0, text=1.0, details=1.0).backward()
    assert views.grad is not None and bool(views.grad.any()) and bool(torch.isfinite(views.grad).all())


def test_nothing_is_loaded_that_does_not_count() -> None:
    seen = ball_seen()
    assert load_likeness(seen, "x", "", "cpu", image=False, text=False, details=False) is None
    details = load_likeness(seen, "x", "", "cpu", image=False, text=False, details=True)
    assert details is not None and details.pair is None and details.patches is not None
    words = load_likeness(seen, "x", "", "cpu", image=False, text=True, details=False)
    assert words is not None and words.features is None and words.text is not None
