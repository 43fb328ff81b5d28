"""The locks of torch's builds, made from a folder of tiny wheels, and installed from it by their hashes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from addon.install import environment, pip_steps
from tests import torch_locks
from tests.addon.install.tiny_wheels import tiny_wheels


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    torch = ("torch", "2.13.0+cu130", "Requires-Dist: maquette_test_cublas==13.1\nRequires-Dist: numpy\n")
    others = (("torch", "2.13.0+cpu"), ("maquette_test_cublas", "13.1"))
    return tiny_wheels(tmp_path, monkeypatch, torch, *others)


def test_a_lock_of_a_build_has_what_the_build_brings_and_is_installed_by_its_hashes(
    tmp_path: Path, wheels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "checkout"
    (root / "backend").mkdir(parents=True)
    pins = root / "backend/torch.lock"
    pins.write_text("gsplat==1.5.3\ntorch==2.13.0\n")
    assert torch_locks.main(["cu130", "--wheels", str(wheels)], root) == 0
    language = f"{sys.version_info[0]}.{sys.version_info[1]}"
    lock = pip_steps.lock_of_build(pins, "cu130", language)
    assert capsys.readouterr().out.strip() == str(lock)
    lines = lock.read_text().splitlines()
    names = [line.replace("_", "-") for line in lines[1::2]]
    assert names == ["maquette-test-cublas==13.1 \\", "torch==2.13.0+cu130 \\"]  # numpy is there
    sha256 = hashlib.sha256((wheels / "torch-2.13.0+cu130-py3-none-any.whl").read_bytes()).hexdigest()
    assert lines[-1].strip() == f"--hash=sha256:{sha256}"
    python = environment.provide(tmp_path / "made", [pins], wheels=wheels, build="cu130")
    assert subprocess.run([str(python), "-c", "import torch, maquette_test_cublas"]).returncode == 0
    lock.write_text(lock.read_text().replace(sha256, "0" * 64))
    with pytest.raises(environment.EnvironmentProblem, match="the file of torch that was found is not one of those"):
        environment.provide(tmp_path / "other", [pins], wheels=wheels, build="cu130")


def test_a_build_that_the_index_lacks_writes_nothing(tmp_path: Path, wheels: Path) -> None:
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend/torch.lock").write_text("torch==2.13.0\n")
    with pytest.raises(subprocess.CalledProcessError):
        torch_locks.main(["cu126", "--wheels", str(wheels)], tmp_path)
    assert [path.name for path in (tmp_path / "backend").iterdir()] == ["torch.lock"]
