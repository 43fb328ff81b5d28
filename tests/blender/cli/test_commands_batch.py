"""`blender --command maquette batch`: which jobs are made, what goes on after a failure, what a second run does."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from addon.jobs import store
from addon.scene.as_pictured import Thing, stands
from tests.blender.cli.test_commands import Answer, Runner, interrupt_when, objects_of, pytestmark, run
from tests.blender.made_results import two_colours

__all__ = ["pytestmark", "run"]  # fixtures and marks of the other commands


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of three pictures, of which the middle one fails, and something that is no picture."""
    folder = tmp_path / "pictures of toys"
    folder.mkdir()
    for number, name in enumerate(("a_red-car", "fail", "the_mug")):
        (folder / f"{name}.png").write_bytes(two_colours(16 + 2 * number))
    (folder / "notes.txt").write_text("no picture")
    return folder


def batch(run: Runner, *arguments: object) -> Answer:
    return run("batch", *arguments, "--jobs", run.folder / "jobs", "--json")


def states(answer: Answer) -> list[str]:
    return [job["state"] for job in answer.json["jobs"]]


def test_each_picture_becomes_a_job_and_a_failure_does_not_keep_the_others(
    run: Runner, bpy: Any, pictures: Path
) -> None:
    saved = run.folder / "out.blend"
    answer = batch(run, pictures, "--elevation", 20, "--seed", 5, "--output", "mesh", "--save", saved)
    assert (answer.code, states(answer)) == (1, ["finished", "failed", "finished"])
    requests = [protocol.read_request(Path(job["job"])) for job in answer.json["jobs"]]
    assert [request.prompt for request in requests] == ["a red car", "fail", "the mug"]
    assert {(r.seed, r.outputs, r.images[0].elevation_degrees) for r in requests} == {(5, ("mesh",), 20.0)}
    assert "fail: The mask is empty. Use another image." in answer.err
    assert answer.json["report"] == "3 pictures: 2 finished, 1 failed. fail: The mask is empty."
    assert objects_of(bpy, saved) == {"red car": [0, 0, 0], "mug": [5, 0, 0]}  # the place of the failed one stays free


def test_a_visual_prompt_goes_into_each_job_and_another_one_makes_another_job(
    run: Runner, bpy: Any, pictures: Path
) -> None:
    (pictures / "fail.png").unlink()
    style = run.folder / "style.png"
    style.write_bytes(two_colours(9))
    answer = batch(run, pictures, "--visual-prompt", style, "--elevation", 20)
    assert answer.code == 0 and len(run.jobs) == 2
    for job in run.jobs:
        images = protocol.read_request(job).images
        assert [image.role for image in images] == ["reconstruct", "visual_prompt"]
        assert [image.elevation_degrees for image in images] == [20, 0]
        assert (job / images[1].path).read_bytes() == style.read_bytes()
    batch(run, pictures, "--visual-prompt", style, "--elevation", 20)
    assert len(run.jobs) == 2  # all done already
    style.write_bytes(two_colours(11))
    batch(run, pictures, "--visual-prompt", style, "--elevation", 20)
    assert len(run.jobs) == 4


def test_a_second_run_does_only_what_is_not_done_and_saves_everything(run: Runner, bpy: Any, pictures: Path) -> None:
    first = batch(run, pictures)
    assert first.code == 1 and len(run.jobs) == 3
    made = {job: (job / "result/model.glb").stat().st_mtime_ns for job in run.jobs if "fail" not in prompt(job)}
    (pictures / "fail.png").rename(pictures / "some cup.png")
    second = batch(run, pictures, "--output", "mesh", "--save", run.folder / "x.blend")
    assert second.code == 0 and len(run.jobs) == 6  # another output is another job
    bpy.ops.wm.read_factory_settings(use_empty=True)  # else it would be added to the file that is open
    again = batch(run, pictures, "--output", "mesh", "--save", run.folder / "out.blend")
    assert (again.code, len(run.jobs)) == (0, 6)
    assert again.json["report"].startswith("3 pictures: 3 skipped because they are done")
    assert set(objects_of(bpy, run.folder / "out.blend")) == {"red car", "some cup", "mug"}
    assert {job: (job / "result/model.glb").stat().st_mtime_ns for job in made} == made


def prompt(job: Path) -> str:
    return protocol.read_request(job).prompt


def test_files_and_a_template(run: Runner, pictures: Path) -> None:
    answer = batch(
        run, pictures / "the_mug.png", pictures / "a_red-car.png", "--prompt", "{name} of clay, small {name}"
    )
    assert (answer.code, answer.err.count("warning")) == (0, 2)
    assert sorted(map(prompt, run.jobs)) == ["a red car of clay, small a red car", "the mug of clay, small the mug"]


def test_two_pictures_of_one_name_stand_side_by_side(run: Runner, bpy: Any, pictures: Path) -> None:
    (run.folder / "more").mkdir()
    (run.folder / "more/the_mug.png").write_bytes(two_colours(40))
    both = [pictures / "the_mug.png", run.folder / "more/the_mug.png"]
    answer = batch(run, *both, "--output", "mesh", "--apart", 3, "--save", run.folder / "out.blend")
    assert answer.code == 0
    assert objects_of(bpy, run.folder / "out.blend") == {"mug": [0, 0, 0], "mug.001": [3, 0, 0]}


def test_a_third_piece_of_a_picture_of_two_things_is_left_out(run: Runner, pictures: Path) -> None:
    answer = batch(run, pictures / "the_mug.png", "--pieces", 3)
    assert answer.code == 0 and len(run.jobs) == 2 and states(answer) == ["finished"] * 2
    assert "2 finished, 1 left out because their pictures have fewer things" in answer.json["report"]


def test_things_of_a_picture_stand_as_in_it_at_the_pictures_place_in_the_row(
    run: Runner, bpy: Any, pictures: Path
) -> None:
    """In a first run and in a second one, where all is done; the row has one place for each picture."""
    both, saved = [pictures / "the_mug.png", pictures / "a_red-car.png"], run.folder / "out.blend"
    camera = (0.0, 20.0, 40.0)
    things = [Thing(protocol.Pictured(*place, *camera), -0.2) for place in ((-0.2, 0.0, 0.4), (0.2, 0.1, 0.2))]
    stand = stands(things)[1]
    for already in (0, 4):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        options = ["--pieces", 3, "--elevation", 20, "--output", "mesh", "--apart", 9, "--save", saved]
        answer = batch(run, *both, *options)
        assert answer.code == 0 and len(run.jobs) == 4 and states(answer) == ["finished"] * 4
        assert f"{already} skipped" in answer.json["report"] or not already
        objects = objects_of(bpy, saved)
        assert list(objects) == ["mug", "mug.001", "red car", "red car.001"]
        for name, x in (("mug", 0.0), ("red car", 9.0)):
            assert objects[name] == [x, 0, 0]
            assert objects[f"{name}.001"] == pytest.approx([x + stand.offset[0], stand.offset[1], 0], abs=1e-5)
            heights = [bpy.data.objects[each].dimensions.z for each in (name, f"{name}.001")]
            assert heights == pytest.approx([0.8, 0.8 * stand.size])
            assert bpy.data.objects[f"{name}.001"].scale[:] == (1, 1, 1)


def test_a_result_that_cannot_be_imported_does_not_keep_the_others(run: Runner, bpy: Any, pictures: Path) -> None:
    assert batch(run, pictures / "the_mug.png", pictures / "a_red-car.png").code == 0
    (job,) = [job for job in run.jobs if "car" in prompt(job)]
    (job / "result/points.ply").write_bytes(b"ply")
    saved = run.folder / "out.blend"
    answer = batch(run, pictures / "the_mug.png", pictures / "a_red-car.png", "--save", saved)
    assert answer.code == 1 and "is not a binary little endian PLY" in answer.json["report"]
    assert set(objects_of(bpy, saved)) == {"mug", "mug points"}


def test_a_signal_stops_the_batch_and_the_same_command_goes_on(run: Runner, pictures: Path) -> None:
    (pictures / "fail.png").rename(pictures / "b wait.png")

    interrupt_when(lambda: len(run.jobs) == 3 and any(map(began, run.jobs)))
    answer = batch(run, pictures, "--prompt", "wait {name}", "--save", run.folder / "x.blend")
    assert (answer.code, answer.json["hint"]) == (4, "The same command goes on.")
    assert set(states(answer)) == {"waiting"} and not (run.folder / "x.blend").exists()
    assert not any(protocol.is_running(job) for job in run.jobs) and len(run.jobs) == 3
    assert store.INTERRUPTED in map(store.state, run.jobs)


def began(job: Path) -> bool:
    return (job / protocol.EVENTS_FILE).exists()


BAD: dict[str, tuple[list[str], str]] = {
    "nothing": ([], "the following arguments are required: IMAGE"),
    "not there": (["nowhere.png"], "There is no image or folder nowhere.png"),
    "an empty folder": (["{folder}/empty"], "There is no picture in"),
    "other braces": (["{folder}/pictures of toys", "--prompt", "a {colour} {name}"], "braces that are not {name}"),
    "a preset": (["{folder}/pictures of toys", "--preset", "fast"], "The preset 'fast' is unknown"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_a_sentence(run: Runner, pictures: Path, case: str) -> None:
    arguments, sentence = BAD[case]
    (run.folder / "empty").mkdir()
    answer = batch(run, *(argument.replace("{folder}", str(run.folder)) for argument in arguments))
    said = answer.err + answer.out
    assert answer.code == 2 and sentence in said and "Traceback" not in said and run.jobs == []


def test_no_backend_is_exit_code_3(run: Runner, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAQUETTE_PYTHON", str(run.folder / "nowhere"))
    answer = batch(run, pictures)
    assert answer.code == 3 and "There is no Python at" in answer.json["message"] and run.jobs == []
