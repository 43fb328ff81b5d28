"""Writes the lock of a build of torch for this system and Python: `python -m tests.torch_locks BUILD`.

BUILD is cu130, say. Wherever PyTorch's index can be reached, on each system, with each Python that a `build.py setup`
was made with. pip resolves and installs nothing; what the locks with hashes name is there already. Files of the index
whose hashes it does not tell are fetched, to be hashed. With `--wheels FOLDER` the files come from there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import build
from addon.install import pip_steps
from addon.protocol import torch_builds
from tests.package_hashes import PINNED_BY_VERSION


def resolved(requirement: str, index: str, wheels: Path | None = None) -> list[dict[str, Any]]:
    """Return what pip would install for a requirement, beside what is there. Raises CalledProcessError."""
    source = ["--no-index", "--find-links", str(wheels)] if wheels else ["--index-url", index]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-input", "--only-binary=:all:"]
        subprocess.run([*command, "--report", str(report), *source, requirement], check=True)
        return json.loads(report.read_text(encoding="utf-8"))["install"]


def lock_text(packages: Sequence[dict[str, Any]], title: str) -> str:
    """Return the lines of a lock for packages of pip's report, by name."""
    lines = [f"# {title}"]
    for package in sorted(packages, key=lambda package: package["metadata"]["name"].lower()):
        about, file = package["metadata"], package["download_info"]
        sha256 = file.get("archive_info", {}).get("hashes", {}).get("sha256") or hash_of(file["url"])
        lines += [f"{about['name']}=={about['version']} \\", f"    --hash=sha256:{sha256}"]
    return "\n".join(lines) + "\n"


def hash_of(url: str) -> str:
    """Return the SHA-256 of a file, here or at an index."""
    place = urllib.parse.urlsplit(url)
    if place.scheme == "file":
        return hashlib.sha256(Path(urllib.request.url2pathname(place.path)).read_bytes()).hexdigest()
    with urllib.request.urlopen(url) as answer:
        return hashlib.file_digest(answer, "sha256").hexdigest()


def main(arguments: Sequence[str] | None = None, root: Path = build.ROOT) -> int:
    """Write the lock and print where it lies."""
    parser = argparse.ArgumentParser(prog="python -m tests.torch_locks", description=__doc__)
    parser.add_argument("build", help=f"{torch_builds.PROCESSOR}, {', '.join(torch_builds.CUDA_BUILDS)} or another")
    parser.add_argument("--wheels", type=Path, metavar="FOLDER", help="the files are here, not at PyTorch's index")
    options = parser.parse_args(arguments)
    pins = root / PINNED_BY_VERSION
    wanted = f"torch=={pip_steps.pinned(pins)['torch']}+{options.build}"
    language = f"{sys.version_info[0]}.{sys.version_info[1]}"
    target = pip_steps.lock_of_build(pins, options.build, language)
    index = torch_builds.index_of(options.build)
    packages = resolved(wanted, index, options.wheels)
    target.parent.mkdir(exist_ok=True)
    title = f"{wanted} and what it brings, of {index}, by `python -m tests.torch_locks {options.build}` there"
    target.write_text(lock_text(packages, title), encoding="utf-8")
    sys.stdout.write(f"{target}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
