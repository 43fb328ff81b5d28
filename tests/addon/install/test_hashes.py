"""Packages are installed by the hashes of their files, before those that are pinned by version only."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

import build
from addon.install import diagnosis, environment, pip_steps, verification
from tests.addon.install.tiny_wheels import tiny_wheels
from tests.package_hashes import PINNED_BY_VERSION

ROOT = Path(build.__file__).parent
BY_VERSION = {"torch", "gsplat"}


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two packages; the first one needs the second."""
    moon = ("maquette_test_moon", "1.5", "Requires-Dist: maquette_test_sun\n")
    return tiny_wheels(tmp_path, monkeypatch, moon, ("maquette_test_sun", "2.0"))


def locks_of(folder: Path, sha256: str) -> list[Path]:
    """Return a lock with a hash, and one without."""
    first, second = folder / "requirements.lock", folder / "sun.lock"
    first.write_text(
        f"# one\nmaquette_test_moon==1.5 \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{sha256}\n"
    )
    second.write_text("# its files differ by index, so that there is no --hash=\nmaquette_test_sun==2.0\n")
    return [second, first]


def test_what_has_hashes_is_installed_first_and_without_looking_for_what_it_needs(wheels: Path, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(next(wheels.glob("*moon*")).read_bytes()).hexdigest()
    locks, shares = locks_of(tmp_path, sha256), []
    python = environment.provide(
        tmp_path / "made", locks, lambda progress: shares.append(progress.share), wheels=wheels
    )
    code = "import maquette_test_moon, maquette_test_sun"
    assert subprocess.run([str(python), "-c", code]).returncode == 0
    assert verification.verify(tmp_path / "made", locks) == []
    assert shares == sorted(shares) and shares[-1] == 1.0
    log = (tmp_path / "made" / environment.PIP_LOG).read_text()
    assert log.index("maquette_test_moon") < log.index("maquette_test_sun")


def test_another_file_of_the_same_version_is_refused_with_its_name(wheels: Path, tmp_path: Path) -> None:
    with pytest.raises(
        environment.EnvironmentProblem, match="the file of maquette_test_moon that was found is not one"
    ):
        environment.provide(tmp_path / "made", locks_of(tmp_path, "1" * 64), wheels=wheels)
    assert not (tmp_path / "made").exists()


def test_everything_but_torch_and_gsplat_has_hashes() -> None:
    locks = [ROOT / name for name in build.LOCKS]
    assert set(diagnosis.LOCKS) < set(locks)
    first, second = pip_steps.steps(locks)
    assert first.ways[0][:2] == ("--require-hashes", "--no-deps") and second.ways[0][0] == "-r"
    hashed, others = first.locks, second.locks
    assert others == (ROOT / PINNED_BY_VERSION,)
    for language in ("3.11", "3.12", "3.13"):
        assert {name for name, _ in verification.pins(others, language)} == BY_VERSION
        assert not {name for name, _ in verification.pins(hashed, language)} & BY_VERSION
    for lock in hashed:
        lines = lock.read_text().splitlines()
        pins = [number for number, line in enumerate(lines) if "==" in line]
        assert pins and all("--hash=sha256:" in lines[number + 1] for number in pins)
