"""Tensors and plain values to files and back, bit for bit: safetensors and JSON, each file whole or not there.

Content may be nested: dicts (with keys of str or int), lists and tuples (which come back as lists) of tensors and of
str, int, float, bool and None. That covers the `state_dict()` of modules and optimisers. `inside` is the folder in
which no link is followed, a job's; links to the file's own folder are if it is not given.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import safetensors
import safetensors.torch
import torch

from addon import protocol
from backend.runtime.notes import REDO_STAGE, REDO_WORK, named_if_damaged

HEADER = "maquette"  # the one entry of the safetensors metadata that carries the values of a checkpoint


class Stateful(Protocol):
    """Whatever can be kept in a checkpoint and restored from one."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any], /) -> Any: ...


class StateGroup:
    """Several parts of a checkpoint as one, each under its name: representation, optimiser, second network, ..."""

    def __init__(self, parts: Mapping[str, Stateful]) -> None:
        self.parts = dict(parts)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all parts as `name/key`."""
        return {f"{name}/{key}": v for name, part in self.parts.items() for key, v in part.state_dict().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Give each part what stands under its name."""
        for name, part in self.parts.items():
            part.load_state_dict({key[len(name) + 1 :]: v for key, v in state.items() if key.startswith(f"{name}/")})


def save_checkpoint(path: Path, content: Any, inside: Path | None = None) -> None:
    """Write nested content to one safetensors file, its values in the header, so that both change at one instant."""
    tensors: dict[str, torch.Tensor] = {}
    values = json.dumps(_take_tensors(content, "", tensors))
    write_whole(path, safetensors.torch.save(tensors, metadata={HEADER: values}), inside)


def load_checkpoint(path: Path, inside: Path | None = None, hint: str = REDO_WORK) -> Any:
    """Return what `save_checkpoint` wrote, tensors on the CPU. Raises BadInput if the file is not one of its files.

    `hint` says what to do then.
    """
    with named_if_damaged(path, hint):
        path = protocol.path_inside(*_place(path, inside))
        with safetensors.safe_open(path, framework="pt") as file:
            values = json.loads((file.metadata() or {})[HEADER])
            # Cloned: mapped memory has another alignment, on which fast matrix products may depend in the last bit.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}
        return _put_tensors(values, tensors)


def save_values(folder: Path, content: Any, inside: Path | None = None) -> None:
    """Write nested content to `tensors.safetensors` (if it has tensors) and `values.json` of a folder."""
    tensors: dict[str, torch.Tensor] = {}
    values = _take_tensors(content, "", tensors)
    if tensors:
        write_whole(folder / "tensors.safetensors", safetensors.torch.save(tensors), inside)
    write_whole(folder / "values.json", (json.dumps(values, indent=1) + "\n").encode(), inside)


def load_values(folder: Path, inside: Path | None = None) -> Any:
    """Return what `save_values` wrote, tensors on the CPU. Raises BadInput if the files are not readable."""
    tensors_path = folder / "tensors.safetensors"
    with named_if_damaged(folder, REDO_STAGE):
        has_tensors = protocol.file_size(*_place(tensors_path, inside)) is not None
        tensors = safetensors.torch.load(read_whole(tensors_path, inside)) if has_tensors else {}
        return _put_tensors(json.loads(read_whole(folder / "values.json", inside)), tensors)


def write_whole(path: Path, content: bytes, inside: Path | None = None) -> None:
    """Write a file under a temporary name, flush and rename it, so that a crash leaves the old one or the new one."""
    if inside is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    protocol.write_whole(*_place(path, inside), content, flush=True)


def read_whole(path: Path, inside: Path | None = None) -> bytes:
    """Return what a file holds."""
    with protocol.open_file(*_place(path, inside), "rb") as file:
        return file.read()


def sha256(path: Path, inside: Path | None = None) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with protocol.open_file(*_place(path, inside), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place(path: Path, inside: Path | None) -> tuple[Path, str]:
    """Return a folder and the name of a file in it."""
    return (path.parent, path.name) if inside is None else (inside, path.relative_to(inside).as_posix())


def _take_tensors(value: Any, where: str, tensors: dict[str, torch.Tensor]) -> Any:
    """Return JSON for the content; its tensors go to `tensors` under their place in it."""
    match value:
        case torch.Tensor():
            name = where or "tensor"
            while name in tensors:  # {"a/b": x, "a": {"b": y}}
                name += "'"
            # A copy of its own, because safetensors refuses tensors that share memory.
            tensors[name] = value.detach().to("cpu", copy=True).contiguous()
            return {"$tensor": name}
        case dict() if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: _take_tensors(item, _join(where, key), tensors) for key, item in value.items()}
        case dict():
            items = [[key, _take_tensors(item, _join(where, key), tensors)] for key, item in value.items()]
            return {"$items": items}
        case list() | tuple():
            return [_take_tensors(item, _join(where, i), tensors) for i, item in enumerate(value)]
        case protocol.Phrase():
            return {"$phrase": protocol.packed(value)}
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise TypeError(f"{where or 'the content'} is a {type(value).__name__}; only tensors and JSON can be kept")


def _put_tensors(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    match value:
        case {"$tensor": name}:
            return tensors[name]
        case {"$phrase": said}:
            return protocol.unpacked(said)
        case {"$items": items}:
            return {key: _put_tensors(item, tensors) for key, item in items}
        case dict():
            return {key: _put_tensors(item, tensors) for key, item in value.items()}
        case list():
            return [_put_tensors(item, tensors) for item in value]
        case _:
            return value


def _join(where: str, key: object) -> str:
    return f"{where}/{key}" if where else str(key)
