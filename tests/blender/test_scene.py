"""The demo's last step: a finished job becomes a .blend that shows it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.commands.scene import find_job

ROOT = Path(__file__).resolve().parent.parent.parent

LIST_SCENE = """
import json, os, sys, bpy
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
scene = bpy.context.scene
seen = [(o.type, [round(x, 3) for x in o.dimensions]) for o in scene.objects]
print("SCENE " + json.dumps([seen, scene.camera.name]), flush=True)
os._exit(0)  # Blender's own end can hang
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def bpy_works():
    answer = run("-c", "import bpy, os; os._exit(0)")
    if answer.returncode:
        pytest.skip(f"needs Blender's module, and it does not load: {answer.stderr.strip().splitlines()[-1]}")


@pytest.fixture
def finished_job(tmp_path):
    """A job folder whose result is a box of 0.4 x 0.6 x 1.2 (x, y, z in Blender's axes)."""
    import trimesh

    job = tmp_path / "out" / "job"
    (job / "result").mkdir(parents=True)
    (job / "request.json").write_text(json.dumps({"prompt": "a red box"}))
    trimesh.creation.box((0.4, 1.2, 0.6)).export(job / "result" / "model.glb")  # glTF: y is up
    return job


def test_the_scene_holds_the_mesh_a_camera_and_a_light(bpy_works, finished_job, tmp_path):
    blend = tmp_path / "deep" / "scene.blend"
    answer = run("-m", "benchmarks.commands.scene", str(finished_job.parent), "--save", str(blend))
    assert answer.returncode == 0, answer.stderr
    listed = run("-c", LIST_SCENE, str(blend)).stdout
    objects, camera = json.loads(listed.split("SCENE ", 1)[1].splitlines()[0])
    assert ["MESH", [0.4, 0.6, 1.2]] in objects and camera == "Camera"
    assert sorted(kind for kind, _ in objects) == ["CAMERA", "LIGHT", "MESH"]


def test_a_job_without_result_gets_a_sentence_and_no_file(bpy_works, finished_job, tmp_path):
    (finished_job / "result" / "model.glb").unlink()
    answer = run("-m", "benchmarks.commands.scene", str(finished_job), "--save", str(tmp_path / "scene.blend"))
    assert answer.returncode == 1 and not (tmp_path / "scene.blend").exists()
    assert "scene.blend was not written: " in answer.stderr and "Traceback" not in answer.stderr


def test_the_job_is_the_folder_or_the_only_one_in_it(tmp_path):
    with pytest.raises(ValueError, match="holds 0 job folders"):
        find_job(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "request.json").touch()
        if name == "a":
            assert find_job(tmp_path) == find_job(tmp_path / "a") == tmp_path / "a"
    with pytest.raises(ValueError, match="holds 2 job folders"):
        find_job(tmp_path)
