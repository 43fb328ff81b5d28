"""What pip is told, step by step, to install the locks; and in a sentence, why it failed."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..protocol import Phrase, torch_builds
from .interpreters import EnvironmentProblem

BY_VERSION = "torch.lock"  # names torch and gsplat, whose files differ by index
LOCKS_OF_BUILDS = "torch_locks"  # a folder beside it: one lock for a system, a Python and a build of torch
SPLATS = "gsplat"
SPLATS_INDEX = "https://docs.gsplat.studio/whl"  # its makers' own, by the versions of torch and CUDA


class DiskTooSmall(EnvironmentProblem):
    """The packages do not fit."""

    kind = "disk"


class Unreachable(EnvironmentProblem):
    """The package index did not answer."""

    kind = "offline"


@dataclass(frozen=True)
class Step:
    """One run of pip: its words, and others for when it fails; the locks that it installs.

    Without `optional` a failure of all is the end; else that package is left out.
    """

    ways: tuple[tuple[str, ...], ...]
    locks: tuple[Path, ...] = ()
    optional: str = ""


def steps(locks: Sequence[Path], build: str = "", language: str = "", wheels: Path | None = None) -> list[Step]:
    """Return what pip does: locks with hashes, complete as they are, then those without, or a build of torch.

    What needs a package of a later step is in the first one, so that pip must not look for what that needs. A build
    comes from PyTorch's index by the lock that is there for this system and Python `language`, else by version.
    """
    hashed = tuple(lock for lock in locks if _has(lock, "--hash="))
    others = tuple(lock for lock in locks if lock not in hashed and _has(lock, "=="))
    chosen = [Step((("--require-hashes", "--no-deps", *_source(wheels), *_files(hashed)),), hashed)] if hashed else []
    if not build:
        return chosen + ([Step(((*_source(wheels), *_files(others)),), others)] if others else [])
    for lock in others:
        versions = pinned(lock)
        source = _source(wheels, torch_builds.index_of(build))
        if (own := lock_of_build(lock, build, language)).is_file():
            chosen.append(Step((("--require-hashes", "--no-deps", *source, "-r", str(own)),), (own,)))
        elif "torch" in versions:
            chosen.append(Step(((*source, f"torch=={versions['torch']}"),)))
        if SPLATS in versions:
            chosen.append(_splats(versions, build, wheels))
    return chosen


def _splats(versions: dict[str, str], build: str, wheels: Path | None) -> Step:
    """Return how to get gsplat: as its makers have built it, else to be compiled at its first use, else not at all."""
    if build == torch_builds.PROCESSOR:
        return Step((), optional=SPLATS)
    torch = "".join(versions.get("torch", "").split(".")[:2])
    wanted = f"{SPLATS}=={versions[SPLATS]}"
    built = ("--no-deps", "--only-binary=:all:", *_source(wheels, f"{SPLATS_INDEX}/pt{torch}{build}"), wanted)
    return Step((built, (*_source(wheels), wanted)) if has_compiler() else (built,), optional=SPLATS)


def has_compiler() -> bool:
    """Say whether NVIDIA's compiler is here, which torch looks for in CUDA_HOME and on the path."""
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH") or ""
    return bool(shutil.which("nvcc") or (home and shutil.which("nvcc", path=os.path.join(home, "bin"))))


def lock_of_build(lock: Path, build: str, language: str) -> Path:
    """Return where the lock of a build is for this system and a Python such as 3.11; it need not be there."""
    name = f"{platform.system()}-{platform.machine()}-{language}-{build}.lock".lower()
    return lock.parent / LOCKS_OF_BUILDS / name


def pinned(lock: Path) -> dict[str, str]:
    """Return the packages of a lock without hashes and markers, name -> version."""
    return dict(re.findall(r"^([\w.-]+)==([\w.+-]+)", lock.read_text(encoding="utf-8"), re.MULTILINE))


def _source(wheels: Path | None, index: str = "") -> tuple[str, ...]:
    if wheels:
        return ("--no-index", "--find-links", str(wheels))
    return ("--index-url", index) if index else ()


def _files(locks: Sequence[Path]) -> list[str]:
    return [word for lock in locks for word in ("-r", str(lock))]


def _has(lock: Path, sign: str) -> bool:
    lines = lock.read_text(encoding="utf-8").splitlines()
    return any(sign in line for line in lines if not line.startswith("#"))


def explain(output: str) -> str:
    """Say in one sentence why pip or venv failed, from what it printed."""
    return str(explained("", output)).removeprefix(": ")


def explained(what: str, output: str) -> EnvironmentProblem:
    """Return what pip or venv could not do, and why, from what it printed."""
    if re.search(r"No space left on device|Errno 28|not enough space", output):
        return DiskTooSmall(Phrase("{what}: the disk is full. Make room and run this again.", what=what))
    unreached = r"Connect(ion|Timeout)Error|ReadTimeoutError|NameResolutionError|name resolution|ProxyError|SSLError"
    if re.search(unreached + r"|Network is unreachable|connection (broken|refused|reset)", output, re.IGNORECASE):
        told = "{what}: the package index could not be reached. Check the network or the proxy and run this again."
        return Unreachable(Phrase(told, what=what))
    if "DO NOT MATCH THE HASHES" in output:
        found = re.search(r"^ +([\w.-]+)==\S+ from ", output, re.MULTILINE)
        told = "{what}: the file of {name} that was found is not one of those that the lock names."
        sentence = Phrase(told, what=what, name=found[1] if found else Phrase("a package"))
        return EnvironmentProblem(sentence, Phrase("Use another package index, or another folder of wheels."))
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line[len("ERROR: ") :] for line in lines if line.startswith("ERROR: ")]
    reason = (errors or lines or [Phrase("no reason was given.")])[-1]
    return EnvironmentProblem(Phrase("{what}: {reason}", what=what, reason=reason))
