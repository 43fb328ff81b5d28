"""Whether an environment holds what its lock pins: every package, in its version, with all its files."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from . import environment

SHOWN = 3  # findings in a sentence
PIN = re.compile(r"""([\w.-]+)==([\w.+-]+)\s*(?:;\s*python_version\s*(<|>=|==)\s*["'](\d+)\.(\d+)["'])?\s*(?:\#.*)?""")


def verify(folder: Path, locks: Sequence[Path]) -> list[str]:
    """Return what is wrong with an environment, one sentence for each package; takes seconds, runs nothing.

    Raises EnvironmentMissing where there is none, ValueError for a line of a lock that this does not understand.
    """
    places = environment.site_packages(folder)
    record = environment.read_record(folder)
    if not places or not (folder / environment.STAMP).is_file():
        raise environment.EnvironmentMissing(f"{folder} has no whole environment.", "Install it.")
    language = str(record.get("language") or places[0].parent.name.removeprefix("python"))
    found = {_plain(d.metadata["Name"]): d for d in importlib.metadata.distributions(path=[str(p) for p in places])}
    problems = []
    for name, version in pins(locks, language):
        package = found.get(_plain(name))
        if package is None and name in record.get("left_out", ()):  # nothing here could have used it
            continue
        if package is None:
            problems.append(f"{name} is missing.")
        elif package.version.split("+")[0] != version:  # torch's may be 2.13.0+cpu
            problems.append(f"{name} is {package.version}, and {version} is wanted.")
        elif lacking := _lacking(package):
            more = f" and {len(lacking) - 1} more files" if len(lacking) > 1 else ""
            problems.append(f"{name} lacks {lacking[0]}{more}.")
    return problems


def pins(locks: Sequence[Path], language: str) -> Iterator[tuple[str, str]]:
    """Yield name and version of each package that locks pin for a version of Python, such as "3.11"."""
    ours = tuple(int(part) for part in language.split("."))
    for lock in locks:
        for line in lock.read_text(encoding="utf-8").splitlines():
            line = line.strip().removesuffix("\\").rstrip()
            if not line or line.startswith(("#", "--hash=")):
                continue
            found = PIN.fullmatch(line)
            if not found:
                raise ValueError(f"{lock.name}: {line[:80]!r} is not a pinned package.")
            name, version, sign, major, minor = found.groups()
            theirs = (int(major), int(minor)) if sign else ours
            if {None: True, "<": ours < theirs, ">=": ours >= theirs, "==": ours == theirs}[sign]:
                yield name, version


def _plain(name: str) -> str:
    """Return the name by which packages are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _lacking(package: importlib.metadata.Distribution) -> list[str]:
    """Return the files of an installed package that are not there or have another size than when it was installed.

    Virus scanners take libraries away, and full disks cut them short. What Python compiles itself has no size.
    """
    lacking = []
    for file in package.files or ():
        if file.size is not None and not file.name.endswith(".pyc"):
            path = Path(str(package.locate_file(file)))
            if not path.is_file() or path.stat().st_size != file.size:
                lacking.append(str(file))
    return lacking


def sentence(problems: Sequence[str]) -> str:
    """Return the first findings as one sentence, with the number of the others."""
    rest = len(problems) - SHOWN
    return " ".join(problems[:SHOWN]) + (f" So are {rest} more packages." if rest > 0 else "")
