"""The panel keeps its height from the moment a job waits until it is done, whatever is said in between."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from addon import protocol
from tests.blender.layout import Layout

HELLO = protocol.Hello(job="x", backend="0", pid=1)
STAGE = protocol.Stage(number=1, name="gaussians", stages=2)
STEP = protocol.Progress(step=3, steps=10, seconds_left=9.0, steps_per_second=1.0, memory_bytes=1 << 30)
WARNINGS = [protocol.Warning(message=f"The prior does not know {word}.") for word in ("zebra", "gnu")]


def rows(bpy: Any) -> list[str]:
    """Return what stands below each other in the panel, by kind; what is beside something counts with it."""
    from addon.ui.results import job_panel

    layout: Any = Tall()
    panel: Any = job_panel.MAQUETTE_PT_job
    panel.draw(SimpleNamespace(layout=layout), bpy.context)
    return layout.heights


class Tall(Layout):
    """A layout that notes how many rows each thing takes that is not beside another."""

    def __init__(self, root: Layout | None = None, is_row: bool = False) -> None:
        super().__init__(root)
        self.__dict__["is_row"] = is_row
        self.__dict__["heights"] = root.heights if root is not None else []

    def _note(self, kind: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        made = super()._note(kind, arguments, options)
        if not self.is_row:
            if kind == "row" or kind not in ("column", "box"):
                self.heights.append(f"{kind} {options.get('scale', '')}" if kind == "template_icon" else "row")
        return Tall(self, self.is_row or kind == "row") if isinstance(made, Layout) else made


@pytest.fixture
def job(enabled: Any, folder: Path) -> Path:
    from addon.ui import session

    return session.submit(enabled.context, protocol.Request(system="tv3dg", prompt="a mug"), [], False)


def test_a_job_keeps_its_height_from_waiting_to_done(enabled: Any, job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon.ui import session

    queue: Any = session.queue(enabled.context)
    seen = [rows(enabled)]
    for events in (
        [HELLO],
        [STAGE, protocol.Compiling(done=2, most=9)],
        [STEP],
        WARNINGS,
        [protocol.Preview()],
        [protocol.Finished(results=(), seconds=5.0)],
    ):
        queue.tell(job, *events)
        session.pump()
        seen.append(rows(enabled))
        if events == WARNINGS:
            session.finish(job)
            seen.append(rows(enabled))
    assert all(each == seen[0] for each in seen), seen
    assert seen[0].count("template_icon 8.0") == 1 and len(seen[0]) == 7


def test_kernels_that_are_compiled_have_a_bar_of_their_own(enabled: Any, job: Path) -> None:
    from addon.ui import session
    from addon.ui.results import job_panel

    queue: Any = session.queue(enabled.context)
    queue.tell(job, HELLO, STAGE, protocol.Compiling(done=1, most=4))
    session.pump()
    layout, panel = Layout(), job_panel.MAQUETTE_PT_job
    draw: Any = panel.draw
    draw(SimpleNamespace(layout=layout), enabled.context)
    assert "Compiling Kernels, Once (25%)" in layout.texts and "Measuring the time left" in layout.texts


def test_the_mesh_cannot_be_finished_earlier(enabled: Any, job: Path) -> None:
    from addon.ui import session

    queue: Any = session.queue(enabled.context)
    queue.tell(job, HELLO, STAGE, STEP)
    session.pump()
    assert enabled.ops.maquette.finish.poll()
    part = protocol.Progress(step=3, steps=7, seconds_left=0.0, steps_per_second=0.0, memory_bytes=1)
    queue.tell(job, protocol.Stage(number=2, name="mesh", stages=2), part)
    session.pump()
    assert not enabled.ops.maquette.finish.poll()


@pytest.mark.parametrize("last", [protocol.Cancelled(seconds=1.0), protocol.Interrupted(reason="it left", seconds=1.0)])
def test_a_job_that_is_left_is_as_high_as_it_was(enabled: Any, job: Path, last: protocol.Last) -> None:
    from addon.ui import session

    queue: Any = session.queue(enabled.context)
    queue.tell(job, HELLO, STAGE, STEP, *WARNINGS, protocol.Preview())
    session.pump()
    before = rows(enabled)
    queue.tell(job, last)
    session.pump()
    assert rows(enabled) == before and len(before) == 7


def test_a_click_that_was_meant_for_cancel_presses_nothing_else(
    enabled: Any, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon.ui import session
    from addon.ui.results import job_panel

    queue: Any = session.queue(enabled.context)
    queue.tell(job, HELLO, STAGE, STEP, protocol.Finished(results=(), seconds=5.0))
    session.pump()
    row: Any = SimpleNamespace(enabled=None)
    layout: Any = SimpleNamespace(row=lambda align: row)
    assert job_panel._end_row(layout, job) is row and row.enabled is False
    monkeypatch.setattr(session, "GUARD_SECONDS", -1.0)
    session._tick()
    job_panel._end_row(layout, job)
    assert row.enabled is True
