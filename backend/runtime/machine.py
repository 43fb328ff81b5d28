"""What this machine and this installation have, and how torch should use them. Importing this imports nothing heavy."""

from __future__ import annotations

import ctypes
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

from backend.runtime.devices import CARD, compute_device

ROOT = Path(__file__).resolve().parent.parent.parent  # of the repository, or of the installed extension

# What the smallest job needs. No preset is measured by itself: these bounds are all that is known.
GIB = 1 << 30
NEEDED_MEMORY = 7 * GIB // 2  # bytes of main memory in all; the demo takes less
NEEDED_GPU_MEMORY = 2 * GIB  # bytes free; an estimate, since CUDA itself takes half a GiB

# Between two parallel loops OpenMP's threads turn in circles for 10 ms (GNU) or 200 ms (LLVM, Intel) before they sleep.
# Beside Blender, which wants the cores too, a job then takes six times as long; sleeping at once costs an idle machine
# half as much again. These are some 0.3 ms and 1 ms.
BRIEF_SPINNING = {"GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "1"}

# glibc hands large blocks back at once and asks for them anew: a sixth of a step's time on two threads went into page
# faults. Blocks up to 32 MiB, glibc's own largest threshold, stay with the process instead.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
KEPT_BLOCK_BYTES = 32 << 20


def maquette_version() -> str:
    """Return the version in blender_manifest.toml, the only place where it is written."""
    with (ROOT / "blender_manifest.toml").open("rb") as file:
        return tomllib.load(file)["version"]


def prepare_torch(threads: int) -> None:
    """Give torch (and numba, should it be loaded) this many threads and deterministic kernels."""
    for name, value in BRIEF_SPINNING.items():
        os.environ.setdefault(name, value)
    keep_freed_memory()
    import torch  # reads the environment when it is loaded

    if os.environ.get("MAQUETTE_THREADS"):  # of a queue with several workers, which share the cores
        threads = min(threads, available_threads())
    torch.set_num_threads(threads)
    numba: Any = sys.modules.get("numba")
    if numba is None:
        os.environ.setdefault("NUMBA_NUM_THREADS", str(max(threads, available_threads())))  # a later job may have more
    else:
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # Deterministic kernels, a warning where there is none. use_deterministic_algorithms would import a whole compiler.
    torch.set_deterministic_debug_mode("warn")
    # Filling is a debugging aid that costs a pass over each tensor.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]


def keep_freed_memory() -> bool:
    """Let the C library keep what is freed for the next step; return whether it took that, as only glibc does."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # macOS, musl, Windows
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, KEPT_BLOCK_BYTES) and mallopt(M_TRIM_THRESHOLD, 2**31 - 1))


def available_threads() -> int:
    """Return the number of cores that this process may use, no more than MAQUETTE_THREADS says if it is set."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("MAQUETTE_THREADS", "")
    return min(cores, int(asked)) if asked.isdecimal() and int(asked) > 0 else cores


def is_busy() -> bool:
    """Say whether other programs want half as many cores again as there are; no where the system does not tell."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > 1.5 * available_threads()


def is_full() -> bool:
    """Say whether other programs keep every core busy, so that threads which wait for each other crawl."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > available_threads()


def user_data_folder() -> Path:
    """Return the folder of this computer's user for what Maquette keeps outside of jobs; it is not made here."""
    home = Path.home()
    match sys.platform:
        case "win32":
            data = Path(os.environ.get("LOCALAPPDATA") or home / "AppData/Local")
        case "darwin":
            data = home / "Library/Application Support"
        case _:
            data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    return data / "maquette"


def memory_bytes() -> int:
    """Return the memory of this machine, 0 where nobody knows."""
    if hasattr(os, "sysconf") and {"SC_PAGE_SIZE", "SC_PHYS_PAGES"} <= os.sysconf_names.keys():
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 0


def free_memory_bytes() -> int:
    """Return the memory that is free for networks: on the card if one is used, else in RAM; 0 where nobody knows."""
    import torch

    if compute_device() == CARD:
        return torch.cuda.mem_get_info()[0]
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return 0


def held_memory_bytes() -> int:
    """Return the memory that this process holds there already, or has held."""
    import torch

    return torch.cuda.memory_reserved() if compute_device() == CARD else peak_memory_bytes()


def peak_memory_bytes() -> int:
    """Return the most memory that this process held: on the GPU if it uses one, else in RAM; 0 where nobody knows."""
    import torch

    if torch.cuda.is_available() and torch.cuda.is_initialized() and compute_device() == CARD:
        return torch.cuda.max_memory_allocated()
    if sys.platform == "win32":
        return 0
    if found := own_peak_bytes():
        return found
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def own_peak_bytes() -> int:
    """Return the most memory that this program held, as Linux tells; 0 elsewhere.

    What the system counts for a process begins on Linux with what its parent held when it started it.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return 0
