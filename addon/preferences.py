"""What the artist sets once for all files: where the backend is, which GPU it uses, where the jobs lie."""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

import os
from pathlib import Path

import bpy

from . import environment, paths

NAME = paths.EXTENSION or "addon"  # outside of an installed extension, the package itself


class MAQUETTE_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = NAME

    existing_python: bpy.props.StringProperty(
        name="Existing Python",
        description="A Python that has the backend's packages already; leave it empty to install them",
        subtype="FILE_PATH",
    )
    jobs_folder: bpy.props.StringProperty(
        name="Jobs Folder",
        description="Where the folders of the jobs are made; empty for a folder among Blender's user files",
        subtype="DIR_PATH",
    )


def of(context: bpy.types.Context) -> MAQUETTE_AP_preferences | None:
    """Return the preferences, None where the add-on was registered without being enabled."""
    entry = context.preferences.addons.get(NAME)
    return entry.preferences if entry is not None else None


def interpreter(context: bpy.types.Context) -> Path:
    """Return the Python that runs the backend: the artist's own, MAQUETTE_PYTHON's, or the installed one.

    Raises EnvironmentMissing.
    """
    own = of(context)
    for choice in (own.existing_python if own else "", os.environ.get("MAQUETTE_PYTHON", "")):
        if choice:
            path = Path(bpy.path.abspath(choice))
            if not path.is_file():
                raise environment.EnvironmentMissing(f"There is no Python at {path}.", "Choose another.")
            return path
    python = paths.backend_python(environment_folder(context))
    if not python.is_file():
        raise environment.EnvironmentMissing("The backend is not installed.", "Install it in the preferences.")
    return python


def environment_folder(context: bpy.types.Context) -> Path:
    """Return where the backend's environment is, or will be."""
    return user_folder() / "environment"


def jobs_folder(context: bpy.types.Context) -> Path:
    """Return where the job folders are."""
    own = of(context)
    chosen = own.jobs_folder if own else ""
    return Path(bpy.path.abspath(chosen)) if chosen else paths.jobs_folder(user_folder())


def user_folder() -> Path:
    """Return Blender's folder for our files."""
    if paths.EXTENSION:
        return paths.user_folder()
    return Path(bpy.utils.user_resource("DATAFILES", path="maquette", create=True))


CLASSES = (MAQUETTE_AP_preferences,)
