"""What both command lines ask about a system, made from the table: which one, its preset, settings and stages."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from .plain_text import plain_text
from .request import Request
from .systems import DEFAULT_SYSTEM, PRESETS, Value, built_systems, stage_names

WRONG_WORDS = 2  # the exit code for a command line that cannot be understood
FARMS = ("openjd", "flamenco", "opencue", "slurm", "ray")
FARM_URL, FARM_ADDRESS = "http://localhost:8080", "auto"
# Options of `farm` that not every engine takes -> the engines that do, and what they are if nothing is said.
FARM_OPTIONS: dict[str, tuple[tuple[str, ...], Any]] = {
    "timeout": (("openjd", "slurm"), 0), "at_once": (("slurm",), 0), "manager": (("flamenco",), FARM_URL),
    "import_into": (("flamenco",), None), "worker_tag": (("flamenco",), ""), "address": (("ray",), FARM_ADDRESS),
}  # fmt: skip


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line, with where help is, and not how everything is used."""

    def error(self, message: str) -> NoReturn:
        """Say it on stderr, and leave."""
        sentence = " ".join(f"error: {message}. Help: {self.prog} --help".split())
        self.exit(WRONG_WORDS, f"{plain_text(sentence)}\n")


def add_system(command: argparse.ArgumentParser) -> None:
    """Add --system, --preset and --set. Their values are checked where a request is made of them, and in the job."""
    names, preset = list(built_systems()), Request.preset
    alone = ", so far the only one" if len(names) == 1 else ""
    command.add_argument("--system", default=DEFAULT_SYSTEM, help=f"{', '.join(names)}{alone}")
    said = [f"{name} (if nothing is said)" if name == preset else name for name in PRESETS]
    command.add_argument("--preset", default=preset, help=", ".join(said))
    add_set(command, "change a setting of the preset")
    command.add_argument("--help-settings", action=_HelpSettings, help="list all settings of every system, and leave")


def add_mask(command: argparse.ArgumentParser) -> None:
    """Add --mask, for systems that cut their subject out of an image."""
    command.add_argument(
        "--mask", type=Path, metavar="IMAGE", help="white where the object is in --image, of the same size"
    )


def add_subject(command: argparse.ArgumentParser) -> None:
    """Add --subject, for systems that learn one."""
    command.add_argument(
        "--subject", default="", metavar="NAME", help="a kept subject instead of photos; `subjects list` names them"
    )


def add_subjects(commands: argparse._SubParsersAction[Parser]) -> list[Parser]:
    """Add the command `subjects list | keep JOB --name NAME | delete NAME`, and return these three."""
    subjects = commands.add_parser("subjects", help="list, keep and delete subjects that jobs have learnt")
    actions = subjects.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="those that are kept")
    keep = actions.add_parser("keep", help="keep the subject that a job has learnt from photos")
    keep.add_argument("job", type=Path, metavar="JOB", help="the job's folder")
    keep.add_argument("--name", required=True, help="what to call it")
    delete = actions.add_parser("delete", help="delete a kept subject; jobs that were made with it have copies")
    delete.add_argument("name", metavar="NAME")
    return [listing, keep, delete]


def add_farm(commands: argparse._SubParsersAction[Parser]) -> Parser:
    """Add the command `farm --engine ENGINE JOB... --out FOLDER`."""
    farm = commands.add_parser(
        "farm",
        help="write what a farm takes, and print the command that submits it",
        description="Every argument may be @FILE, which has one a line: thousands of jobs fit on no command line.",
        fromfile_prefix_chars="@",
    )
    add = farm.add_argument
    add("jobs", nargs="+", type=Path, metavar="JOB", help="job folders, or folders of them; done ones are left out")
    add("--engine", required=True, choices=FARMS)
    add("--out", type=Path, required=True, metavar="FOLDER", help="where the files of the engine go")
    add("--submit", action="store_true", help="run that command, too")
    add("--python", default="", help="of the farm's machines, with the backend's packages; else this one")
    add("--gpus", type=int, choices=(0, 1), help="of each job; else 1 for the preset paper")
    add("--memory-gib", type=float, default=0.0, metavar="GIB", help="of each job; else 3.5")
    add("--gpu-memory-gib", type=float, default=0.0, metavar="GIB", help="of each job that has a GPU; else 2")
    add(
        "--timeout", type=int, default=0, metavar="SECONDS", help="of a try, which the next goes on from; openjd, slurm"
    )
    add("--at-once", type=int, default=0, metavar="N", help="no more jobs than that; slurm")
    add("--manager", default=FARM_URL, metavar="URL", help="of Flamenco")
    add("--import-into", type=Path, metavar="FILE.blend", help="import all results in the end; flamenco")
    add("--worker-tag", default="", metavar="UUID", help="of the workers that may take the jobs; flamenco")
    add(
        "--address",
        default=FARM_ADDRESS,
        help="of the cluster: auto, local for one that is started, or as ray has it; ray",
    )
    add("--same-user", action="store_true", help="workers run as this user: private folders are no hindrance")
    add("--same-machine", action="store_true", help="workers are on this machine: folders need not be shared")
    add("--json", action="store_true", help="answer in JSON, for programs")
    return farm


def add_set(command: argparse.ArgumentParser, what: str) -> None:
    """Add --set NAME=VALUE, which may be repeated and gives a list of names with values."""
    command.add_argument("--set", type=named_value, action="append", default=[], metavar="NAME=VALUE", help=what)


class _HelpSettings(argparse.Action):
    """Print every setting with its values and what it does, and leave; nothing else need be given."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest=argparse.SUPPRESS, default=argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        sys.stdout.write(settings_help())
        parser.exit()


def settings_help() -> str:
    """Return what `--set` can change: the settings of every system, with the value that each preset gives them."""
    lines = []
    for system in built_systems().values():
        lines.append(f"Settings of {system.name}, for --set NAME=VALUE:")
        for name, setting in system.settings.items():
            others = ", ".join(f"{preset} {_typed(value)}" for preset, value in setting.presets.items())
            lines += ["", f"  {name}={_typed(setting.value)}" + f"  ({others})" * bool(others)]
            if setting.choices:
                lines.append(f"      one of {', '.join(choice for choice, *_ in setting.choices)}")
            lines += textwrap.wrap(setting.tooltip, 100, initial_indent=" " * 6, subsequent_indent=" " * 6)
        lines.append("")
    return "\n".join(lines)


def _typed(value: Value) -> str:
    """Return a value as `named_value` reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def add_stop_after(command: argparse.ArgumentParser) -> None:
    """Add --stop-after STAGE, for any stage of any system; a job has those that it needs."""
    command.add_argument(
        "--stop-after",
        default="",
        metavar="STAGE",
        choices=("", *stage_names()),
        help=f"end after this stage: {', '.join(stage_names())}; `run` goes on",
    )


def named_value(text: str) -> tuple[str, Value]:
    """Return name and value of `name=value`; the value is a number, true or false where it reads as one.

    Raises ArgumentTypeError where there is no `=`.
    """
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    if value in ("true", "false"):
        return name, value == "true"
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value
