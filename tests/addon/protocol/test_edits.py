"""An edit of a job that has learnt a subject: its field and its subject go along, and what is lost is said."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from addon import protocol
from addon.protocol.edits import VALUES_FILE
from tests.addon.made_subjects import made_job, write


def finished_job(folder: Path) -> Path:
    """Return a job with a record of what it has learnt, and a field."""
    job = made_job(folder)
    parts = {"photos": "1-cutouts", "classes": "2-classes", "taught": "3-teaching"}
    hashes = {}
    for target, stage in parts.items():
        for path in sorted((job / "stages" / stage).rglob("*")):
            name = f"{target}/{path.relative_to(job / 'stages' / stage).as_posix()}"
            if protocol.OF_A_SUBJECT.fullmatch(name):
                hashes[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    record = protocol.SubjectRecord(subject="bear", token="sks", prior="f" * 64, name="sks bear", files=hashes)
    write(job / "stages/3-teaching/subject.json", protocol.encode_record(record))
    write(job / f"stages/8-refined/{VALUES_FILE}", b"field")
    return job


def test_an_edit_has_the_field_and_the_subject_of_its_job_and_can_be_edited_again(tmp_path: Path) -> None:
    first = finished_job(tmp_path / "first")
    edited = protocol.make_job(tmp_path, *protocol.describe_edit(first, "a blue sks bear", seed=4))
    request = protocol.read_request(edited)
    assert (request.start, request.start_prompt, request.seed) == ("inputs/start.safetensors", "a red bear", 4)
    assert (edited / request.start).read_bytes() == b"field" and request.images == ()
    own = (edited / protocol.SUBJECT_FOLDER / "subject.json").read_bytes()
    assert hashlib.sha256(own).hexdigest() == request.subject
    for name, digest in protocol.decode_record(own).files.items():
        assert hashlib.sha256((edited / protocol.SUBJECT_FOLDER / name).read_bytes()).hexdigest() == digest
    assert request.roles == {protocol.KEPT_SUBJECT, protocol.FROM_RESULT}
    system = protocol.SYSTEMS["dreambooth3d"]
    stages = [stage.name for stage in system.stages_of(request.roles, system.presets["draft"], ("mesh",))]
    assert stages == ["redrawn", "reteaching", "refined", "mesh"]

    write(edited / f"stages/3-refined/{VALUES_FILE}", b"bluer")
    again, sources = protocol.describe_edit(edited, "a green sks bear")
    assert again.subject == request.subject and sources[0].read_bytes() == b"bluer"
    assert len(sources) == len(again.files)


def test_what_is_missing_for_an_edit_is_said(tmp_path: Path) -> None:
    no_field = finished_job(tmp_path / "field")
    (no_field / f"stages/8-refined/{VALUES_FILE}").unlink()
    with pytest.raises(ValueError, match="has no stages/.*-refined/tensors.safetensors"):
        protocol.describe_edit(no_field, "a blue sks bear")
    (no_field / "stages/3-teaching/subject.json").unlink()
    with pytest.raises(ValueError, match="is not finished"):  # rather than that it has learnt nothing
        protocol.describe_edit(no_field, "a blue sks bear")
    no_record = finished_job(tmp_path / "record")
    (no_record / "stages/3-teaching/subject.json").unlink()
    with pytest.raises(protocol.ProtocolError, match="no kept subject"):
        protocol.describe_edit(no_record, "a blue sks bear")
    lost = finished_job(tmp_path / "lost")
    (lost / "stages/1-cutouts/photo-03.png").unlink()
    with pytest.raises(protocol.ProtocolError, match="lost files of its subject"):
        protocol.describe_edit(lost, "a blue sks bear")
