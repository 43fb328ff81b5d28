"""What lies in the folder of models: each model in a folder of its own, with a record of where its files are from.

The record has the SHA-256 and the size of each file as they were fetched or imported.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..inside import is_inside, open_file
from ..typed_json import ProtocolError, build, parse
from .catalogue import BASE, CATALOGUE, EVALUATION, ROLES, UNKNOWN

MODEL_RECORD = "maquette-model.json"
MAX_RECORD = 1 << 20  # bytes
PLACES = {BASE: "bases", EVALUATION: "evaluation"}  # of all other roles: COMPANIONS
COMPANIONS = "companions"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")
STRENGTHS = (-4.0, 4.0)  # of a LoRA; beyond, nothing is left of the base


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """What MODEL_RECORD says. A LoRA has the name of the base that it changes, and how strongly."""

    name: str
    role: str
    title: str
    source: str  # `OWNER/NAME` at a hub, or the path that it was imported from
    commit: str = ""
    licence: str = UNKNOWN
    files: dict[str, str]  # name -> SHA-256
    sizes: dict[str, int]
    base: str = ""
    strength: float = 1.0
    version: int = 1

    def __post_init__(self) -> None:
        if self.version != 1:
            raise ProtocolError(f"The model has a record of version {self.version}; known is 1. Update Maquette.")
        check_name(self.name)
        if self.role not in ROLES:
            raise ProtocolError(f"The model {self.name} has the role {self.role[:40]!r}, which is not known.")
        if self.base:
            check_name(self.base)
        if not STRENGTHS[0] <= self.strength <= STRENGTHS[1]:
            raise ProtocolError(f"The strength {self.strength:g} is not between {STRENGTHS[0]:g} and {STRENGTHS[1]:g}.")
        if self.files.keys() != self.sizes.keys():
            raise ProtocolError(f"The record of the model {self.name} names files without their sizes.")


@dataclass(frozen=True)
class Installed:
    """A model that lies there. With a `problem`, a sentence, nothing but its folder is known."""

    folder: Path
    record: ModelRecord | None = None
    problem: str = ""

    @property
    def name(self) -> str:
        """Return the name that jobs and commands know it by."""
        return self.record.name if self.record else self.folder.name

    @property
    def title(self) -> str:
        """Return what the panel shows."""
        return self.record.title if self.record else self.folder.name

    @property
    def size(self) -> int:
        """Return its bytes, as recorded."""
        return sum(self.record.sizes.values()) if self.record else 0

    @property
    def line(self) -> str:
        """Return what is said of it in one line."""
        if self.record is None:
            return self.problem
        if self.record.base:
            return f"{self.record.base} changed by a LoRA, strength {self.record.strength:g}"
        known = CATALOGUE.get(self.record.name)
        return known.line if known else f"imported from {self.record.source}"


def is_name(name: str) -> bool:
    """Say whether a text can be a model's name, as no path to a folder is."""
    return bool(NAME.fullmatch(name)) and name != "embedded"


def check_name(name: str) -> str:
    """Return a name that can be one of a model. Raises ProtocolError."""
    if not is_name(name):
        raise ProtocolError(f"{name[:60]!r} is no name of a model: small letters, digits, dots, hyphens; not embedded.")
    return name


def bases_folder(models: Path) -> Path:
    """Return where the bases are."""
    return models / PLACES[BASE]


def companions_folder(models: Path) -> Path:
    """Return where the companions are, each in a folder named by its role: what the setting `companions` takes."""
    return models / COMPANIONS


def place_of(models: Path, role: str, name: str) -> Path:
    """Return the folder that a model has, or will have."""
    return models / PLACES[role] / name if role in PLACES else companions_folder(models) / role


def list_installed(models: Path) -> list[Installed]:
    """Return what is there, bases first, by name; what is half fetched is not."""
    found = []
    for place in (*PLACES.values(), COMPANIONS):
        try:
            with os.scandir(models / place) as entries:
                names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            continue
        found += [read_installed(models / place / name) for name in names]
    return sorted(found, key=lambda each: each.record is None or each.record.role != BASE)


def read_installed(folder: Path) -> Installed:
    """Return what a folder says of its model; whatever is wrong with it becomes its problem."""
    try:
        if not is_inside(folder, MODEL_RECORD):
            return Installed(folder, problem=f"{folder} was not fetched or imported: it has no {MODEL_RECORD}.")
        with open_file(folder, MODEL_RECORD, "rb") as file:
            content = file.read(MAX_RECORD + 1)
        if len(content) > MAX_RECORD:
            raise ProtocolError(f"{folder / MODEL_RECORD} has more than {MAX_RECORD} bytes, and none of ours has.")
        return Installed(folder, build(ModelRecord, parse(content, MODEL_RECORD)))
    except (ProtocolError, OSError) as error:
        return Installed(folder, problem=str(error))


def find_installed(models: Path, name: str) -> Installed:
    """Return the model of a name. Raises ProtocolError that names those that are there."""
    known = list_installed(models)
    for each in known:
        if each.name == name:
            return each
    others = f"Installed are {', '.join(each.name for each in known)}." if known else "None is installed."
    raise ProtocolError(f"No model {name[:60]!r} is in {models}. {others}")


def networks_folder(models: Path, name: str) -> Path:
    """Return the folder of an installed base's networks; of that below where it is a LoRA. Raises ProtocolError."""
    found = find_installed(models, name)
    if found.record is not None and found.record.base:
        found = find_installed(models, found.record.base)
    return found.folder


def encode_model_record(record: ModelRecord) -> bytes:
    """Return the text of MODEL_RECORD."""
    return (json.dumps(dataclasses.asdict(record), indent=1, sort_keys=True) + "\n").encode()
