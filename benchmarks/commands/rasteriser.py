"""Time the CPU rasteriser of Gaussians: against the naive dense version, by size, and from one thread to two.

    python -m benchmarks.commands.rasteriser [--out FILE.json] [--gpu] [--points]

And the renderer of neural points, beside its floor; with --points that alone. With --gpu, the renderer's overhead over
calling gsplat directly is timed as well.
Every comparison alternates between its two sides, so that a busy moment of the machine hits both, and reports medians.
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

import torch

from backend.cameras import Cameras, orbit
from backend.rendering.points.deferred import LEVELS, DeferredRenderer, NeuralPoints
from backend.rendering.points.splatter import blend, splat
from backend.rendering.splats import render_with_gsplat, render_with_numba
from backend.representations.gaussians import Gaussians, ball_of_points, gaussians_from_points
from backend.systems.customize_it_3d.refine import WIDTHS
from tests.backend.dense_splats import render_densely, touched_pixels

SCALE = 0.58  # of the mean distance to three neighbours: 5,000 Gaussians touch about half a million pixels of 128 x 128
SIZES = [(1_000, 64), (1_000, 128), (5_000, 64), (5_000, 128), (5_000, 256), (20_000, 128), (20_000, 256)]


def main() -> None:
    """Print the tables, and write them as JSON where --out says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--gpu", action="store_true", help="also time the renderer on CUDA")
    parser.add_argument("--points", action="store_true", help="time the renderer of neural points alone")
    options = parser.parse_args()
    if options.points:
        _show_points([time_neural_points(width) for width in WIDTHS.values()])
        return
    report = measure()
    if options.gpu:
        report["gpu"] = [compare_with_gsplat(count, views) for count in (10_000, 100_000) for views in (1, 4)]
    _show(report)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report, indent=1) + "\n")


def measure() -> dict:
    """Return all figures: milliseconds are medians of one forward and one backward pass."""
    threads = torch.get_num_threads()
    started = time.perf_counter()
    _pass(render_with_numba, cloud(100), orbit([0.0], 15.0, size=16))
    first = time.perf_counter() - started
    report = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, {threads} threads",
        "load_before": os.getloadavg()[0],
        "first_call_seconds": first,
        "naive": [compare_with_naive(1_000, 64), compare_with_naive(5_000, 64)],
        "sizes": [time_size(count, size) for count, size in SIZES],
        "views": [time_size(5_000, 128, views) for views in (1, 2, 4)],
        "threads": [scale_threads(5_000, 128, views) for views in (1, 4)] if threads > 1 else [],
        "neural_points": [time_neural_points(width) for width in WIDTHS.values()],
    }
    torch.set_num_threads(threads)
    report["load_after"] = os.getloadavg()[0]
    report["busy"] = report["load_before"] > 1.5 * threads
    return report


def cloud(count: int, dtype: torch.dtype = torch.float32) -> Gaussians:
    """Return Gaussians of many shapes in a ball that fills most of the image."""
    generator = torch.Generator().manual_seed(0)
    points, colours = ball_of_points(count, 0.8, generator), torch.rand(count, 3, generator=generator)
    gaussians = gaussians_from_points(points, colours, opacity=0.1, scale=SCALE)
    gaussians.quaternions = torch.randn(count, 4, generator=generator)
    gaussians.log_scales += 0.3 * torch.randn(count, 3, generator=generator)
    return Gaussians(**{name: value.to(dtype) for name, value in gaussians.parameters().items()}).requires_grad_()


def compare_with_naive(count: int, size: int) -> dict:
    """Time ours and the dense all-pairs version in turn, and compare both results with the dense one in float64."""
    gaussians, cameras = cloud(count), orbit([30.0], 15.0, size=size)
    ours, naive = _alternate(
        lambda: _pass(render_with_numba, gaussians, cameras), lambda: _pass(render_densely, gaussians, cameras), 4
    )
    exact = _results(render_densely, cloud(count, torch.float64), cameras)
    found = _results(render_with_numba, gaussians, cameras)
    error = max(((f.double() - e).abs().max() / e.abs().max()).item() for f, e in zip(found, exact, strict=True))
    return {
        "gaussians": count,
        "pixels": size,
        "ms": ours,
        "naive_ms": naive,
        "ratio": naive / ours,
        "largest_relative_error": error,
    }


def time_size(count: int, size: int, views: int = 1) -> dict:
    """Time forward and backward apart, and relate them to the number of Gaussian-pixel pairs."""
    gaussians = cloud(count)
    cameras = orbit([360.0 * view / views for view in range(views)], 15.0, size=size)
    forward, backward = [], []
    for repetition in range(23):
        there, back = _pass(render_with_numba, gaussians, cameras)
        if repetition >= 3:
            forward.append(1e3 * there)
            backward.append(1e3 * back)
    pairs = touched_pixels(gaussians, cameras)
    total = statistics.median(a + b for a, b in zip(forward, backward, strict=True))
    return {
        "gaussians": count,
        "pixels": size,
        "views": views,
        "pairs": pairs,
        "forward_ms": statistics.median(forward),
        "backward_ms": statistics.median(backward),
        "ms": total,
        "best_ms": min(a + b for a, b in zip(forward, backward, strict=True)),
        "ns_per_pair": 1e6 * total / pairs,
    }


def scale_threads(count: int, size: int, views: int) -> dict:
    """Time one thread and two in turn."""
    gaussians = cloud(count)
    cameras = orbit([360.0 * view / views for view in range(views)], 15.0, size=size)

    def run(threads: int) -> tuple[float, float]:
        torch.set_num_threads(threads)
        return _pass(render_with_numba, gaussians, cameras)

    one, two = _alternate(lambda: run(1), lambda: run(2), 30)
    return {"gaussians": count, "pixels": size, "views": views, "one_ms": one, "two_ms": two, "ratio": one / two}


def time_neural_points(width: int, count: int = 20_000, size: int = 128, rounds: int = 40) -> dict:
    """Time one view of neural points on a sphere there and back, and in turn what cannot be left out of it.

    That is the network's convolutions, in the same layout, and adding up what points carry, and the way back of both.
    """
    generator = torch.Generator().manual_seed(0)
    points = 0.8 * torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1)
    neural = NeuralPoints(points, torch.rand(count, 3, generator=generator), generator, width)
    render, camera = (
        DeferredRenderer(neural, lambda cameras: torch.ones(1, size, size, 1)),
        orbit([20.0], 15.0, size=size),
    )
    taken: list[tuple[torch.nn.Module, torch.Tensor]] = []
    convolutions = [module for module in neural.network.modules() if isinstance(module, torch.nn.Conv2d)]
    hooks = [
        each.register_forward_hook(
            lambda module, given, made: taken.append((module, given[0].detach().requires_grad_()))
        )
        for each in convolutions
    ]
    render(camera, torch.ones(3))
    for hook in hooks:
        hook.remove()
    splats = splat(points, camera, scales=LEVELS).means
    carried = torch.cat([neural.colours, neural.features], dim=1).detach().requires_grad_()

    def ours() -> None:
        render(camera, torch.ones(3)).rgb.sum().backward()

    def floor() -> None:
        for module, given in taken:
            module(given).sum().backward()
        torch.cat([image.flatten() for image in blend(carried, splats)]).sum().backward()

    times: dict[Callable[[], None], list[tuple[float, float]]] = {ours: [], floor: []}
    for _ in range(rounds):
        for run, rows in times.items():
            for value in (*neural.parameters().values(), carried, *(given for _, given in taken)):
                value.grad = None
            wall, process = time.perf_counter(), time.process_time()
            run()
            rows.append((1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - process)))
    report: dict = {"points": count, "pixels": size, "width": width, "threads": torch.get_num_threads()}
    for name, rows in zip(("", "floor_"), times.values(), strict=True):
        for kind, column in zip(("wall", "process"), zip(*rows[3:], strict=True), strict=True):
            report |= {f"{name}{kind}_ms": min(column), f"{name}median_{kind}_ms": statistics.median(column)}
    return report


def compare_with_gsplat(count: int, views: int) -> dict:
    """Time our renderer and gsplat.rasterization called directly in turn, on CUDA."""
    from gsplat import rasterization

    gaussians = cloud(count).to("cuda").requires_grad_()
    cameras = orbit([360.0 * view / views for view in range(views)], 15.0, size=512).to("cuda")

    def ours(gaussians: Gaussians, cameras: Cameras, background: torch.Tensor) -> torch.Tensor:
        return render_with_gsplat(gaussians, cameras, background.cuda()).rgb

    def direct(gaussians: Gaussians, cameras: Cameras, background: torch.Tensor) -> torch.Tensor:
        image, _, _ = rasterization(
            means=gaussians.means,
            quats=gaussians.quaternions,
            scales=gaussians.scales,
            opacities=gaussians.opacities,
            colors=gaussians.sh,
            sh_degree=0,
            viewmats=cameras.world_to_camera,
            Ks=cameras.intrinsics,
            width=512,
            height=512,
            packed=False,
            backgrounds=background.cuda().expand(views, 3),
        )
        return image

    mine, theirs = _alternate(lambda: _pass(ours, gaussians, cameras), lambda: _pass(direct, gaussians, cameras), 30)
    return {"gaussians": count, "views": views, "ms": mine, "gsplat_ms": theirs, "ratio": mine / theirs}


def _pass(render: Callable, gaussians: Gaussians, cameras: Cameras) -> tuple[float, float]:
    """Return the seconds of one forward and one backward pass."""
    for value in gaussians.parameters().values():
        value.grad = None
    begin = time.perf_counter()
    rgb = _rgb(render, gaussians, cameras)
    _finish(rgb)
    middle = time.perf_counter()
    rgb.backward(torch.ones_like(rgb))
    _finish(rgb)
    return middle - begin, time.perf_counter() - middle


def _finish(work: torch.Tensor) -> None:
    if work.is_cuda:
        torch.cuda.synchronize()


def _rgb(render: Callable, gaussians: Gaussians, cameras: Cameras) -> torch.Tensor:
    drawn = render(gaussians, cameras, torch.ones(3, dtype=gaussians.means.dtype))
    match drawn:
        case torch.Tensor():
            return drawn
        case (rgb, *_):
            return rgb
        case _:
            return drawn.rgb


def _results(render: Callable, gaussians: Gaussians, cameras: Cameras) -> list[torch.Tensor]:
    for value in gaussians.parameters().values():
        value.grad = None
    rgb = _rgb(render, gaussians, cameras)
    weights = torch.rand(rgb.shape, generator=torch.Generator().manual_seed(1))
    rgb.backward(weights.to(rgb))
    gradients = [value.grad for value in gaussians.parameters().values()]
    return [rgb.detach(), *(value for value in gradients if value is not None)]


def _alternate(first: Callable, second: Callable, repetitions: int) -> tuple[float, float]:
    """Return the median milliseconds of two passes, after one warm-up of each."""
    seconds = ([], [])
    for repetition in range(repetitions + 1):
        for run, times in zip((first, second), seconds, strict=True):
            taken = sum(run())
            if repetition:
                times.append(1e3 * taken)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def _show(report: dict) -> None:
    print(f"CPU rasteriser, forward + backward: {report['machine']}, load {report['load_before']:.1f}")
    if report["busy"]:
        print("The machine is busy with other work: ratios hold, milliseconds are too high.")
    print(f"first call in this process (compiles unless cached): {report['first_call_seconds']:.1f} s")
    print(
        f"\n{'Gaussians':>9} {'pixels':>7} {'ours ms':>9} {'naive ms':>9} {'ratio':>7} {'largest relative error':>23}"
    )
    for row in report["naive"]:
        print(
            f"{row['gaussians']:9} {row['pixels']:7} {row['ms']:9.2f} {row['naive_ms']:9.1f} {row['ratio']:6.0f}x",
            end="",
        )
        print(f" {row['largest_relative_error']:23.1e}")
    print(
        f"\n{'Gaussians':>9} {'pixels':>7} {'views':>6} {'pairs':>10} {'forward':>8} {'backward':>9} {'ns / pair':>10}"
    )
    for row in report["sizes"] + report["views"]:
        print(f"{row['gaussians']:9} {row['pixels']:7} {row['views']:6} {row['pairs']:10}", end="")
        print(f" {row['forward_ms']:8.2f} {row['backward_ms']:9.2f} {row['ns_per_pair']:10.2f}")
    for row in report["threads"]:
        taken = f"{row['one_ms']:.2f} -> {row['two_ms']:.2f} ms, {row['ratio']:.2f}x"
        print(f"\n{row['views']} view(s), one thread -> two: {taken}")
    _show_points(report["neural_points"])
    for row in report.get("gpu", []):
        taken = f"{row['ms']:.2f} ms, gsplat alone {row['gsplat_ms']:.2f} ms, {row['ratio']:.2f}x"
        print(f"CUDA, {row['gaussians']} Gaussians, {row['views']} view(s) of 512 px: {taken}")


def _show_points(rows: list[dict]) -> None:
    for row in rows:
        print(
            f"{row['points']} neural points, {row['pixels']} px, width {row['width']}, {row['threads']} threads:",
            end="",
        )
        for name, said in (("", ""), ("floor_", "; floor")):
            best, median = row[f"{name}wall_ms"], row[f"{name}median_wall_ms"]
            process, often = row[f"{name}process_ms"], row[f"{name}median_process_ms"]
            print(f"{said} {best:.1f} ms ({median:.1f}), of the processor {process:.1f} ({often:.1f})", end="")
        print()


if __name__ == "__main__":
    main()
