"""Measures a CSM step against its own network evaluations: `python -m benchmarks.distillation --out FILE`.

The floor of a step is what it asks of the networks: k + 2 UNet evaluations of every view and the autoencoder's encoder
forward and backward. The calls are recorded while real steps run, then made again alone, in the same run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from addon.protocol import Request
from backend.diffusion.denoiser import Prior, load_prior
from backend.job import Job
from backend.presets.tv3dg import PRESETS
from backend.supervision import Control
from backend.systems.tv3dg import guide, optimise

STEPS = 12
ROUNDS = 3


def run_steps(prior: Prior, steps: int, delta_t: int, count: int) -> float:
    """Take optimisation steps in a throw-away job and return the seconds of one."""
    settings = replace(PRESETS["draft"], loss="csm", steps=steps, delta_t=delta_t, count=count, densify_every=10**6)
    with tempfile.TemporaryDirectory() as folder:
        request = Request(system="tv3dg", prompt="a red robot", seed=1, settings={"checkpoint_seconds": 1e6})
        job = Job(Path(folder), request, lambda event: None, Control())
        started = 0.0

        def make() -> dict[str, torch.Tensor]:
            nonlocal started
            started = time.perf_counter()
            return optimise(job, guide(prior, settings), request.prompt, settings, None)

        job.stage("gaussians", make)
        return (time.perf_counter() - started) / steps


def record_calls(
    prior: Prior, steps: int, delta_t: int, count: int
) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Return the input shapes of all UNet calls and all encoder calls of some steps."""
    unet_calls, encoder_calls = [], []
    hooks = [
        prior.unet.register_forward_pre_hook(lambda _, inputs: unet_calls.append(tuple(inputs[0].shape))),
        prior.autoencoder.encoder.register_forward_pre_hook(
            lambda _, inputs: encoder_calls.append(tuple(inputs[0].shape))
        ),
    ]
    run_steps(prior, steps, delta_t, count)
    for hook in hooks:
        hook.remove()
    return unet_calls, encoder_calls


def replay(
    prior: Prior, unet_calls: list[tuple[int, ...]], encoder_calls: list[tuple[int, ...]]
) -> tuple[float, float]:
    """Return the seconds that the recorded calls take alone: UNet forward, encoder forward and backward."""
    contexts = prior.embed(["a red robot, front view"])
    if prior.camera_encoder is not None:
        contexts = torch.cat([contexts, prior.camera_encoder.null[None]], dim=1)
    started = time.perf_counter()
    for shape in unet_calls:
        prior.predict_noise(torch.randn(shape, device=prior.device), 500, contexts.expand(shape[0], -1, -1))
    unet = time.perf_counter() - started
    started = time.perf_counter()
    for batch, channels, height, width in encoder_calls:
        images = torch.rand(batch, height, width, channels, requires_grad=True)
        prior.encode(images).sum().backward()
    return unet, time.perf_counter() - started


def measure(prior: Prior, delta_t: int, count: int) -> dict[str, float]:
    """Return milliseconds of a step and of its floor, the medians of a few rounds taken in turn."""
    run_steps(prior, 2, delta_t, count)  # compile the kernels
    calls = record_calls(prior, STEPS, delta_t, count)
    steps, unets, encoders = [], [], []
    for _ in range(ROUNDS):
        steps.append(run_steps(prior, STEPS, delta_t, count))
        unet, encoder = replay(prior, *calls)
        unets.append(unet / STEPS)
        encoders.append(encoder / STEPS)
    step, unet, encoder = (1000 * sorted(values)[ROUNDS // 2] for values in (steps, unets, encoders))
    return {
        "delta_t": delta_t,
        "gaussians": count,
        "unet_images_per_step": sum(shape[0] for shape in calls[0]) / STEPS,
        "step_ms": step,
        "unet_ms": unet,
        "encoder_ms": encoder,
        "step_over_floor": step / (unet + encoder),
    }


def main() -> None:
    """Print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--gpu", action="store_true", help="measure on the first CUDA device")
    options = parser.parse_args()
    prior = load_prior("embedded", "cuda" if options.gpu else "cpu")
    rows = [measure(prior, delta_t, count) for delta_t, count in ((100, 2_000), (50, 2_000), (100, 8_000))]
    print(f"{torch.get_num_threads()} threads, four views of {prior.image_size} px, embedded prior")
    print("delta_t  Gaussians  UNet images  step ms  UNet ms  encoder ms  step / floor")
    for row in rows:
        print(
            f"{row['delta_t']:7d} {row['gaussians']:10d} {row['unet_images_per_step']:12.1f} {row['step_ms']:8.0f} "
            f"{row['unet_ms']:8.0f} {row['encoder_ms']:11.0f} {row['step_over_floor']:13.2f}"
        )
    if options.out:
        options.out.write_text(json.dumps({"threads": torch.get_num_threads(), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
