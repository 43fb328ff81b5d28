"""Takes into the folder of models what artists have: folders in diffusers' format, single files, LoRA. No network.

Files on the same disk become second names of the same bytes where the system lets them; elsewhere they are copied.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from addon.protocol import ProtocolError, models
from backend.errors import BadInput
from backend.models import checkpoint_file, store
from backend.models.checking import sha256_of
from backend.models.lora import LORA_FILE, is_lora

PICKLED = {".ckpt", ".pt", ".pth", ".bin", ".pkl"}
TAKEN = (".safetensors", ".json", ".txt", ".model")
# What a companion's config.json or model_index.json names -> its role.
ROLE_OF_CLASS = {
    "DepthAnythingForDepthEstimation": "depth", "MarigoldNormalsPipeline": "normals", "ViTModel": "features",
    "SamModel": "matting", "CLIPModel": "image_encoder", "Zero123Pipeline": "zero123",
    "AutoencoderTiny": "small_encoder",
}  # fmt: skip
PARTS_OF_BASE = ("unet", "vae", "text_encoder")
WHAT = (
    "A folder in diffusers' format, a checkpoint of Stable Diffusion 1.x or a LoRA, as .safetensors, can be imported."
)


def import_path(
    path: Path, folder: Path, *, name: str = "", role: str = "", base: str = "", strength: float = 1.0
) -> models.Installed:
    """Import a folder or a file, and return the model. Raises BadInput, UnfitEnvironment, BackendError."""
    path = path.expanduser().absolute()
    try:
        if path.is_dir():
            return _import_folder(path, folder, name, role)
        if not path.is_file():
            raise BadInput(f"There is nothing at {path}.", "Check the path.")
        if path.suffix in PICKLED:
            raise BadInput(
                f"{path.name} may hold code that runs when it is read, and is not opened.", "Take its .safetensors."
            )
        if path.suffix != ".safetensors":
            raise BadInput(f"{path.name} is no safetensors file.", WHAT)
        shapes = checkpoint_file.shapes_in(path)
        if is_lora(list(shapes)):
            return _import_lora(path, folder, name, base, strength)
        if any(key.startswith("ip_adapter.") for key in shapes):
            raise BadInput(
                f"{path.name} is an IP-Adapter, which needs its image encoder too.",
                "Import the folder that holds both, --role ip_adapter.",
            )
        return _import_checkpoint(path, folder, name, shapes)
    except ProtocolError as error:
        raise BadInput(str(error), "Give --name NAME.") from error


def name_from(path: Path) -> str:
    """Return a name made of that of a file or folder."""
    return re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower() if path.is_file() else path.name.lower()).strip("-._")[:60]


def role_of(path: Path) -> str:
    """Return the role that a folder can have, by the class that it names; empty where it names none of ours."""
    for file, keys in (("model_index.json", ("_class_name",)), ("config.json", ("_class_name", "architectures"))):
        if (path / file).is_file():
            said = json.loads((path / file).read_text(encoding="utf-8"))
            names = [
                each for key in keys for each in ([said.get(key)] if key == "_class_name" else said.get(key) or [])
            ]
            for each in names:
                if each in ROLE_OF_CLASS:
                    return ROLE_OF_CLASS[each]
    return models.BASE if all((path / part / "config.json").is_file() for part in PARTS_OF_BASE) else ""


def _import_folder(path: Path, folder: Path, name: str, role: str) -> models.Installed:
    role = role or role_of(path)
    if not role:
        raise BadInput(
            f"{path} is none of the models that Maquette knows by their files.", f"{WHAT} Or give --role ROLE."
        )
    several = role in (models.BASE, models.EVALUATION)
    name = models.check_name(name or (name_from(path) if several else role))
    files = sorted(file for file in path.rglob("*") if file.suffix in TAKEN and file.is_file())
    files = [file for file in files if not any(part.startswith(".") for part in file.relative_to(path).parts)]
    files = [file for file in files if file.name != models.MODEL_RECORD]
    if not any(file.suffix == ".safetensors" for file in files):
        raise BadInput(f"{path} holds no safetensors file.", "Other formats can run foreign code; convert it.")
    if role == models.BASE:
        for part in PARTS_OF_BASE:
            if not list((path / part).glob("*.safetensors")):
                raise BadInput(f"{path} is no whole base: {part} holds no safetensors file.", "Copy its folder again.")
    with store.changing(folder, role, name) as place:
        _empty(place)
        store.check_room(place, sum(file.stat().st_size for file in files), path.name)
        for file in files:
            _take(file, place / file.relative_to(path))
        title = models.CATALOGUE[name].title if name in models.CATALOGUE else path.name
        return _installed(place, folder, name=name, role=role, title=title, source=str(path))


def _import_checkpoint(path: Path, folder: Path, name: str, shapes: dict[str, list[int]]) -> models.Installed:
    name = models.check_name(name or name_from(path))
    with store.changing(folder, models.BASE, name) as place:
        _empty(place)
        store.check_room(place, path.stat().st_size, path.name)
        checkpoint_file.convert(path, place, shapes)
        return _installed(place, folder, name=name, role=models.BASE, title=path.stem, source=str(path))


def _import_lora(path: Path, folder: Path, name: str, base: str, strength: float) -> models.Installed:
    bases = [each.name for each in models.list_installed(folder) if each.record and each.record.role == models.BASE]
    bases = [each for each in bases if not (models.find_installed(folder, each).record or _none()).base]
    if not base and len(bases) == 1:
        base = bases[0]
    if base not in bases:
        known = f"installed are {', '.join(bases)}" if bases else "none is installed: fetch or import one first"
        said = f"there is no base {base!r}" if base else "it changes a base, which must be named"
        raise BadInput(f"{path.name} is a LoRA, and {said}; {known}.", "Name it: --base NAME.")
    name = models.check_name(name or name_from(path))
    if name == base:
        raise BadInput(f"{name} is the name of the base itself.", "Give another --name.")
    with store.changing(folder, models.BASE, name) as place:
        _empty(place)
        store.check_room(place, path.stat().st_size, path.name)
        _take(path, place / LORA_FILE)
        return _installed(
            place, folder, name=name, role=models.BASE, title=f"{path.stem} on {base}", source=str(path), base=base,
            strength=strength,
        )  # fmt: skip


def _none() -> models.ModelRecord:
    return models.ModelRecord(name="none", role=models.BASE, title="", source="", files={}, sizes={}, base="none")


def _installed(place: Path, folder: Path, **facts: str | float) -> models.Installed:
    names = sorted(file.relative_to(place).as_posix() for file in place.rglob("*") if file.is_file())
    licence = "as its source says"
    record = models.ModelRecord(
        files={name: sha256_of(place / name) for name in names},
        sizes={name: (place / name).stat().st_size for name in names},
        licence=licence, **facts,  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
    return store.take_place(place, folder, record)


def _empty(place: Path) -> None:
    """Throw away what an import before this one left unfinished, or a download."""
    for path in place.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _take(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:  # another disk, or a system without second names
        shutil.copyfile(source, target)
