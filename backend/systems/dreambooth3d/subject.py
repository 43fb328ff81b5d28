"""Teaching the prior the subject: partly and fully in one run, and later from views that were redrawn.

Source: Raj et al., DreamBooth3D (arXiv 2303.13508), sections 3.2 and 3.3, by DreamBooth's loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from addon.protocol import TAUGHT_FILE, Taught, encode_taught
from addon.protocol.systems.dreambooth3d import DreamBooth3DSettings
from backend.cameras import Cameras, view_words
from backend.diffusion.denoiser import TOGETHER_PIXELS, Prior
from backend.diffusion.finetune import Examples, FinetuneOptions, Finetuning, class_examples
from backend.diffusion.sampling import sample
from backend.diffusion.tuned_weights import load_tuned, save_tuned
from backend.runtime.checkpoint import write_whole
from backend.runtime.job import Job

SHOWN_STEPS = 12  # of the sample that a preview shows


def finetune_options(prior: Prior, settings: DreamBooth3DSettings) -> FinetuneOptions:
    """Return how the prior is taught; all weights of a small one, a LoRA beside a large one, unless it is said."""
    whole = settings.tuning_whole == "all" or (
        settings.tuning_whole == "auto" and prior.image_size <= TOGETHER_PIXELS and prior.dtype == torch.float32
    )
    return FinetuneOptions(
        rate=settings.tuning_rate, rank=0 if whole else settings.tuning_rank,
        text_encoder=settings.tuning_text_encoder, min_snr=settings.tuning_min_snr,
    )  # fmt: skip


def draw_class(job: Job, prior: Prior, subject: str, settings: DreamBooth3DSettings, made_with: dict) -> list[Examples]:
    """Run the stage `classes`: pictures of the class, as latents, drawn once; none where they do not count."""
    if not settings.class_weight:
        return []
    said = f"a {subject}"

    def make() -> dict[str, Any]:
        return {"latents": class_examples(prior, said, settings.class_pictures, job.generator).latents}

    latents = job.stage("classes", make, depends_on=made_with)["latents"].to(prior.device)
    return class_pictures(latents, subject, settings)


def class_pictures(latents: torch.Tensor | None, subject: str, settings: DreamBooth3DSettings) -> list[Examples]:
    """Return latents [N, C, h, w] of pictures of the class as examples; none where there are none or do not count."""
    if latents is None or not settings.class_weight:
        return []
    said = (f"a {subject}",) * len(latents)
    return [Examples(latents, said, weight=settings.class_weight, batch=settings.tuning_batch)]


@torch.no_grad()
def photo_examples(prior: Prior, photos: torch.Tensor, said: str, batch: int) -> Examples:
    """Return photos [N, S, S, 3] as examples without cameras: nobody knows from where they were taken."""
    latents = torch.cat([prior.encode(photo[None]) for photo in photos])
    return Examples(latents, (said,) * len(photos), batch=batch)


@torch.no_grad()
def view_examples(
    prior: Prior, pictures: torch.Tensor, cameras: Cameras, prompt: str, batch: int, *, tell_cameras: bool
) -> Examples:
    """Return redrawn views [N, S, S, 3] as examples with the prompt, the word for their side, and their cameras."""
    latents = torch.cat([prior.encode(picture[None]) for picture in pictures])
    said = tuple(f"{prompt}, {word} view" for word in view_words(cameras))
    return Examples(latents, said, cameras=cameras if tell_cameras and prior.takes_cameras else None, batch=batch)


def teach(
    job: Job, prior: Prior, examples: Sequence[Examples], settings: DreamBooth3DSettings, subject: str, made_with: dict
) -> tuple[Prior, Prior]:
    """Run the stage `teaching`; return the partly and the fully taught prior: two moments of one run.

    It leaves what keeps a subject: both priors' weights, and what they were taught.
    """
    said = f"a {settings.token} {subject}"

    def make() -> dict[str, Any]:
        tuning = Finetuning(prior, finetune_options(prior, settings))
        for name, steps in (
            ("partial", settings.partial_steps),
            ("full", settings.full_steps - settings.partial_steps),
        ):
            _run(job, tuning, examples, max(0, steps), said)
            save_tuned(job.stage_folder / name, tuning)
        taught = Taught(subject=subject, token=settings.token, prior=prior.fingerprint)
        write_whole(job.stage_folder / TAUGHT_FILE, encode_taught(taught), job.folder)
        return {}

    job.stage("teaching", make, depends_on=made_with)
    folder = job.stage_path("teaching")
    return load_tuned(prior, folder / "partial"), load_tuned(prior, folder / "full")


def teach_views(
    job: Job, partial: Prior, examples: Sequence[Examples], settings: DreamBooth3DSettings, said: str, made_with: dict
) -> Prior:
    """Run the stage `reteaching`: the partly taught prior learns from photos and redrawn views; return it."""

    def make() -> dict[str, Any]:
        tuning = Finetuning(partial, finetune_options(partial, settings))
        _run(job, tuning, examples, settings.multi_view_steps, said)
        save_tuned(job.stage_folder / "multi_view", tuning)
        return {}

    job.stage("reteaching", make, depends_on=made_with)
    return load_tuned(partial, job.stage_path("reteaching") / "multi_view")


def _run(job: Job, tuning: Finetuning, examples: Sequence[Examples], steps: int, said: str) -> None:
    for step in job.steps(steps, tuning):
        tuning.step(examples, job.generator)
        if job.preview_due and step % 10 == 9:
            noise = torch.Generator().manual_seed(job.request.seed)  # a preview draws nothing from the job
            job.preview(sample(tuning.prior, [said], steps=SHOWN_STEPS, generator=noise)[0])
