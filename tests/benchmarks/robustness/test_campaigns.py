"""Both campaigns with fixed seeds, about two minutes together on two quiet cores; their figures stand under the tests.

Nothing in them depends on how busy a machine is: kills come at operations that are counted, or so long after one that
whatever they hit is a place as good as any other; readers are timed by the processor.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.runtime.machine import ROOT

SEED = 1
KINDS, EACH = 6, 2  # of jobs, and of kills
INPUTS = 700  # of each reader

# Far more than they take: a machine that gives them a tenth of a core is slow, and nothing is wrong with it.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def figures(name: str, out: Path, *arguments: object) -> str:
    """Run a campaign in a process of its own and return what it prints; it must not fail."""
    command = [sys.executable, "-m", f"benchmarks.commands.{name}", "--out", str(out), "--seed", str(SEED)]
    done = subprocess.run([*command, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fork and /proc")
def test_killed_jobs_lose_nothing(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    record_property("figures", figures("kills", tmp_path / "kills.json", "--kills", KINDS * EACH))
    written = json.loads((tmp_path / "kills.json").read_text())
    kinds = written["kinds"].values()
    assert [kind["kills"] for kind in kinds] == [EACH] * KINDS
    assert [kind[fault] for kind in kinds for fault in ("lost", "different", "leftovers")] == [[]] * (3 * KINDS)


def test_readers_refuse_what_is_damaged(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    record_property("figures", figures("readers", tmp_path / "readers.json", "--inputs", INPUTS))
    written = json.loads((tmp_path / "readers.json").read_text())
    counts = [reader.get("read", 0) + reader.get("refused", 0) for reader in written["readers"].values()]
    assert len(counts) > 10 and set(counts) == {INPUTS}
