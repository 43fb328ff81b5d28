"""Messages between the add-on and the backend as frozen dataclasses, one JSON line each: events, commands, turns.

A job's events open with `Hello` and close with exactly one of `Finished | Cancelled | Failed | Interrupted`. Paths in
messages are relative to the job folder. Sentences are phrases, as far as the backend has made them so: English in the
line, and beside it, as "phrases", what whoever shows them can translate.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import typing
from dataclasses import dataclass

from .job_folder import PREVIEW_FILE
from .phrases import Phrase, packed, unpacked
from .request import VERSION, check_relative_path, check_version
from .typed_json import ProtocolError, build, parse

LINE_BYTES = 1 << 20  # no message is longer; whoever reads a pipe may stop there


# ---- what happens (backend -> add-on) --------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Hello:
    """Open the events of one job, whose folder is called `job`; a run over several folders says one Hello each."""

    job: str
    backend: str
    pid: int
    version: int = VERSION

    def __post_init__(self) -> None:
        check_version("backend's protocol", self.version)


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Say what the job will take if it begins anew, as predicted before its first stage; `stages`: name -> seconds."""

    seconds: float
    memory_bytes: int
    free_bytes: int = 0  # that there are for it; 0: nobody knows
    stages: dict[str, float] = dataclasses.field(default_factory=dict)


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
class Compiling:
    """Say that kernels are compiled, which happens once on a machine: `done` of them so far, of `most` at most."""

    done: int
    most: int


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
Event = Hello | Forecast | Stage | Progress | Preview | Compiling | Warning | Idle | Last
Command = Cancel | Finish
Message = Event | Command | Turn
LAST = typing.get_args(Last)
_MESSAGES = {cls.__name__: cls for cls in typing.get_args(Message)}


# ---- lines -----------------------------------------------------------------------------------------------------------


def encode(message: Message) -> str:
    """Return the message as one line of JSON, newline included. A text too long for a line is cut, never sent whole."""
    content = {"type": type(message).__name__, **dataclasses.asdict(message)}
    if said := {name: packed(value) for name, value in vars(message).items() if isinstance(value, Phrase)}:
        content["phrases"] = said
    line = json.dumps(content, allow_nan=False) + "\n"
    if len(line) > LINE_BYTES:
        # Six bytes are the longest escape of one character; 16 fields of that length fit into a line.
        limit = LINE_BYTES // 6 // 16
        content = {k: v[:limit] if isinstance(v, str | tuple) else v for k, v in content.items() if k != "phrases"}
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
    said = content.pop("phrases", {})
    if "version" in content:  # first, because a newer version may well have other fields
        check_version(name.lower(), content["version"])
    return dataclasses.replace(build(_MESSAGES[name], content), **_phrases(said, content))


def _phrases(said: object, content: dict[str, object]) -> dict[str, Phrase]:
    """Return the fields that are phrases, where these say the same as the fields; others stay as they are."""
    found = {}
    for name, value in said.items() if isinstance(said, dict) else ():
        with contextlib.suppress(KeyError, TypeError, ValueError, IndexError, AttributeError):
            if (phrase := unpacked(value)) == content.get(name):
                found[name] = phrase
    return found
