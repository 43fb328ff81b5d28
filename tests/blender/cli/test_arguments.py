"""The arguments of `blender --command maquette`: what may be repeated, what is needed, and what stands for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from addon import protocol
from addon.cli.arguments import parser


def test_images_and_kinds_of_output_may_be_repeated() -> None:
    words = ["generate", "--image", "a.png", "--image", "b.png", "--output", "mesh", "--output", "points", "--at", "1"]
    found = parser().parse_args([*words, "2", "-3"])
    assert found.image == [Path("a.png"), Path("b.png")] and found.output == ["mesh", "points"]
    assert found.at == [1.0, 2.0, -3.0] and found.save is None and found.json is False


def test_what_is_not_said_is_what_a_request_has() -> None:
    found = parser().parse_args(["generate", "--prompt", "a mug"])
    request = protocol.Request(system="tv3dg", prompt="a mug")
    for name in ("system", "seed", "preset", "prior", "threads", "negative_prompt"):
        assert getattr(found, name) == getattr(request, name), name
    image = protocol.InputImage(path="inputs/00.png")
    for name in ("elevation_degrees", "azimuth_degrees", "fov_degrees"):
        assert getattr(found, name) == getattr(image, name), name


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "the following arguments are required: command"),
        (["batch"], "the following arguments are required: IMAGE"),
        (["edit", "job"], "the following arguments are required: --prompt"),
        (["import", "job"], "the following arguments are required: --save"),
        (["subjects"], "the following arguments are required: action"),
        (["subjects", "keep", "job"], "the following arguments are required: --name"),
        (["generate", "--output", "voxels"], "invalid choice: 'voxels'"),
        (["generate", "--at", "1", "2"], "expected 3 arguments"),
        (["generate", "--seed", "x"], "invalid int value: 'x'"),
    ],
)
def test_what_is_missing_or_wrong_is_said(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(words)
    said = capsys.readouterr().err
    assert caught.value.code == 2 and sentence in said
    assert said.startswith("error: ") and said.endswith(" --help\n") and said.count("\n") == 1
