"""Which device is computed on, and in which precision: what torch finds, what the variables say, what neither has."""

from __future__ import annotations

import pytest
import torch

from backend.errors import BadInput
from backend.runtime import devices
from backend.runtime.devices import LARGE, Seen, compute_device, half_of, network_dtype, why_unfit_for_half

NVIDIA, AMD, APPLE = Seen(card=True), Seen(card=True, is_amd=True), Seen(metal=True)


@pytest.mark.parametrize(
    ("asked", "found", "device"),
    [
        ("", Seen(), "cpu"),
        ("", NVIDIA, "cuda"),
        ("auto", AMD, "cuda"),
        ("", APPLE, "cpu"),  # nobody has run it there
        ("MPS ", APPLE, "mps"),
        ("cpu", NVIDIA, "cpu"),
        ("cuda", AMD, "cuda"),
    ],
)
def test_a_card_is_used_where_there_is_one_and_apples_gpu_only_when_asked_for(
    asked: str, found: Seen, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(devices.VARIABLE, asked)
    assert compute_device(found) == device


@pytest.mark.parametrize(
    ("asked", "found", "sentence"),
    [
        ("gpu", NVIDIA, "MAQUETTE_DEVICE is 'gpu'; it can be auto, cpu, cuda, mps"),
        ("cuda", APPLE, "MAQUETTE_DEVICE is cuda, and this torch finds no such device"),
        ("mps", AMD, "MAQUETTE_DEVICE is mps, and this torch finds no such device"),
    ],
)
def test_what_is_not_there_is_refused(asked: str, found: Seen, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.VARIABLE, asked)
    with pytest.raises(BadInput, match=sentence):
        compute_device(found)


def test_torch_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "hip", "6.4.1", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert devices.seen() == AMD and devices.is_rocm()
    monkeypatch.setattr(torch.version, "hip", None, raising=False)
    assert devices.seen() == NVIDIA


def test_each_device_is_asked_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: called.append("cuda"))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: called.append("mps"))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Radeon")
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: called.append("reset"))
    for device in ("cpu", "cuda", "mps"):
        devices.synchronise(device)
        devices.reset_peak(device)
    assert called == ["cuda", "reset", "mps"]
    assert [devices.name_of(device) for device in ("cpu", "cuda", "mps")] == ["cpu", "Radeon", "Apple's GPU"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: called.append("empty"))
    devices.release_memory()
    assert called[-1] == "empty"


def test_without_a_card_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(devices.VARIABLE, raising=False)
    assert devices.why_no_card(Seen()).startswith("This needs a graphics card") and devices.why_no_card(AMD) == ""


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


def test_networks_are_compiled_only_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAQUETTE_COMPILE", raising=False)
    assert not devices.wants_compiling()
    for said, wanted in (("on", True), ("off", False), (" ON ", True)):
        monkeypatch.setenv("MAQUETTE_COMPILE", said)
        assert devices.wants_compiling() == wanted
    monkeypatch.setenv("MAQUETTE_COMPILE", "fast")
    with pytest.raises(BadInput, match="MAQUETTE_COMPILE is 'fast'; it can be off, on"):
        devices.wants_compiling()
