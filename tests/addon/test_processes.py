"""What differs between systems, each with a pretended one; what is Linux's, for real."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest

from addon import processes

WINDOWS, MACOS, LINUX = "win32", "darwin", "linux"


# ---- starting --------------------------------------------------------------------------------------------------------


def test_children_run_without_the_callers_python_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    others = ("PYTHONWARNINGS", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONBREAKPOINT")
    for name in (*processes.NEEDLESS, *others):
        monkeypatch.setenv(name, "/elsewhere")
    monkeypatch.setenv("MOON", "full")
    variables = processes.child_environment({"TIDE": "high"})
    assert {"LD_PRELOAD", "DYLD_INSERT_LIBRARIES"} <= set(processes.NEEDLESS)
    assert not {*processes.NEEDLESS, *others} & variables.keys()
    ours = {name for name in variables if name.startswith("PYTHON")}
    assert ours == {"PYTHONUTF8", "PYTHONUNBUFFERED", "PYTHONNOUSERSITE"}
    assert (variables["MOON"], variables["TIDE"], os.environ.get("TIDE")) == ("full", "high", None)


def test_children_do_not_load_blenders_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "base_prefix", "/opt/blender-5.2/5.2/python")
    monkeypatch.setenv("SNAP", "/snap/blender/1")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/blender-5.2/lib:/opt/cuda/lib:/snap/blender/1/usr/lib")
    monkeypatch.setenv("DYLD_LIBRARY_PATH", "/opt/blender-5.2/lib")
    variables = processes.child_environment()
    assert variables["LD_LIBRARY_PATH"] == "/opt/cuda/lib" and "DYLD_LIBRARY_PATH" not in variables


@pytest.mark.parametrize(
    ("system", "options"),
    [
        (WINDOWS, {"creationflags": 0x08000200}),  # no console window, and a group of its own for Ctrl+Break
        (LINUX, {"start_new_session": True}),
        (MACOS, {"start_new_session": True}),
    ],
)
def test_no_console_window_and_a_group_of_its_own(
    system: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    assert processes.group_options() == options
    assert processes.hidden_options() == ({"creationflags": 0x08000000} if system == WINDOWS else {})


CHILD = """
import signal, sys, time
def leave(number, frame):
    print("heard", number, flush=True)
    sys.exit(7)
if sys.argv[1] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
else:
    signal.signal(signal.SIGTERM, leave)
print("ready", flush=True)
time.sleep(600)
"""
PARENT = "import sys; from addon.processes import run_in_foreground\nsys.exit(run_in_foreground(sys.argv[1:]))"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize(("child", "code", "heard"), [("hears", 7, "heard 15\n"), ("deaf", 4, "")])
def test_a_program_in_the_foreground_hears_a_signal_that_asks_us_to_leave(child: str, code: int, heard: str) -> None:
    command = [sys.executable, "-c", PARENT, sys.executable, "-c", CHILD, child]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)  # which ends when the child has closed its output, too
    assert (process.returncode, said) == (code, heard)


# ---- ending ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def start() -> Iterator[Callable[[str], processes.Child]]:
    """Start Python on a code; all that was started ends with the test."""
    with contextlib.ExitStack() as started:

        def start(code: str) -> processes.Child:
            command = [sys.executable, "-c", code]
            child = processes.start(command, cwd=Path.cwd(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            started.enter_context(child)  # closes its pipes and waits
            started.callback(processes.end_tree, child)
            return child

        yield start


def read_number(child: processes.Child) -> int:
    assert child.stdout is not None
    return int(child.stdout.readline())


def is_alive(number: int) -> bool:
    state = Path(f"/proc/{number}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


GRANDPARENT = "import subprocess, sys, time; " + (
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)']); print(child.pid, flush=True); "
    "time.sleep(60)"
)


def wait_until_gone(number: int) -> None:
    end = time.monotonic() + 30.0
    while is_alive(number):
        if time.monotonic() > end:
            os.kill(number, signal.SIGKILL)
            raise AssertionError(f"process {number} outlived the one that started it")
        time.sleep(0.01)


def test_the_whole_tree_ends(start: Callable[[str], processes.Child]) -> None:
    child = start(GRANDPARENT)
    grandchild = read_number(child)
    assert is_alive(grandchild)
    processes.end_tree(child)
    assert child.returncode == -signal.SIGKILL
    wait_until_gone(grandchild)
    processes.end_tree(child)  # again, and nothing happens


def test_a_child_notices_that_its_parent_is_gone_and_takes_its_own_children_along(
    start: Callable[[str], processes.Child],
) -> None:
    code = f"from addon import processes; processes.when_parent_is_gone(processes.end_own_tree); {GRANDPARENT}"
    child = start(code)
    grandchild = read_number(child)
    processes.close_stdin(child)
    assert child.wait() == -signal.SIGKILL
    wait_until_gone(grandchild)


class Kernel32:
    """Windows' calls, noted instead of made."""

    def __init__(self, *failing: str) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._failing = failing

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> int:
            plain = [a._obj.flags if hasattr(a, "_obj") else a for a in arguments]
            self.calls.append((name, *plain))
            return 0 if name in self._failing else 41

        return call


class Gone:
    """A process on Windows that has been started and may be asked things."""

    pid, stdin, returncode, _handle, job = 1234, None, None, 99, 0

    def __init__(self) -> None:
        self.done: list[str] = []

    def poll(self) -> None:
        return None

    def kill(self) -> None:
        self.done.append("kill")

    def wait(self) -> int:
        self.done.append("wait")
        return 1


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Kernel32:
    library = Kernel32()
    monkeypatch.setattr(sys, "platform", WINDOWS)
    monkeypatch.setattr(processes, "kernel32", lambda: library)
    return library


def test_on_windows_a_child_is_in_a_job_that_ends_with_blender(windows: Kernel32) -> None:
    child: Any = Gone()
    child.job = processes.bind_to_this_process(child)
    assert child.job == 41
    assert windows.calls == [
        ("CreateJobObjectW", None, None),
        ("SetInformationJobObject", 41, 9, 0x2000, 144),  # 144 bytes: what 64-bit Windows checks
        ("AssignProcessToJobObject", 41, 99),
    ]
    processes.let_live(child)
    assert windows.calls[-1] == ("SetInformationJobObject", 41, 9, 0, 144)


def test_on_windows_a_job_that_cannot_be_made_is_done_without(
    windows: Kernel32, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "kernel32", lambda: Kernel32("AssignProcessToJobObject"))
    assert processes.bind_to_this_process(Gone()) == 0  # type: ignore[arg-type]


@pytest.mark.skipif(ctypes.sizeof(ctypes.c_void_p) != 8, reason="the layout is that of 64-bit systems")
def test_the_limits_have_the_layout_of_windows() -> None:
    limits = processes.ExtendedLimits
    assert ctypes.sizeof(limits) == 144 and limits.flags.offset == 16


def test_on_windows_the_job_ends_the_tree(windows: Kernel32, monkeypatch: pytest.MonkeyPatch) -> None:
    child: Any = Gone()
    child.job = 41
    commands: list[Any] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **options: commands.append((command, options)))
    processes.end_tree(child)
    assert windows.calls == [("TerminateJobObject", 41, 1)] and commands == [] and child.done == ["kill", "wait"]
    child.job = 0
    processes.end_tree(child)
    command, options = commands[0]
    assert command == ["taskkill", "/T", "/F", "/PID", "1234"] and options["creationflags"] == 0x08000000


# ---- files -----------------------------------------------------------------------------------------------------------


LONG = "\\jobs" * 60


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("C:\\Users\\Ann", "C:\\Users\\Ann"),
        ("C:" + LONG, "\\\\?\\C:" + LONG),
        ("\\\\server\\share" + LONG, "\\\\?\\UNC\\server\\share" + LONG),
        ("\\\\?\\C:" + LONG, "\\\\?\\C:" + LONG),
    ],
)
def test_on_windows_long_paths_get_their_prefix(path: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "Path", PureWindowsPath)
    monkeypatch.setattr(sys, "platform", WINDOWS)
    assert str(processes.long_path(PureWindowsPath(path))) == expected  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "platform", MACOS)
    assert str(processes.long_path(PureWindowsPath(path))) == path  # type: ignore[arg-type]


def test_on_windows_what_lies_below_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "Path", PureWindowsPath)
    monkeypatch.setattr(sys, "platform", WINDOWS)
    folder: Any = PureWindowsPath("C:\\" + "x" * 150)
    assert processes.long_path(folder, 90) == folder
    assert str(processes.long_path(folder, 100)).startswith("\\\\?\\C:\\xxx")


def test_a_lock_is_held_by_one_process_and_left_behind_by_none(
    start: Callable[[str], processes.Child], tmp_path: Path
) -> None:
    path = tmp_path / "lock"
    code = "import sys; from pathlib import Path; from addon import processes\n"
    code += f"with processes.hold(Path({str(path)!r})): print(1, flush=True); sys.stdin.read()"
    child = start(code)
    read_number(child)
    with pytest.raises(BlockingIOError), processes.hold(path):
        raise AssertionError("held by two")
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert path.exists()  # left behind, and nobody's
    with processes.hold(path):
        assert path.exists()
    assert not path.exists()
    processes.end_tree(child)


# ---- which programs there are ----------------------------------------------------------------------------------------


def test_the_microsoft_stores_python_is_a_trap(monkeypatch: pytest.MonkeyPatch) -> None:
    alias = PureWindowsPath(r"C:\Users\Ann\AppData\Local\Microsoft\WindowsApps\python.exe")
    real = PureWindowsPath(r"C:\Users\Ann\AppData\Local\Programs\Python\Python311\python.exe")
    assert not processes.is_store_alias(alias)
    monkeypatch.setattr(sys, "platform", WINDOWS)
    assert processes.is_store_alias(alias) and not processes.is_store_alias(real)


def test_sandboxes_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FLATPAK_ID", "SNAP"):
        monkeypatch.delenv(name, raising=False)
    assert processes.sandbox() == ""
    monkeypatch.setenv("SNAP", "/snap/blender/1")
    assert processes.sandbox() == "snap"
    monkeypatch.setenv("FLATPAK_ID", "org.blender.Blender")
    assert processes.sandbox() == "flatpak"
    monkeypatch.setattr(sys, "platform", MACOS)
    assert processes.sandbox() == ""
