"""Measures Edit by Text: five edits of one object, `python -m benchmarks.commands.edits --out out/edits [--sheet PNG]`.

The object is a robot of the generator, given as an image and made once; each edit begins from that result. Judges say
of eight views whether what the words change has changed, and pixels how much of the rest has stayed. Job folders are
kept, so a broken-off run goes on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from addon import protocol
from backend.cameras import Cameras, orbit
from backend.embedded.objects.shapes import COLOURS, HELD_OUT, TRAINED_CATEGORIES, make_subject
from backend.embedded.objects.solids import PATTERNS, photograph
from backend.export import read_points_ply
from backend.images import save_image
from backend.meshes.rasteriser import silhouette_iou
from backend.rendering.splats import splat_renderer
from benchmarks.data.draw import WHITE, Views
from benchmarks.data.jobs import finished
from benchmarks.judges.attributes import read_attributes
from benchmarks.judges.bench import Judges, load_embedded
from benchmarks.judges.reader import read
from benchmarks.metrics.measure import finite

OBJECT_SEED = HELD_OUT.first_seed + 1
MAIN, ACCENT = "red", "green"
PROMPT = f"a {MAIN} and {ACCENT} robot"
START = ["--preset", "draft", "--seed", "1"]
COARSE_MESH = ["--set", "mesh_resolution=32", "--set", "max_faces=1000", "--set", "texture_size=128"]  # nobody looks
AZIMUTHS = tuple(45.0 * i for i in range(8))
SHEET_AZIMUTHS = (0.0, 60.0, 180.0, 300.0)
ELEVATION = 15.0


@dataclass(frozen=True)
class Edit:
    """New words, and what a judge should see then: the part that changes is `main`, `accent`, `hat` or `pattern`."""

    name: str
    prompt: str
    part: str
    value: str


EDITS = (
    Edit("hat", f"{PROMPT} wearing a hat", "hat", "hat"),
    Edit("blue", f"a blue and {ACCENT} robot", "main", "blue"),
    Edit("limbs", f"a {MAIN} and purple robot", "accent", "purple"),
    Edit("stripes", f"a {MAIN} and {ACCENT} striped robot", "pattern", "stripes"),
    Edit("yellow", f"a yellow and {ACCENT} robot", "main", "yellow"),
)


def make_jobs(out: Path, threads: int) -> list[Path]:
    """Run the start and the edits, whatever of them is not done yet; return their folders, the start first."""
    out.mkdir(parents=True, exist_ok=True)
    subject = make_subject(OBJECT_SEED, category="robot", colour=MAIN, pattern="plain", hat=False)
    if subject.accent != ACCENT:
        raise ValueError(f"the object's limbs are {subject.accent}, not {ACCENT}: the generator has changed")
    camera = orbit([0.0], ELEVATION, size=512)
    save_image(out / "robot.png", photograph(subject.solid, camera, torch.full((3,), 0.86)).rgb[0])
    common = ["--threads", str(threads), "--out"]
    first = out / "start"
    given = ["--image", str(out / "robot.png"), "--elevation", str(ELEVATION)]
    if not finished(first):
        _backend("generate", "--prompt", PROMPT, *given, *START, *common, str(first))
    for edit in EDITS:
        if not finished(out / edit.name):
            _backend("edit", str(first), "--prompt", edit.prompt, *COARSE_MESH, *common, str(out / edit.name))
    return [first, *(out / edit.name for edit in EDITS)]


def _backend(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "backend", *arguments], check=True, stdout=subprocess.DEVNULL)


@torch.no_grad()
def look(job: Path, cameras: Cameras) -> Views:
    """Return what the Gaussians of a job look like before white; they have no normals here."""
    gaussians = read_points_ply(job / protocol.POINTS_FILE)
    seen = splat_renderer(gaussians)(cameras, WHITE)
    return Views(seen.rgb.clamp(0, 1), seen.alpha, torch.zeros_like(seen.rgb))


def parts_of(start: Views) -> dict[str, torch.Tensor]:
    """Return where the start shows its main and its accent colour, [N, H, W] bool; eyes and chest are neither."""
    apart = {name: (start.rgb - torch.tensor(COLOURS[name])).norm(dim=-1) for name in (MAIN, ACCENT, "gray")}
    solid = start.alpha[..., 0] > 0.5
    near = torch.stack(list(apart.values())).argmin(0)
    return {"main": solid & (near == 0), "accent": solid & (near == 1), "rest": solid & (near == 2)}


def judge(views: Views, start: Views, edit: Edit, judges: Judges) -> dict[str, float]:
    """Return figures of an edit in [0, 1]; of the start itself they say what the edit has to beat.

    `changed`: share of views in which what should change is read (the accent: share of its pixels that are nearer to
    the new colour than to the old one). `others_right`: the same of what else is read. `nearer_*`: share of views that
    a tower finds nearer to the new words than to the old ones. `silhouette_iou`, `colour_distance`: against the start,
    the latter the mean absolute difference where the words change nothing.
    """
    parts = parts_of(start)
    told = read(judges.reader, views.rgb) | read_attributes(judges.attributes, views.rgb)
    true: dict[str, int | bool] = {
        "category": TRAINED_CATEGORIES.index("robot"),
        "colour": list(COLOURS).index(edit.value if edit.part == "main" else MAIN),
        "pattern": PATTERNS.index(edit.value if edit.part == "pattern" else "plain"),
        "hat": edit.part == "hat",
    }
    said = {name: float((told[name] == value).float().mean()) for name, value in true.items()}
    if edit.part == "accent":
        old, new = ((views.rgb - torch.tensor(COLOURS[name])).norm(dim=-1) for name in (ACCENT, edit.value))
        changed = float((new < old)[parts["accent"]].float().mean())
    else:
        changed = said.pop("colour" if edit.part == "main" else edit.part)
    figures = {"changed": changed, "others_right": sum(said.values()) / len(said)}
    for name, tower in judges.towers.items():
        with torch.no_grad():
            seen, words = tower.images(views.rgb), tower.captions([PROMPT, edit.prompt])
        cosines = torch.nn.functional.normalize(seen, dim=-1) @ torch.nn.functional.normalize(words, dim=-1).T
        figures[f"nearer_{name}"] = float((cosines[:, 1] > cosines[:, 0]).float().mean())
    touched = parts["accent"] if edit.part == "accent" else parts["main"]
    kept = (start.alpha[..., 0] > 0.5) & (views.alpha[..., 0] > 0.5)
    if edit.part != "hat":
        kept &= ~touched
    figures["silhouette_iou"] = float(silhouette_iou(views.alpha, start.alpha).mean())
    figures["colour_distance"] = float((views.rgb - start.rgb).abs().mean(-1)[kept].mean())
    return finite(figures)


def main() -> None:
    """Make the jobs, print the figures and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/edits"), help="folder of the job folders")
    parser.add_argument("--results", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--sheet", type=Path, help="write a picture: the start and the edits from four sides")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    jobs = make_jobs(options.out, options.threads)
    judges = load_embedded()
    cameras = orbit(AZIMUTHS, ELEVATION)
    start, *made = [look(job, cameras) for job in jobs]
    facts = [json.loads((job / protocol.RESULT_FILE).read_text()) for job in jobs]
    rows = [
        {
            "name": edit.name, "prompt": edit.prompt, "figures": judge(views, start, edit, judges),
            "start": judge(start, start, edit, judges), "seconds": sum(fact["seconds"].values()),
        }
        for edit, views, fact in zip(EDITS, made, facts[1:], strict=True)
    ]  # fmt: skip
    for row in rows:
        print(row["prompt"], json.dumps(row["figures"]))
    if options.sheet:
        around = orbit(SHEET_AZIMUTHS, ELEVATION)
        save_image(options.sheet, torch.cat([torch.cat([*look(job, around).rgb], 1) for job in jobs], 0))
    if options.results:
        made_with = facts[1]["made_with"]
        content = {
            "prompt": PROMPT, "preset": facts[1]["preset"], "seed": facts[1]["seed"], "views": len(AZIMUTHS),
            "judges": judges.fingerprint, "made_with": made_with, "rows": rows,
        }  # fmt: skip
        options.results.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
