"""What differs between Windows, Linux and macOS when Blender runs another program: one function for each difference.

The system is asked for at each call, so that tests can pretend to be another one; docs/other-systems.md says what
never ran anywhere else.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import IO, Any

# Of Blender's own Python, of an activated environment, or of macOS's framework: they lead another Python astray.
# So does whatever begins with PYTHON, and code that is loaded into every program that is started.
NEEDLESS = (
    "PYTHONHOME", "PYTHONPATH", "PYTHONSAFEPATH", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONEXECUTABLE",
    "VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES",
)  # fmt: skip
NEEDLESS_START = "PYTHON"
LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH", "DYLD_FALLBACK_LIBRARY_PATH")

ENDING = ("SIGINT", "SIGTERM", "SIGHUP")  # signals that ask to leave
STOPPED = 4  # the exit code of a program that such a signal has ended

# Windows' numbers, which Python's modules have on Windows only.
CREATE_NEW_PROCESS_GROUP = 0x00000200
CREATE_NO_WINDOW = 0x08000000
KILL_ON_JOB_CLOSE = 0x00002000
EXTENDED_LIMIT_INFORMATION = 9
MAX_WINDOWS_PATH = 248  # of a folder, when the program has not asked for more


class Child(subprocess.Popen[bytes]):
    """A process that was started here; `job` is Windows' job object that it and its children belong to, else 0."""

    job = 0


# ---- starting --------------------------------------------------------------------------------------------------------


def child_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Copy this process's environment without what would lead another Python astray; add or override `more`."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if name not in NEEDLESS and not name.upper().startswith(NEEDLESS_START)
    }
    for name in LIBRARY_PATHS:
        if name in variables:
            own = [entry for entry in variables[name].split(os.pathsep) if entry and not is_blenders(Path(entry))]
            variables[name] = os.pathsep.join(own)
            if not own:
                del variables[name]
    return variables | {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1"} | dict(more or {})


def is_blenders(path: Path) -> bool:
    """Say whether a path lies in the folder of the Blender that runs this, or in its snap."""
    snap = os.environ.get("SNAP")
    homes = [Path(snap)] if snap else []
    prefix = Path(
        sys.base_prefix
    )  # Blender's is BLENDER/5.2/python; on macOS Blender.app/Contents/Resources/5.2/python
    if prefix.name == "python":
        homes.append(prefix.parent.parent)
    return any(path.is_relative_to(home) for home in homes)


def hidden_options() -> dict[str, Any]:
    """Return the options of Popen for a short command, which on Windows would open a console window for a moment."""
    return {"creationflags": CREATE_NO_WINDOW} if sys.platform == "win32" else {}


def group_options() -> dict[str, Any]:
    """Return the options of Popen for a child in a group of its own, without a console window on Windows.

    Ctrl+C in the terminal that Blender was started from is not for the child, and what it starts ends with it.
    """
    if sys.platform == "win32":
        return {"creationflags": CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW}
    return {"start_new_session": True}


def start(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    variables: Mapping[str, str] | None = None,
) -> Child:
    """Start a program with a pipe for its stdin; it and all that it starts can be ended at once. Raises OSError."""
    child = Child(
        [str(part) for part in command],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        cwd=cwd,
        env=child_environment(variables),
        **group_options(),
    )
    if sys.platform == "win32":
        child.job = bind_to_this_process(child)
    return child


def run_in_foreground(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: int | None = None,
) -> int:
    """Run a program that shares this terminal, to its end; return its exit code, STOPPED where a signal has ended it.

    Signals that ask this process to leave are passed on, and what the program makes of them is waited for. What comes
    from the terminal comes to the program, too; it must not hear that twice.
    """
    child: subprocess.Popen[bytes] | None = None
    told: list[int] = []

    def pass_on(number: int, frame: object) -> None:
        told.append(number)
        if child is not None and not (is_at_terminal and number != signal.SIGTERM):
            child.send_signal(number)

    is_at_terminal = sys.platform == "win32" or os.isatty(0)  # Windows can pass on nothing
    numbers = [signal.Signals[name] for name in ENDING if name in signal.Signals.__members__]
    numbers = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, pass_on) for number in numbers}
    try:
        child = subprocess.Popen([str(part) for part in command], cwd=cwd, env=env, stdout=stdout)
        for number in told[:1]:  # meanwhile
            child.send_signal(number)
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
    return STOPPED if told and code < 0 else code


# ---- ending ----------------------------------------------------------------------------------------------------------


def end_tree(child: subprocess.Popen[bytes]) -> None:
    """End a program that `start` has started and all that it has started, and wait until it is gone."""
    if sys.platform == "win32":
        job = getattr(child, "job", 0)
        if not (job and kernel32().TerminateJobObject(job, 1)) and child.poll() is None:
            command = ["taskkill", "/T", "/F", "/PID", str(child.pid)]
            subprocess.run(command, capture_output=True, creationflags=CREATE_NO_WINDOW)
        child.kill()
    else:
        # macOS says "not permitted" of a group that has only ended processes left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    close_stdin(child)


def end_own_tree() -> None:
    """End this process at once and, if `start` has started it, what it has started; on Windows its job does that."""
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def close_stdin(child: subprocess.Popen[bytes]) -> None:
    """Close the pipe to a program; what could not be written any more is lost."""
    if child.stdin is not None:
        with contextlib.suppress(OSError):  # nobody reads
            child.stdin.close()


def when_parent_is_gone(act: Callable[[], None]) -> None:
    """In a child: call `act`, in a thread, when stdin ends: the parent has closed it or is gone, however it died.

    The same on every system. Linux's own way, PR_SET_PDEATHSIG, acts when the thread ends that has started the child.
    """

    def read() -> None:
        while os.read(0, 4096):
            continue
        act()

    threading.Thread(target=read, name="parent", daemon=True).start()


def bind_to_this_process(child: subprocess.Popen[bytes]) -> int:
    """Put a process into a job object of Windows that ends with this process; return its handle, 0 if that fails.

    Keep it: when the last handle is closed, all in the job is ended. `let_live` takes that back.
    """
    job = kernel32().CreateJobObjectW(None, None)
    handle = int(getattr(child, "_handle", 0))
    if job and limit_job(job, KILL_ON_JOB_CLOSE) and kernel32().AssignProcessToJobObject(job, handle):
        return job
    return 0


def let_live(child: Child) -> None:
    """Let a process that `start` has started outlive this one: needed on Windows, where its job object would end it."""
    if sys.platform == "win32" and child.job:
        limit_job(child.job, 0)


def limit_job(job: int, flags: int) -> bool:
    """Set the limit flags of a job object."""
    limits = ExtendedLimits(flags=flags)
    size = ctypes.sizeof(limits)
    return bool(kernel32().SetInformationJobObject(job, EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), size))


def kernel32() -> Any:
    """Return Windows' library of processes."""
    library = ctypes.WinDLL("kernel32", use_last_error=True)  # pyright: ignore[reportAttributeAccessIssue]
    library.CreateJobObjectW.restype = ctypes.c_void_p
    for name in ("AssignProcessToJobObject", "TerminateJobObject", "SetInformationJobObject"):
        function = getattr(library, name)
        function.argtypes = [ctypes.c_void_p, *ARGUMENTS[name]]
    return library


ARGUMENTS = {
    "AssignProcessToJobObject": [ctypes.c_void_p],
    "TerminateJobObject": [ctypes.c_uint32],
    "SetInformationJobObject": [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32],
}


class ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION: 144 bytes on 64-bit Windows; we set the flags only."""

    _fields_ = (
        ("times", ctypes.c_int64 * 2),
        ("flags", ctypes.c_uint32),
        ("working_set", ctypes.c_size_t * 2),
        ("processes", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("priority", ctypes.c_uint32 * 2),
        ("transfers", ctypes.c_uint64 * 6),
        ("memory", ctypes.c_size_t * 4),
    )


# ---- files -----------------------------------------------------------------------------------------------------------


def long_path(path: Path, below: int = 0) -> Path:
    """Return the same place in the form in which Windows takes more than 260 characters; elsewhere the path itself.

    The path is absolute; `below` is how many characters the names of files in it may add. Programs cannot be started
    from such a path, nor have it as their working directory.
    """
    text = str(path)
    if sys.platform != "win32" or len(text) + below < MAX_WINDOWS_PATH or text.startswith("\\\\?\\"):
        return path
    prefix = "\\\\?\\UNC\\" if text.startswith("\\\\") else "\\\\?\\"
    return Path(prefix + text.removeprefix("\\\\"))


@contextlib.contextmanager
def hold(path: Path, patience: float = 3.0) -> Iterator[int]:
    """Hold a lock file until the block ends, and yield its descriptor; a child that inherits it holds it as well.

    Raises BlockingIOError, which says which process and since when, if another one still has it after `patience`
    seconds: one that was killed takes a moment to be gone, with all that it had started. The file is removed at the
    end; one that is left behind by a process that was killed is nobody's.
    """
    end = time.monotonic() + patience
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try_lock(descriptor)
            if sys.platform == "win32" or (path.exists() and os.path.samestat(os.stat(path), os.fstat(descriptor))):
                break  # else the holder before us has removed it meanwhile
        except BlockingIOError as error:
            holder = _holder(descriptor)
            os.close(descriptor)
            if time.monotonic() > end:
                raise BlockingIOError(error.errno, holder) from error
            time.sleep(0.05)
            continue
        os.close(descriptor)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield descriptor
    finally:
        if sys.platform != "win32":
            path.unlink(missing_ok=True)
        os.close(descriptor)
        if sys.platform == "win32":
            with contextlib.suppress(OSError):  # the next holder has it already
                path.unlink(missing_ok=True)


def _holder(descriptor: int) -> str:
    """Say which process holds a lock file and since when, as far as it says so."""
    with contextlib.suppress(OSError, ValueError):  # Windows lets nobody read what is locked
        number, since = int(os.read(descriptor, 32)), time.localtime(os.fstat(descriptor).st_mtime)
        return f"process {number}, since {time.strftime('%H:%M', since)}"
    return "a process that does not say its number"


if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int) -> None:
        """Lock an open file; raise BlockingIOError if another process has it."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(error.errno, "locked by another process") from error

else:
    import fcntl

    def try_lock(descriptor: int) -> None:
        """Lock an open file; raise BlockingIOError if another process has it."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


# ---- which programs there are ----------------------------------------------------------------------------------------


def is_store_alias(path: PurePath) -> bool:
    """Say whether a program is one that the Microsoft Store has put there: it opens the Store, or a Python whose files
    under AppData lie elsewhere than it says.
    """
    parts = [part.lower() for part in path.parts]
    return sys.platform == "win32" and "windowsapps" in parts


def sandbox() -> str:
    """Return "flatpak" or "snap" if this program runs in such a sandbox, which may not see the host's programs."""
    if not sys.platform.startswith("linux"):
        return ""
    if os.environ.get("FLATPAK_ID") or Path("/.flatpak-info").exists():
        return "flatpak"
    return "snap" if os.environ.get("SNAP") else ""
