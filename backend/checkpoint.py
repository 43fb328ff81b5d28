"""Tensors and plain values to files and back, bit for bit: safetensors and JSON, each file whole or not there.

Content may be nested: dicts (with keys of str or int), lists and tuples (which come back as lists) of tensors and of
str, int, float, bool and None. That covers the `state_dict()` of modules and optimisers.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from backend.errors import BadInput
from backend.machine import replace_file

HEADER = "maquette"  # the one entry of the safetensors metadata that carries the values of a checkpoint


def save_checkpoint(path: Path, content: Any) -> None:
    """Write nested content to one safetensors file, its values in the header, so that both change at one instant."""
    tensors: dict[str, torch.Tensor] = {}
    values = json.dumps(_take_tensors(content, "", tensors))
    write_whole(path, safetensors.torch.save(tensors, metadata={HEADER: values}))


def load_checkpoint(path: Path) -> Any:
    """Return what `save_checkpoint` wrote, tensors on the CPU. Raises BadInput if the file is not one of its files."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            values = json.loads((file.metadata() or {})[HEADER])
            # Cloned: mapped memory has another alignment, on which fast matrix products may depend in the last bit.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}
        return _put_tensors(values, tensors)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} is damaged ({error}).", "Delete this file; the work since then is redone.") from error


def save_values(folder: Path, content: Any) -> None:
    """Write nested content to `tensors.safetensors` (if it has tensors) and `values.json` of a folder."""
    tensors: dict[str, torch.Tensor] = {}
    values = _take_tensors(content, "", tensors)
    if tensors:
        write_whole(folder / "tensors.safetensors", safetensors.torch.save(tensors))
    write_whole(folder / "values.json", (json.dumps(values, indent=1) + "\n").encode())


def load_values(folder: Path) -> Any:
    """Return what `save_values` wrote, tensors on the CPU. Raises BadInput if the files are not readable."""
    tensors_path = folder / "tensors.safetensors"
    try:
        tensors = safetensors.torch.load(tensors_path.read_bytes()) if tensors_path.exists() else {}
        return _put_tensors(json.loads((folder / "values.json").read_bytes()), tensors)
    except (OSError, safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{folder} is damaged ({error}).", "Delete this folder; the stage is done again.") from error


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, flush and rename it, so that a crash leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    replace_file(temporary, path)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise TypeError(f"{where or 'the content'} is a {type(value).__name__}; only tensors and JSON can be kept")


def _put_tensors(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    match value:
        case {"$tensor": name}:
            return tensors[name]
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
