"""What a system takes of a request: one image for each role, and as much of the prompts as the prior reads."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import torch

from addon.protocol import InputImage, Phrase, Request
from backend.diffusion.denoiser import LONGEST_VIEW, Prior, words_in_pieces
from backend.errors import BadInput
from backend.images import load_image
from backend.runtime.job import Job
from backend.vision.cutting import mask_from
from backend.vision.mask_doubts import Doubt


class Given(Protocol):
    """What is given to a job: its request, and where the files are that this names."""

    @property
    def request(self) -> Request:
        """Return what is asked for."""
        ...

    def input_path(self, named: InputImage | str) -> Path:
        """Return the file of an input."""
        ...


@dataclass(frozen=True)
class Inputs:
    """The images by their role, and the prompts, shortened to what the prior reads."""

    images: dict[str, InputImage]  # role -> the first image that has it
    prompt: str
    start_prompt: str  # of the result that is edited


def choose_inputs(job: Job, prior: Prior, roles: Collection[str], hint: str) -> Inputs:
    """Return the first image of each of the roles, and the prompts as far as the prior reads them.

    Warns of images that are not used, with a hint which are, of words that the prior does not know, and of a prompt
    that is too long.
    """
    request = job.request
    images: dict[str, InputImage] = {}
    for image in request.images:
        if image.role in roles:
            images.setdefault(image.role, image)
    if ignored := [image.called for image in request.images if image not in images.values()]:
        told = "{count} of {all} images are not used: {names}."
        job.warn(Phrase(told, count=len(ignored), all=len(request.images), names=", ".join(ignored)), hint)
    prompt = read_prompt(job, prior, request.prompt)
    return Inputs(images, prompt, prior.shorten(request.start_prompt, LONGEST_VIEW))


def mask_of(given: Given, image: InputImage) -> torch.Tensor | None:
    """Return the mask [H, W, 1] that the artist gives for an image: the first of the role, None without one.

    Raises BadInput.
    """
    mask = next((each for each in given.request.images if each.role == "mask"), None)
    if mask is None:
        return None
    with named(mask):
        return mask_from(*load_image(given.input_path(mask)))


def warn_of_cut_out(job: Job, image: InputImage, doubts: Iterable[Sequence[str]]) -> None:
    """Warn of what is to be doubted of an image's cut-out, sentences with hints, in the name of the artist's file."""
    for sentence, hint in doubts:
        job.warn(said_of(image, sentence), hint)


@contextlib.contextmanager
def named(image: InputImage) -> Iterator[None]:
    """Let what the block says against an image of the request name it as the artist does. Raises the same BadInput."""
    try:
        yield
    except BadInput as error:
        raise type(error)(in_the_name_of(image, error.message), error.hint) from error


def in_the_name_of(image: InputImage, sentence: str) -> str:
    """Return what is said of a picture with the name that the artist knows it by, in the place of its copy's."""
    copy = PurePosixPath(image.path).name
    if copy not in sentence:
        return said_of(image, sentence)
    if not isinstance(sentence, Phrase):
        return sentence.replace(copy, image.called)
    values = {name: image.called if value == copy else value for name, value in sentence.values.items()}
    return Phrase(sentence.template, **values)


def said_of(image: InputImage, sentence: str) -> Phrase:
    """Return a sentence behind the name that the artist knows a picture by."""
    return Phrase("{file}: {sentence}", file=image.called, sentence=sentence)


def read_prompt(job: Job, prior: Prior, prompt: str, *, taught: str = "") -> str:
    """Return as much of a prompt as the prior reads; warn of the rest, and of words that it does not know.

    `taught` is a word that it is taught in this job.
    """
    for doubt in unknown_words(prior.tokenizer, f"{prompt} {job.request.negative_prompt}", taught=taught):
        job.warn(*doubt)
    read = prior.shorten(prompt, LONGEST_VIEW)
    if read != prompt:
        told = "The prior reads {count} tokens, so the prompt ends after '{read}'."
        job.warn(Phrase(told, count=prior.max_tokens, read=read), Phrase("Say it shorter."))
    return read


def unknown_words(tokenizer: Any, prompts: str, *, taught: str = "") -> list[Doubt]:
    """Return what to say of words that a prior's tokenizer has to cut into pieces; none of `taught`."""
    if unknown := [word for word in words_in_pieces(tokenizer, prompts) if word != taught.lower()]:
        sentence = Phrase("The prior does not know {words}.", words=", ".join(repr(word) for word in unknown))
        hint = (
            "It draws what it can of the other words. Those that it knows are behind the magnifying glass over "
            "Blender's prompt, and in docs/embedded-prior.md."
        )
        return [(sentence, Phrase(hint))]
    return []
