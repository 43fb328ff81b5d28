"""Compares losses and settings of a system: `python -m benchmarks.commands.variants --group losses [--names CSM SDS]`.

Every variant is the same jobs with other settings; their folders lie below out/quality and are kept, so that a night
that was broken off goes on, and more groups, variants and cases can be added. Rows that are measured again take the
place of the old ones in the results.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from addon import protocol
from benchmarks.commands.quality import RESULTS, Row, measure_runs
from benchmarks.data.cases import choose
from benchmarks.data.jobs import Run, finished, prepare, run_jobs

CASES = "prompt-mug,prompt-chair,prompt-cactus,prompt-rocket,prompt-rabbit,prompt-house"
OTHER_CASES = {
    "style": "style",
    "unseen": "image,artists",
    "one_image": "artists",
    "subjects": "subject-dog,subject-mug,subject-chair,subject-bird,subject-bear,subject-rabbit",
}
HEAD = 24  # pixels above a column of a grid, for its name
EVALUATED = 40  # steps of csm whose evaluations the others get, too

# Of the whole system: what the paper switches on.
FULL: dict[str, protocol.Setting] = {
    "self_guidance": True, "perturbation": 1.0, "calibration_geometry": 1.0, "calibration_semantics": 4.0,
    "calibration_reward": 2.5, "reward_shapes": False,
}  # fmt: skip
LOSSES: dict[str, dict[str, protocol.Setting]] = {
    "SDS": {"loss": "sds"},
    "CSD": {"loss": "csd"},
    "ISM": {"loss": "ism"},
    "VSD": {"loss": "vsd", "particle_rate": 1e-3},
    "CSM": {"loss": "csm"},
    "VPCSM": {"self_guidance": True, "perturbation": 1.0},
    "full": FULL,
}
ABLATIONS: dict[str, dict[str, protocol.Setting]] = {
    "default": {},
    "full": FULL,
    "tau 0.25": {**FULL, "tau": 0.25},
    "tau 1": {**FULL, "tau": 1.0},
    "s 0": {**FULL, "perturbation": 0.0},
    "s 6": {**FULL, "perturbation": 6.0},
    "s 1 in the middle": {**FULL, "perturbed_layers": "mid_block"},
    "delta_t 50": {**FULL, "delta_t": 50},
    "delta_t 200": {**FULL, "delta_t": 200},
    "W 1/5": {**FULL, "warmup": 0.2},
    "W 1": {**FULL, "warmup": 1.0},
    "lambda_1 0": {**FULL, "calibration_geometry": 0.0},
    "lambda_2 0": {**FULL, "calibration_semantics": 0.0},
    "lambda_i 0": {**FULL, "calibration_reward": 0.0},
    # As strong as when guidance was an average over four views of 16 x 16 x 4 latents, and a tenth of that.
    "SGC times 410": {
        **FULL,
        "calibration_geometry": 410.0,
        "calibration_semantics": 1638.0,
        "calibration_reward": 1024.0,
    },
    "SGC times 41": {
        **FULL,
        "calibration_geometry": 41.0,
        "calibration_semantics": 164.0,
        "calibration_reward": 102.0,
    },
    "reward moves points": {**FULL, "reward_shapes": True},
    "SGC every 4th step": {**FULL, "calibrate_every": 4},
    "no SGC": {"self_guidance": True, "perturbation": 1.0},
    "no SGC and no VPCSM": {"loss": "csm"},
    "from a ball": {"start": "ball"},
    "difference 0": {"difference": 0.0},
}
STYLE: dict[str, dict[str, protocol.Setting]] = {
    f"tau {tau:g}, s {s:g}": {"tau": tau, "perturbation": s} for tau in (0.0, 0.25, 0.5, 1.0) for s in (0.0, 1.0)
}
# Of what an image does not show: how strongly the prior sees it, and how strongly its colours hold the other sides.
DRAWN: dict[str, protocol.Setting] = {"guessed_sides": False}  # by the prior
UNSEEN: dict[str, dict[str, protocol.Setting]] = {
    "words alone": {**DRAWN, "reference_tau": 0.0, "palette": 0.0},
    **{f"tau {tau:g}": {**DRAWN, "reference_tau": tau, "palette": 0.0} for tau in (0.25, 0.5, 1.0, 1.5)},
    "tau 1, sides recoloured": {**DRAWN, "reference_tau": 1.0, "palette": 1e-6},
    "tau 1, palette 10": {**DRAWN, "reference_tau": 1.0, "palette": 10.0},
    "sides guessed": {},
    "sides guessed, words alone": {"reference_tau": 0.0},
    "sides guessed, tau 0.5": {"reference_tau": 0.5},
    "sides guessed, not kept to": {"imagined_sides": 0.0},
}

# Of DreamBooth3D, beside the whole of it: the paper's baselines, what the paper has not, and single parts left out.
AT_ONCE: dict[str, protocol.Setting] = {  # the first field is the result
    "warm_start": True, "final_steps": 1, "multi_view_steps": 1, "reconstruction": 0.0, "photo_weight": 0.0,
}  # fmt: skip
SUBJECTS: dict[str, dict[str, protocol.Setting]] = {
    "whole": {},
    "stage 1 alone": AT_ONCE,
    "DreamBooth and SDS": {**AT_ONCE, "partial_steps": 40},  # one stage, under the fully taught prior
    "no redrawn views": {"reconstruction": 0.0},
    "no cameras of photos": {"photo_cameras": False},
    "photos not kept to": {"photo_weight": 0.0},
    "class from anywhere": {"class_views": False},
    "words not taught": {"tuning_text_encoder": False},
    "no palette": {"palette": 0.0},
    "from a ball": {"guessed_sides": False},
    "guess not kept to": {"imagined_sides": 0.0},
    "as strongly guided as first": {"final_scale": 15.0},
    "weakly kept to": {"reconstruction": 1.0, "photo_weight": 1.0},
    "as in the paper": {
        "guessed_sides": False,
        "photo_cameras": False,
        "photo_weight": 0.0,
        "class_views": False,
        "camera_tokens": False,
        "tuning_text_encoder": False,
        "final_scale": 15.0,
        "reconstruction": 1.0,
        "palette": 0.0,
    },
    "warm start": {"warm_start": True},
    "CSD": {"loss": "csd"},
}
# Of Customize-It-3D: what the paper has and is left out, and what it has not.
ONE_IMAGE: dict[str, dict[str, protocol.Setting]] = {
    "whole": {},
    "colours alone": {"modalities": "rgb"},
    "words for colours alone": {"shading_aware": False},
    "no 3D prior": {"novel_views": 0.0, "refine_novel_views": 0.0},
    "not refined": {"refine_steps": 0},
    "points from depth": {"points_from": "depth"},
    "no palette": {"palette": 0.0},
    "sides drawn": {"guessed_sides": False},
    "sides not kept to": {"drawn_sides": 0.0},
    "from the outline": {"start": "outline"},
    "from a ball": {"start": "ball"},
    "class alone": {"whole_prompt": False},
    "words taught": {"tuning_text_encoder": True, "tuning_rate": 5e-4},
    "words taught slowly": {"tuning_text_encoder": True, "tuning_rate": 2e-4},
    "as in the paper": {
        "start": "ball", "palette": 0.0, "drawn_sides": 0.0, "whole_prompt": False, "schedule": "sequential",
        "camera_tokens": False, "reference_normal": 0.0,
    },
}  # fmt: skip
SYSTEMS = {"subjects": "dreambooth3d", "one_image": "customize_it_3d"}  # of groups that are not of TV-3DG


def evaluations(settings: dict[str, Any], timestep: float = 480.0) -> float:
    """Return the UNet's evaluations of a view in a mean step: docs/tv3dg.md has the formula of each loss."""
    delta_t = settings.get("delta_t", 100)
    match settings.get("loss", "vpcsm"):
        case "sds" | "csd":
            return 2
        case "ism":
            return 3 + math.ceil((timestep - delta_t) / 200)
        case "vsd":
            return 6  # three, and one forward and back
        case "csm":
            return 2 + math.ceil(timestep / delta_t)
        case _:
            return 2 + math.ceil(timestep / delta_t) + (settings.get("perturbation", 0) > 0)


def groups() -> dict[str, dict[str, dict[str, protocol.Setting]]]:
    """Return the variants of each group, by name."""
    budget = EVALUATED * evaluations(LOSSES["CSM"])
    paid = {name: {**chosen, "steps": round(budget / evaluations(chosen))} for name, chosen in LOSSES.items()}
    return {
        "losses": LOSSES,
        "evaluations": paid,
        "camera_off": {name: {**chosen, "camera_tokens": False} for name, chosen in LOSSES.items()},
        "ablations": ABLATIONS,
        "style": STYLE,
        "unseen": UNSEEN,
        "subjects": SUBJECTS,
        "one_image": ONE_IMAGE,
    }  # fmt: skip


def main() -> int:
    """Run what is missing of a group, measure it, and put it into the results; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--group", choices=list(groups()), required=True)
    parser.add_argument("--names", nargs="+", metavar="NAME", help="variants of the group; default: all")
    parser.add_argument(
        "--cases", help="kinds or names of cases, with commas; default: six prompts, or what the group is for"
    )
    parser.add_argument("--preset", choices=protocol.PRESETS, default="bench")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("out/quality"))
    parser.add_argument("--results", type=Path, help="default: benchmarks/results/variants-SYSTEM-PRESET.json")
    parser.add_argument("--sheet", type=Path, help="draw all results into this file, a column for each variant")
    options = parser.parse_args()
    variants, system = groups()[options.group], SYSTEMS.get(options.group, "tv3dg")
    names = options.names or list(variants)
    try:
        cases = choose(options.cases or OTHER_CASES.get(options.group, CASES))
        if unknown := [name for name in names if name not in variants]:
            raise ValueError(f"{options.group} has no variant {unknown[0]!r}: {', '.join(variants)}")
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    runs = [
        (
            name,
            prepare(
                case, options.out, system=system, preset=options.preset, seed=0, prior="embedded",
                threads=options.threads, settings=variants[name],
            ),
        )
        for name in names
        for case in cases
    ]  # fmt: skip
    missing = {run.folder: run for _, run in runs if not finished(run.folder)}
    failed = run_jobs(list(missing.values()))
    path = options.results or RESULTS / f"variants-{system}-{options.preset}.json"
    done = [(name, run) for name, run in runs if finished(run.folder)]
    put(path, options.group, measure(done, options.threads), options)
    if options.sheet:
        draw_grid(done).save(options.sheet)
    print(f"{len(done)} runs, {len(failed)} failed: {path}")
    return 1 if failed else 0


def measure(runs: list[tuple[str, Run]], threads: int) -> list[Row]:
    """Measure finished runs; each row is named by its variant."""
    import torch

    from benchmarks.judges.bench import load_embedded

    judges = load_embedded()
    torch.set_num_threads(threads)
    rows = measure_runs([run for _, run in runs], judges, "embedded")
    return [Row(name, row.case, row.seed, row.figures) for (name, _), row in zip(runs, rows, strict=True)]


def draw_grid(runs: list[tuple[str, Run]], size: int = 144) -> Image.Image:
    """Return the previews of named runs: a column for each name, under it, and a row for each case."""
    names = list(dict.fromkeys(name for name, _ in runs))
    cases = list(dict.fromkeys(run.case.name for _, run in runs))
    grid = Image.new("RGB", (size * len(names), HEAD + size * len(cases)), "white")
    draw = ImageDraw.Draw(grid)
    for column, name in enumerate(names):
        draw.text((size * column + size // 2, HEAD // 2), name, fill="black", anchor="mm")
    for name, run in runs:
        with Image.open(run.folder / protocol.PICTURE_FILE) as preview:
            picture = preview.convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
        grid.paste(picture, (size * names.index(name), HEAD + size * cases.index(run.case.name)))
    return grid


def put(path: Path, group: str, rows: list[Row], options: argparse.Namespace) -> None:
    """Replace the rows of the measured variants and cases in the results, and keep all others."""
    from backend.weights import EMBEDDED, fingerprint

    prior = fingerprint(EMBEDDED)
    kept = json.loads(path.read_text())["rows"] if path.is_file() else []
    new = [{"group": group, "prior": prior[:12], **row.as_json()} for row in rows]
    keys = {(row["group"], row["who"], row["case"], row["seed"]) for row in new}
    kept = [row for row in kept if (row["group"], row["who"], row["case"], row["seed"]) not in keys]
    lines = ",\n  ".join(json.dumps(row) for row in [*kept, *new])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{{"preset": "{options.preset}", "threads": {options.threads},\n "rows": [\n  {lines}\n ]\n}}\n')


if __name__ == "__main__":
    sys.exit(main())
