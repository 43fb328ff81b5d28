"""Unwrapping in a process of its own: the same charts, heard signals, and no process that stays."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from backend.errors import BackendError
from backend.meshes import unwrapping
from backend.meshes.unwrapping import COMMAND, ROOT, charts, receive, send


def soup(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return triangles that share no edge, each a chart of its own: many take xatlas minutes."""
    generator = np.random.default_rng(0)
    vertices = generator.random((3 * count, 3), dtype=np.float32)
    normals = np.tile(np.array([0, 0, 1], np.float32), (3 * count, 1))
    return vertices, np.arange(3 * count, dtype=np.uint32).reshape(-1, 3), normals


def square() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    return vertices, np.array([[0, 1, 2], [0, 2, 3]], np.uint32), np.tile(np.array([0, 0, 1], np.float32), (4, 1))


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes that `charts` starts."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **options))
        return started[-1]

    popen: Any = subprocess.Popen
    monkeypatch.setattr(unwrapping.subprocess, "Popen", start)
    yield started
    for child in started:
        child.kill()


def test_the_child_makes_what_xatlas_makes_here(children: list[subprocess.Popen[bytes]]) -> None:
    import xatlas

    for vertices, faces, normals in (square(), soup(20)):
        atlas = xatlas.Atlas()
        atlas.add_mesh(vertices, faces, normals)
        cutting, packing = xatlas.ChartOptions(), xatlas.PackOptions()
        cutting.max_iterations, packing.resolution, packing.padding = 1, 256, 4
        atlas.generate(cutting, packing)
        for here, there in zip(atlas[0], charts(vertices, faces, normals, 256), strict=True):
            assert here.dtype == there.dtype and here.tobytes() == there.tobytes()
    assert [child.returncode is not None for child in children] == [True, True]


def test_a_child_that_dies_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for code in ("raise SystemExit(7)", "import sys; sys.stdin.buffer.read(8); print('{}'); raise SystemExit(7)"):
        monkeypatch.setattr(unwrapping, "COMMAND", (sys.executable, "-c", code))
        with pytest.raises(BackendError, match=r"ended with (7|-\d+)\."):
            charts(*soup(50_000), 256)


def test_arrays_that_break_off_are_told_from_whole_ones() -> None:
    stream = io.BytesIO()
    send(stream, 64, *square())
    size, arrays = receive(io.BytesIO(stream.getvalue()))
    assert size == 64 and all((a == b).all() and a.dtype == b.dtype for a, b in zip(arrays, square(), strict=True))
    for length in (0, 10, len(stream.getvalue()) - 1):
        with pytest.raises(EOFError):
            receive(io.BytesIO(stream.getvalue()[:length]))


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_a_signal_ends_the_unwrapping_and_its_child(children: list[subprocess.Popen[bytes]]) -> None:
    def interrupt() -> None:
        while not children:
            time.sleep(0.01)
        time.sleep(1.5)  # into the middle of xatlas, unless the machine is busy
        os.kill(os.getpid(), signal.SIGINT)

    kept = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            charts(*soup(100_000), 4096)
    finally:
        thread.join()
        signal.signal(signal.SIGINT, kept)
    assert children[0].returncode == -signal.SIGKILL  # it was in the middle


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows' job objects do that")
def test_a_child_in_the_middle_of_xatlas_ends_when_nobody_wants_the_answer() -> None:
    child = subprocess.Popen(COMMAND, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None and child.stdout is not None
    vertices, faces, normals = soup(100_000)
    send(child.stdin, 4096, vertices, normals, faces)  # returns when all but a pipe's buffer is read
    time.sleep(1.5)  # into the middle of xatlas, unless the machine is busy
    child.stdin.close()
    answer = child.stdout.read()
    assert child.wait() == -signal.SIGKILL and answer == b""
    child.stdout.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_a_terminal_s_interrupt_is_the_parent_s_affair() -> None:
    child = subprocess.Popen(COMMAND, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None and child.stdout is not None
    vertices, faces, normals = soup(1000)
    send(child.stdin, 256, vertices, normals, faces)  # more than a pipe holds, so that the child has begun to read
    os.kill(child.pid, signal.SIGINT)
    assert receive(child.stdout)[1][1].shape == (1000, 3)
    child.communicate()


def test_the_child_starts_without_torch() -> None:
    code = "import sys, backend.meshes.unwrapping; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
