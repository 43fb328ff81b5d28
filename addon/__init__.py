"""The part of Maquette that runs inside Blender. Importing this package never imports bpy."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from types import ModuleType

# In order of registration: what comes later uses what comes before.
MODULES = (
    "ui.properties",
    "ui.previews",
    "preferences",
    "ui.install",
    "ui.models.manage",
    "ui.session",
    "ui.results.importing",
    "ui.results.bake_operator",
    "ui.results.level_operator",
    "ui.results.remesh",
    "ui.generate",
    "ui.reference_list",
    "ui.stage_images",
    "ui.subjects",
    "ui.fill_in",
    "ui.panels",
    "ui.results.job_panel",
    "ui.queue_panel",
    "ui.history",
    "ui.edit",
    "ui.batch_operators",
    "language.words",
    "language.manual",
    "ui.farms.send",
    "cli.commands",
)


def register() -> None:
    """Enable the add-on: classes first, then what each module adds to Blender besides. All of it, or nothing."""
    done: list[Callable[[], object]] = []
    try:
        for module in _modules():
            _register(module, done)
    except BaseException:
        for undo in reversed(done):
            undo()
        raise


def unregister() -> None:
    """Disable the add-on: end the backend and take everything back, the last first."""
    import bpy

    for module in reversed(_modules()):
        if hasattr(module, "unregister_extra"):
            module.unregister_extra()
        for cls in reversed(module.CLASSES):
            bpy.utils.unregister_class(cls)  # pyright: ignore[reportAttributeAccessIssue]


def _register(module: ModuleType, done: list[Callable[[], object]]) -> None:
    """Register one module, and note how each step is taken back."""
    import bpy

    from .language.words import take_context

    for cls in module.CLASSES:
        take_context(cls)
        bpy.utils.register_class(cls)  # pyright: ignore[reportAttributeAccessIssue]
        done.append(functools.partial(bpy.utils.unregister_class, cls))  # pyright: ignore[reportAttributeAccessIssue]
    if hasattr(module, "register_extra"):
        module.register_extra()
        done.append(module.unregister_extra)


def _modules() -> list[ModuleType]:
    return [importlib.import_module(f".{name}", __package__) for name in MODULES]
