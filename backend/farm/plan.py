"""Which job folders go to a farm, where its machines find them, and what they need of a machine."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from addon import protocol
from addon.protocol import models, preflight
from backend.errors import BackendError, BadInput
from backend.models import store
from backend.runtime.machine import NEEDED_GPU_MEMORY, NEEDED_MEMORY
from backend.weights import EMBEDDED

ON_A_GPU = "paper"  # the preset that says of itself that it takes hours without a graphics card
SHARED = "Move them to a folder that all machines see, or say --same-machine."
START = "backend/farm/start.py"
ON_A_PROCESSOR, ON_ANY_GPU = "cpu", "a GPU"  # devices, as a measured speed names them
PATIENCE_SECONDS = 30  # that a task waits for one that was killed a moment ago, and writes its checkpoint


@dataclass(frozen=True)
class Needs:
    """What one task needs: MiB of main memory, GPUs, MiB of the GPU's memory, threads (0: every core)."""

    memory: int
    gpus: int
    gpu_memory: int
    threads: int


class Order(NamedTuple):
    """What submits a plan: the words of one command, and what is to be known of it."""

    command: list[str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The tasks of a farm: `names` are their job folders in `jobs`, with "/"; `python` and `root` run the backend.

    `skipped` are sentences about those that are left out, `notes` about those that are not and have ended before.
    """

    jobs: Path
    names: tuple[str, ...]
    python: str
    root: Path
    out: Path
    needs: Needs
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def command(self, job: str, python: str = "", root: str = "", progress: str = "text") -> list[str]:
        """Return the words that run a job folder from any working directory; names may be an engine's own."""
        start = f"{root or self.root.as_posix()}/{START}"
        options = ["--progress", progress, "--patience", str(PATIENCE_SECONDS)]
        return [python or self.python, "-u", start, "run", job, *options]


def made(
    folders: Sequence[Path],
    out: Path,
    *,
    python: str,
    root: Path,
    gpus: int | None = None,
    memory_gib: float = 0.0,
    gpu_memory_gib: float = 0.0,
    is_shared: bool = False,
    is_other_user: bool = False,
) -> Plan:
    """Return the plan for job folders, without those that are done or held or that no machine can run.

    Numbers of None or 0 come from the presets. `is_shared`: other machines must find the folders; `is_other_user`: as
    another user. Raises BadInput for a folder that is no job or that they cannot see, and where nothing is left to do.
    """
    requests, skipped, notes, taken = [], [], [], []
    for folder in dict.fromkeys(job for each in folders for job in job_folders(Path(os.path.abspath(each)))):
        try:
            request = runnable_request(folder)
            last = last_event(folder)
        except (BackendError, protocol.ProtocolError) as error:
            skipped.append(f"{folder.name} cannot run and is left out: {error}")
            continue
        if is_done(last, request):
            skipped.append(f"{folder.name} is done already and is skipped.")
        elif protocol.is_running(folder):
            skipped.append(f"{folder.name} is held by another process and is left alone.")
        else:
            taken.append(folder)
            requests.append(request)
            if isinstance(last, protocol.Failed):
                notes.append(f"{folder.name} has failed before and is tried again: {last.message[:200]}")
            elif isinstance(last, protocol.Cancelled):
                notes.append(f"{folder.name} was cancelled before and goes on.")
    if not taken:
        raise BadInput(f"None of the {len(skipped)} jobs is to be run. {' '.join(skipped[:3])}", "Give others.")
    where = Path(os.path.commonpath([folder.parent for folder in taken]))
    if is_shared:
        _check_shared(where)
    if is_other_user:
        _check_open([where, *taken])
    names = tuple(folder.relative_to(where).as_posix() for folder in taken)
    for name in names:
        if not name.isprintable() or "{{" in name:
            raise BadInput(f"The name {name!r} has characters that no farm takes.", "Rename the job folder.")
    presets = {request.preset for request in requests}
    gpus = (ON_A_GPU in presets) if gpus is None else gpus
    needs = Needs(
        memory=round(memory_gib * 1024) or needed_mib(requests, NEEDED_MEMORY, "" if gpus else ON_A_PROCESSOR),
        gpus=int(gpus),
        gpu_memory=(round(gpu_memory_gib * 1024) or needed_mib(requests, NEEDED_GPU_MEMORY, ON_ANY_GPU)) if gpus else 0,
        threads=0 if any(request.threads == 0 for request in requests) else max(r.threads for r in requests),
    )
    return Plan(where, names, python, root, Path(os.path.abspath(out)), needs, tuple(skipped), tuple(notes))


def needed_mib(requests: Sequence[protocol.Request], least: int, device: str) -> int:
    """Return the MiB that the hungriest of jobs takes on a device, as its preflight says, and `least` bytes at least.

    Without a device that is all: beside a GPU the main memory holds little but the interpreter and what is loaded.
    """
    wanted = least
    for request in requests if device else ():
        speed = preflight.Speed(
            device=device, threads=1, processor=1.0, small=1.0, large=1.0, half=device == ON_ANY_GPU
        )
        with contextlib.suppress(protocol.ProtocolError):  # of such a model nobody can say
            wanted = max(wanted, preflight.of_request(request, _base(request.prior), speed).memory)
    return -(-int(wanted) // (1 << 20))


def _base(prior: str) -> preflight.Base:
    """Return a request's base: ours, one in a folder, an installed one.

    One that is not on this machine counts as Stable Diffusion's.
    """
    if prior == "embedded":
        return preflight.read_base(EMBEDDED)
    if Path(prior).is_dir():
        return preflight.read_base(Path(prior))
    try:
        folder = models.networks_folder(store.models_folder(), prior)
    except protocol.ProtocolError:
        return preflight.STABLE_DIFFUSION_BASE
    return preflight.read_base(folder)


def job_folders(folder: Path) -> list[Path]:
    """Return a job folder, or the job folders in a folder of them, by name.

    Raises BadInput if it is not there, or neither.
    """
    if not folder.is_dir():
        raise BadInput(f"There is no folder {folder}.", "Give the folders of jobs.")
    if protocol.is_inside(folder, protocol.REQUEST_FILE):
        return [folder]
    inside = sorted(path for path in folder.iterdir() if not path.is_symlink() and path.suffix != ".tmp")
    found = [path for path in inside if protocol.is_inside(path, protocol.REQUEST_FILE)]
    if not found:
        what = "is not a job folder, nor does it hold one"
        raise BadInput(f"{folder} {what}: there is no {protocol.REQUEST_FILE}.", "Give the folders of jobs.")
    return found


def runnable_request(folder: Path) -> protocol.Request:
    """Return the request of a job folder. Raises ProtocolError or BadInput where it would be refused on any machine."""
    request = protocol.read_request(folder)
    system = protocol.built_systems().get(request.system)
    if system is None:
        raise BadInput(f"The system {request.system} is not part of this version.")
    protocol.check_settings(system, request.settings)
    for name in request.files:
        if protocol.file_size(folder, name) is None:
            raise BadInput(f"its input {name} is missing.")
    return request


def is_done(last: protocol.Message | None, request: protocol.Request) -> bool:
    """Say whether a job whose last event this is has come to the end that its request wants."""
    return isinstance(last, protocol.Finished) and last.stopped_after in ("", request.stop_after)


def last_event(folder: Path) -> protocol.Message | None:
    """Return the last complete event of a job folder, None if it has none that can be read."""
    size = protocol.file_size(folder, protocol.EVENTS_FILE)
    if not size:
        return None
    with protocol.open_file(folder, protocol.EVENTS_FILE, "rb") as file:
        file.seek(max(size - protocol.LINE_BYTES, 0))
        lines = file.read(protocol.LINE_BYTES).split(b"\n")[:-1]
    try:
        return protocol.decode(lines[-1]) if lines else None
    except protocol.ProtocolError:  # torn: the job goes on
        return None


def write(plan: Plan, files: dict[str, str], programs: Sequence[str] = ()) -> None:
    """Write text files, with "/" in their names, into the plan's folder; `programs` may be run. Raises OSError."""
    plan.out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        folder, _, _ = name.rpartition("/")
        if folder:
            protocol.make_folder_in(plan.out, folder)
        protocol.write_whole(plan.out, name, text.encode())
        if name in programs:
            (plan.out / name).chmod(0o755)


def _check_shared(where: Path) -> None:
    """Refuse a folder that is surely on this machine alone."""
    for local in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/dev/shm")):
        if where.resolve().is_relative_to(local.resolve()):
            raise BadInput(f"{where} is a temporary folder of this machine: other machines cannot see it.", SHARED)


def _check_open(folders: Sequence[Path]) -> None:
    """Refuse folders that let nobody in but their owner, while the workers run as another user."""
    if os.name == "nt":
        return
    for place in dict.fromkeys(each for folder in folders for each in (*reversed(folder.parents), folder)):
        mode = place.stat().st_mode & 0o777
        if not mode & 0o077:
            raise BadInput(
                f"{place} lets in nobody but its owner (mode {mode:o}): workers run as another user and cannot see it.",
                "Let them in (chmod -R g+rwX), or say --same-user.",
            )
