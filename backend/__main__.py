"""The backend's command line: `python -m backend generate | run | doctor`.

    python -m backend generate --system tv3dg --prompt "a red mug" --preset draft --seed 1 --out JOB
    python -m backend run JOB... [--supervised]
    python -m backend doctor [--deep]

Exit codes: 0 done, 1 failed, 2 bad input, 3 something is missing on this machine, 4 cancelled or interrupted.
`run` writes one JSON event per line to stdout, `generate` the paths of the results.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, assert_never

from addon import protocol
from backend import supervision
from backend.console import Console, clock
from backend.errors import (
    BackendError,
    BadInput,
    JobCancelled,
    JobInterrupted,
    JobStopped,
    OutOfMemory,
    UnfitEnvironment,
)
from backend.machine import maquette_version

if TYPE_CHECKING:
    from backend.job import Job

ORPHAN_SECONDS = 30.0  # how long a job whose parent is gone may take to come to its next step
LEFT = 4  # the exit code of a run that was cancelled or interrupted

_log = logging.getLogger("backend")


def run_system(job: Job) -> None:
    """Run the system that the request names; it leaves its files in the job folder's `result`."""
    match job.request.system:
        case "tv3dg":
            from backend.systems import tv3dg

            tv3dg.run(job)
        case system:
            raise BadInput(f"The system {system} is not part of this version.", "Use tv3dg.")


def main(argv: Sequence[str] | None = None, run_system: Callable[[Job], None] = run_system) -> int:
    """Run one command and return its exit code."""
    arguments = _parser().parse_args(argv)
    match arguments.command:
        case "doctor":
            from backend import doctor

            return doctor.main(deep=arguments.deep)
        case "run":
            return _run(arguments.folders, run_system, supervised=arguments.supervised)
        case "generate":
            try:
                folder = _make_folder(arguments)
            except (protocol.ProtocolError, BackendError) as error:
                print(f"error: {error} {getattr(error, 'hint', '')}".rstrip(), file=sys.stderr)
                return 2
            return _run([folder], run_system, supervised=False, for_a_person=True)
        case command:
            raise AssertionError(command)


# ---- run -------------------------------------------------------------------------------------------------------------


def _run(
    folders: Sequence[Path],
    run_system: Callable[[Job], None],
    *,
    supervised: bool,
    for_a_person: bool = False,
) -> int:
    """Run job folders one after the other; return the exit code of the first that was not done."""
    streams = supervision.reserve_streams()
    control = supervision.Control()
    supervision.heed_signals(control)
    current: list[_Run] = []
    if supervised:
        supervision.listen(
            streams.commands,
            lambda line: _obey(line, control),
            lambda: _leave_orphan(control, current),
        )
    code = 0
    for folder in folders:
        console = Console(streams.console) if for_a_person else None
        run = _Run(folder.resolve(), control, None if for_a_person else streams.events, console)
        current[:] = [run]
        last = run.to_its_end(run_system)
        code = code or _exit_code(last)
        if for_a_person and isinstance(last, protocol.Finished):
            streams.events.write("".join(f"{folder / path}\n" for path in last.results).encode())
            streams.events.flush()
        if control.interrupted:
            break
    return code


class _Run:
    """One job folder on its way from Hello to its last message."""

    def __init__(
        self, folder: Path, control: supervision.Control, stream: BinaryIO | None, console: Console | None
    ) -> None:
        self.folder = folder
        self._control = control
        self._stream = stream
        self._console = console
        self._outbox: supervision.Outbox | None = None
        self._started = time.monotonic()

    def to_its_end(self, run_system: Callable[[Job], None]) -> protocol.Last:
        """Run the job and return its last message, which was sent."""
        self._control.job = self.folder.name
        events = self.folder / protocol.EVENTS_FILE if self.folder.is_dir() else Path(os.devnull)
        log = self.folder / protocol.LOG_FILE if self.folder.is_dir() else Path(os.devnull)
        with supervision.output_to(log):
            logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", force=True)
            try:
                request = protocol.read_request(self.folder)
                with supervision.folder_lock(self.folder):
                    self._outbox = supervision.Outbox(events, self._stream, self._control)
                    self._hello()
                    last = self._execute(request, run_system)
                    self.emit(last)
                    return last
            except (protocol.ProtocolError, BackendError, OSError) as error:
                # The folder is not ours (no request, or another process runs it): its events file stays as it is.
                self._outbox = supervision.Outbox(Path(os.devnull), self._stream, self._control)
                self._hello()
                last = _failure(error)
                self.emit(last)
                return last

    def _execute(self, request: protocol.Request, run_system: Callable[[Job], None]) -> protocol.Last:
        try:
            from backend.job import Job
            from backend.machine import prepare_torch

            prepare_torch(request.threads)
            run_system(Job(self.folder, request, self.emit, self._control))
            return self._finished("")
        except JobStopped as stop:
            return self._finished(str(stop))
        except JobCancelled:
            return protocol.Cancelled(seconds=self.seconds)
        except JobInterrupted as interruption:
            return protocol.Interrupted(reason=str(interruption), seconds=self.seconds)
        except KeyboardInterrupt:
            return protocol.Interrupted(reason=self._control.interrupted or "interrupted", seconds=self.seconds)
        except Exception as error:  # noqa: BLE001 - the one place where whatever goes wrong becomes the last message
            _log.exception("The job %s failed.", self.folder.name)
            return _failure(error)

    @property
    def seconds(self) -> float:
        """Return how long this run has taken."""
        return round(time.monotonic() - self._started, 3)

    def emit(self, event: protocol.Event) -> None:
        """Send an event to everybody who wants to know."""
        assert self._outbox is not None
        self._outbox.send(protocol.encode(event), last=isinstance(event, protocol.LAST))
        if self._console is not None:
            _show(event, self._console, self.folder)

    def _hello(self) -> None:
        self.emit(protocol.Hello(job=self.folder.name, backend=maquette_version(), pid=os.getpid()))

    def _finished(self, stopped_after: str) -> protocol.Finished:
        result = self.folder / protocol.RESULT_FOLDER
        paths = sorted(path.relative_to(self.folder).as_posix() for path in result.rglob("*") if path.is_file())
        return protocol.Finished(results=tuple(paths), seconds=self.seconds, stopped_after=stopped_after)


def _obey(line: bytes, control: supervision.Control) -> None:
    try:
        match protocol.decode(line):
            case protocol.Cancel(job=job):
                control.cancel(job)
            case protocol.Finish(job=job):
                control.finish(job)
            case message:
                _log.warning("A %s is not a command.", type(message).__name__)
    except protocol.ProtocolError as error:
        _log.warning("A line on stdin is not a command: %s", error)


def _leave_orphan(control: supervision.Control, current: Sequence[_Run]) -> None:
    """Interrupt the run, and end the process if it does not come to its next step."""
    control.interrupt("the program that started the job is gone")
    threading.Event().wait(ORPHAN_SECONDS)
    for run in current:
        run.emit(protocol.Interrupted(reason=control.interrupted, seconds=run.seconds))
    os._exit(LEFT)


def _failure(error: Exception) -> protocol.Failed:
    """Return the last message for an exception."""
    match error:
        case BackendError():
            known = error
        case protocol.ProtocolError():
            known = BadInput(str(error), "Correct the request or start a new job.")
        case MemoryError():
            known = OutOfMemory("The memory of this machine did not suffice.", "Use the preset draft.")
        case ImportError():
            known = UnfitEnvironment(f"A package is missing: {error}.", "Run `python build.py setup` again.")
        case OSError(errno=errno.ENOSPC):
            known = UnfitEnvironment(f"The disk is full ({error}).", "Make room and run the job again; it goes on.")
        case RuntimeError() if "out of memory" in str(error) or "not enough memory" in str(error):
            known = OutOfMemory(str(error).splitlines()[0], "Use the preset draft, or close other programs.")
        case _:
            message = f"{type(error).__name__}: {error}"
            hint = f"This is a mistake of Maquette. {protocol.LOG_FILE} in the job folder says where; please report it."
            return protocol.Failed(kind="Defect", message=message, hint=hint, exit_code=1)
    return protocol.Failed(kind=type(known).__name__, message=known.message, hint=known.hint, exit_code=known.exit_code)


def _exit_code(last: protocol.Last) -> int:
    match last:
        case protocol.Finished():
            return 0
        case protocol.Failed(exit_code=code):
            return code
        case protocol.Cancelled() | protocol.Interrupted():
            return LEFT
        case _:
            assert_never(last)


def _show(event: protocol.Event, console: Console, folder: Path) -> None:
    match event:
        case protocol.Hello() | protocol.Preview():
            pass
        case protocol.Stage():
            console.stage(event.number, event.name, event.loaded)
        case protocol.Progress():
            console.progress(event.step, event.steps, event.seconds_left, event.steps_per_second)
        case protocol.Warning():
            console.say(f"warning: {event.message} {event.hint}".rstrip())
        case protocol.Finished(stopped_after=""):
            console.say(f"done in {clock(event.seconds)}")
        case protocol.Finished():
            console.say(f"stopped after {event.stopped_after}; go on with: python -m backend run {folder}")
        case protocol.Cancelled():
            console.say("cancelled")
        case protocol.Failed():
            console.say(f"error: {event.message} {event.hint}".rstrip())
        case protocol.Interrupted():
            console.say(f"interrupted ({event.reason}); go on with: python -m backend run {folder}")
        case _:
            assert_never(event)


# ---- generate --------------------------------------------------------------------------------------------------------


def _make_folder(arguments: argparse.Namespace) -> Path:
    """Write the job folder that the arguments describe; an existing one must hold the same request, and is resumed."""
    from backend.images import check_image
    from backend.machine import available_threads

    role = "subject" if arguments.system == "dreambooth3d" else "reconstruct"
    sources = [(path, role) for path in arguments.image] + [(path, "visual_prompt") for path in arguments.visual_prompt]
    images, copies = [], []
    for number, (path, role) in enumerate(sources):
        if not path.is_file():
            raise BadInput(f"There is no image {path}.", "Check the path.")
        check_image(path)
        name = f"{protocol.INPUT_FOLDER}/{number:02}{path.suffix.lower()}"
        copies.append((path, name))
        angles: dict[str, Any] = {}
        if role == "reconstruct":
            angles = {
                "elevation_degrees": arguments.elevation,
                "azimuth_degrees": arguments.azimuth,
                "fov_degrees": arguments.fov,
            }
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
    folder: Path = arguments.out
    if folder.exists() and any(folder.iterdir()):
        same = protocol.read_request(folder) == request
        same = same and all((folder / n).is_file() and (folder / n).read_bytes() == p.read_bytes() for p, n in copies)
        if not same:
            raise BadInput(f"{folder} holds another job.", f"Choose another --out, or `run {folder}` to go on with it.")
        return folder
    (folder / protocol.INPUT_FOLDER).mkdir(parents=True, exist_ok=True)
    for path, name in copies:
        shutil.copyfile(path, folder / name)
    protocol.write_request(folder, request)
    return folder


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m backend", description="Optimise 3D objects, one job folder each.")
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="run job folders, or resume them")
    run.add_argument("folders", nargs="+", type=Path, metavar="JOB")
    run.add_argument("--supervised", action="store_true", help="obey commands on stdin, and leave when it closes")

    generate = commands.add_parser("generate", help="make a job folder and run it")
    generate.add_argument("--system", default="tv3dg", help=", ".join(protocol.SYSTEMS))
    generate.add_argument("--prompt", default="", help="what it is, for example 'a red mug'")
    generate.add_argument("--negative-prompt", default="", help="what it should not be")
    generate.add_argument("--image", type=Path, action="append", default=[], help="what it looks like; may be repeated")
    generate.add_argument("--visual-prompt", type=Path, action="append", default=[], help="image of style or likeness")
    generate.add_argument("--elevation", type=float, default=0.0, help="degrees, of the camera of --image")
    generate.add_argument("--azimuth", type=float, default=0.0, help="degrees, 0 is the front")
    generate.add_argument("--fov", type=float, default=40.0, help="degrees, vertical field of view of --image")
    generate.add_argument("--preset", default="standard", help=", ".join(protocol.PRESETS))
    generate.add_argument("--seed", type=int, default=0)
    generate.add_argument("--prior", default="embedded", help="embedded, sd15 or a folder in diffusers' format")
    generate.add_argument("--threads", type=int, default=0, help="0 means every core")
    generate.add_argument("--stop-after", default="", metavar="STAGE", help="end after this stage; `run` goes on")
    generate.add_argument("--set", type=_setting, action="append", default=[], metavar="NAME=VALUE")
    generate.add_argument("--out", type=Path, required=True, metavar="JOB", help="the job folder")

    doctor = commands.add_parser("doctor", help="say what this machine has and what is missing")
    doctor.add_argument("--deep", action="store_true", help="import everything and try every engine")
    return parser


def _setting(text: str) -> tuple[str, protocol.Setting]:
    """Return name and value of `name=value`; the value is a number, true or false where it reads as one."""
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


if __name__ == "__main__":
    sys.exit(main())
