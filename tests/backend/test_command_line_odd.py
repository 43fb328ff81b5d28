"""The command line after kills and power failures, and with settings and stages that there are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from addon import jobs, protocol
from backend import __main__ as command_line
from backend.supervision import Control
from tests.backend.fake_system import write_job
from tests.backend.processes import run
from tests.backend.test_command_line import events


def test_generate_leaves_no_half_made_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "job"
    out.mkdir()  # an empty one is taken

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(protocol, "write_request", fail)
        command_line.main(["generate", "--prompt", "fit", "--out", "job"])
    assert list(out.iterdir()) == [] and [path.name for path in tmp_path.iterdir()] == ["job"]
    (tmp_path / "job-abc.tmp/inputs").mkdir(parents=True)  # what a killed one leaves
    monkeypatch.setattr(command_line, "_run", lambda *_, **__: 0)
    assert command_line.main(["generate", "--prompt", "fit", "--out", "job"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["inputs", "request.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job", "job-abc.tmp"]


def test_the_current_folder_does_not_become_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command_line.main(["generate", "--prompt", "fit", "--out", "."]) == 2
    assert "Choose another --out" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["generate", "--prompt", "fit", "--out", "file"], "file is a file. Give --out an empty or a new folder."),
        (["generate", "--prompt", "fit", "--out", "file/job"], "file/job cannot be made: Not a directory."),
        (["generate", "--prompt", "fit", "--out", "full"], "full holds other things than a job."),
        (["generate", "--prompt", "fit", "--image", "full", "--out", "job"], "full is a folder, not an image."),
        (["edit", "nowhere", "--prompt", "fit", "--out", "job"], "There is no folder nowhere."),
    ],
)
def test_a_wrong_place_is_a_sentence_and_nothing_is_made(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    assert command_line.main(arguments) == 2
    assert words in capsys.readouterr().err and sorted(tmp_path.rglob("*")) == before


def test_a_wrong_setting_and_an_unknown_stage_are_said_so(tmp_path: Path) -> None:
    wrong = write_job(tmp_path / "wrong", settings={"checkpoint_seconds": "abc"})
    unmet = write_job(tmp_path / "unmet", stop_after="typo")
    done = run(tmp_path, "run", wrong, unmet)
    assert done.returncode == 2
    messages = events(done.stdout)
    failed = next(message for message in messages if isinstance(message, protocol.Failed))
    assert (failed.kind, failed.exit_code) == ("BadInput", 2) and "checkpoint_seconds is 'abc'" in failed.message
    warning, end = messages[-2:]
    assert isinstance(warning, protocol.Warning) and warning.hint == "Its stages are prepare, fit-weights, export."
    assert "no stage 'typo'" in warning.message
    assert isinstance(end, protocol.Finished) and end.stopped_after == ""


def test_a_run_after_a_power_failure_writes_readable_events(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job")
    (job / "events.jsonl").write_text('{"type": "Hello", "jo')
    done = run(tmp_path, "run", job)
    assert done.returncode == 0
    assert (job / "events.jsonl").read_text() == '{"type": "Hello", "jo\n' + done.stdout
    assert jobs.state(job) == jobs.FINISHED


def test_the_help_offers_the_priors_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line.main(["generate", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "embedded, or a local folder in diffusers' format" in printed and "sd15" not in printed


def test_the_control_knows_no_job_when_the_last_message_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    control, seen = Control(), []
    run = command_line._Run(tmp_path / "missing", control, None, None)
    monkeypatch.setattr(run, "emit", lambda event: seen.append((type(event).__name__, control.job)))
    control.cancel()
    run.to_its_end(lambda job: None)
    assert seen == [("Hello", "missing"), ("Failed", "")]
