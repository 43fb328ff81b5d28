"""Half precision only where the device is fit for it and the network is large."""

from __future__ import annotations

import pytest
import torch

from backend.errors import BadInput
from backend.runtime.precision import LARGE, half_of, network_dtype, why_unfit_for_half


@pytest.mark.parametrize(
    ("name", "capability", "half"),
    [
        ("NVIDIA H100", (9, 0), "bfloat16"),
        ("NVIDIA GeForce RTX 3060", (8, 6), "bfloat16"),
        ("NVIDIA GeForce RTX 2070", (7, 5), "float16"),
        ("NVIDIA GeForce GTX 1650", (7, 5), ""),
        ("NVIDIA GeForce GTX 1080 Ti", (6, 1), ""),
    ],
)
def test_a_card_has_the_half_that_suits_it(name: str, capability: tuple[int, int], half: str) -> None:
    assert half_of("cuda", name, capability) == half
    assert bool(why_unfit_for_half(name, capability)) == (not half)


def test_amds_cards_compute_in_float16_and_apples_gpu_in_full_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAQUETTE_PRECISION", raising=False)
    assert half_of("cuda", "AMD Radeon RX 6800", (10, 3), is_amd=True) == "float16" and half_of("mps") == ""
    assert network_dtype("mps", 10 * LARGE) == torch.float32
    monkeypatch.setenv("MAQUETTE_PRECISION", "half")
    assert network_dtype("mps", 1) == torch.float16
    monkeypatch.setattr(torch.version, "hip", "6.4.1", raising=False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "AMD Instinct MI300X")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 4))
    assert network_dtype("cuda", LARGE) == torch.float16


def test_processors_and_small_networks_stay_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAQUETTE_PRECISION", raising=False)
    assert network_dtype("cpu", 10 * LARGE) == torch.float32
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA A100")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 0))
    assert network_dtype("cuda", LARGE - 1) == torch.float32
    assert network_dtype("cuda", LARGE) == torch.bfloat16
    monkeypatch.setenv("MAQUETTE_PRECISION", "full")
    assert network_dtype("cuda", 10 * LARGE) == torch.float32
    monkeypatch.setenv("MAQUETTE_PRECISION", "half")
    assert network_dtype("cpu", 1) == torch.bfloat16
    monkeypatch.setenv("MAQUETTE_PRECISION", "fp8")
    with pytest.raises(BadInput, match="MAQUETTE_PRECISION is 'fp8'; it can be auto, full, half"):
        network_dtype("cpu", 1)
