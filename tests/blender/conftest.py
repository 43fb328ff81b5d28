"""Blender as a Python module, with the add-on enabled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def bpy() -> Any:
    """Blender's module with an empty file."""
    module: Any = pytest.importorskip("bpy", reason="bpy is not in this environment; install requirements.lock")
    module.ops.wm.read_factory_settings(use_empty=True)
    return module


@pytest.fixture
def enabled(bpy: Any) -> Iterator[Any]:
    """Blender's module with an empty file and the add-on enabled."""
    import addon

    addon.register()
    yield bpy
    addon.unregister()
