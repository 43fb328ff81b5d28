"""A new job that begins from a finished one: the folder that is made, and why there is none."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest

from addon import api, protocol
from addon.jobs import store
from tests.addon.jobs.test_store import HELLO, say
from tests.addon.made_subjects import PHOTOS

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 8, 8)


def finished(folder: Path, name: str = "first", *, outputs: tuple[str, ...] = ("mesh", "points")) -> Path:
    """Write a finished job with an image."""
    job = folder / name
    (job / "result").mkdir(parents=True)
    (job / "inputs").mkdir()
    (job / "inputs/00.png").write_bytes(PNG)
    (job / "result/points.ply").write_bytes(b"points of " + name.encode())
    image = protocol.InputImage(path="inputs/00.png", role="visual_prompt")
    request = protocol.Request(
        system="tv3dg", prompt="a red robot", images=(image,), seed=5, preset="draft", outputs=outputs,
        settings={"views": 2},
    )  # fmt: skip
    protocol.write_request(job, request)
    say(job, HELLO, protocol.Finished(results=("result/points.ply",), seconds=1.0))
    return job


def test_an_edit_is_a_complete_folder_of_its_own(tmp_path: Path) -> None:
    first = finished(tmp_path)
    edited = api.edit(first, "a blue robot", jobs=tmp_path, settings={"edit_steps": 3})
    before = (first / "result/points.ply").read_bytes()
    assert (edited / "inputs/start.ply").read_bytes() == before and (edited / "inputs/00.png").read_bytes() == PNG
    request = protocol.read_request(edited)
    assert (request.prompt, request.start_prompt, request.seed) == ("a blue robot", "a red robot", 5)
    assert request.settings == {"views": 2, "edit_steps": 3}
    store.remove(first)
    again = store.repeat_job(edited)  # nothing of the first job is needed any more
    assert protocol.read_request(again) == request and (again / "inputs/start.ply").read_bytes() == before


def test_what_cannot_be_edited_is_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    mesh_alone = finished(tmp_path, "mesh", outputs=("mesh",))
    running = finished(tmp_path, "running")
    say(running, HELLO)
    gone = finished(tmp_path, "gone")
    (gone / "result/points.ply").unlink()
    for job, words in (
        (mesh_alone, "mesh cannot be edited: it made no points"),
        (running, "running cannot be edited: it has no result yet"),
        (gone, "gone has no result/points.ply"),
        (tmp_path, "is not a job folder"),
    ):
        with pytest.raises(protocol.ProtocolError, match=words):
            api.edit(job, "a blue robot", jobs=folder)
    with pytest.raises(protocol.ProtocolError, match="say what is to be different"):
        api.edit(finished(tmp_path), "a red robot", jobs=folder)
    assert not folder.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_stranger_s_link_is_not_followed(tmp_path: Path) -> None:
    job = finished(tmp_path)
    (tmp_path / "secret").write_bytes(b"secret")
    (job / "result/points.ply").unlink()
    (job / "result/points.ply").symlink_to(tmp_path / "secret")
    with pytest.raises(protocol.ProtocolError, match="or a link in its place"):
        api.edit(job, "a blue robot", jobs=tmp_path / "jobs")
    assert not (tmp_path / "jobs").exists()


def test_jobs_of_other_systems_and_unfinished_ones_say_why() -> None:
    request = protocol.Request(system="customize_it_3d", prompt="a dog")
    assert "Object from One Image cannot be changed by words" in store.why_not_edit(request, store.FINISHED)
    request = protocol.Request(system="dreambooth3d", prompt="a dog", images=PHOTOS, outputs=("mesh",))
    assert store.why_not_edit(request, store.FINISHED) == ""  # it begins from a field, not from points
    request = protocol.Request(system="tv3dg", prompt="a dog")
    assert store.why_not_edit(request, store.FINISHED) == "" and store.why_not_edit(request, store.FAILED)
