"""The part of Maquette that runs inside Blender. Importing this package never imports bpy."""

from __future__ import annotations
