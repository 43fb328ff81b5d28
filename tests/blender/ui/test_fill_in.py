"""What a job was asked for comes back into the panel, with its images; what cannot come back is said."""

# pyright: reportMissingImports=false

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from addon import protocol
from tests.addon.made_subjects import made_job
from tests.blender.layout import Layout

ASKED = protocol.Request(
    system="tv3dg", prompt="a red mug", negative_prompt="a plate", seed=7, preset="standard", prior="/models/sd",
    outputs=("points",), settings={"steps": 40, "loss": "sds"},
    images=(
        protocol.InputImage(
            path="inputs/00.png", name="mug.png", azimuth_degrees=30.0, elevation_degrees=-15.0, fov_degrees=50.0
        ),
        protocol.InputImage(path="inputs/01.png", role="visual_prompt"),
    ),
)  # fmt: skip


@pytest.fixture
def props(enabled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The scene's wishes, which are others than the job's."""
    from addon import preferences

    monkeypatch.setattr(preferences, "subjects_folder", lambda: tmp_path / "subjects")
    props = enabled.context.scene.maquette
    props.prompt, props.preset, props.new_seed, props.outputs = "a house", "draft", True, {"mesh"}
    props.references.add()
    return props


def written(folder: Path, request: protocol.Request) -> Path:
    """Write a job folder with a picture for each image."""
    (folder / "inputs").mkdir(parents=True)
    for i, image in enumerate(request.images):
        Image.new("RGB", (8 + i, 8), "red").save(folder / image.path)
    protocol.write_request(folder, request)
    return folder


def test_the_panel_asks_for_the_same_again(enabled: Any, props: Any, tmp_path: Path) -> None:
    from addon.ui import properties

    job = written(tmp_path / "job", ASKED)
    assert enabled.ops.maquette.use_settings(job=str(job)) == {"FINISHED"}
    again = properties.request_of(props, ASKED.images)
    assert again == ASKED and not props.new_seed
    shown = [properties.seen_from(each, props) for each in props.references]
    assert shown == [protocol.image_fields("reconstruct", -15.0, 30.0, 50.0), protocol.image_fields("visual_prompt")]
    assert [each.image.size[0] for each in props.references] == [8, 9]
    assert props.references[0].image.name.startswith("mug.png")


def test_what_cannot_come_back_is_said(props: Any, tmp_path: Path) -> None:
    from addon.ui import fill_in

    odd = dataclasses.replace(ASKED, seed=2**40, settings={"steps": 40, "old_name": 1}, start="inputs/start.ply")
    job = written(tmp_path / "job", odd)
    (job / "inputs/00.png").unlink()
    (job / "inputs/00.png").symlink_to(tmp_path / "job/inputs/01.png")  # no link of a job folder is followed
    missing = fill_in.take_request(props, job, odd)
    assert [len(each) > 20 for each in missing] == [True] * 4
    assert f"The seed {2**40} is larger" in missing[0] and missing[1].startswith("old_name is no setting of ")
    assert missing[2].startswith("The image mug.png was left out: ") and "Edit by Text" in missing[3]
    assert len(props.references) == 1 and props.new_seed


def test_a_kept_subject_is_found_by_what_it_is(enabled: Any, props: Any, tmp_path: Path) -> None:
    from addon import preferences
    from addon.ui import fill_in

    kept = protocol.keep_subject(preferences.subjects_folder(), made_job(tmp_path / "learnt"), "Ted")
    own, files = protocol.subject_files(kept)
    asked = protocol.Request(system="dreambooth3d", prompt="a hat", subject=own, subject_files=tuple(files))
    assert fill_in.take_request(props, tmp_path, asked) == [] and props.subject == "Ted"
    protocol.delete_subject(kept)
    assert "not there any more" in fill_in.take_request(props, tmp_path, asked)[0] and props.subject == ""


def test_a_folder_without_a_request_gets_a_sentence(enabled: Any, props: Any, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="request.json"):
        enabled.ops.maquette.use_settings(job=str(tmp_path))
    assert props.prompt == "a house"


def test_words_that_the_prior_does_not_know_are_named_under_the_prompt(enabled: Any, props: Any) -> None:
    from addon.ui import fill_in
    from tests.blender.layout import Layout

    def drawn() -> Layout:
        layout = Layout()
        fill_in.draw_title(layout, props)
        fill_in.draw_unknown(layout, enabled.context)
        return layout

    props.prompt, props.negative_prompt = "a red gargoyle with wings", "a plinth"
    assert " ".join(drawn().texts) == "Prompt The embedded prior does not know 'gargoyle', 'wings', 'plinth'."
    props.prompt, props.negative_prompt = "a red mug", ""
    assert drawn().texts == ["Prompt"] and "maquette.insert_word" in drawn().buttons
    props.system, props.prompt = "dreambooth3d", "a sks mug"  # the word that it will be taught
    assert fill_in.unknown_words(props) == []
    props.prior, props.prompt = "folder", "a gargoyle"
    assert drawn().texts == ["Prompt"] and not drawn().buttons
    props.prior = "embedded"


def test_a_known_word_is_added_to_the_prompt(enabled: Any, props: Any) -> None:
    props.prompt = "a red "
    assert enabled.ops.maquette.insert_word(word="teapot") == {"FINISHED"} and props.prompt == "a red teapot"
    with pytest.raises(TypeError):
        enabled.ops.maquette.insert_word(word="gargoyle")


def test_an_image_alone_proposes_its_name_which_can_be_changed(enabled: Any, tmp_path: Path) -> None:
    from addon.ui import fill_in, generate, properties

    Image.new("RGB", (8, 8)).save(tmp_path / "red_mug-2.png")
    props = enabled.context.scene.maquette
    image = enabled.data.images.load(str(tmp_path / "red_mug-2.png"))
    props.references.add().image = image
    layout = Layout()
    fill_in.draw_prompt(layout, props)
    assert "maquette.use_name" in layout.buttons
    assert properties.request_of(props).prompt == "red mug"
    assert "The prompt" not in generate.why_not(enabled.context)
    enabled.ops.maquette.use_name()
    assert props.prompt == "red mug"
    layout = Layout()
    fill_in.draw_prompt(layout, props)
    assert layout.buttons == {}
    props.prompt, image.filepath, image.name = "", "//IMG_0001.png", "old chair.png"
    assert properties.request_of(props).prompt == "old chair"  # as Blender calls it
    props.references[0].role = "visual_prompt"  # it shows something else
    assert generate.why_not(enabled.context).startswith("The prompt is empty")
    props.system = "customize_it_3d"  # which looks at the image itself
    assert properties.proposed_prompt(props) == ""


def test_the_empty_prompt_says_whether_words_are_needed(enabled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon.ui import fill_in

    shown: list[str] = []
    note: Any = Layout._note

    def noted(layout: Any, kind: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        shown.append(options.get("placeholder", ""))
        return note(layout, kind, arguments, options)

    monkeypatch.setattr(Layout, "_note", noted)
    props = enabled.context.scene.maquette
    for system in ("tv3dg", "customize_it_3d"):
        props.system = system
        fill_in.draw_prompt(Layout(), props)
    assert [text for text in shown if text] == ["a red mug with white dots", "no words are needed"]


@pytest.mark.parametrize("is_changed", [False, True])
def test_an_image_that_is_at_hand_does_not_come_a_second_time(enabled: Any, tmp_path: Path, is_changed: bool) -> None:
    from addon.ui import fill_in

    file = tmp_path / "red mug.png"
    Image.new("RGB", (8, 9), "red").save(file)
    image = enabled.data.images.load(str(file))
    sent = protocol.input_images([(file, {})])
    job = protocol.make_job(tmp_path, protocol.Request(system="tv3dg", prompt="a mug", images=sent), [file])
    if is_changed:
        Image.new("RGB", (8, 9), "blue").save(file)
    fill_in.take_request(enabled.context.scene.maquette, job, protocol.read_request(job))
    (reference,) = enabled.context.scene.maquette.references
    assert (reference.image == image) != is_changed and len(enabled.data.images) == 1 + is_changed
