"""Another mesh of a finished job, with the real system: nothing is optimised again, and the points are the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.__main__ import main
from backend.meshes.mesh import is_watertight
from benchmarks.commands.demo import read_glb
from tests.backend.meshes.test_mirroring import is_symmetric

TINY = ["--set", "steps=2", "--set", "count=400", "--set", "mesh_resolution=32", "--set", "calibration_geometry=0"]


@pytest.mark.slow
def test_a_mesh_made_again_is_that_of_a_job_that_had_its_settings_from_the_start(tmp_path: Path) -> None:
    asked = ["generate", "--prompt", "a red mug", "--preset", "bench", "--threads", "1", *TINY]
    changed = ["--set", "max_faces=4000", "--set", "texture_size=64", "--set", "origin=base", "--set", "mirror=left"]
    changed += ["--set", "splats_glb=true"]
    first, again, whole = tmp_path / "first", tmp_path / "again", tmp_path / "whole"
    assert main([*asked, "--out", str(first)]) == 0
    assert main(["remesh", str(first), *changed, "--threads", "1", "--out", str(again)]) == 0
    assert main([*asked, *changed, "--out", str(whole)]) == 0
    told = [json.loads(line) for line in (again / "events.jsonl").read_text().splitlines()]
    loaded = {event["name"]: event["loaded"] for event in told if event["type"] == "Stage"}
    assert loaded.pop("mesh") is False and loaded and all(loaded.values())
    assert not [event for event in told if event["type"] == "Warning" and "again" in event["message"]]
    assert not (first / "result/splats.glb").exists()
    for name in ("model.glb", "points.ply", "splats.glb"):
        assert (again / "result" / name).read_bytes() == (whole / "result" / name).read_bytes()
    assert (again / "result/model.glb").read_bytes() != (first / "result/model.glb").read_bytes()
    assert json.loads((again / "result/result.json").read_text())["faces"] <= 4000
    assert not is_symmetric(read_glb(first / "result/model.glb"))
    mesh = read_glb(again / "result/model.glb")
    assert is_symmetric(mesh) and is_watertight(mesh)
    assert (again / "result/points.ply").read_bytes() == (first / "result/points.ply").read_bytes()

    few = tmp_path / "few"
    assert main(["remesh", str(first), "--set", "max_faces=300", "--threads", "1", "--out", str(few)]) == 0
    result = json.loads((few / "result/result.json").read_text())
    said = [sentence for sentence in result["warnings"] if f"has {result['faces']} faces, not 300" in sentence]
    assert result["faces"] > 300 and len(said) == 1  # so ragged an object cannot be that coarse
