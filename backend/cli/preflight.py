"""`generate --preflight`: what a job would take on this machine, without making it."""

from __future__ import annotations

import sys

from addon import protocol
from addon.protocol import preflight
from backend.runtime.machine import available_threads, compute_device, prepare_torch


def report(request: protocol.Request) -> str:
    """Return the forecast of a request: a line, one for each stage, and where the speed is from.

    Raises BadInput, MissingModel, ProtocolError, WrongSetting.
    """
    prepare_torch(request.threads)
    from backend.diffusion.denoiser import kept_prior
    from backend.systems.base_model import base_folder
    from backend.systems.preflight import keep_speed
    from backend.weights import EMBEDDED

    base = preflight.read_base(base_folder(request.prior))
    known = preflight.read_speed(sys.prefix)
    if known is None or known.threads != (request.threads or available_threads()):
        known = keep_speed(kept_prior("embedded", compute_device()), EMBEDDED)
    found = preflight.of_request(request, base, known)
    stages = [f"  {name:12} {preflight.duration(seconds):>12}" for name, seconds in found.stages.items()]
    where = "the processor" if known.device == "cpu" else known.device
    is_measured = bool(known.large) if base.knows.large else True
    how = "measured there" if is_measured else "not measured yet with such a base"
    return "\n".join([found.line, *stages, f"On {where}, {known.threads} threads, {how}; all of it is predicted."])
