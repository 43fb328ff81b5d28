"""Jobs an hour with one and with several workers: `python -m benchmarks.queues.scaling --out FOLDER --jobs 6`.

Each worker is a process of `python -m backend queue` with one thread, as the preferences start them. All make the same
small jobs, of other seeds. It needs as many quiet cores as workers, and says how busy they were.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from addon import protocol
from backend.runtime.machine import ROOT

WANTED_RATIO = 1.8  # of two workers to one


def write_jobs(folder: Path, count: int) -> None:
    """Write a queue of so many jobs of the shortest preset."""
    turns = []
    for seed in range(count):
        request = protocol.Request(
            system=protocol.DEFAULT_SYSTEM, prompt="a red mug", preset="bench", seed=seed, threads=1
        )
        protocol.make_folder(folder / f"job-{seed:03}", request, [])
        turns.append(protocol.new_turn(f"job-{seed:03}"))
    protocol.write_turns(folder / protocol.QUEUE_FILE, turns)


def seconds_of(folder: Path, workers: int, module: str = "backend") -> float:
    """Let so many workers, of one thread each, do what waits in a folder; return how long they took.

    Raises RuntimeError if a job is not done.
    """
    environment = os.environ | {"MAQUETTE_THREADS": "1", "CUDA_VISIBLE_DEVICES": "-1"}
    begin, running = time.monotonic(), []
    for worker in range(workers):
        command = [sys.executable, "-m", module, "queue", str(folder), "--worker", str(worker)]
        running.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL))
    codes = [process.wait() for process in running]
    if any(codes):
        raise RuntimeError(f"Workers ended with the codes {codes}; see events.jsonl in {folder}.")
    return time.monotonic() - begin


def table(jobs: int, seconds: dict[int, float], load: float) -> str:
    """Return a line for each number of workers, and the load of the others before it began."""
    first = seconds[min(seconds)]
    lines = ["| workers of one thread | jobs an hour | ratio |", "|---|---|---|"]
    lines += [f"| {count} | {3600 * jobs / took:.0f} | {first / took:.2f} |" for count, took in seconds.items()]
    return "\n".join([*lines, "", f"{jobs} jobs each; load before: {load:.1f}."])


def main(arguments: list[str] | None = None) -> int:
    """Measure and print the table; return 1 if two workers are less than WANTED_RATIO times as fast as one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="an empty one")
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    write_jobs(options.out / "warm", 1)  # compiles what is kept for the next processes
    seconds_of(options.out / "warm", 1)
    seconds = {}
    for workers in options.workers:
        folder = options.out / f"workers-{workers}"
        write_jobs(folder, options.jobs)
        seconds[workers] = seconds_of(folder, workers)
        print(f"{workers}: {seconds[workers]:.1f} s", file=sys.stderr, flush=True)
    print(table(options.jobs, seconds, load))
    return int(2 in seconds and 1 in seconds and seconds[1] / seconds[2] < WANTED_RATIO)


if __name__ == "__main__":
    sys.exit(main())
