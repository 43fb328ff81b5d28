"""New job folders for the command line: what its arguments ask for, and the folder with copies of all files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from addon import protocol
from backend.cli.console import typed
from backend.cli.subjects import named_subject
from backend.errors import BadInput

# The options that say from where an image shows the object, as they are if nothing is said.
ANGLES = {
    "elevation": protocol.InputImage.elevation_degrees,
    "azimuth": protocol.InputImage.azimuth_degrees,
    "fov": protocol.InputImage.fov_degrees,
}


def asked(arguments: argparse.Namespace) -> tuple[protocol.Request, list[Path]]:
    """Return the request that the arguments describe, and its files."""
    from backend.images import check_image  # here, because it takes torch a while

    for path in (*arguments.image, *arguments.visual_prompt, *([arguments.mask] if arguments.mask else [])):
        if path.is_dir():
            raise BadInput(f"{path} is a folder, not an image.", "Give one file; a batch in Blender takes folders.")
        if not path.is_file():
            raise BadInput(f"There is no image {path}.", "Check the path.")
        check_image(path)
    if arguments.mask and not arguments.image:
        raise BadInput("A mask says which part of an image counts, and there is no image.", "Give the image: --image.")
    request, sources = _checked(
        *protocol.describe(
            arguments.image,
            arguments.visual_prompt,
            mask=arguments.mask,
            system=arguments.system,
            elevation_degrees=arguments.elevation,
            azimuth_degrees=arguments.azimuth,
            fov_degrees=arguments.fov,
            prompt=arguments.prompt,
            negative_prompt=arguments.negative_prompt,
            seed=arguments.seed,
            preset=arguments.preset,
            prior=arguments.prior,
            stop_after=arguments.stop_after,
            threads=arguments.threads,
            settings=dict(arguments.set),
            subject=named_subject(arguments),
        )
    )
    if not any(image.role == "reconstruct" for image in request.images):
        asked_for = [f"--{name}" for name, value in ANGLES.items() if getattr(arguments, name) != value]
        if asked_for:
            verb, why = "has" if len(asked_for) == 1 else "have", "it is the camera of an image to reconstruct"
            print(f"{' and '.join(asked_for)} {verb} no effect: {why}, and there is none.", file=sys.stderr)
    if request.prompt and not arguments.prompt.strip():
        name = protocol.plain_text(arguments.image[0].name)
        print(f"The prompt is {request.prompt!r}, after {name}; --prompt says something else.", file=sys.stderr)
    return request, sources


def _checked(request: protocol.Request, sources: list[Path]) -> tuple[protocol.Request, list[Path]]:
    """Return both if settings and stage fit the system: its backend would find out when the job has begun."""
    protocol.check_fits(request)
    return request, sources


def edited(arguments: argparse.Namespace) -> tuple[protocol.Request, list[Path]]:
    """Return the request that changes the result of a job by words, and its files: visual prompts, and the points."""
    if not arguments.job.is_dir():
        raise BadInput(f"There is no folder {arguments.job}.", "Give the folder of a finished job.")
    changes = {name: getattr(arguments, name) for name in ("preset", "seed") if getattr(arguments, name) is not None}
    changes |= {"settings": dict(arguments.set), "threads": arguments.threads}
    try:
        return _checked(*protocol.describe_edit(arguments.job, arguments.prompt, **changes))
    except protocol.ProtocolError:
        raise
    except ValueError as error:
        is_done = protocol.is_inside(arguments.job, protocol.RESULT_FILE)
        hint = "Edit a finished job that made points." if is_done else f"That is: {typed('run', arguments.job)}"
        raise BadInput(str(error), hint) from error


def remeshed(arguments: argparse.Namespace) -> tuple[protocol.Request, list[Path], dict[str, Path | bytes]]:
    """Return the request that makes the mesh of a job again, its files, and the stages that it goes on from."""
    if not arguments.job.is_dir():
        raise BadInput(f"There is no folder {arguments.job}.", "Give the folder of a finished job.")
    if not protocol.is_inside(arguments.job, protocol.RESULT_FILE):
        raise BadInput(f"{arguments.job} has no result yet.", f"Run it to its end first: {typed('run', arguments.job)}")
    request, sources, made = protocol.describe_remesh(arguments.job, dict(arguments.set))
    request = replace(request, threads=arguments.threads)
    return *_checked(request, sources), made


def make_or_resume(
    folder: Path, request: protocol.Request, sources: Sequence[Path], more: Mapping[str, Path | bytes] | None = None
) -> Path:
    """Write a job folder with copies of the files; an existing one must hold the same request, and is resumed."""
    copies = list(zip(sources, request.files, strict=True))
    place = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder} is a file.", "Give --out an empty or a new folder.")
    if folder.exists() and any(folder.iterdir()):
        if not (folder / protocol.REQUEST_FILE).exists():
            raise BadInput(f"{folder} holds other things than a job.", "Give --out an empty or a new folder.")
        found = protocol.read_request(folder)
        same = replace(found, threads=request.threads) == request  # how many make it is nothing of the job's
        same = same and all(_is_copy(folder, name, source) for source, name in copies)
        if not same:
            raise BadInput(
                f"{folder} holds another job.",
                f"Choose another --out, or go on with that one: {typed('run', folder)}",
            )
        if request.threads and found.threads != request.threads:  # else it goes on as it began
            protocol.write_request(folder, request)
        return folder
    if place == Path.cwd():
        raise BadInput("The current folder cannot become a job folder.", "Choose another --out.")
    try:
        protocol.make_folder(place, request, sources, more=more)
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise BadInput(f"{folder} cannot be made: {error.strerror}.", "Choose another --out.") from error
    return folder


def made_so_far(folder: Path) -> set[str]:
    """Return the files from which a job could go on: of stages that are done, and of steps of others."""
    names = protocol.files_inside(folder, protocol.STAGES_FOLDER, pass_over=True)
    return {n for n in names if n.rpartition("/")[2].startswith((protocol.RECORD_FILE, "checkpoint-"))}


def _is_copy(folder: Path, name: str, source: Path) -> bool:
    if not protocol.is_inside(folder, name):
        return False
    with protocol.open_file(folder, name, "rb") as file, source.open("rb") as original:
        return file.read() == original.read()
