"""The backend's command line, started as a file from somewhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from backend.runtime.machine import ROOT


def test_it_runs_from_any_folder_without_a_path(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [
        sys.executable,
        ROOT / "backend" / "farm" / "start.py",
        "run",
        tmp_path / "missing",
        "--progress",
        "openjd",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr == ""
    assert done.stdout.splitlines()[-1].startswith("openjd_fail: ") and "is not a job folder" in done.stdout
