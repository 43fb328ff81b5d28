"""What is asked for: the request of a job and its file, checked field by field; a part of `protocol`. Stdlib only."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from .typed_json import ProtocolError, build, parse

VERSION = 1  # of the protocol: Hello and Request carry it, and a newer one is refused
FILE_BYTES = 1 << 20  # of a request
PROMPT_CHARACTERS = 1_000
IMAGES = 16

SYSTEMS = ("tv3dg", "dreambooth3d", "customize_it_3d")
PRESETS = ("bench", "draft", "standard", "paper")
ROLES = ("reconstruct", "subject", "visual_prompt")
OUTPUTS = ("mesh", "points")

REQUEST_FILE = "request.json"
INPUT_FOLDER = "inputs"
START_FILE = f"{INPUT_FOLDER}/start.ply"

Setting = int | float | str | bool


class VersionError(ProtocolError):
    """The other side speaks another version."""


@dataclass(frozen=True, kw_only=True)
class InputImage:
    """Name one picture of the job folder and say what it shows. Azimuth 0 looks at the front (-Y), 90 from +X."""

    path: str
    role: str = "reconstruct"
    elevation_degrees: float = 0.0
    azimuth_degrees: float = 0.0
    fov_degrees: float = 40.0

    def __post_init__(self) -> None:
        check_relative_path(self.path)
        _check_choice("role of an image", self.role, ROLES)
        _check_range("elevation", self.elevation_degrees, -90.0, 90.0, " degrees")
        _check_range("azimuth", self.azimuth_degrees, -360.0, 360.0, " degrees")
        _check_range("field of view", self.fov_degrees, 1.0, 120.0, " degrees")


@dataclass(frozen=True, kw_only=True)
class Request:
    """Say completely what is to be made; frozen when the job folder is written.

    `prior` is "embedded" or a folder ("sd15" is kept for later); `threads` 0 means every core; `settings` override
    values of the preset. `start` is a copy of the points.ply to begin from, of an earlier job's `start_prompt`.
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
    version: int = VERSION

    def __post_init__(self) -> None:
        check_version("request", self.version)
        _check_choice("system", self.system, SYSTEMS)
        _check_choice("preset", self.preset, PRESETS)
        for output in self.outputs:
            _check_choice("output", output, OUTPUTS)
        if not self.outputs:
            raise ProtocolError(f"The request asks for no output: name at least one of {', '.join(OUTPUTS)}.")
        _check_prompt("prompt", self.prompt)
        _check_prompt("negative prompt", self.negative_prompt)
        # One image says by itself what an object looks like; the two other systems are told in words.
        if self.system != "customize_it_3d" and not self.prompt.strip():
            raise ProtocolError("The prompt is empty: describe the object in a few words, for example 'a red mug'.")
        if len(self.images) > IMAGES:
            raise ProtocolError(f"The request has {len(self.images)} images; at most {IMAGES} are used. Remove some.")
        self._check_start()
        _check_range("seed", self.seed, 0, 2**63 - 1)
        _check_range("number of threads", self.threads, 0, 1024)
        if not self.prior:
            raise ProtocolError("The prior has no name: use 'embedded' or a local folder in diffusers' format.")
        for name, value in self.settings.items():
            if not name.isidentifier():
                raise ProtocolError(f"{name!r} is not the name of a setting: use name=value, for example steps=400.")
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
        if self.system != "tv3dg":
            raise ProtocolError(f"The system {self.system} cannot begin from a result; tv3dg can.")
        if self.prompt.split() == self.start_prompt.split():
            raise ProtocolError("The prompt is that of the result to begin from: say what is to be different.")

    @property
    def files(self) -> tuple[str, ...]:
        """Return the path of every file of the job folder that the request names."""
        return *(image.path for image in self.images), *([self.start] if self.start else [])

    def edited(self, prompt: str, **changes: Any) -> Request:
        """Return the request that changes what this one made by another prompt, with the same seed and settings.

        It begins from START_FILE, a copy of this one's points.ply, which look like the images of the object, so that
        these are left out; visual prompts stay. `changes` are fields that shall be others than this one's; of the
        settings, those named. Raises ProtocolError as a new request does.
        """
        if unknown := sorted(changes.keys() - vars(self).keys()):
            raise ProtocolError(f"A request has no {', '.join(unknown)}. Check the spelling.")
        changes["settings"] = self.settings | changes.get("settings", {})
        begin: dict[str, Any] = {"start": START_FILE, "start_prompt": self.prompt, "stop_after": ""}
        begin["images"] = tuple(image for image in self.images if image.role == "visual_prompt")
        return dataclasses.replace(self, prompt=prompt.strip(), **begin | changes)


def encode_request(request: Request) -> str:
    """Return the request as the text of request.json."""
    return json.dumps(plain(request), indent=2, allow_nan=False) + "\n"


def plain(request: Request) -> dict[str, Any]:
    """Return the request as plain values. Without a start it has the fields that requests had before there were any.

    So what was made of those, such as hashes, stays valid, and who knows no starts can read it.
    """
    content = dataclasses.asdict(request)
    return content if request.start else {k: v for k, v in content.items() if not k.startswith("start")}


def decode_request(text: str | bytes) -> Request:
    """Return the request; raise ProtocolError with a sentence for one that is wrong, VersionError for a newer one."""
    content = parse(text, "The request")
    if "version" in content:
        check_version("request", content["version"])
    return build(Request, content)


def write_request(folder: Path, request: Request) -> None:
    """Write request.json of a job folder, whole or not at all."""
    temporary = folder / (REQUEST_FILE + ".tmp")
    temporary.write_text(encode_request(request), encoding="utf-8")
    os.replace(temporary, folder / REQUEST_FILE)


def read_request(folder: Path) -> Request:
    """Return the request of a job folder; raise ProtocolError if there is none, or a wrong one."""
    path = folder / REQUEST_FILE
    if not path.is_file():
        raise ProtocolError(f"{folder} is not a job folder: it has no {REQUEST_FILE}.")
    if path.stat().st_size > FILE_BYTES:
        raise ProtocolError(f"{path} has {path.stat().st_size} bytes; a request has at most {FILE_BYTES}.")
    return decode_request(path.read_bytes())


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


def _check_choice(what: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ProtocolError(f"The {what} {value[:80]!r} is unknown; choose one of {', '.join(choices)}.")


def _check_range(what: str, value: float, low: float, high: float, unit: str = "") -> None:
    if not low <= value <= high:  # also false for NaN
        raise ProtocolError(f"The {what} is {value}{unit}; it must lie between {low} and {high}{unit}.")


def _check_prompt(what: str, text: str) -> None:
    if len(text) > PROMPT_CHARACTERS:
        raise ProtocolError(f"The {what} has {len(text)} characters; at most {PROMPT_CHARACTERS} are read. Shorten it.")
