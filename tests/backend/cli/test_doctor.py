"""What the doctor says of this machine, to people and to programs, and what it tries when it looks deeper."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backend.cli import doctor, gpus
from backend.cli.gpus import Gpu
from backend.runtime.machine import GIB, ROOT

CARD = Gpu(name="NVIDIA H100", memory=80 * GIB, free=79 * GIB, capability=(9, 0), cuda=(13, 0), count=1)


def test_the_answer_for_programs_says_the_same() -> None:
    text, code = doctor.report(deep=False, as_json=True)
    answer = json.loads(text)
    lines, same_code = doctor.report(deep=False)
    assert code == same_code == 0
    assert [item["name"] for item in answer["findings"]] == [line[:22].strip() for line in lines.splitlines()[:-1]]
    assert answer["gpus"] == gpus.all_gpus()


# ---- the prior -------------------------------------------------------------------------------------------------------


def write_weights(folder: Path, name: str) -> Path:
    """Write a safetensors file of one tensor of eight bytes."""
    header = json.dumps({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "__metadata__": {}}).encode()
    path = folder / name / "model.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    return path


def test_the_shipped_prior_is_whole() -> None:
    assert doctor.prior().is_ok is True


def test_weights_that_are_missing_or_cut_off_are_found(tmp_path: Path) -> None:
    files = [write_weights(tmp_path, name) for name in doctor.WEIGHED]
    assert doctor.prior(tmp_path).is_ok is True
    whole = files[0].read_bytes()
    for rest in (whole[:-1], whole[:20], b"version https://git-lfs", b""):
        files[0].write_bytes(rest)
        assert doctor.prior(tmp_path) == ("embedded prior", False, "unet/model.safetensors is cut off")
    files[0].unlink()
    assert doctor.prior(tmp_path) == ("embedded prior", False, "no weights of unet")


# ---- GPUs ------------------------------------------------------------------------------------------------------------


def test_what_keeps_torch_from_a_gpu_does_not_keep_jobs_from_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "first_gpu", lambda: CARD._replace(cuda=(11, 4)))
    monkeypatch.setattr(gpus, "cuda_of_torch", lambda: (13, 0))
    text, code = doctor.report(deep=False)
    assert code == 0 and "NVIDIA H100, 80 GiB, CUDA 11.4, 1 in all" in text
    assert "gpu driver             -        the driver knows CUDA 11.4, and torch needs 13.0" in text


def test_the_doctor_answers_without_torch() -> None:
    code = "import sys; from backend.__main__ import main; code = main(['doctor']); "
    code += "sys.stderr.write(str(sorted({'torch', 'numpy', 'numba', 'diffusers'} & set(sys.modules)))); sys.exit(code)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == "[]" and done.returncode == 0
    assert done.stdout.endswith("Jobs can run.\n")
    for word in ("maquette", "cores", "memory", "gpu", "torch", "xatlas"):
        assert f"\n{word}" in "\n" + done.stdout


def test_the_doctor_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from backend.cli import doctor

    monkeypatch.setattr(doctor, "NEEDED", "torch no-such-package")
    text, code = doctor.report(deep=False)
    assert (
        code == 3 and "no-such-package        MISSING" in text and text.splitlines()[-1].startswith("Jobs cannot run")
    )


def test_the_deep_doctor_tries_each_engine_and_notices_a_broken_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from backend.cli import doctor

    findings = {finding.name: finding for finding in doctor.engines()}
    for name in (
        "torch on the CPU",
        "numba",
        "diffusers",
        "marching cubes",
        "decimation",
        "unwrapping",
        "radiance field",
    ):
        assert findings[name].is_ok is True, findings[name]
    for name in ("nerfacc", "tinycudann"):  # without a GPU or not, it says that nobody has tried
        assert "never ran on a GPU" in findings[name].text or findings[name].text.startswith("not installed")
    monkeypatch.setattr(doctor, "_ball", lambda: (np.zeros((3, 3)), np.array([[0, 1, 2]])))
    assert {finding.name: finding for finding in doctor.engines()}["marching cubes"].is_ok is False


def test_the_doctor_and_the_first_error_name_a_variable_that_breaks_imports(tmp_path: Path) -> None:
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil/torch.py").write_text("raise ImportError('this is another torch')")
    (tmp_path / "a.png").write_bytes(b"x")
    variables = os.environ | {"PYTHONPATH": str(tmp_path / "evil")}

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "backend", *map(str, arguments)]
        return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)

    line = next(line for line in run("doctor").stdout.splitlines() if line.startswith("PYTHONPATH"))
    assert "may keep packages from being imported" in line and str(tmp_path / "evil")[:60] in line
    done = run("generate", "--prompt", "a mug", "--image", tmp_path / "a.png", "--out", tmp_path / "job")
    assert done.returncode == 3 and "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1
    assert "this is another torch" in done.stderr and "Take PYTHONPATH=" in done.stderr
