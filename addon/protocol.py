"""The language of the add-on and the backend: requests, events and commands as frozen dataclasses, one JSON line each.

Both sides import this one module; it needs nothing but the standard library and `typed_json`. A job's events open with
`Hello` and close with exactly one of `Finished | Cancelled | Failed | Interrupted`. Paths in messages are relative to
the job folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import typing
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from .typed_json import NotJson as NotJson
from .typed_json import ProtocolError, build, parse

VERSION = 1  # of this module: Hello and Request carry it, and a newer one is refused
LINE_BYTES = 1 << 20  # no message is longer; whoever reads a pipe may stop there
PROMPT_CHARACTERS = 1_000
IMAGES = 16

SYSTEMS = ("tv3dg", "dreambooth3d", "customize_it_3d")
PRESETS = ("draft", "standard", "bench", "paper")
ROLES = ("reconstruct", "subject", "visual_prompt")
OUTPUTS = ("mesh", "points")

REQUEST_FILE = "request.json"
EVENTS_FILE = "events.jsonl"
LOG_FILE = "log.txt"
INPUT_FOLDER = "inputs"
RESULT_FOLDER = "result"
PREVIEW_FILE = "preview/latest.png"

# A queue is a folder of job folders and these files. The add-on writes all but the second.
QUEUE_FILE = "queue.jsonl"  # a Turn for each job, in order
TAKEN_FILE = "taken.jsonl"  # a Turn for each job that has had it, written by the backend when it begins
COMMANDS_FILE = (
    "commands.jsonl"  # commands, each with its job, from who has no pipe to the backend; emptied at its start
)
STAY_FILE = "stay"  # while it is there, the backend goes on when stdin closes
OWNER_FILE = "owner"  # locked by the Blender that a backend without a pipe is tied to: its end is the backend's end
HOLD_FILE = "hold"  # while it is there, no job has its turn
TURNS_BYTES = 4 << 20  # no more is read of a file of turns

Setting = int | float | str | bool


class VersionError(ProtocolError):
    """The other side speaks another version."""


# ---- what is asked for -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class InputImage:
    """Name one picture of the job folder and say what it shows. Azimuth 0 looks at the front (-Y)."""

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
    values of the preset.
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
    version: int = VERSION

    def __post_init__(self) -> None:
        _check_version("request", self.version)
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


# ---- what happens (backend -> add-on) --------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Hello:
    """Open the events of one job, whose folder is called `job`; a run over several folders says one Hello each."""

    job: str
    backend: str
    pid: int
    version: int = VERSION

    def __post_init__(self) -> None:
        _check_version("backend's protocol", self.version)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Announce the `number`-th of so many stages (from 1; 0: unknown). `loaded`: done in an earlier run, from disk."""

    number: int
    name: str
    loaded: bool = False
    stages: int = 0


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Report that `step` of `steps` are done. `memory_bytes`: the peak of the process, on the GPU if it uses one."""

    step: int
    steps: int
    seconds_left: float
    steps_per_second: float
    memory_bytes: int


@dataclass(frozen=True, kw_only=True)
class Preview:
    """Say that the picture at `path` was replaced."""

    path: str = PREVIEW_FILE

    def __post_init__(self) -> None:
        check_relative_path(self.path)


@dataclass(frozen=True, kw_only=True)
class Warning:
    """Tell what the artist should know and what does not end the job. Write `protocol.Warning`, not the bare name."""

    message: str
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """Close a job that did what was asked. `stopped_after` names the stage if the request wanted to stop there."""

    results: tuple[str, ...]
    seconds: float
    stopped_after: str = ""

    def __post_init__(self) -> None:
        for path in self.results:
            check_relative_path(path)


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    """Close a job that was told to stop."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class Failed:
    """Close a job that could not go on: `kind` is the error's class, `hint` what to do, `exit_code` 1, 2 or 3."""

    kind: str
    message: str
    hint: str
    exit_code: int = 1


@dataclass(frozen=True, kw_only=True)
class Interrupted:
    """Close a run whose process had to leave; running the folder again goes on from its last checkpoint."""

    reason: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Idle:
    """Say, between two jobs of a queue, that none waits: the process leaves after so many seconds unless one comes."""

    seconds: float


# ---- commands (add-on -> backend's stdin) ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Cancel:
    """Stop at the next step. `job` names one folder of several; empty means the running, or else the next one."""

    job: str = ""


@dataclass(frozen=True, kw_only=True)
class Finish:
    """Stop optimising at the next step and export what there is."""

    job: str = ""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Stand for a job in a queue, by its folder's name. The ticket is new each time, so that a job may come again."""

    job: str
    ticket: str
    begin: int = 0  # how long its events.jsonl was when it had its turn

    def __post_init__(self) -> None:
        check_relative_path(self.job)
        if "/" in self.job or self.job == ".":
            raise ProtocolError(f"{self.job[:80]!r} is not the name of a folder in the queue's own folder.")


Last = Finished | Cancelled | Failed | Interrupted
Event = Hello | Stage | Progress | Preview | Warning | Idle | Last
Command = Cancel | Finish
Message = Event | Command | Turn
LAST = typing.get_args(Last)
_MESSAGES = {cls.__name__: cls for cls in typing.get_args(Message)}


# ---- lines and files -------------------------------------------------------------------------------------------------


def encode(message: Message) -> str:
    """Return the message as one line of JSON, newline included. A text too long for a line is cut, never sent whole."""
    content = {"type": type(message).__name__, **dataclasses.asdict(message)}
    line = json.dumps(content, allow_nan=False) + "\n"
    if len(line) > LINE_BYTES:
        # Six bytes are the longest escape of one character; 16 fields of that length fit into a line.
        limit = LINE_BYTES // 6 // 16
        content = {k: v[:limit] if isinstance(v, str | tuple) else v for k, v in content.items()}
        line = json.dumps(content, allow_nan=False) + "\n"
    return line


def decode(line: str | bytes) -> Message:
    """Return the message of one line; raise ProtocolError for anything else, VersionError for a newer one."""
    if len(line) > LINE_BYTES:
        raise ProtocolError(f"A line of {len(line)} bytes is longer than a message may be ({LINE_BYTES}).")
    content = parse(line, "The line")
    name = content.pop("type", None)
    if not isinstance(name, str) or name not in _MESSAGES:
        raise ProtocolError(f"{name!r} is not a type of message; known are {', '.join(_MESSAGES)}.")
    if "version" in content:  # first, because a newer version may well have other fields
        _check_version(name.lower(), content["version"])
    return build(_MESSAGES[name], content)


def encode_request(request: Request) -> str:
    """Return the request as the text of request.json."""
    return json.dumps(dataclasses.asdict(request), indent=2, allow_nan=False) + "\n"


def decode_request(text: str | bytes) -> Request:
    """Return the request; raise ProtocolError with a sentence for one that is wrong, VersionError for a newer one."""
    content = parse(text, "The request")
    if "version" in content:
        _check_version("request", content["version"])
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
    if path.stat().st_size > LINE_BYTES:
        raise ProtocolError(f"{path} has {path.stat().st_size} bytes; a request has at most {LINE_BYTES}.")
    return decode_request(path.read_bytes())


def read_turns(path: Path) -> list[Turn]:
    """Return the turns in a file, none if there is no file; lines that are none, or torn, are passed over."""
    try:
        with path.open("rb") as file:
            lines = file.read(TURNS_BYTES).splitlines()
    except FileNotFoundError:
        return []
    turns = []
    for line in lines:
        with contextlib.suppress(ProtocolError):
            turns.append(decode(line))
    return [turn for turn in turns if isinstance(turn, Turn)]


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


def _check_version(what: str, version: Any) -> None:
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
