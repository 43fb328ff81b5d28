"""Drive a real Blender: run it headless, or in a window on a screen of its own, with mouse, keys and screenshots.

    with window(blender, resources, tmp_path) as shown:
        shown.click(*shown.find("maquette.generate"))

The screen is an X server without hardware (Xvfb), which Mesa draws on; xdotool is the hand and ImageMagick the camera.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent.parent.parent
INSIDE = CHECKOUT / "tests/blender/program/inside.py"
WIDTH, HEIGHT = 1600, 1000
SCREEN_PROGRAMS = {"Xvfb": "xvfb", "xdotool": "xdotool", "import": "imagemagick"}  # and the Debian package of each
POLL_SECONDS = 0.02
HOVER_SECONDS = 0.12  # for Blender to notice what the mouse is on, which takes a redraw
PATIENCE = (HOVER_SECONDS, 5 * HOVER_SECONDS, 20 * HOVER_SECONDS)  # where it takes longer
ROW = 16  # a button of Blender is about 20 pixels high


def environment(resources: Path, **further: str) -> dict[str, str]:
    """Return what a Blender of a test gets: its own preferences and extensions, and a renderer without hardware."""
    return os.environ | {"BLENDER_USER_RESOURCES": str(resources), "LIBGL_ALWAYS_SOFTWARE": "1"} | further


def headless(
    blender: Path, resources: Path, *arguments: str | Path, seconds: float = 300.0, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run Blender without a window to its end. Raises TimeoutExpired after `seconds`, when it is gone."""
    command = [str(blender), "--background", "--python-exit-code", "1", *map(str, arguments)]
    return _run(command, resources, seconds, variables)


def extension_command(
    blender: Path, resources: Path, *arguments: str | Path, seconds: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run `blender --command extension ...` to its end. Raises TimeoutExpired after `seconds`, when it is gone."""
    # Blender wants to be allowed online even when the address is a folder's.
    command = [str(blender), "--online-mode", "--command", "extension", *map(str, arguments)]
    return _run(command, resources, seconds, {})


def install(blender: Path, resources: Path, archive: Path) -> None:
    """Install the extension's zip and enable it, as the artist's Blender would."""
    done = extension_command(blender, resources, "install-file", "-r", "user_default", "-e", archive)
    assert done.returncode == 0, done.stdout + done.stderr


def _run(
    command: list[str], resources: Path, seconds: float, variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    resources.mkdir(parents=True, exist_ok=True)
    variables = environment(resources, **variables)
    return subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, env=variables, cwd=CHECKOUT, stdin=subprocess.DEVNULL
    )


# ---- a window --------------------------------------------------------------------------------------------------------


def screen_program(name: str, blender: Path) -> str:
    """Return a program of the screen, from beside Blender or from the path; skip the test where it is missing."""
    found = shutil.which(name, path=str(blender.parent)) or shutil.which(name)
    if not found:
        pytest.skip(f"needs a window, and there is no {name}; install {' '.join(SCREEN_PROGRAMS.values())}")
    return found


class Window:
    """A Blender that fills a screen of its own. All positions are pixels from the upper left corner."""

    def __init__(self, process: subprocess.Popen[bytes], display: str, folder: Path, blender: Path) -> None:
        self.process = process
        self.folder = folder
        self._xdotool, self._import = (screen_program(name, blender) for name in ("xdotool", "import"))
        self._variables = os.environ | {"DISPLAY": display}
        self._numbers = itertools.count()

    def ask(self, code: str, seconds: float = 60.0) -> Any:
        """Run Python inside Blender and return what it leaves in `answer`; see inside.py for what it can use."""
        name = f"question-{next(self._numbers):06}"
        (self.folder / f"{name}.tmp").write_text(code, encoding="utf-8")
        (self.folder / f"{name}.tmp").rename(self.folder / f"{name}.py")
        reply = self.folder / f"{name}.json"
        self.wait(reply.exists, f"an answer to {code!r}", seconds)
        content = json.loads(reply.read_text(encoding="utf-8"))
        assert "error" not in content, content["error"]
        return content["answer"]

    def value(self, expression: str) -> Any:
        """Return the value of one expression inside Blender."""
        return self.ask(f"answer = {expression}")

    def wait(self, is_true: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
        """Return the first true answer; fail after `seconds`, or as soon as Blender has ended."""
        end = time.monotonic() + seconds
        while not (found := is_true()):
            assert self.process.poll() is None, f"Blender ended with {self.process.returncode}, waiting for {what}"
            assert time.monotonic() < end, f"{seconds:.0f} s without {what}"
            time.sleep(POLL_SECONDS)
        return found

    def screenshot(self, path: Path) -> Path:
        """Write what the whole screen shows."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._do(self._import, "-window", "root", str(path))
        return path

    def move(self, x: float, y: float) -> None:
        """Move the mouse, with a small step at its end, since Blender looks only at a mouse that moves."""
        self._do(self._xdotool, "mousemove", str(int(x) - 1), str(int(y)), "mousemove_relative", "1", "0")

    def click(self, x: float, y: float, times: int = 1) -> None:
        """Click with the left button."""
        self.move(x, y)
        time.sleep(HOVER_SECONDS)
        self._do(self._xdotool, "click", "--repeat", str(times), "--delay", "60", "1")
        time.sleep(HOVER_SECONDS)

    def drag(self, begin: tuple[float, float], end: tuple[float, float], before_drop: Callable[[], Any] = str) -> None:
        """Press the left button at one place and let it go at another one; `before_drop` is called in between."""
        self.move(*begin)
        time.sleep(HOVER_SECONDS)
        self._do(self._xdotool, "mousedown", "1")
        for share in (0.05, 0.3, 0.6, 0.9, 1.0):
            self.move(*(a + share * (b - a) for a, b in zip(begin, end, strict=True)))
            time.sleep(HOVER_SECONDS)
        before_drop()
        self._do(self._xdotool, "mouseup", "1")
        time.sleep(HOVER_SECONDS)

    def scroll(self, x: float, y: float, notches: int) -> None:
        """Turn the wheel over a place; down is positive."""
        self.move(x, y)
        button = "5" if notches > 0 else "4"
        self._do(self._xdotool, "click", "--repeat", str(abs(notches)), "--delay", "30", button)
        time.sleep(HOVER_SECONDS)

    def key(self, *names: str) -> None:
        """Press keys, by their names in X: Return, ctrl+a, n."""
        self._do(self._xdotool, "key", "--delay", "60", *names)
        time.sleep(HOVER_SECONDS)

    def type(self, text: str) -> None:
        """Type a text."""
        self._do(self._xdotool, "type", "--delay", "30", text)
        time.sleep(HOVER_SECONDS)

    def open_tab(self, name: str) -> None:
        """Show the sidebar of the 3D view and click its tab."""
        self.ask("region('UI')[1].spaces.active.show_region_ui = True")
        self.wait(lambda: self.value("rectangle('UI')[2]") > 1, "the sidebar")
        x, y, width, height = self.value("rectangle('UI')")
        for pause in PATIENCE:
            for tab in range(y + 30, y + height, 25):  # the tabs' places are nowhere to be read
                if self.value("region('UI')[2].active_panel_category") == name:
                    return
                self.click(x + width - 8, tab)
                time.sleep(pause)
        raise AssertionError(f"no tab {name} in the sidebar")

    def find(self, name: str, kind: str = "UI", share: float = 0.5) -> tuple[int, int]:
        """Return where a button lies, by the path of its property or by its operator, moving the mouse down.

        `share` is how far to the right of the region's left edge the mouse goes, from 0 to 1. Where Blender is slow to
        notice the mouse, it goes down again with more patience.
        """
        seen = []
        x, top, width, height = self.value(f"rectangle({kind!r})")
        for pause in PATIENCE:
            for y in range(top + ROW // 2, top + height, ROW):
                pointed = self._point(x + width * share, y, kind, pause)
                if pointed == name and self._point(x + width * share, y + 2, kind, pause) == name:
                    return int(x + width * share), y + 2
                if pointed and pointed not in seen:
                    seen.append(pointed)
        raise AssertionError(f"no {name} in the sidebar, but {', '.join(seen) or 'nothing'}")

    def _point(self, x: float, y: float, kind: str, pause: float) -> str | None:
        self.move(x, y)
        time.sleep(pause)
        return self.value(f"pointed({kind!r})")

    def _do(self, *command: str) -> None:
        subprocess.run(command, env=self._variables, check=True, timeout=60, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def screen(blender: Path) -> Iterator[str]:
    """Start an X server that draws in memory and give its DISPLAY."""
    program = screen_program("Xvfb", blender)
    reading, writing = os.pipe()
    size = f"{WIDTH}x{HEIGHT}x24"
    command = [program, "-displayfd", str(writing), "-screen", "0", size, "+extension", "GLX", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as answer:
            number = answer.readline().strip()
        assert number, f"Xvfb ended with {server.wait(10)} before it had a screen"
        yield f":{number}"
    finally:
        end(server)


@contextlib.contextmanager
def window(
    blender: Path, resources: Path, folder: Path, *arguments: str | Path, seconds: float = 90.0, **variables: str
) -> Iterator[Window]:
    """Open Blender on a screen of its own, and close both; `folder` takes its log and the questions.

    `seconds` is how long it may take to open. Fails with the log's end if Blender does not open.
    """
    for name in SCREEN_PROGRAMS:
        screen_program(name, blender)
    folder.mkdir(parents=True, exist_ok=True)
    with screen(blender) as display, (folder / "blender.log").open("wb") as log:
        command = [str(blender), "--gpu-backend", "opengl", "--python-exit-code", "1", "--window-maximized"]
        command += ["--window-geometry", "0", "0", str(WIDTH), str(HEIGHT), *map(str, arguments)]
        command += ["--python", str(INSIDE), "--", str(folder)]
        process = subprocess.Popen(
            command,
            env=environment(resources, DISPLAY=display, **variables),
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            shown = Window(process, display, folder, blender)
            try:
                shown.ask("answer = bpy.app.version_string", seconds)
            except AssertionError as error:
                text = (folder / "blender.log").read_text(encoding="utf-8", errors="replace")
                raise AssertionError(f"Blender's window did not open: {error}\n{text[-2000:]}") from error
            yield shown
        finally:
            end(process)


def end(process: subprocess.Popen[bytes], seconds: float = 10.0) -> None:
    """End a process that this test started, first politely."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
