"""Lays a mesh out for a texture in a process of its own: `python -m backend.meshes.unwrapping`; `charts` starts it.

xatlas lets no thread of Python run until it is done, which may take minutes: signals would go unheard so long. The
child imports numpy and xatlas only. Its arrays come through a pipe that stays open while the parent wants the answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import numpy as np

from backend.errors import BackendError

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND = (sys.executable, "-m", "backend.meshes.unwrapping")
GUTTER = 4  # texels between charts: bilinear sampling and two mip levels stay within a chart's padding


def charts(
    vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut a mesh into charts for a texture of `size` texels: origins [W], faces [F, 3] and texture coordinates [W, 2].

    vertices and normals [V, 3] float32, faces [F, 3] uint32. Origins say which vertex each of the new ones was. The
    child ends with the block, however that is left, and with this process. Raises BackendError where it ends before.
    """
    # In the group of this process, so that whoever ends that ends it, too.
    child = subprocess.Popen(COMMAND, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None and child.stdout is not None
    try:
        send(child.stdin, size, vertices, normals, faces)
        _, (origins, laid_out, uv) = receive(child.stdout)
    except (BrokenPipeError, EOFError) as error:
        code = child.wait()
        raise BackendError(
            f"The mesh could not be unwrapped: the process ended with {code}.",
            "The log in the job folder may say why; fewer triangles (max_faces) need less memory.",
        ) from error
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        with contextlib.suppress(BrokenPipeError):  # what it did not read is nobody's any more
            child.stdin.close()
    return origins, laid_out, uv


def send(stream: IO[bytes], size: int, *arrays: np.ndarray) -> None:
    """Write a number and arrays: a line of JSON with their types and shapes, then their bytes."""
    head = {"size": size, "arrays": [[array.dtype.str, list(array.shape)] for array in arrays]}
    stream.write(json.dumps(head).encode() + b"\n")
    for array in arrays:
        stream.write(np.ascontiguousarray(array).tobytes())
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[int, list[np.ndarray]]:
    """Read what `send` has written. Raises EOFError where it breaks off."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError("no arrays came")
    head = json.loads(line)
    arrays = []
    for kind, shape in head["arrays"]:
        dtype = np.dtype(kind)
        content = stream.read(dtype.itemsize * int(np.prod(shape)))
        if len(content) != dtype.itemsize * int(np.prod(shape)):
            raise EOFError("arrays break off")
        arrays.append(np.frombuffer(content, dtype).reshape(shape).copy())
    return head["size"], arrays


# ---- in the child ----------------------------------------------------------------------------------------------------


def end_with_the_parent() -> None:
    """Let a small process kill this one when the other end of stdin is closed: no thread would come to its turn.

    Nothing happens on Windows, where the add-on's job object ends all that the backend has started; what a terminal has
    started there ends when it has been unwrapped.
    """
    if not hasattr(os, "fork"):
        return
    pid = os.getpid()
    alive, end = os.pipe()  # the guard sees the end of this process as the end of this pipe
    if os.fork() > 0:
        os.close(alive)
        return
    try:
        for descriptor in (1, 2, end):
            os.close(descriptor)
        poll = select.poll()
        poll.register(0, 0)  # only its end; the arrays are not for us
        poll.register(alive, 0)
        gone = {descriptor for descriptor, _ in poll.poll()}
        if alive not in gone and os.getppid() == pid:
            os.kill(pid, signal.SIGKILL)
    finally:
        os._exit(0)


def main() -> None:
    """Answer one mesh on stdin with its charts on stdout."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both, and the parent decides
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever libraries print
    end_with_the_parent()
    size, (vertices, normals, faces) = receive(sys.stdin.buffer)
    import xatlas

    atlas = xatlas.Atlas()
    atlas.add_mesh(vertices, faces, normals)
    cutting, packing = xatlas.ChartOptions(), xatlas.PackOptions()
    cutting.max_iterations = 1  # more make rounder charts, and take several times as long
    packing.resolution = size
    packing.padding = GUTTER
    atlas.generate(cutting, packing)
    send(answers, size, *atlas[0])


if __name__ == "__main__":
    main()
