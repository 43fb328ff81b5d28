"""A process that hears nothing is ended when nobody wants it any more."""

from __future__ import annotations

from pathlib import Path

from addon import protocol
from backend.runtime.watchdog import is_wanted
from tests.backend.fake_system import write_job
from tests.backend.processes import last, run


def test_an_orphan_that_hears_nothing_is_ended(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job", prompt="deaf")
    done = run(tmp_path, "run", job, "--supervised")  # with an empty stdin: the parent is gone already
    assert done.returncode == 4
    assert isinstance(last(done.stdout), protocol.Interrupted)


def test_a_process_is_wanted_while_its_file_is_there_or_another_holds_the_other(tmp_path: Path) -> None:
    stay, owner = tmp_path / "stay", tmp_path / "owner"
    assert not is_wanted(None, None) and not is_wanted(stay, owner)
    stay.touch()
    assert is_wanted(stay, None) and is_wanted(stay, owner)
    stay.unlink()
    owner.touch()
    assert not is_wanted(stay, owner)  # nobody holds it
