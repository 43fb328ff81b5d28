"""How torch uses the machine: threads that do not spin for long, freed memory that is kept."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest
import torch

from backend.runtime import machine
from backend.runtime.machine import ROOT, available_threads, is_busy, keep_freed_memory


@pytest.mark.parametrize(("load", "busy"), [(0.5, False), (1.4, False), (1.6, True)])
def test_a_machine_is_busy_when_others_want_more_than_it_has(
    load: float, busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = load * available_threads()
    monkeypatch.setattr(os, "getloadavg", lambda: (wanted, 0.0, 0.0), raising=False)
    assert is_busy() is busy
    monkeypatch.delattr(os, "getloadavg")
    assert not is_busy()  # Windows does not tell


def test_a_worker_among_others_keeps_to_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = available_threads()
    for said, threads in {"1": 1, str(cores + 7): cores, "0": cores, "-1": cores, "many": cores}.items():
        monkeypatch.setenv("MAQUETTE_THREADS", said)
        assert available_threads() == threads
    code = "import torch; from backend.runtime.machine import prepare_torch; prepare_torch(2)\n"
    code += "print(torch.get_num_threads())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"MAQUETTE_THREADS": "1"}, capture_output=True, text=True
    )
    assert done.stdout.strip() == "1", done.stderr


def test_threads_are_told_not_to_spin_for_long_before_torch_is_loaded() -> None:
    code = (
        "import os, sys; from backend.runtime.machine import BRIEF_SPINNING, prepare_torch\n"
        "assert 'torch' not in sys.modules\n"
        "os.environ['KMP_BLOCKTIME'] = '7'; prepare_torch(2)\n"  # what the artist has set stays
        "print({name: os.environ[name] for name in BRIEF_SPINNING}, file=sys.stderr)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "GOMP_SPINCOUNT"} | {"OMP_DISPLAY_ENV": "verbose"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "{'GOMP_SPINCOUNT': '10000', 'KMP_BLOCKTIME': '7'}" in done.stderr
    if "GOMP_SPINCOUNT = " in done.stderr:  # GNU's OpenMP says what it has read, where it is the one that torch uses
        assert "GOMP_SPINCOUNT = '10000'" in done.stderr


def test_a_c_library_that_cannot_keep_memory_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())  # musl and macOS have no mallopt
    assert not keep_freed_memory()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep what is freed")
def test_freed_memory_is_not_asked_for_anew_in_each_step() -> None:
    code = (
        "import resource, sys, numpy\n"
        "if sys.argv[1] == 'keep': from backend.runtime.machine import keep_freed_memory; assert keep_freed_memory()\n"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "step = lambda: [numpy.ones(4 << 20, numpy.uint8) for _ in range(8)]\n"
        "step(); step(); before = faults()\n"
        "for _ in range(10): step()\n"
        "print(faults() - before)"
    )
    pages = {
        how: int(subprocess.run([sys.executable, "-c", code, how], capture_output=True, text=True, check=True).stdout)
        for how in ("keep", "give back")
    }
    assert pages["keep"] < 100 < 10_000 < pages["give back"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts a parent's memory as its child's")
def test_a_job_does_not_count_the_memory_of_the_program_that_started_it() -> None:
    inner = "from backend.runtime.machine import own_peak_bytes; print(own_peak_bytes())"
    outer = f"import subprocess, sys; held = b'x' * 400_000_000; subprocess.run([sys.executable, '-c', {inner!r}])"
    done = subprocess.run([sys.executable, "-c", outer], cwd=ROOT, capture_output=True, text=True)
    assert 5_000_000 < int(done.stdout) < 200_000_000, done.stderr


def test_the_memory_that_counts_is_that_of_the_device_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    for name, value in {"max_memory_allocated": 7, "memory_reserved": 8, "mem_get_info": (9, 10)}.items():
        monkeypatch.setattr(torch.cuda, name, lambda value=value: value)
    monkeypatch.delenv("MAQUETTE_DEVICE", raising=False)
    assert (machine.peak_memory_bytes(), machine.held_memory_bytes(), machine.free_memory_bytes()) == (7, 8, 9)
    monkeypatch.setenv("MAQUETTE_DEVICE", "cpu")  # beside a card
    assert machine.peak_memory_bytes() > 10 and machine.held_memory_bytes() > 10
    assert machine.free_memory_bytes() != 9
