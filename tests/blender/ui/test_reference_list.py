"""The list of reference images: what can be put into it, and from where."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from addon import protocol


@pytest.fixture
def png(tmp_path: Path) -> Path:
    Image.new("RGB", (8, 8), (200, 20, 20)).save(tmp_path / "red mug.png")
    return tmp_path / "red mug.png"


def test_dropped_files_become_reference_images_once_each(enabled: Any, png: Path) -> None:
    props = enabled.context.scene.maquette
    for _ in range(2):
        enabled.ops.maquette.add_references(directory=str(png.parent), files=[{"name": png.name}])
    assert len(props.references) == 2 and len(enabled.data.images) == 1 and props.active_reference == 1
    enabled.ops.maquette.remove_reference()
    enabled.ops.maquette.remove_reference()
    assert not props.references and props.active_reference == 0 and not enabled.ops.maquette.remove_reference.poll()


def test_a_file_that_is_no_image_is_a_sentence(enabled: Any, png: Path) -> None:
    (png.parent / "notes.png").write_text("no image")
    files = [{"name": "missing.png"}, {"name": png.name}]
    with pytest.raises(RuntimeError, match="missing.png cannot be read"):
        enabled.ops.maquette.add_references(directory=str(png.parent), files=files)
    assert len(enabled.context.scene.maquette.references) == 1


def test_the_list_takes_no_more_than_are_used(enabled: Any, png: Path) -> None:
    files = [{"name": png.name}] * (protocol.IMAGES + 1)
    enabled.ops.maquette.add_references(directory=str(png.parent), files=files)
    assert len(enabled.context.scene.maquette.references) == protocol.IMAGES
    assert not enabled.ops.maquette.add_references.poll()


def test_only_viewports_that_show_the_tab_take_dropped_images(enabled: Any) -> None:
    from addon.ui import reference_list

    def dropped_on(kind: str, width: int, tab: str) -> bool:
        regions = [SimpleNamespace(type="WINDOW", width=900), SimpleNamespace(type="UI", width=width)]
        regions[1].active_panel_category = tab
        return reference_list.MAQUETTE_FH_image.poll_drop(
            SimpleNamespace(area=SimpleNamespace(type=kind, regions=regions))
        )

    assert dropped_on("VIEW_3D", 240, "Maquette")
    assert not dropped_on("VIEW_3D", 240, "Tool")
    assert not dropped_on("VIEW_3D", 1, "Maquette")  # the sidebar is closed
    assert not dropped_on("IMAGE_EDITOR", 240, "Maquette")
    assert not reference_list.MAQUETTE_FH_image.poll_drop(SimpleNamespace(area=None))
