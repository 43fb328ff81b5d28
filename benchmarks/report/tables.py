"""Writes the documents' tables from the committed results: `python -m benchmarks.report.tables [--check]`.

A table stands between the lines `<!-- table NAME -->` and `<!-- end -->`; what lies between is replaced.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.report import card_tables, companion_tables, setting_tables
from benchmarks.report.quality_tables import COLUMNS, contrasts, differences, frechet, plot, quality, variants
from benchmarks.report.trade_off import trade_off

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "benchmarks" / "results"
DOCUMENTS = (
    "README.md", "docs/companions.md", "docs/dreambooth3d.md", "docs/edit-by-text.md", "docs/embedded-prior.md",
    "docs/fields.md", "docs/manual.md", "docs/performance.md", "docs/quality.md",
    "docs/time-and-memory.md", "docs/tv3dg.md",
)  # fmt: skip
_BLOCK = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def prior(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the prior's figures: what, measured, aim."""
    judge, pairs, cameras = figures["judge_on_renders"], figures["held_out_pairs"], figures["cameras"]
    recital, diversity = figures["recital"], figures["diversity"]
    rows = [
        ["", "measured", "aim"],
        ["right category", f"{pairs['category_accuracy']:.0%} of {pairs['samples']} samples", "80 %"],
        ["right main colour", f"{pairs['colour_accuracy']:.0%}", "85 %"],
        ["the judge itself, on true renders: category, colour, within 45 degrees",
         f"{judge['category']:.0%}, {judge['colour']:.0%}, {judge['within_45_degrees']:.0%}", ""],
        ["categories with a front of whose six views half or more are met", f"{cameras['categories_met']:.0%}", "80 %"],
        ["views within 45 degrees of what was asked", f"{cameras['views_within_45_degrees']:.0%}", ""],
        ["autoencoder, held-out renders", f"{figures['autoencoder_psnr']:.1f} dB", "28 dB"],
        ["distance of samples of one prompt (of different prompts)",
         f"{diversity['within_a_prompt']:.3f} ({diversity['between_prompts']:.3f})", ""],
    ]  # fmt: skip
    if recital:
        rows.append(
            [
                "distance to the nearest training render (of new true renders)",
                f"{recital['nearest_training_render']:.3f} "
                f"({recital['nearest_training_render_of_new_true_renders']:.3f})",
                "",
            ]
        )
    return rows


def sizes(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the prior's parts on disk."""
    parts = [[f"`{name}`", f"{count / 1e6:.2f} MB"] for name, count in figures["bytes"].items()]
    return [["part", "on disk"], *parts, ["all", f"{sum(figures['bytes'].values()) / 1e6:.1f} MB"]]


def demo(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the demo's figures beside what a ball and a flat picture would score."""
    return [
        ["", "measured", "aim"],
        ["time, two CPU cores", f"{figures['seconds']:.0f} s", "240 s"],
        ["mask IoU at the given view", f"{figures['reference_mask_iou']:.2f}", "0.85"],
        ["PSNR inside the mask", f"{figures['reference_psnr']:.1f} dB", "18 dB"],
        ["silhouette IoU, eight other views, after alignment", f"{figures['other_views_iou']:.2f}", "0.70"],
        *([["the same, where the image says that it stands", f"{figures['framed_iou']:.2f}", "0.70"]]
          if "framed_iou" in figures else []),
        ["Chamfer distance", f"{figures['chamfer']:.3f}",
         f"below a ball ({figures['chamfer_ball']:.3f}) and a flat picture ({figures['chamfer_billboard']:.3f})"],
    ]  # fmt: skip


def distillation(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of a step against its floor; those from before the loss was noted are of CSM."""
    with_memory = any("peak_memory_gib" in row for row in figures["rows"])
    rows = [["loss", "delta_t", "Gaussians", "UNet images", "step", "UNet", "encoder", "step / floor"]]
    rows[0] += ["peak memory"] if with_memory else []
    for row in figures["rows"]:
        loss = row.get("loss", "csm")
        loss += f", tau {row['tau']:g}, s {row['perturbation']:g}" if loss == "vpcsm" else ""
        rows.append(
            [
                loss, str(row["delta_t"]), str(row["gaussians"]), f"{row['unet_images_per_step']:.1f}",
                f"{row['step_ms']:.0f} ms", f"{row['unet_ms']:.0f} ms", f"{row['encoder_ms']:.0f} ms",
                f"{row['step_over_floor']:.2f}", *([f"{row['peak_memory_gib']:.1f} GiB"] if with_memory else []),
            ]
        )  # fmt: skip
    return rows


def distillation_full(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of a step at full size, or one that says that no GPU has measured them yet."""
    if "full" not in figures:
        return [["not measured yet: it needs an NVIDIA GPU"]]
    return distillation(figures["full"])


def rasteriser(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the rasteriser: forward and backward, and against the dense version."""
    rows = [["Gaussians", "pixels", "views", "Gaussian-pixel pairs", "forward + backward"]]
    for row in figures["sizes"]:
        size = f"{row['pixels']} x {row['pixels']}"
        rows.append([str(row["gaussians"]), size, str(row["views"]), f"{row['pairs']:,}", f"{row['best_ms']:.1f} ms"])
    return rows


def against(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the rasteriser against the dense version in torch, and of two threads against one."""
    rows = [["", "ours", "other", "ratio"]]
    for row in figures["naive"]:
        what = f"{row['gaussians']} Gaussians, {row['pixels']} px, dense torch"
        rows.append([what, f"{row['ms']:.1f} ms", f"{row['naive_ms']:.0f} ms", f"{row['ratio']:.0f}x"])
    for row in figures["threads"]:
        what = f"{row['views']} view(s) at 128 px, one thread"
        rows.append([what, f"{row['two_ms']:.1f} ms", f"{row['one_ms']:.1f} ms", f"{row['ratio']:.2f}x"])
    return rows


def ceiling(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of what a perfect prior reaches, whole pictures and inside the outline."""
    rows = [["preset", "object", "autoencoder alone", "start", "made, in latents", "made, in pixels", "points, size"]]
    for row in figures["rows"]:
        made = row["latents"]
        values = [
            f"{row[n]['whole']:.1f} / {row[n]['inside']:.1f}" for n in ("autoencoder", "start", "latents", "pixels")
        ]
        points = f"{row['start']['gaussians']} of {row['start']['sigma_px']:.1f} px, then "
        rows.append(
            [row["preset"], row["object"], *values, points + f"{made['gaussians']} of {made['sigma_px']:.1f} px"]
        )
    for preset, mean in figures["means"].items():
        names = ("autoencoder", "start", "latents", "pixels")
        rows.append([preset, "mean, whole pictures", *(f"{mean[name]:.1f}" for name in names), ""])
    return rows


def faults(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the same requests before and after the faults of the optimiser and the meshes were mended."""
    columns = {
        "PSNR, dB ↑": ("psnr", 1), "silhouette IoU ↑": ("silhouette_iou", 3), "Chamfer ↓": ("chamfer", 3),
        "Chamfer to its family ↓": ("family_chamfer", 3), "A-LPIPS ↓": ("a_lpips_conv_s", 3),
        "category read ↑": ("read_category", 2), "saturation": ("saturation", 2),
        "mesh as its points, dB ↑": ("mesh_psnr", 1), "covers ↑": ("coverage", 3), "dark ↓": ("dark", 4),
        "back to front, ΔE": ("back_to_front", 1),
    }  # fmt: skip
    rows = [["", *columns]]
    for row in figures["rows"]:
        told = [
            " → ".join(f"{value:.{digits}f}" for value in row[name]) if name in row else ""
            for name, digits in columns.values()
        ]
        rows.append([row["case"], *told])
    return rows


def field_views(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of four views of a radiance field, forward and backward."""
    rows = [["field", "samples", "wall clock", "process time", "floor", "process time / floor"]]
    for row in figures["four_views"]:
        times = [f"{row[name]:.0f} ms" for name in ("wall_ms", "process_ms", "floor_process_ms")]
        rows.append([row["name"], f"{row['samples']:,}", *times, f"{row['ratio']:.1f}"])
    return rows


def field_fit(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the field that was fitted to renders."""
    fit = figures["fit"]
    reached = fit["aim_reached"]
    when = f"{reached['steps']} steps, {reached['process_seconds']:.0f} s of process time" if reached else "never"
    return [
        ["", "measured"],
        [f"{fit['aim']:.0f} dB of held-out views reached after", when],
        ["PSNR of held-out views", f"{fit['held_out_psnr']:.1f} dB"],
        ["PSNR of the renders that it saw", f"{fit['psnr']:.1f} dB"],
        [
            f"{fit['steps']} steps of four views",
            f"{fit['seconds']:.0f} s, {fit['process_seconds']:.0f} s of process time",
        ],
        ["mesh: IoU of outlines with the field's", f"{fit['mesh_silhouette_iou']:.3f}"],
        ["mesh: Chamfer distance to the robot's surface", f"{fit['chamfer']:.4f}"],
    ]


def panel(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of what the add-on costs Blender's main thread."""
    steady, flood, preview, importing = (figures[name] for name in ("steady", "flood", "preview", "import"))
    over = steady["ticks_over_budget"] + flood["ticks_over_budget"]
    return [
        ["", "ms"],
        ["a tick while a job runs", f"{steady['median_ms']:.2f}"],
        ["a tick with a message", f"{steady['median_with_messages_ms']:.2f}"],
        ["the worst tick of a job", f"{steady['worst_ms']:.2f}"],
        [f"a tick of a flood of {flood['messages']:,} messages", f"{flood['median_with_messages_ms']:.2f}"],
        ["ticks over 8 ms, of both", f"{over} of {steady['ticks'] + flood['ticks']}"],
        ["the tick that starts the process", f"{max(steady['start_ms'], flood['start_ms']):.2f}"],
        ["the first live picture", f"{preview['first_ms']:.2f}"],
        ["a live picture of 512 px", f"{preview['512_px']:.2f}"],
        ["importing a draft, the first time (again)", f"{importing['first_ms']:.0f} ({importing['again_ms']:.0f})"],
    ]


def edits(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the edits by text: what changed, and how much of the rest stayed."""
    rows = [["new words", "changed", "the rest right", "nearer to the new words", "silhouette IoU", "colour distance"]]

    def nearer(said: dict[str, float]) -> float:
        shares = [value for name, value in said.items() if name.startswith("nearer_")]
        return sum(shares) / len(shares)

    for row in figures["rows"]:
        new, old = row["figures"], row["start"]
        rows.append(
            [
                row["prompt"], f"{new['changed']:.0%} ({old['changed']:.0%})",
                f"{new['others_right']:.0%} ({old['others_right']:.0%})", f"{nearer(new):.0%} ({nearer(old):.0%})",
                f"{new['silhouette_iou']:.2f}", f"{new['colour_distance']:.3f}",
            ]
        )  # fmt: skip
    return rows


QUALITY = "quality-tv3dg-bench.json"
VARIANTS = "variants-tv3dg-bench.json"
CONTRASTS = (  # of variants: what the paper claims, and what was tried where it does not hold here
    ("losses", "CSM", "losses", "SDS"),
    ("losses", "CSM", "losses", "ISM"),
    ("losses", "VPCSM", "losses", "CSM"),
    ("losses", "full", "losses", "CSM"),
    ("losses", "full", "losses", "VPCSM"),
    ("ablations", "SGC times 41", "losses", "VPCSM"),
    ("ablations", "SGC times 410", "losses", "VPCSM"),
    ("ablations", "lambda_1 0", "ablations", "full"),
    ("ablations", "lambda_2 0", "ablations", "full"),
    ("ablations", "lambda_i 0", "ablations", "full"),
    ("ablations", "full", "ablations", "reward moves points"),
    ("ablations", "full", "ablations", "s 0"),
    ("ablations", "s 6", "ablations", "s 0"),
    ("ablations", "s 1 in the middle", "ablations", "s 0"),
    ("evaluations", "CSM", "evaluations", "SDS"),
    ("evaluations", "CSM", "evaluations", "CSD"),
    ("ablations", "default", "ablations", "from a ball"),
)
UNSEEN_CONTRASTS = tuple(("unseen", name, "unseen", other) for name, other in (
    ("tau 0.25", "words alone"), ("tau 0.5", "words alone"), ("tau 1", "words alone"), ("tau 1.5", "words alone"),
    ("tau 1.5", "tau 1"), ("tau 1, sides recoloured", "tau 1"), ("tau 1, palette 10", "tau 1"),
    ("sides guessed", "tau 1, palette 10"), ("sides guessed", "sides guessed, first form"),
    ("sides guessed", "sides guessed, second form"),
    ("sides guessed", "sides guessed, words alone"), ("sides guessed", "sides guessed, tau 0.5"),
    ("sides guessed, first form", "sides guessed, not kept to"),
))  # fmt: skip
_COLUMN = {(kind, column.head): column for kind, columns in COLUMNS.items() for column in columns}
PLOTS = {  # file below docs/images -> its results file and what draws them
    **{
        name: (QUALITY, partial(plot, kind=kind, column=_COLUMN[kind, head]))
        for name, kind, head in (
            ("quality-image-chamfer.svg", "image", "Chamfer ↓"),
            ("quality-image-psnr.svg", "image", "PSNR, dB ↑"),
            ("quality-prompt-precision.svg", "prompt", "R-precision ↑"),
        )
    },
    "style-or-words.svg": (
        VARIANTS,
        partial(
            trade_off, group="style", kind="style",
            across=_COLUMN["style", "style similarity ↑"], up=_COLUMN["style", "CLIP score ↑"],
        ),
    ),
}  # fmt: skip

# Table -> its results file, if it is of measurements, and what makes rows of it.
COMPANIONS = "companions.json"
TABLES = {
    "presets": ("", lambda _: setting_tables.presets("tv3dg")),
    "recipes": ("", lambda _: setting_tables.recipes()),
    "tv3dg_settings": ("", lambda _: setting_tables.settings("tv3dg")),
    "card_memory": ("", lambda _: card_tables.memory()),
    "card_times": ("", lambda _: card_tables.times()),
    "forecasts": ("forecasts.json", card_tables.tried),
    "forecasts_full": ("full_size_steps.json", card_tables.steps),
    "panel": ("panel.json", panel),
    "prior": ("prior.json", prior),
    "sizes": (COMPANIONS, sizes),
    "companions": (COMPANIONS, companion_tables.companions),
    "novel_views": (COMPANIONS, companion_tables.novel_views),
    "image_prompts": (COMPANIONS, companion_tables.image_prompts),
    "volumes": ("volumes.json", companion_tables.volumes),
    "demo": ("demo.json", demo),
    "edits": ("edits.json", edits),
    "distillation": ("distillation.json", distillation),
    "distillation_full": ("distillation.json", distillation_full),
    "full_size": ("full_size.json", card_tables.full_size),
    "rasteriser": ("rasteriser.json", rasteriser),
    "ceiling": ("ceiling.json", ceiling),
    "faults": ("faults.json", faults),
    "against": ("rasteriser.json", against),
    "field_views": ("field.json", field_views),
    "field_fit": ("field.json", field_fit),
    **{f"tv3dg_{kind}": (QUALITY, partial(quality, kind=kind)) for kind in ("prompt", "style", "image")},
    **{f"tv3dg_{kind}_less": (QUALITY, partial(differences, kind=kind)) for kind in ("prompt", "style", "image")},
    "tv3dg_frechet": (QUALITY, frechet),
    "tv3dg_contrasts": (VARIANTS, partial(contrasts, pairs=CONTRASTS)),
    "tv3dg_unseen": (VARIANTS, partial(variants, group="unseen", kind="image")),
    "tv3dg_unseen_contrasts": (VARIANTS, partial(contrasts, pairs=UNSEEN_CONTRASTS, kind="image")),
    "tv3dg_variants_style": (VARIANTS, partial(variants, group="style", kind="style")),
    **{
        f"tv3dg_variants_{group}": (VARIANTS, partial(variants, group=group))
        for group in ("losses", "evaluations", "camera_off", "ablations")
    },
}


def fill(text: str, results: Path = RESULTS) -> str:
    """Return a document with every table made anew from the results."""

    def table(match: re.Match[str]) -> str:
        file, make = TABLES[match[2]]
        if file and not (results / file).is_file():
            rows = [[f"not measured yet: {file} is missing"]]
        else:
            rows = make(json.loads((results / file).read_text()) if file else {})
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        lines.insert(1, "|" + "---|" * len(rows[0]))
        return match[1] + "\n".join(lines) + "\n" + match[3]

    return _BLOCK.sub(table, text)


def draw(name: str, results: Path = RESULTS) -> str:
    """Return the SVG of one plot; nothing where its results are not there yet."""
    file, make = PLOTS[name]
    return make(json.loads((results / file).read_text())) if (results / file).is_file() else ""


def stale_plots() -> dict[Path, str]:
    """Return the plots that are not what the results give, with what they should be."""
    wanted = {ROOT / "docs" / "images" / name: draw(name) for name in PLOTS}
    return {
        path: text for path, text in wanted.items() if text and not (path.is_file() and path.read_text("utf-8") == text)
    }


def main() -> int:
    """Rewrite the documents and plots, or with --check only say which differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    stale = []
    for name in DOCUMENTS:
        before = (ROOT / name).read_text(encoding="utf-8")
        after = fill(before)
        if after != before:
            stale.append(name)
            if not options.check:
                (ROOT / name).write_text(after, encoding="utf-8")
    for path, text in stale_plots().items():
        stale.append(path.name)
        if not options.check:
            path.write_text(text, encoding="utf-8")
    print(f"{'stale' if options.check else 'rewritten'}: {', '.join(stale) or 'nothing'}")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
