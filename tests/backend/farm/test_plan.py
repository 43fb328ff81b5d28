"""Which jobs go to a farm, and what is said of those that do not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from addon import protocol
from addon.protocol import models
from backend.errors import BadInput
from backend.farm import plan
from backend.weights import EMBEDDED
from tests.backend.farm.job_folders import DONE, end, made, write_jobs


def test_jobs_are_named_from_their_common_folder_once_each(tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path, ["a/one", "b/two words"])
    result = made([*jobs, jobs[0]], tmp_path / "out")
    assert result.jobs == tmp_path and result.names == ("a/one", "b/two words")
    assert made(jobs[:1], tmp_path / "out").jobs == tmp_path / "a"


def test_a_folder_of_job_folders_stands_for_those_in_it(tmp_path: Path) -> None:
    write_jobs(tmp_path / "jobs", ["b", "a", "half-made.tmp"])
    (tmp_path / "jobs" / "farm").mkdir()
    assert made([tmp_path / "jobs"], tmp_path / "out").names == ("a", "b")


def test_a_job_that_is_done_is_skipped_and_one_that_stopped_is_not(tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path, "abcd")
    end(jobs[0], DONE)
    end(jobs[1], protocol.Interrupted(reason="power", seconds=1.0))
    end(jobs[2], protocol.Finished(results=(), seconds=1.0, stopped_after="perceive"))
    (jobs[3] / protocol.EVENTS_FILE).write_text(protocol.encode(DONE)[:-3])  # torn
    result = made(jobs, tmp_path / "out")
    assert result.names == ("b", "c", "d") and result.skipped == ("a is done already and is skipped.",)
    for job in jobs:
        end(job, DONE)
    with pytest.raises(BadInput, match="None of the 4 jobs is to be run. a is done already"):
        made(jobs, tmp_path / "out")


def test_one_that_failed_or_was_cancelled_is_tried_again_and_said_so(tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path, "abc")
    end(jobs[0], protocol.Failed(kind="UnfitEnvironment", message="There is no GPU.", hint="", exit_code=3))
    end(jobs[1], protocol.Cancelled(seconds=1.0))
    result = made(jobs, tmp_path / "out")
    assert result.names == ("a", "b", "c") and result.skipped == ()
    assert result.notes == (
        "a has failed before and is tried again: There is no GPU.",
        "b was cancelled before and goes on.",
    )


def test_one_that_no_machine_can_run_is_left_out_and_said_so_and_the_others_go(tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path, ["good", "torn", "setting", "input", "link"])
    (jobs[1] / protocol.REQUEST_FILE).write_text('{"type"')
    (jobs[2] / protocol.REQUEST_FILE).unlink()
    write_jobs(tmp_path / "new", ["setting"], settings={"stepz": 3})
    (tmp_path / "new/setting" / protocol.REQUEST_FILE).rename(jobs[2] / protocol.REQUEST_FILE)
    write_jobs(tmp_path / "new", ["input"], images=(protocol.InputImage(path="inputs/00.png"),))
    (tmp_path / "new/input" / protocol.REQUEST_FILE).replace(jobs[3] / protocol.REQUEST_FILE)
    (jobs[4] / protocol.EVENTS_FILE).symlink_to(tmp_path / "elsewhere")
    result = made(jobs, tmp_path / "out")
    assert result.names == ("good",) and result.notes == ()
    words = ("torn cannot run and is left out: ", "There is no setting 'stepz'.", "its input inputs/00.png is missing.")
    assert [each in said for each, said in zip((*words, "is a link"), result.skipped, strict=True)] == [True] * 4


@pytest.mark.skipif(sys.platform == "win32", reason="the lock of a process of its own is tried where there is fork")
def test_a_job_that_another_worker_holds_is_left_alone(tmp_path: Path) -> None:
    import os

    jobs = write_jobs(tmp_path, "ab")
    heard, tell = os.pipe()
    child = os.fork()
    if child == 0:
        protocol.take_lock(jobs[0] / protocol.LOCK_FILE)
        os.write(tell, b"1")
        os.read(heard, 0)
        import signal

        signal.pause()
    try:
        os.read(heard, 1)
        result = made(jobs, tmp_path / "out")
        assert result.names == ("b",) and result.skipped == ("a is held by another process and is left alone.",)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_a_folder_that_other_machines_cannot_see_is_refused(tmp_path: Path) -> None:
    jobs = write_jobs(tmp_path, "a")
    with pytest.raises(BadInput, match="temporary folder of this machine") as refused:
        made(jobs, tmp_path / "out", is_shared=True)
    assert "--same-machine" in refused.value.hint


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes of folders")
def test_a_folder_that_other_users_cannot_see_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = write_jobs(tmp_path / "jobs", "a")
    jobs[0].chmod(0o700)
    monkeypatch.setattr(plan.Path, "parents", property(lambda self: ()))  # pytest's own folders are private, too
    with pytest.raises(BadInput, match="mode 700"):
        made(jobs, tmp_path / "out", is_other_user=True)
    jobs[0].chmod(0o750)
    assert made(jobs, tmp_path / "out", is_other_user=True).names == ("a",)


def test_what_is_no_job_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="There is no folder"):
        made([tmp_path / "missing"], tmp_path / "out")
    with pytest.raises(BadInput, match="empty is not a job folder, nor does it hold one"):
        made([tmp_path / "empty"], tmp_path / "out")
    with pytest.raises(BadInput, match="characters that no farm takes"):
        made(write_jobs(tmp_path, ["{{Param.Jobs}}"]), tmp_path / "out")


def test_needs_are_the_known_bounds_and_a_gpu_for_the_preset_that_wants_one(tmp_path: Path) -> None:
    (draft,) = write_jobs(tmp_path, ["draft"], preset="draft", threads=4)
    (paper,) = write_jobs(tmp_path, ["paper"], preset="paper", threads=0)
    assert made([draft], tmp_path).needs == plan.Needs(memory=3584, gpus=0, gpu_memory=0, threads=4)
    assert made([draft, paper], tmp_path).needs == plan.Needs(memory=3584, gpus=1, gpu_memory=2048, threads=0)
    chosen = made([draft], tmp_path, gpus=1, memory_gib=8.0, gpu_memory_gib=6.5).needs
    assert chosen == plan.Needs(memory=8192, gpus=1, gpu_memory=6656, threads=4)
    assert made([paper], tmp_path, gpus=0).needs.gpus == 0


def test_a_large_model_asks_for_the_memory_of_its_preflight(tmp_path: Path) -> None:
    requests = [
        protocol.Request(system="tv3dg", prompt="a mug", preset="paper", prior=prior) for prior in ("embedded", "sd15")
    ]
    assert plan.needed_mib(requests[:1], 1 << 20, plan.ON_A_PROCESSOR) < 3_584
    on_processor = plan.needed_mib(requests, 1 << 20, plan.ON_A_PROCESSOR)
    on_gpu = plan.needed_mib(requests, 1 << 20, plan.ON_ANY_GPU)
    assert 6_000 < on_processor < 12_000 and 3_000 < on_gpu < on_processor  # in half precision there
    assert plan.needed_mib(requests, 99 << 30, plan.ON_ANY_GPU) == 99 << 10
    assert plan.needed_mib(requests, 5 << 20, "") == 5


def test_a_named_model_counts_as_large_as_it_is_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAQUETTE_MODELS", str(tmp_path))
    facts = {"role": models.BASE, "title": "", "source": "", "files": {}, "sizes": {}}
    for record in (
        models.ModelRecord(name="small", **facts),  # pyright: ignore
        models.ModelRecord(name="small-clay", base="small", **facts),  # pyright: ignore
    ):
        folder = models.place_of(tmp_path, models.BASE, record.name)
        folder.mkdir(parents=True)
        (folder / models.MODEL_RECORD).write_bytes(models.encode_model_record(record))
    for part in ("unet", "vae", "text_encoder"):
        (models.place_of(tmp_path, models.BASE, "small") / part).symlink_to(EMBEDDED / part)

    def needed(prior: str) -> int:
        request = protocol.Request(system="tv3dg", prompt="a mug", preset="paper", prior=prior)
        return plan.needed_mib([request], 1 << 20, plan.ON_ANY_GPU)

    assert needed("small") == needed("small-clay") == needed(str(models.place_of(tmp_path, models.BASE, "small")))
    assert needed("small") < needed("sd15") - 2_000  # which is not installed
