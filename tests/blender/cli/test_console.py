"""What a person at a terminal, or in a log, sees of a job."""

from __future__ import annotations

import io
import sys

import pytest

from addon import protocol
from addon.cli import console

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the interpreter of these tests is a shell script")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_one_line_that_is_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    screen = Screen()
    show = console.Terminal(screen, name="mug")
    show(protocol.Stage(number=1, name="gaussians"))
    for step in (2, 4):
        show(protocol.Progress(step=step, steps=4, seconds_left=9.0, steps_per_second=1.0, memory_bytes=0))
    lines = screen.getvalue().split("\r\x1b[K")
    assert lines[1] == "mug: 1 gaussians\n"
    assert lines[2].startswith("mug: gaussians [") and " 2/4, " in lines[2] and "left" in lines[2]
    assert lines[3].count("#") > lines[2].count("#") > 0 and screen.getvalue().count("\n") == 1


def test_whoever_reads_no_more_does_not_end_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(Screen):
        def flush(self) -> None:
            raise BrokenPipeError

    for stream in (Closed(), io.StringIO()):
        monkeypatch.setattr(stream, "flush", Closed().flush)
        show = console.Terminal(stream)
        show(protocol.Stage(number=1, name="gaussians"))
        show(protocol.Progress(step=2, steps=4, seconds_left=9.0, steps_per_second=1.0, memory_bytes=0))


def test_a_log_gets_a_line_of_progress_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 0.0, 5.0, 11.0, 11.0, 12.0, 30.0, 30.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(moments))
    log = io.StringIO()
    show = console.Terminal(log)
    show(protocol.Stage(number=1, name="gaussians", loaded=True))
    for step in (1, 2, 3, 4):
        show(protocol.Progress(step=step, steps=4, seconds_left=9.0, steps_per_second=1.0, memory_bytes=0))
    lines = log.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == ["1 gaussians (done before)", "gaussians 2/4", "gaussians 4/4"]
