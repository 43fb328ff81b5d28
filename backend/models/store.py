"""The folder of models: where it is, who may change a model in it, and how one comes and goes whole."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from addon import protocol
from addon.protocol import models
from backend.errors import BackendError, BadInput, UnfitEnvironment
from backend.runtime.machine import user_data_folder

UNFINISHED = ".unfinished"  # the folder of what is being fetched or imported; the same disk, so that a rename does
SPARE = 256 << 20  # bytes that stay free


def models_folder() -> Path:
    """Return the folder of models of this computer's user: MAQUETTE_MODELS, else where systems keep data."""
    own = os.environ.get("MAQUETTE_MODELS")
    return Path(own).absolute() if own else user_data_folder() / "models"


def unfinished_folder(folder: Path, role: str, name: str) -> Path:
    """Return where a model is put together before it takes its place."""
    return folder / UNFINISHED / f"{role}-{name}"


@contextlib.contextmanager
def changing(folder: Path, role: str, name: str) -> Iterator[Path]:
    """Hold a model against other processes, and give the folder in which it is put together.

    Raises BackendError where another process holds it.
    """
    place = unfinished_folder(folder, role, name)
    place.mkdir(parents=True, exist_ok=True)
    lock = place.with_name(f"{place.name}.lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not protocol.try_lock(descriptor):
            raise BackendError(
                f"Another process is fetching or importing {name} already.", "Wait for it; the same files serve both."
            )
        yield place
    finally:
        os.close(descriptor)


def check_room(folder: Path, needed: int, what: str) -> None:
    """Raise UnfitEnvironment where a disk has less than the needed bytes and some to spare."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE:
        raise UnfitEnvironment(
            f"{what} needs {models.gigabytes(needed)}, and {models.gigabytes(free)} are free at {folder}.",
            "Make room, or choose another folder for the models: MAQUETTE_MODELS, or Models Folder in the preferences.",
        )


def take_place(unfinished: Path, folder: Path, record: models.ModelRecord) -> models.Installed:
    """Write the record and put the folder in its place, in that of an older one of the same name."""
    place = models.place_of(folder, record.role, record.name)
    protocol.write_whole(unfinished, models.MODEL_RECORD, models.encode_model_record(record), flush=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    old = unfinished.with_name(f"{unfinished.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        os.replace(place, old)
    os.replace(unfinished, place)
    shutil.rmtree(old, ignore_errors=True)
    return models.read_installed(place)


def remove(folder: Path, name: str) -> models.Installed:
    """Remove a model's files, and what is half fetched of it, and return what it was.

    Raises BadInput where there is none, where a LoRA needs it, or where its folder was not made here.
    """
    try:
        found = models.find_installed(folder, name)
    except protocol.ProtocolError as error:
        half = [path for path in (folder / UNFINISHED).glob(f"*-{name}") if path.is_dir()]
        if not half:
            raise BadInput(str(error), "See `python -m backend models list`.") from error
        for path in half:
            shutil.rmtree(path)
        return models.Installed(half[0])
    if found.record is None:
        raise BadInput(f"{found.problem} It was not removed.", "Remove the folder by hand.")
    if needing := [each.name for each in models.list_installed(folder) if each.record and each.record.base == name]:
        raise BadInput(f"{name} is the base of {', '.join(needing)}.", "Remove these first.")
    with changing(folder, found.record.role, name) as place:
        doomed = place.with_name(f"{place.name}.old")
        shutil.rmtree(doomed, ignore_errors=True)
        os.replace(found.folder, doomed)  # at once, so that half a model is never used
        shutil.rmtree(doomed, ignore_errors=True)
        shutil.rmtree(place, ignore_errors=True)
    return found
