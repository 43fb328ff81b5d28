"""What all tests share: skipping by marker with a printed reason, a time limit, and the program named by BLENDER."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

# Before any test imports torch: its tensors are tiny here, and threads that spin for each other make them ten times
# slower as soon as another program wants a core. Tests that are about threads ask for them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Jobs of tests take the cores that there are, whatever else runs: tests compare the bytes of two that began apart.
os.environ.setdefault("MAQUETTE_THREADS", str(os.cpu_count() or 1))

# What jobs of tests measure is not kept for real ones.
os.environ["MAQUETTE_SPEED"] = tempfile.mkdtemp(prefix="maquette-speed-")

# A limit is no measure of speed: it ends what hangs, also where another program has both cores.
QUICK_SECONDS, LONG_SECONDS = 300.0, 900.0
LONG_MARKS = ("slow", "blender", "gpu")


def has_cuda() -> bool:
    """Whether torch sees a CUDA device."""
    import torch

    return torch.cuda.is_available()


def real_blender() -> str | None:
    """Return the Blender that BLENDER names, or None where it names none that can be run."""
    found = shutil.which(os.environ.get("BLENDER", ""))
    return found and os.path.abspath(found)  # tests start it from other folders too


def in_window(name: str) -> bool:
    """Say whether a test, by its path, opens Blender's window."""
    return "blender/program/windows/" in name


@pytest.hookimpl(optionalhook=True)  # in one process there is nothing to deal out
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Return what deals the tests out by file, and all files that open a window to one process: two slow each other."""
    from xdist.scheduler import LoadFileScheduling  # here, because Blender's own environments do without

    class OneWindow(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "window" if in_window(nodeid) else super()._split_scope(nodeid)

    return OneWindow(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run, with the reason and what would make it run; a window comes last, alone.

    Each test has a time limit, where pytest-timeout is there and its option does not name another.
    """
    if config.pluginmanager.hasplugin("timeout") and config.getoption("timeout") is None:
        for item in items:
            if not item.get_closest_marker("timeout"):
                is_long = any(map(item.get_closest_marker, LONG_MARKS))
                item.add_marker(pytest.mark.timeout(LONG_SECONDS if is_long else QUICK_SECONDS))
    items.sort(key=lambda item: in_window(item.nodeid))
    reasons = {}
    if any(item.get_closest_marker("gpu") for item in items) and not has_cuda():
        reasons["gpu"] = "needs a CUDA device, and torch sees none"
    if not real_blender():
        named = os.environ.get("BLENDER")
        found = f"BLENDER={named} is no program" if named else "BLENDER is not set"
        reasons["blender"] = f"needs a real Blender, and {found}; run with BLENDER=/path/to/blender"
    for item in items:
        for marker, reason in reasons.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print figures that tests have recorded, how many were skipped for each reason, and which want a Blender."""
    for report in terminalreporter.stats.get("passed", []):
        for name, text in report.user_properties:
            if name == "figures":
                terminalreporter.section(f"{report.nodeid.removeprefix('tests/')}, {report.duration:.0f} s")
                terminalreporter.write_line(str(text).rstrip())
    counts: dict[str, int] = {}
    named: dict[str, list[str]] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        counts[reason] = counts.get(reason, 0) + 1
        if "blender" in getattr(report, "keywords", ()):  # a module that is skipped as a whole has none
            named.setdefault(reason, []).append(report.nodeid.removeprefix("tests/"))
    if counts:
        terminalreporter.section("skipped")
    for reason, count in sorted(counts.items()):
        terminalreporter.write_line(f"{count} {'test' if count == 1 else 'tests'}: {reason}")
        for name in named.get(reason, ()):
            terminalreporter.write_line(f"    {name}")


@pytest.fixture
def blender() -> Path:
    """The real Blender that BLENDER names; only for tests marked `blender`."""
    program = real_blender()
    assert program is not None, "a test that takes this fixture is marked `blender`, and so is skipped without one"
    return Path(program)
