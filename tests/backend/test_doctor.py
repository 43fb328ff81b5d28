"""The doctor's answer for programs, the prior's weights, and GPUs as their drivers describe them."""

from __future__ import annotations

import ctypes
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from backend import doctor, gpus
from backend.gpus import GIB, Gpu, hindrances

CARD = Gpu(name="NVIDIA H100", memory=80 * GIB, free=79 * GIB, capability=(9, 0), cuda=(13, 0), count=1)


def test_the_answer_for_programs_says_the_same() -> None:
    text, code = doctor.report(deep=False, as_json=True)
    answer = json.loads(text)
    lines, same_code = doctor.report(deep=False)
    assert code == same_code == 0
    assert [item["name"] for item in answer["findings"]] == [line[:22].strip() for line in lines.splitlines()[:-1]]
    assert answer["gpus"] == gpus.all_gpus()


# ---- the prior -------------------------------------------------------------------------------------------------------


def write_weights(folder: Path, name: str) -> Path:
    """Write a safetensors file of one tensor of eight bytes."""
    header = json.dumps({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "__metadata__": {}}).encode()
    path = folder / name / "model.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    return path


def test_the_shipped_prior_is_whole() -> None:
    assert doctor.prior().is_ok is True


def test_weights_that_are_missing_or_cut_off_are_found(tmp_path: Path) -> None:
    files = [write_weights(tmp_path, name) for name in doctor.WEIGHED]
    assert doctor.prior(tmp_path).is_ok is True
    whole = files[0].read_bytes()
    for rest in (whole[:-1], whole[:20], b"version https://git-lfs", b""):
        files[0].write_bytes(rest)
        assert doctor.prior(tmp_path) == ("embedded prior", False, "unet/model.safetensors is cut off")
    files[0].unlink()
    assert doctor.prior(tmp_path) == ("embedded prior", False, "no weights of unet")


# ---- GPUs ------------------------------------------------------------------------------------------------------------


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
        (CARD._replace(capability=(6, 1)), (12, 6), {}),
        (CARD._replace(free=GIB), (13, 0), {"gpu memory": "1.0 of 80.0 GiB are free"}),
        (CARD._replace(free=None), (13, 0), {}),
    ],
)
def test_what_keeps_torch_from_a_gpu(gpu: Gpu, cuda: tuple[int, int] | None, expected: dict[str, str]) -> None:
    found = hindrances(gpu, cuda)
    assert found.keys() == expected.keys()
    assert all(expected[name] in text for name, text in found.items())


def test_what_keeps_torch_from_a_gpu_does_not_keep_jobs_from_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "first_gpu", lambda: CARD._replace(cuda=(11, 4)))
    monkeypatch.setattr(gpus, "cuda_of_torch", lambda: (13, 0))
    text, code = doctor.report(deep=False)
    assert code == 0 and "NVIDIA H100, 80 GiB, CUDA 11.4, 1 in all" in text
    assert "gpu driver             -        the driver knows CUDA 11.4, and torch needs 13.0" in text


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
