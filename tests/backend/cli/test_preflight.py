"""`generate --preflight` says what a job would take, and makes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from addon import protocol
from addon.protocol import preflight
from backend.__main__ import main
from backend.cli import preflight as subject

SPEED = preflight.Speed(device="cpu", threads=1, processor=57.0, small=57.0)


@pytest.fixture(autouse=True)
def _measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAQUETTE_SPEED", str(tmp_path))
    preflight.write_speed(tmp_path, SPEED)


def test_it_prints_a_line_and_each_stage_and_leaves_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "job")
    words = ["generate", "--prompt", "a red mug", "--preset", "draft", "--threads", "1", "--out", out, "--preflight"]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "about 2 min, 1.1 GB" and not Path(out).exists()
    assert [line.split()[0] for line in lines[1:-1]] == ["sides", "gaussians", "mesh"]
    assert lines[-1] == "On the processor, 1 threads, measured there; all of it is predicted."
    assert main([*words, "--set", "steps=0"]) == 2
    assert main([*words, "--prior", "not-there"]) == 3


def test_a_machine_that_was_never_measured_is_measured(tmp_path: Path) -> None:
    (tmp_path / preflight.SPEED_FILE).unlink()
    said = subject.report(protocol.Request(system="tv3dg", prompt="a mug", preset="bench", threads=1))
    assert said.startswith("about ") and preflight.read_speed(tmp_path) is not None
