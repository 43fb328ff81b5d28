"""The arguments of `blender --command maquette`. What they mean is checked where a request is made of them. No bpy."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from .. import protocol

COMMAND = "maquette"


def parser() -> protocol.Parser:
    """Return the parser of the command line."""
    root = protocol.Parser(
        prog=f"blender --command {COMMAND}", description="Make textured 3D objects and save them in a .blend."
    )
    commands = root.add_subparsers(dest="command", required=True)

    generate = commands.add_parser("generate", help="make one object")
    generate.add_argument("--image", type=Path, action="append", default=[], help="what it looks like; may be repeated")
    generate.add_argument("--prompt", default="", help="what it is, for example 'a red mug'")
    protocol.add_mask(generate)
    protocol.add_subject(generate)
    generate.add_argument("--resume", type=Path, metavar="JOB", help="go on with this job instead of a new one")
    _add_request(generate)
    _add_import(generate)

    batch = commands.add_parser("batch", help="make one object of each image")
    batch.add_argument("inputs", nargs="+", type=Path, metavar="IMAGE", help="images, and folders of images")
    batch.add_argument("--prompt", default="{name}", help="template; {name} is the name of the image's file")
    batch.add_argument("--pieces", type=int, default=0, metavar="N", help="one object of each of N things in an image")
    _add_request(batch)
    _add_import(batch)

    edit = commands.add_parser("edit", help="change the result of a job by words: a new job that begins from it")
    edit.add_argument("folder", type=Path, metavar="JOB", help="a finished job")
    edit.add_argument("--prompt", required=True, help="what it is to be, for example 'a red robot wearing a hat'")
    edit.add_argument("--preset", help="another one than that of the job")
    edit.add_argument("--seed", type=int, help="another one than that of the job")
    edit.add_argument("--threads", type=int, help="another number than that of the job; 0 means every free core")
    protocol.add_set(edit, "as in generate")
    edit.add_argument("--jobs", type=Path, metavar="FOLDER", help="where the new job folder goes")
    _add_import(edit)

    again = commands.add_parser("remesh", help="make the mesh of a job again, with other settings: a new job, at once")
    again.add_argument("folder", type=Path, metavar="JOB", help="a finished job")
    protocol.add_set(again, "of the mesh: max_faces, texture_size, ...")
    again.add_argument("--jobs", type=Path, metavar="FOLDER", help="where the new job folder goes")
    _add_import(again)

    subjects = protocol.add_subjects(commands)
    protocol.add_farm(commands)

    importing = commands.add_parser("import", help="bring finished jobs into a .blend")
    importing.add_argument("folders", nargs="+", type=Path, metavar="JOB", help="jobs, and folders of job folders")
    importing.add_argument("--watch", action="store_true", help="wait for those that are not finished, as on a farm")
    _add_import(importing, save_is_needed=True)

    doctor = commands.add_parser("doctor", help="say what this machine has and what is missing")
    doctor.add_argument("--deep", action="store_true", help="import everything and try every engine")
    for command in (generate, batch, edit, again, importing, doctor, *subjects):
        command.add_argument("--json", action="store_true", help="end with one line of JSON on stdout")
    return root


def named(argv: Sequence[str]) -> set[str]:
    """Return the names of the options that a command line names, rather than leaves to their defaults."""
    root = parser()
    for action in root._actions:
        for command in (action.choices or {}).values() if isinstance(action.choices, dict) else ():
            for option in command._actions:
                option.default = argparse.SUPPRESS
    return set(vars(root.parse_args(argv)))


def _add_request(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--visual-prompt", dest="visual_prompts", type=Path, action="append", default=[], help="style or likeness")
    add("--negative-prompt", default="", help="what it should not be")
    add("--elevation", dest="elevation_degrees", type=float, default=0.0, help="degrees, of the camera of the image")
    add(
        "--azimuth",
        dest="azimuth_degrees",
        type=float,
        default=0.0,
        help="degrees, 0 is the front, 90 the side at your right",
    )
    add(
        "--fov",
        dest="fov_degrees",
        type=float,
        default=40.0,
        help="degrees, opening angle along the longer side of the image",
    )
    protocol.add_system(command)
    add("--seed", type=int, default=0)
    add("--prior", default="embedded", help="embedded, an installed model's name, or a folder in diffusers' format")
    add("--threads", type=int, default=0, help="0 means every core that no other program keeps busy")
    add("--jobs", type=Path, metavar="FOLDER", help="where the job folder goes; else as in the preferences")


def _add_import(command: argparse.ArgumentParser, *, save_is_needed: bool = False) -> None:
    add = command.add_argument
    add("--save", type=Path, required=save_is_needed, metavar="FILE.blend", help="import the result and save it here")
    add("--at", type=float, nargs=3, metavar=("X", "Y", "Z"), help="where; else at the 3D cursor")
    add("--apart", type=float, default=2.5, help="distance between several objects, along X")
    add(
        "--columns",
        type=int,
        default=0,
        metavar="N",
        help="of a grid of several objects; else a row, or a square of more than five",
    )
    add("--name", default="", help="of the object; else its subject")
    add("--output", action="append", default=[], choices=protocol.OUTPUTS, help="only this kind; may be repeated")
    add("--asset", action="store_true", help="mark it as an asset")
    add("--tag", action="append", default=[], help="of the asset; may be repeated")
