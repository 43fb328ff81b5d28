"""What is shipped: the extension's zip and manifest, the locks, the licence, the CI script and the skip summary."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

import build

ROOT = Path(build.__file__).parent


# The extension


@pytest.fixture
def source(tmp_path):
    """A small source tree with what belongs into the extension and what does not."""
    source = tmp_path / "source"
    for name, text in {
        "LICENSE": "GPL",
        "README.md": "not shipped",
        "docs/installing.md": "# Installing",
        "docs/images/window.png": "not shipped",
        "addon/__init__.py": "def register(): ...",
        "addon/__pycache__/x.cpython-311.pyc": "cache",
        "addon/.hidden": "hidden",
        "backend/__main__.py": "main()",
        "backend/requirements.lock": "torch==2.13.0",
        "backend/rendering/__pycache__/splats.nbc": "numba's cache",
        "backend/embedded/weights/unet/model.safetensors": "weights",
        "backend/embedded/weights_next/vae/model.safetensors": "being trained",
        "tests/test_x.py": "not shipped",
    }.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shutil.copy(ROOT / "blender_manifest.toml", source)
    return source


def test_the_zip_holds_the_extension_and_nothing_else(source):
    (source / "backend/link").symlink_to(source / "README.md")
    version = tomllib.loads((ROOT / "blender_manifest.toml").read_text())["version"]
    archive = build.make_zip(source)
    assert archive == source / "dist" / f"maquette-{version}.zip"
    with zipfile.ZipFile(archive) as content:
        assert content.namelist() == [
            "LICENSE",
            "__init__.py",
            "addon/__init__.py",
            "backend/__main__.py",
            "backend/embedded/weights/unet/model.safetensors",
            "backend/requirements.lock",
            "blender_manifest.toml",
            "docs/installing.md",
        ]
        assert content.read("backend/__main__.py") == b"main()"
        init = content.read("__init__.py").decode().splitlines()
    assert len(init) == 2 and init[1] == "from .addon import register, unregister"
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]


def test_the_zip_holds_the_pictures_of_the_pages_that_artists_are_sent_to_and_the_examples(source):
    for name in ("images/one.png", "images/two.png", "examples/a.py", "decisions/0001-x.md"):
        (source / "docs" / name).parent.mkdir(exist_ok=True)
        (source / "docs" / name).touch()
    (source / "docs/manual.md").write_text("![Shown](images/one.png)\n[A file](images/two.png)\n")
    with zipfile.ZipFile(build.make_zip(source)) as content:
        names = [name for name in content.namelist() if name.startswith("docs/")]
    assert names == [
        "docs/decisions/0001-x.md", "docs/examples/a.py", "docs/images/one.png", "docs/installing.md", "docs/manual.md",
    ]  # fmt: skip


def test_every_page_that_is_illustrated_in_the_zip_is_there():
    assert all((ROOT / "docs" / name).is_file() for name in build.ILLUSTRATED)


def test_the_same_files_give_the_same_zip(source, tmp_path):
    first = build.make_zip(source).read_bytes()
    copy = tmp_path / "copy"  # other times, other permissions, another order on disk
    for path in sorted(source.rglob("*"), reverse=True):
        if path.is_file() and "dist" not in path.parts:
            target = copy / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            os.utime(target, (10**9, 10**9))
            target.chmod(0o700)
    assert build.make_zip(copy).read_bytes() == first
    (copy / "backend/__main__.py").write_text("other()")
    assert build.make_zip(copy).read_bytes() != first


def test_a_zip_without_weights_is_refused(source):
    (source / "backend/embedded/weights/unet/model.safetensors").unlink()
    with pytest.raises(SystemExit, match="holds no .safetensors file"):
        build.make_zip(source)
    assert not (source / "dist").exists()


def manifest_problems(facts: dict) -> list[str]:
    """What Blender's own validation of blender_manifest.toml would refuse."""
    problems = []
    for name in (
        "schema_version",
        "id",
        "version",
        "name",
        "tagline",
        "maintainer",
        "type",
        "blender_version_min",
        "license",
    ):
        problems += [] if facts.get(name) else [f"{name} is missing"]
    lines = {"tagline": facts.get("tagline", ""), **facts.get("permissions", {})}
    for name, text in lines.items():
        if len(text) > 64 or text.endswith((".", "!", "?")) or not text.isprintable():
            problems.append(f"{name} must be at most 64 printable characters without a full stop")
    for name in ("version", "blender_version_min", "schema_version"):
        problems += [] if re.fullmatch(r"\d+\.\d+\.\d+", facts.get(name, "")) else [f"{name} is not like 1.2.3"]
    problems += [f"permission {p} is unknown" for p in facts.get("permissions", {}) if p not in ("files", "network")]
    problems += [f"{p} is not an SPDX licence" for p in facts.get("license", []) if not p.startswith("SPDX:")]
    problems += ["id must be a Python name"] if not facts.get("id", "").isidentifier() else []
    problems += [f"{p} must be YEAR Name" for p in facts.get("copyright", []) if not re.match(r"\d{4} \w", p)]
    return problems


def test_the_manifest_is_what_blender_accepts():
    facts = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
    assert manifest_problems(facts) == []
    assert facts["id"] == "maquette" and facts["type"] == "add-on"
    assert tuple(map(int, facts["blender_version_min"].split("."))) >= (4, 5, 0)
    spoilt = facts | {
        "tagline": "Ends with a stop.",
        "version": "1",
        "permissions": {"spirits": "x"},
        "license": ["GPL"],
    }
    assert len(manifest_problems(spoilt)) == 4


def test_the_version_is_written_in_the_manifest_only():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" not in project and "version" in project["dynamic"]


# The locks


def locked(*names: str) -> list[Requirement]:
    lines = [line for name in names or build.LOCKS for line in (ROOT / name).read_text().splitlines()]
    lines = [line.removesuffix("\\").strip() for line in lines]
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "--hash="))]


def test_every_package_is_pinned_once_for_each_python():
    assert all(re.fullmatch(r"==[\w.]+", str(item.specifier)) and not item.url for item in locked())
    for version in ("3.11", "3.12", "3.13"):
        variables = {"python_version": version, "python_full_version": f"{version}.0"}
        names = [canonicalize_name(i.name) for i in locked() if not i.marker or i.marker.evaluate(variables)]
        assert sorted(names) == sorted(set(names))
        assert {"torch", "numpy"} <= set(names)
        assert ("bpy" in names) == (version in ("3.11", "3.13"))


def test_what_the_project_depends_on_is_in_the_locks():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]

    def lacking(lines: list[str], *names: str) -> set[NormalizedName]:
        pinned = {canonicalize_name(item.name) for item in locked(*names)}
        return {canonicalize_name(Requirement(line).name) for line in lines} - pinned

    assert lacking(project["dependencies"] + extras["cuda"], "backend/requirements.lock", "backend/torch.lock") == set()
    assert lacking(extras["dev"]) == set()
    assert lacking(["moonlight"]) == {"moonlight"}  # the check can fail


def test_these_tests_run_on_the_locked_packages():
    differing = []
    for item in locked():
        if not item.marker or item.marker.evaluate():
            installed = importlib.metadata.version(item.name).split("+")[0]  # torch's is 2.13.0+cpu
            differing += [] if item.specifier.contains(installed) else [f"{item}, not {installed}"]
    assert differing == []


# The rest


def test_the_licence_is_the_whole_gpl_3():
    text = (ROOT / "LICENSE").read_text()
    assert "GNU GENERAL PUBLIC LICENSE" in text and "Version 3, 29 June 2007" in text
    assert "END OF TERMS AND CONDITIONS" in text and len(text.split()) > 5000


def test_the_readme_says_the_two_commands():
    text = (ROOT / "README.md").read_text()
    assert "\npython build.py demo\n" in text and "\npython build.py test\n" in text


@pytest.mark.parametrize(("failing", "status"), [("nothing", 0), ("check", 4), ("test", 5)])
def test_ci_ends_with_the_tests_whatever_the_checks_say(failing, status, tmp_path):
    for name in ("python3.11", "python3.12", "python3.13", "python3", "python"):
        fake = tmp_path / name
        fake.write_text(
            f"#!/bin/sh\ncase $1 in -c) exit 0;; esac\necho {name} $2\n"
            f'test $2 = test && echo "== 1 passed in 0.1s =="\ntest $2 = check && test {failing} = check && exit 4\n'
            f"test $2 = {failing} && exit 5\nexit 0\n"
        )
        fake.chmod(0o755)
    shell = shutil.which("bash") or "bash"
    variables = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    answer = subprocess.run([shell, str(ROOT / ".ci/run")], env=variables, capture_output=True, text=True)
    lines = answer.stdout.splitlines()
    assert answer.returncode == status and lines[0] == "python3.11 check"
    assert lines[-2:] == ["python3.11 test", "== 1 passed in 0.1s =="]


def test_skips_are_counted_by_reason_above_the_closing_line(tmp_path):
    shutil.copy(ROOT / "tests/conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    gpu: x\n    blender: x\n")
    (tmp_path / "test_x.py").write_text(
        "import pytest\n"
        "@pytest.mark.blender\ndef test_a(): assert False\n"
        "@pytest.mark.blender\ndef test_b(): assert False\n"
        "def test_c(): pytest.skip('no moon tonight')\n"
        "def test_d(): pass\n"
    )
    variables = {name: value for name, value in os.environ.items() if name != "BLENDER"}
    variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]

    def lines(**more: str) -> list[str]:
        answer = subprocess.run(command, cwd=tmp_path, env=variables | more, capture_output=True, text=True)
        return answer.stdout.splitlines()

    output = lines()
    assert "1 test: no moon tonight" in output and output[-1].startswith("1 passed, 3 skipped")
    assert "2 tests: needs a real Blender, and BLENDER is not set; run with BLENDER=/path/to/blender" in output
    output = lines(BLENDER="/nowhere/blender")
    assert any("BLENDER=/nowhere/blender is no program" in line for line in output)
    assert lines(BLENDER="/bin/true")[-1].startswith("2 failed, 1 passed, 1 skipped")


def test_tests_that_open_a_window_come_last_and_to_one_process(tmp_path):
    shutil.copy(ROOT / "tests/conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "blender/program/windows").mkdir(parents=True)
    for name in (
        "test_a",
        "test_b",
        "blender/program/windows/test_window",
        "blender/program/windows/test_window_killed",
    ):
        said = f"'{Path(name).name} ' + str(os.getpid()) + '\\n'"
        text = f"import os, time\ndef test_it():\n    open('said', 'a').write({said})\n    time.sleep(0.3)\n"
        (tmp_path / f"{name}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-n2", "--no-loadscope-reorder", "-p", "no:cacheprovider"]
    answer = subprocess.run([*command, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout
    said = dict(line.split() for line in (tmp_path / "said").read_text().splitlines())
    assert list(said)[-2:] == ["test_window", "test_window_killed"]
    assert said["test_window"] == said["test_window_killed"] and said["test_a"] != said["test_b"]
