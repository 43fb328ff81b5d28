"""The preferences in a real Blender with a window: the backend is installed with the mouse, from a folder of wheels."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import build
from addon.install import interpreters
from tests.addon.install.tiny_wheels import write_wheel
from tests.blender.program.real import CHECKOUT, HOVER_SECONDS, ROW, Window, install, window

pytestmark = pytest.mark.blender

SCREENSHOTS = CHECKOUT / "out" / "screenshots"
NAME = "next(name for name in bpy.context.preferences.addons.keys() if name.endswith('.maquette'))"
OPEN = f"""
import addon_utils
name = {NAME}
area = next(area for area in bpy.context.window.screen.areas if area.type == "VIEW_3D")
area.type = "PREFERENCES"
bpy.context.preferences.active_section = "ADDONS"
bpy.context.window_manager.addon_search = "Maquette"
addon_utils.module_bl_info(next(m for m in addon_utils.modules() if m.__name__ == name))["show_expanded"] = True
own = bpy.context.preferences.addons[name].preferences
"""
STATUS = f"__import__('sys').modules[{NAME} + '.addon.preferences'].status(bpy.context).sentence"
TASK = f"__import__('sys').modules[{NAME} + '.addon.install.background'].task()"


@pytest.fixture
def shown(blender: Path, tmp_path: Path) -> Iterator[Window]:
    """Blender with the preferences of a Maquette whose lock names one tiny package, which a folder holds."""
    source, resources, wheels = tmp_path / "source", tmp_path / "resources", tmp_path / "wheels"
    for place in (source, wheels):
        place.mkdir()
    for name in ("LICENSE", "blender_manifest.toml"):
        shutil.copy2(CHECKOUT / name, source)
    for name in ("addon", "backend"):
        shutil.copytree(CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    (source / "backend/requirements.lock").write_text("maquette_test_moon==1.5\n")
    (source / "backend/torch.lock").write_text("")
    environment = source / "addon/install/environment.py"  # the real packages are not installed, and need no room
    text = environment.read_text(encoding="utf-8")
    environment.write_text(text + "\nNEEDED_GIB = NEEDED_WITH_CUDA_GIB = 0.1\n", encoding="utf-8")
    write_wheel(wheels, "maquette_test_moon", "1.5")
    install(blender, resources, build.make_zip(source))
    with window(blender, resources, tmp_path / "questions", MAQUETTE_PYTHON="") as shown:
        choices = f"own.base_python, own.wheels = {str(interpreters.this().path)!r}, {str(wheels)!r}"
        shown.ask(OPEN + choices)
        yield shown


def press(shown: Window, operator: str, share: float) -> None:
    """Move the mouse down the preferences until it is on a button, and click; `share` is how far to the right it is."""
    x, top, width, height = shown.value("rectangle('WINDOW', 'PREFERENCES')")
    for y in range(top + 5, top + height, ROW):
        shown.move(x + width * share, y)
        time.sleep(HOVER_SECONDS)
        if shown.value("pointed('WINDOW', 'PREFERENCES')") == operator:
            return shown.click(x + width * share, y + 2)
    raise AssertionError(f"no {operator} in the preferences")


def field(shown: Window, name: str) -> tuple[float, float]:
    """Return where a field of the preferences is."""
    x, top, width, height = shown.value("rectangle('WINDOW', 'PREFERENCES')")
    for y in range(top + 5, top + height, ROW):
        shown.move(x + width * 0.6, y)
        time.sleep(HOVER_SECONDS)
        if shown.value("pointed('WINDOW', 'PREFERENCES')").endswith(name):
            return x + width * 0.6, y + 2
    raise AssertionError(f"no field {name} in the preferences")


def buttons(shown: Window, share: float) -> list[str]:
    """Return what the mouse finds on its way down the preferences."""
    x, top, width, height = shown.value("rectangle('WINDOW', 'PREFERENCES')")
    seen = []
    for y in range(top + 5, top + height, ROW):
        shown.move(x + width * share, y)
        time.sleep(HOVER_SECONDS)
        seen.append(shown.value("pointed('WINDOW', 'PREFERENCES')"))
    return seen


def test_the_backend_is_installed_and_removed_with_the_mouse(shown: Window) -> None:
    assert shown.value(STATUS) == "The backend is not installed."
    shown.screenshot(SCREENSHOTS / "preferences-not-installed.png")
    press(shown, "maquette.fix", 0.3)
    shares = []
    while shown.value(f"{TASK} is not None"):
        shares.append(shown.value(f"{TASK}.share if {TASK} else 1.0"))
    assert shares and shares == sorted(shares)  # only forwards; one small package may be there between two looks
    # The packages of the real lock are not there, which is what the backend in the new environment says of itself.
    assert shown.value(STATUS) == "torch is missing or broken, and so are 12 more."
    shown.screenshot(SCREENSHOTS / "preferences-broken.png")
    press(shown, "maquette.remove_backend", 0.9)
    shown.key("Return")  # it asks first
    shown.wait(lambda: shown.value(STATUS) == "The backend is not installed.", "the removal")


def test_a_python_without_the_packages_is_told_as_soon_as_it_is_typed(shown: Window) -> None:
    shown.click(*field(shown, "existing_python"), times=2)
    shown.key("ctrl+a")
    shown.type(str(interpreters.this().path))
    shown.key("Return")
    wrong = "torch is missing or broken, and so are"
    shown.wait(lambda: shown.value(f"{STATUS}.startswith({wrong!r})"), "the sentence about the wrong Python", 120.0)
    time.sleep(1.0)  # until it is drawn
    shown.screenshot(SCREENSHOTS / "preferences-wrong-python.png")
    shown.click(*field(shown, "existing_python"), times=2)
    shown.key("ctrl+a")
    shown.type("/nowhere/python")
    shown.key("Return")
    shown.wait(lambda: shown.value(STATUS) == "There is no Python at /nowhere/python.", "that it is not there")
    seen = buttons(shown, 0.3)
    assert "maquette.fix" not in seen, seen  # nothing to install, nor a reason to go online
