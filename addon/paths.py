"""Where things lie: the extension itself, which may be read-only, and the user's folder, which outlives an upgrade."""

from __future__ import annotations

import sys
from pathlib import Path

# `bl_ext.<repository>.maquette` in Blender, which is what extension_path_user and AddonPreferences.bl_idname want; the
# name of this package has one component too many for them. Empty outside of Blender.
EXTENSION = __package__.rpartition(".")[0] if __package__ else ""

ROOT = Path(__file__).resolve().parent.parent  # holds addon/ and backend/; the working directory of `python -m backend`
EMBEDDED_PRIOR = ROOT / "backend" / "embedded" / "weights"
MANUAL = ROOT / "docs" / "manual.md"  # comes with the extension: no web site is needed


def user_folder() -> Path:
    """Return the folder for the backend's environment, models and jobs, and make it. Only inside Blender."""
    import bpy

    return Path(bpy.utils.extension_path_user(EXTENSION, path="", create=True))  # pyright: ignore[reportAttributeAccessIssue]


def version() -> str:
    """Return the version of the extension."""
    import tomllib

    return str(tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))["version"])


def jobs_folder(user: Path) -> Path:
    """Return where the job folders are."""
    return user / "jobs"


def models_folder(user: Path) -> Path:
    """Return where fetched and imported models are, each in a folder of its own."""
    return user / "models"


def subjects_folder(user: Path) -> Path:
    """Return where kept subjects are, each in a folder of its own."""
    return user / "subjects"


def backend_python(environment: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
