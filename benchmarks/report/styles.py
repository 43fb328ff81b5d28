"""Draws one prompt under five visual prompts: `python -m benchmarks.report.styles --sheet docs/images/styles.png`.

The pictures are those of five cases with a style, of other things than the prompt names. Job folders are kept below
out/quality, so a run that was broken off goes on.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from addon import protocol
from benchmarks.data.cases import choose
from benchmarks.data.jobs import finished, prepare, run_jobs
from benchmarks.report.contact_sheet import write_sheet

PROMPT, CATEGORY = "a chair", "chair"
STYLES = "style-mug,style-teapot,style-house,style-dog,style-bird"


def main() -> int:
    """Run what is missing and draw the sheet; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=protocol.PRESETS, default="draft")
    parser.add_argument("--tau", type=float, default=0.5, help="strength of the visual prompt")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("out/quality"))
    parser.add_argument("--sheet", type=Path, required=True, help="the picture to write, one row for each style")
    options = parser.parse_args()
    runs = [
        prepare(
            replace(case, name=f"{CATEGORY}-as-{case.name}", prompt=PROMPT, category=CATEGORY), options.out,
            system="tv3dg", preset=options.preset, seed=1, prior="embedded", threads=options.threads,
            settings={"tau": options.tau},
        )
        for case in choose(STYLES)
    ]  # fmt: skip
    failed = run_jobs([run for run in runs if not finished(run.folder)])
    write_sheet(options.sheet, [run for run in runs if finished(run.folder)])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
