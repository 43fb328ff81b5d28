"""The list of reference images: what can be put into it, and from where."""

from __future__ import annotations

import sys
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


def test_textures_of_results_are_not_offered_as_pictures_of_an_object(enabled: Any, png: Path) -> None:
    from addon.scene.result_files import TEXTURE_PROPERTY
    from addon.ui import reference_list
    from tests.blender.layout import Layout

    photo, texture = (enabled.data.images.load(str(png)) for _ in range(2))
    texture[TEXTURE_PROPERTY] = "base colour"
    menu: Any = reference_list.MAQUETTE_MT_add_reference
    layout = Layout()
    menu.draw(SimpleNamespace(layout=layout), enabled.context)
    assert [text for kind, text in layout.drawn if kind == "operator"] == ["Open Files...", photo.name]


@pytest.mark.parametrize("name", ["add_references", "replace_stage"])
def test_the_file_browser_opens_with_pictures(enabled: Any, name: str) -> None:
    def shown(operator: Any) -> Any:
        return operator.get_rna_type().properties["display_type"]

    ours, blenders = shown(getattr(enabled.ops.maquette, name)), shown(enabled.ops.image.open)
    assert ours.enum_items[ours.default].value == blenders.enum_items["THUMBNAIL"].value


@pytest.mark.parametrize("damage", ["cut", "text", "bit"])
def test_a_damaged_file_is_refused_where_it_is_added_and_later_greys_generate(
    enabled: Any, png: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from addon.ui import generate

    monkeypatch.setenv("MAQUETTE_PYTHON", sys.executable)

    whole = png.read_bytes()
    broken = {"cut": whole[:-20], "text": b"no image", "bit": whole[:45] + bytes([whole[45] ^ 1]) + whole[46:]}[damage]
    (png.parent / "broken mug.png").write_bytes(broken)
    with pytest.raises(RuntimeError, match="broken mug.png is damaged, or no image: save it again"):
        enabled.ops.maquette.add_references(directory=str(png.parent), files=[{"name": "broken mug.png"}])
    props = enabled.context.scene.maquette
    assert not props.references and "broken mug.png" not in enabled.data.images
    enabled.ops.maquette.add_references(directory=str(png.parent), files=[{"name": png.name}])
    props.prompt = "a mug"
    assert generate.why_not(enabled.context) == ""
    png.write_bytes(broken)
    enabled.data.images[png.name].reload()
    assert generate.why_not(enabled.context).startswith(f"{png.name} is damaged")


@pytest.mark.parametrize("name", ["add_references", "batch_folder"])
def test_the_file_browser_shows_no_empty_region_of_properties(enabled: Any, name: str) -> None:
    hidden = getattr(enabled.ops.maquette, name).get_rna_type().properties["hide_props_region"]
    assert hidden.default is True and hidden.is_hidden
