"""Lets everything that reads a stranger's files read damaged ones: `python -m benchmarks.commands.readers --out FILE`.

Nothing but a refusal may be raised, none may take 5 seconds of the processor, and the process may grow by no more than
2 GB. The inputs depend on --seed and their numbers only; `--only NAME` tries one reader.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from backend.runtime.machine import peak_memory_bytes
from benchmarks.robustness.readers import Found, readers, try_out

INPUTS = 400  # of each reader; 100,000 in all by hand: --inputs 7200
MOST_SECONDS, MOST_BYTES = 5.0, 2 << 30


def table(found: dict[str, Found]) -> str:
    """Return a line for each reader."""
    lines = [f"{'reader':<12}{'read':>8}{'refused':>9}{'uncaught':>10}{'slowest':>10}"]
    for name, each in found.items():
        counts = [each.outcomes[outcome] for outcome in ("read", "refused", "uncaught")]
        lines.append(f"{name:<12}{counts[0]:>8}{counts[1]:>9}{counts[2]:>10}{each.slowest:>8.2f} s")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Try every reader; return 1 if one did what none may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--inputs", type=int, default=INPUTS, help="of each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", metavar="NAME", help="one reader")
    parser.add_argument("--gpu", action="store_true", help="makes no difference")
    options = parser.parse_args(arguments)
    before = peak_memory_bytes()  # of libraries, and of what ran in this process before
    with tempfile.TemporaryDirectory() as scratch:
        chosen = [each for each in readers(Path(scratch)) if options.only in ("", each.name)]
        found = {each.name: try_out(each, Path(scratch, each.name), options.inputs, options.seed) for each in chosen}
    memory = peak_memory_bytes() - before
    print(table(found))
    print(f"most memory: {memory / 1e9:.2f} GB")
    for name, each in found.items():
        for fault in each.faults:
            print(f"{name} {fault}", file=sys.stderr)
    content = {
        "inputs": options.inputs, "seed": options.seed, "peak_bytes": memory,
        "readers": {name: dict(each.outcomes) | {"slowest": each.slowest} for name, each in found.items()},
    }  # fmt: skip
    options.out.write_text(json.dumps(content, indent=2) + "\n")
    bad = memory > MOST_BYTES or any(each.faults or each.slowest > MOST_SECONDS for each in found.values())
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
