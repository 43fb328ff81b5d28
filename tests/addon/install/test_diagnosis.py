"""Each class of failure is told apart, in a sentence, with something that puts it right."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from addon.install import diagnosis, environment
from addon.install.diagnosis import FIXES, KINDS, diagnose, glance, judge
from addon.jobs import client
from backend import errors
from tests.addon.install.doctor_answers import answer, backend, finding
from tests.fake_python import write_fake_python


def test_every_kind_has_fixes_with_a_label_and_a_tooltip() -> None:
    for kind, fixes in KINDS.items():
        assert bool(fixes) == (kind not in ("fine", "busy")), kind
        for fix in fixes:
            label, tooltip = FIXES[fix]
            assert label.istitle() or "GPU" in label, label
            assert tooltip and not tooltip.endswith(".")
    assert set(FIXES) - {""} == {fix for fixes in KINDS.values() for fix in fixes}


@pytest.mark.parametrize(
    ("changed", "kind", "sentence", "is_usable"),
    [
        ([], "fine", "Ready: jobs run on NVIDIA H100, 80 GiB, CUDA 13.0, 1 in all.", True),
        ([finding("gpu", None, "no NVIDIA driver; jobs run on the CPU")], "fine", "Ready: jobs run on the CPU.", True),
        ([finding("torch", False)], "broken", "torch is missing or broken.", False),
        (
            [
                finding("torch", False),
                finding("numba", False, "ImportError: libnvrtc.so.13: cannot open shared object"),
            ],
            "broken",
            "torch is missing or broken, and so are 1 more.",
            False,
        ),
        (
            [finding("numba", False, "OSError: [WinError 126] The specified module could not be found")],
            "broken",
            "numba is missing or broken: OSError: [WinError 126]",
            False,
        ),
        ([finding("python", False, "3.9.1")], "python", "This machine's python does not do: 3.9.1.", False),
        ([finding("free disk", False, "0.1 GiB")], "disk", "This machine's free disk does not do: 0.1 GiB.", False),
        ([finding("memory", False, "2.0 GiB")], "memory", "2.0 GiB", False),
        ([finding("embedded prior", False, "no weights of unet")], "weights", "no weights of unet", False),
        ([finding("gpu build", None, "torch is the one for the CPU")], "gpu", "Jobs run on the CPU: torch", True),
        (
            [finding("gpu driver", None, "the driver knows CUDA 12.2")],
            "driver",
            "Jobs run on the CPU: the driver",
            True,
        ),
        ([finding("gpu age", None, "GTX 960 has 5.2")], "gpu", "Jobs run on the CPU: GTX 960 has 5.2.", True),
        ([finding("gpu memory", None, "0.3 of 80 GiB are free")], "vram", "The GPU is full: 0.3 of 80 GiB", True),
    ],
)
def test_what_the_doctor_finds_becomes_one_sentence(
    changed: list[dict[str, Any]], kind: str, sentence: str, is_usable: bool
) -> None:
    found = judge(answer(*changed))
    assert (found.kind, found.is_usable) == (kind, is_usable)
    assert sentence in found.sentence
    assert found.gpus == ("NVIDIA H100",) and ("memory" in dict(found.facts))


# ---- asking a backend ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "kind", "sentence"),
    [
        ("echo 'ImportError: libc10.so: cannot open shared object file' >&2; exit 1", "broken", "libc10.so"),
        ("echo '/usr/bin/python: No module named backend' >&2; exit 1", "protocol", "own files are not complete"),
        ("echo 'backend: error: unrecognized arguments: --json' >&2; exit 2", "protocol", "of another version"),
        ("exit 0", "broken", "exit code 0: it printed nothing"),
        ("kill -SEGV $$", "broken", "was ended by signal 11"),
        ("echo '[]'", "broken", "exit code 0"),
        ("echo '{}'", "broken", "exit code 0"),
    ],
)
def test_a_backend_that_does_not_answer_is_told(tmp_path: Path, script: str, kind: str, sentence: str) -> None:
    found = diagnose(backend(tmp_path, script), root=tmp_path)
    assert (found.kind, found.is_usable) == (kind, False) and sentence in found.sentence


def test_a_backend_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "DOCTOR_SECONDS", 0.1)
    assert "did not say within 0 seconds" in diagnose(backend(tmp_path, "exec sleep 60"), root=tmp_path).sentence


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    assert diagnose(None).kind == "missing"
    assert diagnose(tmp_path / "python").sentence == f"There is no Python at {tmp_path / 'python'}."
    assert diagnose(tmp_path).kind == "missing"
    (tmp_path / "text").write_text("no program")
    assert "could not be started" in diagnose(tmp_path / "text").sentence


def test_the_doctor_is_asked_with_the_chosen_gpu(tmp_path: Path) -> None:
    program = backend(tmp_path, f"echo \"$* $CUDA_VISIBLE_DEVICES\" > {tmp_path}/asked; echo '{json.dumps(answer())}'")
    assert diagnose(program, root=tmp_path, deep=True, variables={"CUDA_VISIBLE_DEVICES": "1"}).kind == "fine"
    assert (tmp_path / "asked").read_text() == "-m backend doctor --json --deep 1\n"


# ---- at a glance -----------------------------------------------------------------------------------------------------


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """An environment and its lock."""
    monkeypatch.setattr(environment, "brings_cuda", lambda wheels: False)
    monkeypatch.setattr(environment, "NEEDED_GIB", 0.0)
    monkeypatch.setenv("CALLS", os.devnull)
    lock, base = tmp_path / "lock", write_fake_python(tmp_path / "base")
    lock.write_text("one==1.0\n")
    python = diagnosis.environment.interpreters.probe(base)
    environment.provide(tmp_path / "environment", [lock], python=python)
    return tmp_path / "environment", lock


def test_a_glance_tells_apart_what_became_of_an_environment(made: tuple[Path, Path], tmp_path: Path) -> None:
    folder, lock = made

    def kind() -> tuple[str, str]:
        found = glance(folder, [lock])
        return found.kind, found.sentence

    assert kind()[0] == "fine"
    assert glance(tmp_path / "nothing", [lock]).kind == "missing"
    lock.write_text("one==1.1\n")
    assert kind() == ("outdated", "The backend was installed for another version of Maquette.")
    lock.write_text("one==1.0\n")
    (folder / "bin/python").rename(folder / "bin/gone")
    assert kind()[0] == "broken" and "bin/python is not there any more" in kind()[1]
    (tmp_path / "base").unlink()
    assert kind() == ("broken", f"The backend was made from {tmp_path / 'base'}, which is not there any more.")
    (folder / environment.STAMP).unlink()
    assert kind() == ("missing", "The backend's installation was cut off; install it again.")


def test_a_spoilt_record_does_no_harm(made: tuple[Path, Path]) -> None:
    folder, lock = made
    for text in ("not JSON", "[]", ""):
        (folder / environment.RECORD).write_text(text)
        assert environment.read_record(folder) == {}
        assert glance(folder, [lock]).kind == "fine"


# ---- jobs that failed ------------------------------------------------------------------------------------------------


def subclasses(cls: type) -> set[str]:
    return {cls.__name__} | {name for sub in cls.__subclasses__() for name in subclasses(sub)}


def test_every_error_that_a_job_can_end_with_has_a_kind() -> None:
    named = subclasses(errors.BackendError) | (subclasses(client.ClientError) - {"ClientError"})
    own = {name for name in named if hasattr(errors, name) or hasattr(client, name)}
    assert len(own) >= 12 and own <= set(diagnosis.FAILURES)
    assert set(diagnosis.FAILURES.values()) <= set(KINDS)


@pytest.mark.parametrize(
    ("kind", "message", "expected", "fix"),
    [
        ("OutOfMemory", "The memory did not suffice.", "memory", "preset"),
        ("UnfitEnvironment", "The disk is full ([Errno 28]).", "disk", "space"),
        ("UnfitEnvironment", "A package is missing or broken: torch.", "broken", "repair"),
        ("NoSurface", "No surface lies at 0.5.", "diverged", "seed"),
        ("Died", "The backend was ended by SIGSEGV.", "crashed", "resume"),
        ("WrongVersion", "The backend does not fit this add-on.", "protocol", "update"),
        ("SomethingNew", "A message.", "defect", "log"),
    ],
)
def test_a_failed_job_gets_its_fix(kind: str, message: str, expected: str, fix: str) -> None:
    found = diagnosis.of_failure(protocol.Failed(kind=kind, message=message, hint="A hint.", exit_code=1))
    assert (found.kind, found.sentence, found.hint, found.fix) == (expected, message, "A hint.", fix)
