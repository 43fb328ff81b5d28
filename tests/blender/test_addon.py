"""Enabling and disabling leaves nothing behind, and importing the package alone touches nothing."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import addon

COUNTED = ("load_post", "load_pre", "save_pre", "save_post", "undo_post", "depsgraph_update_post", "exit_pre")


def traces(bpy: Any) -> dict[str, Any]:
    """Return everything of ours that Blender holds now."""
    handlers = {name: len(getattr(bpy.app.handlers, name)) for name in COUNTED if hasattr(bpy.app.handlers, name)}
    ours = {f"{kind.__module__}.{kind.__name__}" for kind in _subclasses(bpy) if kind.is_registered}
    owners = (bpy.types.Scene, bpy.types.WindowManager, bpy.types.Object, bpy.types.Image)
    properties = {item.identifier for owner in owners for item in owner.bl_rna.properties}
    timers = [bpy.app.timers.is_registered(timer) for timer in _timers()]
    return {
        "handlers": handlers,
        "classes": ours,
        "properties": {name for name in properties if "maquette" in name},
        "operators": set(dir(bpy.ops.maquette)),
        "types": {name for name in dir(bpy.types) if "maquette" in name.lower()},
        "timers": sum(timers),
    }


def _subclasses(bpy: Any) -> list[Any]:
    kinds = (bpy.types.Operator, bpy.types.Panel, bpy.types.Menu, bpy.types.UIList, bpy.types.PropertyGroup)
    kinds += (bpy.types.AddonPreferences, bpy.types.FileHandler)
    return [cls for kind in kinds for cls in kind.__subclasses__() if cls.__name__.startswith("MAQUETTE")]


def _timers() -> list[Any]:
    from addon.ui import session

    return [session._tick, session._attach]


def test_enabling_ten_times_leaves_nothing(bpy: Any) -> None:
    addon.register()  # imports the modules; what they are is no trace
    addon.unregister()
    before = traces(bpy)
    for _ in range(10):
        addon.register()
        enabled = traces(bpy)
        addon.unregister()
    assert traces(bpy) == before
    assert before["classes"] == before["properties"] == before["operators"] == set() and before["timers"] == 0
    assert len(enabled["classes"]) > 20 and "maquette" in enabled["properties"] and "generate" in enabled["operators"]
    assert enabled["handlers"]["save_post"] == before["handlers"]["save_post"] + 1
    assert enabled["handlers"]["load_post"] == before["handlers"]["load_post"] + 1


def test_every_module_of_the_list_is_registered(enabled: Any) -> None:
    import importlib

    for name in addon.MODULES:
        module = importlib.import_module(f"addon.{name}")
        assert all(cls.is_registered for cls in module.CLASSES), name
        assert hasattr(module, "register_extra") == hasattr(module, "unregister_extra"), name


def test_a_failure_while_enabling_takes_back_what_was_done(bpy: Any, monkeypatch: Any) -> None:
    import pytest

    from addon.ui import panels

    addon.register()
    addon.unregister()
    before = traces(bpy)
    undrawn = type("MAQUETTE_PT_undrawn", (bpy.types.Panel,), {"bl_label": "Undrawn"})
    monkeypatch.setattr(panels, "CLASSES", (*panels.CLASSES, undrawn))
    with pytest.raises(AttributeError, match="MAQUETTE_PT_undrawn"):
        addon.register()
    assert traces(bpy) == before


def test_importing_the_package_does_not_import_bpy() -> None:
    code = "import sys, addon; sys.exit('bpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_operators_and_properties_have_tooltips_in_blenders_style(enabled: Any) -> None:
    for name in dir(enabled.ops.maquette):
        kind = getattr(enabled.ops.maquette, name).get_rna_type()
        assert kind.description and not kind.description.endswith("."), name
        for item in kind.properties:
            if item.identifier != "rna_type" and not item.is_hidden:
                assert item.name and item.description and not item.description.endswith("."), (name, item.identifier)
