"""A job that makes the mesh of another one again, with other settings: nothing is optimised again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from .inside import files_inside, open_file
from .job_folder import RECORD_FILE, STAGES_FOLDER, read_request
from .request import Request, Setting
from .systems import SYSTEMS
from .typed_json import ProtocolError, parse


def describe_remesh(job: Path, settings: Mapping[str, Setting]) -> tuple[Request, list[Path], dict[str, Path | bytes]]:
    """Return the request for another mesh of a finished job, its files, and those of the stages that it goes on from.

    Raises ProtocolError for a job without a mesh, for settings that are not of the last stage, and for none that
    changes anything; LinkInside for a link in the job's folder.
    """
    request = read_request(job)
    system = SYSTEMS[request.system]
    if not system.mesh_settings:
        raise ProtocolError(f"The system {request.system} makes no mesh of its own settings.")
    if "mesh" not in request.outputs:
        raise ProtocolError(f"{job.name or job} was asked for points alone: generate with the output Mesh.")
    if wrong := [name for name in settings if name not in system.mesh_settings]:
        raise ProtocolError(
            f"{wrong[0][:80]} is not of the mesh alone, and a finished job cannot be given another: "
            f"{', '.join(system.mesh_settings)} can."
        )
    before = vars(system.presets[request.preset]) | system.present(request.settings)
    if all(before[name] == value for name, value in settings.items()):
        raise ProtocolError(f"That is the mesh which {job.name or job} has: give {' or '.join(system.mesh_settings)}.")
    last = system.stages[-1].name
    made = [name for name in files_inside(job, STAGES_FOLDER) if not name.split("/")[1].endswith(f"-{last}")]
    if not made:
        raise ProtocolError(f"{job.name or job} has no stages to go on from: run it, or generate anew.")
    again = dataclasses.replace(request, settings=request.settings | dict(settings), stop_after="")
    return again, [job / name for name in request.files], {name: _copied(job, name) for name in made}


def _copied(job: Path, name: str) -> Path | bytes:
    """Return a file of a stage; of its record what it says, less the seconds, which the new job has not taken."""
    if not name.endswith(f"/{RECORD_FILE}"):
        return job / name
    with open_file(job, name, "rb") as file:
        content = file.read()
    try:
        return (json.dumps(parse(content, name) | {"seconds": 0.0}, indent=1) + "\n").encode()
    except ProtocolError:
        return content  # damaged: the job says so
