"""Compares the files of a model with its record: their sizes at a glance, their SHA-256 before they are loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from addon.protocol import models
from backend.errors import MissingModel

HASHED_BYTES = 4 << 20  # at a time
AGAIN = "Fetch or import it again: python -m backend models fetch NAME, or Models in the preferences."


def sha256_of(path: Path, listen: Callable[[int], None] = lambda count: None) -> str:
    """Return the SHA-256 of a file; `listen` hears how many bytes were read since the last time."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while some := file.read(HASHED_BYTES):
            digest.update(some)
            listen(len(some))
    return digest.hexdigest()


def problems(model: models.Installed, listen: Callable[[int], None] = lambda count: None) -> list[str]:
    """Return what is wrong with a model's files, a few words each: missing, of another size, changed, not recorded."""
    if model.record is None:
        return [model.problem]
    found = []
    for name, expected in model.record.files.items():
        path, size = model.folder / name, model.record.sizes[name]
        if not path.is_file():
            found.append(f"{name} is missing")
        elif path.stat().st_size != size:
            found.append(f"{name} has {path.stat().st_size} bytes, and had {size}")
        elif sha256_of(path, listen) != expected:
            found.append(f"{name} has changed since")
    known = {*model.record.files, models.MODEL_RECORD}
    loaded = (path for path in model.folder.rglob("*") if path.suffix in (".safetensors", ".json"))
    others = sorted(path.relative_to(model.folder).as_posix() for path in loaded)
    return found + [f"{name} is not in the record" for name in others if name not in known]


def check(model: models.Installed) -> None:
    """Raise MissingModel where a model is not what was fetched or imported."""
    if found := problems(model):
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        raise MissingModel(f"The model {model.name} is not what was installed: {found[0]}{more}.", AGAIN)
