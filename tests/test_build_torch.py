"""build.py and torch: the build that is asked for is kept, and what is missing for a card is said."""

# ruff: noqa: F811 - fixtures that are imported
from __future__ import annotations

import sys

import pytest

import build
from addon.install import environment
from tests.test_build import CLEAN, calls, commands, root, visible  # noqa: F401 - fixtures


def test_setup_makes_the_torch_that_is_asked_for_and_other_commands_keep_it(root, monkeypatch):
    asked = []
    monkeypatch.setattr(build, "ROOT", root)
    monkeypatch.setattr(build, "provide_system_libraries", lambda root: [])
    monkeypatch.setattr(build.driver, "chosen_build", lambda word: asked.append(word) or "cu130")
    assert build.main(["setup", "--cuda"]) == 0
    assert environment.recorded_build(root / ".venv") == "cu130"
    made = len(calls(root))
    build.provide_environment(root)
    assert len(calls(root)) == made
    assert build.main(["setup", "--cuda", "cu126", "--wheels", str(root)]) == 0
    assert build.main(["setup", "--cpu"]) == 0
    assert asked == ["cuda", "cu126", "cpu"]


def test_without_a_driver_cuda_is_refused_in_a_sentence_and_nothing_is_made(root, monkeypatch):
    monkeypatch.setattr(build, "ROOT", root)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(build.driver.shutil, "which", lambda name, **_: None)
    with pytest.raises(build.Unfit, match="There is no NVIDIA driver on this machine: nvidia-smi is not found"):
        build.main(["setup", "--cuda"])
    assert visible(root) == CLEAN and calls(root) == []


def test_bench_on_a_card_that_is_not_there_measures_nothing(root, commands, monkeypatch):
    run = build.run
    monkeypatch.setattr(build, "run", lambda root, *words: 1 if "-c" in words else run(root, *words))
    assert build.main(["bench", "--gpu"]) == 3
    assert commands() == []
