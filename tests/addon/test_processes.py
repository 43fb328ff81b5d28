"""What differs between systems, each with a pretended one."""

from __future__ import annotations

import os

import pytest

from addon import processes


def test_children_run_without_the_callers_python_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")
    monkeypatch.setenv("MOON", "full")
    variables = processes.child_environment({"TIDE": "high"})
    assert not {"PYTHONPATH", "VIRTUAL_ENV"} & variables.keys()
    assert (variables["MOON"], variables["TIDE"], os.environ.get("TIDE")) == ("full", "high", None)
