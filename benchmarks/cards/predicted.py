"""Holds the forecast against a step at true size on a processor: `python -m benchmarks.cards.predicted`.

The networks have Stable Diffusion 1.5's layout and random numbers for weights. One pass of one picture through the UNet
says how fast the machine is, the forecast says the rest, and then a step of each system is taken, with one view.
Seconds are the processor's for this process alone, so that other programs do not count. Each step has a process of its
own, whose most memory is told; teaching's stands beside no forecast, which is of a whole job.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from addon.protocol import SYSTEMS, preflight
from backend.diffusion.denoiser import Prior, load_prior
from backend.runtime.machine import keep_freed_memory, peak_memory_bytes
from backend.systems.preflight import unet_speed
from backend.weights import EMBEDDED
from benchmarks.cards.full_size import WORK, Lever, Size, prior_for, take

# One inversion of one view, whatever noise level is drawn; a batch of one and one of its class.
STEP: dict[str, Any] = {
    "views": 1, "delta_t": 1000, "tuning_batch": 1, "tuning_rank": 4, "novel_views": 0.0, "palette": 0.0,
}  # fmt: skip
ONE = ("steps", "coarse_steps", "full_steps", "partial_steps")
TINY = Size(divide=16, side=8, steps=1, settings={"nodes": 8, "view_size": 12, "count": 64})


def base_of(prior: Prior) -> preflight.Base:
    """Return a prior's networks as the forecast sees those in a folder."""
    networks = {"unet": prior.unet, "vae": prior.autoencoder, "text_encoder": prior.text_encoder}
    configs = {
        part: dict(getattr(each.config, "to_dict", lambda c=each.config: c)()) for part, each in networks.items()
    }
    weights = {part: sum(value.numel() for value in each.parameters()) for part, each in networks.items()}
    return preflight.Base(configs, weights)


def measure(system: str, stage: str, size: Size) -> dict[str, Any]:
    """Return a row: seconds and bytes of one step, and the speeds that its prediction begins from."""
    chosen = STEP | dict(size.settings or {})
    take(system, stage, prior_for(Lever(half=False), "cpu", TINY), chosen | dict(TINY.settings or {}), 1)  # compiles
    small = unet_speed(load_prior("embedded"), preflight.read_base(EMBEDDED).gflop["unet"])
    prior = prior_for(Lever(half=False), "cpu", size)
    large = unet_speed(prior, base_of(prior).gflop["unet"])
    started = time.process_time()
    take(system, stage, prior, chosen, 1)
    return {
        "system": system, "stage": stage, "small_gflops": small, "large_gflops": large,
        "seconds": time.process_time() - started, "memory_bytes": peak_memory_bytes(),
    }  # fmt: skip


def prediction(row: dict[str, Any], base: preflight.Base = preflight.STABLE_DIFFUSION_BASE) -> preflight.Forecast:
    """Return what the forecast says of a row's step, as the first of its stage in a job."""
    system = SYSTEMS[row["system"]]
    whole: Any = system.presets["paper"]
    known = {name: value for name, value in STEP.items() if hasattr(whole, name)}
    settings = replace(whole, **known, **{name: 1 for name in ONE if hasattr(whole, name)})
    small = row["small_gflops"]
    speed = preflight.Speed(device="cpu", threads=1, processor=small, small=small, large=row["large_gflops"])
    return preflight.forecast(system.name, settings, {system.roles[0]}, 0, ("mesh",), base, speed)


def main(arguments: list[str] | None = None) -> int:
    """Print a row for each system's stage and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--divide", type=int, default=1, help="channels, by this")
    parser.add_argument("--side", type=int, default=64, help="of latents")
    parser.add_argument("--only", nargs=2, metavar=("SYSTEM", "STAGE"))
    options = parser.parse_args(arguments)
    if options.only:
        keep_freed_memory()  # as in a job
        torch.set_num_threads(1)
        system, stage = options.only
        print(json.dumps(measure(system, stage, Size(options.divide, options.side, 1))))
        return 0
    rows = []
    for work in WORK:
        words = ["--divide", str(options.divide), "--side", str(options.side), "--only", *work]
        said = subprocess.run([sys.executable, "-m", __spec__.name, *words], check=True, stdout=subprocess.PIPE)
        rows.append(json.loads(said.stdout.splitlines()[-1]))
        told = prediction(rows[-1]).stages[rows[-1]["stage"]] if options.divide == 1 and options.side == 64 else 0.0
        print(rows[-1], f"predicted {told:.1f} s", flush=True)
        if options.out:
            figures = {"torch": torch.__version__, "divide": options.divide, "side": options.side, "rows": rows}
            options.out.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
