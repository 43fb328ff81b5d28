"""Every test has a time limit, a longer one where its mark says that it is long; a warning is an error."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TESTS = """
import threading, time
import pytest

def test_waits_for_a_thread_that_died():
    threading.Event().wait(HANGS)

@pytest.mark.slow
def test_takes_longer():
    time.sleep(1)

@pytest.mark.timeout(30)
def test_has_its_own_limit():
    time.sleep(1)

def test_is_quick(record_property):
    record_property("figures", "kills 10\\nlost 0")
"""


def closing_line(folder: Path, *arguments: str, hangs: float) -> str:
    """Return the last line of the output of TESTS."""
    return output(folder, *arguments, hangs=hangs)[-1]


def output(folder: Path, *arguments: str, hangs: float) -> list[str]:
    """Run TESTS under the suite's conftest.py with a limit of half a second for quick tests."""
    conftest = (ROOT / "tests/conftest.py").read_text(encoding="utf-8")
    assert conftest.count("QUICK_SECONDS, LONG_SECONDS = 300.0, 900.0") == 1
    (folder / "conftest.py").write_text(conftest.replace("= 300.0, 900.0", "= 0.5, 60.0"), encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    slow: x\n    timeout: x\n")
    (folder / "test_x.py").write_text(TESTS.replace("HANGS", str(hangs)))
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, str(folder)]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True).stdout.splitlines()


def test_what_hangs_ends_and_the_others_go_on(tmp_path: Path) -> None:
    assert closing_line(tmp_path, hangs=60).startswith("1 failed, 3 passed")


def test_the_command_line_may_name_another_limit(tmp_path: Path) -> None:
    assert closing_line(tmp_path, "--timeout", "50", hangs=1).startswith("4 passed")


def test_without_the_plugin_there_is_no_limit(tmp_path: Path) -> None:
    assert closing_line(tmp_path, "-p", "no:timeout", hangs=1).startswith("4 passed")


@pytest.mark.parametrize("processes", [(), ("-n1",)])
def test_figures_that_a_test_has_recorded_are_printed(tmp_path: Path, processes: tuple[str, ...]) -> None:
    lines = output(tmp_path, "-k", "quick", *processes, hangs=1)
    place = next(number for number, line in enumerate(lines) if "test_x.py::test_is_quick, 0 s" in line)
    assert lines[place + 1 : place + 3] == ["kills 10", "lost 0"]


@pytest.mark.parametrize("kind", [DeprecationWarning, UserWarning, RuntimeWarning])
def test_a_warning_is_an_error(kind: type[Warning]) -> None:
    with pytest.raises(kind, match="was left open"):
        warnings.warn("it was left open", kind, stacklevel=1)
