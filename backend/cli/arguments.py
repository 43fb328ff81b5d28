"""The arguments of `python -m backend`. What they mean is checked where a request is made of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from addon import protocol
from backend.cli.models import add_models

PROGRESS = ("events", "text", "openjd")  # as what `run` tells of a job


def parser() -> protocol.Parser:
    """Return the parser of the command line."""
    root = protocol.Parser(prog="python -m backend", description="Optimise 3D objects, one job folder each.")
    commands = root.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="run job folders, or resume them")
    run.add_argument("folders", nargs="+", type=Path, metavar="JOB")
    run.add_argument("--supervised", action="store_true", help="obey commands on stdin, and leave when it closes")

    run.add_argument(
        "--progress",
        choices=PROGRESS,
        help="what is written: events in JSON, text, or the lines of Open Job Description; else MAQUETTE_PROGRESS",
    )
    run.add_argument(
        "--patience", type=float, default=1.0, metavar="SECONDS", help="wait so long for a folder that is held"
    )

    protocol.add_farm(commands)

    queue = commands.add_parser("queue", help="run what waits in a folder of job folders, one after the other")
    queue.add_argument("folder", type=Path, metavar="DIR")
    queue.add_argument("--supervised", action="store_true", help="obey commands on stdin, and leave when it closes")
    queue.add_argument("--idle-seconds", type=float, default=0.0, help="how long to wait for more jobs in the end")
    queue.add_argument(
        "--worker", type=int, default=0, metavar="K", help="beside others of other numbers, as one for each GPU"
    )

    generate = commands.add_parser("generate", help="make a job folder and run it")
    protocol.add_system(generate)
    generate.add_argument("--prompt", default="", help="what it is, for example 'a red mug'")
    generate.add_argument("--negative-prompt", default="", help="what it should not be")
    generate.add_argument("--image", type=Path, action="append", default=[], help="what it looks like; may be repeated")
    protocol.add_mask(generate)
    protocol.add_subject(generate)
    add_subjects_folder(generate)
    generate.add_argument("--visual-prompt", type=Path, action="append", default=[], help="image of style or likeness")
    generate.add_argument("--elevation", type=float, default=0.0, help="degrees, of the camera of --image")
    generate.add_argument(
        "--azimuth",
        type=float,
        default=0.0,
        help="degrees, 0 is the front, 90 the side at your right when you look at it",
    )
    generate.add_argument(
        "--fov", type=float, default=40.0, help="degrees, opening angle along the longer side of --image"
    )
    generate.add_argument("--seed", type=int, default=0, help="another number, another object; 0 if nothing is said")
    generate.add_argument(
        "--prior", default="embedded", help="embedded, the name of an installed model, or a folder in diffusers' format"
    )
    generate.add_argument("--threads", type=int, default=0, help="0 means every core that no other program keeps busy")
    protocol.add_stop_after(generate)
    generate.add_argument(
        "--preflight", action=_Preflight, help="say how long it would take, and how much memory, and make nothing"
    )
    generate.add_argument("--out", type=Path, required=True, metavar="JOB", help="the job folder")

    edit = commands.add_parser("edit", help="change the result of a job by words: a new job that begins from it")
    edit.add_argument("job", type=Path, metavar="JOB", help="folder of a finished job")
    edit.add_argument("--prompt", required=True, help="what it is to be, for example 'a red robot wearing a hat'")
    edit.add_argument("--preset", help="another one than that of the job")
    edit.add_argument("--seed", type=int, help="another one than that of the job")
    edit.add_argument("--threads", type=int, default=0, help="0 means every core that no other program keeps busy")
    protocol.add_set(edit, "change a setting of the job")
    edit.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the folder of the new job")

    again = commands.add_parser("remesh", help="make the mesh of a job again, with other settings: a new job, at once")
    again.add_argument("job", type=Path, metavar="JOB", help="folder of a finished job")
    again.add_argument("--threads", type=int, default=0, help="0 means every core that no other program keeps busy")
    protocol.add_set(again, "of the mesh: max_faces, texture_size, ...")
    again.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the folder of the new job")

    for command in protocol.add_subjects(commands):
        add_subjects_folder(command)

    add_models(commands)

    doctor = commands.add_parser("doctor", help="say what this machine has and what is missing")
    doctor.add_argument("--deep", action="store_true", help="import everything and try every engine")
    doctor.add_argument("--json", action="store_true", help="answer in JSON, for programs")
    return root


class _Preflight(argparse.Action):
    """Ask for a preflight, which makes nothing, so that no folder need be named."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, default=False, help=help)

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: object) -> None:
        namespace.preflight = True
        for action in parser._actions:
            if action.dest == "out":
                action.required = False


def add_subjects_folder(command: argparse.ArgumentParser) -> None:
    """Add --subjects FOLDER, by default one of this computer's user."""
    command.add_argument(
        "--subjects",
        type=Path,
        metavar="FOLDER",
        help="where kept subjects are; else MAQUETTE_SUBJECTS, or a folder among the user's data",
    )
