"""Says what a job will take before its first stage, from half a second's measurement of this machine.

Where it would take more memory than there is free, the networks are asked about fewer pictures at a time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from addon.protocol import (
    RECORD_FILE,
    STAGES_FOLDER,
    Forecast,
    Phrase,
    ProtocolError,
    WrongSetting,
    files_inside,
    preflight,
)
from backend.diffusion.denoiser import Prior
from backend.runtime import devices, thrift
from backend.runtime.job import Job
from backend.runtime.machine import free_memory_bytes, held_memory_bytes, is_full

ROWS, ROUNDS = 8, 3  # pictures that the UNet is asked about, and how often
LONG = 0.1  # seconds of one picture, from which that alone is asked about, once more


def announce(job: Job, prior: Prior, folder: Path) -> None:
    """Measure, tell what the job will take, and begin as sparingly with memory as it has to.

    Of a base in `folder` whose costs cannot be told, nothing is said.
    """
    try:
        fitting(job, preflight.read_base(folder), keep_speed(prior, folder))
    except (ProtocolError, WrongSetting):
        return  # a preflight never ends a job: what is wrong with it is told where it is used


def keep_speed(prior: Prior, folder: Path) -> preflight.Speed:
    """Measure how fast this machine is with a prior, and keep that in the environment. Raises ProtocolError."""
    speed = measured(prior, preflight.read_base(folder), preflight.read_speed(sys.prefix))
    speed = replace(speed, memory=available_memory())
    preflight.write_speed(sys.prefix, speed)
    return speed


def fitting(job: Job, base: preflight.Base, speed: preflight.Speed) -> None:
    """Send the forecast, at the first level of `thrift` at which it fits into the memory; warn where none does, and say
    which preset would.
    """
    whole, done = available_memory(), done_stages(job)
    stop_after = job.request.stop_after if job.request.stop_after not in done else ""  # else it goes on from there
    request = replace(job.request, stop_after=stop_after)
    fit = preflight.fitting(request.system, request.preset, request.settings, base, speed, whole)
    found = preflight.of_request(request, base, speed, fit.together)
    there = f"{whole / preflight.GB:.1f} GB"
    level = preflight.TOGETHER.index(fit.together)
    thrift.begin_at(level)
    if not fit.is_enough:
        told = "This job takes about {needed:.1f} GB of memory, and {there} are free: it may run out of it."
        hint = Phrase("Close other programs that use the memory, or choose a smaller base.")
        if fit.preset:
            wanted = "Close other programs that use the memory, or choose the preset {preset}, which fits."
            hint = Phrase(wanted, preset=fit.preset)
        job.warn(Phrase(told, needed=found.memory / preflight.GB, there=there), hint)
    elif level:
        told = "{there} of memory are free, so the job begins with {words}, which is slower."
        hint = Phrase("Close other programs that use the memory to make it faster.")
        job.warn(Phrase(told, there=there, words=thrift.LEVELS[level].words), hint)
    left = {name: seconds for name, seconds in found.stages.items() if name not in done}
    seconds = found.seconds - sum(found.stages.values()) + sum(left.values())
    job.emit(Forecast(seconds=max(seconds, 0.0), memory_bytes=found.memory, free_bytes=whole, stages=left))


def available_memory() -> int:
    """Return the bytes that a job of this process can have: what is free, and what it holds; 0 where nobody knows."""
    free = free_memory_bytes()
    return free + held_memory_bytes() if free else 0


def done_stages(job: Job) -> set[str]:
    """Return the names of the stages that lie finished in the folder: of an earlier run, or of the job before."""
    records = [name.split("/") for name in files_inside(job.folder, STAGES_FOLDER) if name.endswith(RECORD_FILE)]
    return {folder.partition("-")[2] for _, folder, *_ in records}


def measured(prior: Prior, base: preflight.Base, before: preflight.Speed | None) -> preflight.Speed:
    """Return this machine's speed, with what was known of it before where this prior says nothing of that.

    A large base on a processor is not asked, as one picture takes it many seconds.
    """
    on_gpu = prior.device.type != devices.PROCESSOR
    device = devices.name_of(prior.device)
    values: dict[str, Any] = {"device": device, "threads": torch.get_num_threads()}
    if before is not None and before.device == device:
        values |= {"small": before.small, "large": before.large, "half": before.half, "processor": before.processor}
    if base.knows.large:
        values["half"] = prior.dtype != torch.float32
    is_known = before is not None and (before.device, before.threads) == (device, values["threads"])
    if is_known and not on_gpu and is_full():
        assert before is not None
        return before
    with by_itself(on_gpu) as threads:
        if on_gpu or not base.knows.large:
            values["large" if base.knows.large else "small"] = threads * unet_speed(prior, base.gflop["unet"])
        if not on_gpu and not base.knows.large:
            values["processor"] = values["small"]
        elif "processor" not in values:
            values["processor"] = threads * layer_speed()
    values.setdefault("small", values.get("large") or values["processor"])
    return preflight.Speed(**values)


@contextmanager
def by_itself(on_gpu: bool) -> Iterator[float]:
    """Measure with one thread on a processor that others keep busy, where several wait for each other; yield by what
    its speed is multiplied.
    """
    threads = torch.get_num_threads()
    if on_gpu or not is_full():
        yield 1.0
        return
    torch.set_num_threads(1)
    try:
        yield preflight.gain(threads)
    finally:
        torch.set_num_threads(threads)


@torch.no_grad()
def unet_speed(prior: Prior, gflop: float) -> float:
    """Return the gigaoperations a second that a prior's UNet gets done, the best of a few rounds."""
    config, told = prior.unet.config, prior.embed([""] * ROWS)
    latents = torch.full((ROWS, config.in_channels, config.sample_size, config.sample_size), 0.5, device=prior.device)
    first = _best(lambda: prior.predict_noise(latents[:1], 500, told[:1]), 1)
    rows, rounds = (1, 1) if first > LONG else (ROWS, ROUNDS)
    return rows * gflop / _best(lambda: prior.predict_noise(latents[:rows], 500, told[:rows]), rounds)


@torch.no_grad()
def layer_speed() -> float:
    """Return the same of the processor, from one layer such as a small UNet has many of."""
    images, weights = torch.full((ROWS, 128, 16, 16), 0.5), torch.full((128, 128, 3, 3), 0.01)
    operations = 2 * ROWS * 128 * 128 * 9 * 16 * 16 * 4 / preflight.GB

    def layers() -> None:
        for _ in range(4):
            torch.nn.functional.conv2d(images, weights, padding=1)

    return operations / _best(layers, ROUNDS)


def _best(work: Callable[[], object], rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        started = _now()
        work()
        seconds.append(_now() - started)
    return max(min(seconds), 1e-6)


def _now() -> float:
    """Return the clock; on a processor that others keep busy, its time for this process: half a second of them says
    nothing of the minutes to come, and the job warns of them.
    """
    device = devices.compute_device()
    devices.synchronise(device)
    if device == devices.PROCESSOR and is_full():
        return time.process_time()
    return time.perf_counter()
