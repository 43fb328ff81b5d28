"""What the tests of the rules share: every text file of this repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.source import Files

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT_SUFFIXES = {".py", ".md", ".toml", ".lock", ".json", ".jsonl", ".txt", ".cfg", ".ini", ".csv", ""}


@pytest.fixture(scope="session")
def repository() -> Files:
    """Every text file that belongs to the repository: what git would commit, else what lies in its folders."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True) if shutil.which("git") else None
    if listing and listing.returncode == 0:
        paths = [ROOT / line for line in listing.stdout.splitlines()]
    else:  # unpacked from an archive
        folders = ("addon", "backend", "benchmarks", "docs", "tests", ".ci")
        paths = [path for folder in folders for path in (ROOT / folder).rglob("*")] + list(ROOT.glob("*.*"))
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in paths
        if path.is_file() and path.suffix in TEXT_SUFFIXES and "__pycache__" not in path.parts
    }
