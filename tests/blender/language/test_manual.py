"""The right-click menu of Blender finds the pages of the manual in the extension."""

# pyright: reportMissingImports=false

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest


def test_online_manual_of_each_operator_is_a_page_that_is_there(enabled: Any) -> None:
    from bl_operators.wm import WM_OT_doc_view_manual  # type: ignore[import-not-found]

    from addon.language.manual import PAGES, folder

    manual = folder()
    names = [name for name in dir(enabled.ops.maquette) if not name.startswith("_")]
    assert {"generate", "batch", "install_backend"} <= set(names)
    pages = {}
    for name in names:
        address = WM_OT_doc_view_manual._lookup_rna_url(f"bpy.ops.maquette.{name}", verbose=False)
        assert address.startswith(manual.as_uri()), (name, address)
        pages[name] = address.rpartition("/")[2]
        assert (manual / pages[name]).is_file()
    assert (pages["install_backend"], pages["batch"]) == ("installing.html", "queue-and-history.html")
    assert {name for about in PAGES.values() for name in about} <= set(names)


def test_the_button_shows_the_manual(enabled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from addon.language import manual

    shown: list[str] = []
    ops = SimpleNamespace(wm=SimpleNamespace(url_open=lambda url: shown.append(url)))
    monkeypatch.setattr(manual, "bpy", SimpleNamespace(ops=ops, app=enabled.app))
    assert enabled.ops.maquette.open_manual() == {"FINISHED"}
    assert shown == [(manual.folder() / "manual.html").as_uri()]
