"""What pip is told for each build of torch, and an environment made so from a folder of tiny wheels."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from addon import __main__ as program
from addon.install import driver, environment, pip_steps, verification
from addon.install.pip_steps import Step, lock_of_build, steps
from addon.protocol import Phrase
from tests.addon.install.tiny_wheels import tiny_wheels

HASHED = ("--require-hashes", "--no-deps")
PYTORCH = ("--index-url", "https://download.pytorch.org/whl/cu130")


@pytest.fixture
def locks(tmp_path: Path) -> list[Path]:
    first, torch = tmp_path / "requirements.lock", tmp_path / "torch.lock"
    first.write_text(f"one==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    torch.write_text("# by version\ngsplat==1.5.3\ntorch==2.13.0\n")
    return [first, torch]


def test_without_a_build_pip_goes_by_its_own_configuration(locks: list[Path], tmp_path: Path) -> None:
    first, torch = locks
    assert steps(locks) == [
        Step(((*HASHED, "-r", str(first)),), (first,)),
        Step((("-r", str(torch)),), (torch,)),
    ]
    found = ("--no-index", "--find-links", str(tmp_path))
    assert [step.ways[0] for step in steps(locks, wheels=tmp_path)] == [
        (*HASHED, *found, "-r", str(first)), (*found, "-r", str(torch)),
    ]  # fmt: skip


def test_a_build_comes_from_pytorchs_index_and_gsplat_from_its_makers_or_is_compiled_or_left_out(
    locks: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    built = (
        "--no-deps", "--only-binary=:all:", "--index-url", "https://docs.gsplat.studio/whl/pt213cu130", "gsplat==1.5.3",
    )  # fmt: skip
    monkeypatch.setattr(pip_steps, "has_compiler", lambda: True)
    first, torch, splats = steps(locks, "cu130", "3.11")
    assert first.ways == ((*HASHED, "-r", str(locks[0])),)
    assert torch == Step(((*PYTORCH, "torch==2.13.0"),))
    assert splats == Step((built, ("gsplat==1.5.3",)), optional="gsplat")
    monkeypatch.setattr(pip_steps, "has_compiler", lambda: False)
    assert steps(locks, "cu130", "3.11")[-1] == Step((built,), optional="gsplat")
    assert steps(locks, "cpu", "3.11")[1:] == [
        Step((("--index-url", "https://download.pytorch.org/whl/cpu", "torch==2.13.0"),)),
        Step((), optional="gsplat"),
    ]


def test_the_lock_of_this_system_python_and_build_is_taken_with_its_hashes(
    locks: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pip_steps.platform, "system", lambda: "Windows")
    monkeypatch.setattr(pip_steps.platform, "machine", lambda: "AMD64")
    own = lock_of_build(locks[1], "cu130", "3.12")
    assert own.relative_to(locks[1].parent).as_posix() == "torch_locks/windows-amd64-3.12-cu130.lock"
    before = environment.fingerprint(locks, "3.12", "cu130")
    own.parent.mkdir()
    own.write_text(f"torch==2.13.0+cu130 \\\n    --hash=sha256:{'1' * 64}\n")
    assert steps(locks, "cu130", "3.12")[1] == Step(((*HASHED, *PYTORCH, "-r", str(own)),), (own,))
    assert environment.fingerprint(locks, "3.12", "cu130") != before
    assert steps(locks, "cu130", "3.11")[1].locks == ()


@pytest.mark.parametrize(
    "printed", ["OSError: [Errno 28] No space", "SSLError", "DO NOT MATCH THE HASHES", "ERROR: no", ""]
)
def test_why_pip_failed_can_be_translated(printed: str) -> None:
    what = Phrase("Python could not make {folder}", folder="made")
    told = pip_steps.explained(what, printed).message
    assert isinstance(told, Phrase) and told.values["what"] is what and told.startswith("Python could not make made: ")


def test_the_compiler_is_looked_for_where_torch_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CUDA_PATH", raising=False)
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    assert not pip_steps.has_compiler()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/nvcc").touch(0o755)
    assert pip_steps.has_compiler()


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a tiny torch for CUDA and the library that it brings."""
    torch = ("torch", "2.13.0+cu130", "Requires-Dist: maquette_test_cublas==13.1\n")
    return tiny_wheels(tmp_path, monkeypatch, torch, ("maquette_test_cublas", "13.1"))


def test_an_environment_with_a_build_from_a_folder_of_wheels(tmp_path: Path, wheels: Path) -> None:
    """gsplat is not there, so that it is left out; later calls keep the build, and verify what was wanted."""
    lock, folder = tmp_path / "torch.lock", tmp_path / "made"
    lock.write_text("gsplat==1.5.3\ntorch==2.13.0\n")
    seen: list[str] = []
    python = environment.provide(
        folder, [lock], lambda progress: seen.append(progress.text), wheels=wheels, build="cu130"
    )
    assert subprocess.run([str(python), "-c", "import torch, maquette_test_cublas"]).returncode == 0
    record = environment.read_record(folder)
    assert (record["build"], record["left_out"]) == ("cu130", ["gsplat"]) and seen[-1] == "installed, without gsplat"
    assert verification.verify(folder, [lock]) == []
    assert environment.is_whole(folder, [lock]) and environment.is_whole(folder, [lock], build="cu130")
    assert not environment.is_whole(folder, [lock], build="cpu")
    stamp = (folder / environment.STAMP).stat().st_mtime_ns
    environment.provide(folder, [lock], wheels=wheels)  # as `build.py test` does, which asks for no build
    assert (folder / environment.STAMP).stat().st_mtime_ns == stamp


def test_a_driver_that_is_too_old_is_said_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_driver() -> driver.Driver:
        raise driver.DriverProblem("There is no NVIDIA driver on this machine.", "Install one.")

    monkeypatch.setattr(driver, "chosen_build", lambda asked: no_driver())
    assert program.main(["make", str(tmp_path / "made"), "--torch", "cuda"]) == 1
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["kind"] == "driver" and said["sentence"].startswith("There is no NVIDIA driver")
    assert list(tmp_path.iterdir()) == []
