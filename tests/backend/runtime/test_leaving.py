"""A process that is asked to leave while packages are imported leaves with code 4 and one line, and nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from addon.jobs import store
from backend.runtime.leaving import LEFT, interruptible
from backend.runtime.machine import ROOT
from tests.backend.fake_system import write_job

# A package that takes long to import and swallows what is raised meanwhile, as some do.
SWALLOWING = """
import os, time
open(os.environ["REACHED"], "x").close()
while True:
    try:
        time.sleep(60)
    except BaseException:
        print("INFO swallowed")
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("command", ["generate", "run"])
def test_a_signal_while_torch_is_imported_ends_the_process(
    tmp_path: Path, command: str, number: signal.Signals
) -> None:
    (tmp_path / "packages/torch").mkdir(parents=True)
    (tmp_path / "packages/torch/__init__.py").write_text(SWALLOWING)
    job, reached = write_job(tmp_path / "job"), tmp_path / "reached"
    words = {"run": ["--progress", "text", str(job)], "generate": ["--prompt", "a mug", "--out", "new"]}[command]
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); import runpy\n"
         "runpy.run_module('backend', run_name='__main__', alter_sys=True)", command, *words],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "packages"), "REACHED": str(reached)},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        while not reached.exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == LEFT and said.count("\n") == 1 and said.startswith("interrupted"), said
    assert not (tmp_path / "new").exists()
    assert store.state(job) == (store.INTERRUPTED if command == "run" else store.WAITING)


def test_what_packages_do_at_the_end_is_left_out(tmp_path: Path) -> None:
    code = "import atexit, sys; from backend.runtime.leaving import end_process\n"
    code += "atexit.register(print, 'INFO'); print('said'); end_process(4)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (4, "said\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_is_half_made_can_be_cleared_away(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before
