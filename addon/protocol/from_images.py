"""A request from words and images: the images' numbers in the job folder, what they are, and from where they show it.

Each image comes with the fields of its InputImage but for the path, as `image_fields` returns them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .request import INPUT_FOLDER, NAME_CHARACTERS, InputImage, Request
from .subjects import Subject, subject_files
from .systems import DEFAULT_SYSTEM, SYSTEMS, first_role
from .typed_json import ProtocolError

# What cameras, programs and people call files whatever is in them.
SAYS_NOTHING = frozenset(
    "capture copy crop cropped cutout dsc dscf dscn edited export final image images img imgp input mask masked new "
    "out output photo photos pic picture pxl render rendered rgb rgba sample scan screenshot snapshot test tmp "
    "untitled unnamed whatsapp wp jpg jpeg png webp at of am pm".split()
)

Picture = tuple[Path, dict[str, Any]]  # a file, and the fields of its InputImage but for the path


def describe(
    images: Sequence[str | Path] = (),
    visual_prompts: Sequence[str | Path] = (),
    *,
    mask: str | Path | None = None,
    system: str = DEFAULT_SYSTEM,
    elevation_degrees: float = 0.0,
    azimuth_degrees: float = 0.0,
    fov_degrees: float = 40.0,
    subject: Subject | None = None,
    **fields: Any,
) -> tuple[Request, list[Path]]:
    """Return the request for a job and the files of its images.

    `images` show the object, from the given elevation and azimuth (0: the front, 90: from +X) through a camera that
    opens so far along the image's longer side; `visual_prompts` show a style or a likeness. `mask` is white where the
    object is in the first of the images. `subject` is a kept one, in the place of its photos. Without a prompt the name
    of the first image is one, where it says something and the system needs words. `fields` are those of
    protocol.Request: prompt, negative_prompt, seed, preset, prior, outputs, settings, ... Raises ProtocolError with a
    sentence for what cannot be asked for.
    """
    angles = (elevation_degrees, azimuth_degrees, fov_degrees)
    InputImage(path=INPUT_FOLDER, **image_fields("reconstruct", *angles))  # wrong ones are, also where nothing is seen
    said = image_fields(first_role(system), *angles)
    pictures = [(Path(path), said) for path in images]
    pictures += [(Path(path), image_fields("visual_prompt")) for path in visual_prompts]
    if mask is not None:
        pictures.append((Path(mask), image_fields("mask")))
    for path, _ in pictures:
        if not path.is_file():
            raise ProtocolError(f"There is no image {path}. Check the path.")
    named = input_images(pictures)
    if unknown := sorted(fields.keys() - Request.__dataclass_fields__.keys()):
        raise ProtocolError(f"A request has no {', '.join(unknown)}. Check the spelling.")
    sources = [path for path, _ in pictures]
    if images and not str(fields.get("prompt", "")).strip() and takes_prompt_of_name(system):
        fields["prompt"] = proposed_prompt(Path(images[0]).name)
    if subject is not None:
        own, files = subject_files(subject)
        fields |= {"subject": own, "subject_files": tuple(files)}
        sources += files.values()
    return Request(system=system, images=named, **fields), sources


def takes_prompt_of_name(system: str) -> bool:
    """Say whether a system needs words, and an image of its first role has them in its name."""
    known = SYSTEMS.get(system)
    return known is not None and known.needs_prompt and first_role(system) == "reconstruct"


def proposed_prompt(name: str) -> str:
    """Return what the name of an image's file says of what it shows: `red_mug-2.png` is "red mug"; empty if nothing."""
    stem = name.rpartition(".")[0] or name
    words = "".join(letter if letter.isalpha() or letter == "'" else " " for letter in stem).split()
    said = [word for word in words if word.lower() not in SAYS_NOTHING]
    return " ".join(said) if any(len(word) > 2 for word in said) else ""


def input_images(pictures: Iterable[Picture]) -> tuple[InputImage, ...]:
    """Return the images of a request: numbered in their order, as the job folder has its copies, with their names."""
    return tuple(_input_image(number, file, said) for number, (file, said) in enumerate(pictures))


def _input_image(number: int, file: Path, said: dict[str, Any]) -> InputImage:
    copy = f"{number:02}{file.suffix.lower()}"
    name = artists_name(file)
    fields: dict[str, Any] = {"name": "" if name == copy else name} | said
    return InputImage(path=f"{INPUT_FOLDER}/{copy}", **fields)


def artists_name(file: Path) -> str:
    """Return what a file is called, in characters that are text whatever its name is made of."""
    return file.name.encode(errors="replace").decode()[:NAME_CHARACTERS]


def image_fields(
    role: str, elevation_degrees: float = 0.0, azimuth_degrees: float = 0.0, fov_degrees: float = 40.0
) -> dict[str, Any]:
    """Return what a request says of an image of a role: only one that is reconstructed is seen from a place."""
    if role != "reconstruct":
        return {"role": role}
    angles = {"elevation_degrees": elevation_degrees, "azimuth_degrees": azimuth_degrees, "fov_degrees": fov_degrees}
    return {"role": role, **angles}
