"""What is asked for: the request of a job, checked field by field, and its JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any

from .phrases import Phrase
from .systems import FROM_RESULT, KEPT_SUBJECT, PRESETS, ROLES, SYSTEMS, Value, built_systems, check_settings
from .typed_json import ProtocolError, build, parse

VERSION = 1  # of the protocol: Hello and Request carry it, and a newer one is refused
PROMPT_CHARACTERS = 1_000
IMAGES = 50
NAME_CHARACTERS = 255

OUTPUTS = ("mesh", "points")

INPUT_FOLDER = "inputs"
START_FILE = f"{INPUT_FOLDER}/start.ply"
START_VALUES = f"{INPUT_FOLDER}/start.safetensors"  # of systems that begin from what a stage leaves

SUBJECT_FOLDER = f"{INPUT_FOLDER}/subject"  # the files of a kept subject, by their names there
SUBJECT_RECORD = "subject.json"  # whose SHA-256 names a subject; it holds those of the others
SUBJECT_FILES = 100
OF_A_SUBJECT = re.compile(
    r"subject\.json|photos/photo-\d\d\.png|(?:places|classes)/tensors\.safetensors|taught/(?:partial|full)/"
    r"(?:pytorch_lora_weights\.safetensors|(?:unet|text_encoder)/(?:config\.json|(?:diffusion_pytorch_)?model\.safetensors))"
)

Setting = Value


class VersionError(ProtocolError):
    """The other side speaks another version."""


@dataclass(frozen=True, kw_only=True)
class InputImage:
    """Name one picture of the job folder and say what it shows. Azimuth 0 looks at the front (-Y), 90 from +X.

    `name` is what the artist's own file was called, for sentences only: with another one it is the same request.
    """

    path: str
    role: str = "reconstruct"
    elevation_degrees: float = 0.0
    azimuth_degrees: float = 0.0
    fov_degrees: float = 40.0
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        check_relative_path(self.path)
        _check_text("path of an image", self.path)
        _check_text("name of an image", self.name)
        _check_range("number of characters of an image's name", len(self.name), 0, NAME_CHARACTERS)
        _check_choice("role of an image", self.role, ROLES)
        _check_range("elevation", self.elevation_degrees, -90.0, 90.0, " degrees")
        _check_range("azimuth", self.azimuth_degrees, -360.0, 360.0, " degrees")
        _check_range("field of view", self.fov_degrees, 1.0, 120.0, " degrees")

    @property
    def called(self) -> str:
        """Return what an artist knows the picture by: its own name, or its path in the job folder."""
        return self.name or self.path


@dataclass(frozen=True, kw_only=True)
class Request:
    """Say completely what is to be made; frozen when the job folder is written.

    `prior` is "embedded" or a folder ("sd15" is kept for later); `threads` 0 means every core that is free; `settings`
    override values of the preset. `start` is a copy of what to begin from, of an earlier job's `start_prompt`.
    `subject` names a kept one, instead of photos, whose `subject_files` are copied into SUBJECT_FOLDER.
    Every refusal is a ProtocolError whose sentence the artist reads before a process starts.
    """

    system: str
    prompt: str = ""
    negative_prompt: str = ""
    images: tuple[InputImage, ...] = ()
    seed: int = 0
    preset: str = "standard"
    prior: str = "embedded"
    outputs: tuple[str, ...] = OUTPUTS
    stop_after: str = ""
    threads: int = 0
    settings: dict[str, Setting] = field(default_factory=dict)
    start: str = ""
    start_prompt: str = ""
    subject: str = ""
    subject_files: tuple[str, ...] = ()
    version: int = VERSION

    def __post_init__(self) -> None:
        check_version("request", self.version)
        _check_choice("system", self.system, SYSTEMS)
        _check_choice("preset", self.preset, PRESETS)
        for output in self.outputs:
            _check_choice("output", output, OUTPUTS)
        if not self.outputs:
            raise ProtocolError(
                Phrase("The request asks for no output: name at least one of {names}.", names=", ".join(OUTPUTS))
            )
        _check_prompt("prompt", self.prompt)
        _check_prompt("negative prompt", self.negative_prompt)
        if SYSTEMS[self.system].needs_prompt and not _has_words(self.prompt):
            raise ProtocolError(
                Phrase("The prompt is empty: describe the object in a few words, for example 'a red mug'.")
            )
        shown = any(image.role == SYSTEMS[self.system].roles[0] for image in self.images)
        if SYSTEMS[self.system].needs_image_or_prompt and not shown and not _has_words(self.prompt):
            raise ProtocolError(
                Phrase("There is neither an image nor a prompt: give an image of the object, or describe it.")
            )
        if len(self.images) > IMAGES:
            told = "The request has {count} images; at most {most} are used. Remove some."
            raise ProtocolError(Phrase(told, count=len(self.images), most=IMAGES))
        self._check_start()
        self._check_subject()
        _check_range("seed", self.seed, 0, 2**63 - 1)
        _check_range("number of threads", self.threads, 0, 1024)
        _check_text("prior", self.prior)
        if not self.prior:
            told = "The prior has no name: use 'embedded' or a local folder in diffusers' format."
            raise ProtocolError(Phrase(told))
        for name, value in self.settings.items():
            if not name.isidentifier():
                raise ProtocolError(f"{name!r} is not the name of a setting: use name=value, for example steps=400.")
            if isinstance(value, str):
                _check_text(f"setting {name}", value)
            if isinstance(value, float) and not math.isfinite(value):
                raise ProtocolError(f"The setting {name} is {value}; give a finite number.")
            if isinstance(value, int):
                _check_range(f"setting {name}", value, -(2**63), 2**63 - 1)

    def _check_start(self) -> None:
        if not self.start:
            if self.start_prompt:
                raise ProtocolError("There is a prompt of the start, but no start: name a PLY file in the job folder.")
            return
        check_relative_path(self.start)
        _check_prompt("prompt of the start", self.start_prompt)
        if not SYSTEMS[self.system].can_be_edited:
            able = " and ".join(name for name, system in SYSTEMS.items() if system.can_be_edited)
            raise ProtocolError(f"The system {self.system} cannot begin from a result; {able} can.")
        if self.prompt.split() == self.start_prompt.split():
            told = "The prompt is that of the result to begin from: say what is to be different."
            raise ProtocolError(Phrase(told))

    def _check_subject(self) -> None:
        system = SYSTEMS[self.system]
        given = sum(image.role == system.roles[0] for image in self.images)
        if not self.subject:
            if self.subject_files:
                raise ProtocolError("There are files of a kept subject, but the request names none.")
            if given < system.fewest_images:
                told = Phrase("Only {count} photos are given.", count=given)
                if given < 2:
                    told = Phrase("Only 1 photo is given.") if given else Phrase("No photo is given.")
                raise ProtocolError(Phrase("{told} {more}", told=told, more=Phrase(system.too_few)))
            return
        if not system.keeps_subjects:
            able = " and ".join(name for name, each in SYSTEMS.items() if each.keeps_subjects)
            raise ProtocolError(f"The system {self.system} takes no kept subject; {able} does.")
        if given:
            raise ProtocolError("A kept subject has its own photos: leave the images away, or the subject.")
        if not re.fullmatch(r"[0-9a-f]{64}", self.subject):
            raise ProtocolError(f"{self.subject[:80]!r} names no kept subject: it is the SHA-256 of its record.")
        if wrong := next((name for name in self.subject_files if not OF_A_SUBJECT.fullmatch(name)), None):
            raise ProtocolError(f"{wrong[:80]!r} is no file of a kept subject.")
        if SUBJECT_RECORD not in self.subject_files or len(set(self.subject_files)) != len(self.subject_files):
            raise ProtocolError(f"A kept subject has the file {SUBJECT_RECORD}, and each of its files once.")
        if len(self.subject_files) > SUBJECT_FILES:
            raise ProtocolError(f"A kept subject has {SUBJECT_FILES} files at most, not {len(self.subject_files)}.")

    @property
    def files(self) -> tuple[str, ...]:
        """Return the path of every file of the job folder that the request names."""
        kept = (f"{SUBJECT_FOLDER}/{name}" for name in self.subject_files)
        return *(image.path for image in self.images), *([self.start] if self.start else []), *kept

    @property
    def title(self) -> str:
        """Return what an artist knows it by: its prompt, else what its first image is called; may be empty."""
        return self.prompt or next((PurePath(image.name).stem for image in self.images if image.name), "")

    @property
    def roles(self) -> set[str]:
        """Return what its images are, with KEPT_SUBJECT and FROM_RESULT where it begins from one."""
        begun = {KEPT_SUBJECT: self.subject, FROM_RESULT: self.start}
        return {image.role for image in self.images} | {role for role, named in begun.items() if named}

    def edited(self, prompt: str, **changes: Any) -> Request:
        """Return the request that changes what this one made by another prompt, with the same seed and settings.

        It begins from START_FILE, a copy of this one's points.ply, or from START_VALUES, which look like the images of
        the object, so that these are left out; visual prompts stay. `changes` are fields that shall be others than this
        one's; of the settings, those named. Raises ProtocolError as a new request does.
        """
        if unknown := sorted(changes.keys() - vars(self).keys()):
            raise ProtocolError(f"A request has no {', '.join(unknown)}. Check the spelling.")
        changes["settings"] = self.settings | changes.get("settings", {})
        start = START_VALUES if SYSTEMS[self.system].edit_stage else START_FILE
        begin: dict[str, Any] = {"start": start, "start_prompt": self.prompt, "stop_after": ""}
        begin["images"] = tuple(image for image in self.images if image.role == "visual_prompt")
        return dataclasses.replace(self, prompt=prompt.strip(), **begin | changes)


def check_fits(request: Request) -> None:
    """Raise ProtocolError where a system that is built lacks the stage to stop after, or a setting does not fit it."""
    system = built_systems().get(request.system)
    if system is None:
        return
    check_settings(system, request.settings)
    names = [stage.name for stage in system.stages]
    if request.stop_after and request.stop_after not in names:
        said = f"{system.label} ({system.name}) has no stage {request.stop_after[:80]!r}."
        raise ProtocolError(f"{said} Its stages are {', '.join(names)}.")


def encode_request(request: Request) -> str:
    """Return the request as the text of request.json."""
    return json.dumps(plain(request), indent=2, allow_nan=False) + "\n"


def plain(request: Request) -> dict[str, Any]:
    """Return the request as plain values. Without starts, subjects and names it has the fields from before these.

    So what was made of those, such as hashes, stays valid, and who knows none of them can read it.
    """
    content = dataclasses.asdict(request)
    for image in content["images"]:
        if not image["name"]:
            del image["name"]
    absent = tuple(name for name in ("start", "subject") if not getattr(request, name))
    return {k: v for k, v in content.items() if not k.startswith(absent)}


def decode_request(text: str | bytes) -> Request:
    """Return the request; raise ProtocolError with a sentence for one that is wrong, VersionError for a newer one."""
    content = parse(text, "The request")
    if "version" in content:
        check_version("request", content["version"])
    return build(Request, content)


def check_relative_path(path: str) -> None:
    """Raise ProtocolError unless the path stays inside the job folder on every system, before links are followed."""
    inside = (
        path
        and "\\" not in path
        and "\0" not in path
        and not PurePosixPath(path).is_absolute()
        and not PureWindowsPath(path).drive
        and ".." not in PurePosixPath(path).parts
    )
    if not inside:
        raise ProtocolError(
            f"The path {path[:80]!r} leads out of the job folder; use a relative one with '/', without '..'."
        )


def check_version(what: str, version: Any) -> None:
    if type(version) is not int or version < 1:
        raise VersionError(f"The {what} has the version {version!r}; versions are whole numbers from 1.")
    if version > VERSION:
        raise VersionError(f"The {what} has version {version}; this Maquette knows up to {VERSION}. Update Maquette.")


def _check_choice(what: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        raise ProtocolError(f"The {what} {value[:80]!r} is unknown; choose one of {', '.join(choices)}.")


def _check_range(what: str, value: float, low: float, high: float, unit: str = "") -> None:
    if not low <= value <= high:  # also false for NaN
        raise ProtocolError(f"The {what} is {value}{unit}; it must lie between {low} and {high}{unit}.")


def _has_words(text: str) -> bool:
    """Say whether a text has a letter or a digit of any script: pictures and signs alone describe nothing."""
    return any(character.isalnum() for character in text)


def _check_text(what: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = ascii(text[error.start])[1:-1]
        raise ProtocolError(f"The {what} has half a character, {half}, which is in no text. Type it again.") from error


def _check_prompt(what: str, text: str) -> None:
    _check_text(what, text)
    if len(text) > PROMPT_CHARACTERS:
        raise ProtocolError(f"The {what} has {len(text)} characters; at most {PROMPT_CHARACTERS} are read. Shorten it.")
