"""The job folder: stages that are made once, steps that go on where they were, and what the outside may ask of them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from addon.protocol import InputImage
from backend.errors import BadInput, JobCancelled, JobInterrupted, JobLeft, JobStopped
from backend.images import load_image
from backend.runtime import job as job_module
from backend.runtime.control import Control
from backend.runtime.job import Job
from tests.backend.fake_system import Fit, fit, write_job


class Setup:
    """A job on a fresh or an existing folder, with its events in a list."""

    def __init__(self, folder: Path, **fields: Any) -> None:
        self.folder = folder if folder.exists() else write_job(folder, **fields)
        self.events: list[protocol.Event] = []
        self.control = Control(folder.name)
        self.job = Job(self.folder, protocol.read_request(self.folder), self.events.append, self.control)

    def of(self, kind: type) -> list[Any]:
        """Return the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


class Counter:
    """The smallest state."""

    def __init__(self) -> None:
        self.count = 0

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count = state["count"]


def leave_at(control: Control, step: int, how: str) -> Any:
    """Return the fake system with a wish from outside at a step of its first loop."""

    def run(job: Job) -> None:
        original = Fit.step

        def step_and_wish(self: Fit, number: int) -> None:
            original(self, number)
            if number == step:
                {"cancel": control.cancel, "finish": control.finish, "interrupt": lambda: control.interrupt("x")}[how]()

        Fit.step = step_and_wish
        try:
            fit(job)
        finally:
            Fit.step = original

    return run


def test_the_first_step_may_be_left_at_once_and_no_other_one(tmp_path: Path) -> None:
    """In it kernels are compiled, which may take a minute, and nothing is lost that it has come from."""
    for told in (0, 2):  # in which step
        setup = Setup(tmp_path / f"{told}")
        setup.control.may_leave_at_once = True
        counter, done = Counter(), []

        def make(told: int = told, setup: Setup = setup, counter: Counter = counter, done: list[int] = done) -> dict:
            for step in setup.job.steps(5, counter):
                done.append(step)
                if step == told:
                    setup.control.interrupt("x")
                    setup.control.leave_if_told()  # as the signal does
                    done.append(step)
            return {}

        with pytest.raises(KeyboardInterrupt if told == 0 else JobInterrupted):
            setup.job.stage("count", make)
        assert done == ([0] if told == 0 else [0, 1, 2, 2])
        assert any(tmp_path.glob(f"{told}/stages/1-count/checkpoint-0*")) == (told > 0)


def test_a_finished_stage_comes_from_disk_and_is_not_run_again(tmp_path: Path) -> None:
    made = {
        "tensor": torch.tensor([[1.5, -0.0], [float("inf"), 1e-40]]),
        "half": torch.tensor([1.0, 2.0], dtype=torch.float16),
        "nested": {"list": [1, 2.5, None, True, "ü", torch.arange(3)], 7: {"deep": torch.zeros(0)}},
        "third": 1 / 3,
    }
    first = Setup(tmp_path / "a").job.stage("make it", lambda: made)
    again = Setup(tmp_path / "a")
    second = again.job.stage("make it", lambda: pytest.fail("the stage was run again"))
    for values in (first, second):
        assert torch.equal(values["tensor"].view(torch.int32), made["tensor"].view(torch.int32))  # to the bit
        assert values["half"].dtype == torch.float16 and torch.equal(values["half"], made["half"])
        assert values["nested"]["list"][:5] == made["nested"]["list"][:5]
        assert torch.equal(values["nested"]["list"][5], torch.arange(3))
        assert values["nested"][7]["deep"].shape == (0,)
        assert values["third"] == 1 / 3
    assert again.of(protocol.Stage) == [protocol.Stage(number=1, name="make it", loaded=True)]


def test_a_stage_says_of_how_many_it_is_one_if_the_system_does(tmp_path: Path) -> None:
    setup = Setup(tmp_path / "a")
    setup.job.stage("first", dict)
    setup.job.total_stages = 3
    setup.job.stage("second", dict)
    assert [(stage.number, stage.stages) for stage in setup.of(protocol.Stage)] == [(1, 0), (2, 3)]


def test_tensors_that_share_memory_are_kept_apart(tmp_path: Path) -> None:
    whole = torch.arange(6.0)
    values = Setup(tmp_path / "a").job.stage("share", lambda: {"a": whole[:3], "b": whole[2:], "a/b": whole[0]})
    assert torch.equal(values["a"], torch.tensor([0.0, 1.0, 2.0]))
    assert torch.equal(values["b"], torch.tensor([2.0, 3.0, 4.0, 5.0])) and values["a/b"] == 0.0


def test_what_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="value is a set"):
        Setup(tmp_path / "a").job.stage("bad", lambda: {"value": {1, 2}})


def test_randomness_after_a_loaded_stage_is_that_after_a_made_one(tmp_path: Path) -> None:
    def draw(setup: Setup) -> list[float]:
        setup.job.stage("first", lambda: {"x": torch.rand(5, generator=setup.job.generator) + torch.rand(5)})
        return [torch.rand((), generator=setup.job.generator).item(), torch.rand(()).item()]

    assert draw(Setup(tmp_path / "a")) == draw(Setup(tmp_path / "a")) == draw(Setup(tmp_path / "b"))
    assert draw(Setup(tmp_path / "c", seed=4)) != draw(Setup(tmp_path / "a"))


def test_files_of_a_stage_are_hashed_and_a_replaced_one_is_used_and_makes_later_stages_again(tmp_path: Path) -> None:
    runs: list[str] = []

    def system(job: Job) -> str:
        def perceive() -> dict[str, Any]:
            runs.append("perceive")
            (job.stage_folder / "mask.txt").write_text("made")
            return {}

        def build() -> dict[str, Any]:
            runs.append("build")
            return {"mask": (job.stage_path("perceive") / "mask.txt").read_text()}

        job.stage("perceive", perceive)
        return job.stage("build", build)["mask"]

    first = Setup(tmp_path / "a")
    assert system(first.job) == "made"
    # SHA-256 of b"made", by sha256sum
    assert first.job.stages[0]["files"]["mask.txt"].startswith("ea0890697a77af0a")
    (tmp_path / "a/stages/1-perceive/mask.txt").write_text("drawn by hand")
    second = Setup(tmp_path / "a")
    assert system(second.job) == "drawn by hand"
    assert runs == ["perceive", "build", "build"]
    assert "mask.txt was replaced" in second.of(protocol.Warning)[0].message
    assert second.job.record()["stages"][0]["replaced"] == ["mask.txt"]
    third = Setup(tmp_path / "a")
    assert system(third.job) == "drawn by hand"
    assert third.of(protocol.Warning) == [] and runs == ["perceive", "build", "build"]


@pytest.mark.parametrize(("field", "value", "is_again"), [("seed", 9, True), ("stop_after", "x", False)])
def test_a_stage_is_made_again_if_the_request_says_something_else(
    tmp_path: Path, field: str, value: Any, is_again: bool
) -> None:
    calls: list[int] = []
    make = lambda: {"n": len(calls), "_": calls.append(1)}  # noqa: E731
    Setup(tmp_path / "a").job.stage("s", make)
    content = json.loads((tmp_path / "a/request.json").read_text()) | {field: value}
    (tmp_path / "a/request.json").write_text(json.dumps(content))
    again = Setup(tmp_path / "a")
    again.job.stage("s", make)
    assert len(calls) == 1 + is_again and len(again.of(protocol.Warning)) == is_again


def test_damaged_files_are_named_with_a_remedy(tmp_path: Path) -> None:
    Setup(tmp_path / "a").job.stage("s", lambda: {"x": torch.zeros(3)})
    folder = tmp_path / "a/stages/1-s"
    (folder / "stage.json").write_text("{")
    with pytest.raises(BadInput, match="damaged"):
        Setup(tmp_path / "a").job.stage("s", dict)
    (folder / "stage.json").unlink()
    Setup(tmp_path / "a").job.stage("s", lambda: {"x": torch.zeros(3)})
    (folder / "tensors.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(BadInput, match="damaged") as caught:
        Setup(tmp_path / "a").job.stage("s", dict)
    assert "Delete" in caught.value.hint


@pytest.mark.parametrize("step", [0, 3, 38, 39])
def test_an_interrupted_run_that_is_resumed_gives_the_same_bytes(tmp_path: Path, step: int) -> None:
    whole = Setup(tmp_path / "whole")
    fit(whole.job)
    parts = Setup(tmp_path / "parts")
    with pytest.raises(JobInterrupted):
        leave_at(parts.control, step, "interrupt")(parts.job)
    resumed = Setup(tmp_path / "parts")
    fit(resumed.job)
    assert [stage.loaded for stage in resumed.of(protocol.Stage)] == [True, False, False]
    expected = (tmp_path / "whole/result/points.bin").read_bytes()
    assert (tmp_path / "parts/result/points.bin").read_bytes() == expected and len(expected) > 200
    assert [s["files"] for s in resumed.job.stages] == [s["files"] for s in whole.job.stages]
    assert not list((tmp_path / "parts/stages").rglob("checkpoint-*"))


def test_checkpoints_do_not_change_the_result(tmp_path: Path) -> None:
    fit(Setup(tmp_path / "a", settings={"checkpoint_steps": 1}).job)
    fit(Setup(tmp_path / "b").job)
    assert (tmp_path / "a/result/points.bin").read_bytes() == (tmp_path / "b/result/points.bin").read_bytes()


def test_without_the_generator_in_the_checkpoint_the_bytes_would_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(Setup(tmp_path / "a").job)
    b = Setup(tmp_path / "b")
    with pytest.raises(JobInterrupted):
        leave_at(b.control, 10, "interrupt")(b.job)
    monkeypatch.setattr(Job, "_restore_randomness", lambda self, states: None)
    fit(Setup(tmp_path / "b").job)
    assert (tmp_path / "a/result/points.bin").read_bytes() != (tmp_path / "b/result/points.bin").read_bytes()


def test_steps_go_on_after_the_last_checkpoint(tmp_path: Path) -> None:
    def steps(stop: int) -> list[int]:
        setup, seen, state = Setup(tmp_path / "a", settings={"checkpoint_steps": 4}), [], Counter()

        def make() -> dict[str, Any]:
            for step in setup.job.steps(10, state):
                if step == stop:
                    raise MemoryError  # the way a kill ends a step: without a checkpoint
                seen.append(step)
                state.count += 1
            return {"count": state.count}

        if stop < 10:
            with pytest.raises(MemoryError):
                setup.job.stage("count", make)
        else:
            assert setup.job.stage("count", make) == {"count": 10}
        return seen

    assert steps(stop=6) == [0, 1, 2, 3, 4, 5]
    assert steps(stop=7) == [4, 5, 6]
    assert steps(stop=99) == [4, 5, 6, 7, 8, 9]


def test_a_checkpoint_is_written_when_its_time_has_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(job_module.time, "monotonic", lambda: now[0])
    setup, saved = Setup(tmp_path / "a"), []
    monkeypatch.setattr(Job, "_save", lambda self, path, step, *rest, is_done: saved.append((step, is_done)))

    def make() -> dict[str, Any]:
        for _ in setup.job.steps(10, Counter()):
            now[0] += 8.0
        return {}

    setup.job.stage("s", make)
    assert saved == [(4, False), (8, False), (10, True)]  # 32 and 64 seconds, and the end of the loop
    progress = setup.of(protocol.Progress)
    assert [event.step for event in progress] == list(range(1, 11))
    assert progress[5].seconds_left == pytest.approx(4 * 8.0) and progress[5].steps_per_second == 0.125


def test_progress_is_rare_where_steps_are_quick(tmp_path: Path) -> None:
    setup = Setup(tmp_path / "a")
    setup.job.stage("s", lambda: {"n": sum(1 for _ in setup.job.steps(5000, Counter()))})
    steps = [event.step for event in setup.of(protocol.Progress)]
    assert steps[0] == 1 and steps[-1] == 5000 and len(steps) < 50
    assert all(event.memory_bytes > 1 << 20 for event in setup.of(protocol.Progress))


def test_cancel_stops_at_the_next_step_from_which_it_can_go_on(tmp_path: Path) -> None:
    setup = Setup(tmp_path / "a")
    with pytest.raises(JobCancelled):
        leave_at(setup.control, 5, "cancel")(setup.job)
    assert not (tmp_path / "a/result").exists()
    again = Setup(tmp_path / "a")
    fit(again.job)
    assert next(event.step for event in again.of(protocol.Progress) if event.step > 1) > 6  # and not from the beginning
    fit(Setup(tmp_path / "b").job)
    assert (tmp_path / "a/result/points.bin").read_bytes() == (tmp_path / "b/result/points.bin").read_bytes()


def test_no_fallback_swallows_the_wish_to_leave() -> None:
    assert not issubclass(JobLeft, Exception)


def test_finish_ends_all_steps_and_still_exports_also_after_a_resume(tmp_path: Path) -> None:
    setup = Setup(tmp_path / "a")
    leave_at(setup.control, 5, "finish")(setup.job)
    stages = setup.job.stages
    assert len((tmp_path / "a/result/points.bin").read_bytes()) == 4 * (3 + 4 + 6 + 2)
    assert [stage["finish"] for stage in stages] == [False, True, True]
    again = Setup(tmp_path / "a")
    (tmp_path / "a/stages/3-export/stage.json").unlink()  # killed after the second stage
    fit(again.job)
    assert [s["files"] for s in again.job.stages] == [s["files"] for s in stages]
    assert list(again.job.steps(5, Counter())) == []  # the wish is remembered


def test_stop_after_stops_once_and_the_next_run_goes_on(tmp_path: Path) -> None:
    with pytest.raises(JobStopped, match="Fit weights"):
        fit(Setup(tmp_path / "a", stop_after="fit-weights").job)
    assert not (tmp_path / "a/stages/3-export").exists()
    fit(Setup(tmp_path / "a").job)
    fit(Setup(tmp_path / "b").job)
    assert (tmp_path / "a/result/points.bin").read_bytes() == (tmp_path / "b/result/points.bin").read_bytes()


def test_previews_are_whole_files_and_at_most_one_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(job_module.time, "monotonic", lambda: now[0])
    setup = Setup(tmp_path / "a")
    for grey in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        assert setup.job.preview_due == (now[0] in (0.0, 1.0, 2.0))
        setup.job.preview(torch.full((2, 3, 3), grey))
        now[0] += 0.5
    assert setup.of(protocol.Preview) == [protocol.Preview()] * 3
    rgb, alpha = load_image(tmp_path / "a/preview/latest.png")
    assert rgb.shape == (2, 3, 3) and torch.allclose(rgb, torch.tensor(0.8)) and alpha is None
    assert [path.name for path in (tmp_path / "a/preview").iterdir()] == ["latest.png"]


def test_an_input_outside_the_folder_is_refused_even_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    setup = Setup(tmp_path / "a")
    (tmp_path / "a/inputs").mkdir()
    (tmp_path / "a/inputs/00.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "a/inputs/01.png").write_bytes(b"x")
    with pytest.raises(BadInput, match="leads out"):
        setup.job.input_path(InputImage(path="inputs/00.png"))
    with pytest.raises(BadInput, match="missing"):
        setup.job.input_path(InputImage(path="inputs/02.png"))
    assert setup.job.input_path(InputImage(path="inputs/01.png")).read_bytes() == b"x"


def test_the_record_has_what_result_json_needs(tmp_path: Path) -> None:
    folder = write_job(tmp_path / "a")
    (folder / "inputs").mkdir()
    (folder / "inputs/00.png").write_bytes(b"made")
    setup = Setup(folder)
    setup.job.stage("s", lambda: {"x": 1, "_": time.sleep(0.05)})
    record = setup.job.record()
    assert record["seed"] == 3 and record["threads"] == torch.get_num_threads()
    assert record["inputs"]["inputs/00.png"].startswith("ea0890697a77af0a")
    assert record["stages"][0]["seconds"] >= 0.05
    assert set(record["stages"][0]["files"]) == {"values.json", "randomness.safetensors"}
    json.dumps(record)


def test_the_time_of_earlier_runs_is_kept(tmp_path: Path) -> None:
    def wait() -> dict[str, Any]:
        time.sleep(0.05)
        return {}

    first = Setup(tmp_path / "job")
    first.job.stage("one", wait)
    assert first.job.seconds_before == 0.0  # all of it is of this run
    again = Setup(tmp_path / "job")
    again.job.stage("one", wait)
    again.job.stage("two", wait)
    assert again.job.seconds_before == again.job.stages[0]["seconds"] >= 0.05


def test_parts_are_told_without_a_speed_and_hear_what_is_wished(tmp_path: Path) -> None:
    made = Setup(tmp_path / "job")
    made.job.part(2, 5)
    (told,) = made.of(protocol.Progress)
    assert (told.step, told.steps, told.steps_per_second) == (2, 5, 0.0)
    made.control.cancel()
    with pytest.raises(JobCancelled):
        made.job.part(3, 5)
