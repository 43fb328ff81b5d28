"""Measures what is guessed behind one image: `python -m benchmarks.training.volumes --objects 40 --sheet F --out F`.

Objects are seen from the front, cut out as the systems do it, and the guessed volume is drawn from other sides, beside
a copy of the front and its outline, blown up. They are held-out objects with held-out shapes of the generator, or with
`--cases` those of the quality benchmark: `image`, `artists`. PSNR before the picture's own background and IoU of the
silhouettes: mean and 95 % interval, then less the copy's, paired. With `--around` also the mean of the 24 views that
judge results, where the image says that the object stands: what a result that begins from the guess has to beat.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from backend.cameras import Cameras, orbit
from backend.embedded.objects.groups import draw_setting
from backend.embedded.objects.pictures import picture
from backend.embedded.objects.world import HELD_OUT_2, make_thing
from backend.images import save_image
from backend.rendering.volume import volume_renderer
from backend.representations.inflated import inflated_grid
from backend.representations.radiance_grid import RadianceGrid
from backend.systems.guessed import guess_field
from backend.systems.reference import Target
from benchmarks.data.cases import ELEVATION, FOV, Case, choose, true_views
from benchmarks.metrics.framing import framed
from benchmarks.metrics.geometry import held_out_cameras
from benchmarks.metrics.intervals import bootstrap, paired_bootstrap

AZIMUTHS = (0.0, 30.0, 90.0, 180.0, -90.0)
FIRST_SEED = HELD_OUT_2.first_seed + 60_000
SIZE = 128


@dataclass(frozen=True)
class Truth:
    """An object as cameras see it: sRGB [V, S, S, 3] before a colour `behind` [3], and outlines [V, S, S, 1]."""

    rgb: torch.Tensor
    mask: torch.Tensor
    behind: torch.Tensor


def moved(cameras: Cameras, origin: torch.Tensor, unit: float) -> Cameras:
    """Return the same cameras in another world."""
    poses = cameras.camera_to_world.clone()
    poses[:, :3, 3] = (poses[:, :3, 3] - origin) / unit
    return Cameras(poses, cameras.intrinsics, cameras.width, cameras.height)


def drawn(field: RadianceGrid, cameras: Cameras, background: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pictures [V, S, S, 3] of a field and what is solid in them [V, S, S, 1]."""
    found = volume_renderer(field, samples=192)(cameras, background)
    return found.rgb.clamp(0, 1), (found.alpha > 0.5).float()


def measures(pictures: torch.Tensor, masks: torch.Tensor, truth: torch.Tensor, solid: torch.Tensor) -> list[list]:
    """Return of each view its PSNR and the IoU of its silhouette."""
    errors = (pictures - truth).square().mean((1, 2, 3)).clamp_min(1e-4)  # a copy may be exact: 40 dB at most
    both, either = (masks * solid).sum((1, 2, 3)), torch.maximum(masks, solid).sum((1, 2, 3)).clamp_min(1)
    return [(-10 * errors.log10()).tolist(), (both / either).tolist()]


def compared(figures: list[list[list[float]]], copies: list[list[list[float]]]) -> dict[str, dict[str, list[float]]]:
    """Return of each measure and side the mean and its bounds, and those of the difference to a copy, pair by pair."""
    own, theirs = np.array(figures), np.array(copies)  # [N, 2, V]
    found: dict[str, dict[str, list[float]]] = {}
    for k, measure in enumerate(("psnr", "iou")):
        for i, azimuth in enumerate(AZIMUTHS):
            ours, copied = own[:, k, i].tolist(), theirs[:, k, i].tolist()
            intervals = (bootstrap(ours), paired_bootstrap(ours, copied))
            bounds = [value for one in intervals for value in (one.mean, one.low, one.high)]
            found.setdefault(measure, {})[f"{azimuth:.0f}"] = [round(value, 3) for value in bounds]
    return found


def generated(seed: int, cameras: Cameras) -> Truth:
    """Return a held-out object of the second world, in a setting of its own."""
    thing, setting = make_thing(seed, unseen=True), draw_setting(random.Random(seed))
    seen = picture(thing.form, cameras, setting.colour, setting.lamp, finish=setting.finish)
    return Truth(seen.rgb, seen.mask, torch.tensor(setting.colour))


def shown(case: Case, cameras: Cameras) -> Truth:
    """Return the object of a case, before white."""
    seen = true_views(case)(cameras)
    return Truth(seen.rgb, seen.alpha, torch.ones(3))


@dataclass(frozen=True)
class Guess:
    """What is guessed behind the first view of an object, in the world of its crop: `origin` and `unit` say where."""

    seen: Target
    field: RadianceGrid
    origin: torch.Tensor
    unit: float

    def drawn(self, cameras: Cameras, background: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return pictures and what is solid in them, as cameras in the object's world see it."""
        return drawn(self.field, moved(cameras, self.origin, self.unit), background)


def guess_of(truth: Truth, cameras: Cameras, networks: str) -> Guess:
    """Return the guess from the first of an object's views."""
    seen, origin, unit = framed(truth.rgb[0], truth.mask[0], cameras[0], SIZE)
    field = guess_field(seen, networks)
    assert field is not None, "nothing is guessed"
    return Guess(seen, field, origin, unit)


def rows_of(guess: Guess, truth: Truth, cameras: Cameras) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Return pictures [V, S, S, 3] and what is solid in them [V, S, S, 1]: as guessed, and as it would be otherwise."""
    blown = inflated_grid(64, guess.seen.camera, guess.seen.rgb, guess.seen.mask)
    return {
        "guessed": guess.drawn(cameras, truth.behind),
        "its outline, blown up": drawn(blown, moved(cameras, guess.origin, guess.unit), truth.behind),
        "a copy": (truth.rgb[:1].expand_as(truth.rgb), truth.mask[:1].expand_as(truth.mask)),
    }


def around(guess: Guess, truth: Truth, cameras: Cameras) -> list[float]:
    """Return mean PSNR and mean IoU of the silhouettes in views [V] all around an object."""
    psnr, iou = measures(*guess.drawn(cameras, truth.behind), truth.rgb, truth.mask)
    return [float(np.mean(psnr)), float(np.mean(iou))]


def main() -> None:
    """Print and write the figures; with --sheet also pictures: the true sides above the guessed ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="a file of results, in which other sets are kept")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--objects", type=int, default=40, help="of the generator")
    parser.add_argument("--first", type=int, default=0, help="which of the generator's held-out objects is the first")
    parser.add_argument("--cases", default="", help="of the quality benchmark, instead of the generator's objects")
    parser.add_argument("--around", action="store_true", help="measure the 24 views that judge results, too")
    parser.add_argument("--shown", type=int, default=8)
    parser.add_argument("--networks", default="", help="folder with one folder for each network; empty: our own")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cameras = orbit(list(AZIMUTHS), ELEVATION, fov_degrees=FOV, size=SIZE)
    first = FIRST_SEED + options.first
    objects = [partial(generated, seed) for seed in range(first, first + options.objects)]
    if options.cases:
        objects = [partial(shown, case) for case in choose(options.cases)]
    judging = held_out_cameras(SIZE)
    whole: list[list[float]] = []
    values: dict[str, list[list[list[float]]]] = {}
    sheet: list[torch.Tensor] = []
    for seen_by in objects:
        truth = seen_by(cameras)
        guess = guess_of(truth, cameras, options.networks)
        rows = rows_of(guess, truth, cameras)
        if options.around:
            whole.append(around(guess, seen_by(judging), judging))
        for name, (pictures, masks) in rows.items():
            values.setdefault(name, []).append(measures(pictures, masks, truth.rgb, truth.mask))
        if len(sheet) < options.shown:
            sheet.append(torch.cat([torch.cat(list(truth.rgb), 1), torch.cat(list(rows["guessed"][0]), 1)]))
    table = {name: compared(each, values["a copy"]) for name, each in values.items()}
    found: dict[str, object] = {"objects": len(values["a copy"]), "sides": table}
    if whole:
        intervals = {
            name: bootstrap(list(each)) for name, each in zip(("psnr", "iou"), zip(*whole, strict=True), strict=True)
        }
        found["around"] = {
            name: [round(v, 3) for v in (one.mean, one.low, one.high)] for name, one in intervals.items()
        }
    print(json.dumps(found, indent=1))
    if options.out:
        kept = json.loads(options.out.read_text()) if options.out.is_file() else {}
        kept[options.cases or "generated"] = found
        options.out.write_text(json.dumps(kept, indent=1) + "\n")
    if options.sheet:
        half = (len(sheet) + 1) // 2
        save_image(options.sheet, torch.cat([torch.cat(sheet[:half]), torch.cat(sheet[half:])], 1))


if __name__ == "__main__":
    main()
