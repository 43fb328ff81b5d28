"""What the bar and the time left say, from the events of a job."""

from __future__ import annotations

from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from addon.jobs.progress import MAX_WARNINGS, UNKNOWN_SECONDS, JobProgress, follow, new_course
from addon.protocol.systems import TV3DG, Stage, System

TYPICAL_SECONDS = {stage.name: stage.seconds for stage in TV3DG.stages}
HELLO = protocol.Hello(job="j", backend="0", pid=1)


def progress(step: int, steps: int, rate: float = 2.0) -> protocol.Progress:
    """Return a Progress whose seconds left are those of the rate."""
    left = (steps - step) / rate
    return protocol.Progress(step=step, steps=steps, seconds_left=left, steps_per_second=rate, memory_bytes=7)


def after(*events: protocol.Event) -> JobProgress:
    """Return the course after the events."""
    return reduce(follow, events, JobProgress())


def test_the_overall_share_weighs_stages_by_what_they_usually_take() -> None:
    perceive, gaussians, mesh = (TYPICAL_SECONDS[name] for name in ("perceive", "gaussians", "mesh"))
    whole = perceive + gaussians + mesh
    course = after(HELLO, protocol.Stage(number=1, name="perceive", stages=3))
    assert course.share == 0.0 and course.seconds_left is None and (course.number, course.stages) == (1, 3)
    course = follow(course, protocol.Stage(number=2, name="gaussians", stages=3))
    assert course.share == pytest.approx(perceive / whole)
    course = follow(course, progress(50, 100))
    assert course.share_of_stage == 0.5 and course.memory_bytes == 7 and course.steps_per_second == 2.0
    assert course.share == pytest.approx((perceive + gaussians / 2) / whole)
    # 50 steps are left at 2 a second; the whole stage takes 50 s, so that the mesh takes 9/77 of that.
    assert course.seconds_left == pytest.approx(25 + 50 * mesh / gaussians)
    course = follow(course, protocol.Stage(number=3, name="mesh", stages=3))
    assert course.seconds_left == pytest.approx(50 * mesh / gaussians) and course.steps == 0
    course = follow(course, protocol.Finished(results=(), seconds=9.0))
    assert (course.share, course.seconds_left) == (1.0, 0.0) and isinstance(course.last, protocol.Finished)


def test_stages_that_do_not_come_are_not_counted() -> None:
    only_points = after(HELLO, protocol.Stage(number=1, name="gaussians", stages=1), progress(2, 8))
    assert only_points.share == 0.25 and only_points.seconds_left == 3.0
    unknown = after(HELLO, protocol.Stage(number=1, name="finetune", stages=3), progress(1, 3))
    assert unknown.share == pytest.approx(UNKNOWN_SECONDS / 3 / (3 * UNKNOWN_SECONDS))


def test_the_short_stages_are_those_that_may_be_missing() -> None:
    begun = after(
        HELLO, protocol.Stage(number=1, name="perceive", stages=3), protocol.Stage(number=2, name="gaussians")
    )
    asked = after(HELLO, protocol.Stage(number=1, name="perceive", stages=3))
    assert asked.typical_after == TYPICAL_SECONDS["gaussians"] + TYPICAL_SECONDS["mesh"]  # neither imagine nor sides
    assert begun.typical_after == TYPICAL_SECONDS["mesh"]


def test_a_stage_takes_the_time_of_its_own_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = (Stage("look", "Looking", 1.0), Stage("mesh", "Meshing", 30.0))
    monkeypatch.setitem(protocol.SYSTEMS, "toy", System("toy", "Toy", "", TV3DG.settings_class, own))
    protocol.write_request(tmp_path, protocol.Request(system="toy", prompt="x"))
    course = reduce(follow, (HELLO, protocol.Stage(number=2, name="mesh", stages=2)), new_course(tmp_path))
    assert course.system == "toy" and follow(course, progress(1, 4)).share == 1 / 4
    assert reduce(follow, (HELLO, protocol.Stage(number=1, name="look", stages=2)), course).typical_after == 30.0
    assert new_course(tmp_path / "gone") == JobProgress()


def test_the_first_step_says_nothing_of_the_time_left() -> None:
    begun = after(HELLO, protocol.Stage(number=1, name="gaussians", stages=1), progress(1, 200, rate=0.05))
    assert (begun.step, begun.share) == (1, 1 / 200) and begun.seconds_left is None
    assert follow(begun, progress(2, 200)).seconds_left == 99.0


def test_parts_of_the_mesh_count_and_leave_the_measured_speed() -> None:
    mesh = TYPICAL_SECONDS["mesh"]
    begun = after(
        HELLO,
        protocol.Stage(number=1, name="gaussians", stages=2),
        progress(50, 100),
        protocol.Stage(number=2, name="mesh", stages=2),
    )
    slowness = begun.seconds_per_typical
    part = protocol.Progress(step=5, steps=7, seconds_left=0.0, steps_per_second=0.0, memory_bytes=1)
    course = follow(begun, part)
    assert course.share_of_stage == 5 / 7 and course.seconds_per_typical == slowness
    assert course.seconds_left == pytest.approx(mesh * 2 / 7 * slowness) and course.share > begun.share
    assert follow(after(HELLO, protocol.Stage(number=1, name="mesh", stages=1)), part).seconds_left is None


def test_what_was_predicted_is_the_first_time_left_and_steps_correct_it() -> None:
    said = protocol.Forecast(seconds=130.0, memory_bytes=1, stages={"gaussians": 100.0, "mesh": 20.0})
    foreseen = after(HELLO, said)
    assert foreseen.seconds_left == 130.0
    begun = follow(foreseen, protocol.Stage(number=1, name="gaussians", stages=2))
    assert begun.seconds_left == 120.0
    course = follow(follow(begun, progress(1, 100)), progress(50, 100, rate=0.5))  # half as fast as predicted
    assert course.seconds_left == 100.0 + 2 * 20.0
    assert after(HELLO, protocol.Forecast(seconds=-1.0, memory_bytes=1)).seconds_left is None


def test_compiling_is_a_state_of_its_own_until_there_is_progress() -> None:
    begun = after(HELLO, protocol.Stage(number=1, name="gaussians", stages=1), protocol.Compiling(done=3, most=12))
    assert begun.compiling == 0.25 and begun.share == 0.0
    assert follow(begun, protocol.Compiling(done=12, most=12)).compiling is None
    assert follow(begun, progress(1, 100)).compiling is None
    assert follow(begun, protocol.Stage(number=2, name="mesh")).compiling is None
    assert after(protocol.Compiling(done=-1, most=0)).compiling is None


def test_a_stage_from_disk_is_done() -> None:
    course = after(HELLO, protocol.Stage(number=1, name="gaussians", stages=2, loaded=True))
    assert course.share_of_stage == 1.0
    assert course.share == pytest.approx(
        TYPICAL_SECONDS["gaussians"] / (TYPICAL_SECONDS["gaussians"] + TYPICAL_SECONDS["mesh"])
    )


def test_shares_never_go_down_and_stay_in_their_range_whatever_comes() -> None:
    events: list[Any] = [
        HELLO, protocol.Stage(number=5, name="mesh", stages=2), progress(9, 3), progress(-4, 3), progress(0, 0),
        protocol.Stage(number=-1, name="", stages=-7), protocol.Stage(number=1, name="gaussians", stages=10**12),
        protocol.decode(
            '{"type": "Progress", "step": 1, "steps": 2, "seconds_left": NaN, "steps_per_second": Infinity,'
            ' "memory_bytes": 0}'
        ),
        protocol.Progress(step=1, steps=2, seconds_left=-5.0, steps_per_second=-1.0, memory_bytes=-1),
        protocol.Preview(), protocol.Idle(seconds=3.0), protocol.Cancelled(seconds=1.0),
    ]  # fmt: skip
    course, shares = JobProgress(), []
    for event in events:
        course = follow(course, event)
        shares.append(course.share)
        assert 0.0 <= course.share_of_stage <= 1.0 and (course.seconds_left is None or course.seconds_left >= 0)
    assert shares == sorted(shares) and shares[-1] <= 1.0 and shares[3] > 0


def test_pictures_warnings_and_the_end_are_kept_and_a_new_run_begins_anew() -> None:
    warnings = [protocol.Warning(message=str(number)) for number in range(MAX_WARNINGS + 5)]
    course = after(HELLO, protocol.Preview(), protocol.Preview(path="preview/b.png"), *warnings)
    assert course.preview == Path("preview/b.png") and course.previews == 2
    assert course.warnings == tuple(warnings[5:])
    failed = protocol.Failed(kind="K", message="m", hint="h")
    assert follow(course, failed).last == failed and follow(course, failed).share == course.share
    assert follow(follow(course, failed), HELLO) == JobProgress()
