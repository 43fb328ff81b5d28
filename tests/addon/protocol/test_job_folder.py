"""Job folders: their request is read back, they are made whole or not at all, and an edit begins from one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from addon import protocol
from addon.protocol import job_folder

if sys.platform != "win32":  # where the test that limits files is skipped
    import resource

REQUEST = protocol.Request(
    system="tv3dg", prompt="a mug", images=(protocol.InputImage(path="inputs/00.png", role="visual_prompt"),)
)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    (tmp_path / "picture.png").write_bytes(b"pixels")
    return tmp_path / "picture.png"


def test_names_are_those_of_the_folders_that_there_are() -> None:
    names = {name: value for name, value in vars(job_folder).items() if name.endswith(("_FILE", "_FOLDER"))}
    assert names == {
        "REQUEST_FILE": "request.json",
        "EVENTS_FILE": "events.jsonl",
        "LOG_FILE": "log.txt",
        "CORES_FILE": "cores.json",
        "LOCK_FILE": ".lock",
        "INPUT_FOLDER": "inputs",
        "STAGES_FOLDER": "stages",
        "RECORD_FILE": "stage.json",
        "PREVIEW_FILE": "preview/latest.png",
        "RESULT_FOLDER": "result",
        "MESH_FILE": "result/model.glb",
        "POINTS_FILE": "result/points.ply",
        "SPLATS_FILE": "result/splats.glb",
        "PICTURE_FILE": "result/preview.png",
        "TURNTABLE_FILE": "result/turntable.webp",
        "RESULT_FILE": "result/result.json",
    }


def test_a_request_survives_its_file(tmp_path: Path) -> None:
    protocol.write_request(tmp_path, REQUEST)
    assert protocol.read_request(tmp_path) == REQUEST
    assert [path.name for path in tmp_path.iterdir()] == ["request.json"]


def test_a_folder_without_a_request_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(protocol.ProtocolError, match="not a job folder"):
        protocol.read_request(tmp_path)
    (tmp_path / "request.json").write_text(" " * (protocol.LINE_BYTES + 1))
    with pytest.raises(protocol.ProtocolError, match="at most"):
        protocol.read_request(tmp_path)


# ---- making ----------------------------------------------------------------------------------------------------------


def test_a_new_job_has_its_request_and_a_copy_of_its_input(tmp_path: Path, picture: Path) -> None:
    job = protocol.make_job(tmp_path / "jobs", REQUEST, [picture])
    picture.write_bytes(b"edited later")
    assert protocol.read_request(job) == REQUEST and (job / "inputs/00.png").read_bytes() == b"pixels"
    assert list((tmp_path / "jobs").iterdir()) == [job] and not protocol.is_running(job)


def test_nothing_is_left_of_a_job_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing.png"):
        protocol.make_job(tmp_path / "jobs", REQUEST, [tmp_path / "missing.png"])
    with pytest.raises(IsADirectoryError):
        protocol.make_job(tmp_path / "jobs", REQUEST, [tmp_path])
    assert list((tmp_path / "jobs").iterdir()) == []
    with pytest.raises(ValueError, match="1 files in the request, but 0 are given"):
        protocol.make_job(tmp_path / "jobs", REQUEST, [])


@pytest.mark.skipif(sys.platform == "win32", reason="modes of files")
def test_the_add_on_s_jobs_are_private_and_folders_that_are_named_keep_the_umask(tmp_path: Path, picture: Path) -> None:
    kept = os.umask(0o002)
    try:
        job = protocol.make_job(tmp_path / "jobs", REQUEST, [picture])
        protocol.make_folder(tmp_path / "farm/job", REQUEST, [picture])
        (tmp_path / "mine").mkdir()
        protocol.make_job(tmp_path / "mine", REQUEST, [picture])
    finally:
        os.umask(kept)
    modes = [path.stat().st_mode & 0o777 for path in (job, job.parent, tmp_path / "farm/job", tmp_path / "mine")]
    assert modes == [0o700, 0o700, 0o775, 0o775]


@pytest.mark.skipif(sys.platform == "win32", reason="sparse files")
def test_an_input_that_is_too_large_is_refused_before_it_is_copied(tmp_path: Path, picture: Path) -> None:
    with picture.open("ab") as file:
        file.truncate(protocol.INPUT_BYTES + 1)
    with pytest.raises(ValueError, match=r"picture.png has 268\.4 MB; an input has at most 268\.4 MB"):
        protocol.make_job(tmp_path / "jobs", REQUEST, [picture])
    assert not (tmp_path / "jobs").exists()


def test_a_folder_is_made_in_the_place_of_an_empty_one_but_of_no_other(tmp_path: Path, picture: Path) -> None:
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.mkdir()
    protocol.make_folder(empty, REQUEST, [picture])
    assert protocol.read_request(empty) == REQUEST and (empty / "inputs/00.png").read_bytes() == b"pixels"
    full.mkdir()
    (full / "mine").touch()
    with pytest.raises(OSError):
        protocol.make_folder(full, REQUEST, [picture])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "full", "picture.png"]
    assert [path.name for path in full.iterdir()] == ["mine"]


def test_an_interrupt_leaves_nothing_of_a_job(tmp_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(folder: Path, request: protocol.Request) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(job_folder, "write_request", interrupt)
    with pytest.raises(KeyboardInterrupt):
        protocol.make_job(tmp_path / "jobs", REQUEST, [picture])
    assert list((tmp_path / "jobs").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE")
def test_a_full_disk_leaves_no_half_a_job_and_says_what_to_do(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(bytes(3_000_000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))  # as on a full disk, writing ends in an OSError
    try:
        with pytest.raises(OSError, match=r"No room for a new job .* 3\.0 MB were to be copied, .* are free\. Remove"):
            protocol.make_job(tmp_path / "jobs", REQUEST, [picture])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list((tmp_path / "jobs").iterdir()) == []


def test_sizes_are_said_as_an_artist_reads_them() -> None:
    sizes = (0, 1, 99_000, 100_000, 3_800_000, 2_000_000_000)
    assert [protocol.megabytes(size) for size in sizes] == ["0 kB", "1 kB", "99 kB", "0.1 MB", "3.8 MB", "2.0 GB"]


def test_an_edit_takes_the_points_and_the_visual_prompts(tmp_path: Path, picture: Path) -> None:
    job = protocol.make_job(tmp_path, REQUEST, [picture])
    with pytest.raises(ValueError, match=f"{job.name} is not finished: it has no result/points.ply yet"):
        protocol.describe_edit(job, "a blue mug")
    (job / "result").mkdir()
    (job / protocol.RESULT_FILE).touch()
    with pytest.raises(ValueError, match=f"{job.name} has no result/points.ply, or a link"):
        protocol.describe_edit(job, "a blue mug")
    (job / "result/points.ply").write_bytes(b"points")
    request, sources = protocol.describe_edit(job, "a blue mug", seed=7)
    assert request == REQUEST.edited("a blue mug", seed=7)
    assert sources == [job / "inputs/00.png", job / "result/points.ply"]
    edited = protocol.make_job(tmp_path, request, sources)
    assert (edited / "inputs/start.ply").read_bytes() == b"points"
