"""Which device is computed on: what torch finds, what the variable says, and what neither has."""

from __future__ import annotations

import pytest
import torch

from backend.errors import BadInput
from backend.runtime import devices
from backend.runtime.devices import Seen, compute_device

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
