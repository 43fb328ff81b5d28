"""Blending from front to back: the cap of alpha, and where a pixel is finished."""

from __future__ import annotations

import pytest
import torch

from backend.rendering.splats import (
    render_with_numba,
)
from tests.backend.rendering.splat_scenes import BLACK, joined, looking_along_z, single


def test_alpha_is_capped_and_then_has_no_gradient() -> None:
    gaussians = single((0.0, 0.0, 2.0), 0.4, 0.9999).requires_grad_()
    drawn = render_with_numba(gaussians, looking_along_z(), BLACK)
    drawn.alpha[0, 8, 8, 0].backward()
    assert drawn.alpha[0, 8, 8].item() == pytest.approx(0.999, abs=1e-6)
    assert gaussians.opacity_logits.grad == 0


def test_an_opaque_front_hides_the_back_whatever_the_order() -> None:
    front = single((0.0, 0.0, 2.0), 2.0, 0.99, (1.0, 0.0, 0.0))
    back = single((0.0, 0.0, 3.0), 2.0, 0.9, (0.0, 1.0, 0.0))
    for gaussians in (joined(front, back), joined(back, front)):
        rgb = render_with_numba(gaussians, looking_along_z(5), BLACK).rgb
        torch.testing.assert_close(rgb[0, 2, 2], torch.tensor([0.99, 0.009, 0.0]), rtol=1e-3, atol=1e-6)


def test_a_pixel_is_finished_before_its_light_would_fall_to_the_stop() -> None:
    layers = joined(*(single((0.0, 0.0, 2.0 + i), 3.0, 0.95, (float(i == 3), 0, 0)) for i in range(4)))
    drawn = render_with_numba(layers, looking_along_z(5), BLACK)
    # 0.05^3 = 1.25e-4 is let through by three; the fourth would leave 6e-6 <= 1e-4 and is not drawn at all.
    assert 1 - drawn.alpha[0, 2, 2].item() == pytest.approx(0.05**3, rel=2e-2)
    assert drawn.rgb[0, 2, 2, 0] == 0
