"""Commands about the job that runs or comes next."""

from __future__ import annotations

from pathlib import Path

from backend.runtime.control import Control


def test_a_wish_without_a_name_waits_for_the_next_job_and_never_hits_an_ended_one() -> None:
    control = Control()
    control.finish()  # before the first job
    control.cancel("third")
    control.begin("first")
    assert control.is_finishing and not control.is_cancelled
    control.cancel()
    assert control.is_cancelled
    control.end()
    control.cancel()  # between two
    control.begin("second")
    assert control.is_cancelled and not control.is_finishing
    control.end()
    control.begin("third")
    assert control.is_cancelled and not control.is_finishing
    control.end()
    control.begin("first")  # a folder of the same name
    assert not control.is_cancelled and not control.is_finishing


def test_who_is_left_alone_leaves_unless_told_to_stay(tmp_path: Path) -> None:
    control = Control(stay_file=tmp_path / "stay")
    assert not control.left_alone("the parent is gone") and control.is_alone
    assert control.interrupted == "the parent is gone"
    control.interrupt("later")
    assert control.interrupted == "the parent is gone"  # the first reason counts
    (tmp_path / "stay").touch()
    told = Control(stay_file=tmp_path / "stay")
    assert told.left_alone("the parent is gone") and not told.interrupted and not told.is_deserted()
    (tmp_path / "stay").unlink()
    assert told.is_deserted() and told.left_alone("again")  # decided once
