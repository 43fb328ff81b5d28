"""A backend that leaves made results at once: `python -m tests.blender.instant_backend run JOB... --supervised`.

With it the headless commands and scripts are tested for what they do around a job. A prompt that begins with "fail",
"crash" or "wait" makes it do so, "tell" makes it name its GPU. `write_interpreter` makes a program that runs it in the
place of the backend's Python.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from addon import protocol
from tests.blender.made_results import write_files

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def write_interpreter(path: Path) -> Path:
    """Write a program that takes the arguments of a Python and runs this module instead of `-m backend`."""
    lines = ["#!/bin/sh", "shift 2", f"cd '{CHECKOUT}'", "unset PYTHONPATH PYTHONHOME"]
    lines += [f"exec '{sys.executable}' -m tests.blender.instant_backend \"$@\"", ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    path.chmod(0o755)
    return path


def pictured(request: protocol.Request) -> dict[str, float] | None:
    """Return where a picture shows its two things: the second half as large, nearer and at the right."""
    piece, images = request.settings.get("piece"), request.images
    if piece not in (1, 2) or not images:
        return None
    place = {1: (-0.2, 0.0, 0.4), 2: (0.2, 0.1, 0.2)}[piece]
    camera = (images[0].azimuth_degrees, images[0].elevation_degrees, images[0].fov_degrees)
    return vars(protocol.Pictured(*place, *camera))


def run(job: Path) -> None:
    """Run one job in the way that its prompt names."""
    request = protocol.read_request(job)

    def say(event: protocol.Event) -> None:
        line = protocol.encode(event)
        with open(job / protocol.EVENTS_FILE, "a", encoding="utf-8") as file:
            file.write(line)
        sys.stdout.write(line)
        sys.stdout.flush()

    say(protocol.Hello(job=job.name, backend="0", pid=os.getpid()))
    say(protocol.Stage(number=1, name="gaussians"))
    say(protocol.Progress(step=1, steps=2, seconds_left=1.0, steps_per_second=1.0, memory_bytes=0))
    say(protocol.Warning(message="The word sks is unknown.", hint="Leave it out."))
    if request.prompt.startswith("tell"):
        say(protocol.Warning(message=f"The GPU is {os.environ.get('CUDA_VISIBLE_DEVICES')}."))
    if request.prompt.startswith("fail"):
        say(protocol.Failed(kind="BadInput", message="The mask is empty.", hint="Use another image.", exit_code=2))
        return
    if request.settings.get("piece") == 3:
        say(protocol.Failed(kind="NoSuchPiece", message="The cut-out has 2 pieces.", hint="Ask for one of them."))
        return
    if request.prompt.startswith("crash"):
        os._exit(7)
    if request.prompt.startswith("wait"):
        sys.stdin.read()  # until whoever started it closes the pipe
        say(protocol.Interrupted(reason="the program that started the job is gone", seconds=1.0))
        return
    write_files(job, seed=request.seed, outputs=request.outputs, picture=pictured(request))
    paths = sorted(f"result/{path.name}" for path in (job / "result").iterdir())
    say(protocol.Finished(results=tuple(paths), seconds=0.5))


if __name__ == "__main__":
    if sys.argv[1] == "doctor":
        sys.stdout.write("Jobs cannot run: install what is missing.\n")
        sys.exit(3)
    for folder in sys.argv[2:-1]:
        run(Path(folder))
