"""What is taken of a request: images by their roles, words that the prior knows, as many as it reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from addon import protocol
from addon.protocol import Phrase
from backend.diffusion.denoiser import load_prior
from backend.errors import BadInput, EmptyMask
from backend.images import save_image
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.systems import tv3dg
from backend.systems.inputs import in_the_name_of, named
from backend.systems.reference import perceive
from tests.backend.systems.tv3dg.small_jobs import new_job, open_job


@pytest.mark.parametrize(("tau", "unused"), [(0.5, "1 of 3"), (0.0, "2 of 3")])
def test_images_that_are_not_used_are_named(tau: float, unused: str, tmp_path: Path) -> None:
    folder, events = new_job(tmp_path / "job", image=True, steps=1, tau=tau), []
    request = open_job(folder).request
    style = protocol.InputImage(path="inputs/00.png", role="visual_prompt")
    images = (*request.images, style, replace(style, elevation_degrees=1.0))
    job = Job(folder, replace(request, images=images, outputs=("points",)), events.append, Control())
    tv3dg.run(job)
    warnings = [event.message for event in events if isinstance(event, protocol.Warning)]
    assert [message[:6] for message in warnings if "are not used" in message] == [unused]


def test_what_is_said_against_an_image_names_the_artists_own_file() -> None:
    image = protocol.InputImage(path="inputs/00.png", name="teapot.png")
    for said, sentence in (
        ("00.png breaks off.", "teapot.png breaks off."),
        ("The mask is empty.", "teapot.png: The mask is empty."),
    ):
        with pytest.raises(EmptyMask) as caught, named(image):
            raise EmptyMask(said, "Do this.")
        assert (caught.value.message, caught.value.hint) == (sentence, "Do this.")
    with pytest.raises(BadInput, match=r"inputs/00\.png: It is dark\."), named(replace(image, name="")):
        raise BadInput("It is dark.")


def test_an_image_without_a_subject_is_named_and_another_name_makes_no_stage_again(tmp_path: Path) -> None:
    folder = new_job(tmp_path / "job", image=True, steps=1)
    request = protocol.read_request(folder)
    events: list[protocol.Event] = []
    for name in ("cup.png", "mug.png"):
        images = (replace(request.images[0], name=name),)
        perceive(Job(folder, replace(request, images=images), events.append, Control()), images[0], 32)
    assert [event.loaded for event in events if isinstance(event, protocol.Stage)] == [False, True]
    save_image(folder / "inputs" / "00.png", torch.ones(32, 32, 3))
    with pytest.raises(EmptyMask, match=r"mug\.png: The mask is empty"):
        perceive(Job(folder, replace(request, images=images), events.append, Control()), images[0], 32)


def test_unknown_words_of_both_prompts_are_named(tmp_path: Path) -> None:
    folder, events = new_job(tmp_path / "job", prompt="a red gargoyle", steps=1), []
    request = replace(open_job(folder).request, negative_prompt="blurry, red", outputs=("points",))
    tv3dg.run(Job(folder, request, events.append, Control()))
    warnings = [event.message for event in events if isinstance(event, protocol.Warning)]
    assert warnings[0] == "The prior does not know 'gargoyle', 'blurry'."


def test_a_long_prompt_keeps_its_view_word() -> None:
    prior = load_prior("embedded")
    long = "a red robot " + "quixotic " * 20
    short = prior.shorten(long, ", overhead view")
    assert long.startswith(short) and short.startswith("a red robot") and short != long
    assert not torch.equal(prior.embed([f"{short}, front view"]), prior.embed([f"{short}, back view"]))
    assert torch.equal(prior.embed([f"{long}, front view"]), prior.embed([f"{long}, back view"]))
    assert prior.shorten("a red robot", ", overhead view") == "a red robot"


def test_a_sentence_against_an_image_can_be_translated_with_the_artists_name_in_it() -> None:
    image = protocol.InputImage(path="inputs/00.png", name="teapot.png")
    broken, empty = Phrase("{file} breaks off: {reason}.", file="00.png", reason="00.png?"), Phrase("It is empty.")
    named_in_it, before_it = in_the_name_of(image, broken), in_the_name_of(image, empty)
    assert named_in_it == "teapot.png breaks off: 00.png?." and before_it == "teapot.png: It is empty."
    assert isinstance(named_in_it, Phrase) and named_in_it.template == broken.template
    assert isinstance(before_it, Phrase) and before_it.values["sentence"] is empty
