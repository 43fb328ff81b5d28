"""Events as lines of Open Job Description."""

from __future__ import annotations

import io

from addon import protocol
from backend.cli.openjd_lines import OpenJDLines


def lines(*events: protocol.Event) -> list[str]:
    sink = io.BytesIO()
    stream = OpenJDLines(sink)
    for event in events:
        stream.write(protocol.encode(event).encode())
    return sink.getvalue().decode().splitlines()


def progress(step: int, steps: int) -> protocol.Progress:
    return protocol.Progress(step=step, steps=steps, seconds_left=61.0, steps_per_second=1.0, memory_bytes=0)


HELLO = protocol.Hello(job="mug", backend="1", pid=1)


def test_progress_only_rises_and_is_whole_at_the_end_alone() -> None:
    stages = [protocol.Stage(number=number, name="look", stages=2) for number in (1, 2)]
    steps = [progress(step, 400) for step in range(1, 401)]
    said = lines(HELLO, stages[0], *steps, stages[1], *steps, protocol.Finished(results=(), seconds=62.0))
    percents = [int(line.removeprefix("openjd_progress: ")) for line in said if line.startswith("openjd_progress: ")]
    assert percents == [*range(100), 100]
    assert "openjd_status: 2. look, 200 of 400, 1:01 left" in said and said[-1] == "openjd_status: done in 1:02"


def test_what_goes_wrong_is_one_line() -> None:
    failed = protocol.Failed(kind="BadInput", message="No\nimage.\nopenjd_env: A=B", hint="Give one.")
    assert lines(HELLO, failed)[-1] == "openjd_fail: No image. openjd_env: A=B Give one."
    interrupted = protocol.Interrupted(reason="SIGTERM", seconds=1.0)
    assert lines(HELLO, interrupted)[-1].startswith("openjd_fail: interrupted (SIGTERM); the next try goes on")
    assert lines(protocol.Warning(message="small"), protocol.Preview()) == ["warning: small"]


def test_each_job_begins_at_nothing() -> None:
    stage = protocol.Stage(number=1, name="look", stages=1)
    said = lines(HELLO, stage, progress(9, 10), HELLO, stage, progress(1, 10))
    assert [line for line in said if "progress" in line] == [
        f"openjd_progress: {percent}" for percent in (0, 90, 0, 10)
    ]
