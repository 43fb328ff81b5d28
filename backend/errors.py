"""What can go wrong that a user can act on: each error has a sentence and a remedy, which become the last event.

BackendError             exit code 1
  BadInput               exit code 2: the request, a picture or the folder is wrong
    EmptyMask
  NoSurface
  UnfitEnvironment       exit code 3: the machine lacks something
    OutOfMemory, MissingModel
JobLeft                  not an error: how a job leaves early, through every `except Exception` on its way
  JobCancelled, JobInterrupted, JobStopped
"""

from __future__ import annotations

import errno


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
            return OutOfMemory("The memory of this machine did not suffice.", "Use the preset draft.")
        case ImportError():
            return UnfitEnvironment(f"A package is missing or broken: {error}.", "Run `python build.py setup`.")
        case OSError(errno=errno.ENOSPC):
            return UnfitEnvironment(f"The disk is full ({error}).", "Make room and run the job again; it goes on.")
        case RuntimeError() if "out of memory" in str(error) or "can't allocate memory" in str(error):
            return OutOfMemory(str(error).splitlines()[0], "Use the preset draft, or close other programs.")
        case _:
            message = f"{type(error).__name__}: {error}"
            return Defect(message, "This is a mistake of Maquette. The log in the job folder says where; report it.")
