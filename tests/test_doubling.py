"""Each function of the maths that runs in every step has tests that notice a factor of two."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.doubling import FAILED, NONE, PASSED, public_functions, twice

ROOT = Path(__file__).resolve().parent.parent
TESTED = {
    "backend.losses": "tests/backend/test_losses.py",
    "backend.regularisers": "tests/backend/test_regularisers.py",
    "backend.diffusion.scores": "tests/backend/diffusion/test_scores.py",
    "backend.schedules": "tests/backend/test_schedules.py",
}


def doubled(report: Path, tested: dict[str, str]) -> dict[str, str]:
    """Run the program in a process of its own: function -> what became of its tests when it was doubled."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "tests.doubling", str(report)]
    command += [word for pair in tested.items() for word in pair]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
    return json.loads(report.read_text())


@pytest.mark.slow
def test_a_function_that_returns_twice_as_much_fails_its_tests(tmp_path: Path) -> None:
    found = doubled(tmp_path / "report.json", TESTED)
    expected = [name for module in TESTED for name in public_functions(importlib.import_module(module))]
    assert found == dict.fromkeys(expected, FAILED)
    assert {"total_variation", "vpcsm", "inversion_nodes", "log_linear"} <= found.keys()


def test_tests_that_look_at_signs_alone_are_found(tmp_path: Path) -> None:
    weak = """
from backend.schedules import draw_timestep, log_linear

def test_rates_fall():
    assert 0 < log_linear(9, 10, 1.0, 0.1) < log_linear(0, 10, 1.0, 0.1)

def test_a_rate_begins_where_it_is_said():
    def begin():
        return draw_timestep((0.5, 0.5), 10, None)
    assert begin() == 5
"""
    (tmp_path / "test_weak.py").write_text(weak)
    found = doubled(tmp_path / "report.json", {"backend.schedules": str(tmp_path / "test_weak.py")})
    assert found == {"timestep_window": NONE, "draw_timestep": FAILED, "log_linear": PASSED, "growth_steps": NONE}


def test_everything_in_a_tuple_is_doubled() -> None:
    assert twice((1, [2.5, (3,)])) == (2, [5.0, (6,)])


@pytest.mark.parametrize("module", TESTED)
def test_private_functions_and_those_of_others_are_left_alone(module: str) -> None:
    names = public_functions(importlib.import_module(module))
    assert names and not {"randint", "Literal", "Sequence"} & set(names) and not any(n.startswith("_") for n in names)
