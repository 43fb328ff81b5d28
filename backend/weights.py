"""Finds pretrained networks on the disk and loads them: safetensors only, nothing is downloaded."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.errors import MissingModel

if TYPE_CHECKING:
    import torch

PIECE = 1 << 22  # bytes of a file that are read at a time
EMBEDDED = Path(__file__).parent / "embedded" / "weights"


def network_folder(name: str, role: str, needed: Sequence[str] = ("config.json",)) -> Path:
    """Return the folder of a role's network: the embedded one's (`embedded`), or a local folder by its name.

    Raises MissingModel where one of the `needed` files is not in it.
    """
    folder = EMBEDDED / role if name == "embedded" else Path(name)
    for file in needed:
        if not (folder / file).is_file():
            raise MissingModel(
                f"There is no network for the role {role} in {folder}: {file} is missing.",
                "docs/companions.md says which networks have this role and how their folders look.",
            )
    return folder


def network_name(companions: str, role: str) -> str:
    """Return what to load a role's network by: its folder inside that of the companions, `embedded` without one."""
    return f"{companions}/{role}" if companions else "embedded"


def load_frozen(
    network: Any, folder: Path, device: torch.device | str, dtype: torch.dtype | None = None, **options: Any
) -> Any:
    """Load a class of diffusers or transformers from a folder, frozen, in fp32 unless a dtype is given.

    Both libraries fill up with random numbers what a file lacks. Raises MissingModel instead, with the first names.
    """
    import torch

    files = list(folder.glob("*.safetensors"))
    if not files:
        raise MissingModel(f"{folder} holds no safetensors file.", "Other formats can run foreign code; convert it.")
    if all(file.name.endswith(".fp16.safetensors") for file in files):
        options["variant"] = "fp16"
    wanted = dtype or torch.float32
    options["dtype"] = wanted  # while it is read, so that there is no second copy
    try:
        loaded, report = network.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True, **options
        )
    except OSError as error:
        raise MissingModel(f"The network in {folder} cannot be loaded: {error}", "Copy its folder again.") from error
    if missing := sorted(report["missing_keys"]):
        raise MissingModel(
            f"The file in {folder} lacks {len(missing)} tensors of a {network.__name__}, such as {missing[0]}.",
            "Its config.json and its safetensors file do not belong together.",
        )
    loaded.requires_grad_(False).eval()
    return torch.nn.Module.to(loaded, device=device, dtype=wanted)  # diffusers' own `to` warns of it


def fingerprint(folder: Path) -> str:
    """Return a SHA-256 over the names and contents of all safetensors and JSON files below a folder."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".safetensors", ".json")):
        digest.update(f"{path.relative_to(folder).as_posix()}\n".encode())
        with path.open("rb") as file:  # a piece at a time: the whole of it may be as large as the memory
            while some := file.read(PIECE):
                digest.update(some)
    return digest.hexdigest()
