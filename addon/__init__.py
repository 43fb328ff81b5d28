"""The part of Maquette that runs inside Blender. Importing this package never imports bpy."""

from __future__ import annotations


def register() -> None:
    """Enable the add-on. This version brings modules for scripts and adds nothing to Blender's interface."""


def unregister() -> None:
    """Disable the add-on; there is nothing to take back."""
