"""Whole jobs on the embedded prior, as small as they go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from backend.errors import BadInput, JobStopped
from backend.systems import customize_it_3d
from benchmarks.commands.demo import read_glb
from tests.backend.meshes.test_mirroring import is_symmetric
from tests.backend.systems.customize_it_3d.small_jobs import new_job, open_job, results


def test_more_least_noise_than_most_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="The least noise is 0.7, the most 0.6."):
        customize_it_3d.run(new_job(tmp_path / "job", low_noise=0.7))
    assert not (tmp_path / "job/stages").exists()


@pytest.mark.slow
def test_a_job_that_stops_after_the_shape_leaves_its_mesh(tmp_path: Path) -> None:
    with pytest.raises(JobStopped):
        customize_it_3d.run(new_job(tmp_path / "job", stop_after="surface", mirror="right"))
    facts = json.loads((tmp_path / "job/result/result.json").read_text())
    assert facts["points"] == "none" and facts["faces"] > 0 and "surface" not in facts["seconds"]
    there = protocol.read_pictured(facts)
    assert there is not None and (there.azimuth_degrees, there.elevation_degrees, there.fov_degrees) == (0, 15, 40)
    assert 0.3 < there.side < 1.2 and abs(there.across) < 0.1 and abs(there.down) < 0.2
    assert (tmp_path / "job/result/model.glb").is_file() and not (tmp_path / "job/result/points.ply").exists()
    assert is_symmetric(read_glb(tmp_path / "job/result/model.glb"))


@pytest.mark.slow
def test_a_job_leaves_mesh_and_points_and_goes_on_to_the_same_bytes_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    customize_it_3d.run(new_job(tmp_path / "whole", mirror="left"))
    facts = json.loads((tmp_path / "whole/result/result.json").read_text())
    assert facts["points"] == "coloured" and facts["faces"] > 0 and facts["system"] == "customize_it_3d"
    assert facts["made_with"]["subject"] == "sks robot"
    assert facts["picture"]["elevation_degrees"] == 15.0 and 0.5 < facts["picture"]["side"] < 1.1
    assert is_symmetric(read_glb(tmp_path / "whole/result/model.glb"))
    assert {"threshold", "silhouette_iou", "texture_error"} <= facts["mesh"].keys()
    assert list(facts["seconds"]) == [
        "classes", "coarse", "enhanced", "mesh", "modalities", "refined", "sides", "surface", "teaching",
    ]  # fmt: skip

    class Killed(Exception):
        pass

    from backend.systems.customize_it_3d import refine

    calls = 0

    def broken(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise Killed
        return real(*arguments, **options)

    real = refine.view_loss
    monkeypatch.setattr(refine, "view_loss", broken)
    with pytest.raises(Killed):
        customize_it_3d.run(new_job(tmp_path / "half", checkpoint_steps=1, mirror="left"))
    monkeypatch.setattr(refine, "view_loss", real)
    customize_it_3d.run(open_job(tmp_path / "half"))
    assert results(tmp_path / "half") == results(tmp_path / "whole")
