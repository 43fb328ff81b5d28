"""Operations of networks, against figures that were counted otherwise."""

from __future__ import annotations

import pytest

from addon.protocol import preflight
from addon.protocol.preflight import networks


def test_stable_diffusion_costs_what_others_have_counted() -> None:
    """torch's FlopCounterMode says so of diffusers' networks, with the attention that it leaves out on a processor."""
    cost = preflight.STABLE_DIFFUSION_BASE.gflop
    assert cost["unet"] == pytest.approx(803.2, abs=0.1)
    assert cost["encoder"] == pytest.approx(1116.7, abs=0.1) and cost["decoder"] == pytest.approx(2514.5, abs=0.1)
    assert preflight.STABLE_DIFFUSION_BASE.pixels == 512


def test_half_the_width_costs_a_quarter_and_attention_is_counted() -> None:
    assert networks.resnet(64, 64, 100) == 4 * networks.resnet(32, 32, 100)
    assert networks.resnet(32, 64, 100) == networks.conv(32, 64, 100) + networks.conv(64, 64, 100) + 2 * 32 * 64 * 100
    more = networks.transformer(32, 128, 8, 16) - 2 * networks.transformer(32, 64, 8, 16)
    assert more == 4 * 32 * (128**2 - 2 * 64**2) - 2 * networks.conv(16, 32, 8, 1)
