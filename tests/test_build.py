"""build.py makes its environment whole or not at all, and says in one sentence what is in its way.

A shell script stands in for Python, see `fake_python.py`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import build
from addon.install import environment
from tests.fake_python import write_fake_python

REPOSITORY = Path(build.__file__).parent


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository of two locks, and a Python that logs its calls to `calls`."""
    root = tmp_path / "a repository"
    (root / "backend").mkdir(parents=True)
    (root / "backend/requirements.lock").write_text("one==1.0\n")
    (root / "backend/torch.lock").write_text("torch==3.0\n")
    (root / "requirements-dev.lock").write_text("two==2.0\n")
    fake = write_fake_python(tmp_path / "python")
    monkeypatch.setattr(sys, "_base_executable", str(fake))
    monkeypatch.setattr(environment, "NEEDED_GIB", 0.0)
    monkeypatch.setattr(environment, "brings_cuda", lambda wheels: False)
    monkeypatch.setenv("CALLS", str(root / "calls"))
    monkeypatch.setenv("FAILING", "nothing fails")
    return root


def calls(root: Path) -> list[str]:
    return (root / "calls").read_text().splitlines() if (root / "calls").exists() else []


def visible(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()} - {"calls"}


CLEAN = {"backend", "requirements-dev.lock"}


# The guards


def test_python_without_venv_gets_a_sentence_and_makes_nothing(root, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else object())
    with pytest.raises(build.Unfit, match="cannot make virtual environments.*apt-get install python3"):
        build.provide_environment(root)
    assert visible(root) == CLEAN


def test_little_free_disk_gets_a_sentence_with_both_numbers_and_makes_nothing(root, monkeypatch):
    monkeypatch.setattr(environment, "NEEDED_GIB", 6.0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(2**40, 2**40, int(1.5 * 2**30)))  # type: ignore
    with pytest.raises(build.Unfit, match=r"has 1.5 GiB of free disk, and the packages need 6.0 GiB"):
        build.provide_environment(root)
    assert visible(root) == CLEAN and calls(root) == []


@pytest.mark.parametrize(
    ("pip", "sentence"),
    [
        ("network", "the package index could not be reached"),
        ("full", "the disk is full"),
        ("unknown", "No matching distribution found for one==1.0"),
    ],
)
def test_a_failing_pip_gets_a_sentence_and_leaves_nothing(pip, sentence, root, monkeypatch):
    monkeypatch.setenv("PIP", pip)
    with pytest.raises(build.Unfit, match=f"The packages could not be installed: {sentence}"):
        build.provide_environment(root)
    assert visible(root) == CLEAN


def test_a_failing_venv_gets_a_sentence_and_leaves_nothing(root, monkeypatch):
    monkeypatch.setenv("VENV", "broken")
    with pytest.raises(build.Unfit, match="Python could not make .*ensurepip"):
        build.provide_environment(root)
    assert visible(root) == CLEAN


def test_stopping_during_the_installation_ends_pip_and_leaves_nothing(root, monkeypatch):
    monkeypatch.setenv("PIP", "hang")
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])

    def stop(seconds):
        if threading.current_thread() is threading.main_thread():  # threads of other tests may be asleep, too
            raise KeyboardInterrupt
        sleep(seconds)

    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", stop)
    with pytest.raises(KeyboardInterrupt):
        build.provide_environment(root)
    assert started[-1].poll() is not None and visible(root) == CLEAN


# The environment


def test_the_environment_is_made_once_and_again_when_a_lock_changes(root):
    python = build.provide_environment(root)
    assert python == root / ".venv/bin/python" and len(calls(root)) == 2
    assert not (root / ".venv/tmp").exists()
    build.provide_environment(root)
    assert len(calls(root)) == 2
    for lock in build.LOCKS:
        before = len(calls(root))
        with open(root / lock, "a") as file:
            file.write("three==3.0\n")
        build.provide_environment(root)
        assert len(calls(root)) == before + 2
    assert visible(root) == CLEAN | {".venv"}


def test_a_failed_renewal_leaves_the_old_environment(root, monkeypatch):
    build.provide_environment(root)
    stamp = (root / ".venv" / environment.STAMP).read_text()
    lock = root / build.LOCKS[0]
    old = lock.read_text()
    lock.write_text("one==1.1\n")
    monkeypatch.setenv("PIP", "network")
    with pytest.raises(build.Unfit):
        build.provide_environment(root)
    assert visible(root) == CLEAN | {".venv"} and (root / ".venv" / environment.STAMP).read_text() == stamp
    lock.write_text(old)
    assert build.provide_environment(root).exists()  # as it was: no new attempt, which would fail


def test_an_environment_that_was_cut_off_is_made_again(root):
    build.provide_environment(root)
    (root / ".venv" / environment.STAMP).unlink()
    build.provide_environment(root)
    assert calls(root).count("pip") == 2 and visible(root) == CLEAN | {".venv"}


def test_a_renewal_that_was_killed_leaves_the_old_environment_to_the_next_failure(root, monkeypatch):
    build.provide_environment(root)
    (root / ".venv").rename(root / ".venv-previous")
    (root / ".venv").mkdir()
    (root / ".venv" / "half").touch()
    before = calls(root)
    (root / "requirements-dev.lock").write_text("two==2.1\n")
    monkeypatch.setenv("PIP", "full")
    with pytest.raises(build.Unfit):
        build.provide_environment(root)
    assert visible(root) == CLEAN | {".venv"} and (root / ".venv" / environment.STAMP).exists()
    (root / "requirements-dev.lock").write_text("two==2.0\n")
    assert build.provide_environment(root).exists() and len(calls(root)) == len(before) + 2


def test_progress_is_shown(root, monkeypatch, capsys):
    build.provide_environment(root)
    output = capsys.readouterr().out
    assert "Making" in output and "/2 " in output  # of two pins, or of two packages


def test_progress_does_not_mind_folders_that_pip_moves_away(root, monkeypatch, capsys):
    monkeypatch.setenv("PIP", "moves")
    monkeypatch.setattr(environment.time, "sleep", lambda seconds: None)  # looks as often as it can
    build.provide_environment(root)
    assert "2/2" in capsys.readouterr().out


# System libraries


@pytest.fixture
def bare_debian(root, tmp_path, monkeypatch):
    """A bpy module that links two absent libraries until apt-get, a script that logs its calls, has run."""
    build.provide_environment(root)
    module = root / ".venv/lib/python3.11/site-packages/bpy/__init__.so"
    module.parent.mkdir(parents=True)
    module.touch()
    programs = tmp_path / "programs"
    programs.mkdir()
    installed = tmp_path / "installed"
    ldd = f'test -e "{installed}" || printf "\\tlibXi.so.6 => not found\\n\\tlibGL.so.1 => not found\\n"\n'
    ldd += 'printf "\\tlibc.so.6 => /lib/libc.so.6 (0x0)\\n"\n'
    apt = f'echo "$@" >> "{root}/calls"\ntest "$1" = install || exit 0\n'
    apt += f'test "$APT" = broken && echo "E: broken" >&2 && exit 100\ntouch "{installed}"\n'
    for name, text in (("ldd", ldd), ("apt-get", apt)):
        (programs / name).write_text("#!/bin/sh\n" + text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "platform", "linux")
    return root


def test_root_gets_the_missing_system_libraries(bare_debian, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert build.missing_libraries(bare_debian) == ["libGL.so.1", "libXi.so.6"]
    assert build.provide_system_libraries(bare_debian) == []
    assert calls(bare_debian)[-2:] == ["update", "install -y --no-install-recommends libgl1 libxi6"]


def test_others_get_the_line_that_installs_them(bare_debian, monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    before = calls(bare_debian)
    assert build.provide_system_libraries(bare_debian) == ["libGL.so.1", "libXi.so.6"]
    assert "    sudo apt-get install -y --no-install-recommends libgl1 libxi6\n" in capsys.readouterr().out
    assert calls(bare_debian) == before


def test_a_failing_apt_is_told(bare_debian, monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("APT", "broken")
    assert len(build.provide_system_libraries(bare_debian)) == 2
    assert "apt-get install failed: E: broken" in capsys.readouterr().out


# The commands


@pytest.fixture
def commands(root, monkeypatch):
    """The commands that build.py runs, with all system libraries there."""
    monkeypatch.setattr(build, "ROOT", root)
    monkeypatch.setattr(build, "provide_system_libraries", lambda root: [])
    build.provide_environment(root)
    return lambda: calls(root)[2:]


def make_demo_files(root: Path, *missing: str) -> None:
    (root / "out/demo").mkdir(parents=True)
    for name in set(build.DEMO_FILES) - set(missing):
        (root / "out/demo" / name).touch()


def test_demo_makes_the_object_then_the_scene_and_says_where_they_lie(root, commands, monkeypatch, capsys):
    monkeypatch.setattr(build, "chosen_threads", lambda: "0")
    make_demo_files(root)
    assert build.main(["demo"]) == 0
    out = root / "out/demo"
    assert commands() == [
        f"-m benchmarks.commands.demo --out {out} --threads 0",
        f"-m benchmarks.commands.scene {out} --save {out / 'scene.blend'}",
    ]
    printed = capsys.readouterr().out
    assert all(f"    {out / name}\n" in printed for name in build.DEMO_FILES)


@pytest.mark.parametrize(("load", "given", "threads"), [(3.5, [], "1"), (3.0, [], "0"), (3.5, ["--threads", "0"], "0")])
def test_demo_takes_one_thread_on_a_busy_machine_and_says_so(load, given, threads, root, commands, monkeypatch, capsys):
    monkeypatch.setattr(build.os, "sched_getaffinity", lambda process: {0, 1, 2}, raising=False)
    monkeypatch.setattr(build.os, "getloadavg", lambda: (load, 9.0, 9.0), raising=False)
    make_demo_files(root)
    assert build.main(["demo", *given]) == 0
    assert commands()[0].endswith(f" --threads {threads}")
    assert ("keep the 3 cores busy (load 3.5), so one thread is used" in capsys.readouterr().out) == (threads == "1")


def test_demo_without_system_libraries_makes_all_but_the_scene_and_says_so(root, commands, monkeypatch, capsys):
    monkeypatch.setattr(build, "provide_system_libraries", lambda root: ["libXi.so.6"])
    make_demo_files(root, "scene.blend")
    assert build.main(["demo"]) == 0
    assert len(commands()) == 1
    printed = capsys.readouterr().out
    assert "scene.blend is not made: Blender's module lacks libXi.so.6" in printed
    assert f"    {root / 'out/demo/model.glb'}\n" in printed and "    scene.blend was not made\n" in printed


def test_demo_where_blender_is_no_package_takes_the_program_on_the_path_or_says_so(
    root, commands, monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr(build, "WITH_BLENDER", ())
    make_demo_files(root, "scene.blend")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert build.main(["demo"]) == 0 and len(commands()) == 1
    printed = capsys.readouterr().out
    assert "scene.blend is not made: Blender is published as a package for Python 3.11 and 3.13 alone." in printed
    assert "    scene.blend was not made\n" in printed

    program = tmp_path / "blender"
    program.write_text('#!/bin/sh\necho "$@" > "$0.asked"\n')
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(program) if name == "blender" else None)
    assert build.main(["demo"]) == 1  # it was asked, and has written nothing
    out, script = root / "out/demo", root / "benchmarks/commands/scene.py"
    asked = f"-b --factory-startup --python {script} -- {out} --save {out / 'scene.blend'}\n"
    assert (tmp_path / "blender.asked").read_text() == asked


@pytest.mark.parametrize(("failing", "status"), [("benchmarks.commands.demo", 3), ("benchmarks.commands.scene", 3)])
def test_demo_fails_with_its_steps(failing, status, root, commands, monkeypatch):
    make_demo_files(root)
    monkeypatch.setenv("FAILING", failing)
    assert build.main(["demo"]) == status


def test_demo_fails_when_a_file_is_missing(root, commands, capsys):
    make_demo_files(root, "model.glb")
    assert build.main(["demo"]) == 1
    assert "    model.glb was not made\n" in capsys.readouterr().out


def test_test_passes_its_arguments_on_and_prints_nothing_of_its_own(root, commands, monkeypatch, capsys):
    capsys.readouterr()
    assert build.main(["test", "-m", "not slow", "--durations=5"]) == 0
    assert commands() == ["-m pytest -m not slow --durations=5"]
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("FAILING", "pytest")
    assert build.main(["test"]) == 3
    assert commands()[-1] == "-m pytest -n2 --no-loadscope-reorder"


def test_check_runs_every_checker_even_after_a_failure(root, commands, monkeypatch):
    assert build.main(["check"]) == 0
    monkeypatch.setenv("FAILING", "ruff check")
    assert build.main(["check"]) == 1
    expected = ["-m ruff check .", "-m ruff format --check .", "-m pyright"]
    assert commands() == expected * 2


def test_bench_runs_what_measures_within_minutes_and_names_the_failed(root, commands, monkeypatch, capsys):
    folder = root / "benchmarks" / "commands"
    folder.mkdir(parents=True)
    for name in ("__init__", "splats", "steps", "demo", "scene", "quality_tv3dg"):
        (folder / f"{name}.py").touch()
    monkeypatch.setenv("FAILING", "benchmarks.commands.splats")
    assert build.main(["bench", "--gpu"]) == 1
    results = root / "benchmarks" / "results"
    wanted = [f"-m benchmarks.commands.{name} --out {results / name}.json --gpu" for name in ("splats", "steps")]
    wanted.append(f"-m benchmarks.cards.full_size --out {results / 'full_size'}.json --gpu")
    asked, *measured = commands()
    assert "devices.why_no_card()" in asked and measured == wanted
    assert "Failed: splats" in capsys.readouterr().out


def test_bench_for_a_card_measures_nothing_where_there_is_none(root, commands, monkeypatch):
    monkeypatch.setenv("FAILING", "devices.why_no_card()")
    assert build.main(["bench", "--gpu"]) == build.ENVIRONMENT
    assert len(commands()) == 1


def test_only_test_takes_further_arguments(root, commands, capsys):
    with pytest.raises(SystemExit):
        build.main(["check", "--fix"])
    assert "check does not take --fix" in capsys.readouterr().err and commands() == []


def make_blender(path: Path, version: str, log: Path) -> Path:
    path.write_text(f'#!/bin/sh\ntest "$1" = --version && echo "{version}" && exit\necho "$@" > "{log}"\n')
    path.chmod(0o755)
    return path


def test_install_hands_the_zip_to_blender(root, commands, tmp_path, monkeypatch, capsys):
    archive = root / "dist/maquette-1.zip"
    monkeypatch.setattr(build, "make_zip", lambda root: archive)
    monkeypatch.setattr(build, "manifest", lambda root: {"blender_version_min": "4.5.0"})
    log = tmp_path / "log"
    for version in ("Blender 4.5.11 LTS", "Blender 5.0.1", "Blender 10.0"):
        blender = make_blender(tmp_path / "blender", version, log)
        assert build.main(["install", "--blender", str(blender)]) == 0
        assert log.read_text() == f"--command extension install-file -r user_default -e {archive}\n"
        assert capsys.readouterr().out.endswith("choose the tab Maquette; it says how to get its backend.\n")


@pytest.mark.parametrize(
    ("version", "sentence"),
    [("Blender 4.4.3", "needs Blender 4.5.0 or later, and .* is 4.4"), ("GIMP 3", "does not answer as Blender does")],
)
def test_install_refuses_what_cannot_work(version, sentence, root, commands, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "manifest", lambda root: {"blender_version_min": "4.5.0"})
    with pytest.raises(build.Unfit, match=sentence):
        build.main(["install", "--blender", str(make_blender(tmp_path / "blender", version, tmp_path / "log"))])


def test_install_asks_for_a_blender(root, commands, monkeypatch, tmp_path):
    monkeypatch.delenv("BLENDER", raising=False)
    with pytest.raises(build.Unfit, match="There is no Blender at .*nowhere.*--blender PATH"):
        build.main(["install", "--blender", str(tmp_path / "nowhere")])
