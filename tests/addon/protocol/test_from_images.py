"""Requests from words and images: what an image is called, what it is, and from where it shows the object."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from addon import protocol


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    for name in ("Front.PNG", "style.jpg"):
        (tmp_path / name).write_bytes(b"pixels")
    return [tmp_path / "Front.PNG", tmp_path / "style.jpg"]


def test_images_are_numbered_and_only_what_is_reconstructed_is_seen_from_somewhere(files: list[Path]) -> None:
    front, style = files
    angles: dict[str, Any] = {"elevation_degrees": 20.0, "azimuth_degrees": -45.0, "fov_degrees": 50.0}
    request, sources = protocol.describe([str(front)], [style], prompt="a red mug", seed=4, **angles)
    assert sources == files and (request.system, request.prompt, request.seed) == ("tv3dg", "a red mug", 4)
    assert request.images == (
        protocol.InputImage(path="inputs/00.png", **angles),
        protocol.InputImage(path="inputs/01.jpg", role="visual_prompt"),
    )
    photos, _ = protocol.describe(files, system="dreambooth3d", prompt="a dog", **angles)
    assert photos.images == (
        protocol.InputImage(path="inputs/00.png", role="subject"),
        protocol.InputImage(path="inputs/01.jpg", role="subject"),
    )
    assert protocol.describe(prompt="a red mug") == (protocol.Request(system="tv3dg", prompt="a red mug"), [])


def test_an_image_keeps_its_own_name_for_sentences_and_is_the_same_image_with_another(
    files: list[Path], tmp_path: Path
) -> None:
    request, _ = protocol.describe(files, prompt="a red mug")
    assert [image.called for image in request.images] == ["Front.PNG", "style.jpg"]
    assert protocol.decode_request(protocol.encode_request(request)).images[0].name == "Front.PNG"
    unnamed = replace(request, images=tuple(replace(image, name="") for image in request.images))
    assert unnamed == request and '"name"' not in protocol.encode_request(unnamed)  # as before there were any
    assert [image.called for image in unnamed.images] == ["inputs/00.png", "inputs/01.jpg"]
    odd = protocol.input_images([(tmp_path / "00.png", {}), (tmp_path / "half \udce4.png", {})])
    assert [image.name for image in odd] == ["", "half ?.png"]


def test_a_mask_is_an_image_of_its_own_after_the_others_and_seen_from_nowhere(files: list[Path]) -> None:
    front, mask = files
    request, sources = protocol.describe([front], mask=mask, prompt="a red mug", elevation_degrees=20.0)
    assert sources == files and request.images[1] == protocol.InputImage(path="inputs/01.jpg", role="mask")
    assert protocol.decode_request(protocol.encode_request(request)) == request
    with pytest.raises(protocol.ProtocolError, match="no image"):
        protocol.describe([front], mask="elsewhere.png", prompt="a red mug")


def test_the_files_are_those_that_the_request_names_so_that_a_job_can_be_made_of_them(
    files: list[Path], tmp_path: Path
) -> None:
    job = protocol.make_job(tmp_path / "jobs", *protocol.describe(files[:1], files[1:], prompt="a red mug"))
    assert sorted(path.name for path in (job / protocol.INPUT_FOLDER).iterdir()) == ["00.png", "01.jpg"]


def test_what_cannot_be_asked_for_is_a_sentence(files: list[Path]) -> None:
    cases: list[tuple[list[Any], dict[str, Any], str]] = [
        ([], {"prompt": ""}, "The prompt is empty"),
        ([*files, "nowhere.png"], {"prompt": "x"}, "There is no image nowhere.png"),
        ([files[0].parent], {"prompt": "x"}, "There is no image"),
        ([], {"prompt": "x", "sead": 3}, "A request has no sead"),
        (files, {"prompt": "x", "elevation_degrees": 91.0}, "The elevation is 91"),
        (files * 26, {"prompt": "x"}, "52 images; at most 50"),
    ]
    for images, fields, sentence in cases:
        with pytest.raises(protocol.ProtocolError, match=sentence):
            protocol.describe(images, **fields)


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        ("red_mug-2.png", "red mug"),
        ("Red robot.final.JPG", "Red robot"),
        ("grandma's chair.webp", "grandma's chair"),
        ("tasse à café.png", "tasse à café"),
        ("IMG_20240312_114502.jpg", ""),
        ("Screenshot 2024-03-12 at 11.45.02.png", ""),
        ("00.png", ""),
        ("a.png", ""),
        ("x2.jpeg", ""),
        ("mug", "mug"),
    ],
)
def test_the_name_of_an_image_proposes_a_prompt_where_it_says_something(name: str, prompt: str) -> None:
    assert protocol.proposed_prompt(name) == prompt


def test_an_image_alone_is_described_by_its_name(tmp_path: Path) -> None:
    for name in ("red_mug.png", "IMG_1.png"):
        (tmp_path / name).write_bytes(b"x")
    assert protocol.describe([tmp_path / "red_mug.png"])[0].prompt == "red mug"
    assert protocol.describe([tmp_path / "red_mug.png"], prompt="a cup")[0].prompt == "a cup"
    assert protocol.describe([tmp_path / "red_mug.png"], system="customize_it_3d")[0].prompt == ""  # it looks itself
    with pytest.raises(protocol.ProtocolError, match="prompt is empty"):
        protocol.describe([tmp_path / "IMG_1.png"])
    with pytest.raises(protocol.ProtocolError, match="prompt is empty"):
        protocol.describe(visual_prompts=[tmp_path / "red_mug.png"])


@pytest.mark.parametrize(
    ("angle", "sentence"),
    [
        ({"elevation_degrees": 200.0}, "The elevation is 200.0 degrees; it must lie between -90.0 and 90.0 degrees."),
        ({"azimuth_degrees": float("nan")}, "The azimuth is nan degrees; it must lie between"),
        ({"fov_degrees": 0.0}, "The field of view is 0.0 degrees; it must lie between"),
    ],
)
def test_a_camera_that_cannot_be_is_refused_also_where_no_image_is_seen_from_it(
    angle: dict[str, float], sentence: str, files: list[Path]
) -> None:
    asked: list[dict[str, Any]] = [{"images": files[:1]}, {}, {"images": files, "system": "dreambooth3d"}]
    for given in asked:
        with pytest.raises(protocol.ProtocolError, match=sentence):
            protocol.describe(**given, prompt="a red mug", **angle)  # pyright: ignore[reportArgumentType]
