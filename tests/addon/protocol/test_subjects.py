"""Kept subjects: what is copied out of a job, how it is named and found, and what is refused."""

from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path

import pytest

from addon import protocol
from addon.protocol import ProtocolError, subjects
from tests.addon.made_subjects import made_job, write

FILES = {
    "photos/photo-01.png", "photos/photo-03.png", "classes/tensors.safetensors",
    *(f"taught/{name}/unet/config.json" for name in ("partial", "full")),
    *(f"taught/{name}/unet/diffusion_pytorch_model.safetensors" for name in ("partial", "full")),
}  # fmt: skip


def test_a_subject_is_what_a_job_has_learnt_under_the_hash_of_its_record(tmp_path: Path) -> None:
    kept = protocol.keep_subject(tmp_path / "subjects", made_job(tmp_path / "job"), "  My  Ted ")
    assert kept.record is not None and (kept.name, kept.record.subject, kept.record.token) == ("My Ted", "bear", "sks")
    assert kept.record.files.keys() == FILES
    assert all(hashlib.sha256((kept.folder / n).read_bytes()).hexdigest() == h for n, h in kept.record.files.items())
    assert kept.size == sum(path.stat().st_size for path in kept.folder.rglob("*") if path.is_file())
    assert kept.thumbnail == kept.folder / "photos/photo-01.png"
    assert stat.S_IMODE(kept.folder.stat().st_mode) == 0o700
    own, files = protocol.subject_files(kept)
    assert own == hashlib.sha256((kept.folder / "subject.json").read_bytes()).hexdigest()
    assert files.keys() == FILES | {"subject.json"}
    assert protocol.list_subjects(tmp_path / "subjects") == [kept] == [protocol.read_subject(kept.folder)]
    assert protocol.find_subject(tmp_path / "subjects", "my ted") == kept


def test_a_request_with_it_has_copies_of_all_its_files_and_survives_its_deletion(tmp_path: Path) -> None:
    kept = protocol.keep_subject(tmp_path / "subjects", made_job(tmp_path / "job"), "Ted")
    request, sources = protocol.describe(system="dreambooth3d", prompt="a blue bear", subject=kept)
    job = protocol.make_job(tmp_path / "jobs", request, sources)
    protocol.delete_subject(kept)
    assert not kept.folder.exists() and list((tmp_path / "subjects").iterdir()) == []
    copies = protocol.files_inside(job, protocol.SUBJECT_FOLDER)
    assert {name.removeprefix(f"{protocol.SUBJECT_FOLDER}/") for name in copies} == FILES | {"subject.json"}
    again = protocol.read_request(job)
    assert again == request and again.roles == {protocol.KEPT_SUBJECT}
    assert hashlib.sha256((job / protocol.SUBJECT_FOLDER / "subject.json").read_bytes()).hexdigest() == again.subject


def test_a_name_is_there_once_and_is_a_name(tmp_path: Path) -> None:
    job = made_job(tmp_path / "job")
    protocol.keep_subject(tmp_path / "subjects", job, "Ted")
    with pytest.raises(ProtocolError, match="'TED' is kept already"):
        protocol.keep_subject(tmp_path / "subjects", job, "TED")
    for name, words in (("", "is no name"), ("!?", "is no name"), ("x" * 61, "61 letters"), ("a\x1bb", "is no name")):
        with pytest.raises(ProtocolError, match=words):
            protocol.keep_subject(tmp_path / "subjects", job, name)
    with pytest.raises(ProtocolError, match="no subject named 'Tod' .* Kept are Ted"):
        protocol.find_subject(tmp_path / "subjects", "Tod")
    with pytest.raises(ProtocolError, match="None is kept yet"):
        protocol.find_subject(tmp_path / "nothing", "Tod")
    assert len(list((tmp_path / "subjects").iterdir())) == 1


@pytest.mark.parametrize(
    "lost", ["stages/3-teaching/stage.json", "stages/3-teaching/taught.json", "stages/1-cutouts/stage.json"]
)
def test_a_job_that_has_not_learnt_it_yet_is_said(tmp_path: Path, lost: str) -> None:
    job = made_job(tmp_path / "job")
    (job / lost).unlink()
    with pytest.raises(ProtocolError, match="has not learnt its subject yet"):
        protocol.keep_subject(tmp_path / "subjects", job, "Ted")
    assert not (tmp_path / "subjects").exists()


def test_another_system_learns_no_subject(tmp_path: Path) -> None:
    job = protocol.make_job(tmp_path, protocol.Request(system="tv3dg", prompt="a mug"), [])
    with pytest.raises(ProtocolError, match="learns no subject; dreambooth3d does"):
        protocol.keep_subject(tmp_path / "subjects", job, "Ted")


def test_weights_that_no_job_could_take_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subjects, "INPUT_BYTES", 6)
    with pytest.raises(ProtocolError, match="too large to keep: .*tuning_whole=lora"):
        protocol.keep_subject(tmp_path / "subjects", made_job(tmp_path / "job"), "Ted")


def test_links_of_a_stranger_s_job_are_not_followed(tmp_path: Path) -> None:
    job = made_job(tmp_path / "job")
    write(tmp_path / "secret", b"secret")
    (job / "stages/1-cutouts/photo-02.png").symlink_to(tmp_path / "secret")
    with pytest.raises(ProtocolError, match="is a link"):
        protocol.keep_subject(tmp_path / "subjects", job, "Ted")


def test_a_copy_that_breaks_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(subjects, "_copy", full)
    with pytest.raises(OSError, match="No space"):
        protocol.keep_subject(tmp_path / "subjects", made_job(tmp_path / "job"), "Ted")
    assert list((tmp_path / "subjects").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "version 2"),
        ({"files": {"../../evil": "0"}}, "others than a subject has"),
        ({"files": {"photos/photo-01.png": 3}}, "expected"),
        ({"files": {f"photos/photo-{n:02}.png": "0" for n in range(100)}}, "too many files"),
        ({"name": "\x1b[31m"}, "is no name"),
        ({"more": 1}, "has no 'more'"),
    ],
)
def test_a_damaged_subject_is_listed_with_what_is_wrong_and_cannot_be_used(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    kept = protocol.keep_subject(tmp_path, made_job(tmp_path / "job"), "Ted")
    record = kept.folder / "subject.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | change))
    (found,) = [each for each in protocol.list_subjects(tmp_path) if each.folder == kept.folder]
    assert found.record is None and words in found.problem and found.thumbnail is None
    with pytest.raises(ProtocolError, match="cannot be used"):
        protocol.subject_files(found)
    protocol.delete_subject(found)
    assert not kept.folder.exists()


def test_a_lost_file_and_a_folder_that_is_no_subject_are_said(tmp_path: Path) -> None:
    kept = protocol.keep_subject(tmp_path / "subjects", made_job(tmp_path / "job"), "Ted")
    (kept.folder / "photos/photo-03.png").unlink()
    with pytest.raises(ProtocolError, match=r"lacks photos/photo-03.png"):
        protocol.subject_files(kept)
    (kept.folder / "subject.json").write_bytes(b" " * 70_000)
    assert "more than 65536 bytes" in protocol.read_subject(kept.folder).problem
    (kept.folder / "subject.json").unlink()
    with pytest.raises(ProtocolError, match="is no kept subject"):
        protocol.delete_subject(kept)
    assert kept.folder.exists()
