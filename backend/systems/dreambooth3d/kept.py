"""A kept subject in the inputs of a job: what an earlier one has learnt, compared with what the request names.

The files may be a stranger's: each has the hash that the record says, the record that of the request, and weights are
read as safetensors of the shapes that the prior has.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch

from addon.protocol import SUBJECT_FOLDER, SUBJECT_RECORD, SubjectRecord, decode_record, read_record
from backend.diffusion.camera_search import Place
from backend.diffusion.denoiser import Prior
from backend.diffusion.tuned_weights import load_tuned
from backend.errors import BadInput
from backend.runtime.checkpoint import read_whole, sha256
from backend.runtime.job import Job
from backend.systems.dreambooth3d.photos import read_cut_outs
from backend.systems.dreambooth3d.places import listed

ANEW = "Choose the kept subject again in a new job."
CLASSES_FILE = "classes/tensors.safetensors"
PLACES_FILE = "places/tensors.safetensors"


@dataclass(frozen=True)
class KeptSubject:
    """What there is instead of photos, class pictures and teaching."""

    subject: str  # its class
    token: str
    photos: torch.Tensor  # cut-outs with alpha, [N, S, S, 4]
    places: list[Place]  # from where they were taken, none where nobody has asked
    classes: torch.Tensor | None  # latents [M, C, h, w] of pictures of the class
    class_views: int  # how many of these are views of one object, 0 where they are seen from anywhere
    partial: Prior
    full: Prior


def asked_subject(job: Job) -> SubjectRecord | None:
    """Return what the record in the inputs says, None for a request without a kept subject; before anything is loaded.

    Raises BadInput where a file is missing or another than was kept.
    """
    if not job.request.subject:
        return None
    for name in job.request.subject_files:
        job.input_path(f"{SUBJECT_FOLDER}/{name}")
    text = read_record(job.folder, f"{SUBJECT_FOLDER}/{SUBJECT_RECORD}")
    record = decode_record(text)
    own = hashlib.sha256(text).hexdigest()
    hashes = {name: sha256(_file(job, name), job.folder) for name in record.files if name in job.request.subject_files}
    if own != job.request.subject or hashes != record.files:
        raise BadInput("The kept subject in the job's inputs is another one than the request names.", ANEW)
    return record


def load_subject(job: Job, record: SubjectRecord, prior: Prior) -> KeptSubject:
    """Return a kept subject, ready for the field. Raises BadInput where another prior was taught."""
    if record.prior != prior.fingerprint:
        raise BadInput(
            f"The subject {record.name} was taught to another prior than {job.request.prior}.",
            "Choose the prior that it was made with, or make it from its photos again.",
        )
    photos = [_file(job, name) for name in sorted(record.files) if name.startswith("photos/")]
    partial, full = (load_tuned(prior, _file(job, f"taught/{name}")) for name in ("partial", "full"))
    classes, views = None, 0
    if CLASSES_FILE in record.files:
        tensors = safetensors.torch.load(read_whole(_file(job, CLASSES_FILE), job.folder))
        found, views = tensors.get("latents"), int(tensors.get("views", torch.tensor(0)))
        likeness = prior.encode(torch.ones(1, prior.image_size, prior.image_size, 3)).shape[1:]
        fit = found is not None and found.shape[1:] == likeness and len(found) and 0 <= views <= len(found)
        if found is None or not fit or len(found) % max(1, views) or (views > 1 and not prior.takes_views):
            raise BadInput("The class pictures of the kept subject are of another prior.", ANEW)
        classes = found.float().to(prior.device)
    places: list[Place] = []
    if PLACES_FILE in record.files:
        rows = safetensors.torch.load(read_whole(_file(job, PLACES_FILE), job.folder)).get("places")
        if rows is None or rows.shape not in {(len(photos), 3), (0, 3)} or not bool(torch.isfinite(rows).all()):
            raise BadInput("The cameras of the kept subject's photos are not those of its photos.", ANEW)
        places = listed(rows)
    return KeptSubject(
        record.subject,
        record.token,
        read_cut_outs(photos, prior.image_size),
        places,
        classes,
        views,
        partial,
        full,
    )


def _file(job: Job, name: str) -> Path:
    return job.folder / SUBJECT_FOLDER / name
