"""Measures how well a prior finds from where photos were taken: `python -m benchmarks.subjects.photo_cameras`.

The photos are those of the benchmark's subjects, from any side, cut out as DreamBooth3D cuts them out; the prior is
told the class alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import torch

from backend.diffusion.camera_search import SURE, find_places
from backend.diffusion.denoiser import Prior, load_prior
from backend.images import MARGIN, square_crop
from backend.systems.dreambooth3d.cutting import subject_in
from backend.systems.dreambooth3d.photos import on_white
from backend.vision.matting import Matting, load_matting
from benchmarks.data.cases import PHOTOS, Case, choose, photo, photo_place

CASES = "subject-bear,subject-dog,subject-car,subject-chair,subject-mug,subject-bird"
RESULTS = Path(__file__).parent.parent / "results/photo-cameras.json"


def main() -> int:
    """Find the cameras of the photos of every subject, print a line for each, and write them; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=CASES)
    parser.add_argument("--prior", default="embedded")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    prior, matting, generator = load_prior(options.prior), load_matting("embedded"), torch.Generator().manual_seed(0)
    rows: list[dict[str, Any]] = []
    for case in choose(options.cases):
        rows += found_places(prior, matting, case, generator)
        print(sentence(case.name, [row for row in rows if row["case"] == case.name]), flush=True)
    print(sentence("all", rows))
    options.results.write_text("[\n " + ",\n ".join(json.dumps(row) for row in rows) + "\n]\n")
    return 0


def found_places(prior: Prior, matting: Matting, case: Case, generator: torch.Generator) -> list[dict[str, Any]]:
    """Return for each photo of a subject where it was taken, where the prior thinks so, and how sure it is."""
    pieces = [subject_in(photo(case, number), None, matting) for number in range(PHOTOS)]
    cut = [torch.cat(square_crop(*piece, prior.image_size, MARGIN, enclose="circle"), -1) for piece in pieces]
    places = find_places(prior, on_white(torch.stack(cut)), f"a {case.category}", generator)
    rows = []
    for number, place in enumerate(places):
        azimuth, elevation = photo_place(case, number)
        rows.append(
            {
                "case": case.name, "photo": number, "azimuth": round(azimuth, 1), "elevation": round(elevation, 1),
                "found": place.azimuth_degrees, "found_elevation": place.elevation_degrees,
                "error": round(abs((place.azimuth_degrees - azimuth + 180) % 360 - 180), 1),
                "sureness": round(place.sureness, 2),
            }
        )  # fmt: skip
    return rows


def sentence(name: str, rows: list[dict[str, Any]]) -> str:
    """Return what a line says of some photos: how far off the azimuths are, of all and of the sure ones."""
    sure = [row["error"] for row in rows if row["sureness"] >= SURE]
    errors = [row["error"] for row in rows]
    line = f"{name}: {sum(e <= 20 for e in errors)} of {len(errors)} within 20 degrees, median {median(errors)}"
    return f"{line}; {len(sure)} sure, of which {sum(e <= 20 for e in sure)} within 20, median {median(sure)}"


def median(errors: list[float]) -> str:
    """Return the median in degrees, a dash where there is none."""
    return f"{statistics.median(errors):.0f}" if errors else "-"


if __name__ == "__main__":
    raise SystemExit(main())
