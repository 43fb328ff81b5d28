"""`subjects list | keep | delete`, and a new job from a kept subject."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from backend import __main__ as program
from backend.cli.subjects import subjects_folder
from tests.addon.made_subjects import made_job


def said(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    code = program.main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_a_subject_is_kept_listed_used_and_deleted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAQUETTE_SUBJECTS", str(tmp_path / "subjects"))
    assert said(capsys, "subjects", "list") == (0, f"No subject is kept in {tmp_path / 'subjects'}.\n")
    code, text = said(capsys, "subjects", "keep", made_job(tmp_path / "job"), "--name", "Ted")
    assert code == 0 and text.startswith("Ted is kept: ")
    code, text = said(capsys, "subjects", "list")
    assert code == 0 and text.startswith("Ted: a bear, ")

    made: list[protocol.Request] = []
    monkeypatch.setattr(program, "run_folders", lambda folders, *_, **__: made.append(protocol.read_request(*folders)))
    asked: list[Any] = ["generate", "--system", "dreambooth3d", "--prompt", "a blue bear", "--out", tmp_path / "new"]
    said(capsys, *asked, "--subject", "ted")
    own = protocol.subject_files(protocol.find_subject(tmp_path / "subjects", "Ted"))[0]
    assert [request.subject for request in made] == [own] and made[0].images == ()
    said(capsys, *asked, "--subject", "ted")  # the same command goes on
    assert len(made) == 2

    code, text = said(capsys, "subjects", "delete", "TED")
    assert code == 0 and text.startswith("Ted is deleted") and protocol.list_subjects(tmp_path / "subjects") == []
    assert protocol.is_inside(tmp_path / "new", f"{protocol.SUBJECT_FOLDER}/subject.json")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("subjects", "delete", "Tod"), "There is no subject named 'Tod'"),
        (("subjects", "keep", "nowhere", "--name", "Tod"), "is not a job folder"),
        (("generate", "--subject", "Tod"), "There is no subject named 'Tod'"),
        (("generate", "--subject", "Tod", "--image", "a.png"), "has its own photos. Leave --image away"),
        (("generate",), "No photo is given. A subject takes 3 to 6 photos"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    sentence: str,
) -> None:
    monkeypatch.setenv("MAQUETTE_SUBJECTS", str(tmp_path / "subjects"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes((Path(__file__).parents[3] / "benchmarks/outside/star.png").read_bytes())
    more = ("--system", "dreambooth3d", "--prompt", "a bear", "--out", "new") if words[0] == "generate" else ()
    code, text = said(capsys, *words, *more)
    assert code == 2 and sentence in text and not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("platform", "name", "expected"),
    [
        ("linux", "XDG_DATA_HOME", "maquette/subjects"),
        ("win32", "LOCALAPPDATA", "maquette/subjects"),
        ("darwin", "HOME", "Library/Application Support/maquette/subjects"),
    ],
)
def test_they_are_among_the_users_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, name: str, expected: str
) -> None:
    monkeypatch.delenv("MAQUETTE_SUBJECTS", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(name, str(tmp_path))
    assert subjects_folder() == tmp_path / expected
