"""Where Blender's right-click menu finds the pages about our operators: in the extension, without a web site."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import bpy

from .. import paths

# Page -> the operators that it is about; of all others there is OTHER_PAGE.
PAGES = {
    "edit-by-text.md": ["edit"],
    "installing.md": "install_backend verify_backend check_backend remove_backend stop_setup fix".split(),
    "models.md": "fetch_model verify_models remove_model import_model".split(),
    "queue-and-history.md": (
        "batch batch_folder hold_queue keep_newest move_job refresh_history remove_job repeat resume".split()
    ),
}
OTHER_PAGE = paths.MANUAL.name


def manual() -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return where the manual is and which page is about which operator: its copy in the extension, no web site."""
    pages = [(f"bpy.ops.maquette.{name}", page) for page, names in PAGES.items() for name in names]
    return paths.MANUAL.parent.as_uri() + "/", (*pages, ("bpy.ops.maquette.*", OTHER_PAGE))


def register_extra() -> None:
    """Map the operators to the manual."""
    bpy.utils.register_manual_map(manual)


def unregister_extra() -> None:
    """Take that back."""
    bpy.utils.unregister_manual_map(manual)


CLASSES = ()
