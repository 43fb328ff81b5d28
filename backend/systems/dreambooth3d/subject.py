"""Teaching the prior the subject: partly and fully in one run, and later from views that were redrawn.

Source: Raj et al., DreamBooth3D (arXiv 2303.13508), sections 3.2 and 3.3, by DreamBooth's loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

from addon.protocol import (
    OF_A_SUBJECT,
    SUBJECT_RECORD,
    SYSTEMS,
    TAUGHT_FILE,
    SubjectRecord,
    Taught,
    encode_record,
    encode_taught,
    files_inside,
)
from addon.protocol.systems.dreambooth3d import DreamBooth3DSettings
from backend.cameras import Cameras, concatenate, view_words
from backend.diffusion.denoiser import Prior
from backend.diffusion.finetune import (
    Examples,
    FinetuneOptions,
    Finetuning,
    class_examples,
    class_views,
    options_for,
)
from backend.diffusion.sampling import sample
from backend.diffusion.tuned_weights import load_tuned, save_tuned
from backend.runtime.checkpoint import sha256, write_whole
from backend.runtime.job import Job

TOGETHER = 4  # views of one object that are seen together, where the prior takes that; as it was taught
SHOWN_STEPS = 12  # of the sample that a preview shows


def finetune_options(prior: Prior, settings: DreamBooth3DSettings) -> FinetuneOptions:
    """Return how the prior is taught the subject."""
    return options_for(
        prior, settings.tuning_whole, settings.tuning_rate, settings.tuning_rank,
        text_encoder=settings.tuning_text_encoder, min_snr=settings.tuning_min_snr,
    )  # fmt: skip


def draw_class(job: Job, prior: Prior, subject: str, settings: DreamBooth3DSettings, made_with: dict) -> list[Examples]:
    """Run the stage `classes`: pictures of the class, as latents, drawn once; none where they do not count."""
    if not settings.class_weight:
        return []
    views = known_sides(prior, settings)

    def make() -> dict[str, Any]:
        drawn = class_examples(prior, f"a {subject}", settings.class_pictures, job.generator, views=views)
        return {"latents": drawn.latents, "views": torch.tensor(views)}

    made = job.stage("classes", make, depends_on=made_with)
    return class_pictures(made["latents"].to(prior.device), views, subject, settings)


def known_sides(prior: Prior, settings: DreamBooth3DSettings) -> int:
    """Return how many views of one object the class pictures show together: 0 where they are seen from anywhere."""
    if not (settings.class_views and settings.camera_tokens and prior.takes_cameras):
        return 0
    return TOGETHER if settings.joint_views and prior.takes_views else 1


def class_pictures(
    latents: torch.Tensor | None, views: int, subject: str, settings: DreamBooth3DSettings
) -> list[Examples]:
    """Return latents [N, C, h, w] of pictures of the class as examples; none where there are none or do not count."""
    if latents is None or not settings.class_weight:
        return []
    batch, weight = settings.tuning_batch, settings.class_weight
    return [class_views(f"a {subject}", len(latents), views, weight=weight, batch=batch, latents=latents)]


@torch.no_grad()
def photo_examples(
    prior: Prior, photos: torch.Tensor, said: str, batch: int, cameras: Cameras | None = None
) -> Examples:
    """Return photos [N, S, S, 3] as examples, without cameras where nobody knows from where they were taken.

    With cameras the word for the side is said, too.
    """
    latents = torch.cat([prior.encode(photo[None]) for photo in photos])
    if cameras is None:
        return Examples(latents, (said,) * len(photos), batch=batch)
    return Examples(latents, tuple(f"{said}, {word} view" for word in view_words(cameras)), cameras, batch=batch)


@torch.no_grad()
def view_examples(
    prior: Prior, pictures: torch.Tensor, cameras: Cameras, prompt: str, batch: int, *, tell_cameras: bool,
    group: int = 1,
) -> Examples:  # fmt: skip
    """Return redrawn views [N, S, S, 3] as examples with the prompt, the word for their side, and their cameras.

    With a `group` above 1 so many that stand evenly around are seen together, which N is a multiple of.
    """
    order = torch.arange(len(pictures)).reshape(group, -1).T.flatten()  # a quarter of the round apart, with 4
    cameras = concatenate([cameras[int(view)] for view in order])
    latents = torch.cat([prior.encode(pictures[view][None]) for view in order])
    said = tuple(f"{prompt}, {word} view" for word in view_words(cameras))
    told = cameras if tell_cameras and prior.takes_cameras else None
    return Examples(latents, said, cameras=told, batch=batch, group=group)


def imagined_examples(
    prior: Prior, pictures: torch.Tensor, cameras: Cameras, prompt: str, settings: DreamBooth3DSettings
) -> Examples:
    """Return redrawn views as examples, seen together where the settings and the prior want that and they fit."""
    joint = settings.joint_views and settings.camera_tokens and prior.takes_views and len(pictures) % TOGETHER == 0
    return view_examples(
        prior, pictures, cameras, prompt, settings.tuning_batch, tell_cameras=settings.camera_tokens,
        group=TOGETHER if joint else 1,
    )  # fmt: skip


def teach(
    job: Job, prior: Prior, examples: Sequence[Examples], settings: DreamBooth3DSettings, subject: str, made_with: dict
) -> tuple[Prior, Prior]:
    """Run the stage `teaching`; return the partly and the fully taught prior: two moments of one run.

    It leaves what keeps a subject: both priors' weights, what they were taught, and the record of all its files.
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
        record = SubjectRecord(**asdict(taught), name=said, files=learnt_files(job))
        write_whole(job.stage_folder / SUBJECT_RECORD, encode_record(record), job.folder)
        return {}

    job.stage("teaching", make, depends_on=made_with)
    folder = job.stage_path("teaching")
    return load_tuned(prior, folder / "partial"), load_tuned(prior, folder / "full")


def learnt_files(job: Job) -> dict[str, str]:
    """Return the hashes of what the stages up to the one that runs leave of a subject, by its names there."""
    kept = {stage.name: stage.kept for stage in SYSTEMS[job.request.system].stages if stage.kept}
    folders = {kept[done["name"]]: job.stage_path(done["name"]) for done in job.stages if done["name"] in kept}
    folders["taught"] = job.stage_folder
    names: dict[str, str] = {}
    for target, folder in folders.items():
        place = folder.relative_to(job.folder).as_posix()
        names |= {f"{target}{path.removeprefix(place)}": path for path in files_inside(job.folder, place)}
    return {name: sha256(job.folder / path, job.folder) for name, path in names.items() if OF_A_SUBJECT.fullmatch(name)}


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
