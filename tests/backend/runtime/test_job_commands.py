"""What a stage says it depends on, settings of the checkpoints, and where a job stops."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from backend.errors import BadInput, JobStopped
from tests.backend.runtime.test_job import Counter, Setup


def test_a_stage_is_made_again_if_what_it_says_it_depends_on_is_another(tmp_path: Path) -> None:
    def made(outputs: list[str], weights: str) -> tuple[list[str], int]:
        if (tmp_path / "a").exists():
            content = json.loads((tmp_path / "a/request.json").read_text()) | {"outputs": outputs}
            (tmp_path / "a/request.json").write_text(json.dumps(content))
        setup, calls = Setup(tmp_path / "a", outputs=tuple(outputs)), []
        setup.job.stage("distil", lambda: {"_": calls.append("distil")}, depends_on={"prior": {"denoiser": weights}})
        wanted = list(setup.job.request.outputs)
        setup.job.stage("export", lambda: {"_": calls.append("export")}, depends_on={"outputs": wanted})
        return calls, len(setup.of(protocol.Warning))

    assert made(["mesh"], "aa") == (["distil", "export"], 0)
    assert made(["mesh"], "aa") == ([], 0)
    assert made(["mesh", "points"], "aa") == (["export"], 1)
    assert made(["mesh", "points"], "bb") == (["distil"], 1)


def test_a_checkpoint_of_other_weights_is_left_with_a_warning(tmp_path: Path) -> None:
    def steps(weights: str, stop: int) -> tuple[list[int], list[str]]:
        setup, seen = Setup(tmp_path / "a", settings={"checkpoint_steps": 2}), []

        def make() -> dict[str, Any]:
            for step in setup.job.steps(6, Counter()):
                if step == stop:
                    raise MemoryError
                seen.append(step)
            return {}

        with contextlib.suppress(MemoryError):
            setup.job.stage("s", make, depends_on={"prior": weights})
        return seen, [event.message for event in setup.of(protocol.Warning)]

    assert steps("aa", stop=5) == ([0, 1, 2, 3, 4], [])
    assert steps("aa", stop=5) == ([4], [])
    seen, warnings = steps("bb", stop=99)
    assert seen == [0, 1, 2, 3, 4, 5] and len(warnings) == 1 and warnings[0].startswith("4 steps are made again")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("checkpoint_seconds", "abc", "checkpoint_seconds is 'abc'; it must be a number from 0"),
        ("checkpoint_seconds", -1.0, "is '-1.0'; it must be a number"),
        ("checkpoint_seconds", True, "is 'True'; it must be a number"),
        ("checkpoint_steps", 2.5, "checkpoint_steps is '2.5'; it must be a whole number from 0"),
    ],
)
def test_a_setting_of_the_checkpoints_that_is_no_number_is_bad_input(
    tmp_path: Path, name: str, value: Any, words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        Setup(tmp_path / "a", settings={name: value})


@pytest.mark.parametrize(("stop_after", "is_met"), [("prepare", True), ("Fit weights", True), ("export-it", False)])
def test_a_stage_to_stop_after_that_there_is_not_is_warned_of(tmp_path: Path, stop_after: str, is_met: bool) -> None:
    setup = Setup(tmp_path / "a", stop_after=stop_after)
    for name in ("prepare", "Fit weights"):
        with contextlib.suppress(JobStopped):
            setup.job.stage(name, dict)
    setup.job.check_stop_after()
    warnings = setup.of(protocol.Warning)
    assert len(warnings) == (not is_met)
    assert is_met or (stop_after in warnings[0].message and warnings[0].hint == "Its stages are prepare, fit-weights.")


def test_settings_of_the_mesh_make_no_stage_again_that_does_not_name_them(tmp_path: Path) -> None:
    def made(**settings: Any) -> tuple[list[str], int]:
        if (tmp_path / "a").exists():
            content = json.loads((tmp_path / "a/request.json").read_text()) | {"settings": settings}
            (tmp_path / "a/request.json").write_text(json.dumps(content))
        setup, calls = Setup(tmp_path / "a", settings=settings), []
        job = setup.job
        assert {"texture_size", "max_faces"} <= set(job.mesh_settings)
        both = {"settings": {"steps": 3, "texture_size": 64} | settings}
        job.stage("distil", lambda: {"_": calls.append("distil")}, depends_on=both)
        own = {name: value for name, value in job.settings.items() if name in job.mesh_settings}
        job.stage("mesh", lambda: {"_": calls.append("mesh")}, depends_on={"mesh_settings": own})
        return calls, len(setup.of(protocol.Warning))

    assert made() == (["distil", "mesh"], 0)
    assert made(texture_size=128) == (["mesh"], 1)
    assert made(texture_size=128) == ([], 0)
    assert made(texture_size=128, steps=4)[0][0] == "distil"
