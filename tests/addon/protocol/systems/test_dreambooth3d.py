"""The settings and stages of DreamBooth3D fit its code and its paper."""

from __future__ import annotations

import typing
from dataclasses import replace

from addon import protocol
from addon.protocol.systems.dreambooth3d import DREAMBOOTH3D, MOST_PHOTOS, MOST_VIEWS, DreamBooth3DSettings
from backend.diffusion.guidance import LOSSES
from backend.diffusion.scores import Weight


def test_the_paper_preset_has_the_papers_numbers() -> None:
    paper = DREAMBOOTH3D.presets["paper"]
    assert (paper.partial_steps, paper.full_steps, paper.multi_view_steps) == (150, 800, 150)
    assert (paper.pseudo_views, paper.pseudo_noise, paper.loss, paper.warm_start) == (20, 0.5, "sds", False)
    assert DREAMBOOTH3D.presets["draft"] == DreamBooth3DSettings()


def test_the_losses_and_weights_on_offer_are_those_of_the_backend() -> None:
    offered = [value for value, *_ in DREAMBOOTH3D.settings["loss"].choices]
    assert offered == [loss for loss in LOSSES if loss != "vpcsm"]
    assert {value for value, *_ in DREAMBOOTH3D.settings["weight"].choices} == set(typing.get_args(Weight))


def test_cut_outs_and_imagined_views_can_be_replaced_and_the_class_is_drawn_where_it_counts() -> None:
    assert list(DREAMBOOTH3D.stops) == ["cutouts", "redrawn"]
    assert [len(stage.leaves) for stage in DREAMBOOTH3D.stages if stage.leaves] == [MOST_PHOTOS, MOST_VIEWS]
    assert MOST_PHOTOS == protocol.IMAGES and MOST_VIEWS == DREAMBOOTH3D.presets["paper"].pseudo_views
    settings = DreamBooth3DSettings()
    names = [stage.name for stage in DREAMBOOTH3D.stages_of({"subject"}, settings, ("points",))]
    assert names == ["cutouts", "places", "classes", "teaching", "coarse", "redrawn", "reteaching", "refined", "mesh"]
    alone = DREAMBOOTH3D.stages_of({"subject"}, replace(settings, class_weight=0.0), ("mesh",))
    assert "classes" not in {stage.name for stage in alone}
