"""`python -m backend generate`: the folder that it makes and runs, and what it refuses."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from addon import protocol
from addon.protocol import job_folder
from backend import __main__ as command_line
from backend.cli import arguments, job_runner, new_job
from backend.errors import BadInput
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.runtime.machine import ROOT
from tests.backend.fake_system import write_job
from tests.backend.png import promised_png
from tests.backend.processes import run


def test_a_mask_comes_into_the_request_and_is_checked_as_the_images_are(tmp_path: Path) -> None:
    for name in ("a.png", "mask.png"):
        Image.new("L", (8, 8), "white").save(tmp_path / name)
    words = ["generate", "--prompt", "a mug", "--image", f"{tmp_path}/a.png", "--out", "x", "--mask"]
    request, sources = new_job.asked(arguments.parser().parse_args([*words, f"{tmp_path}/mask.png"]))
    assert sources == [tmp_path / "a.png", tmp_path / "mask.png"]
    assert [image.role for image in request.images] == ["reconstruct", "mask"]
    with pytest.raises(BadInput, match=r"There is no image .*other\.png"):
        new_job.asked(arguments.parser().parse_args([*words, f"{tmp_path}/other.png"]))


def test_the_prompt_that_an_image_names_is_said_and_what_cannot_be_is_refused_before_there_is_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def asked(*words: str) -> protocol.Request:
        return new_job.asked(arguments.parser().parse_args(["generate", "--out", "x", *words]))[0]

    picture = tmp_path / "red_mug-2.png"
    Image.new("L", (8, 8), "white").save(picture)
    assert asked("--image", str(picture)).prompt == "red mug"
    assert capsys.readouterr().err == "The prompt is 'red mug', after red_mug-2.png; --prompt says something else.\n"
    assert asked("--image", str(picture), "--prompt", "a cup").prompt == "a cup" and capsys.readouterr().err == ""
    with pytest.raises(BadInput, match="there is no image"):
        asked("--prompt", "a mug", "--mask", str(picture))
    with pytest.raises(protocol.ProtocolError, match=r"Prompt and Style \(tv3dg\) has no stage 'cutouts'"):
        asked("--prompt", "a mug", "--stop-after", "cutouts")


def test_generate_makes_the_folder_runs_it_and_resumes_it(tmp_path: Path) -> None:
    picture, style, out = tmp_path / "a.png", tmp_path / "style.JPG", tmp_path / "out" / "job"
    Image.new("RGBA", (8, 8), (255, 0, 0, 128)).save(picture)
    Image.new("RGB", (8, 8), "blue").save(style)
    arguments = [
        "generate",
        "--system",
        "tv3dg",
        "--prompt",
        "a red mug",
        "--negative-prompt",
        "ugly",
        "--image",
        picture,
    ]
    arguments += ["--elevation", 20, "--azimuth", -30, "--fov", 50, "--visual-prompt", style, "--preset", "draft"]
    arguments += ["--seed", 7, "--prior", "embedded", "--threads", 1, "--set", "steps=10", "--set", "tau=0.0"]
    arguments += ["--set", "camera_tokens=true", "--set", "start=ball", "--out", out]
    done = run(tmp_path, *arguments)
    assert done.returncode == 0
    assert done.stdout == f"{out}/result/points.bin\n"
    assert [line.split(", after")[0] for line in done.stderr.splitlines()[:3]] == [
        "1. prepare",
        "2. Fit weights",
        "3. export",
    ]
    assert done.stderr.splitlines()[3].startswith("done in 0:")
    assert protocol.read_request(out) == protocol.Request(
        system="tv3dg",
        prompt="a red mug",
        negative_prompt="ugly",
        images=(
            protocol.InputImage(path="inputs/00.png", elevation_degrees=20.0, azimuth_degrees=-30.0, fov_degrees=50.0),
            protocol.InputImage(path="inputs/01.jpg", role="visual_prompt"),
        ),
        seed=7,
        preset="draft",
        prior="embedded",
        threads=1,
        settings={"steps": 10, "tau": 0.0, "camera_tokens": True, "start": "ball"},
    )
    assert (out / "inputs/00.png").read_bytes() == picture.read_bytes()
    again = run(tmp_path, *arguments)
    assert again.returncode == 0 and again.stderr.count("(done before)") == 3
    more = run(tmp_path, *arguments, "--threads", 2)  # how many make it is nothing of the job's
    assert more.returncode == 0 and more.stderr.count("(done before)") == 3
    assert protocol.read_request(out).threads == 2
    assert run(tmp_path, *arguments, "--threads", 0).returncode == 0  # as it began
    assert protocol.read_request(out).threads == 2
    other = run(tmp_path, *arguments[:-1], out, "--seed", 8)
    assert other.returncode == 2 and "holds another job" in other.stderr


def gif(path: Path) -> None:
    """Write an animation of two frames."""
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--prompt", ""], "The prompt is empty"),
        (["--prompt", "x" * 10_000], "The prompt has 10000 characters; at most 1000"),
        (["--prompt", "a mug", "--preset", "ultra"], "The preset 'ultra' is unknown; choose one of bench"),
        (["--prompt", "a mug", "--system", "x"], "The system 'x' is unknown; choose one of tv3dg"),
        (["--prompt", "a mug", "--fov", "0"], None),
        (["--prompt", "a mug", "--image", "text.png"], "text.png is not an image that can be read"),
        (["--prompt", "a mug", "--image", "missing.png"], "There is no image"),
        (["--prompt", "a mug", "--image", "empty.png"], "empty.png is empty: it has 0 bytes"),
        (["--prompt", "a mug", "--image", "zero.png"], "zero.png has no pixels: 0 x 0"),
        (["--prompt", "a mug", "--image", "huge.png"], "huge.png is too large: 30000 x 30000 pixels"),
        (["--prompt", "a mug", "--image", "moving.gif"], "moving.gif is animated: it has 2 frames"),
    ],
)
def test_bad_input_is_a_sentence_and_exit_code_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.png").write_text("this is no picture at all, but text")
    Path("empty.png").write_bytes(b"")
    Path("zero.png").write_bytes(promised_png(0, 0))
    Path("huge.png").write_bytes(promised_png(30_000, 30_000))
    gif(Path("moving.gif"))
    if words is None:
        Image.new("RGB", (4, 4)).save("good.png")
        arguments, words = [*arguments, "--image", "good.png"], "The field of view is 0.0 degrees"
    assert command_line.main(["generate", *arguments, "--out", "job"]) == 2
    streams = capsys.readouterr()
    assert words in streams.err and streams.err.startswith("error: ") and streams.err.count("\n") == 1
    assert streams.out == "" and not Path("job").exists()


def test_a_mistyped_setting_leaves_no_folder_in_the_way_of_the_corrected_command(tmp_path: Path) -> None:
    def generate(*settings: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "backend", "generate", "--prompt", "a mug", "--out", tmp_path / "job"]
        return subprocess.run([*command, *settings], capture_output=True, text=True, cwd=ROOT)

    mistyped = generate("--set", "stepz=3")
    assert mistyped.returncode == 2 and "There is no setting 'stepz'" in mistyped.stderr
    assert "Did you mean steps" in mistyped.stderr
    stopped = generate("--stop-after", "mesg")
    assert stopped.returncode == 2 and "invalid choice: 'mesg'" in stopped.stderr and "gaussians" in stopped.stderr
    assert not (tmp_path / "job").exists()
    write_job(tmp_path / "job", system="tv3dg", prompt="a mug", settings={"stepz": 3})  # made before, by somebody
    assert generate("--set", "stepz=4").returncode == 2
    assert (tmp_path / "job/request.json").exists()


def test_a_system_that_this_version_lacks_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unbuilt = dataclasses.replace(protocol.SYSTEMS["customize_it_3d"], stages=())
    monkeypatch.setitem(protocol.SYSTEMS, unbuilt.name, unbuilt)
    request = protocol.read_request(write_job(tmp_path / "job", system="customize_it_3d"))
    job = Job(tmp_path / "job", request, lambda event: None, Control())
    with pytest.raises(BadInput, match="customize_it_3d is not part of this version"):
        job_runner.run_system(job)


def test_generate_leaves_no_half_made_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "job"
    out.mkdir()  # an empty one is taken

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(job_folder, "write_request", fail)
        assert command_line.main(["generate", "--prompt", "fit", "--out", "job"]) == 4
    assert list(out.iterdir()) == [] and [path.name for path in tmp_path.iterdir()] == ["job"]
    (tmp_path / "job-abc.tmp/inputs").mkdir(parents=True)  # what a killed one leaves
    monkeypatch.setattr(command_line, "run_folders", lambda *_, **__: 0)
    assert command_line.main(["generate", "--prompt", "fit", "--out", "job"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["inputs", "request.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job", "job-abc.tmp"]


def test_stages_that_a_new_job_goes_on_from_are_nothing_that_it_has_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, out, name = tmp_path / "taken", tmp_path / "job", f"{protocol.STAGES_FOLDER}/1-shape/{protocol.RECORD_FILE}"
    taken.write_text("{}")
    asked = protocol.Request(system="tv3dg", prompt="fit"), [], {name: taken}
    monkeypatch.setattr(new_job, "remeshed", lambda arguments: asked)

    def refuse(*_: object, **__: object) -> int:
        assert (out / name).exists()
        return 3

    monkeypatch.setattr(command_line, "run_folders", refuse)
    assert command_line.main(["remesh", "of", "--set", "texture_size=64", "--out", str(out)]) == 3 and not out.exists()


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


def test_a_camera_without_an_image_is_said_to_have_no_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command_line, "run_folders", lambda *_, **__: 0)
    words = ["generate", "--prompt", "fit", "--threads", "1", "--out"]
    assert command_line.main([*words, str(tmp_path / "plain")]) == 0 and capsys.readouterr().err == ""
    assert command_line.main([*words, str(tmp_path / "turned"), "--elevation", "20", "--fov", "50"]) == 0
    assert capsys.readouterr().err.startswith("--elevation and --fov have no effect: ")
    Image.new("RGB", (8, 8), "white").save(tmp_path / "mug.png")
    seen = [*words, str(tmp_path / "seen"), "--elevation", "20", "--image", str(tmp_path / "mug.png")]
    assert command_line.main(seen) == 0 and capsys.readouterr().err == ""
