"""Commands about the job that runs or comes next."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from backend.errors import JobCancelled
from backend.runtime.control import Control, install_signal_handlers


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


def test_a_job_that_is_given_up_is_woken_where_nothing_is_lost_by_it_and_no_other_one() -> None:
    control, woken = Control(), []
    control.wake = lambda: woken.append(control.job)
    control.begin("a")
    control.cancel("a")  # in its steps: they will see
    control.may_leave_at_once = True
    assert not woken
    control.cancel("a")
    assert woken == ["a"]
    control.end()
    control.begin("b")
    control.cancel("c")
    assert woken == ["a"]


def test_a_wish_to_cancel_waits_for_the_end_of_what_must_not_be_torn() -> None:
    control, done = Control("a"), []
    control.may_leave_at_once = True
    with pytest.raises(JobCancelled), control.undisturbed():
        control.cancel()
        control.leave_if_told()  # as the signal does: not yet
        done.append("written")
    assert done == ["written"] and not control.may_leave_at_once
    with control.undisturbed():  # where it may not leave, it stays
        done.append("the last message")
    assert done == ["written", "the last message"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_the_signal_of_a_wish_to_cancel_ends_what_the_main_thread_waits_for() -> None:
    numbers = signal.SIGUSR1, signal.SIGINT, signal.SIGTERM, signal.SIGHUP
    kept = {number: signal.getsignal(number) for number in numbers}
    control = Control("a")
    try:
        install_signal_handlers(control)
        control.may_leave_at_once = True
        with pytest.raises(JobCancelled):
            control.cancel()
            time.sleep(60)
        control.cancel()  # it is leaving already
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
