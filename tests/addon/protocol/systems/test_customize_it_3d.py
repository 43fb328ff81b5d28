"""The settings and stages of Customize-It-3D fit its code and its paper."""

from __future__ import annotations

from dataclasses import replace

from addon.protocol.systems.customize_it_3d import CUSTOMIZE_IT_3D, MOST_ENHANCED, CustomizeIt3DSettings
from backend.diffusion.guidance import LOSSES


def test_the_paper_preset_has_the_papers_numbers() -> None:
    paper = CUSTOMIZE_IT_3D.presets["paper"]
    assert (paper.mask_steps, paper.depth_steps, paper.normal_steps, paper.rgb_steps) == (25, 50, 50, 75)
    assert (paper.schedule, paper.tuning_rate, paper.tuning_text_encoder, paper.class_pictures) == (
        "sequential", 1e-6, True, 200,
    )  # fmt: skip
    assert (paper.coarse_steps, paper.refine_steps, paper.points, paper.enhanced_views) == (7000, 3000, 700_000, 33)
    assert (paper.low_noise, paper.high_noise, paper.scale, paper.novel_scale, paper.novel_views) == (
        0.2, 0.6, 10, 5, 40,
    )  # fmt: skip
    assert (paper.enhance_near, paper.enhance_far, paper.first_azimuth) == (0.15, 0.05, 45)
    assert (paper.low_elevation, paper.high_elevation, paper.views) == (-20, 20, 1)  # polar angles 70 to 110
    assert CUSTOMIZE_IT_3D.presets["draft"] == CustomizeIt3DSettings()


def test_the_losses_on_offer_are_those_of_the_backend_without_an_image_prompt() -> None:
    offered = [value for value, *_ in CUSTOMIZE_IT_3D.settings["loss"].choices]
    assert offered == [loss for loss in LOSSES if loss != "vpcsm"]


def test_the_four_images_and_the_redrawn_views_can_be_replaced() -> None:
    assert CUSTOMIZE_IT_3D.stops == {
        "modalities": "Four Images", "sides": "Drawn Sides", "surface": "Shape", "enhanced": "Redrawn Views",
    }  # fmt: skip
    leaves = {stage.name: [picture.name for picture in stage.leaves] for stage in CUSTOMIZE_IT_3D.stages}
    assert leaves["modalities"] == ["rgb.png", "mask.png", "depth.png", "normal.png"]
    assert leaves["sides"] == ["right.png", "back.png", "left.png"] and leaves["surface"] == []
    assert len(leaves["enhanced"]) == MOST_ENHANCED and leaves["enhanced"][0] == "side-01.png"
    shown = [CUSTOMIZE_IT_3D.presets[name].enhanced_views for name in ("bench", "draft", "standard")]
    assert max(shown) <= MOST_ENHANCED


def test_the_class_is_drawn_where_it_counts_and_an_image_needs_no_prompt() -> None:
    settings = CustomizeIt3DSettings()
    names = [stage.name for stage in CUSTOMIZE_IT_3D.stages_of({"reconstruct"}, settings, ("points",))]
    assert names == ["modalities", "classes", "teaching", "sides", "coarse", "surface", "enhanced", "refined", "mesh"]
    alone = CUSTOMIZE_IT_3D.stages_of({"reconstruct"}, replace(settings, class_weight=0.0), ("mesh",))
    assert "classes" not in {stage.name for stage in alone}
    other = replace(settings, find_camera=True, start="outline")
    names = [stage.name for stage in CUSTOMIZE_IT_3D.stages_of({"reconstruct"}, other, ("mesh",))]
    assert names[:2] == ["modalities", "viewpoint"] and "sides" not in names
    assert not CUSTOMIZE_IT_3D.needs_prompt and CUSTOMIZE_IT_3D.roles == ("reconstruct", "mask")
