"""`python -m backend edit`: the folder that it makes, what it resumes, and what it refuses before it makes one."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from addon import protocol
from backend.__main__ import main
from tests.backend.fake_system import write_job
from tests.backend.processes import run


def finished(folder: Path) -> Path:
    """Write a job with an image, points and a record, as a run would have left it."""
    image = protocol.InputImage(path="inputs/00.png", role="visual_prompt")
    job = write_job(folder, prompt="a red mug", images=(image,), preset="draft", settings={"views": 2})
    for name in ("inputs/00.png", "result/points.ply"):
        (job / name).parent.mkdir()
        (job / name).write_bytes(name.encode())
    (job / protocol.RESULT_FILE).write_text("{}")
    return job


def test_edit_makes_a_complete_folder_runs_it_and_resumes_it(tmp_path: Path) -> None:
    first, out = finished(tmp_path / "first"), tmp_path / "out"
    command = ["edit", first, "--prompt", "a blue mug", "--set", "steps=14", "--threads", 1, "--out", out]
    done = run(tmp_path, *command)
    assert (done.returncode, done.stdout) == (0, f"{out}/result/points.bin\n")
    request = protocol.read_request(out)
    assert (request.prompt, request.start_prompt, request.start) == ("a blue mug", "a red mug", "inputs/start.ply")
    assert (request.seed, request.preset, request.settings) == (3, "draft", {"views": 2, "steps": 14})
    assert (out / "inputs/start.ply").read_bytes() == b"result/points.ply"
    assert (out / "inputs/00.png").read_bytes() == b"inputs/00.png"
    shutil.copytree(first, tmp_path / "kept")
    again = run(tmp_path, *command)
    assert again.returncode == 0 and "(done before)" in again.stderr
    (first / "result/points.ply").write_bytes(b"others")
    other = run(tmp_path, *command)
    assert other.returncode == 2 and f"{out} holds another job." in other.stderr
    moved = run(tmp_path, "edit", tmp_path / "kept", *command[2:])  # the same job in another place
    assert moved.returncode == 0 and "(done before)" in moved.stderr


@pytest.mark.parametrize(
    ("prompt", "damage", "words"),
    [
        ("a red mug", "", "say what is to be different"),
        ("", "", "The prompt is empty"),
        ("a blue mug", "result/points.ply", "first has no result/points.ply"),
        ("a blue mug", "inputs/00.png", "has no inputs/00.png"),
        ("a blue mug", "request.json", "is not a job folder"),
    ],
)
def test_what_cannot_be_edited_is_exit_code_2_and_leaves_nothing(
    prompt: str, damage: str, words: str, tmp_path: Path
) -> None:
    first, out = finished(tmp_path / "first"), tmp_path / "out"
    if damage:
        (first / damage).unlink()
    done = run(tmp_path, "edit", first, "--prompt", prompt, "--out", out)
    assert done.returncode == 2 and words in done.stderr and done.stderr.startswith("error: ")
    assert not out.exists() and done.stdout == ""


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_out_of_the_job_is_not_followed(tmp_path: Path) -> None:
    first, secret = finished(tmp_path / "first"), tmp_path / "secret"
    secret.write_bytes(b"secret")
    (first / "result/points.ply").unlink()
    (first / "result/points.ply").symlink_to(secret)
    done = run(tmp_path, "edit", first, "--prompt", "a blue mug", "--out", tmp_path / "out")
    assert done.returncode == 2 and "or a link in its place" in done.stderr and not (tmp_path / "out").exists()


def test_a_job_that_is_not_finished_is_said_to_be_and_how_to_finish_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = write_job(tmp_path / "begun", system="tv3dg", prompt="a red mug")
    assert main(["edit", str(begun), "--prompt", "a blue mug", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: begun is not finished: it has no result/points.ply yet")
    assert "Run it to its end first. That is: " in said and said.endswith(f" -m backend run {begun}\n")
    assert not (tmp_path / "out").exists()
