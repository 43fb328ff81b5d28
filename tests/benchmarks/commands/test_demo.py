"""What a second demo does with what the first has left."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.commands.demo import can_go_on, copy_results, put_aside


def test_a_demo_that_was_broken_off_goes_on_and_a_finished_or_another_one_begins_anew(tmp_path: Path) -> None:
    assert not can_go_on(tmp_path, "draft", 1)
    (tmp_path / "job").mkdir()
    (tmp_path / "job/request.json").write_text(json.dumps({"preset": "draft", "seed": 1}))
    assert can_go_on(tmp_path, "draft", 1)
    assert not can_go_on(tmp_path, "draft", 2) and not can_go_on(tmp_path, "bench", 1)
    (tmp_path / "measured.json").touch()
    assert not can_go_on(tmp_path, "draft", 1)


def test_a_finished_demo_is_put_aside_and_what_was_not_finished_goes(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    for number in ("first", "second"):
        out.mkdir()
        (out / "measured.json").write_text(number)
        put_aside(out)
        assert not out.exists() and (tmp_path / "demo-before/measured.json").read_text() == number
    out.mkdir()
    put_aside(out)
    put_aside(out)
    assert not out.exists() and (tmp_path / "demo-before/measured.json").read_text() == "second"


def test_what_a_job_has_made_is_copied_whatever_else_one_can_make(tmp_path: Path) -> None:
    (tmp_path / "job/result").mkdir(parents=True)
    (tmp_path / "demo").mkdir()
    for name in ("model.glb", "points.ply", "result.json"):
        (tmp_path / "job/result" / name).write_text(name)
    copy_results(tmp_path / "job", tmp_path / "demo")
    assert {path.name: path.read_text() for path in (tmp_path / "demo").iterdir()} == {
        name: name for name in ("model.glb", "points.ply", "result.json")
    }
