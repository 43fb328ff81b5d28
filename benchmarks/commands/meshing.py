"""Measures what becomes of Gaussians on the way to a textured mesh, `python -m benchmarks.commands.meshing --out JSON`.

Gaussians are fitted to true views of generated objects and meshed at the grid resolutions of the presets; both are
compared with the truth in views that no fit has seen. `--sheet PNG` shows them beside each other.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch

from addon.protocol.systems.tv3dg import TV3DG
from backend.cameras import Cameras, orbit
from backend.embedded.objects.shapes import HELD_OUT, make_subject
from backend.images import save_image
from backend.meshes.rasteriser import render_mesh, silhouette_iou
from backend.rendering.splats import splat_renderer
from backend.representations.gaussians import Gaussians
from backend.systems.textured_mesh import textured_gaussians
from benchmarks.data.draw import WHITE, Draw, Views, solid_views
from benchmarks.data.references import fitted
from benchmarks.metrics.pictures import psnr

OBJECTS = ("robot", "teapot", "chair")
RESOLUTIONS = (64, 96, 112, 144)
FIT_STEPS = 400
EDGE_SAMPLES = 4  # along both sides of a pixel: edges are as smooth in all pictures
# Between the azimuths and elevations that the fit sees.
AZIMUTHS, ELEVATIONS = tuple(7.5 + 30.0 * i for i in range(12)), (0.0, 28.0, 52.0) * 4
SHOWN = (0, 3, 7)  # of these views, on the sheet


def figures(made: Views, true: Views) -> dict[str, float]:
    """Return the mean PSNR (dB) over whole pictures and inside the true mask, silhouette IoU, and area over true's."""
    return {
        "psnr": float(psnr(made.rgb, true.rgb).mean()),
        "psnr_inside": float(psnr(made.rgb, true.rgb, (true.alpha > 0.99).float()).mean()),
        "iou": float(silhouette_iou(made.alpha, true.alpha).mean()),
        "area": float((made.alpha > 0.5).sum() / (true.alpha > 0.5).sum()),
    }


def finely(draw: Draw, samples: int = EDGE_SAMPLES) -> Draw:
    """Return what draws `samples` x `samples` times per pixel and takes the mean.

    A photograph's own smooth edges lie outside the object, up to a pixel: what is fitted to them is 3 % too large.
    """

    def mean(values: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(values.permute(0, 3, 1, 2), samples).permute(0, 2, 3, 1)

    def draw_finely(cameras: Cameras) -> Views:
        seen = [draw(camera) for camera in cameras.with_width(cameras.width * samples)]
        return Views(*(torch.cat([mean(getattr(one, name)) for one in seen]) for name in ("rgb", "alpha", "normal")))

    return draw_finely


def splat_views(gaussians: Gaussians, size: int = 128) -> Views:
    """Return what Gaussians show to the held-out cameras over white."""
    with torch.no_grad():
        seen = splat_renderer(gaussians)(orbit(AZIMUTHS, ELEVATIONS, size=size), WHITE, geometry=True)
    return Views(seen.rgb.clamp(0, 1), seen.alpha, seen.normal)


def measure(category: str, resolutions: tuple[int, ...], steps: int) -> tuple[list[dict[str, Any]], torch.Tensor]:
    """Fit, mesh and compare one object: a row for each resolution, and a picture of true, splats and meshes."""
    true_draw = finely(solid_views(make_subject(HELD_OUT.first_seed, category=category).solid))
    gaussians, _ = fitted(true_draw, 0.0, least=steps)
    cameras, settings = orbit(AZIMUTHS, ELEVATIONS, size=128), TV3DG.presets["draft"]
    true, splats = true_draw(cameras), splat_views(gaussians)
    rows, shown = [], [true, splats]
    for resolution in resolutions:
        started = time.perf_counter()
        mesh, facts = textured_gaussians(
            gaussians, resolution=resolution, max_faces=settings.max_faces, texture_size=settings.texture_size,
            texture_steps=settings.texture_steps,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        drawn = render_mesh(mesh, cameras, samples=EDGE_SAMPLES)
        shown.append(Views(drawn.rgb, drawn.alpha, drawn.normal))
        row = {"object": category, "resolution": resolution, "splats": figures(splats, true)}
        rows.append(row | {"mesh": figures(shown[-1], true), "threshold": facts["threshold"], "seconds": seconds})
        show(rows[-1])
    lines = [torch.cat([views.rgb[i] for views in shown], dim=1) for i in SHOWN]
    return rows, torch.cat(lines, dim=0)


def show(row: dict[str, Any]) -> None:
    """Print a row."""
    mesh, splats = row["mesh"], row["splats"]
    print(
        f"{row['object']:8s} {row['resolution']:4d}  splats {splats['psnr']:5.1f} dB  mesh {mesh['psnr']:5.1f} dB, "
        f"inside {mesh['psnr_inside']:5.1f}  IoU {mesh['iou']:.3f}  area {mesh['area']:.3f}  "
        f"threshold {row['threshold']:.3f}  {row['seconds']:.1f} s",
        flush=True,
    )


def main() -> None:
    """Print the table; write it as JSON and a sheet where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", nargs="+", default=list(OBJECTS), metavar="CATEGORY")
    parser.add_argument("--resolutions", nargs="+", type=int, default=list(RESOLUTIONS))
    parser.add_argument("--steps", type=int, default=FIT_STEPS, help="of the fit to true views")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--gpu", action="store_true", help="changes nothing: meshes are made on the CPU")
    options = parser.parse_args()
    measured = [measure(category, tuple(options.resolutions), options.steps) for category in options.objects]
    if options.out:
        rows = [row for rows, _ in measured for row in rows]
        options.out.write_text(json.dumps({"fit_steps": options.steps, "rows": rows}, indent=1) + "\n")
    if options.sheet:
        save_image(options.sheet, torch.cat([picture for _, picture in measured], dim=0))


if __name__ == "__main__":
    main()
