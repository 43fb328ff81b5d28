"""Measures runs and references once and keeps the figures beside them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from backend.cameras import orbit
from backend.embedded.objects.shapes import COLOURS
from benchmarks.data.cases import (
    ELEVATION,
    FOV,
    Case,
    outside_mesh,
    photo,
    single_image,
    subject_of,
    true_mesh,
    true_views,
)
from benchmarks.data.references import (
    PROMPT_AZIMUTHS,
    Thing,
    ball,
    billboard,
    generated,
    nearest,
    oracle,
    painted,
    prior_samples,
    training_views,
)
from benchmarks.judges.bench import Judges
from benchmarks.metrics.features import frechet_distance
from benchmarks.metrics.measure import finite, measure, spoken

ORACLE_MESH = {"mesh_resolution": 96, "max_faces": 8_000, "texture_size": 512}
FRECHET_TOWER = 1  # the second of a judge's towers


def evaluated(make: Callable[[], Thing], case: Case, judges: Judges, path: Path) -> dict[str, float]:
    """Return the figures of a thing from `path`, or measure it and write them there, with its features beside.

    Figures of other judges are measured anew.
    """
    if (found := _kept(path, judges)) is not None:
        return found
    thing = make()
    return _keep(path, judges, measure(thing, case, judges), thing.draw(orbit(PROMPT_AZIMUTHS, 15.0)).rgb)


def reference_rows(
    cases: Sequence[Case], judges: Judges, options: argparse.Namespace, seconds: float
) -> Iterator[tuple[str, Case, int, dict[str, float]]]:
    """Yield (who, case, seed, figures) of every reference of every case."""
    folder = options.out / "references"
    index: list[Any] = []

    def training() -> Any:
        if not index:
            index.extend(training_views(_tower(judges)))
        return index

    for case in cases:
        for who, make in references(case, judges, training, seconds).items():
            name = f"{who}-{options.system}-{options.preset}" if who == "oracle" else who
            path = folder / case.name / f"{name}-{options.towers}.json"
            if who == "retrieval" and _kept(path, judges) is None and not training()[1]:
                print("No nearest training object: the training renders are not here (.cache/embedded/renders).")
                continue
            yield who, case, 0, evaluated(make, case, judges, path)
        if case.kind in ("prompt", "style"):
            yield "prior", case, 0, _prior_figures(case, judges, folder, options)
        print(f"references of {case.name}", flush=True)


def references(
    case: Case, judges: Judges, training: Callable[[], Any], seconds: float
) -> dict[str, Callable[[], Thing]]:
    """Return what makes each reference of a case."""

    def wanted() -> torch.Tensor:
        tower = _tower(judges)
        with torch.no_grad():
            if case.kind == "image":
                return tower.images(single_image(case)[None])[0]
            if case.kind == "subject":
                return tower.images(torch.stack([photo(case, i) for i in range(5)])).mean(0)
            return tower.captions([case.prompt])[0]

    made: dict[str, Callable[[], Thing]] = {
        "true": lambda: _true(case),
        "retrieval": lambda: nearest(training()[0], training()[1], wanted()),
        "ball": lambda: ball(_main_colour(case)),
    }
    if case.kind in ("image", "subject"):
        made["oracle"] = lambda: oracle(true_views(case), seconds, ORACLE_MESH)[0]
    if case.kind == "image":
        made["billboard"] = lambda: _billboard(case)
    return made


def frechet_rows(
    cases: Sequence[Case], folders: Sequence[Path], judges: Judges, options: argparse.Namespace
) -> dict[str, float]:
    """Return Frechet distances of text-only results and of true renders to the prior's samples, and their floor.

    The floor is the distance of two halves of the samples. Few views give large values: `views` says how many.
    """
    names = [case.name for case in cases if case.kind == "prompt"]
    if len(names) < 4:
        return {}
    samples = _features([options.out / "references" / name / f"prior-{options.towers}.json" for name in names])
    true = _features([options.out / "references" / name / f"true-{options.towers}.json" for name in names])
    chosen = [f for f in folders if f.name.startswith(tuple(f"{name}-" for name in names))]
    made = _features([folder / f"measured-{options.towers}.json" for folder in chosen])
    return {
        "results_to_samples": round(frechet_distance(made, samples), 5),
        "true_to_samples": round(frechet_distance(true, samples), 5),
        "floor_of_half_the_samples": round(frechet_distance(samples[0::2], samples[1::2]), 5),
        "views": len(made),
    }


def _true(case: Case) -> Thing:
    if not case.outside:
        return generated(subject_of(case).solid)
    if case.model:
        return Thing(true_views(case), true_mesh(case))
    return painted(*outside_mesh(case))


def _billboard(case: Case) -> Thing:
    camera = orbit([0.0], ELEVATION, fov_degrees=FOV, size=128)
    seen = true_views(case)(camera)
    return billboard(seen.rgb[0], seen.alpha[0], camera)


def _main_colour(case: Case) -> torch.Tensor:
    """Return the colour that the words name, else the mean of what the picture shows."""
    if case.colour:
        return torch.tensor(COLOURS[case.colour])
    seen = true_views(case)(orbit([0.0], ELEVATION))
    return (seen.rgb * seen.alpha).sum((0, 1, 2)) / seen.alpha.sum()


def _prior_figures(case: Case, judges: Judges, folder: Path, options: argparse.Namespace) -> dict[str, float]:
    from backend.diffusion.denoiser import kept_prior

    path = folder / case.name / f"prior-{options.towers}.json"
    if (found := _kept(path, judges)) is not None:
        return found
    images = prior_samples(kept_prior(options.prior), case.prompt, case.seed)
    return _keep(path, judges, spoken(images, case, judges), images)


def _tower(judges: Judges) -> Any:
    return list(judges.towers.values())[FRECHET_TOWER]


def _kept(path: Path, judges: Judges) -> dict[str, float] | None:
    if not path.is_file():
        return None
    read = json.loads(path.read_text())
    return read["figures"] if read["judges"] == judges.fingerprint else None


def _keep(path: Path, judges: Judges, figures: dict[str, float], images: torch.Tensor) -> dict[str, float]:
    """Write figures, and the features of the images that they are about."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        save_file({"features": _tower(judges).images(images).contiguous()}, path.with_suffix(".safetensors"))
    figures = finite(figures)
    path.write_text(json.dumps({"judges": judges.fingerprint, "figures": figures}, indent=1))
    return figures


def _features(paths: Sequence[Path]) -> torch.Tensor:
    return torch.cat([load_file(path.with_suffix(".safetensors"))["features"] for path in paths])
