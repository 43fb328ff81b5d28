"""What a person sees of a job in a terminal, and a program in a pipe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from addon import protocol
from backend.machine import ROOT
from tests.backend.fake_system import write_job

FAKE = "tests.backend.fake_system"


def read_to_the_end(descriptor: int) -> bytes:
    """Return all that comes from a terminal."""
    text = b""
    while True:
        try:
            chunk = os.read(descriptor, 4096)
        except OSError:  # how Linux says that the other end is closed
            return text
        if not chunk:
            return text
        text += chunk


def test_the_progress_line_of_a_terminal(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="no pseudo-terminals on this system")
    job = write_job(tmp_path / "job", settings={"steps": 30, "pause": 0.02})
    arguments = ["--prompt", "fit", "--seed", "3", "--threads", "1", "--set", "steps=30", "--set", "pause=0.02"]
    arguments += ["--preset", "standard", "--out", str(job)]
    screen, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", FAKE, "generate", *arguments], cwd=ROOT, stderr=end, stdout=subprocess.DEVNULL
    )
    os.close(end)
    text = read_to_the_end(screen)
    assert process.wait() == 0
    lines = text.decode().split("\r\x1b[K")
    progress = [line for line in lines if "30," in line]
    assert progress[-1].startswith("2. Fit weights [########################] 30/30, ")
    assert progress[-1].endswith(" it/s, 0:00 left")
    assert lines[-1].strip().startswith("done in 0:")


def test_a_run_in_a_terminal_speaks_to_a_person_and_elsewhere_in_events(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="no pseudo-terminals on this system")
    job = write_job(tmp_path / "job", settings={"steps": 3, "pause": 0.0})
    command = [sys.executable, "-m", FAKE, "run", str(job)]
    screen, end = pty.openpty()
    process = subprocess.Popen(command, cwd=ROOT, stderr=end, stdout=end)
    os.close(end)
    text = read_to_the_end(screen).decode()
    assert process.wait() == 0
    assert '{"' not in text and "done in 0:" in text and str(job / "result") in text.replace("\r\n", "")
    piped = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert [type(protocol.decode(line)).__name__ for line in piped.stdout.splitlines()][0] == "Hello"
