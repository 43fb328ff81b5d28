"""A job as an edit of another: its request, and the files of that other one that it takes copies of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .inside import is_inside
from .job_folder import POINTS_FILE, RESULT_FOLDER, STAGES_FOLDER, read_request
from .request import Request
from .subjects import learnt_subject
from .systems import SYSTEMS

VALUES_FILE = "tensors.safetensors"  # in the folder of a stage: what it leaves beside pictures


def describe_edit(job: Path, prompt: str, **changes: Any) -> tuple[Request, list[Path]]:
    """Return the request that changes the result of a job by words, and its files.

    They are visual prompts, the points or what a stage has left, and what the job has learnt of a subject. `changes`
    are as in Request.edited, whose ProtocolError it raises; ValueError for a job that lacks one of the files, or where
    a link stands in its place.
    """
    request = read_request(job)
    system = SYSTEMS[request.system]
    begin, subject = POINTS_FILE, {}
    if system.edit_stage:
        numbers = range(1, len(system.stages) + 1)
        made = [f"{STAGES_FOLDER}/{number}-{system.edit_stage}/{VALUES_FILE}" for number in numbers]
        begin = next((name for name in made if is_inside(job, name)), made[-1])
    if not is_inside(job, begin) and not (job / RESULT_FOLDER).is_dir():
        what = f"it has no {begin} yet, which an edit begins from"
        raise ValueError(f"{job.name or job} is not finished: {what}. Run it to its end first.")
    if system.keeps_subjects:
        own, subject = learnt_subject(job)
        changes = {"subject": own, "subject_files": tuple(subject)} | changes
    edited = request.edited(prompt, **changes)
    names = [*(image.path for image in edited.images), begin]
    for name in names:
        if not is_inside(job, name):
            raise ValueError(f"{job.name or job} has no {name}, or a link in its place: it cannot be edited.")
    return edited, [*(job / name for name in names), *subject.values()]
