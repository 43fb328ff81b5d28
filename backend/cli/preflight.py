"""`generate --preflight`: what a job would take on this machine, without making it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from addon import protocol
from addon.protocol import preflight
from backend.runtime.cores import free_threads
from backend.runtime.devices import compute_device
from backend.runtime.machine import prepare_torch


@dataclass(frozen=True)
class Asked:
    """A request before there is a folder of it: its files are still where they were."""

    request: protocol.Request
    sources: Sequence[Path]

    def input_path(self, named: protocol.InputImage | str) -> Path:
        """Return the file that an input would be a copy of."""
        return self.sources[self.request.files.index(named if isinstance(named, str) else named.path)]


def report(request: protocol.Request, sources: Sequence[Path] = ()) -> str:
    """Return the forecast of a request: a line, one for each stage, and where the speed is from.

    `sources` are the request's files. What the job would warn of before its first stage goes to stderr.
    Raises BadInput, EmptyMask, MissingModel, ProtocolError, WrongSetting.
    """
    threads = request.threads or free_threads()
    prepare_torch(threads)
    from backend.diffusion.denoiser import kept_prior
    from backend.systems.base_model import base_folder
    from backend.systems.preflight import available_memory, keep_speed
    from backend.systems.small_encoder import wanted_small_encoder
    from backend.weights import EMBEDDED

    folder = base_folder(request.prior)
    base = preflight.read_base(folder)
    settings = preflight.settings_of(request.system, request.preset, request.settings)
    wanted_small_encoder(request.prior, settings)  # says why where there is none
    for sentence, hint in doubts(Asked(request, sources), folder, base.pixels):
        print(protocol.plain_text(f"warning: {sentence} {hint}"), file=sys.stderr)
    known = preflight.read_speed(sys.prefix)
    if known is None or known.threads != threads:
        known = keep_speed(kept_prior("embedded", compute_device()), EMBEDDED)
    fit = preflight.fitting(request.system, request.preset, request.settings, base, known, available_memory())
    found = preflight.of_request(request, base, known, fit.together)
    stages = [f"  {name:12} {preflight.duration(seconds):>12}" for name, seconds in found.stages.items()]
    where = "the processor" if known.device == "cpu" else known.device
    is_measured = bool(known.large) if base.knows.large else True
    how = "measured there" if is_measured else "not measured yet with such a base"
    memory = [f"{fit.words}."] if fit.words else []
    return "\n".join(
        [found.line, *memory, *stages, f"On {where}, {known.threads} threads, {how}; all of it is predicted."]
    )


def doubts(asked: Asked, folder: Path, size: int) -> list[tuple[str, str]]:
    """Return what a job would warn of before its first stage, sentences with hints, of words and of images.

    `folder` is the prior's, `size` how many pixels along a side it sees. Raises EmptyMask, BadInput, as the job would.
    """
    from backend.diffusion.denoiser import load_tokenizer
    from backend.runtime.checkpoint import read_whole
    from backend.systems.inputs import unknown_words

    request = asked.request
    settings = preflight.settings_of(request.system, request.preset, request.settings)
    taught = getattr(settings, "token", "")
    if request.subject:  # which has been taught with a token of its own
        record = asked.input_path(f"{protocol.SUBJECT_FOLDER}/{protocol.SUBJECT_RECORD}")
        taught = protocol.decode_record(read_whole(record)).token
    prompts = f"{request.prompt} {request.negative_prompt}"
    found = unknown_words(load_tokenizer(folder), prompts, taught=taught)
    look = getattr(importlib.import_module(f"backend.systems.{request.system}"), "look", None)
    return found + (look(asked, settings, size) if look else [])
