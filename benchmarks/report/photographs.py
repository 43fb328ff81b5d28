"""Draws what becomes of photographs: `python -m benchmarks.report.photographs --out out/photographs --sheet FILE`.

Real photographs have no true back: this is for the eye. Without names those of scikit-image are taken; others are named
as FILE or FILE:ELEVATION. Each row shows the photograph, its cut-out, and the result from the front, the front right,
the right, behind and the left. Jobs that are done are not run again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import torch
from torch.nn import functional

from addon import protocol
from backend.cameras import orbit
from backend.images import load_image, save_image, square
from benchmarks.commands.demo import read_glb
from benchmarks.data.draw import mesh_views
from benchmarks.data.jobs import finished

SHIPPED = ("coffee.png:35", "horse.png", "rocket.jpg", "chelsea.png")  # with scikit-image
AZIMUTHS = (0.0, 45.0, 90.0, 180.0, -90.0)
SIZE = 144
CUT_OUTS = ("1-perceive", "1-modalities")  # the stages that cut the subject out


def asked(name: str) -> tuple[Path, float]:
    """Return the file and the elevation in degrees, else 0, of a name such as cup.png:20."""
    path, _, elevation = name.rpartition(":")
    if path and elevation.lstrip("-").replace(".", "", 1).isdigit():
        return Path(path), float(elevation)
    return Path(name), 0.0


def shipped() -> list[str]:
    """Return the names of the photographs that scikit-image brings along."""
    import skimage

    return [str(Path(skimage.__file__).parent / "data" / name) for name in SHIPPED]


def make(path: Path, elevation: float, folder: Path, options: argparse.Namespace) -> bool:
    """Run the job of a photograph if it is not done; return whether it has a result."""
    if not finished(folder):
        subprocess.run(
            [
                sys.executable, "-m", "backend", "generate", "--system", options.system, "--image", str(path),
                "--elevation", str(elevation), "--preset", options.preset, "--seed", "1",
                "--threads", str(options.threads), "--out", str(folder),
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
    return finished(folder)


def row(path: Path, elevation: float, folder: Path) -> torch.Tensor:
    """Return the photograph, its cut-out and the result from five sides, [SIZE, 7 SIZE, 3]."""
    photo, alpha = load_image(path)
    stage = next(folder / protocol.STAGES_FOLDER / name for name in CUT_OUTS if _is_there(folder, name))
    rgb, mask = (load_image(stage / f"{name}.png")[0] for name in ("rgb", "mask"))
    seen = mesh_views(read_glb(folder / protocol.MESH_FILE))(orbit(AZIMUTHS, max(elevation, 10.0), size=SIZE)).rgb
    return torch.cat([_small(square(photo, alpha, 512)), _small(rgb * mask + 1 - mask), *seen], dim=1)


def _is_there(folder: Path, stage: str) -> bool:
    return (folder / protocol.STAGES_FOLDER / stage / "rgb.png").is_file()


def _small(picture: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(picture.permute(2, 0, 1)[None], (SIZE, SIZE), mode="area")[0].permute(1, 2, 0)


def main() -> int:
    """Run what is missing and draw the sheet; return 1 where a photograph has no result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", nargs="*", metavar="FILE[:ELEVATION]")
    parser.add_argument("--system", choices=("tv3dg", "customize_it_3d"), default="customize_it_3d")
    parser.add_argument("--preset", choices=protocol.PRESETS, default="draft")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("out/photographs"))
    parser.add_argument("--sheet", type=Path, required=True)
    options = parser.parse_args()
    rows, failed = [], 0
    for name in options.photographs or shipped():
        path, elevation = asked(name)
        folder = options.out / f"{options.system}-{options.preset}" / path.stem
        if make(path, elevation, folder, options):
            rows.append(row(path, elevation, folder))
        else:
            failed += 1
            print(f"{path.name} has no result: {folder}", file=sys.stderr)
    if rows:
        save_image(options.sheet, torch.cat(rows).clamp(0, 1))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
