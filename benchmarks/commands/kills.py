"""Kills jobs and lets them go on: `python -m benchmarks.commands.kills --out FILE --kills N`.

Each dies at a random operation on its files, in the middle of it or some time after, goes on, perhaps dies again, and
must end in the bytes of a job that nobody disturbed, with no stage or step of a checkpoint done twice and nothing left
beside its results. The kills depend on --seed only. Needs fork and /proc: Linux.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from backend.cli.job_runner import run_system
from benchmarks.robustness.kills import Found, backend, campaign, prepare
from benchmarks.robustness.small_jobs import KINDS, write_small_job

KILLS = 20  # 200 by hand


def table(found: dict[str, Found]) -> str:
    """Return a line for each kind of job, and one for all."""
    lines = [f"{'job':<14}{'kills':>6}{'jobs':>6}{'lost':>6}{'different':>11}{'leftovers':>11}"]
    rows = {
        name: (each.kills, each.jobs, len(each.lost), len(each.different), len(each.leftovers))
        for name, each in found.items()
    }
    for name, row in (rows | {"all": tuple(map(sum, zip(*rows.values(), strict=True)))}).items():
        lines.append(f"{name:<14}{row[0]:>6}{row[1]:>6}{row[2]:>6}{row[3]:>11}{row[4]:>11}")
    return "\n".join(lines)


def shares(kills: int, kinds: list[str]) -> dict[str, int]:
    """Return how many of the kills each kind has: the first ones one more where they cannot have the same."""
    return {kind: kills // len(kinds) + (place < kills % len(kinds)) for place, kind in enumerate(kinds)}


def main(arguments: list[str] | None = None) -> int:
    """Kill jobs of every kind; return 1 if one lost something, ended otherwise or left something."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=KILLS, help="of all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=KINDS, help="one kind of job")
    parser.add_argument("--gpu", action="store_true", help="makes no difference")
    options = parser.parse_args(arguments)
    kinds = [options.only] if options.only else list(KINDS)
    found, begin = {}, time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        place, run = Path(scratch).resolve(), backend(run_system)
        for kind, kills in shares(options.kills, kinds).items():
            if kills:
                found[kind] = campaign(prepare(kind, write_small_job, place, run), kills, options.seed, place, run)
                print(f"{kind}: {found[kind].kills} kills", file=sys.stderr, flush=True)
    print(table(found))
    for each in found.values():
        for fault in each.faults:
            print(fault, file=sys.stderr)
    content = {
        "kills": options.kills, "seed": options.seed, "minutes": round((time.monotonic() - begin) / 60, 1),
        "kinds": {kind: asdict(each) for kind, each in found.items()},
    }  # fmt: skip
    options.out.write_text(json.dumps(content, indent=1) + "\n")
    return int(any(each.faults for each in found.values()))


if __name__ == "__main__":
    sys.exit(main())
