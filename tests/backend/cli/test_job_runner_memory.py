"""Memory that runs out in the middle of a job: it steps down and goes on from its checkpoint, to the same result."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from backend.cli import job_runner
from backend.diffusion import latents
from backend.export import read_points_ply
from backend.runtime import machine, thrift
from backend.runtime.control import Control
from tests.backend.fake_system import write_job
from tests.backend.processes import events, last, run
from tests.backend.systems.tv3dg import small_jobs

EVERY_STEP = {"checkpoint_steps": 1, "steps": 20}
SAID = [f"Memory ran out: the job goes on from its checkpoint, with {words}, which is slower." for words in (
    "4 pictures at a time and views encoded one by one", "one picture at a time",
    "one picture at a time and layers computed again on the way back",
)]  # fmt: skip


def test_a_job_goes_on_from_its_checkpoint_with_less_at_a_time(tmp_path: Path) -> None:
    plain = write_job(tmp_path / "plain", settings=EVERY_STEP)
    short = write_job(tmp_path / "short", prompt="memory later", settings=EVERY_STEP)
    assert run(tmp_path, "run", plain).returncode == 0
    done = run(tmp_path, "run", short)
    assert done.returncode == 0 and isinstance(last(done.stdout), protocol.Finished)
    said = events(done.stdout)
    (warning,) = [event for event in said if isinstance(event, protocol.Warning)]
    assert warning.message == SAID[0]
    after = said[said.index(warning) :]
    assert [event.loaded for event in after if isinstance(event, protocol.Stage)][:1] == [True]
    assert next(event.step for event in after if isinstance(event, protocol.Progress)) > 1  # not from the first step
    assert (short / "result/points.bin").read_bytes() == (plain / "result/points.bin").read_bytes()


@pytest.mark.parametrize(("preset", "remedy"), [("paper", "Use the preset standard"), ("bench", "Use a smaller base")])
def test_without_a_lower_step_the_smaller_preset_is_named(tmp_path: Path, preset: str, remedy: str) -> None:
    done = run(tmp_path, "run", write_job(tmp_path / "job", prompt="memory", preset=preset))
    assert [event.message for event in events(done.stdout) if isinstance(event, protocol.Warning)] == SAID
    failed = last(done.stdout)
    assert isinstance(failed, protocol.Failed) and failed.kind == "OutOfMemory" and done.returncode == 3
    assert failed.message == (
        "Memory ran out, with one picture at a time and layers computed again on the way back: CUDA out of memory. "
        "Tried to allocate 2.00 GiB"
    )
    assert failed.hint == f"{remedy}, or close other programs that use the memory."


def run_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[protocol.Event]:
    """Run a job folder as its process would, in this one; return what was said."""
    said: list[protocol.Event] = []
    run = job_runner._JobRun(folder, Control(), None, None)
    monkeypatch.setattr(run, "emit", said.append)
    monkeypatch.setattr(thrift, "_level", 0)  # and again after the test
    monkeypatch.setattr(machine, "prepare_torch", lambda threads: None)
    assert isinstance(run._execute(job_runner.run_system), protocol.Finished)
    return said


@pytest.mark.slow
def test_a_real_job_makes_nearly_the_same_and_its_result_says_what_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TV-3DG, whose third step finds no memory before the last level."""
    numbers: dict[str, Any] = {"checkpoint_steps": 1, "growth_rounds": 0, "steps": 4}
    plain, short = (small_jobs.new_job(tmp_path / name, **numbers) for name in ("plain", "short"))
    run_here(plain, monkeypatch)
    asked: list[tuple[int, int, bool]] = []

    def encode(prior: Any, images: torch.Tensor, at_once: int) -> torch.Tensor:
        asked.append((prior.most_together, at_once, prior.is_frugal))
        if len(asked) >= 3 and not prior.is_frugal:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return latents.encode(prior, images, at_once)

    monkeypatch.setattr(importlib.import_module("backend.systems.tv3dg.optimise"), "encode", encode)
    said = [event.message for event in run_here(short, monkeypatch) if isinstance(event, protocol.Warning)]
    assert said == SAID
    # Two steps and a half, then twice in vain, then from the third on.
    assert asked == [(0, 0, False)] * 3 + [(4, 1, False), (1, 1, False)] + [(1, 1, True)] * 2
    assert json.loads((short / "result/result.json").read_text())["warnings"] == SAID
    assert json.loads((plain / "result/result.json").read_text())["warnings"] == []
    made, wanted = (read_points_ply(folder / "result/points.ply") for folder in (short, plain))
    assert (made.means - wanted.means).abs().mean() < 1e-4 and (made.sh - wanted.sh).abs().mean() < 1e-3
