"""Requests, new and edited: what is written is read back, and what is wrong is refused with a sentence."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from addon import api, protocol
from addon.protocol import InputImage, ProtocolError, Request, VersionError, decode_request

FULL = Request(
    system="dreambooth3d",
    prompt="a sks dog with a hat",
    negative_prompt="blurry",
    images=(
        InputImage(path="inputs/00.png", role="subject"),
        InputImage(path="inputs/01.jpg", elevation_degrees=30),
        InputImage(path="inputs/02.png", role="subject"),
    ),
    seed=2**63 - 1,
    preset="paper",
    prior="/models/my prior",
    outputs=("points",),
    stop_after="perception",
    threads=2,
    settings={"steps": 400, "scale": 7.5, "camera": False, "mode": "deep"},
)


def test_a_number_keeps_its_type() -> None:
    settings = decode_request(protocol.encode_request(FULL)).settings
    assert [type(value) for value in settings.values()] == [int, float, bool, str]
    elevation = decode_request(protocol.encode_request(FULL)).images[1].elevation_degrees
    assert type(elevation) is float


def test_requests_are_frozen() -> None:
    for item in (FULL, FULL.images[0]):
        field = dataclasses.fields(item)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(item, field, "x")


@pytest.mark.parametrize("version", [2, 0, -1, "1", 1.0, None, True])
def test_another_version_is_refused_whatever_else_the_request_has(version: object) -> None:
    with pytest.raises(VersionError, match="version"):
        decode_request(json.dumps({"version": version, "new": 1}))


def test_a_number_beyond_all_floats_is_refused() -> None:
    with pytest.raises(ProtocolError, match=r"elevation_degrees is a number of 401 digits"):
        image = '{"path": "a.png", "elevation_degrees": -1' + "0" * 400 + "}"
        protocol.decode_request('{"system": "tv3dg", "prompt": "a mug", "images": [' + image + "]}")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"system": "magic3d"}, "system 'magic3d' is unknown; choose one of tv3dg"),
        ({"preset": "ultra"}, "preset 'ultra' is unknown; choose one of bench"),
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": " \n"}, "prompt is empty"),
        ({"prompt": "x" * 10_000}, "10000 characters; at most 1000"),
        ({"negative_prompt": "x" * 10_000}, "negative prompt has 10000"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**63}, "seed is 9223372036854775808"),
        ({"threads": 2000}, "threads is 2000"),
        ({"prior": ""}, "prior has no name"),
        ({"outputs": ()}, "no output"),
        ({"outputs": ("video",)}, "output 'video' is unknown"),
        ({"settings": {"a b": 1}}, "'a b' is not the name"),
        ({"settings": {"a": float("nan")}}, "a is nan"),
        ({"settings": {"a": 10**400}}, "setting a is 1000"),
        ({"images": tuple(InputImage(path=f"{i}.png") for i in range(51))}, "51 images; at most 50"),
    ],
)
def test_a_wrong_request_is_refused_with_a_sentence(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ProtocolError, match=words) as caught:
        Request(**{"system": "tv3dg", "prompt": "a mug", **fields})
    assert str(caught.value).endswith(".")


def test_one_image_needs_no_prompt() -> None:
    image = InputImage(path="inputs/00.png")
    assert Request(system="customize_it_3d", images=(image,)).prompt == ""
    for images in ((), (InputImage(path="inputs/00.png", role="visual_prompt"),)):
        with pytest.raises(ProtocolError, match="neither an image nor a prompt: give an image of the object"):
            Request(system="customize_it_3d", images=images)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "a" * 256}, "characters of an image's name is 256"),
        ({"role": "style"}, "role of an image 'style'"),
        ({"elevation_degrees": 91.0}, "elevation is 91.0 degrees"),
        ({"azimuth_degrees": float("nan")}, "azimuth is nan"),
        ({"fov_degrees": 0.0}, "field of view is 0.0"),
    ],
)
def test_a_wrong_image_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        InputImage(path="a.png", **fields)


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../a.png", "a/../../b.png", "C:/a.png", "C:a.png", "..\\a.png", "//host/a", "a\0b"]
)
def test_a_path_out_of_the_folder_is_refused(path: str) -> None:
    with pytest.raises(ProtocolError, match="leads out of the job folder"):
        InputImage(path=path)


@pytest.mark.parametrize("path", ["a.png", "inputs/00.png", "./a.png", "a b/ü.png", "..a/b"])
def test_a_path_in_the_folder_is_taken(path: str) -> None:
    assert InputImage(path=path).path == path


# ---- subjects --------------------------------------------------------------------------------------------------------

PHOTOS = tuple(InputImage(path=f"inputs/{n:02}.png", role="subject") for n in range(50))
KEPT = {"subject": "0" * 64, "subject_files": ("subject.json", "photos/photo-01.png")}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, r"No photo is given. A subject takes 3 to 6 photos, 2 at least: .*'Object from One Image'"),
        ({"images": PHOTOS[:1]}, "Only 1 photo is given. .*'Object from One Image'"),
        ({"images": (PHOTOS[0], InputImage(path="a.png"))}, "Only 1 photo is given"),
        (KEPT | {"images": PHOTOS[:2]}, "has its own photos: leave the images away"),
        (KEPT | {"subject": "bear"}, "'bear' names no kept subject"),
        (KEPT | {"subject": ""}, "files of a kept subject, but the request names none"),
        (KEPT | {"subject_files": ("photos/photo-01.png",)}, "has the file subject.json"),
        (KEPT | {"subject_files": ("subject.json", "subject.json")}, "each of its files once"),
        (KEPT | {"subject_files": ("subject.json", "../../evil.png")}, "'../../evil.png' is no file of a kept subject"),
        (KEPT | {"subject_files": ("subject.json", "taught/full/unet/model.bin")}, "model.bin' is no file"),
        (
            KEPT | {"subject_files": ("subject.json", *(f"photos/photo-{n:02}.png" for n in range(100)))},
            "has 100 files at most, not 101",
        ),
        (KEPT | {"system": "tv3dg"}, "tv3dg takes no kept subject; dreambooth3d does"),
    ],
)
def test_photos_are_two_at_least_or_those_of_a_kept_subject(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        Request(**{"system": "dreambooth3d", "prompt": "a bear", **fields})


def test_a_request_names_the_files_of_its_subject_and_without_one_is_as_before() -> None:
    request = Request(system="dreambooth3d", prompt="a bear", **KEPT)  # pyright: ignore[reportArgumentType]
    assert request.files == ("inputs/subject/subject.json", "inputs/subject/photos/photo-01.png")
    assert decode_request(protocol.encode_request(request)) == request and request.roles == {protocol.KEPT_SUBJECT}
    assert FULL.roles == {"subject", "reconstruct"}
    assert not any(name.startswith(("start", "subject")) for name in protocol.plain(FULL))
    assert len(Request(system="dreambooth3d", prompt="a bear", images=PHOTOS).files) == 50


# ---- edits -----------------------------------------------------------------------------------------------------------


FIRST = Request(
    system="tv3dg",
    prompt="a red robot",
    negative_prompt="fog",
    images=(InputImage(path="inputs/00.png"), InputImage(path="inputs/01.png", role="visual_prompt")),
    seed=9,
    preset="draft",
    stop_after="perceive",
    settings={"steps": 40, "views": 2},
)


def test_an_edit_keeps_all_but_the_words(tmp_path: Path) -> None:
    edited = FIRST.edited(" a blue robot ", settings={"views": 4}, threads=1)
    assert (edited.prompt, edited.start_prompt, edited.start) == ("a blue robot", "a red robot", "inputs/start.ply")
    assert (edited.seed, edited.preset, edited.images) == (9, "draft", FIRST.images[1:])  # the start shows the other
    assert (edited.settings, edited.threads, edited.stop_after) == ({"steps": 40, "views": 4}, 1, "")
    assert edited.files == ("inputs/01.png", "inputs/start.ply") and len(FIRST.files) == 2
    protocol.write_request(tmp_path, edited)
    assert protocol.read_request(tmp_path) == edited
    again = edited.edited("a blue robot wearing a hat")
    assert (again.start_prompt, again.files) == ("a blue robot", edited.files)


def test_a_request_without_a_start_is_written_as_before_there_were_any() -> None:
    text = protocol.encode_request(FIRST)
    assert "start" not in text and protocol.decode_request(text) == FIRST
    assert list(json.loads(text))[-3:] == ["threads", "settings", "version"]
    assert {"start", "start_prompt"} <= json.loads(protocol.encode_request(FIRST.edited("a blue robot"))).keys()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"start": "../start.ply"}, "leads out of the job folder"),
        ({"start": "/start.ply"}, "leads out of the job folder"),
        ({"start": "inputs/start.ply", "start_prompt": "x" * 1001}, "prompt of the start has 1001 characters"),
        ({"start_prompt": "a red robot"}, "no start"),
        ({"start": "inputs/start.ply", "system": "customize_it_3d"}, "customize_it_3d cannot begin"),
        ({"start": "inputs/start.ply", "start_prompt": "a  mug "}, "say what is to be different"),
    ],
)
def test_a_wrong_start_is_refused_with_a_sentence(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ProtocolError, match=words) as caught:
        Request(**{"system": "tv3dg", "prompt": "a mug", **fields})
    assert str(caught.value).endswith(".")
    with pytest.raises(ProtocolError, match=words):
        protocol.decode_request(json.dumps({"system": "tv3dg", "prompt": "a mug", **fields}))


def test_a_start_needs_no_words() -> None:
    assert Request(system="tv3dg", prompt="a mug", start="inputs/mine.ply").files == ("inputs/mine.ply",)


def test_a_change_that_is_no_field_is_refused() -> None:
    with pytest.raises(ProtocolError, match="no pressets"):
        FIRST.edited("a blue robot", pressets="draft")


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"stop_after": "cutout"}, "has no stage 'cutout'. Its stages are "),
        ({"settings": {"max_face": 3}}, "no setting 'max_face'. Did you mean max_faces"),
        ({"settings": {"max_faces": "many"}}, "max_faces is 'many'. Give a whole number."),
    ],
)
def test_what_does_not_fit_the_system_is_refused_before_there_is_a_folder(
    wishes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(protocol.ProtocolError, match=re.escape(words)):
        api.submit(prompt="a red mug", jobs=tmp_path / "jobs", **wishes)
    assert not (tmp_path / "jobs").exists()
    named: Any = str(tmp_path / "jobs")  # as scripts have it
    assert api.submit(prompt="a red mug", jobs=named, stop_after="sides").is_dir()


def test_a_request_is_known_by_its_prompt_or_by_the_name_of_its_first_picture() -> None:
    photo = InputImage(path="inputs/00.png", name="old teapot.final.png")
    assert Request(system="customize_it_3d", images=(photo,)).title == "old teapot.final"
    assert Request(system="tv3dg", prompt="a red mug", images=(photo,)).title == "a red mug"
    assert Request(system="customize_it_3d", images=(InputImage(path="inputs/00.png"),)).title == ""
