"""NVIDIA's driver is asked before anything is fetched; what it says, or does not, becomes a sentence."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from addon.install import driver
from addon.install.driver import Driver, DriverProblem, chosen_build
from addon.install.interpreters import EnvironmentProblem
from addon.protocol import Phrase

HEADER = """Mon Nov 30 12:00:00 2026
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 550.54.15              Driver Version: 550.54.15      CUDA Version: 12.4     |
"""
CARD = Driver("550.54", (12, 4), "NVIDIA GeForce RTX 3090", (8, 6))


def smi(header: str, cards: str, *, old: bool = False):  # type: ignore[no-untyped-def]
    """Return a program that answers as nvidia-smi does; an old one does not know the capability."""

    def run(words: Sequence[str]) -> tuple[int, str]:
        if not words:
            return 0, header
        if old and "compute_cap" in words[0]:
            return 2, 'Field "compute_cap" is not a valid field to query.\n'
        return 0, cards

    return run


@pytest.fixture(autouse=True)
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")


def test_the_first_card_and_the_newest_cuda_are_read() -> None:
    cards = "NVIDIA GeForce RTX 3090, 550.54.15, 8.6\nNVIDIA T4, 550.54.15, 7.5\n"
    assert driver.ask(smi(HEADER, cards)) == Driver("550.54.15", (12, 4), "NVIDIA GeForce RTX 3090", (8, 6))
    newer = HEADER.replace("CUDA Version", "CUDA UMD Version")
    assert driver.ask(smi(newer, "Tesla V100, 470.1\n", old=True)) == Driver("470.1", (12, 4), "Tesla V100", None)


def test_no_driver_and_one_that_fails_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(words: Sequence[str]) -> tuple[int, str]:
        raise FileNotFoundError

    def slow(words: Sequence[str]) -> tuple[int, str]:
        raise subprocess.TimeoutExpired("nvidia-smi", 30.0)

    with pytest.raises(DriverProblem, match="There is no NVIDIA driver on this machine: nvidia-smi is not found") as no:
        driver.ask(missing)
    assert no.value.kind == "driver" and "nvidia.com/drivers" in no.value.hint
    assert isinstance(no.value.message, Phrase) and isinstance(no.value.hint, Phrase)
    with pytest.raises(DriverProblem, match="nvidia-smi does not answer"):
        driver.ask(slow)
    failed = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n"
    with pytest.raises(DriverProblem, match="does not work; nvidia-smi says: NVIDIA-SMI has failed because"):
        driver.ask(lambda words: (9, failed))
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(DriverProblem, match="no CUDA for macOS"):
        driver.ask(missing)


def test_the_program_is_looked_for_on_the_path_and_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError):
        driver.run(())
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\necho "asked $1"; echo wrong >&2; exit 6\n')
    program.chmod(0o755)
    assert driver.run(("-L",)) == (6, "asked -L\n\nwrong\n")


@pytest.mark.parametrize(
    ("asked", "cuda", "capability", "build"),
    [
        ("", (0, 0), None, ""),
        ("cpu", (0, 0), None, "cpu"),  # nobody is asked
        ("cuda", (13, 1), (8, 9), "cu130"),
        ("cuda", (12, 4), (8, 6), "cu128"),
        ("cuda", (13, 0), (6, 1), "cu128"),  # an old card beside a new driver
        ("cu126", (12, 4), (8, 6), "cu126"),
        ("cu132", (13, 0), (9, 0), "cu132"),
    ],
)
def test_the_newest_that_the_driver_and_the_card_can_run_is_chosen(
    asked: str, cuda: tuple[int, int], capability: tuple[int, int] | None, build: str
) -> None:
    assert chosen_build(asked, lambda: CARD._replace(cuda=cuda, capability=capability)) == build


@pytest.mark.parametrize(
    ("asked", "found", "sentence"),
    [
        ("cuda", CARD._replace(cuda=(11, 4), version="470.1"), "cu126 does not run here: the driver 470.1 knows CUDA"),
        ("cu130", CARD, "cu130 does not run here: the driver 550.54 knows CUDA 12.4, and torch needs 13.0"),
        ("cuda", CARD._replace(capability=(3, 5)), "has compute capability 3.5, and this torch starts at 5.0"),
    ],
)
def test_what_could_not_run_is_refused_with_the_numbers(asked: str, found: Driver, sentence: str) -> None:
    with pytest.raises(DriverProblem, match=sentence.replace(".", r"\.")) as refused:
        chosen_build(asked, lambda: found)
    told = refused.value.message
    assert isinstance(told, Phrase) and isinstance(told.values["reason"], Phrase)  # so that it can be translated
    assert isinstance(refused.value.hint, Phrase)


def test_a_name_that_is_no_build_is_refused_before_the_driver_is_asked() -> None:
    with pytest.raises(EnvironmentProblem, match="'rocm' is no build of torch"):
        chosen_build("rocm", lambda: pytest.fail("asked"))
