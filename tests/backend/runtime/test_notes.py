"""Files of a job that are whole, and yet not what was written: named in a sentence, with what to delete."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from backend.errors import BadInput, OutOfMemory, UnfitEnvironment
from backend.runtime.checkpoint import load_checkpoint, save_checkpoint
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.runtime.notes import named_if_damaged, replaced_words
from tests.backend.fake_system import Fit, fit, write_job
from tests.backend.processes import last, run


def again(folder: Path) -> None:
    """Run the job of a folder in this process."""
    fit(Job(folder, protocol.read_request(folder), lambda event: None, Control(folder.name)))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small job that has all its stages."""
    folder = write_job(tmp_path_factory.mktemp("done") / "job", settings={"steps": 4})
    again(folder)
    return folder


def copied(done: Path, tmp_path: Path) -> Path:
    """Return a copy of the job that may be damaged."""
    folder = tmp_path / "job"
    for path in done.rglob("*"):
        target = folder / path.relative_to(done)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return folder


WRONG: dict[str, Any] = {
    "number": [None, "1", 2, -1, True, 10**400],
    "name": [-1, None, [], ""],
    "seconds": ["", None, -1.0, True],
    "finish": ["", None, 1, []],
    "made_from": [None, 5, {}],
    "files": [{"$items": 5}, {"$items": [[1, 2]]}, [], None, "x", {"note.txt": 1}],
    "replaced": [None, {}, "note.txt", [1]],
}


@pytest.mark.parametrize("name", WRONG)
def test_a_stage_json_whose_fields_are_none_is_a_sentence(done: Path, tmp_path: Path, name: str) -> None:
    folder = copied(done, tmp_path)
    path = folder / "stages/1-prepare/stage.json"
    whole = json.loads(path.read_text())
    lacking = {key: value for key, value in whole.items() if key != name}
    for content in [lacking, *(whole | {name: value} for value in WRONG[name])]:
        path.write_text(json.dumps(content))
        with pytest.raises(BadInput, match=r"stage\.json is damaged \(.+\)\.$") as caught:
            again(folder)
        assert caught.value.hint == "Delete this file; the stage is done again." and "\n" not in caught.value.message
    path.unlink()
    again(folder)  # the hint is right


@pytest.mark.parametrize("content", ["[]", "7", "null", '"x"', "{}", "[" * 60_000, '{"number": ' + "9" * 5000 + "}"])
def test_a_stage_json_of_another_kind_is_a_sentence(done: Path, tmp_path: Path, content: str) -> None:
    folder = copied(done, tmp_path)
    (folder / "stages/2-fit-weights/stage.json").write_text(content)
    with pytest.raises(BadInput, match=r"stage\.json is damaged \(.+\)\.$"):
        again(folder)


@pytest.mark.parametrize("content", [None, b"", {}, [], {"job": torch.zeros(3)}, {"job": 5, "torch": 5}, {"torch": {}}])
def test_randomness_of_a_stage_that_is_none_is_a_sentence_that_names_the_folder(
    done: Path, tmp_path: Path, content: Any
) -> None:
    folder = copied(done, tmp_path)
    path = folder / "stages/1-prepare/randomness.safetensors"
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        save_checkpoint(path, content)
    with pytest.raises(BadInput, match=r"1-prepare.* is damaged \(.+\)\.$") as caught:
        again(folder)
    assert "folder; the stage is done again" in caught.value.hint
    for file in path.parent.iterdir():
        file.unlink()
    path.parent.rmdir()
    again(folder)


LOOP: dict[str, Any] = {
    "step": [None, -1, 5, 1.5, "1", True],
    "total": [None, "4", 4.0, -3],
    "is_done": [None, 0, ""],
    "finish": ["", None, 1],
    "seconds": [None, "x", -1.0],
    "randomness": [None, {}, {"job": 1}, [], {"job": torch.zeros(2), "torch": torch.zeros(2)}],
    "state": [None, {}, [], {"weights": 1, "optimizer": {}, "losses": []}, {"weights": 1099511627776}],
    "made_from": [None, 3],
}


@pytest.mark.parametrize("name", LOOP)
def test_a_checkpoint_whose_fields_are_none_is_a_sentence(
    done: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_job(tmp_path / "job", settings={"steps": 4, "checkpoint_steps": 1})
    step = Fit.step

    def stop(self: Fit, number: int) -> None:
        if number == 2:
            raise ZeroDivisionError
        step(self, number)

    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(Fit, "step", stop)
        again(folder)
    path = folder / "stages/2-fit-weights/checkpoint-0.safetensors"
    whole = load_checkpoint(path)
    lacking = {key: value for key, value in whole.items() if key != name}
    for content in [lacking, *(whole | {name: value} for value in LOOP[name])]:
        save_checkpoint(path, content)
        with pytest.raises(BadInput, match=r"checkpoint-0\.safetensors is damaged \(.+\)\.$") as caught:
            again(folder)
        assert caught.value.hint == "Delete this file; the work since then is redone."
    path.unlink()
    again(folder)


def test_a_command_says_so_and_ends_with_2(done: Path, tmp_path: Path) -> None:
    folder = copied(done, tmp_path)
    (folder / "stages/1-prepare/stage.json").write_text('{"made_from": "", "files": {"$items": 5}}')
    ended = run(tmp_path, "run", folder)
    assert ended.returncode == 2 and "stage.json is damaged" in last(ended.stdout).message
    assert "Traceback" not in ended.stdout + ended.stderr


def test_links_and_a_lack_of_memory_are_no_damage(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="out of memory"), named_if_damaged(tmp_path, ""):
        raise RuntimeError("CUDA out of memory")
    with pytest.raises(OutOfMemory), named_if_damaged(tmp_path, ""):
        raise OutOfMemory("x")
    with pytest.raises(UnfitEnvironment), named_if_damaged(tmp_path, ""):
        raise UnfitEnvironment("x")
    os.symlink(tmp_path / "elsewhere", tmp_path / "a.safetensors")
    with pytest.raises(protocol.LinkInside):
        load_checkpoint(tmp_path / "a.safetensors")


def test_a_picture_that_was_replaced_is_named_as_an_artist_sees_it() -> None:
    said = replaced_words("tv3dg", "perceive", ["mask.png", "note.txt"])
    assert said == "Of the stage Cutting Out, Mask, note.txt was replaced; the job goes on with that."
    assert said.translated(lambda text: {"Mask": "Maske"}.get(text, text)).count("Maske") == 1
    assert "Of the stage unheard, mask.png was" in replaced_words("tv3dg", "unheard", ["mask.png"])
