"""New job folders for the command line: what its arguments ask for, and the folder with copies of all files."""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from addon import protocol
from backend.errors import BadInput
from backend.machine import available_threads


def asked(arguments: argparse.Namespace) -> tuple[protocol.Request, list[Path]]:
    """Return the request that the arguments describe, and its files."""
    from backend.images import check_image  # here, because it takes torch a while

    role = "subject" if arguments.system == "dreambooth3d" else "reconstruct"
    sources = [(path, role) for path in arguments.image] + [(path, "visual_prompt") for path in arguments.visual_prompt]
    images = []
    for number, (path, role) in enumerate(sources):
        if path.is_dir():
            raise BadInput(f"{path} is a folder, not an image.", "Give one file; a batch in Blender takes folders.")
        if not path.is_file():
            raise BadInput(f"There is no image {path}.", "Check the path.")
        check_image(path)
        angles: dict[str, Any] = {}
        if role == "reconstruct":
            angles = {
                "elevation_degrees": arguments.elevation,
                "azimuth_degrees": arguments.azimuth,
                "fov_degrees": arguments.fov,
            }
        name = f"{protocol.INPUT_FOLDER}/{number:02}{path.suffix.lower()}"
        images.append(protocol.InputImage(path=name, role=role, **angles))
    request = protocol.Request(
        system=arguments.system,
        prompt=arguments.prompt,
        negative_prompt=arguments.negative_prompt,
        images=tuple(images),
        seed=arguments.seed,
        preset=arguments.preset,
        prior=arguments.prior,
        stop_after=arguments.stop_after,
        threads=arguments.threads or available_threads(),
        settings=dict(arguments.set),
    )
    return request, [path for path, _ in sources]


def edited(arguments: argparse.Namespace) -> tuple[protocol.Request, list[Path]]:
    """Return the request that changes the result of a job by words, and its files: visual prompts, and the points."""
    if not arguments.job.is_dir():
        raise BadInput(f"There is no folder {arguments.job}.", "Give the folder of a finished job.")
    request, job = protocol.read_request(arguments.job), arguments.job
    changes = {name: getattr(arguments, name) for name in ("preset", "seed") if getattr(arguments, name) is not None}
    changes |= {"settings": dict(arguments.set), "threads": arguments.threads or available_threads()}
    request = request.edited(arguments.prompt, **changes)
    sources = [job / image.path for image in request.images] + [job / protocol.POINTS_FILE]
    for path in sources:
        if not path.is_file() or not path.resolve().is_relative_to(job.resolve()):
            raise BadInput(
                f"{job} has no {path.relative_to(job).as_posix()}, or a link in its place.",
                "Edit a finished job that made points.",
            )
    return request, sources


def make_folder(folder: Path, request: protocol.Request, sources: Sequence[Path]) -> Path:
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
        same = same and all((folder / n).is_file() and (folder / n).read_bytes() == p.read_bytes() for p, n in copies)
        if not same:
            raise BadInput(
                f"{folder} holds another job.",
                f"Choose another --out, or go on with that one: python -m backend run {folder}",
            )
        if found.threads != request.threads:
            protocol.write_request(folder, request)
        return folder
    if place == Path.cwd():
        raise BadInput("The current folder cannot become a job folder.", "Choose another --out.")
    unfinished = place.with_name(f"{place.name}-{secrets.token_hex(3)}.tmp")  # a kill leaves this, and --out free
    try:
        (unfinished / protocol.INPUT_FOLDER).mkdir(parents=True)
        for path, name in copies:
            (unfinished / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, unfinished / name)
        protocol.write_request(unfinished, request)
        if place.exists():  # and is empty; Windows renames nothing onto it
            place.rmdir()
        os.replace(unfinished, place)
    except BaseException as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if isinstance(error, (FileNotFoundError, NotADirectoryError, PermissionError)):
            raise BadInput(f"{folder} cannot be made: {error.strerror}.", "Choose another --out.") from error
        raise
    return folder
