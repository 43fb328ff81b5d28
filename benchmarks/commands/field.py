"""Time the radiance field and see how well it fits: `python -m benchmarks.commands.field [--out JSON] [--sheet PNG]`.

Four views of 64 px there and back, as a start, fitted, and with all geometry, against a floor: each sample that the
marcher takes must read the eight nodes around it and add to them on the way back. The floor does that alone, at the
same places in the same order, in the same minute. Then a field is fitted to 24 renders of the generator's robot.
Process time is told beside the wall clock: it stays true on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from backend.cameras import Cameras, concatenate, orbit, rays
from backend.embedded.objects.shapes import HELD_OUT, make_subject
from backend.embedded.objects.solids import albedo
from backend.images import save_image
from backend.meshes.radiance_surface import fit_density, mesh_from_radiance
from backend.regularisers import grid_variation
from backend.rendering.compiled import compiled
from backend.rendering.volume import SAMPLES, volume_renderer
from backend.rendering.volume_packed import Samples, box_crossings, march_all, weights_of
from backend.rendering.volume_shading import Shading
from backend.representations.radiance import EMPTY_RAW, density, surface_colours
from backend.representations.radiance_grid import RadianceGrid, blob_grid
from backend.schedules import log_linear
from backend.systems.textured_mesh import textured_mesh
from benchmarks.data.draw import Draw, mesh_views, painted_views
from benchmarks.metrics.geometry import chamfer, solid_mesh, surface_points

SIZE, VIEWS = 64, 24
STAGES = ((32, 80), (64, 160))  # nodes along a side, steps
BATCH = 4
FIRST_PRUNING, PRUNING = 60, 20  # steps
RATES = (0.3, 0.03)  # of Adam, from the first step to the last
AIM = 28.0  # decibels of held-out views
VARIATION = 2e-3  # weight of the grid's variation
LIGHT = Shading("textureless", torch.tensor([-1.5, -2.5, 3.0]), is_far=True)


def main() -> None:
    """Print the figures; write them as JSON, and pictures, where the options say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--sheet", type=Path, help="PNG to write: truth, fit, normals, shape, mesh of held-out views")
    parser.add_argument("--gpu", action="store_true", help="also time the packed renderer on CUDA")
    options = parser.parse_args()
    threads, load = torch.get_num_threads(), os.getloadavg()[0]
    fitted, fit, pictures = fit_robot()
    start = blob_grid(64)
    solid = start_of_solid()
    report = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, {threads} threads",
        "load_before": load,
        "four_views": [
            time_views("start, 32 nodes, 48 samples", blob_grid(32), samples=48),
            time_views("start, 64 nodes", start),
            time_views("a ball, 64 nodes", solid),
            time_views("a ball, 64 nodes, with geometry", solid, geometry=True),
            time_views("the fitted robot, 64 nodes", fitted),
            time_views("the fitted robot, 64 nodes, with geometry", fitted, geometry=True),
            time_views("the fitted robot, 96 nodes", fitted.resampled(96)),
        ],
        "skipping": time_skipping(fitted),
        "fit": fit,
        "load_after": os.getloadavg()[0],
    }
    if options.gpu:
        report["gpu"] = time_gpu(fitted)
    report["busy"] = max(report["load_before"], report["load_after"]) > 1.5 * threads
    show(report)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report, indent=1) + "\n")
    if options.sheet:
        options.sheet.parent.mkdir(parents=True, exist_ok=True)
        save_image(options.sheet, pictures)


def robot() -> tuple[Draw, np.ndarray]:
    """Return what draws the generator's robot as a mesh, and points on its surface."""
    solid = make_subject(HELD_OUT.first_seed + 1, category="robot", colour="red", pattern="plain", hat=False).solid
    mesh = solid_mesh(solid, 160)
    return painted_views(mesh, albedo(solid, mesh.vertices), samples=4), surface_points(mesh)


def fit_robot() -> tuple[RadianceGrid, dict, torch.Tensor]:
    """Fit a field to renders of the robot before random greys; return it, its figures, and pictures of it."""
    draw, surface = robot()
    cameras = orbit([360.0 * view / VIEWS for view in range(VIEWS)], [-25.0, 10.0, 45.0, 70.0] * 6, size=SIZE)
    held_out = orbit([20.0, 80.0, 140.0, 200.0, 260.0, 320.0], [0.0, 30.0, -10.0] * 2, size=SIZE)
    shown, unseen = draw(cameras), draw(held_out)
    generator = torch.Generator().manual_seed(0)
    field = blob_grid(STAGES[0][0]).requires_grad_()
    volume_renderer(field)(held_out, torch.ones(3)).rgb.sum().backward()  # compiles the kernels
    begin, began = time.perf_counter(), time.process_time()
    steps, step, reached = sum(count for _, count in STAGES), 0, None
    for nodes, count in STAGES:
        field = field.resampled(nodes)
        optimiser = torch.optim.Adam([field.values], fused=True)
        render = volume_renderer(field, samples=3 * nodes // 2, generator=generator)
        for _ in range(count):
            optimiser.param_groups[0]["lr"] = log_linear(step, steps, *RATES)
            chosen = torch.randperm(VIEWS, generator=generator)[:BATCH]
            background = torch.rand(3, generator=generator)
            target = shown.rgb[chosen] + (1 - shown.alpha[chosen]) * (background - 1)
            drawn = render(concatenate([cameras[int(view)] for view in chosen]), background)
            loss = (drawn.rgb - target).square().mean() + VARIATION * grid_variation(field.values) / 100
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            step += 1
            if step >= FIRST_PRUNING and step % PRUNING == 0:
                field.prune()
            if reached is None and step % 20 == 0:
                aside = time.process_time(), time.perf_counter()
                with torch.no_grad():
                    seen = volume_renderer(field)(held_out, torch.ones(3)).rgb
                if psnr(seen, unseen.rgb) >= AIM:
                    reached = {"steps": step, "process_seconds": aside[0] - began, "seconds": aside[1] - begin}
                began, begin = began + time.process_time() - aside[0], begin + time.perf_counter() - aside[1]
    seconds = time.perf_counter() - begin
    process = time.process_time() - began
    field.requires_grad_(False)
    found = volume_renderer(field)(held_out, torch.ones(3), geometry=True)
    trained = volume_renderer(field)(cameras, torch.ones(3)).rgb
    threshold, iou = fit_density(field, held_out, found.alpha)
    mesh = mesh_from_radiance(field, threshold, resolution=128)
    textured, facts = textured_mesh(mesh, surface_colours(field), volume_renderer(field, samples=2 * SAMPLES), 512)
    figures = {
        "renders": VIEWS,
        "pixels": SIZE,
        "nodes": STAGES[-1][0],
        "steps": steps,
        "seconds": seconds,
        "process_seconds": process,
        "aim": AIM,
        "aim_reached": reached,
        "held_out_psnr": psnr(found.rgb, unseen.rgb),
        "psnr": psnr(trained, shown.rgb),
        "held_out_alpha_error": float((found.alpha - unseen.alpha).abs().mean()),
        "threshold": threshold,
        "threshold_iou": iou,
        "mesh_silhouette_iou": facts["silhouette_iou"],
        "chamfer": chamfer(surface_points(mesh), surface),
    }
    shape = volume_renderer(field, shading=LIGHT)(held_out, torch.ones(3)).rgb
    seen = mesh_views(textured)(held_out).rgb
    normal = found.alpha * (found.normal + 1) / 2 + 1 - found.alpha
    rows = [unseen.rgb, found.rgb, normal, shape, seen]
    sheet = torch.cat([torch.cat(list(row.clamp(0, 1)), 1) for row in rows], 0)
    return field, figures, sheet.repeat_interleave(2, 0).repeat_interleave(2, 1)


def psnr(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """Return the mean over views [B, H, W, 3] of the peak signal-to-noise ratio in decibels."""
    errors = (found.clamp(0, 1) - wanted).square().flatten(1).mean(1)
    return float((-10 * errors.log10()).mean())


def start_of_solid() -> RadianceGrid:
    """Return an opaque ball of radius 0.7 on 64 nodes."""
    field = blob_grid(64)
    axis = torch.linspace(-1, 1, 64)
    distance = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")).norm(dim=0)
    field.values[..., 0] = (60 * (0.7 - distance)).clamp(-20, 8)
    return field


def time_views(name: str, field: RadianceGrid, *, geometry: bool = False, samples: int = SAMPLES) -> dict:
    """Time four views there and back: the best of several, wall clock and process time, and the floor's."""
    field = RadianceGrid(field.values.detach().clone(), field.background_logits).requires_grad_()
    cameras = orbit([0.0, 90.0, 180.0, 270.0], 15.0, size=SIZE)
    render = volume_renderer(field, samples=samples)

    def there_and_back() -> None:
        field.values.grad = None
        drawn = render(cameras, torch.ones(3), geometry=geometry)
        loss = drawn.rgb.sum() + drawn.alpha.sum()
        if geometry:
            assert drawn.sums is not None
            loss = loss + drawn.sums.sum() + drawn.orientation.sum() + drawn.distortion.sum()
        loss.backward()

    places, taken = places_of(field, cameras, render.step)
    gradient = np.zeros(field.values.shape, np.float32)
    values = field.values.detach().numpy()
    floor, ours = [], []
    there_and_back()
    touch(values, gradient, places)
    for _ in range(12):
        ours.append(timed(there_and_back))
        floor.append(timed(lambda: touch(values, gradient, places)))
    wall, process = (min(column) for column in zip(*ours, strict=True))
    counted = min(column[1] for column in floor)
    return {
        "name": name,
        "samples": taken,
        "wall_ms": wall,
        "median_wall_ms": statistics.median(row[0] for row in ours),
        "process_ms": process,
        "floor_process_ms": counted,
        "ratio": process / counted,
        "ns_per_sample": 1e6 * process / taken,
    }


def timed(run: Callable[[], None]) -> tuple[float, float]:
    """Return the milliseconds of wall clock and process time."""
    wall, process = time.perf_counter(), time.process_time()
    run()
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - process)


@torch.no_grad()
def places_of(field: RadianceGrid, cameras: Cameras, step: float) -> tuple[np.ndarray, int]:
    """Return the nodes [N, 3] from which the marcher interpolates, in its order, and how many samples these are."""
    origins, directions = (value.reshape(-1, 3) for value in rays(cameras))
    bounds = box_crossings(origins, directions)
    samples = march_all(origins, directions, *bounds, step, None)
    middle = (samples.start + samples.end) / 2
    points = origins[samples.ray] + middle[:, None] * directions[samples.ray]
    raw = field.raw_density(points)
    kept = raw > EMPTY_RAW
    samples = Samples(samples.ray[kept], samples.start[kept], samples.end[kept])
    found = density(raw[kept])
    weights = weights_of(samples, found, len(origins))
    reached = weights / -torch.expm1(-found * (samples.end - samples.start)) > 1e-4  # where the marcher has not stopped
    cells = ((points[kept][reached] + 1) / 2 * (len(field) - 1)).long().clamp(0, len(field) - 2)
    return cells.numpy(), len(cells)


@compiled()
def touch(values, gradient, places):  # type: ignore[no-untyped-def]
    """Read the eight nodes around each place twice, and add to them once."""
    total = np.float32(0)
    for n in range(len(places)):
        i, j, k = places[n, 0], places[n, 1], places[n, 2]
        for a in range(2):
            for b in range(2):
                for c in range(2):
                    for channel in range(4):
                        total += values[i + a, j + b, k + c, channel]
    for n in range(len(places)):
        i, j, k = places[n, 0], places[n, 1], places[n, 2]
        for a in range(2):
            for b in range(2):
                for c in range(2):
                    for channel in range(4):
                        gradient[i + a, j + b, k + c, channel] += total * values[i + a, j + b, k + c, channel]
    return total


def time_skipping(field: RadianceGrid) -> dict:
    """Time the fitted field as it is, and with all that is empty raised to just above what is skipped."""
    full = RadianceGrid(field.values.clone(), field.background_logits)
    full.values[..., 0].clamp_(min=EMPTY_RAW + 1e-3)
    one, other = time_views("skipping", field), time_views("nothing skipped", full)
    return {"process_ms": one["process_ms"], "without_ms": other["process_ms"]}


def time_gpu(field: RadianceGrid) -> dict:
    """Time the packed renderer on CUDA: four views of 64 px, rays a second."""
    on_gpu = field.to("cuda").requires_grad_()
    cameras = orbit([0.0, 90.0, 180.0, 270.0], 15.0, size=SIZE).to("cuda")
    render, times = volume_renderer(on_gpu), []
    for _ in range(12):
        begin = time.perf_counter()
        render(cameras, torch.ones(3)).rgb.sum().backward()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    best = min(times)
    return {"ms": 1e3 * best, "rays_per_second": len(cameras) * SIZE * SIZE / best}


def show(report: dict) -> None:
    """Print the report."""
    print(f"The field: {report['machine']}, load {report['load_before']:.1f}")
    if report["busy"]:
        print("The machine is busy with other work: process time and ratios hold, the wall clock does not.")
    print(f"{'four views of 64 px':>44} {'samples':>9} {'wall':>9} {'process':>9} {'floor':>8} {'ratio':>6}")
    for row in report["four_views"]:
        print(f"{row['name']:>44} {row['samples']:9} {row['wall_ms']:6.1f} ms {row['process_ms']:6.1f} ms", end="")
        print(f" {row['floor_process_ms']:5.1f} ms {row['ratio']:6.2f}")
    skipping = report["skipping"]
    print(
        f"with and without skipping: {skipping['process_ms']:.1f} and {skipping['without_ms']:.1f} ms of process time"
    )
    fit = report["fit"]
    print(
        f"fit of {fit['renders']} renders: {fit['held_out_psnr']:.1f} dB held out, {fit['psnr']:.1f} dB shown, ", end=""
    )
    print(f"{fit['seconds']:.1f} s, {fit['process_seconds']:.1f} s of process time; ", end="")
    if reached := fit["aim_reached"]:
        print(f"{fit['aim']:.0f} dB after {reached['steps']} steps, {reached['process_seconds']:.1f} s of it; ", end="")
    print(f"mesh: Chamfer {fit['chamfer']:.4f}, outline IoU {fit['mesh_silhouette_iou']:.3f}")
    if "gpu" in report:
        print(f"CUDA: {report['gpu']['ms']:.1f} ms, {report['gpu']['rays_per_second']:.3g} rays a second")


if __name__ == "__main__":
    main()
