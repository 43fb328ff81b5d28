"""The quality benchmark: job folders that resume, figures that are kept, results, tables, plots and blind sheets."""

from __future__ import annotations

import subprocess
import sys

# ---- job folders -----------------------------------------------------------------------------------------------------


def test_bad_arguments_get_a_sentence() -> None:
    command = [sys.executable, "-m", "benchmarks.commands.quality", "--system", "tv3dg"]
    answer = subprocess.run([*command, "--cases", "imag"], capture_output=True, text=True)
    assert answer.returncode == 2 and "there is no case 'imag'" in answer.stderr
    answer = subprocess.run([*command, "--set", "steps"], capture_output=True, text=True)
    assert answer.returncode == 2 and "'steps' is not NAME=VALUE" in answer.stderr
    answer = subprocess.run(
        [*command, "--cases", "artists", "--furniture", "nowhere.deb"], capture_output=True, text=True
    )
    assert answer.returncode == 2 and "apt-get download sweethome3d-furniture" in answer.stderr
