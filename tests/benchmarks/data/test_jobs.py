"""Job folders of benchmarks: their names, when they are finished, and why they failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from addon import protocol
from backend.images import load_image
from benchmarks.data import jobs
from benchmarks.data.cases import Case, choose

ASKED: dict[str, Any] = {"system": "tv3dg", "preset": "bench", "prior": "embedded", "threads": 1, "settings": {}}


def prepare(case: Case, out: Path, seed: int = 0, **changed: Any) -> jobs.Run:
    return jobs.prepare(case, out, seed=seed, **{**ASKED, **changed})


def test_a_job_folder_is_named_by_all_that_is_asked_for(tmp_path: Path) -> None:
    star = choose("image-star")[0]
    first = prepare(star, tmp_path, 0)
    assert prepare(star, tmp_path, 0).folder == first.folder
    others = [
        prepare(star, tmp_path, 1),
        prepare(star, tmp_path, 0, settings={"steps": 3}),
        prepare(star, tmp_path, 0, threads=2),
    ]
    assert len({run.folder for run in [first, *others]}) == 4
    request = protocol.read_request(first.folder)
    assert request.prompt == "a yellow star" and request.images[0].elevation_degrees == 15.0
    assert load_image(first.folder / request.images[0].path)[0].shape == (256, 256, 3)


def test_only_a_whole_result_counts_as_finished(tmp_path: Path) -> None:
    run = prepare(choose("prompt-mug")[0], tmp_path, 0)
    assert not jobs.finished(run.folder)
    (run.folder / "result").mkdir()
    (run.folder / "result" / "model.glb").touch()
    events = run.folder / protocol.EVENTS_FILE
    events.write_text(protocol.encode(protocol.Cancelled(seconds=1.0)))
    assert not jobs.finished(run.folder)
    events.write_text(protocol.encode(protocol.Finished(results=(), seconds=1.0)))
    assert jobs.finished(run.folder)


def test_what_failed_is_told_with_its_reason(tmp_path: Path) -> None:
    run = prepare(choose("prompt-mug")[0], tmp_path, 0, settings={"no_such_setting": 1})
    failed = jobs.run_jobs([run])
    assert list(failed) == [run.folder.name] and "no_such_setting" in failed[run.folder.name]
    assert jobs.run_jobs([]) == {}
