"""The base model that a request names: embedded, an installed one, a LoRA on one, or a folder; checked, then loaded."""

from __future__ import annotations

import functools
import logging
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from addon.protocol import ProtocolError, models
from backend.diffusion.denoiser import Prior, kept_prior
from backend.diffusion.latents import frugal
from backend.errors import MissingModel
from backend.models import checking, store
from backend.models.lora import LORA_FILE, with_lora
from backend.runtime import thrift
from backend.runtime.devices import compute_device, network_dtype, wants_compiling
from backend.runtime.job import Job
from backend.systems import preflight
from backend.weights import EMBEDDED

ADAPTER_ROLE = "ip_adapter"
NOT_NEEDED = (ADAPTER_ROLE, "small_encoder")  # roles that companions are whole without

NOT_COMPILED = "Turn Compile Networks off in the preferences (MAQUETTE_COMPILE=off), or install what is missing."

_log = logging.getLogger(__name__)
_checked: set[tuple[str, int, int]] = set()  # files that this process has compared already: path, time, size

Settings = TypeVar("Settings")


def base_model(job: Job) -> Prior:
    """Return the base model of a job, in the precision that suits this machine, after saying what the job will take.

    An installed one is compared with its record first. Raises MissingModel: which model, how big, how to get it.
    """
    name, device = job.request.prior, compute_device()
    found = installed(name)
    if found is None:
        folder = EMBEDDED if name == "embedded" else Path(name)
        return _load(job, name, folder, device)
    _check_once(found)
    assert found.record is not None
    if not found.record.base:
        return _load(job, str(found.folder), found.folder, device)
    below = installed(found.record.base)
    if below is None:
        raise MissingModel(
            f"{found.name} changes the base {found.record.base}, which is not installed.", how_to_get("")
        )
    _check_once(below)
    change = functools.partial(with_lora, file=found.folder / LORA_FILE, strength=found.record.strength)
    key = (str(found.folder), found.record.strength, found.record.files[LORA_FILE])
    return _load(job, str(below.folder), below.folder, device, change=change, change_key=key)


def base_folder(name: str) -> Path:
    """Return the folder of the networks that a request's prior names, of the base where it is a LoRA.

    Raises MissingModel for a name of the catalogue that is not installed.
    """
    if installed(name) is not None:
        return models.networks_folder(store.models_folder(), name)
    return EMBEDDED if name == "embedded" else Path(name)


def installed(name: str) -> models.Installed | None:
    """Return the installed model that a request's prior names; None for `embedded` and for a folder.

    Raises MissingModel for a name of the catalogue that is not installed.
    """
    if name == "embedded" or not models.is_name(name) or Path(name).is_dir():
        return None
    try:
        return models.find_installed(store.models_folder(), name)
    except ProtocolError as error:
        known = models.CATALOGUE.get(name)
        what = f"{known.title} ({models.size_words(known)})" if known else f"The model {name}"
        raise MissingModel(f"{what} is not on this machine.", how_to_get(name if known else "")) from error


def with_companions(job: Job, settings: Settings) -> Settings:
    """Return a system's settings with the installed companions, where the artist names none.

    Only for an installed base, and only if all that the system asks for are there.
    """
    if installed(job.request.prior) is None:
        return settings
    there = models.companions_folder(store.models_folder())
    known = {field.name for field in fields(settings)}  # pyright: ignore[reportArgumentType]
    asked: Any = settings
    changes: dict[str, Any] = {}
    needed = [model.role for model in models.CATALOGUE.values() if job.request.system in model.systems]
    if "companions" in known and not asked.companions:
        if all(models.read_installed(there / role).record for role in needed if role not in NOT_NEEDED):
            changes["companions"] = str(there)
    adapter = there / ADAPTER_ROLE
    if "adapter" in known and not asked.adapter and models.read_installed(adapter).record:
        changes["adapter"] = str(adapter)
    return replace(settings, **changes)  # pyright: ignore[reportArgumentType, reportCallIssue]


def how_to_get(name: str) -> str:
    """Return what to do about a model that is missing."""
    fetch = f"Fetch it: python -m backend models fetch {name}, or" if name else "See python -m backend models list, or"
    return f"{fetch} Models in the add-on's preferences."


def _load(job: Job, name: str, folder: Path, device: str, **options: Any) -> Prior:
    size = sum(path.stat().st_size for path in folder.glob("*/*.safetensors"))
    dtype = network_dtype(device, size)
    _log.info("The base %s is loaded as %s on %s.", folder.name, str(dtype).removeprefix("torch."), device)
    prior = kept_prior(name, device, dtype, **options)
    preflight.announce(job, prior, folder)
    prior = replace(prior, most_together=thrift.most_together())
    if wants_compiling():
        _log.info("The networks that draw are compiled at their first use.")
        prior = replace(prior, tell_uncompiled=functools.partial(job.warn, hint=NOT_COMPILED))
    return frugal(prior) if thrift.level().again else prior


def _check_once(model: models.Installed) -> None:
    """Compare a model's files with its record, once in a process unless they change."""
    files = {
        (str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in model.folder.rglob("*") if path.is_file()
    }
    if not files <= _checked:
        checking.check(model)
        _checked.update(files)
