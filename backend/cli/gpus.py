"""The NVIDIA GPUs of this machine as their drivers see them, asked without any package; importing this imports none."""

from __future__ import annotations

import ctypes
import importlib.metadata
import platform
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

from addon.protocol import torch_builds
from backend.runtime.devices import UNTRIED, VARIABLE, why_unfit_for_half
from backend.runtime.machine import GIB, NEEDED_GPU_MEMORY

CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76  # cuDeviceGetAttribute


class Gpu(NamedTuple):
    """The first GPU that this process may use. Memory in bytes, the driver's CUDA as (major, minor)."""

    name: str
    memory: int
    free: int | None
    capability: tuple[int, int]
    cuda: tuple[int, int]
    count: int


def first_gpu() -> Gpu | str:
    """Return the first GPU that CUDA_VISIBLE_DEVICES leaves, else why there is none."""
    cuda = _library("nvcuda.dll", "libcuda.so.1", "libcuda.so")
    if cuda is None:
        return "no NVIDIA driver; jobs run on the CPU"
    count, device, version = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    if cuda.cuInit(0) != 0 or cuda.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value == 0:
        return "a driver but no GPU; jobs run on the CPU"
    label, address, memory = ctypes.create_string_buffer(100), ctypes.create_string_buffer(32), ctypes.c_size_t()
    cuda.cuDeviceGet(ctypes.byref(device), 0)
    cuda.cuDeviceGetName(label, 100, device)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    cuda.cuDriverGetVersion(ctypes.byref(version))
    cuda.cuDeviceGetPCIBusId(address, 32, device)
    return Gpu(
        name=label.value.decode(),
        memory=memory.value,
        free=_free_memory(address.value),
        capability=(_attribute(cuda, CAPABILITY_MAJOR, device), _attribute(cuda, CAPABILITY_MINOR, device)),
        cuda=(version.value // 1000, version.value % 1000 // 10),
        count=count.value,
    )


def all_gpus() -> list[str]:
    """Return the names of all GPUs in the order of CUDA_DEVICE_ORDER=PCI_BUS_ID, whatever this process may use."""
    management = _library("nvml.dll", "libnvidia-ml.so.1")
    if management is None or management.nvmlInit_v2() != 0:
        return []
    count, names = ctypes.c_uint(), []
    management.nvmlDeviceGetCount_v2(ctypes.byref(count))
    for index in range(count.value):
        handle, label = ctypes.c_void_p(), ctypes.create_string_buffer(100)
        management.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle))
        management.nvmlDeviceGetName(handle, label, 100)
        names.append(label.value.decode())
    management.nvmlShutdown()
    return names


def cuda_of_torch() -> tuple[int, int] | None:
    """Return the version of CUDA that the installed torch was built with; None for a torch for the CPU, or none."""
    return _version_of_torch("cuda")


def other_gpu() -> str:
    """Return what is so where the installed torch or this machine is for GPUs of others than NVIDIA, else nothing."""
    if rocm := _version_of_torch("hip"):
        return f"torch is built for AMD's cards (ROCm {torch_builds.dotted(rocm)}); {UNTRIED}"
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return f"jobs run on the processor; Apple's GPU is used with {VARIABLE}=mps alone, and {UNTRIED}"
    return ""


def _version_of_torch(kind: str) -> tuple[int, int] | None:
    """Return what torch/version.py says of cuda or hip, without importing it."""
    try:
        file = Path(str(importlib.metadata.distribution("torch").locate_file("torch/version.py")))
        found = re.search(rf"^{kind}\b.*= '(\d+)\.(\d+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    except (importlib.metadata.PackageNotFoundError, OSError):
        return None
    return (int(found[1]), int(found[2])) if found else None


def hindrances(gpu: Gpu, cuda: tuple[int, int] | None) -> dict[str, str]:
    """Return what keeps torch, built with this CUDA, from using a GPU: a short name -> what is so, with the numbers."""
    if cuda is None:
        return {"gpu build": "torch is the one for the CPU, and leaves the GPU alone"}
    old = torch_builds.why_too_old(cuda, "", gpu.cuda, gpu.name, gpu.capability)
    found: dict[str, str] = {{"driver": "gpu driver", "card": "gpu age"}[what]: text for what, text in old.items()}
    if "gpu age" not in found and (unfit := why_unfit_for_half(gpu.name, gpu.capability)):
        found["gpu half precision"] = unfit
    if gpu.free is not None and gpu.free < NEEDED_GPU_MEMORY:
        found["gpu memory"] = (
            f"{gpu.free / GIB:.1f} of {gpu.memory / GIB:.1f} GiB are free, "
            f"other programs hold {(gpu.memory - gpu.free) / GIB:.1f}, "
            f"and the smallest job wants {NEEDED_GPU_MEMORY / GIB:.0f}"
        )
    return found


def _library(windows: str, *linux: str) -> Any:
    for name in [windows] if sys.platform == "win32" else linux:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def _attribute(cuda: Any, number: int, device: ctypes.c_int) -> int:
    value = ctypes.c_int()
    cuda.cuDeviceGetAttribute(ctypes.byref(value), number, device)
    return value.value


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_uint64), ("free", ctypes.c_uint64), ("used", ctypes.c_uint64))


def _free_memory(address: bytes) -> int | None:
    """Return the free bytes of the GPU at a PCI address: NVML knows them without taking some itself."""
    management = _library("nvml.dll", "libnvidia-ml.so.1")
    if management is None or management.nvmlInit_v2() != 0:
        return None
    handle, memory = ctypes.c_void_p(), _Memory()
    known = management.nvmlDeviceGetHandleByPciBusId_v2(address, ctypes.byref(handle)) == 0
    known = known and management.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) == 0
    management.nvmlShutdown()
    return memory.free if known else None
