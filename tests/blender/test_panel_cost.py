"""What a tick of the add-on does is bounded, however much the backend says; the benchmark tells the milliseconds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(("pace", "messages"), [("steady", 6), ("flood", 1_500)])
def test_ticks_do_little_and_nothing_is_lost(bpy: Any, tmp_path: Path, pace: str, messages: int) -> None:
    from addon.ui import session
    from benchmarks.commands import panel

    found = panel.measure(pace, messages, tmp_path)
    sys.stdout.write(f"{found}\n")
    assert found["messages"] == messages
    assert found["most_messages_of_a_tick"] <= session.MAX_EVENTS
    assert found["ticks_with_messages"] >= messages / session.MAX_EVENTS
    assert pace == "flood" or found["ticks_with_messages"] < found["ticks"]
