"""The backend's environment: a folder with a Python of its own and what the lock files pin, made whole or not at all.

`build.py` makes the one of a checkout with this, and `python -m addon` the one that an artist installs from Blender.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import processes
from ..paths import backend_python
from ..protocol import Phrase, torch_builds
from . import interpreters, pip_steps
from .interpreters import EnvironmentProblem, Interpreter
from .pip_steps import DiskTooSmall, Step, explained

NEEDED_GIB = 6.0  # the CPU packages take 2.6 GiB, and 1 GiB more while they are unpacked
NEEDED_WITH_CUDA_GIB = 12.0  # where torch brings CUDA's libraries
MAX_FOLDER_LENGTH = 120  # characters on Windows: torch's longest file adds some 130, and programs stop at 260
STAMP = "maquette.stamp"  # says what an environment was made from; written last, so what has none is not whole
RECORD = "maquette.json"  # which Python that was, and how many bytes it takes
PIP_LOG = "pip.log"
BUSY = "Another process is installing into {folder}: {error}."
WAIT = Phrase("Wait until it is done.")


class EnvironmentMissing(EnvironmentProblem):
    """There is no environment, or what is there is not whole."""

    kind = "missing"


class Busy(EnvironmentProblem):
    """Another process is at it."""

    kind = "busy"


class Stopped(Exception):
    """Whoever watches the progress raises this to stop the installation."""


@dataclass(frozen=True)
class Progress:
    """How far the installation is: `done` of `total` packages, and the share from 0 to 1 of the whole."""

    done: int
    total: int
    share: float
    text: str


def provide(
    folder: Path,
    locks: Sequence[Path],
    on_progress: Callable[[Progress], None] | None = None,
    *,
    python: Interpreter | None = None,
    wheels: Path | None = None,
    log: Path | None = None,
    anew: bool = False,
    build: str | None = None,
) -> Path:
    """Return the Python of an environment, made if need be from `python`, by default from the one that runs this.

    `locks` are requirement files. Those with hashes come first and must name all that they need; the others are
    installed by version, with what they lack. With `wheels` everything comes from that folder and nothing from the
    network. `log` is where pip's output is kept, by default inside the folder. `anew`: make it also if
    it is whole. `build` names that of torch, such as cu130 or cpu; empty, pip's own configuration says which, and None
    leaves it as it is in the environment that is there. `on_progress` is called several times a second and may raise to
    stop.
    While a new one is made the older one lies beside it, and comes back if that fails or is stopped, so that nothing
    half-made stays; what a killed process leaves has no stamp, and the next call clears it away.
    Raises EnvironmentProblem.
    """
    python = python or interpreters.this()
    build = recorded_build(folder) if build is None else build
    if is_whole(folder, locks, python.language, build) and not anew:
        return backend_python(folder)
    interpreters.check(python)
    check_folder(folder, wheels, build)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with processes.hold(folder.with_name(folder.name + "-lock")) as lock:
            if not is_put_back(folder, locks, python.language, build) or anew:
                _make(folder, locks, python, build, on_progress or _unseen, wheels, log, lock)
    except BlockingIOError as error:
        raise Busy(Phrase(BUSY, folder=folder, error=error.strerror), WAIT) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise explained(Phrase("{folder} could not be made", folder=folder), "Errno 28") from error
        told = Phrase("{folder} could not be made: {error}.", folder=folder, error=error)
        raise EnvironmentProblem(told, Phrase("Choose another folder.")) from error
    return backend_python(folder)


def is_whole(folder: Path, locks: Sequence[Path], language: str = "", build: str | None = None) -> bool:
    """Say whether an environment is there, made to the end from these locks and for this Python, or for 3.11, say.

    And with this build of torch, unless that is None.
    """
    stamp = folder / STAMP
    build = recorded_build(folder) if build is None else build
    is_current = stamp.is_file() and stamp.read_text(encoding="utf-8") == fingerprint(locks, language, build)
    return is_current and backend_python(folder).exists()


def fingerprint(locks: Sequence[Path], language: str = "", build: str = "") -> str:
    """Describe what an environment is made from: locks, Python (this or 3.11, say), build of torch, kind of machine."""
    language = language or f"{sys.version_info[0]}.{sys.version_info[1]}"
    own = [pip_steps.lock_of_build(lock, build, language) for lock in locks if build]
    files = [*locks, *(lock for lock in own if lock.is_file() and lock not in locks)]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in dict.fromkeys(files))).hexdigest()
    return f"{digest} {language} {platform.system()} {platform.machine()}{build and f' {build}'}\n"


def recorded_build(folder: Path) -> str:
    """Return the build of torch that an environment was made with on purpose, else nothing."""
    return str(read_record(folder).get("build", ""))


# ---- what must be so -------------------------------------------------------------------------------------------------


def check_folder(folder: Path, wheels: Path | None = None, build: str = "") -> None:
    """Raise DiskTooSmall where the packages would not fit, EnvironmentProblem where paths become too long."""
    if sys.platform == "win32" and len(str(folder)) > MAX_FOLDER_LENGTH:
        raise EnvironmentProblem(
            f"{folder} has {len(str(folder))} characters, and Windows would not find the packages in a folder "
            f"of more than {MAX_FOLDER_LENGTH}.",
            "Choose a folder with a shorter path.",
        )
    with_cuda = build != torch_builds.PROCESSOR if build else brings_cuda(wheels)
    needed = NEEDED_WITH_CUDA_GIB if with_cuda else NEEDED_GIB
    free = free_bytes(folder) / 2**30
    if free < needed:
        told = "{folder} has {free:.1f} GiB of free disk, and the packages need {needed} GiB. Make room first."
        raise DiskTooSmall(Phrase(told, folder=folder.parent, free=free, needed=needed))


def free_bytes(folder: Path) -> int:
    """Return the free disk at a folder that need not be there yet."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def brings_cuda(wheels: Path | None = None) -> bool:
    """Whether pip's torch is the one with CUDA: on Linux on x86-64, unless pip's own folders hold one for the CPU."""
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        return False
    folders = [str(wheels)]
    if wheels is None:
        settings = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True)
        folders = " ".join(re.findall(r"find-links='(.*)'", settings.stdout)).replace("\\n", " ").split()
    return not any(list(Path(folder).glob("torch-*cpu*.whl")) for folder in folders if Path(folder).is_dir())


# ---- making it -------------------------------------------------------------------------------------------------------


def _unseen(progress: Progress) -> None:
    """Show nothing."""


def is_put_back(folder: Path, locks: Sequence[Path], language: str, build: str | None = None) -> bool:
    """Put back what an installation that was killed had set aside, and say whether that is all that is wanted."""
    aside = folder.with_name(folder.name + "-previous")
    if aside.exists() and not (folder / STAMP).exists():
        delete(folder)
        aside.rename(folder)
    return is_whole(folder, locks, language, build)


def _make(
    folder: Path,
    locks: Sequence[Path],
    python: Interpreter,
    build: str,
    on_progress: Callable[[Progress], None],
    wheels: Path | None,
    log: Path | None,
    lock: int,
) -> None:
    aside = folder.with_name(folder.name + "-previous")
    delete(aside)
    text, kept = Phrase("making the environment"), "{text}; {path}, to which a link led, stays as it is"
    text = Phrase(kept, text=text, path=os.readlink(folder)) if folder.is_symlink() else text
    if os.path.lexists(folder):
        folder.rename(aside)
    try:
        on_progress(Progress(0, 1, 0.0, text))
        command = [str(python.path), "-m", "venv", str(folder)]
        made = subprocess.run(command, env=processes.child_environment(), capture_output=True, text=True)
        if made.returncode:
            raise explained(Phrase("Python could not make {folder}", folder=folder), made.stdout + made.stderr)
        plan = pip_steps.steps(locks, build, python.language, wheels)
        left_out = _install(folder, plan, on_progress, log or folder / PIP_LOG, lock)
        record: dict[str, object] = {"python": str(python.path), "language": python.language, "build": build}
        record |= {"left_out": left_out, "bytes": size_on_disk(folder)}
        (folder / RECORD).write_text(json.dumps(record), encoding="utf-8")
        (folder / STAMP).write_text(fingerprint(locks, python.language, build), encoding="utf-8")
    except BaseException:
        delete(folder)
        if os.path.lexists(aside):
            aside.rename(folder)
        raise
    delete(aside)


def _install(
    folder: Path, plan: Sequence[Step], on_progress: Callable[[Progress], None], log: Path, lock: int
) -> list[str]:
    """Run pip, step by step; return the packages that were left out."""
    temporary = folder / "tmp"  # pip unpacks gigabytes there, and /tmp is often a small memory disk
    temporary.mkdir()
    command = [str(backend_python(folder)), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar=off", "--retries=2"]
    places = {"TMPDIR": str(temporary), "TEMP": str(temporary), "TMP": str(temporary)}
    there, begin, left_out = 0, 0, []
    log.write_bytes(b"")
    for number, step in enumerate(plan):

        def tell(progress: Progress, before: int = number) -> None:
            share = (before + progress.share) / len(plan)
            on_progress(Progress(progress.done, progress.total, share, progress.text))

        code = 1
        for words in step.ways:
            with open(log, "ab") as output:
                pip = subprocess.Popen(
                    [*command, *words],
                    cwd=step.locks[-1].parent if step.locks else folder,
                    env=processes.child_environment(places),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # Should we be killed, pip goes on to its end; until then it holds the lock, and nobody works there.
                    pass_fds=() if sys.platform == "win32" else (lock,),
                )
            try:
                done = _follow(pip, log, begin, folder, step.locks, there, tell)
            finally:
                if pip.poll() is None:  # stopped
                    pip.kill()
                    pip.wait()
            code, said = pip.returncode, begin
            begin = log.stat().st_size
            if not code:
                there = done
                break
            if not step.optional:
                raise explained(Phrase("The packages could not be installed"), _read(log, said))
        if code:
            left_out.append(step.optional)
    delete(temporary)
    text = Phrase("installed, without {name}", name=left_out[0]) if left_out else Phrase("installed")
    on_progress(Progress(there, there, 1.0, text))
    return left_out


def _read(log: Path, begin: int) -> str:
    """Return what a log says from a byte on."""
    with log.open("rb") as file:
        file.seek(begin)
        return file.read().decode("utf-8", "replace")


def _follow(
    pip: subprocess.Popen[bytes],
    log: Path,
    begin: int,
    folder: Path,
    locks: Sequence[Path],
    there: int,
    on_progress: Callable[[Progress], None],
) -> int:
    """Tell what pip is at until it ends: first packages found and fetched, then packages installed.

    `begin` is where its part of the log begins, `there` how many packages were installed before; returns how many are.
    """
    pins = sum("==" in line for lock in locks for line in lock.read_text(encoding="utf-8").splitlines())
    running, total = True, pins
    while running:
        running = pip.poll() is None  # asked before reading, so that the last look sees all of the log
        text = _read(log, begin)
        chosen = re.search(r"^Installing collected packages: (.*)$", text, re.MULTILINE)
        if chosen:
            names = chosen[1].split(", ")  # in the order in which it unpacks them; the largest takes a minute
            total = len(names)
            # Not searched deeper, because pip moves folders about in there.
            present = sum(len(list(place.glob("*.dist-info"))) for place in site_packages(folder))
            done = min(max(present - there, 0), total)
            name = Phrase("unpacking {name}", name=names[min(done, total - 1)])
            on_progress(Progress(done, total, 0.5 + 0.49 * done / total, name))
        else:
            fetched = re.findall(r"^Collecting (\S+)", text, re.MULTILINE)
            done = min(len(fetched), pins)
            name = Phrase("fetching {name}", name=fetched[-1] if fetched else "")
            on_progress(Progress(done, pins, 0.5 * done / max(pins, 1), name))
        if running:
            time.sleep(0.2)
    return there + total


def site_packages(folder: Path) -> list[Path]:
    """Return where an environment has its packages."""
    return [*folder.glob("lib/python*/site-packages"), *folder.glob("Lib/site-packages")]


# ---- what is there ---------------------------------------------------------------------------------------------------


def size_on_disk(folder: Path) -> int:
    """Return the bytes of all files in a folder, each file once. Takes seconds for an environment."""
    sizes = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            status = os.lstat(path)
            sizes[status.st_dev, status.st_ino or path] = status.st_size
    return sum(sizes.values())


def read_record(folder: Path) -> dict[str, Any]:
    """Return what an environment was made from: "python", "language", torch's "build"; what is "left_out"; its "bytes".

    Empty if nobody knows.
    """
    path = folder / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError):  # it says nothing that anything depends on
        return {}
    return record if isinstance(record, dict) else {}


def log_file(folder: Path) -> Path:
    """Return where `python -m addon make` keeps pip's output: beside the environment, which a failure removes."""
    return folder.with_name(folder.name + ".log")


def delete(folder: Path) -> None:
    """Remove a folder with all it holds, the stamp first, so that no half of it looks whole; of a link only itself."""
    if folder.is_symlink():
        folder.unlink()  # what it leads to may be another's
    elif folder.exists():
        (folder / STAMP).unlink(missing_ok=True)
        shutil.rmtree(folder)


def remove(folder: Path) -> None:
    """Remove an environment and what was left beside it. Raises EnvironmentProblem, also if the folder is none."""
    if folder.exists() and not (folder / "pyvenv.cfg").is_file() and any(folder.iterdir()):
        raise EnvironmentProblem(f"{folder} is not an environment of Maquette, and stays.", "Choose its folder.")
    try:
        with processes.hold(folder.with_name(folder.name + "-lock")):
            for place in (folder, folder.with_name(folder.name + "-previous")):
                delete(place)
    except BlockingIOError as error:
        raise Busy(Phrase(BUSY, folder=folder, error=error.strerror), WAIT) from error
    except OSError as error:
        told = Phrase("{folder} could not be removed: {error}.", folder=folder, error=error)
        raise EnvironmentProblem(told, Phrase("End what uses it, and try again.")) from error
