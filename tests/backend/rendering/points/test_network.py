"""The gated U-Net of the deferred renderer."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from backend.rendering.points.network import GatedConvolution, new_network


def scales(seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, 19, 16 // 2**level, 16 // 2**level, generator=generator) for level in range(3)]


def test_a_gate_that_is_shut_lets_nothing_through_and_an_open_one_everything() -> None:
    gated = GatedConvolution(3, 8)
    gated.norm = torch.nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
    pixels = torch.randn(1, 3, 5, 5, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        gated.both.weight[8:], gated.both.bias[8:] = 0, -40.0  # pyright: ignore[reportOptionalSubscript]
        assert gated(pixels).abs().max() < 1e-12
        gated.both.bias[8:] = 40.0  # pyright: ignore[reportOptionalSubscript]
        plain = functional.conv2d(pixels, gated.both.weight[:8], gated.both.bias[:8], padding=1)  # pyright: ignore
        assert torch.allclose(gated(pixels), functional.elu(plain), atol=1e-6)


def test_a_new_network_adds_nothing_and_every_scale_counts_once_it_has_learnt() -> None:
    network = new_network(19)
    assert network(scales()).shape == (2, 3, 16, 16) and network(scales()).abs().max().item() == 0
    torch.nn.init.ones_(network.out.weight)
    before = network(scales())
    for level in range(3):
        changed = scales()
        changed[level] = changed[level] + 1
        assert not torch.allclose(network(changed), before, atol=1e-3)


def test_the_seed_alone_decides_and_torchs_randomness_stays() -> None:
    torch.manual_seed(7)
    state = torch.get_rng_state()
    with pytest.raises(ValueError, match="a width of 12; it must be a multiple of 8"):
        new_network(4, width=12)
    one, other, another = new_network(4, 1), new_network(4, 1), new_network(4, 2)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one.down[0].both.weight, other.down[0].both.weight)  # pyright: ignore
    assert not torch.equal(one.down[0].both.weight, another.down[0].both.weight)  # pyright: ignore
