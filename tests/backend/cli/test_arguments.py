"""The command line's arguments: what is offered, and what is not known."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from addon import protocol
from backend import __main__ as command_line
from backend.runtime.machine import ROOT
from tests.backend.fake_system import write_job
from tests.backend.processes import events, run


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


def test_the_help_offers_the_priors_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line.main(["generate", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "embedded, the name of an installed model, or a folder in diffusers' format" in printed


@pytest.mark.parametrize(
    ("words", "sentence", "whose"),
    [
        ([], "the following arguments are required: command", ""),
        (["generate", "--set", "scale", "--out", "x"], "argument --set: 'scale' is not NAME=VALUE", " generate"),
        (["generate", "--stop-after", "mesg", "--out", "x"], "invalid choice: 'mesg'", " generate"),
        (["generate"], "the following arguments are required: --out", " generate"),
        (["farm", "job"], "the following arguments are required: --engine, --out", " farm"),
        (["subjects", "keep", "\x1b[2Jjob"], "the following arguments are required: --name", " subjects keep"),
        (["models", "fetch"], "the following arguments are required: name", " models fetch"),
        (["queue", "x", "--worker", "a\nb"], "invalid int value: 'a\\nb'", " queue"),
        (["run", "job", "--bogus\x1b[2J"], "unrecognized arguments: --bogus\\x1b[2J", ""),
    ],
)
def test_what_is_wrong_is_one_line_with_where_help_is_and_no_usage(
    words: list[str], sentence: str, whose: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        command_line.main(words)
    said = capsys.readouterr().err
    assert left.value.code == 2 and said.startswith("error: ") and sentence in said and said.count("\n") == 1
    assert said.endswith(f". Help: python -m backend{whose} --help\n")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are those of POSIX")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "words", [["models", "list"], ["models", "list", "--json"], ["subjects", "list"], ["doctor"], ["--help"]]
)
def test_a_command_whose_output_nobody_reads_ends_quietly(words: list[str], unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command, variables = [sys.executable, "-m", "backend", *words], os.environ | {"PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(command, cwd=ROOT, env=variables, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) in ((0, ""), (3, ""))  # the doctor may find something missing
