"""Memory that runs out in the middle of a job: it steps down and goes on from its checkpoint, to the same result."""

from __future__ import annotations

from pathlib import Path

from addon import protocol
from tests.backend.fake_system import write_job
from tests.backend.processes import events, last, run

EVERY_STEP = {"checkpoint_steps": 1, "steps": 20}


def test_a_job_goes_on_from_its_checkpoint_with_less_at_a_time(tmp_path: Path) -> None:
    plain = write_job(tmp_path / "plain", settings=EVERY_STEP)
    short = write_job(tmp_path / "short", prompt="memory later", settings=EVERY_STEP)
    assert run(tmp_path, "run", plain).returncode == 0
    done = run(tmp_path, "run", short)
    assert done.returncode == 0 and isinstance(last(done.stdout), protocol.Finished)
    said = events(done.stdout)
    (warning,) = [event for event in said if isinstance(event, protocol.Warning)]
    assert warning.message == (
        "Memory ran out: the job goes on from its checkpoint, with 4 pictures at a time, which is slower."
    )
    after = said[said.index(warning) :]
    assert [event.loaded for event in after if isinstance(event, protocol.Stage)][:1] == [True]
    assert next(event.step for event in after if isinstance(event, protocol.Progress)) > 1  # not from the first step
    assert (short / "result/points.bin").read_bytes() == (plain / "result/points.bin").read_bytes()


def test_without_a_lower_step_it_is_told(tmp_path: Path) -> None:
    done = run(tmp_path, "run", write_job(tmp_path / "job", prompt="memory"))
    said = [event.message for event in events(done.stdout) if isinstance(event, protocol.Warning)]
    assert len(said) == 2 and "one picture at a time" in said[1]
    failed = last(done.stdout)
    assert isinstance(failed, protocol.Failed) and failed.kind == "OutOfMemory" and done.returncode == 3
