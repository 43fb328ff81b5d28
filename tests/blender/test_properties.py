"""What the artist asks for is kept in the .blend and becomes the request that they meant."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from addon import protocol, settings


@pytest.fixture
def wish(enabled: Any) -> Any:
    enabled.context.scene.maquette.prompt = " a red mug "
    return enabled.context.scene.maquette


def request_of(wish: Any, **changes: Any) -> protocol.Request:
    from addon import properties

    return properties.request_of(wish, **changes)


def test_a_prompt_alone_is_a_request(wish: Any) -> None:
    made = request_of(wish)
    assert made == protocol.Request(system="tv3dg", prompt="a red mug", preset="draft", seed=0)


def test_everything_in_the_panel_reaches_the_request(enabled: Any, wish: Any) -> None:
    reference = wish.references.add()
    reference.image = enabled.data.images.new("seen", 4, 4)
    reference.elevation, reference.azimuth, reference.field_of_view = map(math.radians, (15, -90, 35))
    wish.references.add()  # without an image: no part of the request
    wish.negative_prompt, wish.seed, wish.preset = "fog", 2**31 - 1, "standard"
    wish.outputs, wish.stop_after, wish.threads = {"points"}, "perceive", 2
    wish.prior, wish.prior_folder = "folder", "//models/sd"
    made = request_of(wish)
    image = protocol.InputImage(path="inputs/00.png", elevation_degrees=15, azimuth_degrees=-90, fov_degrees=35)
    assert made.images == (image,)
    assert (made.negative_prompt, made.seed, made.preset) == ("fog", 2**31 - 1, "standard")
    assert (made.outputs, made.stop_after, made.threads) == (("points",), "perceive", 2)
    assert Path(made.prior) == Path(enabled.path.abspath("//models/sd"))


def test_without_an_image_there_is_no_cut_out_to_stop_after(wish: Any) -> None:
    wish.stop_after = "perceive"
    assert request_of(wish).stop_after == ""


def test_a_saved_preset_keeps_its_meaning(wish: Any) -> None:
    assert wish.preset == "draft"
    items = wish.bl_rna.properties["preset"].enum_items
    assert {item.identifier: item.value for item in items} == {"draft": 0, "standard": 1, "paper": 2, "bench": 3}
    assert [item.identifier for item in items] == list(protocol.PRESETS)  # the shortest first


def test_the_four_sides_are_there_to_stop_after_unless_it_begins_from_a_ball(wish: Any) -> None:
    wish.stop_after = "sides"
    assert request_of(wish).stop_after == "sides"
    wish.tv3dg.start = "ball"
    assert request_of(wish).stop_after == ""


def test_what_cannot_be_asked_for_is_a_sentence(wish: Any) -> None:
    wish.outputs = set()
    with pytest.raises(protocol.ProtocolError, match="asks for no output"):
        request_of(wish)
    with pytest.raises(protocol.ProtocolError, match="prompt is empty"):
        request_of(wish, prompt="", outputs=("mesh",))


# ---- settings behind the preset ----


def test_settings_show_the_presets_values(wish: Any) -> None:
    for preset in settings.PRESETS:
        wish.preset = preset
        for name, setting in settings.TV3DG.settings.items():
            assert getattr(wish.tv3dg, name) == pytest.approx(setting.preset(preset)), (preset, name)
    assert request_of(wish).settings == {}


def test_only_what_differs_from_the_preset_is_asked_for(wish: Any) -> None:
    wish.tv3dg.steps, wish.tv3dg.entropy, wish.tv3dg.camera_tokens = 50, 0.1, False
    assert request_of(wish).settings == {"steps": 50, "entropy": 0.1, "camera_tokens": False}
    wish.preset = "paper"  # which tells no camera either
    assert wish.tv3dg.steps == 50 and wish.tv3dg.max_count == 20_000
    wish.tv3dg.camera_tokens = False
    wish.tv3dg.steps = 4_000
    assert request_of(wish).settings == {"entropy": 0.1}


def test_settings_go_back_to_the_preset(wish: Any) -> None:
    from addon import properties

    wish.tv3dg.steps, wish.tv3dg.views = 50, 2
    properties.reset_settings(wish, "steps")
    assert wish.tv3dg.steps == settings.TV3DG.settings["steps"].preset(wish.preset)
    assert request_of(wish).settings == {"views": 2}
    properties.reset_settings(wish)
    assert request_of(wish).settings == {}


def test_a_setting_cannot_go_below_what_the_backend_takes(wish: Any) -> None:
    wish.tv3dg.mesh_resolution, wish.tv3dg.radius = 1, -3.0
    assert wish.tv3dg.mesh_resolution == 16 and wish.tv3dg.radius == pytest.approx(0.01)


def test_wishes_are_saved_in_the_file_and_jobs_are_not(enabled: Any, wish: Any, tmp_path: Path) -> None:
    wish.references.add().image = enabled.data.images.new("seen", 4, 4)
    wish.seed, wish.tv3dg.steps = 77, 55
    enabled.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    enabled.ops.wm.read_factory_settings(use_empty=True)
    assert enabled.context.scene.maquette.prompt == ""
    enabled.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    found = enabled.context.scene.maquette
    assert (found.prompt, found.seed, found.tv3dg.steps) == (" a red mug ", 77, 55)
    assert found.references[0].image.name == "seen"


def test_an_image_is_what_the_system_takes(enabled: Any, wish: Any) -> None:
    reference = wish.references.add()
    reference.image = enabled.data.images.new("seen", 4, 4)
    wish.stop_after = "perceive"
    assert settings.TV3DG.roles == ("reconstruct", "visual_prompt")
    with pytest.raises(TypeError, match="subject"):
        reference.role = "subject"  # photos of a subject are for another system
    assert reference.role == "reconstruct" and request_of(wish).images[0].role == "reconstruct"
    assert request_of(wish).stop_after == "perceive"
    reference.role, reference.elevation = "visual_prompt", 1.0
    (image,) = request_of(wish).images
    assert (image.role, image.elevation_degrees) == ("visual_prompt", 0.0)
    assert request_of(wish).stop_after == ""  # nothing is cut out of a style


def test_seeds_differ_and_fit_into_blender(wish: Any) -> None:
    from addon import properties

    seeds = {properties.new_seed() for _ in range(20)}
    assert len(seeds) == 20 and all(0 <= seed <= wish.bl_rna.properties["seed"].hard_max for seed in seeds)
