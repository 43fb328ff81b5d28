"""Kept subjects: what a job has learnt of one, in a folder of its own among others, for further jobs.

    keep_subject(folder, job, "Ted")     # copies photos, class pictures and the taught prior out of the job's stages
    find_subject(folder, "Ted")          # by its name
    delete_subject(subject)

The record of a subject has the SHA-256 of each of its files, and its own SHA-256 names the subject in requests.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from .inside import PRIVATE, file_size, files_inside, is_inside, make_folder_in, open_file, rename_inside, write_whole
from .job_folder import INPUT_BYTES, RECORD_FILE, STAGES_FOLDER, is_running, megabytes, read_request
from .phrases import Phrase
from .request import OF_A_SUBJECT, SUBJECT_FILES, SUBJECT_FOLDER, SUBJECT_RECORD
from .systems import SYSTEMS
from .typed_json import ProtocolError, build, parse

TAUGHT_FILE = "taught.json"  # what a stage that teaches says of the subject; becomes part of the record
RECORD_BYTES = 1 << 16
NAME_LETTERS = 60
UNFINISHED = ".tmp"  # how the name of a folder ends that is being made or removed
COPIED_BYTES = 1 << 20  # at a time


@dataclass(frozen=True, kw_only=True)
class Taught:
    """What a prior was taught: a subject of a class ("bear") by a token ("sks"); its fingerprint before that."""

    subject: str
    token: str
    prior: str

    def __post_init__(self) -> None:
        for words in (self.subject, self.token, self.prior):
            _checked_words(words)


@dataclass(frozen=True, kw_only=True)
class SubjectRecord(Taught):
    """What subject.json says: the name that the artist gave, and the SHA-256 of each file."""

    name: str
    files: dict[str, str]
    version: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.version != 1:
            raise ProtocolError(f"The kept subject has version {self.version}; known is 1. Update Maquette.")
        _checked_words(self.name)
        if len(self.files) >= SUBJECT_FILES or not all(map(OF_A_SUBJECT.fullmatch, self.files)):
            raise ProtocolError("The kept subject has too many files, or others than a subject has.")


@dataclass(frozen=True)
class Subject:
    """A kept subject. With a `problem`, a sentence, nothing but its folder is known."""

    folder: Path
    record: SubjectRecord | None = None
    size: int = 0  # bytes
    problem: str = ""

    @property
    def name(self) -> str:
        """Return the name that the artist gave."""
        return self.record.name if self.record else self.folder.name

    @property
    def thumbnail(self) -> Path | None:
        """Return a picture of the subject: its first photo, cut out; None if there is none."""
        photos = sorted(name for name in (self.record.files if self.record else ()) if name.startswith("photos/"))
        return next((self.folder / name for name in photos if is_inside(self.folder, name)), None)


def list_subjects(folder: Path) -> list[Subject]:
    """Return the kept subjects in a folder, by name, those that cannot be read last; none where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = [read_subject(folder / name) for name in names if not name.endswith(UNFINISHED)]
    return sorted(found, key=lambda each: (bool(each.problem), each.name.casefold()))


def read_subject(folder: Path) -> Subject:
    """Return what a folder says of its subject; whatever is wrong with it becomes its problem."""
    try:
        record = decode_record(read_record(folder))
        return Subject(folder, record, sum(file_size(folder, name) or 0 for name in (SUBJECT_RECORD, *record.files)))
    except (ProtocolError, OSError) as error:
        return Subject(folder, problem=str(error))


def find_subject(folder: Path, name: str) -> Subject:
    """Return the kept subject of a name. Raises ProtocolError that names those that there are."""
    known = list_subjects(folder)
    for each in known:
        if each.name.casefold() == name.strip().casefold():
            return each
    others = f"Kept are {', '.join(each.name for each in known)}." if known else "None is kept yet."
    raise ProtocolError(f"There is no subject named {name[:NAME_LETTERS]!r} in {folder}. {others}")


def subject_line(subject: Subject) -> Phrase:
    """Return what a list says of a subject: name, class, size, or what is wrong."""
    if subject.record is None:
        return Phrase("{name}: {reason}", name=subject.folder.name, reason=subject.problem)
    told = {"name": subject.name, "word": subject.record.subject, "size": megabytes(subject.size)}
    return Phrase("{name}: a {word}, {size}", **told)


def subject_files(subject: Subject) -> tuple[str, dict[str, Path]]:
    """Return what names a subject in a request, and its files, as named there. Raises ProtocolError for a damaged one.

    Nothing is hashed but the record: the job compares the files.
    """
    if subject.record is None:
        raise ProtocolError(f"The subject {subject.name} cannot be used: {subject.problem}")
    names = (SUBJECT_RECORD, *sorted(subject.record.files))
    if lost := next((name for name in names if not is_inside(subject.folder, name)), None):
        raise ProtocolError(f"The subject {subject.name} lacks {lost}, or a link stands in its place. Keep it anew.")
    own = hashlib.sha256(read_record(subject.folder)).hexdigest()
    return own, {name: subject.folder / name for name in names}


def learnt_subject(job: Path) -> tuple[str, dict[str, Path]]:
    """Return what names the subject of a job in another request, and its files, as `subject_files` does of a kept one.

    A job from a kept subject has that one. Raises ProtocolError for a job that has learnt none, or has no record of it.
    """
    request = read_request(job)
    if request.subject:
        return request.subject, {name: job / SUBJECT_FOLDER / name for name in request.subject_files}
    _, sources = _learnt(job)
    weights = next(source for target, source in sources.items() if target.startswith("taught/"))
    stage = "/".join(weights.split("/")[:2])  # stages/NUMBER-NAME
    record = read_record(job, f"{stage}/{SUBJECT_RECORD}")
    files = decode_record(record).files
    if not files.keys() <= sources.keys():
        raise ProtocolError(f"{job.name} has lost files of its subject since it was learnt: run it again.")
    paths = {SUBJECT_RECORD: job / stage / SUBJECT_RECORD} | {name: job / sources[name] for name in sorted(files)}
    return hashlib.sha256(record).hexdigest(), paths


# ---- keeping and deleting --------------------------------------------------------------------------------------------


def keep_subject(folder: Path, job: Path, name: str) -> Subject:
    """Copy what a job has learnt of its subject into a new folder below `folder`, and return it.

    Raises ProtocolError with a sentence for a name that is taken, or a job that has not learnt one, OSError where the
    files cannot be copied; then it leaves nothing.
    """
    name = _checked_words(" ".join(name.split()))
    if len(name) > NAME_LETTERS:
        raise ProtocolError(f"The name has {len(name)} letters; at most {NAME_LETTERS} are shown. Shorten it.")
    if any(each.name.casefold() == name.casefold() for each in list_subjects(folder)):
        raise ProtocolError(f"A subject named {name!r} is kept already: choose another name, or delete that one.")
    facts, sources = _learnt(job)
    # No job's or subject's: nobody reads it under this name.
    unfinished = f"{secrets.token_hex(6)}{UNFINISHED}"
    folder.mkdir(PRIVATE, parents=True, exist_ok=True)
    make_folder_in(folder, unfinished, PRIVATE)
    try:
        hashes = {target: _copy(job, source, folder, f"{unfinished}/{target}") for target, source in sources.items()}
        record = SubjectRecord(
            name=name, subject=facts.subject, token=facts.token, prior=facts.prior, files=hashes
        )  # fmt: skip
        content = encode_record(record)
        write_whole(folder, f"{unfinished}/{SUBJECT_RECORD}", content)
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "subject"
        leaf = f"{slug}-{hashlib.sha256(content).hexdigest()[:8]}"
        rename_inside(folder, unfinished, leaf)
    except BaseException:
        shutil.rmtree(folder / unfinished, ignore_errors=True)
        raise
    return read_subject(folder / leaf)


def delete_subject(subject: Subject) -> None:
    """Remove the folder of a kept subject; jobs that were made with it have copies. Raises OSError, ProtocolError."""
    folder, doomed = subject.folder.parent, f"{subject.folder.name}-{secrets.token_hex(3)}{UNFINISHED}"
    if not is_inside(subject.folder, SUBJECT_RECORD):
        raise ProtocolError(f"{subject.folder} is no kept subject: it was not removed.")
    rename_inside(folder, subject.folder.name, doomed)  # so that half a folder is no subject any more
    shutil.rmtree(folder / doomed)


def _learnt(job: Path) -> tuple[Taught, dict[str, str]]:
    """Return what a job says of its subject, and the files to keep: name in the subject -> name in the job."""
    request = read_request(job)
    system = SYSTEMS[request.system]
    if not system.keeps_subjects:
        able = " and ".join(name for name, each in SYSTEMS.items() if each.keeps_subjects)
        raise ProtocolError(f"{job.name} is of the system {request.system}, which learns no subject; {able} does.")
    if request.subject:
        raise ProtocolError(f"{job.name} was made from a kept subject, which is kept already.")
    if is_running(job):
        raise ProtocolError(f"{job.name} is running: keep its subject when it is done.")
    sources: dict[str, str] = {}
    facts: Taught | None = None
    for stage in filter(lambda stage: stage.kept, system.stages):
        for number in range(1, len(system.stages) + 1):
            made = f"{STAGES_FOLDER}/{number}-{stage.name}"
            if not is_inside(job, f"{made}/{RECORD_FILE}"):
                continue
            if is_inside(job, f"{made}/{TAUGHT_FILE}"):
                facts = read_taught(job, f"{made}/{TAUGHT_FILE}")
            targets = {f"{stage.kept}/{path.removeprefix(f'{made}/')}": path for path in files_inside(job, made)}
            sources |= {target: path for target, path in targets.items() if OF_A_SUBJECT.fullmatch(target)}
    needed = ("photos/", "taught/partial/", "taught/full/")
    if facts is None or not all(any(name.startswith(start) for name in sources) for start in needed):
        raise ProtocolError(f"{job.name} has not learnt its subject yet, or with an earlier version: run it first.")
    for path in sources.values():
        if (size := file_size(job, path) or 0) > INPUT_BYTES:
            raise ProtocolError(
                f"What {job.name} has learnt is too large to keep: {path} has {megabytes(size)}, at most "
                f"{megabytes(INPUT_BYTES)} are copied. Teach small changes: --set tuning_whole=lora."
            )
    return facts, sources


def _copy(job: Path, source: str, folder: Path, target: str) -> str:
    """Copy a file and return its SHA-256."""
    digest = hashlib.sha256()
    with open_file(job, source, "rb") as file, open_file(folder, target, "wb") as copy:
        while some := file.read(COPIED_BYTES):
            digest.update(some)
            copy.write(some)
    return digest.hexdigest()


# ---- what is written -------------------------------------------------------------------------------------------------


def encode_taught(taught: Taught) -> bytes:
    """Return the text of TAUGHT_FILE."""
    return (json.dumps(dataclasses.asdict(taught), indent=1) + "\n").encode()


def encode_record(record: SubjectRecord) -> bytes:
    """Return the text of SUBJECT_RECORD."""
    return (json.dumps(dataclasses.asdict(record), indent=1, sort_keys=True) + "\n").encode()


def read_taught(job: Path, name: str) -> Taught:
    """Return what `encode_taught` wrote. Raises ProtocolError for a file that says something else."""
    return build(Taught, parse(_read(job, name), f"{job.name}/{name}"))


def read_record(folder: Path, name: str = SUBJECT_RECORD) -> bytes:
    """Return the text of a subject's record. Raises ProtocolError where there is none, or too long a one."""
    if not is_inside(folder, name):
        raise ProtocolError(f"{folder} is no kept subject: it has no {name}.")
    return _read(folder, name)


def decode_record(text: bytes) -> SubjectRecord:
    """Return what a record says. Raises ProtocolError for what is none."""
    return build(SubjectRecord, parse(text, SUBJECT_RECORD))


def _read(folder: Path, name: str) -> bytes:
    with open_file(folder, name, "rb") as file:
        content = file.read(RECORD_BYTES + 1)
    if len(content) > RECORD_BYTES:
        raise ProtocolError(f"{folder / name} has more than {RECORD_BYTES} bytes, and none of ours has.")
    return content


def _checked_words(text: str) -> str:
    if not any(letter.isalnum() for letter in text) or len(text) > 2 * NAME_LETTERS or not text.isprintable():
        raise ProtocolError(f"{text[:NAME_LETTERS]!r} is no name: give a word or a few, of printed letters.")
    return text
