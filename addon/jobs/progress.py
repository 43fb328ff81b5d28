"""Where a job stands, folded from its events one by one: `course = follow(course, event)`. No bpy.

The overall share and the time left are estimates: of stages whose steps are counted by the steps, of the others by what
they usually take.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import protocol
from ..protocol.systems import stage_of, stages_after

UNKNOWN_SECONDS = 9.0  # of a stage that no system has; only the proportions to those of the table count
MAX_WARNINGS = 20  # that are kept, the latest


@dataclass(frozen=True)
class JobProgress:
    """Where a job stands; as it is made, nothing has been heard of it yet.

    Shares are in [0, 1] and never go down. `seconds_left` is of the whole job, None while nothing was measured.
    `preview` is relative to the job folder, and `previews` counts how often it was replaced.
    """

    system: str = ""  # whose stages they are; while unknown, those of the first that has a stage of the name
    stage: str = ""
    number: int = 0  # of the stage, from 1
    stages: int = 0  # 0 while unknown
    step: int = 0
    steps: int = 0  # of the stage; 0 while it has not counted any
    share_of_stage: float = 0.0
    share: float = 0.0
    seconds_left: float | None = None
    steps_per_second: float = 0.0
    memory_bytes: int = 0
    preview: Path | None = None
    previews: int = 0
    compiling: float | None = None  # how much of the kernels is compiled, while that goes on; None else
    warnings: tuple[protocol.Warning, ...] = ()
    last: protocol.Last | None = None
    seconds_per_typical: float = 0.0  # how much slower than the table says this run is, from its last counted stage
    typical_before: float = 0.0  # of the stages that are done
    typical_after: float = 0.0  # of those that come
    forecast: Mapping[str, float] = field(default_factory=dict)  # seconds of stages, in the place of the table's


def new_course(job: Path) -> JobProgress:
    """Return the course of a job folder of which nothing has been heard; it is read for the name of its system."""
    try:
        return JobProgress(system=protocol.read_request(job).system)
    except (protocol.ProtocolError, OSError):  # the folder was deleted, or is none of ours; it is shown all the same
        return JobProgress()


def follow(course: JobProgress, event: protocol.Event) -> JobProgress:
    """Return the course after an event. A `Hello` begins a new one."""
    match event:
        case protocol.Hello():
            return JobProgress(system=course.system)
        case protocol.Forecast():
            return _foresee(course, event)
        case protocol.Stage():
            return _enter(course, event)
        case protocol.Progress():
            return _advance(course, event)
        case protocol.Compiling(done=done, most=most):
            return replace(course, compiling=min(max(done / most, 0.0), 1.0) if 0 <= done < most else None)
        case protocol.Preview(path=path):
            return replace(course, preview=Path(path), previews=course.previews + 1)
        case protocol.Warning():
            return replace(course, warnings=(*course.warnings, event)[-MAX_WARNINGS:])
        case protocol.Finished():
            return replace(course, last=event, share=1.0, share_of_stage=1.0, seconds_left=0.0)
        case protocol.Cancelled() | protocol.Failed() | protocol.Interrupted():
            return replace(course, last=event, seconds_left=None)
        case protocol.Idle():
            return course


def _foresee(course: JobProgress, event: protocol.Forecast) -> JobProgress:
    """Take what was predicted of each stage in the place of what it usually takes; it is in seconds."""
    known = {name: seconds for name, seconds in event.stages.items() if 0.0 < seconds < math.inf}
    left = event.seconds if 0.0 <= event.seconds < math.inf else None
    return replace(course, forecast=known, seconds_per_typical=1.0 if known else 0.0, seconds_left=left)


def _enter(course: JobProgress, event: protocol.Stage) -> JobProgress:
    """Begin a stage: what was before it is done, what comes after it is guessed from its name and their number."""
    before = course.typical_before + (_typical(course, course.stage) if course.stage else 0.0)
    coming = stages_after(course.system, event.name)
    following = sorted((_typical(course, stage.name) for stage in coming), reverse=True)
    if event.stages > 0:  # those that a job may lack are the short ones
        count = max(event.stages - event.number, 0)
        following = [*following[:count], UNKNOWN_SECONDS * max(count - len(following), 0)]
    after = sum(following)
    course = replace(
        course,
        stage=event.name,
        number=event.number,
        stages=event.stages,
        step=0,
        steps=0,
        share_of_stage=1.0 if event.loaded else 0.0,
        compiling=None,
        typical_before=before,
        typical_after=after,
    )
    left = (0.0 if event.loaded else _typical(course, event.name)) + after
    return _estimate(course, left * course.seconds_per_typical if course.seconds_per_typical else None)


def _advance(course: JobProgress, event: protocol.Progress) -> JobProgress:
    """Count steps of the running stage. The first prepares what the others use and says nothing of their speed.

    Steps without a speed are parts of a stage, each of its own length: what the stage usually takes says what is left.
    """
    rate, left = (value if 0.0 <= value < math.inf else 0.0 for value in (event.steps_per_second, event.seconds_left))
    slowness = event.steps / rate / _typical(course, course.stage) if rate > 0 else course.seconds_per_typical
    before = course
    course = replace(
        course,
        step=event.step,
        steps=event.steps,
        share_of_stage=min(max(event.step / event.steps, 0.0), 1.0) if event.steps > 0 else 0.0,
        steps_per_second=rate,
        memory_bytes=event.memory_bytes,
        seconds_per_typical=slowness,
        compiling=None,
    )
    if rate == 0.0:
        rest = _typical(course, course.stage) * (1 - course.share_of_stage) + course.typical_after
        return _estimate(course, rest * slowness if slowness else None)
    if event.step <= 1 < event.steps:
        return _estimate(replace(course, seconds_per_typical=before.seconds_per_typical), before.seconds_left)
    return _estimate(course, left + course.typical_after * slowness)


def _estimate(course: JobProgress, seconds_left: float | None) -> JobProgress:
    here = _typical(course, course.stage)
    done = course.typical_before + here * course.share_of_stage
    share = done / (course.typical_before + here + course.typical_after)
    return replace(course, share=max(course.share, min(share, 1.0)), seconds_left=seconds_left)


def _typical(course: JobProgress, stage: str) -> float:
    known = stage_of(course.system, stage)
    return course.forecast.get(stage, known.seconds if known else UNKNOWN_SECONDS)
