"""What build.py knows of the repository and of pip, and how long .ci/run may take at most."""

from __future__ import annotations

import ast
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import build
from addon.install import environment, pip_steps

REPOSITORY = Path(build.__file__).parent
CHECKS_SECONDS = 85 * 60  # at most, whatever hangs
PASSED_ON = {"--out", "--gpu"}  # what bench gives to each benchmark


def options(path: Path) -> set[str]:
    """Return the options that a module's parser has, read from its source."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    added = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument"]
    return {str(word.value) for call in added for word in call.args if isinstance(word, ast.Constant)}


def test_every_benchmark_takes_what_bench_passes_on() -> None:
    names = build.benchmarks(REPOSITORY)
    assert {"rasteriser", "distillation", "prior"} <= set(names)
    assert {name: PASSED_ON - options(REPOSITORY / "benchmarks" / "commands" / f"{name}.py") for name in names} == {
        name: set() for name in names
    }


@pytest.mark.parametrize("name", sorted(build.NOT_BENCHMARKS))
def test_what_bench_leaves_out_does_not_take_it(name: str) -> None:
    assert not options(REPOSITORY / "benchmarks" / "commands" / f"{name}.py") >= PASSED_ON


def pip_says(settings: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `pip config list` print this, on Linux on x86-64."""
    done = subprocess.CompletedProcess([], 0, stdout=settings)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: done if command[1:] == PIP else None)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


PIP = ["-m", "pip", "config", "list"]


@pytest.mark.parametrize(
    ("wheel", "brings_cuda"),
    [("torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl", False), ("torch-2.13.0-cp311-cp311-linux.whl", True)],
)
@pytest.mark.parametrize("line", [":env:.find-links='{}'", "global.find-links='/nowhere\\n{}'"])
def test_a_torch_for_the_cpu_in_a_folder_of_pips_needs_less_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wheel: str, brings_cuda: bool, line: str
) -> None:
    (tmp_path / wheel).touch()
    pip_says(f"global.timeout='60'\n{line.format(tmp_path)}\n", monkeypatch)
    assert environment.brings_cuda() is brings_cuda


def test_only_linux_on_x86_64_brings_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    pip_says("", monkeypatch)
    assert environment.brings_cuda()
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert not environment.brings_cuda()
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not environment.brings_cuda()


@pytest.mark.parametrize(("brings_cuda", "needed"), [(True, "12.0"), (False, "6.0")])
def test_the_free_disk_asked_for_depends_on_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brings_cuda: bool, needed: str
) -> None:
    monkeypatch.setattr(environment, "brings_cuda", lambda wheels: brings_cuda)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, 2 * 2**30))  # type: ignore
    with pytest.raises(pip_steps.DiskTooSmall, match=f"has 2.0 GiB of free disk, and the packages need {needed} GiB"):
        environment.check_folder(tmp_path / "venv")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, 8 * 2**30))  # type: ignore
    if brings_cuda:
        with pytest.raises(pip_steps.DiskTooSmall, match="has 8.0 GiB"):
            environment.check_folder(tmp_path / "venv")
    else:
        environment.check_folder(tmp_path / "venv")


def test_job_folders_in_the_repository_are_not_tracked() -> None:
    assert "/jobs/" in (REPOSITORY / ".gitignore").read_text(encoding="utf-8").splitlines()


def limits(script: str) -> tuple[int, list[str]]:
    """Return the seconds that a script's time limits add up to, and its lines that run Python without one."""
    lines = [line.partition(" #")[0] for line in script.splitlines() if re.search(r'"\$python" (?!-c)', line)]
    found = [re.search(r'timeout(?: --kill-after=(\d+))? (\d+) "\$python"', line) for line in lines]
    seconds = sum(int(match[1] or 0) + int(match[2]) for match in found if match)
    return seconds, [line.strip() for line, match in zip(lines, found, strict=True) if not match]


def test_the_time_limits_of_the_checks_add_up_to_less_than_an_hour_and_a_half() -> None:
    seconds, without = limits((REPOSITORY / ".ci/run").read_text(encoding="utf-8"))
    assert without == []
    assert 60 * 60 <= seconds <= CHECKS_SECONDS


def test_a_command_without_a_time_limit_is_named_and_waiting_for_the_end_counts() -> None:
    script = (
        'timeout --kill-after=60 4500 "$python" -m a </dev/null\n"$python" build.py setup\nx=$(timeout 900 "$python" b)'
    )
    assert limits(script) == (5460, ['"$python" build.py setup'])


def test_a_second_setup_says_which_process_is_at_it_and_since_when_and_leaves(tmp_path: Path) -> None:
    root = tmp_path
    for name in build.LOCKS:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    code = "import sys; from pathlib import Path; from addon import processes\n"
    code += f"with processes.hold(Path({str(root / '.venv-lock')!r})): print(1, flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY
    )
    assert other.stdout is not None and other.stdout.readline()
    setup = "import sys, build; from pathlib import Path; from addon.install import environment, pip_steps\n"
    setup += f"environment.NEEDED_GIB = environment.NEEDED_WITH_CUDA_GIB = 0.0; build.ROOT = Path({str(root)!r})\n"
    setup += "try: build.main(['setup'])\nexcept build.Unfit as unfit: print(unfit, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", setup], cwd=REPOSITORY, capture_output=True, text=True)
    assert re.fullmatch(
        rf"Another process is installing into .*\.venv: process {other.pid}, since \d\d:\d\d\. .*\n", done.stderr
    )
    assert done.stdout == ""  # nor is anything said to be made
    other.communicate()


@pytest.mark.parametrize("version", [(3, 10, 13), (3, 14, 0), (2, 7, 18)])
def test_another_python_gets_a_sentence(
    version: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/python3.11" if name == "python3.11" else None)
    with monkeypatch.context() as patch, pytest.raises(SystemExit) as stop:
        patch.setattr(sys, "version_info", version)
        build.check_python("test")
    said = ".".join(map(str, version))
    assert stop.value.code == 3
    sentence = f"Maquette needs Python 3.11 to 3.13, and this is {said}. Run: python3.11 build.py test\n"
    assert capsys.readouterr().err == sentence


def test_old_pythons_can_read_build_py_far_enough_to_say_so() -> None:
    source = (REPOSITORY / "build.py").read_text()
    tree = ast.parse(source, feature_version=(3, 6))
    assert "annotations" not in {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert source.isascii()  # Python 2 refuses other letters first
    first = min(node.lineno for node in ast.walk(tree) if isinstance(node, ast.AnnAssign | ast.JoinedStr))
    assert "Maquette needs Python 3.11, 3.12 or 3.13" in source.splitlines()[first - 1]  # what 2.7 and 3.5 show
    with pytest.raises(SyntaxError):
        ast.parse("match 1:\n    case 1:\n        pass", feature_version=(3, 6))  # the check above can fail
