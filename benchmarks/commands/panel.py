"""Measure what the add-on costs Blender's main thread while a job runs: `python -m benchmarks.commands.panel`.

Blender runs as a Python module, without a window, so that drawing is not in the figures. The backend is a process that
says what a real one says in hours as fast as it can (`flood`), or four times a second (`steady`).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from addon import protocol

ROOT = Path(__file__).resolve().parent.parent.parent
BUDGET_MS = 8.0  # of the main thread, for one tick
PAUSES = {"flood": 0.0, "steady": 0.25}  # seconds between two messages
WAIT_SECONDS = 0.02  # between two ticks; the add-on itself leaves five times as much
MAX_SECONDS = 120.0


def measure(pace: str, messages: int, folder: Path) -> dict[str, Any]:
    """Run a job of so many messages through the add-on, and time every tick."""
    import addon
    from addon.jobs.queue import Queue
    from addon.ui import session

    addon.register()
    try:
        request = protocol.Request(system="tv3dg", prompt=f"{pace} {messages}")
        queue = Queue(folder, [sys.executable], root=ROOT, module="benchmarks.commands.panel")
        job = protocol.make_job(folder, request, [])
        session._queue = queue
        queue.add(job)
        milliseconds, counts = [], []
        end = time.monotonic() + MAX_SECONDS
        while session.course(job).last is None:
            if time.monotonic() > end:
                raise TimeoutError(f"{sum(counts)} of {messages} messages after {MAX_SECONDS:.0f} seconds")
            started, before = time.perf_counter(), session.course(job)
            count = session.pump()
            milliseconds.append(1000 * (time.perf_counter() - started))
            counts.append(count)
            assert count or session.course(job) is before
            time.sleep(WAIT_SECONDS)
    finally:
        addon.unregister()
    busy = [ms for ms, count in zip(milliseconds, counts, strict=True) if count]
    return {
        "ticks": len(counts),
        "ticks_with_messages": len(busy),
        "messages": sum(counts),
        "most_messages_of_a_tick": max(counts),
        "median_ms": round(statistics.median(milliseconds), 3),
        "median_with_messages_ms": round(statistics.median(busy), 3),
        "ticks_over_budget": sum(ms > BUDGET_MS for ms in milliseconds),
        "worst_ms": round(max(milliseconds), 3),
        "start_ms": round(milliseconds[0], 3),  # of the tick in which the process is started
    }


def measure_pictures(folder: Path) -> dict[str, Any]:
    """Time what a live preview of each size costs, the first one with all that comes with it."""
    import numpy as np
    import torch

    import addon
    from addon.ui import previews
    from backend.images import save_preview

    addon.register()
    milliseconds: dict[str, list[float]] = {}
    try:
        for size in (128, 128, 256, 512, 512):
            path = folder / f"{size}.png"
            save_preview(path, torch.from_numpy(np.random.default_rng(size).random((size, size, 3), np.float32)))
            os.utime(path, ns=(time.time_ns(), time.time_ns() + size))
            cost = _timed(lambda path=path: previews.icon(path))
            while not previews._reader or previews._reader.done.empty():  # as long as the thread takes
                time.sleep(0.001)
            milliseconds.setdefault(f"{size}_px", []).append(round(cost + _timed(previews.take), 3))
    finally:
        addon.unregister()
    return {"first_ms": milliseconds["128_px"][0], **{name: costs[-1] for name, costs in milliseconds.items()}}


def measure_import(job: Path) -> dict[str, Any]:
    """Time the import of a result; the panel says "Importing..." meanwhile."""
    import addon
    from addon.scene import importer

    addon.register()
    try:
        costs = [_timed(lambda: importer.import_result(job)) for _ in range(3)]
    finally:
        addon.unregister()
    return {"first_ms": round(costs[0], 1), "again_ms": round(min(costs), 1)}


def _timed(act: Callable[[], Any]) -> float:
    started = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - started)


def speak(folder: Path) -> None:
    """Be the backend of the queue's only job."""
    turns = (folder / protocol.QUEUE_FILE).read_text(encoding="utf-8").splitlines()
    job = json.loads(turns[0])["job"]
    pace, messages = protocol.read_request(folder / job).prompt.split()
    _say(protocol.Hello(job=job, backend="0", pid=1))
    for step in range(int(messages) - 2):
        _say(protocol.Progress(step=step, steps=10**6, seconds_left=9, steps_per_second=1, memory_bytes=1 << 30))
        time.sleep(PAUSES[pace])
    _say(protocol.Finished(results=(), seconds=1))
    sys.stdin.read()  # until Blender's side has seen it and closes


def _say(message: protocol.Message) -> None:
    sys.stdout.write(protocol.encode(message))
    sys.stdout.flush()


def main() -> int:
    """Print the figures, and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="a JSON file")
    parser.add_argument("--gpu", action="store_true", help="changes nothing: no GPU is used")
    parser.add_argument("--job", type=Path, default=ROOT / "out/demo/job", help="whose import is timed, if it is there")
    parser.add_argument("--messages", type=int, default=20_000, help="of the flood")
    arguments = parser.parse_args()
    found: dict[str, Any] = {"load_before": os.getloadavg()[0], "budget_ms": BUDGET_MS}
    for pace, messages in (("steady", 40), ("flood", arguments.messages)):
        with tempfile.TemporaryDirectory(prefix="maquette-") as folder:
            found[pace] = measure(pace, messages, Path(folder))
        print(f"{pace}: " + ", ".join(f"{name} {value}" for name, value in found[pace].items()))
    with tempfile.TemporaryDirectory(prefix="maquette-") as folder:
        found["preview"] = measure_pictures(Path(folder))
    if (arguments.job / protocol.RESULT_FOLDER).is_dir():
        found["import"] = measure_import(arguments.job)
    for name in ("preview", "import"):
        print(f"{name}: {found.get(name, 'no job to import')}")
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["queue"]:
        speak(Path(sys.argv[2]))
    else:
        sys.exit(main())
