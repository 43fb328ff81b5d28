"""The panel of the queue: what waits, why it holds, and its buttons."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.blender.made_jobs import FAILED, make


def test_the_queue_panel_shows_what_waits_and_why_it_holds(enabled: Any, folder: Path) -> None:
    from addon.ui import queue_panel, session
    from tests.blender.layout import Layout

    panel: Any = queue_panel.MAQUETTE_PT_queue
    assert not panel.poll(enabled.context)
    queue: Any = session._queue
    queue.problem = None
    made = [make(folder, f"{number:02}", prompt=f"mug {number}") for number in range(10)]
    for job in made:
        queue.add(job)
    layout = Layout()
    assert panel.poll(enabled.context)
    panel.draw(SimpleNamespace(layout=layout), enabled.context)
    assert "mug 0" in layout.texts and "... and 2 more" in layout.texts and "Hold the Queue" in layout.texts
    assert layout.buttons["maquette.hold_queue"].given == {"hold": True}
    queue.is_held, queue.problem = True, FAILED
    layout = Layout()
    panel.draw(SimpleNamespace(layout=layout), enabled.context)
    assert "Start the Queue" in layout.texts and "The mask is empty. Use another image." in " ".join(layout.texts)


def test_the_buttons_of_the_queue_reach_it(enabled: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the real queue, which starts no process while it is held."""
    import sys

    from addon.jobs.queue import Queue
    from addon.ui import session

    queue = Queue(folder, [sys.executable])
    monkeypatch.setattr(session, "_queue", queue)
    a, b = make(folder, "a"), make(folder, "b")
    for job in (a, b):
        queue.add(job)
        enabled.ops.maquette.hold_queue(hold=True)
    assert queue.is_held and session.waiting() == [a, b]
    enabled.ops.maquette.move_job(job=str(b), places=-1)
    assert session.waiting() == [b, a]
    enabled.ops.maquette.cancel(job=str(a))
    assert session.waiting() == [b]
    enabled.ops.maquette.hold_queue(hold=False)
    assert not queue.is_held
    queue.hold()


def test_each_job_of_several_workers_is_shown_and_can_be_stopped(enabled: Any, folder: Path) -> None:
    from addon.ui import queue_panel, session
    from tests.blender.layout import Layout

    queue: Any = session._queue
    queue.problem = None
    jobs = [make(folder, name, prompt=f"mug {name}") for name in "ab"]
    queue.running, queue.others = jobs[0], jobs[1:]
    panel: Any = queue_panel.MAQUETTE_PT_queue
    assert panel.poll(enabled.context) and session.shown() == jobs[0]
    layout = Layout()
    panel.draw(SimpleNamespace(layout=layout), enabled.context)
    assert "mug b: 0%" in layout.texts and "mug a: 0%" not in layout.texts
    assert layout.buttons["maquette.cancel"].given == {"job": str(jobs[1])}
    enabled.ops.maquette.cancel(job=str(jobs[1]))
    assert queue.done == [("cancel", jobs[1])] and session.told(jobs[1])
    queue.running = None
    assert session.is_busy() and session.shown() == jobs[1]
