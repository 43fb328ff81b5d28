"""The command `subjects`: which subjects are kept, keeping what a job has learnt, deleting; and finding one by name."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from addon import protocol
from backend.errors import BadInput
from backend.runtime.machine import user_data_folder


def done(arguments: argparse.Namespace) -> str:
    """Do what `subjects` asks for and return what there is to say. Raises ProtocolError, OSError."""
    folder = arguments.subjects or subjects_folder()
    match arguments.action:
        case "keep":
            kept = protocol.keep_subject(folder, arguments.job.resolve(), arguments.name)
            return f"{kept.name} is kept: {protocol.megabytes(kept.size)} in {kept.folder}"
        case "delete":
            subject = protocol.find_subject(folder, arguments.name)
            protocol.delete_subject(subject)
            return f"{subject.name} is deleted: {protocol.megabytes(subject.size)}"
        case _:
            lines = map(protocol.subject_line, protocol.list_subjects(folder))
            return "\n".join(lines) or f"No subject is kept in {folder}."


def named_subject(arguments: argparse.Namespace) -> protocol.Subject | None:
    """Return the subject that `generate --subject` names, None without it. Raises ProtocolError, BadInput."""
    if not arguments.subject:
        return None
    if arguments.image:
        raise BadInput("A kept subject has its own photos.", "Leave --image away, or --subject.")
    return protocol.find_subject(arguments.subjects or subjects_folder(), arguments.subject)


def subjects_folder() -> Path:
    """Return the folder of kept subjects of this computer's user: MAQUETTE_SUBJECTS, else where systems keep data."""
    if own := os.environ.get("MAQUETTE_SUBJECTS"):
        return Path(own)
    return user_data_folder() / "subjects"
