"""Compares the same requests made by two versions, `python -m benchmarks.report.faults --before DIR --after DIR`.

Both folders come from `benchmarks.commands.quality --out DIR`, each run in the checkout of its version; what that
measured is read, and what becomes of the points on their way to the mesh is measured here, alike for both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from addon import protocol
from backend.cameras import Cameras, orbit
from backend.export import read_points_ply
from backend.images import save_image
from backend.meshes.mesh import Mesh
from backend.meshes.rasteriser import interpolate, rasterise, render_mesh
from backend.rendering.splats import splat_renderer
from backend.representations.hull import look_up, project
from backend.systems.reference import Target, read_target
from benchmarks.commands.demo import read_glb
from benchmarks.data.cases import ELEVATION
from benchmarks.metrics.colours import colour_distance, from_behind
from benchmarks.metrics.pictures import psnr

RESULTS = Path(__file__).parent.parent / "results" / "faults.json"
KEPT = ("psnr", "silhouette_iou", "chamfer", "family_chamfer", "a_lpips_conv_s", "read_category", "saturation")
SIZE = 128
VIEWS = 24
DARKER = 0.15  # luminance by which a pixel of the mesh is below all that lies about it in what it was painted from
REACH = 2  # pixels that count as about it
NOTHING = 2.0  # what counts as the luminance where nothing is
LUMINANCE = torch.tensor([0.2126, 0.7152, 0.0722])


@torch.no_grad()
def compared(folder: Path) -> dict[str, float]:
    """Return what a finished job's mesh has kept of its points: PSNR in dB, share of their pixels, dark pixels, and

    how far the colours of the back are from those of the front, in dE. From 24 views of 128 px before white.
    """
    mesh, gaussians = read_glb(folder / protocol.MESH_FILE), read_points_ply(folder / protocol.POINTS_FILE)
    cameras = orbit([15.0 * i for i in range(VIEWS)], [0.0, 15.0, 30.0] * (VIEWS // 3), size=SIZE)
    points = splat_renderer(gaussians)(cameras, torch.ones(3))
    drawn = render_mesh(mesh, cameras)
    solid = points.alpha > 0.5
    behind = from_behind(cameras)
    front = [i for i in range(len(cameras)) if i not in behind]
    return {
        "mesh_psnr": float(psnr(drawn.rgb, points.rgb.clamp(0, 1)).mean()),
        "coverage": float((solid & (drawn.alpha > 0.5)).sum() / solid.sum()),
        "dark": dark_share(mesh, drawn.rgb, drawn.alpha, points.rgb, points.alpha, cameras, given(folder)),
        "back_to_front": colour_distance(
            drawn.rgb[behind], drawn.alpha[behind], drawn.rgb[front], drawn.alpha[front]
        ),
    }  # fmt: skip


def given(folder: Path) -> Target | None:
    """Return the cut-out image of a job, from where the benchmark says that it was taken; None without one."""
    stage = next(iter(folder.glob("stages/*-perceive")), None)
    if stage is None:
        return None
    fov = json.loads((stage / "values.json").read_text())["fov_degrees"]
    return read_target(stage, 0.0, ELEVATION, fov)


def dark_share(
    mesh: Mesh, rgb: Tensor, alpha: Tensor, points_rgb: Tensor, points_alpha: Tensor, cameras: Cameras,
    image: Target | None = None,
) -> float:  # fmt: skip
    """Return the share of a mesh's pixels that are darker than all that lies about them in what they were painted from.

    That is views of the points [B, H, W, 3] before white, with alpha [B, H, W, 1], and the given image, which need not
    see them. Pixels count that are solid in both, as are those about them.
    """
    solid = (torch.minimum(alpha, points_alpha) > 0.99).float()
    inner = -functional.max_pool2d(-solid.permute(0, 3, 1, 2), 3, 1, 1)[:, 0] > 0  # [B, H, W]
    darkest = darkest_about(points_rgb, points_alpha > 0.5)
    if image is not None:
        room = NOTHING - darkest_about(image.rgb, image.mask > 0.5)[..., None]  # so that outside the frame is nothing
        for each, camera in zip(darkest, cameras, strict=True):
            seen = rasterise(mesh, camera)
            places, _ = project(interpolate(seen, mesh.faces, mesh.vertices).float(), image.camera)
            covered = torch.from_numpy(seen.face >= 0)
            each[covered] = torch.minimum(each[covered], NOTHING - look_up(room, places)[0, :, 0])
    return float(((rgb @ LUMINANCE < darkest - DARKER) & inner).sum() / inner.sum().clamp_min(1))


def darkest_about(rgb: Tensor, solid: Tensor) -> Tensor:
    """Return the least luminance within REACH pixels of each [B, H, W], of what is solid [B, H, W, 1]."""
    luminance = torch.where(solid, (rgb @ LUMINANCE)[..., None], NOTHING)
    return -functional.max_pool2d(-luminance.permute(0, 3, 1, 2), 2 * REACH + 1, 1, REACH)[:, 0]


def row(before: Path, after: Path) -> dict[str, Any]:
    """Return the figures of one case, of both versions, side by side."""
    both = []
    for folder in (before, after):
        measured = json.loads((folder / "measured-embedded.json").read_text())["figures"]
        both.append({name: measured[name] for name in KEPT if name in measured} | compared(folder))
        print(f"{folder.name}: {both[-1]}", flush=True)
    return {name: [round(figures[name], 5) for figures in both] for name in both[0]}


def sheet(folders: list[tuple[Path, Path]]) -> Tensor:
    """Return a picture: a line for each case, its front, right, back and left before, then the same after."""
    cameras, lines = orbit([30.0, 120.0, 210.0, 300.0], 15.0, size=SIZE), []
    for pair in folders:
        drawn = [render_mesh(read_glb(folder / protocol.MESH_FILE), cameras).rgb for folder in pair]
        gap = torch.ones(SIZE, SIZE // 8, 3)
        lines.append(torch.cat([*drawn[0], gap, *drawn[1]], dim=1))
    return torch.cat(lines)


def main() -> int:
    """Compare all cases that both folders have, write the results and a sheet; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--after", type=Path, required=True)
    parser.add_argument("--preset", choices=protocol.PRESETS, default="bench")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    before, after = (jobs_of(folder / f"tv3dg-{options.preset}") for folder in (options.before, options.after))
    names = sorted(before.keys() & after.keys())
    if not names:
        print(f"error: {options.before} and {options.after} have no case in common", file=sys.stderr)
        return 2
    pairs = [(before[name], after[name]) for name in names]
    rows: list[dict[str, Any]] = [{"case": name} | row(*pair) for name, pair in zip(names, pairs, strict=True)]
    lines = ",\n  ".join(json.dumps(one) for one in rows)
    facts = f'"preset": "{options.preset}", "seed": 0, "threads": 1'
    options.out.write_text(f'{{{facts},\n "rows": [\n  {lines}\n ]\n}}\n')
    if options.sheet:
        save_image(options.sheet, sheet(pairs))
    for name in ("mesh_psnr", "coverage", "dark", "back_to_front"):
        print(name, *(f"{statistics.mean(one[name][i] for one in rows):.4f}" for i in (0, 1)))
    return 0


def jobs_of(folder: Path) -> dict[str, Path]:
    """Return the measured jobs below a folder, by the names of their cases (before seed and key)."""
    return {path.parent.name.rsplit("-", 2)[0]: path.parent for path in sorted(folder.glob("*/measured-embedded.json"))}


if __name__ == "__main__":
    sys.exit(main())
