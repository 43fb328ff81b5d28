"""A bug report says what went wrong, and nothing of what the artist wrote or where they live."""

from __future__ import annotations

from pathlib import Path

import pytest

from addon import protocol
from addon.jobs import bug_report

PROGRAMS = {"Blender": "5.2.2", "Maquette": "0.1.0"}


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "jane")
    image = protocol.InputImage(path="inputs/00.png", name="my daughter.png")
    request = protocol.Request(system="tv3dg", prompt="my secret robot", images=(image,), seed=7, settings={"steps": 9})
    (tmp_path / "any.png").write_bytes(b"pixels")
    folder = protocol.make_job(tmp_path / "jane", request, [tmp_path / "any.png"])
    events = [
        protocol.Failed(kind="OutOfMemory", message="An older run.", hint=""),
        protocol.Hello(job=folder.name, backend="0.1.0", pid=1),
        protocol.Warning(message="The prior does not know 'my secret robot'."),
        protocol.Progress(step=1, steps=2, seconds_left=1, steps_per_second=1, memory_bytes=0),
        protocol.Failed(kind="EmptyMask", message="my daughter.png: The mask is empty.", hint="Use another image."),
    ]
    (folder / protocol.EVENTS_FILE).write_text("".join(map(protocol.encode, events)))
    (folder / protocol.LOG_FILE).write_text("\n".join(f"line {n} in {folder}" for n in range(200)))
    return folder


def test_it_says_what_went_wrong_where(job: Path) -> None:
    text = bug_report.report(job, PROGRAMS)
    assert "Blender: 5.2.2" in text and "System: " in text and '"seed": 7' in text and '"steps": 9' in text
    assert "The mask is empty." in text and "An older run" not in text and "Progress" not in text
    assert "line 199" in text and "line 139" not in text and "line 140" in text


def test_it_tells_neither_the_prompt_nor_the_home_folder(job: Path) -> None:
    text = bug_report.report(job, PROGRAMS)
    assert "secret" not in text and "(prompt)" in text
    assert "daughter" not in text and "(image): The mask is empty." in text
    assert "jane" not in text and f"~/{job.name}" in text


def test_a_damaged_folder_still_gives_a_report(job: Path) -> None:
    (job / protocol.REQUEST_FILE).write_text("{")
    (job / protocol.EVENTS_FILE).unlink()
    (job / protocol.LOG_FILE).unlink()
    text = bug_report.report(job, PROGRAMS)
    assert "The request is not JSON" in text and "has not begun" in text and "No such file" in text
