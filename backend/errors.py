"""What can go wrong that a user can act on: each error has a sentence and a remedy, which become the last event.

BackendError             exit code 1
  BadInput               exit code 2: the request, a picture or the folder is wrong
    EmptyMask
  NoSurface
  UnfitEnvironment       exit code 3: the machine lacks something
    OutOfMemory, MissingModel
JobLeft                  not an error: how a job leaves early, through every `except Exception` on its way
  JobCancelled, JobInterrupted, JobStopped
  FolderGone             a JobCancelled
"""

from __future__ import annotations

import errno
import os

from addon.protocol import Phrase as Phrase
from addon.protocol import joined as joined

# What changes which files are imported or loaded; the add-on starts the backend without them.
DISTURBING = (
    "PYTHONHOME", "PYTHONPATH", "PYTHONPLATLIBDIR", "PYTHONOPTIMIZE",
    "LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "DYLD_LIBRARY_PATH",
)  # fmt: skip

# Why the system lets nobody use a file -> what to say of it, and what to do.
REFUSALS = {
    errno.EACCES: ("may not be used", "Choose another folder, or have it permitted."),
    errno.EPERM: ("may not be used", "Choose another folder, or have it permitted."),
    errno.EROFS: ("cannot be written", "Choose a folder that is not on a read-only disk."),
    errno.ENAMETOOLONG: ("cannot be made or found", "Choose a shorter name."),
}

# How torch and the libraries below say that memory ran out; the second and third are its allocator's on a processor.
NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "_STATUS_ALLOC_FAILED")


class BackendError(Exception):
    """Say in one sentence what is wrong, with the number that matters, and in `hint` what to do."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class BadInput(BackendError):
    """What was given cannot be used."""

    exit_code = 2


class EmptyMask(BadInput):
    """No subject can be told from the background."""


class NoSuchPiece(EmptyMask):
    """The subject shall be a piece of the cut-out that there is not."""


class NoSurface(BackendError):
    """No surface lies at a threshold: the field stays below it."""


class UnfitEnvironment(BackendError):
    """The machine, its drivers or the installed packages do not do."""

    exit_code = 3


class Defect(BackendError):
    """Something that nobody foresaw: a mistake of ours."""


class OutOfMemory(UnfitEnvironment):
    """The memory of the machine or of the GPU did not suffice."""


class MissingModel(UnfitEnvironment):
    """A pretrained model is not on this machine."""


class JobLeft(BaseException):
    """Leave the job from the depth of a stage. Not an Exception, so that no fallback on the way swallows it."""


class JobCancelled(JobLeft):
    """The user does not want the result any more."""


class FolderGone(JobCancelled):
    """The job's folder was removed, or another one is in its place: nothing of it is written any more."""


class JobInterrupted(JobLeft):
    """The process must go; the job can be resumed. Its argument is the reason."""


class JobStopped(JobLeft):
    """The stage after which the request wants to stop is done. Its argument is the stage's name."""


def explain(error: Exception) -> BackendError:
    """Return what a user can make of any exception."""
    match error:
        case BackendError():
            return error
        case MemoryError():
            told = Phrase("The memory of this machine did not suffice.")
            return OutOfMemory(told, Phrase("Use the preset draft, or close other programs."))
        case ImportError():
            return UnfitEnvironment(f"A package is missing or broken: {error}.", _how_to_import())
        case OSError(errno=number) if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            told = Phrase("The disk is full ({error}).", error=error)
            return UnfitEnvironment(told, Phrase("Make room and run the job again; it goes on."))
        case OSError(errno=number) if number in REFUSALS:
            place = f"{error.filename}" if error.filename else "A file"
            what, hint = REFUSALS[number]
            return BadInput(f"{place} {what} ({error.strerror}).", hint)
        case OSError(errno=number) if number in (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ESTALE):
            return UnfitEnvironment(f"This machine does not let files be used ({error}).", "Run the job again.")
        case RuntimeError() if any(said in str(error) for said in NO_MEMORY):
            hint = Phrase("Use the preset draft, or close other programs.")
            return OutOfMemory(str(error).splitlines()[0], hint)
        case _:
            message = f"{type(error).__name__}: {error}"
            hint = "This is a mistake of Maquette. The log in the job folder says where; report it."
            return Defect(message, Phrase(hint))


def disturbing_variables() -> dict[str, str]:
    """Return the environment variables that may keep packages from being imported, with their values."""
    return {name: os.environ[name] for name in DISTURBING if os.environ.get(name)}


def _how_to_import() -> str:
    found = " and ".join(f"{name}={value[:80]}" for name, value in disturbing_variables().items())
    remedy = "Run `python build.py setup`."
    return f"Take {found} out of the environment, which may be why, or else: {remedy}" if found else remedy
