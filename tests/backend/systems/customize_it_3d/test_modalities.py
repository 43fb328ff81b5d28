"""The codings of depth, normals and masks, in teaching and in guidance."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from addon.protocol.systems.customize_it_3d import CustomizeIt3DSettings
from backend.cameras import orbit
from backend.rendering.renderer import Rendering
from backend.systems.customize_it_3d.modalities import (
    depth_picture,
    normal_picture,
    normals_of,
    rendered_picture,
    steps_of,
    words_for,
)


def test_depth_is_white_where_it_is_nearest_whatever_its_scale() -> None:
    nearness = torch.tensor([[1.0, 2.0], [3.0, 9.0]])[None, ..., None]
    mask = torch.tensor([[1.0, 1.0], [1.0, 0.0]])[None, ..., None]
    picture = depth_picture(nearness, mask)
    assert torch.allclose(picture[0, ..., 0], torch.tensor([[0.0, 0.5], [1.0, 0.0]])) and picture.shape[-1] == 3
    assert torch.allclose(depth_picture(0.1 * nearness - 7, mask), picture, atol=1e-5)
    assert not depth_picture(nearness, torch.zeros_like(mask)).any()  # and nothing that is not finite
    assert torch.equal(depth_picture(torch.ones_like(nearness), mask), torch.zeros(1, 2, 2, 3))


def test_each_picture_of_a_batch_has_a_scale_of_its_own() -> None:
    nearness = torch.rand(2, 4, 4, 1, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 50.0]).view(
        2, 1, 1, 1
    )
    mask = torch.ones_like(nearness)
    assert torch.allclose(depth_picture(nearness, mask)[1:], depth_picture(nearness[1:], mask[1:]))


def test_normals_are_read_back_and_lie_on_white() -> None:
    normal = torch.nn.functional.normalize(torch.randn(1, 5, 5, 3, generator=torch.Generator().manual_seed(1)), dim=-1)
    mask = (torch.arange(5) < 3).float().view(1, 1, 5, 1).expand(1, 5, 5, 1)
    picture = normal_picture(normal, mask)
    assert torch.allclose(normals_of(picture)[:, :, :3], normal[:, :, :3], atol=1e-5)
    assert torch.equal(picture[:, :, 3:], torch.ones(1, 5, 2, 3))


@pytest.mark.parametrize("azimuth", [0.0, 90.0, 200.0])
def test_what_faces_the_camera_has_one_colour_from_every_side_but_in_world_axes(azimuth: float) -> None:
    """The fault of the original: from the side a surface that faces the camera is not coded as it was taught."""
    camera = orbit([azimuth], 0.0, size=2)
    towards = torch.nn.functional.normalize(camera.position, dim=-1).view(1, 1, 1, 3).expand(1, 2, 2, 3)
    depth = torch.full((1, 2, 2, 1), 3.0)
    seen = Rendering(torch.zeros(1, 2, 2, 3), torch.ones(1, 2, 2, 1), torch.cat([depth, towards], -1))
    blue = torch.tensor([0.5, 0.5, 1.0]).expand(1, 2, 2, 3)
    assert torch.allclose(rendered_picture("normal", seen, camera), blue, atol=1e-5)
    assert not torch.allclose(rendered_picture("normal", seen, camera, world_axes=True), blue, atol=0.1)


def test_rendered_depth_is_nearness_and_the_mask_is_alpha() -> None:
    camera = orbit([0.0], 0.0, size=2)
    alpha = torch.tensor([[1.0, 1.0], [1.0, 0.0]])[None, ..., None]
    depth = torch.tensor([[2.0, 4.0], [3.0, 0.0]])[None, ..., None]
    seen = Rendering(torch.zeros(1, 2, 2, 3), alpha, torch.cat([alpha * depth, torch.zeros(1, 2, 2, 3)], -1))
    shown = rendered_picture("depth", seen, camera)[0, ..., 0]
    assert torch.allclose(shown, torch.tensor([[1.0, 0.0], [0.5, 0.0]]))
    assert torch.equal(rendered_picture("mask", seen, camera), alpha.expand(-1, -1, -1, 3))
    assert rendered_picture("rgb", seen, camera) is seen.rgb
    with pytest.raises(ValueError, match="unknown kind of image 'heat'"):
        rendered_picture("heat", seen, camera)


def test_words_are_the_templates_with_token_and_class() -> None:
    settings = CustomizeIt3DSettings(normal_prompt="normals, {subject}", mask_prompt="a mask of")
    assert words_for("rgb", settings, "chair") == "a rgb photo of sks chair"
    assert words_for("normal", settings, "chair") == "normals, sks chair"
    assert words_for("mask", settings, "chair") == "a mask of sks chair"
    assert words_for("rgb", replace(settings, rgb_prompt="{x} {subject}"), "mug") == "{x} sks mug"  # no format string


def test_of_colours_the_whole_prompt_is_said_with_the_token_before_the_class() -> None:
    settings = CustomizeIt3DSettings()
    assert words_for("rgb", settings, "chair", "a red chair") == "a rgb photo of a red sks chair"
    assert words_for("rgb", settings, "chair", "a sks chair of oak") == "a rgb photo of a sks chair of oak"
    assert words_for("normal", settings, "chair", "a red chair") == "a normal map of sks chair"
    alone = replace(settings, whole_prompt=False)
    assert words_for("rgb", alone, "chair", "a red chair") == "a rgb photo of sks chair"


def test_what_has_no_steps_or_is_not_asked_for_is_not_taught() -> None:
    settings = CustomizeIt3DSettings()
    assert steps_of(settings) == {"mask": 25, "depth": 50, "normal": 50, "rgb": 75}
    assert list(steps_of(replace(settings, depth_steps=0))) == ["mask", "normal", "rgb"]
    assert steps_of(replace(settings, modalities="rgb")) == {"rgb": 75}
