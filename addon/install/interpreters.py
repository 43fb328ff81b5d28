"""Which Python the backend's environment is made from: the artist's choice, one on the path, or Blender's own."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .. import processes
from ..protocol import Phrase

SUPPORTED = ((3, 11), (3, 12), (3, 13))  # all is tested on 3.11; on the others the demo was made, no more
VERSIONS = "3.11, 3.12 or 3.13"
ANSWER_SECONDS = 20.0  # for a Python to say its version; a cold disk takes a few
CHOOSE_ANOTHER = Phrase("Choose another.")

# Asked of another Python, which may be as old as 2.7.
QUESTION = """
import json, sys
try:
    import ensurepip, venv
    can = True
except ImportError:
    can = False
print(json.dumps([getattr(sys, "_base_executable", None) or sys.executable, list(sys.version_info[:3]), can]))
"""


class EnvironmentProblem(Exception):
    """Say in one sentence what is in the way of the backend's environment; `kind` is one of diagnosis.KINDS."""

    kind = "broken"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UnfitPython(EnvironmentProblem):
    """This Python cannot make the environment."""

    kind = "python"


class Interpreter(NamedTuple):
    """A Python: the program, its version as three numbers, and whether it came with what makes environments."""

    path: Path
    version: tuple[int, int, int]
    makes_environments: bool

    @property
    def language(self) -> str:
        """The version of the language, such as 3.11."""
        return f"{self.version[0]}.{self.version[1]}"


def this() -> Interpreter:
    """Return the Python that runs this; of an environment's, the one it was made from."""
    path = getattr(sys, "_base_executable", None) or sys.executable
    can = all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))
    return Interpreter(Path(path), sys.version_info[:3], can)


def probe(path: Path) -> Interpreter:
    """Ask a program which Python it is; of an environment's, the one it was made from. Raises UnfitPython."""
    if processes.is_store_alias(path):
        raise UnfitPython(
            f"{path} is the Microsoft Store's Python, whose files Blender does not see.",
            "Install Python from its site.",
        )
    if not path.is_file():
        cage = processes.sandbox()
        if cage:
            told = Phrase("There is no Python at {path} that Blender's {cage} can see.", path=path, cage=cage)
            raise UnfitPython(told, Phrase("Use Blender's own archive, which sees all programs."))
        raise UnfitPython(Phrase("There is no Python at {path}.", path=path), CHOOSE_ANOTHER)
    try:
        answer = subprocess.run(
            [str(path), "-Es", "-c", QUESTION],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=ANSWER_SECONDS,
            env=processes.child_environment(),
            **processes.hidden_options(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnfitPython(Phrase("{path} cannot be run: {error}.", path=path, error=error), CHOOSE_ANOTHER) from error
    try:
        base, version, can = json.loads(answer.stdout)
        return Interpreter(Path(base), (version[0], version[1], version[2]), can)
    except (ValueError, TypeError, IndexError) as error:
        said = answer.stderr.decode("utf-8", "replace").strip().splitlines()
        what = Phrase("{path} does not answer as a Python does", path=path)
        reason = said[-1][:200].rstrip(".") if said else ""
        told = Phrase("{what}: {text}.", what=what, text=reason) if reason else Phrase("{what}.", what=what)
        raise UnfitPython(told, CHOOSE_ANOTHER) from error


def check(python: Interpreter) -> Interpreter:
    """Return the Python if an environment can be made from it. Raises UnfitPython."""
    if python.version[:2] not in SUPPORTED:
        version = ".".join(map(str, python.version))
        told = "The backend runs on Python {versions}, and {path} is {version}."
        raise UnfitPython(Phrase(told, versions=VERSIONS, path=python.path, version=version), CHOOSE_ANOTHER)
    if not python.makes_environments:
        told = "{path} cannot make virtual environments. On Debian and Ubuntu: apt-get install python{version}-venv"
        hint = Phrase("Install what makes them, or choose another.")
        raise UnfitPython(Phrase(told, path=python.path, version=python.language), hint)
    return python


def choose(choice: str = "") -> Interpreter:
    """Return the Python to make the environment from: the chosen one if there is a choice, else the first that fits.

    Asks each in turn, which takes some 50 ms. Raises UnfitPython, with what was found.
    """
    if choice:
        return check(probe(Path(choice)))
    reasons = []
    for path in candidates():
        try:
            return check(probe(path))
        except UnfitPython as error:
            reasons.append(error.message)
    hint = Phrase("Install Python {versions}, or say where it is.", versions=VERSIONS)
    told = Phrase("No Python here can run the backend.")
    found = Phrase("{told} {reasons}", told=told, reasons=" ".join(reasons)) if reasons else told
    raise UnfitPython(found, hint)


def candidates() -> Iterator[Path]:
    """Yield the Pythons on the path, the supported versions first, and then the one that runs this: Blender's own."""
    seen = set()
    for path in (*_on_the_path(), Path(sys.executable)):
        if str(path) not in seen and path.is_file():
            seen.add(str(path))
            yield path


def _on_the_path() -> Iterator[Path]:
    places = os.environ.get("PATH", "").split(os.pathsep)
    if sys.platform == "darwin":  # what the Dock starts has a bare path
        places += ["/opt/homebrew/bin", "/usr/local/bin"]
        places += [f"/Library/Frameworks/Python.framework/Versions/{a}.{b}/bin" for a, b in SUPPORTED]
    if sys.platform == "win32":
        yield from _of_the_launcher()
    for name in (*(f"python{major}.{minor}" for major, minor in SUPPORTED), "python3", "python"):
        found = shutil.which(name, path=os.pathsep.join(places))
        # Apple's opens a window that offers to install developer tools.
        if found and not (sys.platform == "darwin" and found.startswith("/usr/bin/")):
            yield Path(found)


def _of_the_launcher() -> Iterator[Path]:
    """Yield what Windows' `py` knows: its list has one Python on each line, with the path at the end."""
    launcher = shutil.which("py")
    if launcher:
        options = processes.hidden_options()
        listing = subprocess.run([launcher, "-0p"], capture_output=True, text=True, timeout=ANSWER_SECONDS, **options)
        for major, minor in SUPPORTED:
            for found in re.findall(rf"^ *-(?:V:)?{major}\.{minor}\S* +\*? *(\S.*)$", listing.stdout, re.MULTILINE):
                yield Path(found.strip())
