"""Finds pretrained networks on the disk and loads them: safetensors only, nothing is downloaded.

They are read a tensor at a time, so that each lies in memory once, in its last precision. Both libraries map the files
and cast what they hold: for a while the file and the network are in memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.errors import MissingModel

if TYPE_CHECKING:
    import torch

PIECE = 1 << 22  # bytes of a file that are read at a time
STEMS = ("diffusion_pytorch_model", "model")  # as diffusers and transformers call them
INDEX = ".safetensors.index.json"
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
    network: Any,
    folder: Path,
    device: torch.device | str,
    dtype: torch.dtype | None = None,
    *,
    channels_last: bool = False,
    **options: Any,
) -> Any:
    """Load a class of diffusers or transformers from a folder, frozen, in fp32 unless a dtype is given.

    No weight is in memory twice while it loads. Both libraries fill up with random numbers what a file lacks. Raises
    MissingModel instead, with the first names.
    """
    import torch
    from safetensors import SafetensorError

    if not list(folder.glob("*.safetensors")):
        raise MissingModel(f"{folder} holds no safetensors file.", "Other formats can run foreign code; convert it.")
    files, wanted = find_files(folder), dtype or torch.float32
    read = _read_diffusers if hasattr(network, "load_config") else _read_transformers
    layout = torch.channels_last if channels_last else torch.contiguous_format
    try:
        if not files:
            raise OSError(f"no file there is called {STEMS[0]}.safetensors or {STEMS[1]}.safetensors")
        with unread(files) as tensors:
            loaded, missing = read(network, folder, tensors, device, wanted, layout, options)
    except (OSError, ValueError, SafetensorError) as error:
        raise MissingModel(f"The network in {folder} cannot be loaded: {error}", "Copy its folder again.") from error
    if missing:
        raise MissingModel(
            f"The file in {folder} lacks {len(missing)} tensors of a {network.__name__}, such as {missing[0]}.",
            "Its config.json and its safetensors file do not belong together.",
        )
    loaded.requires_grad_(False).eval()
    return torch.nn.Module.to(loaded, device=device, dtype=wanted)  # diffusers' own `to` warns of it


def _read_diffusers(
    network: Any, folder: Path, tensors: dict[str, Any], device: torch.device | str, dtype: torch.dtype,
    layout: torch.memory_format, options: dict[str, Any],
) -> tuple[Any, list[str]]:  # fmt: skip
    from accelerate import init_empty_weights

    with init_empty_weights():
        loaded = network.from_config(network.load_config(folder, local_files_only=True), **options)
    loaded._fix_state_dict_keys_on_load(tensors)  # names of older versions
    return loaded, fill(loaded, tensors, device, dtype, layout)


def _read_transformers(
    network: Any, folder: Path, tensors: dict[str, Any], device: torch.device | str, dtype: torch.dtype,
    layout: torch.memory_format, options: dict[str, Any],
) -> tuple[Any, list[str]]:  # fmt: skip
    config = network.config_class.from_pretrained(folder, local_files_only=True)
    loaded, report = network.from_pretrained(
        None, config=config, state_dict=tensors, dtype=dtype, output_loading_info=True, local_files_only=True, **options
    )
    # As if read from the folder by its name: by "None", which it has now, peft would look for a model on the hub.
    loaded.name_or_path = loaded.config._name_or_path = str(folder)
    return loaded, sorted(report["missing_keys"])


def find_files(folder: Path) -> list[Path]:
    """Return the files that hold a network's tensors: the one of full precision, else that of half, or the pieces.

    Empty where none has the name that it has in a public folder.
    """
    for variant in ("", ".fp16"):
        for stem in STEMS:
            if (file := folder / f"{stem}{variant}.safetensors").is_file():
                return [file]
            index = folder / f"{stem}{INDEX.replace('.index', f'.index{variant}')}"
            if index.is_file():
                names = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
                return [folder / Path(name).name for name in sorted(set(names))]
    return []


@contextmanager
def unread(files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Open files and give their tensors by name, each of which is read when it is asked for with `[...]`.

    They are read, not mapped: the pages of a mapped file count as memory of this process until it is closed.
    """
    from safetensors import safe_open

    with ExitStack() as stack:
        tensors: dict[str, Any] = {}
        for file in files:
            opened: Any = safe_open(file, framework="pt", backend="pread")  # pyright: ignore[reportCallIssue]
            stack.enter_context(opened)
            tensors |= {name: opened.get_slice(name) for name in opened.keys()}
        yield tensors


def fill(
    network: torch.nn.Module, tensors: Mapping[str, Any], device: torch.device | str, dtype: torch.dtype,
    layout: torch.memory_format,
) -> list[str]:  # fmt: skip
    """Give a network without memory (of the device `meta`) its tensors; return the names that it lacks.

    Those with four dimensions get the layout. Raises ValueError where a shape is another one.
    """
    import torch

    wanted = network.state_dict()
    for name in wanted.keys() & tensors.keys():
        value = tensors[name][...]
        if value.shape != wanted[name].shape:
            raise ValueError(f"{name} has the shape {tuple(value.shape)}, not {tuple(wanted[name].shape)}")
        kind = dtype if value.is_floating_point() else value.dtype
        value = value.to(device, kind, memory_format=layout if value.ndim == 4 else torch.preserve_format)
        module, _, leaf = name.rpartition(".")
        is_buffer = leaf in network.get_submodule(module)._buffers
        setattr(network.get_submodule(module), leaf, value if is_buffer else torch.nn.Parameter(value))
    return sorted(wanted.keys() - tensors.keys())


def fingerprint(folder: Path) -> str:
    """Return a SHA-256 over the names and contents of all safetensors and JSON files below a folder."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".safetensors", ".json")):
        digest.update(f"{path.relative_to(folder).as_posix()}\n".encode())
        with path.open("rb") as file:  # a piece at a time: the whole of it may be as large as the memory
            while some := file.read(PIECE):
                digest.update(some)
    return digest.hexdigest()
