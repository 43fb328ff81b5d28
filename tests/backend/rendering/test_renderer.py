"""A rendering's depth and normals from its sums, backgrounds that are drawn, and the picture of a turntable."""

from __future__ import annotations

import pytest
import torch

from backend.cameras import Cameras
from backend.rendering.renderer import Rendering, background_word, draw_background, resized_views, turntable_view


def rendering(alpha: float, depth: float, normal: tuple[float, float, float]) -> Rendering:
    """One pixel, half of whose weight may be missing."""
    sums = torch.tensor([alpha * depth, *(alpha * part for part in normal)]).reshape(1, 1, 1, 4).requires_grad_()
    return Rendering(torch.zeros(1, 1, 1, 3), torch.full((1, 1, 1, 1), alpha), sums)


def test_depth_is_a_mean_and_normals_have_unit_length() -> None:
    found = rendering(0.25, 3.0, (0.0, 0.6, -0.8))
    assert found.depth.item() == pytest.approx(3.0)
    torch.testing.assert_close(found.normal[0, 0, 0], torch.tensor([0.0, 0.6, -0.8]))


def test_where_nothing_is_both_are_zero_with_finite_gradients() -> None:
    nothing = rendering(0.0, 3.0, (1.0, 0.0, 0.0))
    assert nothing.depth.item() == 0 and not nothing.normal.any()
    (nothing.depth.sum() + nothing.normal.sum()).backward()
    assert nothing.sums is not None and nothing.sums.grad is not None and nothing.sums.grad.isfinite().all()


def test_without_geometry_a_sentence_says_how_to_ask_for_it() -> None:
    with pytest.raises(ValueError, match="geometry=True"):
        _ = Rendering(torch.zeros(1, 1, 1, 3), torch.zeros(1, 1, 1, 1), None).depth


def test_backgrounds_are_white_in_two_of_five_and_else_middle_greys() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([draw_background(generator) for _ in range(2_000)])
    assert (drawn == drawn[:, :1]).all() and 0.45 <= drawn.min() and drawn.max() == 1
    assert (drawn[:, 0] == 1).float().mean() == pytest.approx(0.4, abs=0.04)
    greys = drawn[drawn[:, 0] < 1, 0]
    assert greys.mean() == pytest.approx(0.6, abs=0.01) and greys.max() < 0.75  # evenly from 0.45
    words = {background_word(background) for background in drawn[drawn[:, 0] < 1]}
    assert words == {"gray"} and background_word(torch.ones(3)) == "white"


def test_a_turntable_goes_round_three_degrees_a_step_before_white() -> None:
    seen: list[float] = []

    def render(cameras: Cameras, background: torch.Tensor, *, geometry: bool = False) -> Rendering:
        position = cameras.position[0]
        seen.append(torch.rad2deg(torch.atan2(position[0], -position[1])).item())
        return Rendering(2 * background.expand(1, 8, 8, 3), torch.zeros(1, 8, 8, 1), None)

    pictures = [turntable_view(render, 8, step) for step in (0, 10, 30)]
    assert seen == pytest.approx([0.0, 30.0, 90.0], abs=1e-3)
    assert all(picture.shape == (8, 8, 3) and bool((picture == 1).all()) for picture in pictures)


def test_pictures_of_the_right_size_stay_and_others_keep_their_mean() -> None:
    pictures = torch.rand(2, 8, 8, 3, generator=torch.Generator().manual_seed(0))
    assert resized_views(pictures, 8) is pictures
    assert torch.allclose(resized_views(pictures, 4).mean(), pictures.mean(), atol=0.02)
    assert resized_views(pictures, 16).shape == (2, 16, 16, 3)
