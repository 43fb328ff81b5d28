"""Judges a system on the whole set: `python -m benchmarks.commands.quality --system tv3dg --cases image`.

Every run is a job folder named by what is asked for, below out/quality: the command can be given again after days, runs
what is missing, and more seeds can be added. Beside the system stand its references: the true object, the same
representation fitted to 24 true views in the same time (oracle), the nearest training object, a ball, a billboard of
the given picture, and the prior's own samples. What is measured is in benchmarks/metrics.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from addon import protocol
from benchmarks.data.artists import model_file, unpack
from benchmarks.data.cases import Case, choose
from benchmarks.data.jobs import Run, finished, prepare, read_facts, run_jobs

RESULTS = Path(__file__).parent.parent / "results"
DEFAULT_KINDS = {"tv3dg": "prompt,style,image", "dreambooth3d": "subject", "customize_it_3d": "image"}


@dataclass(frozen=True)
class Row:
    """One measured thing: a run of the system, or a reference."""

    who: str
    case: Case
    seed: int
    figures: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """Return what is written into the results."""
        return {"who": self.who, "case": self.case.name, "kind": self.case.kind, "seed": self.seed, **self.figures}


def measure_runs(runs: list[Run], judges: Any, towers: str) -> list[Row]:
    """Measure every finished run (kept in its job folder)."""
    from benchmarks.commands.demo import read_glb
    from benchmarks.data.references import textured
    from benchmarks.metrics.evaluation import evaluated

    rows = []
    for run in runs:
        figures = evaluated(
            lambda run=run: textured(read_glb(run.folder / protocol.MESH_FILE), framed=run.case.kind == "image"),
            run.case, judges, run.folder / f"measured-{towers}.json",
        )  # fmt: skip
        rows.append(Row(run.request.system, run.case, run.request.seed, figures | {"seconds": seconds_of(run)}))
        print(f"measured {run.folder.name}", flush=True)
    return rows


def seconds_of(run: Run) -> float:
    """Return how long all stages of a finished run took."""
    return round(sum(read_facts(run.folder)["seconds"].values()), 1)


def missing_judges(towers: str, folder: Path) -> str:
    """Return a sentence where judges cannot be loaded, else nothing."""
    from benchmarks.judges.bench import load_embedded

    try:
        load_embedded()
        if towers == "public":
            from benchmarks.judges.public import load_public

            load_public(folder)
    except FileNotFoundError as error:
        return str(error)
    return ""


def write_results(path: Path, rows: list[Row], facts: dict[str, Any]) -> None:
    """Write rows and facts, one row for each line, sorted."""
    rows = sorted(rows, key=lambda row: (row.case.kind, row.case.name, row.who, row.seed))
    lines = ",\n  ".join(json.dumps(row.as_json()) for row in rows)
    head = json.dumps(facts, indent=1)[:-2]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{head},\n "rows": [\n  {lines}\n ]\n}}\n')


def main() -> int:
    """Run what is missing, measure everything, write the results; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", choices=protocol.SYSTEMS, required=True)
    parser.add_argument("--cases", help="kinds or names of cases, separated by commas; default: what the system is for")
    parser.add_argument("--seeds", type=int, default=1, help="runs of every case, with the seeds 0, 1, ...")
    parser.add_argument("--preset", choices=protocol.PRESETS, default="bench")
    parser.add_argument("--prior", default="embedded")
    parser.add_argument("--towers", choices=["embedded", "public"], default="embedded")
    parser.add_argument("--public", type=Path, default=Path(".cache/public"), help="folder of the public weights")
    parser.add_argument("--furniture", type=Path, help="Debian's package of artists' models, for the cases `artists`")
    protocol.add_set(parser, "a setting of the system")
    parser.add_argument("--threads", type=int, default=2, help="of every run: times compare only at equal numbers")
    parser.add_argument("--out", type=Path, default=Path("out/quality"))
    parser.add_argument("--results", type=Path, help="default: benchmarks/results/quality-SYSTEM-PRESET.json")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of all results to this file")
    parser.add_argument("--no-references", action="store_true", help="measure the system alone")
    options = parser.parse_args()
    try:
        cases = choose(options.cases or DEFAULT_KINDS[options.system])
        settings = dict(options.set)
        if options.furniture:
            unpack(options.furniture)
        for case in cases:
            if case.model:
                model_file(case.model)
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if sentence := missing_judges(options.towers, options.public):
        print(f"error: {sentence}", file=sys.stderr)
        return 3
    runs = [
        prepare(
            case, options.out, system=options.system, preset=options.preset, seed=seed, prior=options.prior,
            threads=options.threads, settings=settings,
        )
        for seed in range(options.seeds)
        for case in cases
    ]  # fmt: skip
    failed = run_jobs([run for run in runs if not finished(run.folder)])
    return judge(options, [run for run in runs if finished(run.folder)], cases, failed)


def judge(options: argparse.Namespace, runs: list[Run], cases: tuple[Case, ...], failed: dict[str, str]) -> int:
    """Measure runs and references, write the results, and return 1 if a run failed."""
    import torch

    from benchmarks.judges.bench import load_embedded
    from benchmarks.metrics.evaluation import frechet_rows, reference_rows

    torch.set_num_threads(options.threads)
    if options.towers == "public":
        from benchmarks.judges.public import load_public

        judges = load_public(options.public)
        print("\n".join(judges.missing), flush=True)
    else:
        judges = load_embedded()
    rows = measure_runs(runs, judges, options.towers)
    facts: dict[str, Any] = {
        "system": options.system, "preset": options.preset, "prior": options.prior, "towers": options.towers,
        "settings": dict(options.set), "threads": options.threads, "judges": judges.fingerprint,
        "runs": len(runs), "failed": failed, "missing": list(judges.missing),
        "median_seconds": statistics.median(row.figures["seconds"] for row in rows) if rows else None,
    }  # fmt: skip
    if not options.no_references and rows:
        places = [run.folder for run in runs]
        seconds = statistics.median(optimisation_seconds(run) for run in runs)
        facts["oracle_seconds"] = round(seconds, 1)
        rows += [Row(*found) for found in reference_rows(cases, judges, options, seconds)]
        facts["frechet"] = frechet_rows(cases, places, judges, options)
    path = options.results or RESULTS / f"quality-{options.system}-{options.preset}.json"
    if options.towers == "public" and not options.results:
        path = path.with_name(f"{path.stem}-public.json")
    write_results(path, rows, facts)
    if options.sheet:
        from benchmarks.report.contact_sheet import write_sheet

        write_sheet(options.sheet, runs)
    print(f"{len(runs)} runs of {len(cases)} cases, {len(failed)} failed: {path}")
    return 1 if failed else 0


def optimisation_seconds(run: Run) -> float:
    """Return how long a run optimised: its stages without what turns the result into a mesh."""
    return sum(value for name, value in read_facts(run.folder)["seconds"].items() if name not in ("mesh", "export"))


if __name__ == "__main__":
    sys.exit(main())
