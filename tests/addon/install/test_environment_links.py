"""An environment where a link stood: the link goes, and what it led to stays as it is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from addon.install import environment, interpreters
from tests.fake_python import write_fake_python


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize("leads_somewhere", [True, False])
def test_an_environment_takes_the_place_of_a_link_and_what_that_leads_to_stays(
    leads_somewhere: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "brings_cuda", lambda wheels: False)
    monkeypatch.setattr(environment, "NEEDED_GIB", 0.0)
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("FAILING", "nothing fails")
    python = interpreters.probe(write_fake_python(tmp_path / "python3.11"))
    lock, elsewhere, folder = tmp_path / "lock", tmp_path / "elsewhere", tmp_path / "environment"
    lock.write_text("one==1.0\n")
    before = []
    if leads_somewhere:
        environment.provide(elsewhere, [lock], python=python)
        before = sorted(elsewhere.rglob("*"))
    folder.symlink_to(elsewhere)
    assert environment.is_whole(folder, [lock], python.language) == leads_somewhere
    lock.write_text("one==1.1\n")
    monkeypatch.setenv("VENV", "broken")
    with pytest.raises(environment.EnvironmentProblem, match="no ensurepip"):
        environment.provide(folder, [lock], python=python)
    assert folder.is_symlink() and folder.readlink() == elsewhere  # put back
    monkeypatch.delenv("VENV")
    told: list[environment.Progress] = []
    environment.provide(folder, [lock], told.append, python=python)
    assert not folder.is_symlink() and environment.is_whole(folder, [lock], python.language)
    assert told[0].text == f"making the environment; {elsewhere}, to which a link led, stays as it is"
    assert not os.path.lexists(tmp_path / "environment-previous")
    assert sorted(elsewhere.rglob("*")) == before


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_to_remove_a_link_to_an_environment_leaves_the_environment(tmp_path: Path) -> None:
    elsewhere, link = tmp_path / "elsewhere", tmp_path / "link"
    elsewhere.mkdir()
    (elsewhere / "pyvenv.cfg").touch()
    (elsewhere / environment.STAMP).touch()
    link.symlink_to(elsewhere)
    environment.remove(link)
    assert not os.path.lexists(link) and len(list(elsewhere.iterdir())) == 2
