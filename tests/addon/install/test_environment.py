"""The backend's environment is made whole or not at all, verified against its lock, and removed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from addon import processes
from addon.__main__ import main
from addon.install import environment, interpreters, pip_steps, verification
from tests.addon.install.tiny_wheels import tiny_wheels
from tests.fake_python import write_fake_python

ROOT = Path(environment.__file__).parent.parent.parent
SUMMARY = {"findings": [{"name": "gpu", "is_ok": None, "text": "no NVIDIA driver"}], "gpus": []}


@pytest.mark.parametrize(
    ("printed", "sentence"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("(Caused by SSLError(SSLCertVerificationError(...)))", "could not be reached"),
        ("socket.gaierror: Temporary failure in name resolution", "could not be reached"),
        ("fine\nERROR: first\nERROR: last\nmore", "last"),
        ("only this", "only this"),
        ("", "no reason was given."),
    ],
)
def test_what_failed_is_read_off_the_output(printed: str, sentence: str) -> None:
    assert sentence in pip_steps.explain(printed)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python that makes environments at once and answers as a doctor that finds nothing wrong."""
    monkeypatch.setattr(environment, "brings_cuda", lambda wheels: False)
    monkeypatch.setattr(environment, "NEEDED_GIB", 0.0)
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("FAILING", "nothing fails")
    monkeypatch.setenv("DOCTOR", json.dumps(SUMMARY))
    return write_fake_python(tmp_path / "python3.11")


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "the lock"
    path.write_text('# a comment\none==1.0\ntwo==2.0; python_version < "3.13"\ntwo==2.1; python_version >= "3.13"\n')
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "Blender's files, größer" / "environment"


def said(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


# ---- python -m addon, with a fake Python -----------------------------------------------------------------------------


def test_make_tells_how_far_it_is_and_what_can_be_run(
    fake: Path, lock: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP", "moves")
    assert main(["make", str(folder), "--lock", str(lock), "--python", str(fake)]) == 0
    *progress, last = said(capsys)
    shares = [item["share"] for item in progress]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] == 0.9
    assert {"installed (2 of 2)", "trying it out (2 of 2)"} & {item["text"] for item in progress}
    assert (last["kind"], last["is_usable"]) == ("fine", True)
    assert environment.read_record(folder)["python"] == str(fake)
    assert environment.is_whole(folder, [lock], "3.11") and not environment.is_whole(folder, [lock], "3.13")
    assert environment.log_file(folder).read_text().startswith("Collecting one==1.0")
    assert [path.name for path in folder.parent.iterdir() if "lock" in path.name or "previous" in path.name] == []


@pytest.mark.parametrize(
    ("pip", "kind", "sentence"),
    [
        ("network", "offline", "the package index could not be reached"),
        ("full", "disk", "the disk is full"),
        ("unknown", "broken", "No matching distribution found for one==1.0"),
    ],
)
def test_a_failure_is_told_in_a_sentence_and_leaves_the_log(
    pip: str,
    kind: str,
    sentence: str,
    fake: Path,
    lock: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP", pip)
    assert main(["make", str(folder), "--lock", str(lock), "--python", str(fake)]) == 1
    last = said(capsys)[-1]
    assert last["kind"] == kind and sentence in last["sentence"]
    assert not folder.exists() and "Collecting" in environment.log_file(folder).read_text()


def test_a_python_that_does_not_do_is_told(
    fake: Path, lock: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERSION", "3, 14, 1")
    assert main(["make", str(folder), "--lock", str(lock), "--python", str(fake)]) == 1
    last = said(capsys)[-1]
    assert last["kind"] == "python" and "3.11, 3.12 or 3.13" in last["sentence"] and "3.14.1" in last["sentence"]
    assert not folder.exists()


def test_a_place_that_cannot_be_written_is_told(
    fake: Path, lock: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["make", str(tmp_path / "file" / "environment"), "--lock", str(lock), "--python", str(fake)]) == 1
    assert "could not be made" in said(capsys)[-1]["sentence"]


def test_too_little_disk_is_told_with_both_numbers(lock: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "brings_cuda", lambda wheels: True)
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, 2**30))  # type: ignore
    with pytest.raises(pip_steps.DiskTooSmall, match="has 1.0 GiB of free disk, and the packages need 12.0 GiB"):
        environment.provide(folder, [lock])
    assert not folder.parent.exists()


def test_a_long_path_on_windows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(environment.EnvironmentProblem, match="Windows would not find the packages"):
        environment.check_folder(Path("C:/" + "x" * 120))


# ---- killed, stopped, twice at once ----------------------------------------------------------------------------------


@pytest.fixture
def start_hanging(folder: Path, lock: Path, fake: Path, tmp_path: Path) -> Iterator[Callable[..., processes.Child]]:
    """Start `python -m addon make` with a pip (or venv) that hangs, and wait until it does; it ends with the test."""
    with contextlib.ExitStack() as started:

        def start(what: str = "PIP") -> processes.Child:
            child = started.enter_context(hang(folder, lock, fake, tmp_path, what))  # closes its pipes
            started.callback(processes.end_tree, child)
            return child

        yield start


def hang(folder: Path, lock: Path, fake: Path, tmp_path: Path, what: str) -> processes.Child:
    code = (
        "import sys; from addon.install import environment as e; e.NEEDED_GIB = e.NEEDED_WITH_CUDA_GIB = 0.0; "
        "from addon.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "--supervised", "make", folder, "--lock", lock, "--python", fake]
    child = processes.start(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, variables={what: "hang"}
    )
    while "hanging" not in ((tmp_path / "calls").read_text() if (tmp_path / "calls").exists() else ""):
        assert child.poll() is None, child.stdout and child.stdout.read()
        time.sleep(0.02)
    return child


def make(folder: Path, lock: Path, fake: Path, *, anew: bool = False) -> Path:
    return environment.provide(folder, [lock], python=interpreters.probe(fake), anew=anew)


def test_stopping_brings_back_what_was_there(
    start_hanging: Callable[..., processes.Child], fake: Path, lock: Path, folder: Path, tmp_path: Path
) -> None:
    make(folder, lock, fake)
    (folder / "mark").touch()
    lock.write_text("one==1.1\n")
    child = start_hanging()
    assert not (folder / "mark").exists() and not (folder / environment.STAMP).exists()
    processes.close_stdin(child)
    assert child.stdout is not None
    last = json.loads(child.stdout.read().splitlines()[-1])
    assert child.wait() == 1 and last["sentence"] == "The installation was stopped."
    assert (folder / "mark").exists() and (folder / environment.STAMP).exists()


def test_being_killed_leaves_nothing_that_looks_whole_and_the_next_one_repairs_it(
    start_hanging: Callable[..., processes.Child], fake: Path, lock: Path, folder: Path, tmp_path: Path
) -> None:
    child = start_hanging()
    processes.end_tree(child)
    assert folder.exists() and not environment.is_whole(folder, [lock], "3.11")
    assert verification_of(folder, lock) == "missing"
    make(folder, lock, fake)
    assert environment.is_whole(folder, [lock], "3.11")
    assert {path.name for path in folder.parent.iterdir()} == {"environment", "environment.log"}


def test_being_killed_during_a_repair_leaves_nothing_of_either_in_the_next_one(
    start_hanging: Callable[..., processes.Child], fake: Path, lock: Path, folder: Path, tmp_path: Path
) -> None:
    make(folder, lock, fake)
    (folder / "old").touch()
    lock.write_text("one==1.1\n")
    child = start_hanging()
    (folder / "half").touch()
    processes.end_tree(child)
    make(folder, lock, fake)
    assert environment.is_whole(folder, [lock], "3.11")
    assert not (folder / "half").exists() and not (folder / "old").exists()
    assert {path.name for path in folder.parent.iterdir()} == {"environment", "environment.log"}


def test_a_repair_that_was_killed_leaves_the_old_one_to_be_put_back(
    start_hanging: Callable[..., processes.Child], fake: Path, lock: Path, folder: Path, tmp_path: Path
) -> None:
    make(folder, lock, fake)
    (folder / "old").touch()
    wanted = lock.read_text()
    lock.write_text("one==1.1\n")
    child = start_hanging()
    processes.end_tree(child)
    lock.write_text(wanted)
    before = (tmp_path / "calls").read_text()
    make(folder, lock, fake)
    assert (folder / "old").exists() and (tmp_path / "calls").read_text() == before  # nothing was installed
    assert {path.name for path in folder.parent.iterdir()} == {"environment", "environment.log"}


def test_what_does_not_heed_the_end_of_blender_is_ended(
    start_hanging: Callable[..., processes.Child], fake: Path, lock: Path, folder: Path, tmp_path: Path
) -> None:
    child = start_hanging("VENV")
    processes.close_stdin(child)
    assert child.stdout is not None
    assert child.wait(30) == -signal.SIGKILL
    child.stdout.read()  # ends, since nobody who has inherited it is left
    assert not environment.is_whole(folder, [lock], "3.11")
    make(folder, lock, fake)


def test_another_python_makes_it_anew(fake: Path, lock: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(folder, lock, fake)
    monkeypatch.setenv("VERSION", "3, 13, 1")
    (folder / "mark").touch()
    make(folder, lock, fake)
    assert not (folder / "mark").exists() and environment.read_record(folder)["language"] == "3.13"
    assert environment.is_whole(folder, [lock], "3.13") and not environment.is_whole(folder, [lock], "3.11")


def verification_of(folder: Path, lock: Path) -> str:
    with pytest.raises(environment.EnvironmentMissing) as raised:
        verification.verify(folder, [lock])
    return raised.value.kind


def test_nobody_works_in_a_folder_where_another_installation_goes_on(
    start_hanging: Callable[..., processes.Child], fake: Path, lock: Path, folder: Path, tmp_path: Path
) -> None:
    child = start_hanging()
    with pytest.raises(environment.Busy, match="Another process is installing"):
        make(folder, lock, fake)
    os.kill(child.pid, signal.SIGKILL)  # its pip goes on, and holds the lock
    child.wait()
    with pytest.raises(environment.Busy):
        environment.remove(folder)
    processes.end_tree(child)
    make(folder, lock, fake)


def test_the_progress_says_which_package_is_being_unpacked(
    fake: Path, lock: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP", "slow")
    seen: list[environment.Progress] = []
    environment.provide(folder, [lock], seen.append, python=interpreters.probe(fake))
    assert "unpacking one" in {progress.text for progress in seen} and seen[-1].text == "installed"


def test_a_repair_that_fails_keeps_the_old_one(
    fake: Path, lock: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(folder, lock, fake)
    (folder / "mark").touch()
    monkeypatch.setenv("PIP", "network")
    with pytest.raises(pip_steps.Unreachable):
        make(folder, lock, fake, anew=True)
    assert (folder / "mark").exists()
    monkeypatch.delenv("PIP")
    make(folder, lock, fake)
    assert (folder / "mark").exists()  # it is whole
    make(folder, lock, fake, anew=True)
    assert not (folder / "mark").exists()


def test_remove_takes_environments_only(fake: Path, lock: Path, folder: Path, capsys, tmp_path: Path) -> None:
    make(folder, lock, fake)
    assert main(["remove", str(folder)]) == 0
    assert said(capsys)[-1]["kind"] == "missing" and list(folder.parent.iterdir()) == []
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "dog.png").touch()
    assert main(["remove", str(tmp_path / "pictures")]) == 1
    assert "not an environment of Maquette" in said(capsys)[-1]["sentence"]
    assert (tmp_path / "pictures" / "dog.png").exists()


def test_sizes_count_each_file_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1000)
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").symlink_to("nowhere, but that does not matter")
    assert 1000 < environment.size_on_disk(tmp_path) < 1100


# ---- for real, without a network -------------------------------------------------------------------------------------


def test_a_real_environment_from_a_folder_of_wheels(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, wheels = tmp_path / "lock", tiny_wheels(tmp_path, monkeypatch, ("maquette_test_moon", "1.5"))
    lock.write_text("maquette_test_moon==1.5\n")
    python = environment.provide(folder, [lock], wheels=wheels)
    code = "import maquette_test_moon, sys; print(maquette_test_moon.MOON, sys.prefix)"
    answer = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == f"full {folder}\n"
    record = environment.read_record(folder)
    assert record["language"] == f"{sys.version_info[0]}.{sys.version_info[1]}" and int(record["bytes"]) > 2**20
    assert verification.verify(folder, [lock]) == []
    module = next(folder.rglob("maquette_test_moon.py"))
    module.write_text("cut")
    assert verification.verify(folder, [lock]) == ["maquette_test_moon lacks maquette_test_moon.py."]
    lock.write_text("maquette_test_moon==2\nother==1\n")
    assert verification.verify(folder, [lock]) == [
        "maquette_test_moon is 1.5, and 2 is wanted.",
        "other is missing.",
    ]


# ---- the lock --------------------------------------------------------------------------------------------------------


def test_pins_are_those_of_the_python(lock: Path) -> None:
    assert list(verification.pins([lock], "3.11")) == [("one", "1.0"), ("two", "2.0")]
    assert list(verification.pins([lock], "3.13")) == [("one", "1.0"), ("two", "2.1")]


def test_every_line_of_the_real_lock_is_understood() -> None:
    locks = [ROOT / "backend/requirements.lock", ROOT / "backend/torch.lock", ROOT / "requirements-dev.lock"]
    assert {"torch", "bpy"} <= {name for name, _ in verification.pins(locks, "3.11")}


@pytest.mark.parametrize("line", ["one", "one>=1", "one==1; sys_platform == 'win32'", "one @ file:///x"])
def test_a_line_that_pins_nothing_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "lock").write_text(line)
    with pytest.raises(ValueError, match="is not a pinned package"):
        list(verification.pins([tmp_path / "lock"], "3.11"))
