"""One job for each picture: the prompts, what is skipped, what goes on, and the summary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from addon.jobs import batch, store
from addon.jobs.batch import AGAIN, BAD, BUSY, DONE, NEW
from tests.addon.jobs.test_store import HELLO, say


def request_of(prompt: str, image: protocol.InputImage, **fields: Any) -> protocol.Request:
    return protocol.Request(system="tv3dg", prompt=prompt, images=(image,), **fields)


@pytest.fixture
def pictures(tmp_path: Path) -> list[tuple[str, Path]]:
    """Three pictures of different contents."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("cup.png", "red_mug-2.JPG", "tea pot.webp"):
        (folder / name).write_bytes(name.encode())
    (folder / "notes.txt").write_bytes(b"")
    (folder / "folder.png").mkdir()
    return [(batch.name_of(path), path) for path in batch.pictures_in(folder)]


def verdicts(items: list[batch.Item]) -> list[str]:
    return [item.verdict for item in items]


def end(job: Path, last: protocol.Last) -> None:
    say(job, HELLO, last)


FINISHED = protocol.Finished(results=(), seconds=1.0)


def test_the_pictures_of_a_folder_and_their_prompts(tmp_path: Path, pictures: list[tuple[str, Path]]) -> None:
    assert [name for name, _ in pictures] == ["cup", "red mug 2", "tea pot"]
    items = batch.plan(pictures, "a {name}, {name} of clay", request_of, tmp_path / "jobs")
    assert verdicts(items) == [NEW] * 3
    requests = [item.request for item in items if item.request is not None]
    assert [request.prompt for request in requests] == [
        "a cup, cup of clay",
        "a red mug 2, red mug 2 of clay",
        "a tea pot, tea pot of clay",
    ]
    assert [request.images[0].path for request in requests] == ["inputs/00.png", "inputs/00.jpg", "inputs/00.webp"]
    assert not (tmp_path / "jobs").exists()  # a plan writes nothing
    with pytest.raises(ValueError, match="nothing else is replaced"):
        batch.plan(pictures, "a {nmae}", request_of, tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no picture"):
        batch.pictures_in(tmp_path / "empty")


def test_each_of_several_things_in_a_picture_becomes_a_job(tmp_path: Path, pictures: list[tuple[str, Path]]) -> None:
    items = batch.plan(pictures[:2], "a {name}", request_of, tmp_path / "jobs", pieces=2)
    requests = [item.request for item in items if item.request is not None]
    assert [item.name for item in items] == ["cup (1)", "cup (2)", "red mug 2 (1)", "red mug 2 (2)"]
    assert [request.settings for request in requests] == [{"piece": 1}, {"piece": 2}] * 2
    assert requests[0].prompt == requests[1].prompt == "a cup"
    assert [
        item.request.settings for item in batch.plan(pictures, "a {name}", request_of, tmp_path) if item.request
    ] == [{}] * 3
    for number in (-1, 10):
        with pytest.raises(ValueError, match=f"{number} pieces"):
            batch.plan(pictures, "a {name}", request_of, tmp_path, pieces=number)


def test_a_thing_that_a_picture_does_not_have_is_no_failure(tmp_path: Path, pictures: list[tuple[str, Path]]) -> None:
    folder = tmp_path / "jobs"
    items = batch.plan(pictures[:1], "a {name}", request_of, folder, pieces=3)
    made = batch.begin(items, folder, lambda job, place: None)
    first, second, third = made.jobs
    for job in (first, second):
        end(job, FINISHED)
    end(third, protocol.Failed(kind=batch.NO_PIECE, message="The cut-out has 2 pieces", hint=""))
    assert [made.leave_out(job) for job in (first, second, third)] == [False, False, True]
    made.ends = dict.fromkeys(made.jobs, FINISHED)
    assert made.is_over and list(made.places) == [first, second] and set(store.list_jobs(folder)) == {first, second}
    assert batch.summary(made) == "3 pictures: 2 finished, 1 left out because their pictures have fewer things."
    end(second, protocol.Failed(kind="EmptyMask", message="Nothing.", hint=""))
    assert not made.leave_out(second) and second.is_dir()


def test_what_is_done_is_skipped_and_what_failed_goes_on(tmp_path: Path, pictures: list[tuple[str, Path]]) -> None:
    folder, queued = tmp_path / "jobs", []

    def enqueue(job: Path, place: int) -> None:
        queued.append(job)

    def plan(**fields: Any) -> list[batch.Item]:
        return batch.plan(pictures, "a {name}", lambda *given: request_of(*given, **fields), folder, queued)

    first = batch.begin(plan(), folder, enqueue)
    assert list(first.jobs) == queued and list(first.jobs.values()) == ["cup", "red mug 2", "tea pot"]
    assert verdicts(plan()) == [BUSY] * 3
    made = queued[:]
    queued.clear()
    assert verdicts(plan()) == [AGAIN] * 3  # they were taken out
    queued.append(made[2])
    end(made[0], FINISHED)
    end(made[1], protocol.Failed(kind="K", message="The mask is empty.", hint=""))
    items = plan()
    assert verdicts(items) == [DONE, AGAIN, BUSY] and items[1].job == made[1]
    again = batch.begin(items, folder, enqueue)
    assert queued == [made[2], made[1]] and again.skipped == ["cup", "tea pot"] and len(store.list_jobs(folder)) == 3
    assert again.places == {made[0]: 0, made[1]: 1, made[2]: 2}
    # Other settings, another seed, another prompt or other pixels are another object.
    assert (
        verdicts(plan(seed=1))
        == verdicts(plan(settings={"steps": 3}))
        == verdicts(plan(outputs=("mesh",)))
        == [NEW] * 3
    )
    queued.pop()
    assert verdicts(plan(threads=2)) == [DONE, AGAIN, BUSY]
    pictures[0][1].write_bytes(b"CUP.png")  # as long as before
    assert verdicts(plan()) == [NEW, AGAIN, BUSY]


def test_one_bad_picture_does_not_keep_the_others(
    tmp_path: Path, pictures: list[tuple[str, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(protocol.INPUT_BYTES + 1)
    given = [
        ("large", tmp_path / "large.png"),
        ("gone", tmp_path / "gone.png"),
        ("x" * 2000, pictures[0][1]),
        *pictures,
    ]
    items = batch.plan(given, "{name}", request_of, tmp_path / "jobs")
    assert verdicts(items) == [BAD, BAD, BAD, NEW, NEW, NEW]
    assert "at most 268.4 MB" in items[0].problem and "2000 characters" in items[2].problem
    pictures[1][1].unlink()  # between the plan and its execution

    def enqueue(job: Path, place: int) -> None:
        if protocol.read_request(job).prompt == "tea pot":
            raise OSError("the disk is full")

    begun = batch.begin(items, tmp_path / "jobs", enqueue)
    assert list(begun.jobs.values()) == ["cup"]
    assert [name for name, _ in begun.problems][:2] == ["large", "gone"] and len(begun.problems) == 5
    (job,) = begun.jobs
    assert not begun.is_over
    begun.ends[job] = FINISHED
    text = batch.summary(begun)
    assert begun.is_over and text.startswith("6 pictures: 1 finished, 5 failed. large: has 268.4 MB")
    assert text.endswith("And 2 more.")


def test_the_summary_counts_every_end() -> None:
    ends: list[protocol.Last | None] = [
        FINISHED,
        protocol.Failed(kind="K", message="The mask is empty.", hint="h"),
        protocol.Cancelled(seconds=1.0),
        None,
    ]
    made = batch.Batch(jobs={Path(str(number)): f"p{number}" for number in range(5)}, skipped=["q"])
    made.ends = {Path(str(number)): last for number, last in enumerate(ends)}
    assert batch.summary(made) == (
        "6 pictures: 1 finished, 1 failed, 2 stopped, 1 to come, 1 skipped because they are done or queued already."
        " p1: The mask is empty."
    )
