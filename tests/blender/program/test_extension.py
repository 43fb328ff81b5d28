"""The zip in a real Blender: valid, the same bytes each time, installs, leaves nothing, comes from a folder."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

import build
from tests.blender.program.real import CHECKOUT, extension_command, headless, install

pytestmark = pytest.mark.blender

ENABLED = """
import addon_utils, bpy, sys
print("STATE", addon_utils.check("bl_ext.{repository}.maquette"), hasattr(bpy.types.Scene, "maquette"))
"""

DISABLED_AND_ENABLED = """
import addon_utils, bpy
name, entries = "bl_ext.user_default.maquette", bpy.context.preferences.addons
entries[name].preferences.existing_python = "/studio/python"
addon_utils.disable(name, default_set=True)
assert name not in entries
addon_utils.enable(name, default_set=True)
print("PYTHON", entries[name].preferences.existing_python)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the extension is packed from, out of the reach of who is editing it."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("LICENSE", "blender_manifest.toml"):
        shutil.copy2(CHECKOUT / name, copy)
    for name in ("addon", "backend"):
        shutil.copytree(CHECKOUT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def archive(source: Path) -> Path:
    return build.make_zip(source)


@pytest.fixture
def resources(tmp_path: Path) -> Path:
    return tmp_path / "resources"


def state(blender: Path, resources: Path, repository: str = "user_default") -> str:
    """What a Blender that starts as the artist's would says of the add-on: set to start, loaded, properties there."""
    done = headless(blender, resources, "--python-expr", ENABLED.format(repository=repository))
    assert done.returncode == 0, done.stdout + done.stderr
    return next(line for line in done.stdout.splitlines() if line.startswith("STATE "))


def test_zip_is_valid_and_the_same_when_built_again(
    blender: Path, resources: Path, source: Path, archive: Path
) -> None:
    first = archive.read_bytes()
    assert build.make_zip(source).read_bytes() == first
    done = extension_command(blender, resources, "validate", archive)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Success" in done.stdout


def test_validation_can_fail(blender: Path, resources: Path, archive: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.zip"
    with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(broken, "w") as less:
        for name in whole.namelist():
            if name != "__init__.py":
                less.writestr(name, whole.read(name))
    done = extension_command(blender, resources, "validate", broken)
    assert done.returncode != 0 and "__init__.py" in done.stdout + done.stderr


def test_installs_and_is_on_after_a_restart(blender: Path, resources: Path, archive: Path) -> None:
    assert state(blender, resources) == "STATE (False, False) False"
    install(blender, resources, archive)
    assert state(blender, resources) == "STATE (True, True) True"
    folder = resources / "extensions/user_default/maquette"
    assert (folder / "backend/embedded/weights").is_dir() and (folder / "addon/protocol/__init__.py").is_file()


def test_disabled_and_enabled_it_knows_what_was_chosen(blender: Path, resources: Path, archive: Path) -> None:
    install(blender, resources, archive)
    done = headless(blender, resources, "--python-expr", DISABLED_AND_ENABLED)
    assert "PYTHON /studio/python" in done.stdout.splitlines(), done.stdout + done.stderr


def test_enabled_and_disabled_ten_times_leaves_nothing(blender: Path, resources: Path, archive: Path) -> None:
    install(blender, resources, archive)
    done = headless(blender, resources, "--python", CHECKOUT / "tests/blender/program/leaks.py", "--", "10")
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(
        next(line for line in done.stdout.splitlines() if line.startswith("LEAKS ")).removeprefix("LEAKS ")
    )
    assert said["blind"] == [], "the test would not see these leaks"
    assert {"classes", "properties", "timers"} <= said["enabled"].keys(), "the add-on did nothing when it was enabled"
    assert said["leaks"] == {}
    assert "left open" not in done.stderr  # what Blender says of previews that are not removed


def test_blender_installs_from_the_static_repository(
    blender: Path, resources: Path, source: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLENDER_USER_RESOURCES", str(resources))
    resources.mkdir()
    assert build.make_repository(source, str(blender)) == 0
    index = source / "dist/repository/index.json"
    (listed,) = json.loads(index.read_text(encoding="utf-8"))["data"]
    assert (listed["id"], listed["archive_size"]) == ("maquette", archive.stat().st_size)
    for arguments in (
        ("repo-add", "--name", "A folder", "--url", index.as_uri(), "a_folder"),
        ("sync",),
        ("install", "--enable", "a_folder.maquette"),
    ):
        done = extension_command(blender, resources, *arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    assert state(blender, resources, "a_folder") == "STATE (True, True) True"
