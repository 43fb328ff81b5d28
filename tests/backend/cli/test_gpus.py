"""What this machine's drivers say of its GPUs, on pretended drivers."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from backend.cli import gpus
from backend.cli.gpus import Gpu, hindrances
from backend.runtime.machine import GIB

CARD = Gpu(name="NVIDIA H100", memory=80 * GIB, free=79 * GIB, capability=(9, 0), cuda=(13, 0), count=1)


@pytest.mark.parametrize(
    ("gpu", "cuda", "expected"),
    [
        (CARD, (13, 0), {}),
        (CARD, None, {"gpu build": "torch is the one for the CPU"}),
        (CARD._replace(cuda=(12, 8)), (13, 0), {"gpu driver": "knows CUDA 12.8, and torch needs 13.0"}),
        (CARD._replace(cuda=(13, 0)), (13, 2), {}),  # within a major version the driver need not be the newest
        (
            CARD._replace(capability=(6, 1)),
            (13, 0),
            {"gpu age": "has compute capability 6.1, and this torch starts at"},
        ),
        (CARD._replace(free=GIB), (13, 0), {"gpu memory": "1.0 of 80.0 GiB are free"}),
        (CARD._replace(free=GIB), (13, 0), {"gpu memory": "other programs hold 79.0"}),
        (CARD._replace(free=None), (13, 0), {}),
        (
            CARD._replace(name="NVIDIA GeForce GTX 1660 Ti", capability=(7, 5)),
            (13, 0),
            {"gpu half precision": "GTX 1660 Ti is known for wrong pictures in half precision"},
        ),
        (CARD._replace(name="NVIDIA GeForce RTX 2060", capability=(7, 5)), (13, 0), {}),
        (CARD._replace(capability=(6, 1)), (12, 6), {"gpu half precision": "half precision wants 7.0"}),
    ],
)
def test_what_keeps_torch_from_a_gpu(gpu: Gpu, cuda: tuple[int, int] | None, expected: dict[str, str]) -> None:
    found = hindrances(gpu, cuda)
    assert found.keys() == expected.keys()
    assert all(expected[name] in text for name, text in found.items())


class Driver:
    """NVIDIA's two libraries, with two cards of which one may be used."""

    def __init__(self, cards: int) -> None:
        self._cards = cards

    def __getattr__(self, name: str) -> Any:
        fills = {
            "cuDeviceGetCount": lambda count: setattr(count._obj, "value", self._cards),
            "cuDeviceGetName": lambda label, *_: setattr(label, "value", b"NVIDIA RTX 6000"),
            "cuDeviceTotalMem_v2": lambda memory, _: setattr(memory._obj, "value", 48 * GIB),
            "cuDriverGetVersion": lambda version: setattr(version._obj, "value", 12080),
            "cuDeviceGetAttribute": lambda value, number, _: setattr(value._obj, "value", {75: 8, 76: 9}[number]),
            "cuDeviceGetPCIBusId": lambda address, *_: setattr(address, "value", b"0000:0a:00.0"),
            "nvmlDeviceGetCount_v2": lambda count: setattr(count._obj, "value", 2),
            "nvmlDeviceGetHandleByIndex_v2": lambda index, handle: setattr(handle._obj, "value", index + 1),
            "nvmlDeviceGetName": lambda handle, label, _: setattr(label, "value", b"card %d" % (handle.value - 1)),
            "nvmlDeviceGetHandleByPciBusId_v2": lambda address, handle: setattr(handle._obj, "value", 7),
            "nvmlDeviceGetMemoryInfo": lambda handle, memory: setattr(memory._obj, "free", 3 * GIB),
        }
        assert name in fills or name in ("cuInit", "cuDeviceGet", "nvmlInit_v2", "nvmlShutdown"), name

        def call(*arguments: Any) -> int:
            if name in fills:
                fills[name](*arguments)
            return 0

        return call


def test_the_drivers_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(1))
    assert gpus.first_gpu() == Gpu("NVIDIA RTX 6000", 48 * GIB, 3 * GIB, (8, 9), (12, 8), 1)
    assert gpus.all_gpus() == ["card 0", "card 1"]
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(0))
    assert gpus.first_gpu() == "a driver but no GPU; jobs run on the CPU"


def test_without_drivers_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert gpus.first_gpu() == "no NVIDIA driver; jobs run on the CPU" and gpus.all_gpus() == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [("cuda: Optional[str] = '13.0'", (13, 0)), ("cuda = '12.6'", (12, 6)), ("cuda: Optional[str] = None", None)],
)
def test_the_cuda_of_torch_is_read_without_importing_it(
    line: str, expected: tuple[int, int] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/version.py").write_text(f"__version__ = '2.13.0'\n{line}\nhip: Optional[str] = None\n")
    (tmp_path / "torch-2.13.0.dist-info").mkdir()
    (tmp_path / "torch-2.13.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.13.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert gpus.cuda_of_torch() == expected


def test_a_torch_for_amd_and_a_mac_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "_version_of_torch", {"hip": (6, 4), "cuda": None}.get)
    assert gpus.other_gpu() == "torch is built for AMD's cards (ROCm 6.4); Maquette never ran there"
    monkeypatch.setattr(gpus, "_version_of_torch", lambda kind: None)
    monkeypatch.setattr(gpus.platform, "machine", lambda: "x86_64")
    assert gpus.other_gpu() == ""
    monkeypatch.setattr(gpus.sys, "platform", "darwin")
    monkeypatch.setattr(gpus.platform, "machine", lambda: "arm64")
    assert "Apple's GPU is used with MAQUETTE_DEVICE=mps alone" in gpus.other_gpu()
