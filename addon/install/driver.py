"""The driver of NVIDIA's cards, asked by its own program before gigabytes are fetched that it could not use."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .. import processes
from ..protocol import Phrase, torch_builds
from .interpreters import EnvironmentProblem

PROGRAM = "nvidia-smi"
QUESTION = ("--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader")
SHORTER = ("--query-gpu=name,driver_version", "--format=csv,noheader")  # drivers before 510 do not tell the capability
CUDA, ANY = "cuda", ""
CHOICES = (  # of the preferences
    ("AS_IS", "As pip Is Set Up", "What the package index has; an environment that is there keeps its own"),
    ("CUDA", "For NVIDIA Cards", "From PyTorch's own index, the newest that this machine's driver can run"),
    ("CPU", "For the Processor", "From PyTorch's own index; the smallest"),
)
ANSWER_SECONDS = 30.0  # a card that sleeps takes some to wake
PAGE = "https://www.nvidia.com/drivers"
AGAIN = Phrase("Install the driver again, or install the torch for the processor.")


class DriverProblem(EnvironmentProblem):
    """The driver of the graphics card is missing, or too old."""

    kind = "driver"


class Driver(NamedTuple):
    """What the driver says: its version, the newest CUDA that it knows, the first card and its capability, if told."""

    version: str
    cuda: tuple[int, int]
    card: str
    capability: tuple[int, int] | None


def run(words: Sequence[str]) -> tuple[int, str]:
    """Run the driver's program; return its exit code and what it printed. Raises FileNotFoundError without one."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise FileNotFoundError(PROGRAM)
    done = subprocess.run(
        [program, *words], capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL,
        timeout=ANSWER_SECONDS, env=processes.child_environment(),
    )  # fmt: skip
    return done.returncode, f"{done.stdout}\n{done.stderr}"


def ask(run: Callable[[Sequence[str]], tuple[int, str]] = run) -> Driver:
    """Return what the driver says of the first card. Raises DriverProblem: there is none, or it does not work."""
    if sys.platform == "darwin":
        hint = Phrase("Install torch as pip is set up; there is one for the Mac.")
        raise DriverProblem(Phrase("There is no CUDA for macOS."), hint)
    try:
        code, text = run(())
        listed, cards = run(QUESTION)
        if listed:
            listed, cards = run(SHORTER)
    except FileNotFoundError:
        told = Phrase("There is no NVIDIA driver on this machine: {program} is not found.", program=PROGRAM)
        hint = Phrase("Install one from {page}, or install the torch for the processor.", page=PAGE)
        raise DriverProblem(told, hint) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DriverProblem(
            Phrase("{program} does not answer: {error}.", program=PROGRAM, error=error), AGAIN
        ) from error
    header = re.search(r"CUDA (?:UMD )?Version: *(\d+)\.(\d+)", text)
    first = re.search(r"^(.+?), *([\d.]+)(?:, *(\d+)\.(\d+))? *$", cards, re.MULTILINE)
    if code or listed or not header or not first:
        said = [line.strip()[:160] for line in f"{text}\n{cards}".splitlines() if line.strip()] or [Phrase("nothing")]
        told = "The NVIDIA driver does not work; {program} says: {said}"
        raise DriverProblem(Phrase(told, program=PROGRAM, said=said[0]), AGAIN)
    capability = (int(first[3]), int(first[4])) if first[3] else None
    return Driver(first[2], (int(header[1]), int(header[2])), first[1].strip(), capability)


def chosen_build(asked: str, ask: Callable[[], Driver] = ask) -> str:
    """Return the build of torch to install for what was asked: `cuda` becomes the newest that the driver can run.

    Nothing stays nothing: torch comes as pip is configured. Raises DriverProblem where it could not run what is asked.
    """
    if asked in (ANY, torch_builds.PROCESSOR):
        return asked
    names = torch_builds.CUDA_BUILDS if asked == CUDA else (asked,)
    try:
        wanted = {name: torch_builds.cuda_of(name) or (0, 0) for name in names}
    except ValueError as error:
        raise EnvironmentProblem(str(error), "Name one of them, or say cuda alone.") from error
    found = ask()
    problems: dict[str, dict[str, Phrase]] = {}
    for name, cuda in wanted.items():
        problems[name] = torch_builds.why_too_old(cuda, found.version, found.cuda, found.card, found.capability)
        if not problems[name]:
            return name
    name, reasons = list(problems.items())[-1]  # the one that asks least
    hint = Phrase("Choose a build of an older CUDA if there is one, or the torch for the processor.")
    if "driver" in reasons:
        hint = Phrase("Get a newer one from {page}.", page=PAGE)
    reason = reasons.get("driver") or reasons["card"]
    raise DriverProblem(Phrase("The torch of {name} does not run here: {reason}.", name=name, reason=reason), hint)
