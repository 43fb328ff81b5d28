"""The manual in a browser, and which page Blender's right-click menu finds for our operators: no web site is needed."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

from pathlib import Path

import bpy

from .. import paths
from .pages import write_pages

# Page -> the operators that it is about; of all others there is OTHER_PAGE.
PAGES = {
    "edit-by-text": ["edit"],
    "installing": "install_backend verify_backend check_backend remove_backend stop_setup fix".split(),
    "models": "fetch_model verify_models remove_model import_model".split(),
    "queue-and-history": (
        "batch batch_folder hold_queue keep_newest move_job refresh_history remove_job repeat resume".split()
    ),
}
OTHER_PAGE = paths.MANUAL.stem


def folder() -> Path:
    """Return where the pages are for this session; they are written when somebody first asks for them."""
    made = Path(bpy.app.tempdir) / "maquette-manual"
    if not (made / f"{OTHER_PAGE}.html").is_file():
        write_pages(paths.MANUAL.parent, made)
    return made


def manual() -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return where the manual is, and which page is about which operator."""
    pages = [(f"bpy.ops.maquette.{name}", f"{page}.html") for page, names in PAGES.items() for name in names]
    return folder().as_uri() + "/", (*pages, ("bpy.ops.maquette.*", f"{OTHER_PAGE}.html"))


class MAQUETTE_OT_open_manual(bpy.types.Operator):
    """Show the manual"""

    bl_idname = "maquette.open_manual"
    bl_label = "Manual"
    bl_description = "Show the manual in the browser; it comes with the add-on"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Leave it to the browser."""
        bpy.ops.wm.url_open(url=(folder() / f"{OTHER_PAGE}.html").as_uri())
        return {"FINISHED"}


def register_extra() -> None:
    """Map the operators to the manual."""
    bpy.utils.register_manual_map(manual)


def unregister_extra() -> None:
    """Take that back."""
    bpy.utils.unregister_manual_map(manual)


CLASSES = (MAQUETTE_OT_open_manual,)
