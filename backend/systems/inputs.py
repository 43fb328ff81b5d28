"""What a system takes of a request: one image for each role, and as much of the prompts as the prior reads."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import torch

from addon.protocol import InputImage
from backend.diffusion.denoiser import LONGEST_VIEW, Prior
from backend.errors import BadInput
from backend.images import load_image
from backend.runtime.job import Job
from backend.vision.cutting import mask_from


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
        job.warn(f"{len(ignored)} of {len(request.images)} images are not used: {', '.join(ignored)}.", hint)
    prompt = read_prompt(job, prior, request.prompt)
    return Inputs(images, prompt, prior.shorten(request.start_prompt, LONGEST_VIEW))


def mask_of(job: Job, image: InputImage) -> torch.Tensor | None:
    """Return the mask [H, W, 1] that the artist gives for an image: the first of the role, None without one.

    Raises BadInput.
    """
    given = next((each for each in job.request.images if each.role == "mask"), None)
    if given is None:
        return None
    with named(given):
        return mask_from(*load_image(job.input_path(given)))


def warn_of_cut_out(job: Job, image: InputImage, doubts: Iterable[Sequence[str]]) -> None:
    """Warn of what is to be doubted of an image's cut-out, sentences with hints, in the name of the artist's file."""
    for sentence, hint in doubts:
        job.warn(f"{image.called}: {sentence}", hint)


@contextlib.contextmanager
def named(image: InputImage) -> Iterator[None]:
    """Let what the block says against an image of the request name it as the artist does. Raises the same BadInput."""
    try:
        yield
    except BadInput as error:
        copy, message = PurePosixPath(image.path).name, error.message
        message = message.replace(copy, image.called) if copy in message else f"{image.called}: {message}"
        raise type(error)(message, error.hint) from error


def read_prompt(job: Job, prior: Prior, prompt: str, *, taught: str = "") -> str:
    """Return as much of a prompt as the prior reads; warn of the rest, and of words that it does not know.

    `taught` is a word that it is taught in this job.
    """
    words = prior.unknown_words(f"{prompt} {job.request.negative_prompt}")
    if unknown := [word for word in words if word != taught.lower()]:
        job.warn(
            f"The prior does not know {', '.join(repr(word) for word in unknown)}.",
            "It draws what it can of the other words; docs/embedded-prior.md lists what the embedded prior knows.",
        )
    read = prior.shorten(prompt, LONGEST_VIEW)
    if read != prompt:
        job.warn(f"The prior reads {prior.max_tokens} tokens, so the prompt ends after {read!r}.", "Say it shorter.")
    return read
