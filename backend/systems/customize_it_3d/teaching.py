"""Multi-modal DreamBooth: the prior learns one object from its colours, depth, normals and mask, each with its words.

Source: Customize-It-3D (arXiv 2312.11535), section 3.2: four runs after one another; together in each step is ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn import functional

from addon.protocol.systems.customize_it_3d import CustomizeIt3DSettings
from backend.cameras import Cameras, concatenate, orbit, view_words
from backend.diffusion.denoiser import Prior
from backend.diffusion.finetune import Examples, FinetuneOptions, Finetuning, class_examples, options_for
from backend.diffusion.sampling import sample
from backend.diffusion.tuned_weights import load_tuned, save_tuned
from backend.images import save_image
from backend.runtime.job import Job
from backend.systems.customize_it_3d.modalities import steps_of, words_for
from backend.systems.customize_it_3d.perceived import Perceived
from backend.vision.image_encoder import ImageEncoder, load_image_encoder

VARIETY_STEPS = 12  # of the samples that are compared
SIDES = (0.0, 90.0, 180.0, 270.0)  # degrees, from where they are asked for


def finetune_options(prior: Prior, settings: CustomizeIt3DSettings) -> FinetuneOptions:
    """Return how the prior is taught the object."""
    return options_for(
        prior, settings.tuning_whole, settings.tuning_rate, settings.tuning_rank,
        text_encoder=settings.tuning_text_encoder,
    )  # fmt: skip


def draw_class(
    job: Job, prior: Prior, subject: str, settings: CustomizeIt3DSettings, made_with: dict
) -> list[Examples]:
    """Run the stage `classes`: pictures of the class, drawn once, as examples; none where they do not count."""
    if not settings.class_weight:
        return []
    said = f"a {subject}"

    def make() -> dict[str, Any]:
        return {"latents": class_examples(prior, said, settings.class_pictures, job.generator).latents}

    latents = job.stage("classes", make, depends_on=made_with)["latents"].to(prior.device)
    return [Examples(latents, (said,) * len(latents), weight=settings.class_weight, batch=settings.tuning_batch)]


@torch.no_grad()
def object_examples(prior: Prior, seen: Perceived, settings: CustomizeIt3DSettings) -> dict[str, Examples]:
    """Return each kind of image as an example, with its words and those for its side, and its camera where told."""
    told = seen.target.camera if settings.camera_tokens and prior.takes_cameras else None
    return {
        kind: Examples(
            prior.encode(seen.picture(kind)),
            (sided(words_for(kind, settings, seen.subject, seen.prompt), seen.target.camera, settings)[0],),
            cameras=told,
            batch=1,
        )
        for kind in steps_of(settings)
    }


def mixture(examples: Mapping[str, Examples], counts: Mapping[str, int], batch: int) -> Examples:
    """Return examples of all kinds, each as often as its share of the steps, to draw `batch` of them in a step."""
    times = {kind: steps // math.gcd(*counts.values()) for kind, steps in counts.items()}
    drawn = [examples[kind] for kind, count in times.items() for _ in range(count)]
    cameras = [each.cameras for each in drawn if each.cameras is not None]
    return Examples(
        torch.cat([each.latents for each in drawn]), tuple(each.prompts[0] for each in drawn),
        cameras=concatenate(cameras) if cameras else None, batch=batch,
    )  # fmt: skip


def sided(words: str, cameras: Cameras, settings: CustomizeIt3DSettings) -> list[str]:
    """Return the words with those for the side that each camera sees, as guidance says them."""
    return [words if settings.paper_compat else f"{words}, {side} view" for side in view_words(cameras)]


def teach(
    job: Job, prior: Prior, seen: Perceived, known: Sequence[Examples], settings: CustomizeIt3DSettings, made_with: dict
) -> Prior:
    """Run the stage `teaching`; return the taught prior. Warns where it draws the same whatever it is asked."""
    examples, counts = object_examples(prior, seen, settings), steps_of(settings)

    def make() -> dict[str, Any]:
        tuning = Finetuning(prior, finetune_options(prior, settings))
        if settings.schedule == "sequential":
            for kind, steps in counts.items():
                for _ in job.steps(steps, tuning):
                    tuning.step([examples[kind], *known], job.generator)
        else:
            mixed = mixture(examples, counts, settings.tuning_batch)
            for _ in job.steps(sum(counts.values()), tuning):
                tuning.step([mixed, *known], job.generator)
        save_tuned(job.stage_folder / "taught", tuning)
        left, pictures = variety_left(prior, tuning.prior, seen, settings, job.request.seed)
        save_image(job.stage_folder / "drawn.png", torch.cat(list(pictures), dim=1).cpu())
        job.preview(pictures[0])
        return {"variety_left": left}

    left = job.stage("teaching", make, depends_on=made_with)["variety_left"]
    if left < settings.least_variety:
        job.warn(
            f"The prior has learnt the image by heart: {100 * left:.0f} % of its variety is left.",
            "It may draw the same side whatever it is asked: lower the rate or the steps of learning.",
        )
    return load_tuned(prior, job.stage_path("teaching") / "taught")


def variety_left(
    before: Prior, after: Prior, seen: Perceived, settings: CustomizeIt3DSettings, seed: int
) -> tuple[float, torch.Tensor]:
    """Return the share of the variety of samples that teaching has left, and the taught prior's samples [4, S, S, 3].

    Both draw four sides from the same noise, one of the class and one of the object.
    """
    cameras = concatenate([orbit([azimuth], 15.0, size=before.image_size) for azimuth in SIDES])
    encoder = load_image_encoder("embedded")
    varieties, pictures = [], None
    for prior, words in ((before, f"a {seen.subject}"), (after, words_for("rgb", settings, seen.subject, seen.prompt))):
        told = cameras if settings.camera_tokens and prior.takes_cameras else None
        pictures = sample(
            prior, sided(words, cameras, settings), steps=VARIETY_STEPS, cameras=told,
            generator=torch.Generator().manual_seed(seed),
        )  # fmt: skip
        varieties.append(variety(encoder, pictures.cpu()))
    assert pictures is not None
    return varieties[1] / max(varieties[0], 1e-6), pictures


@torch.no_grad()
def variety(encoder: ImageEncoder, pictures: torch.Tensor) -> float:
    """Return how different pictures [N, S, S, 3] are: the mean of 1 - cosine over pairs of their embeddings."""
    vectors = functional.normalize(encoder(pictures), dim=-1)
    count = len(vectors)
    return float((1 - vectors @ vectors.T).sum() / (count * (count - 1)))
