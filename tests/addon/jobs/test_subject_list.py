"""The list of kept subjects is read when it has changed, and only then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from addon import protocol
from addon.jobs import subject_list
from tests.addon.made_subjects import made_job


def test_it_is_read_again_when_a_subject_is_kept_or_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, job, reads = tmp_path / "subjects", made_job(tmp_path / "job"), []
    listing = protocol.list_subjects
    monkeypatch.setattr(protocol, "list_subjects", lambda place: reads.append(place) or listing(place))
    assert subject_list.listed(folder) == () and reads == []
    kept = protocol.keep_subject(folder, job, "Ted")
    os.utime(folder, ns=(1, 1))
    assert [subject_list.listed(folder) for _ in range(3)] == [(kept,)] * 3 and len(reads) == 1
    assert subject_list.find(folder, "Ted") == kept == subject_list.find(folder, "ted")
    protocol.delete_subject(kept)
    assert subject_list.listed(folder) == () and len(reads) == 2
    with pytest.raises(protocol.ProtocolError, match="no subject named 'Ted'"):
        subject_list.find(folder, "Ted")
