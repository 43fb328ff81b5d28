"""What a job will take, in one line for the panel: from small files, so that it can be asked at every redraw."""

from __future__ import annotations

import functools
from pathlib import Path

from ..phrases import Phrase
from ..request import Request, Setting
from ..systems import WrongSetting, first_role
from ..typed_json import ProtocolError
from .base_networks import read_base
from .fit import Fit, fitting
from .forecast import GB, duration, forecast, settings_of
from .speed import Speed, read_speed

UNMEASURED = Phrase("Time: known after the first job")


def panel_line(request: Request, base: Path, environment: Path) -> str:
    """Return seconds and memory of a request in a few words; empty where its base cannot be read.

    `base` is the folder of its networks, `environment` that of the backend, which holds the measured speed.
    """
    speed = read_speed(environment)
    if speed is None:
        return UNMEASURED
    speed = speed.with_threads(request.threads or speed.threads)  # where none are asked for, those of the last job
    settings = tuple(sorted(request.settings.items()))
    count = len([image for image in request.images if image.role == first_role(request.system)])
    asked = (request.system, request.preset, settings, frozenset(request.roles), count)
    return _line(*asked, request.outputs, request.stop_after, base, speed)


def panel_fit(request: Request, base: Path, environment: Path) -> Fit | None:
    """Return how a request fits into the memory that was free when the machine was measured.

    None where that, the base or the job is not known.
    """
    speed = read_speed(environment)
    if speed is None or not speed.memory:
        return None
    return _fit(request.system, request.preset, tuple(sorted(request.settings.items())), base, speed)


@functools.lru_cache(maxsize=64)
def _fit(system: str, preset: str, settings: tuple[tuple[str, Setting], ...], base: Path, speed: Speed) -> Fit | None:
    try:
        return fitting(system, preset, dict(settings), read_base(base), speed, speed.memory)
    except (ProtocolError, WrongSetting):
        return None


@functools.lru_cache(maxsize=64)
def _line(
    system: str, preset: str, settings: tuple[tuple[str, Setting], ...], roles: frozenset[str], images: int,
    outputs: tuple[str, ...], stop_after: str, base: Path, speed: Speed,
) -> str:  # fmt: skip
    try:
        chosen = settings_of(system, preset, dict(settings))
        found = forecast(system, chosen, roles, images, outputs, read_base(base), speed, stop_after=stop_after)
    except (ProtocolError, WrongSetting):
        return ""
    return Phrase("About {time}, {memory:.1f} GB", time=duration(found.seconds), memory=found.memory / GB)
