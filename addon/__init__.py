"""The part of Maquette that runs inside Blender. Importing this package never imports bpy."""

from __future__ import annotations

import importlib
from types import ModuleType

# In order of registration: what comes later uses what comes before.
MODULES = ("properties", "previews", "drop")


def register() -> None:
    """Enable the add-on: classes first, then what each module adds to Blender besides."""
    import bpy

    for module in _modules():
        for cls in module.CLASSES:
            bpy.utils.register_class(cls)  # pyright: ignore[reportAttributeAccessIssue]
        if hasattr(module, "register_extra"):
            module.register_extra()


def unregister() -> None:
    """Disable the add-on: end the backend and take everything back, the last first."""
    import bpy

    for module in reversed(_modules()):
        if hasattr(module, "unregister_extra"):
            module.unregister_extra()
        for cls in reversed(module.CLASSES):
            bpy.utils.unregister_class(cls)  # pyright: ignore[reportAttributeAccessIssue]


def _modules() -> list[ModuleType]:
    return [importlib.import_module(f".{name}", __package__) for name in MODULES]
