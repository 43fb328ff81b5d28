"""Many pictures, one job each: which of them need a job, the prompt of each, and what became of them. No bpy."""

from __future__ import annotations

import dataclasses
import filecmp
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .. import protocol
from ..protocol import Phrase, joined, sentence_of
from . import store

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}
MAX_PICTURES = 1_000  # of one batch
MAX_JOBS = 5_000  # whose requests are compared, the newest
MAX_PIECES = 9  # of one picture, one job each
FAILURES_NAMED = 3  # in the summary

NO_PIECE = "NoSuchPiece"  # how the backend calls it that a picture has fewer things than were asked for
NEW, AGAIN, DONE, BUSY, BAD = "new", "again", "done", "busy", "bad"


@dataclass(frozen=True)
class Item:
    """One picture of a batch. `verdict`: NEW needs a job; AGAIN has one that is not finished, `job`, and goes on with
    it; DONE and BUSY have one that is finished, or waits or runs; BAD cannot be used, `problem` says why.
    """

    name: str
    source: Path
    verdict: str
    extras: tuple[Path, ...] = ()  # files of the request's other images
    request: protocol.Request | None = None
    job: Path | None = None
    problem: str = ""


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures in a folder, by name. Raises ValueError for more than MAX_PICTURES, or none."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        told = "There is no picture in {folder}; known are {suffixes}."
        raise ValueError(Phrase(told, folder=folder, suffixes=", ".join(sorted(SUFFIXES))))
    if len(found) > MAX_PICTURES:
        told = "{folder} has {count} pictures; a batch has at most {most}. Split the folder."
        raise ValueError(Phrase(told, folder=folder, count=len(found), most=MAX_PICTURES))
    return found


def name_of(path: Path) -> str:
    """Return the words in the name of a file: `red_mug-2.png` is "red mug 2"."""
    return " ".join(path.stem.replace("_", " ").replace("-", " ").split())


def fill(template: str, name: str) -> str:
    """Put a name into the template of a prompt, in the place of {name}. Raises ValueError for other braces."""
    rest = template.replace("{name}", "")
    if "{" in rest or "}" in rest:
        raise ValueError(f"The template {template!r} has braces that are not {{name}}; nothing else is replaced.")
    return template.replace("{name}", name).strip()


def plan(
    pictures: Iterable[tuple[str, Path]],
    template: str,
    request_of: Callable[[str, protocol.InputImage], protocol.Request],
    folder: Path,
    queued: Collection[Path] = (),
    extras: Sequence[Path] = (),
    pieces: int = 0,
) -> list[Item]:
    """Decide for each picture (name, file) what is to be done, given the jobs in a folder; nothing is written.

    `request_of` makes a request of a prompt and an image, to which it may add others, whose files are `extras`;
    `queued` are jobs that wait for their turn. With `pieces` each of so many things in a picture is a job of its own,
    the largest first. Raises ValueError for a wrong template, or too many pieces.
    """
    if not 0 <= pieces <= MAX_PIECES:
        raise ValueError(
            f"{pieces} pieces of each picture are asked for; it must be 0, for all as one, to {MAX_PIECES}."
        )
    known = list(_requests(folder))
    items = []
    for name, source, piece in (
        (*picture, piece) for picture in pictures for piece in range(min(1, pieces), pieces + 1)
    ):
        prompt = fill(template, name)
        called = f"{name} ({piece})" if piece else name
        try:
            size = source.stat().st_size
            if size > protocol.INPUT_BYTES:
                largest = protocol.megabytes(protocol.INPUT_BYTES)
                raise ValueError(
                    Phrase("has {size}; at most {largest} are used", size=protocol.megabytes(size), largest=largest)
                )
            (image,) = protocol.input_images([(source, {})])
            request = request_of(prompt, image)
            if piece:
                request = dataclasses.replace(request, settings=request.settings | {"piece": piece})
            items.append(_judge(called, source, tuple(extras), request, known, queued))
        except (ValueError, OSError) as error:
            items.append(Item(called, source, BAD, problem=sentence_of(error)))
    return items


def _judge(
    name: str,
    source: Path,
    extras: tuple[Path, ...],
    request: protocol.Request,
    known: Sequence[tuple[Path, protocol.Request]],
    queued: Collection[Path],
) -> Item:
    verdicts = {store.FINISHED: DONE, store.RUNNING: BUSY}
    for job, other in known:
        if _neutral(other) == _neutral(request) and _has_inputs(job, other, (source, *extras)):
            verdict = BUSY if job in queued else verdicts.get(store.state(job), AGAIN)
            return Item(name, source, verdict, extras, request, job)
    return Item(name, source, NEW, extras, request)


def _requests(folder: Path) -> Iterable[tuple[Path, protocol.Request]]:
    for job in store.list_jobs(folder)[:MAX_JOBS]:
        try:
            yield job, protocol.read_request(job)
        except (protocol.ProtocolError, OSError):  # not a job of ours: it cannot be the same
            continue


def _neutral(request: protocol.Request) -> protocol.Request:
    """Return the request without what does not change the result."""
    images = tuple(dataclasses.replace(image, path="x") for image in request.images)
    return dataclasses.replace(request, images=images, threads=0)


def _has_inputs(job: Path, request: protocol.Request, sources: Sequence[Path]) -> bool:
    names = [image.path for image in request.images]
    return len(names) == len(sources) and all(
        protocol.is_inside(job, name) and filecmp.cmp(job / name, source, shallow=False)
        for name, source in zip(names, sources, strict=True)
    )


# ---- doing it --------------------------------------------------------------------------------------------------------


@dataclass
class Batch:
    """What was begun: the jobs by the pictures' names, how they ended, and what was left out.

    `places` are those of all pictures that have a job, also one that is done or queued already, in their order.
    """

    places: dict[Path, int] = field(default_factory=dict)
    jobs: dict[Path, str] = field(default_factory=dict)
    ends: dict[Path, protocol.Last | None] = field(default_factory=dict)  # None: taken out of the queue
    skipped: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)  # things that the pictures do not have

    def leave_out(self, job: Path) -> bool:
        """Forget a job, and remove its folder, where it has found no such piece in its picture; return whether so."""
        last = store.last_message(job)
        if not isinstance(last, protocol.Failed) or last.kind != NO_PIECE:
            return False
        self.absent.append(self.jobs.pop(job))
        self.places.pop(job, None)
        store.remove(job)
        return True

    @property
    def is_over(self) -> bool:
        """Say whether no job is still to end."""
        return self.ends.keys() >= self.jobs.keys()


def begin(
    items: Sequence[Item], folder: Path, enqueue: Callable[[Path, int], None], mode: int = protocol.PRIVATE
) -> Batch:
    """Make the jobs and hand each with its place to `enqueue`; what goes wrong with one does not keep the others.

    `mode` is who may look into their folders: for a farm, other users as well.
    """
    batch = Batch()
    for place, item in enumerate(items):
        if item.job is not None:
            batch.places.setdefault(item.job, place)
        if item.verdict in (DONE, BUSY):
            batch.skipped.append(item.name)
        elif item.request is None:
            batch.problems.append((item.name, item.problem))
        else:
            try:
                job = item.job or protocol.make_job(folder, item.request, [item.source, *item.extras], mode)
                enqueue(job, place)
                batch.jobs[job] = item.name
                batch.places.setdefault(job, place)
            except (ValueError, OSError) as error:
                batch.problems.append((item.name, sentence_of(error)))
    return batch


def summary(batch: Batch) -> Phrase:
    """Say what became of a batch, naming the first failures."""
    finished = sum(isinstance(last, protocol.Finished) for last in batch.ends.values())
    failures = batch.problems + [
        (batch.jobs[job], last.message) for job, last in batch.ends.items() if isinstance(last, protocol.Failed)
    ]
    others = len(batch.ends) - finished - (len(failures) - len(batch.problems))
    running = len(batch.jobs) - len(batch.ends)
    counted = (
        Phrase("{count} finished", count=finished),
        Phrase("{count} failed", count=len(failures)),
        Phrase("{count} stopped", count=others),
        Phrase("{count} to come", count=running),
        Phrase("{count} skipped because they are done or queued already", count=len(batch.skipped)),
        Phrase("{count} left out because their pictures have fewer things", count=len(batch.absent)),
    )
    total = len(batch.jobs) + len(batch.absent) + len(batch.skipped) + len(batch.problems)
    parts = joined([each for each in counted if each.values["count"]] or [Phrase("")], "{first}, {second}")
    one, many = (
        Phrase("1 picture: {parts}.", parts=parts),
        Phrase("{total} pictures: {parts}.", total=total, parts=parts),
    )
    told = [one if total == 1 else many]
    told += [Phrase("{name}: {reason}", name=name, reason=reason) for name, reason in failures[:FAILURES_NAMED]]
    if len(failures) > FAILURES_NAMED:
        told.append(Phrase("And {count} more.", count=len(failures) - FAILURES_NAMED))
    return joined(told, "{first} {second}")
