"""`generate --preflight` says what a job would take, and makes nothing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from addon import protocol
from addon.protocol import preflight
from backend.__main__ import main
from backend.cli import new_job
from backend.cli import preflight as subject
from backend.cli.arguments import parser
from backend.errors import EmptyMask
from backend.images import save_image
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.systems.base_model import base_folder
from backend.systems.reference import perceive

SPEED = preflight.Speed(device="cpu", threads=1, processor=57.0, small=57.0)


@pytest.fixture(autouse=True)
def _measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAQUETTE_SPEED", str(tmp_path))
    preflight.write_speed(tmp_path, SPEED)


def test_it_prints_a_line_and_each_stage_and_leaves_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "job")
    words = ["generate", "--prompt", "a red mug", "--preset", "draft", "--threads", "1", "--out", out, "--preflight"]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "about 2 min, 1.1 GB" and not Path(out).exists()
    assert [line.split()[0] for line in lines[1:-1]] == ["sides", "gaussians", "mesh"]
    assert lines[-1] == "On the processor, 1 threads, measured there; all of it is predicted."
    assert main([*words, "--set", "steps=0"]) == 2
    assert main([*words, "--prior", "not-there"]) == 3


def test_too_little_memory_is_said_with_the_preset_that_fits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["generate", "--prompt", "a red mug", "--preset", "paper", "--threads", "1", "--preflight"]
    assert main(words) == 0 and "GB that are free" not in capsys.readouterr().out
    base = preflight.read_base(base_folder("embedded"))
    free = preflight.memory("tv3dg", protocol.SYSTEMS["tv3dg"].presets["draft"], base, SPEED)
    monkeypatch.setattr("backend.systems.preflight.available_memory", lambda: free)
    assert main(words) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert line == f"Too much for the {free / 1e9:.1f} GB that are free; Standard fits."


def test_a_machine_that_was_never_measured_is_measured(tmp_path: Path) -> None:
    (tmp_path / preflight.SPEED_FILE).unlink()
    said = subject.report(protocol.Request(system="tv3dg", prompt="a mug", preset="bench", threads=1))
    assert said.startswith("about ") and preflight.read_speed(tmp_path) is not None


def picture(path: Path, wide: int = 20) -> Path:
    """Write a red rectangle before white, of so many pixels of 64: 0 is none."""
    rgb = torch.ones(64, 64, 3)
    rgb[20:44, 20 : 20 + wide] = torch.tensor([0.8, 0.1, 0.1])
    save_image(path, rgb)
    return path


def test_an_image_without_a_subject_is_refused_as_the_job_refuses_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = picture(tmp_path / "blank.png", 0)
    for system in ("tv3dg", "customize_it_3d"):
        words = ["generate", "--system", system, "--prompt", "a mug", "--image", str(image), "--preset", "bench"]
        assert main([*words, "--preflight"]) == 2
        refused = capsys.readouterr()
        assert refused.out == "" and refused.err.startswith("error: blank.png: The mask is empty")
    asked = new_job.asked(parser().parse_args([*words, "--preflight"]))
    job = Job(new_job.make_or_resume(tmp_path / "job", *asked), asked[0], lambda event: None, Control())
    with pytest.raises(EmptyMask) as of_job:
        perceive(job, asked[0].images[0], 32)
    assert refused.err == f"error: {of_job.value.message} {of_job.value.hint}\n"


def test_photos_without_a_subject_are_refused_or_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = [picture(tmp_path / f"{number}.png", wide) for number, wide in enumerate((0, 10, 20))]
    words = ["generate", "--system", "dreambooth3d", "--prompt", "a mug", "--preset", "bench", "--preflight"]
    words += ["--set", "matting=colours"]
    assert main([*words, *(word for photo in photos for word in ("--image", str(photo)))]) == 0
    assert "warning: 0.png is left out: The mask is empty" in capsys.readouterr().err
    assert main([*words, *(word for photo in photos[:2] for word in ("--image", str(photo)))]) == 2
    assert "error: Only 1 of 2 photos show a subject." in capsys.readouterr().err


def test_the_mask_that_is_given_is_the_one_that_is_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blank, mask = picture(tmp_path / "blank.png", 0), tmp_path / "mask.png"
    words = ["generate", "--prompt", "a mug", "--preset", "bench", "--preflight"]
    words += ["--image", str(blank), "--mask", str(mask)]
    for white, code, sentence in ((1.0, 0, ""), (0.0, 2, "The mask is empty: 0 of 4096 pixels are white.")):
        drawn = torch.zeros(64, 64, 3)
        drawn[10:50, 10:50] = white
        save_image(mask, drawn)
        assert main(words) == code and sentence in capsys.readouterr().err


def test_words_that_the_prior_does_not_know_are_named_but_not_the_one_it_is_taught(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["generate", "--preset", "bench", "--negative-prompt", "blurry", "--preflight"]
    assert main([*words, "--prompt", "a red gargoyle"]) == 0
    said = capsys.readouterr()
    assert said.err.startswith("warning: The prior does not know 'gargoyle', 'blurry'. It draws what it can")
    assert said.out.startswith("about ")
    image = ["--image", str(picture(tmp_path / "mug.png")), "--system", "customize_it_3d", "--set", "token=qqq"]
    assert main([*words, "--prompt", "a qqq gargoyle", *image]) == 0
    assert "does not know 'gargoyle', 'blurry'." in capsys.readouterr().err


def test_the_token_of_a_kept_subject_is_known(tmp_path: Path) -> None:
    hashes = {"photos/photo-01.png": "0" * 64}
    record = protocol.SubjectRecord(subject="bear", token="zyx", prior="f" * 64, name="mine", files=hashes)
    text = json.dumps(asdict(record)).encode()
    (tmp_path / protocol.SUBJECT_RECORD).write_bytes(text)
    request = protocol.Request(
        system="dreambooth3d", prompt="a zyx gargoyle", subject=hashlib.sha256(text).hexdigest(),
        subject_files=(protocol.SUBJECT_RECORD,),
    )  # fmt: skip
    (said, _), *more = subject.doubts(
        subject.Asked(request, [tmp_path / protocol.SUBJECT_RECORD]), base_folder("embedded"), 128
    )
    assert "'gargoyle'" in said and "zyx" not in said and not more
