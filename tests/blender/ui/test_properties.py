"""What the artist asks for is kept in the .blend and becomes the request that they meant."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from addon.protocol import systems


@pytest.fixture
def props(enabled: Any) -> Any:
    enabled.context.scene.maquette.prompt = " a red mug "
    return enabled.context.scene.maquette


def request_of(props: Any, **changes: Any) -> protocol.Request:
    from addon.ui import properties

    return properties.request_of(props, **changes)


def test_a_prompt_alone_is_a_request(props: Any) -> None:
    made = request_of(props)
    assert made == protocol.Request(system="tv3dg", prompt="a red mug", preset="draft", seed=0)


def test_everything_in_the_panel_reaches_the_request(enabled: Any, props: Any) -> None:
    reference = props.references.add()
    reference.image = enabled.data.images.new("seen", 4, 4)
    reference.elevation, reference.azimuth, reference.field_of_view = map(math.radians, (15, -90, 35))
    props.references.add()  # without an image: no part of the request
    props.negative_prompt, props.seed, props.preset = "fog", 2**31 - 1, "standard"
    props.outputs, props.stop_after, props.threads = {"points"}, "perceive", 2
    props.prior, props.prior_folder = "folder", "//models/sd"
    made = request_of(props)
    image = protocol.InputImage(path="inputs/00.png", elevation_degrees=15, azimuth_degrees=-90, fov_degrees=35)
    assert made.images == (image,)
    assert (made.negative_prompt, made.seed, made.preset) == ("fog", 2**31 - 1, "standard")
    assert (made.outputs, made.stop_after, made.threads) == (("points",), "perceive", 2)
    assert Path(made.prior) == Path(enabled.path.abspath("//models/sd"))


def test_without_an_image_there_is_no_cut_out_to_stop_after(props: Any) -> None:
    props.stop_after = "perceive"
    assert request_of(props).stop_after == ""


def test_a_saved_preset_keeps_its_meaning(props: Any) -> None:
    assert props.preset == "draft"
    items = props.bl_rna.properties["preset"].enum_items
    assert {item.identifier: item.value for item in items} == {"draft": 0, "standard": 1, "paper": 2, "bench": 3}
    assert [item.identifier for item in items] == list(protocol.PRESETS)  # the shortest first


def test_the_four_sides_are_there_to_stop_after_unless_it_begins_from_a_ball(props: Any) -> None:
    props.stop_after = "sides"
    assert request_of(props).stop_after == "sides"
    props.tv3dg.start = "ball"
    assert request_of(props).stop_after == ""


def test_what_cannot_be_asked_for_is_a_sentence(props: Any) -> None:
    props.outputs = set()
    with pytest.raises(protocol.ProtocolError, match="asks for no output"):
        request_of(props)
    with pytest.raises(protocol.ProtocolError, match="prompt is empty"):
        request_of(props, prompt="", outputs=("mesh",))


# ---- settings behind the preset ----


def test_settings_show_the_presets_values(props: Any) -> None:
    for preset in systems.PRESETS:
        props.preset = preset
        for name, setting in systems.TV3DG.settings.items():
            assert getattr(props.tv3dg, name) == pytest.approx(setting.preset(preset)), (preset, name)
    assert request_of(props).settings == {}


def test_only_what_differs_from_the_preset_is_asked_for(props: Any) -> None:
    props.tv3dg.steps, props.tv3dg.entropy, props.tv3dg.camera_tokens = 50, 0.1, False
    assert request_of(props).settings == {"steps": 50, "entropy": 0.1, "camera_tokens": False}
    props.preset = "paper"  # which tells no camera either
    assert props.tv3dg.steps == 50 and props.tv3dg.max_count == 500_000
    props.tv3dg.camera_tokens = False
    props.tv3dg.steps = 4_000
    assert request_of(props).settings == {"entropy": 0.1}


def test_a_setting_of_an_earlier_version_is_shown_and_asked_for_as_what_it_is_now(props: Any) -> None:
    props.tv3dg.overrides = '{"guidance": 2.0, "views": 2}'  # as a .blend kept it
    assert props.tv3dg.lambda_guidance == pytest.approx(0.2)
    assert request_of(props).settings == {"lambda_guidance": 0.2, "views": 2}
    props.tv3dg.lambda_guidance = 0.3
    assert request_of(props).settings == {"lambda_guidance": 0.3, "views": 2}
    props.tv3dg.lambda_guidance = 0.1
    assert request_of(props).settings == {"views": 2}


def test_a_value_is_shown_with_all_its_digits(props: Any) -> None:
    for name, digits in (("memory", 4), ("prune_size", 4), ("lambda_guidance", 2)):
        assert props.tv3dg.bl_rna.properties[name].precision == digits, name


def test_settings_go_back_to_the_preset(props: Any) -> None:
    from addon.ui import properties

    props.tv3dg.steps, props.tv3dg.views = 50, 2
    properties.reset_settings(props, "steps")
    assert props.tv3dg.steps == systems.TV3DG.settings["steps"].preset(props.preset)
    assert request_of(props).settings == {"views": 2}
    properties.reset_settings(props)
    assert request_of(props).settings == {}


def test_a_setting_cannot_go_below_what_the_backend_takes(props: Any) -> None:
    props.tv3dg.mesh_resolution, props.tv3dg.radius = 1, -3.0
    assert props.tv3dg.mesh_resolution == 16 and props.tv3dg.radius == pytest.approx(0.01)


def test_wishes_are_saved_in_the_file_and_jobs_are_not(enabled: Any, props: Any, tmp_path: Path) -> None:
    props.references.add().image = enabled.data.images.new("seen", 4, 4)
    props.seed, props.tv3dg.steps = 77, 55
    enabled.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    enabled.ops.wm.read_factory_settings(use_empty=True)
    assert enabled.context.scene.maquette.prompt == ""
    enabled.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    found = enabled.context.scene.maquette
    assert (found.prompt, found.seed, found.tv3dg.steps) == (" a red mug ", 77, 55)
    assert found.references[0].image.name == "seen"


def test_an_image_is_what_the_system_takes(enabled: Any, props: Any) -> None:
    reference = props.references.add()
    reference.image = enabled.data.images.new("seen", 4, 4)
    props.stop_after = "perceive"
    assert systems.TV3DG.roles == ("reconstruct", "visual_prompt", "mask")
    with pytest.raises(TypeError, match="subject"):
        reference.role = "subject"  # photos of a subject are for another system
    assert reference.role == "reconstruct" and request_of(props).images[0].role == "reconstruct"
    assert request_of(props).stop_after == "perceive"
    reference.role, reference.elevation = "visual_prompt", 1.0
    (image,) = request_of(props).images
    assert (image.role, image.elevation_degrees) == ("visual_prompt", 0.0)
    assert request_of(props).stop_after == ""  # nothing is cut out of a style


def test_seeds_differ_and_fit_into_blender(props: Any) -> None:
    from addon.ui import properties

    seeds = {properties.new_seed() for _ in range(20)}
    assert len(seeds) == 20 and all(0 <= seed <= props.bl_rna.properties["seed"].hard_max for seed in seeds)
