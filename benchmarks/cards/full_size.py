"""Measures a step of every system at Stable Diffusion's true shapes: `python -m benchmarks.cards.full_size --gpu`.

The networks have Stable Diffusion 1.5's layout and random numbers for weights, which take the same time and memory.
What a step asks of them is recorded by hooks while real steps run, then made again alone: the floor. Each lever changes
one thing from what a job does by itself. `--device cpu --divide 16 --side 8 --steps 1` runs the same code in small.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from addon.protocol import SYSTEMS, Request
from backend.cameras import orbit
from backend.diffusion.denoiser import Prior
from backend.diffusion.finetune import Examples, Finetuning, options_for
from backend.diffusion.guidance import Guidance, GuidanceOptions, guidance_for
from backend.errors import OutOfMemory, explain
from backend.representations.gaussians import ball_of_gaussians
from backend.runtime import devices
from backend.runtime.control import Control
from backend.runtime.devices import half_of
from backend.runtime.job import Job
from backend.runtime.machine import keep_freed_memory, peak_memory_bytes
from backend.systems import tv3dg
from backend.systems.customize_it_3d.coarse import optimise_shape
from backend.systems.customize_it_3d.perceived import Perceived
from backend.systems.dreambooth3d.field import first_field, optimise_field
from backend.systems.reference import Target
from benchmarks.commands.distillation import random_stable_diffusion

PROMPT = "a red robot"
GIB = 1 << 30
NEEDS_A_CARD = 3  # the exit status


@dataclass(frozen=True)
class Size:
    """How large all is: channels divided, latents along a side, steps, rounds, and settings that tests make small."""

    divide: int = 1
    side: int = 64
    steps: int = 10
    rounds: int = 3
    settings: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Lever:
    """What is another than in a job: of the networks, and of the settings where a system has them."""

    half: bool = True
    small_encoder: bool = False
    channels_last: bool = False
    most_together: int = 0
    compiled: bool = False
    settings: Mapping[str, Any] | None = None


LEVERS = {
    "as a job does it": Lever(),
    "full precision": Lever(half=False),
    "channels last": Lever(channels_last=True),
    "small encoder": Lever(small_encoder=True),
    "one picture at a time": Lever(most_together=1),
    "delta_t 50": Lever(settings={"delta_t": 50}),
    "features reused": Lever(settings={"reuse": 2}),
    "compiled": Lever(compiled=True),
}


# ---- a step of each system -------------------------------------------------------------------------------------------


def gaussians(job: Job, prior: Prior, chosen: Mapping[str, Any], steps: int) -> None:
    """Take steps of TV-3DG."""
    settings = _settings("tv3dg", {"count": 20_000, "growth_rounds": 0, "tau": 0.0} | dict(chosen), steps=steps)
    first = ball_of_gaussians(settings.count, settings.radius, torch.Generator().manual_seed(1)).to(prior.device)
    tv3dg.optimise(job, _guidance(prior, settings), PROMPT, settings, first)


def field(job: Job, prior: Prior, chosen: Mapping[str, Any], steps: int) -> None:
    """Take steps of DreamBooth3D's field."""
    settings = _settings("dreambooth3d", dict(chosen))
    optimise_field(
        job, _guidance(prior, settings), PROMPT, settings, first_field(settings, steps).to(prior.device), steps
    )


def teaching(job: Job, prior: Prior, chosen: Mapping[str, Any], steps: int) -> None:
    """Teach a subject, as a large base is taught: small changes, its own pictures and those of its class."""
    settings = _settings("dreambooth3d", dict(chosen))
    options = options_for(prior, "auto", settings.tuning_rate, settings.tuning_rank, text_encoder=False)
    taught = Finetuning(prior, options if options.rank else replace(options, rank=settings.tuning_rank or 4))
    side = prior.unet.config.sample_size
    latents = torch.randn(8, 4, side, side, device=prior.device)
    kinds = [Examples(latents, (PROMPT,) * 8, batch=settings.tuning_batch) for _ in range(2)]
    for _ in range(steps):
        taught.step(kinds, job.generator)


def shape(job: Job, prior: Prior, chosen: Mapping[str, Any], steps: int) -> None:
    """Take steps of Customize-It-3D's field, without a Zero-1-to-3 and without likeness."""
    settings = _settings("customize_it_3d", {"start": "ball", "palette": 0.0} | dict(chosen), coarse_steps=steps)
    size = prior.image_size
    across = (torch.arange(size) - size / 2).square()
    mask = ((across[:, None] + across).sqrt() < size / 3).float()[None, ..., None]
    camera = orbit([0.0], 10.0, size=size)
    target = Target(camera, 0.5 * mask.expand(1, size, size, 3), mask)
    normal = torch.tensor([0.0, 0.0, -1.0]).expand(1, size, size, 3) * mask
    seen = Perceived(target, target, mask, normal, "robot", PROMPT)
    optimise_shape(job, _guidance(prior, settings), None, seen, settings)


WORK: dict[tuple[str, str], Callable[[Job, Prior, Mapping[str, Any], int], None]] = {
    ("tv3dg", "gaussians"): gaussians,
    ("dreambooth3d", "teaching"): teaching,
    ("dreambooth3d", "coarse"): field,
    ("customize_it_3d", "coarse"): shape,
}


def _settings(system: str, chosen: dict[str, Any], **more: Any) -> Any:
    """Return a system's settings in the paper's preset, with those of the choices that it has."""
    settings: Any = SYSTEMS[system].presets["paper"]
    known = {name: value for name, value in (chosen | more).items() if hasattr(settings, name)}
    return replace(settings, **known)


def _guidance(prior: Prior, settings: Any) -> Guidance:
    """Return a system's guidance without an image; what its settings do not name is as its own script has it."""
    names = [each.name for each in fields(GuidanceOptions) if hasattr(settings, each.name)]
    named: dict[str, Any] = {"difference": 1.0, "perturbation": 0.0} | {name: getattr(settings, name) for name in names}
    named["adapter"] = ""
    return guidance_for(prior, GuidanceOptions(**named))


# ---- the floor -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """What one pass gave to a network: the shapes of pictures and context, and whether there is a way back."""

    network: str
    shape: tuple[int, ...]
    context: tuple[int, ...]
    way_back: bool


_calls: list[Call] = []
_networks: dict[str, Any] = {}


@contextmanager
def recorded(prior: Prior) -> Iterator[None]:
    """Note what goes through the UNet and the encoder of a prior, and of copies that are made meanwhile."""

    def hook(name: str) -> Any:
        def seen(network: Any, inputs: Any, options: Any) -> None:
            context = options.get("encoder_hidden_states")
            learns = inputs[0].requires_grad or any(value.requires_grad for value in network.parameters())
            shape = () if context is None else tuple(context.shape)
            _calls.append(Call(name, tuple(inputs[0].shape), shape, torch.is_grad_enabled() and learns))
            _networks[name] = network

        return seen

    networks = {"unet": prior.unet, "encoder": prior.autoencoder.encoder}
    hooks = [each.register_forward_pre_hook(hook(name), with_kwargs=True) for name, each in networks.items()]
    try:
        yield
    finally:
        for each in hooks:
            each.remove()


def replay(prior: Prior, calls: list[Call]) -> None:
    """Make the recorded calls again, alone."""
    for call in calls:
        pictures = torch.randn(call.shape, device=prior.device, dtype=prior.dtype, requires_grad=call.way_back)
        with torch.set_grad_enabled(call.way_back):
            if call.network == "unet":
                context = torch.randn(call.context, device=prior.device, dtype=prior.dtype)
                times = torch.full(call.shape[:1], 500, device=prior.device)
                out = _networks["unet"](pictures, times, encoder_hidden_states=context).sample
            else:
                out = _networks["encoder"](pictures)
            if call.way_back:
                out.float().sum().backward()


# ---- measuring -------------------------------------------------------------------------------------------------------


def measure(system: str, stage: str, name: str, device: str, size: Size) -> dict[str, Any]:
    """Return a row: milliseconds of a step and of its floor, medians of the rounds, and the most memory."""
    lever = LEVERS[name]
    chosen = {**(lever.settings or {}), **(size.settings or {})}
    row: dict[str, Any] = {"system": system, "stage": stage, "lever": name}
    try:
        prior = prior_for(lever, device, size)
        row |= {"precision": str(prior.dtype).removeprefix("torch.")}
        take(system, stage, prior, chosen, 2)  # compiles kernels
        _calls.clear()
        with recorded(prior):
            take(system, stage, prior, chosen, size.steps)
        calls = list(_calls)
        devices.reset_peak(device)
        taken, floors = [], []
        for _ in range(size.rounds):
            taken.append(take(system, stage, prior, chosen, size.steps))
            peak = peak_memory_bytes()
            started = _now(device)
            replay(prior, calls)
            floors.append((_now(device) - started) / size.steps)
    except Exception as error:
        found = explain(error)
        if not isinstance(found, OutOfMemory):
            raise
        _forget()
        return row | {"failed": found.message}
    step, floor = (1000 * sorted(values)[size.rounds // 2] for values in (taken, floors))
    seen = {kind: sum(call.shape[0] for call in calls if call.network == kind) / size.steps for kind in _networks}
    _forget()
    return row | {
        "unet_images": seen.get("unet", 0.0), "encoder_images": seen.get("encoder", 0.0), "step_ms": step,
        "floor_ms": floor, "step_over_floor": step / floor, "peak_gib": peak / GIB,
    }  # fmt: skip


def _forget() -> None:
    _calls.clear()
    _networks.clear()
    devices.release_memory()


def prior_for(lever: Lever, device: str, size: Size) -> Prior:
    """Return a random prior as a lever wants it."""
    card = (
        (torch.cuda.get_device_name(), torch.cuda.get_device_capability()) if device == devices.CARD else ("", (0, 0))
    )
    half = half_of(device, *card, is_amd=devices.is_rocm()) or ("bfloat16" if device == devices.PROCESSOR else "")
    dtype = getattr(torch, half) if lever.half and half else torch.float32
    prior = random_stable_diffusion(device, size.divide, dtype=dtype, side=size.side, small=lever.small_encoder)
    if lever.channels_last:
        prior.unet.to(memory_format=torch.channels_last)
        prior.autoencoder.to(memory_format=torch.channels_last)
    tell = functools.partial(print, file=sys.stderr) if lever.compiled else None
    return replace(prior, most_together=lever.most_together, tell_uncompiled=tell)


def levers_of(system: str, stage: str) -> list[str]:
    """Return the levers that change something of a stage."""
    delta = hasattr(SYSTEMS[system].presets["paper"], "delta_t") and stage != "teaching"
    encodes = stage != "teaching"
    return [
        name for name, lever in LEVERS.items()
        if (delta or not lever.settings)
        and (encodes or not (lever.small_encoder or lever.most_together or lever.compiled))
    ]  # fmt: skip


def take(system: str, stage: str, prior: Prior, chosen: Mapping[str, Any], steps: int) -> float:
    """Take steps in a throw-away job and return the seconds of one."""
    with tempfile.TemporaryDirectory() as folder:
        request = Request(system="tv3dg", prompt=PROMPT, seed=1, settings={"checkpoint_seconds": 1e6})  # needs no image
        job, seconds = Job(Path(folder), request, lambda event: None, Control()), 0.0

        def make() -> dict[str, Any]:
            nonlocal seconds
            started = _now(prior.device)
            WORK[system, stage](job, prior, chosen, steps)
            seconds = _now(prior.device) - started
            return {}

        job.stage(stage, make)
        return seconds / steps


def _now(device: torch.device | str) -> float:
    devices.synchronise(device)
    return time.perf_counter()


def show(rows: list[dict[str, Any]]) -> None:
    """Print a table of rows."""
    print("system           stage      lever                  precision  step ms  floor ms  ratio  peak GiB")
    for row in rows:
        told = f"{row['system']:16} {row['stage']:10} {row['lever']:22} {row.get('precision', ''):9}"
        if "failed" in row:
            print(f"{told} {row['failed']}")
            continue
        print(
            f"{told} {row['step_ms']:8.0f} {row['floor_ms']:9.0f} {row['step_over_floor']:6.2f} {row['peak_gib']:9.2f}"
        )


def main(arguments: list[str] | None = None) -> int:
    """Print the table and write it as JSON; say in a sentence what is missing without a card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--gpu", action="store_true", help="measure on the card that torch finds")
    parser.add_argument("--device", default="", help="another device, by torch's name for it")
    parser.add_argument("--divide", type=int, default=1, help="channels, by this")
    parser.add_argument("--side", type=int, default=64, help="of latents")
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args(arguments)
    device = options.device or (devices.compute_device() if options.gpu else "")
    if not options.gpu and not device:
        print("Steps at full size are measured on a graphics card alone: python build.py bench --gpu")
        return 0
    if not options.device and (reason := devices.why_no_card()):
        print(reason, file=sys.stderr)
        return NEEDS_A_CARD
    keep_freed_memory()  # as in a job
    size = Size(options.divide, options.side, options.steps)
    rows = [measure(*work, name, device, size) for work in WORK for name in levers_of(*work)]
    show(rows)
    if options.out:
        figures = {"where": devices.name_of(device), "torch": torch.__version__, "size": vars(options)["side"] * 8}
        options.out.write_text(json.dumps(figures | {"divide": size.divide, "rows": rows}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
