"""Pictures of results to be looked at: contact sheets, and blind A/B sheets for people who compare two systems.

`python -m benchmarks.report.contact_sheet A B --out FOLDER` takes two folders of jobs of the same cases and seeds.
It writes sheet.html, in which left and right are shuffled and unnamed, and key.json, which says who was where.
"""

from __future__ import annotations

import argparse
import html
import json
import math
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from addon import protocol
from backend.cameras import orbit
from backend.images import load_image, save_image, save_turntable, square
from benchmarks.data.jobs import Run, finished

AZIMUTHS = (0, 60, 120, 180, 240, 300)
MAX_ROWS = 16
CELL = 128


def write_sheet(path: Path, runs: Sequence[Run]) -> None:
    """Write one row for each run: what it was given (white for a prompt alone), and its mesh from six sides.

    More than MAX_ROWS stand beside each other, at half the size.
    """
    from benchmarks.commands.demo import read_glb
    from benchmarks.data.draw import mesh_views

    rows = []
    for run in runs:
        given = torch.ones(CELL, CELL, 3)
        if run.request.images:
            given = square(*load_image(run.folder / run.request.images[0].path), CELL)
        seen = mesh_views(read_glb(run.folder / protocol.MESH_FILE))(orbit(AZIMUTHS, 15.0, size=CELL))
        rows.append(torch.cat([given, *seen.rgb], 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_image(path, beside_each_other(rows))


def beside_each_other(rows: list[torch.Tensor], most: int = MAX_ROWS) -> torch.Tensor:
    """Return rows of pictures [H, W, 3] below each other; more than `most` in columns, at half the size."""
    if len(rows) <= most:
        return torch.cat(rows, 0)
    columns = math.ceil(len(rows) / most)
    height = math.ceil(len(rows) / columns)
    rows = rows + [torch.ones_like(rows[0])] * (columns * height - len(rows))
    sheet = torch.cat([torch.cat(rows[i * height : (i + 1) * height], 0) for i in range(columns)], 1)
    return torch.nn.functional.avg_pool2d(sheet.permute(2, 0, 1), 2).permute(1, 2, 0)


def pairs(one: Path, other: Path) -> list[tuple[str, Path, Path]]:
    """Return (case and seed, job of one, job of the other) wherever both have a result."""
    found = [{_question(job): job for job in sorted(folder.iterdir()) if finished(job)} for folder in (one, other)]
    return [(name, found[0][name], found[1][name]) for name in sorted(found[0].keys() & found[1].keys())]


def write_blind_sheet(out: Path, one: Path, other: Path, seed: int) -> int:
    """Write sheet.html, its turntables and key.json; return how many pairs there are.

    Raises ValueError where there are none.
    """
    from benchmarks.commands.demo import read_glb
    from benchmarks.data.draw import mesh_views

    rng = random.Random(seed)
    chosen = pairs(one, other)
    if not chosen:
        raise ValueError(f"{one} and {other} have no finished case and seed in common")
    rng.shuffle(chosen)
    out.mkdir(parents=True, exist_ok=True)
    rows, key = [], []
    for number, (name, first, second) in enumerate(chosen):
        sides = [(one.name, first), (other.name, second)]
        rng.shuffle(sides)
        for letter, (_, job) in zip("ab", sides, strict=True):
            seen = mesh_views(read_glb(job / protocol.MESH_FILE))(orbit(range(0, 360, 15), 15.0, size=192))
            save_turntable(out / f"{number:03}{letter}.webp", list(seen.rgb), 120)
        prompt = html.escape(protocol.read_request(first).prompt)
        rows.append(
            f'<tr><td>{number + 1}<td>{prompt}<td><img src="{number:03}a.webp"><td><img src="{number:03}b.webp">'
            f'<td><label><input type="radio" name="{number}" value="a">left</label> '
            f'<label><input type="radio" name="{number}" value="b">right</label> '
            f'<label><input type="radio" name="{number}" value="-">neither</label>'
        )
        key.append({"pair": number + 1, "question": name, "left": sides[0][0], "right": sides[1][0]})
    (out / "sheet.html").write_text(_PAGE.format(rows="\n".join(rows)), encoding="utf-8")
    (out / "key.json").write_text(json.dumps(key, indent=1) + "\n")
    return len(chosen)


def _question(job: Path) -> str:
    return job.name.rpartition("-")[0]  # without the key: case and seed


_PAGE = """<!doctype html>
<meta charset="utf-8"><title>Which one?</title>
<style>body{{font:15px sans-serif;max-width:60em;margin:2em auto}}td{{padding:.4em;vertical-align:middle}}</style>
<h1>Which one looks more like its words?</h1>
<p>Choose a side for every row, then copy the line at the end.</p>
<table>
{rows}
</table>
<p><button onclick="answer()">Show my answers</button></p><pre id="answers"></pre>
<script>
function answer() {{
  const chosen = [...document.querySelectorAll("input:checked")];
  document.getElementById("answers").textContent =
    JSON.stringify(Object.fromEntries(chosen.map(c => [Number(c.name) + 1, c.value])));
}}
</script>
"""


def main() -> int:
    """Write a blind sheet of two folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("one", type=Path, help="for example out/quality/tv3dg-draft")
    parser.add_argument("other", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for folder in (options.one, options.other):
        if not folder.is_dir():
            print(f"error: there is no folder {folder}", file=sys.stderr)
            return 2
    try:
        count = write_blind_sheet(options.out, options.one, options.other, options.seed)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{count} pairs: {options.out / 'sheet.html'}; who is who: {options.out / 'key.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
