"""What an edit by text redraws: the change alone is carried over, in the picture and then to the Gaussians."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from backend.images import load_image, save_image
from backend.rendering.renderer import Rendering
from backend.rendering.splats import splat_renderer
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.systems import tv3dg
from backend.systems.tv3dg.edit import carried_over, in_new_colours, side_loss, side_views, with_new_parts
from backend.vision.calibration import Sides, calibration_cameras
from tests.backend.gaussian_shapes import two_coloured_shell
from tests.backend.systems.tv3dg.small_jobs import new_edit

RED, DARK_RED, BLUE, GREEN = ([0.9, 0.1, 0.1], [0.6, 0.0, 0.0], [0.1, 0.1, 0.8], [0.1, 0.7, 0.1])
SIZE = 64


def square(colour: list[float], side: int = 32, right: int = 0) -> torch.Tensor:
    """Return a picture [1, SIZE, SIZE, 3] of a square before white, in the middle or so many pixels to the right."""
    picture = torch.ones(1, SIZE, SIZE, 3)
    low, high = (SIZE - side) // 2, (SIZE + side) // 2
    picture[:, low:high, low + right : high + right] = torch.tensor(colour)
    return picture


def solid(picture: torch.Tensor) -> torch.Tensor:
    return (picture.amin(-1, keepdim=True) < 0.99).float()


def carried(shown: torch.Tensor, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    return carried_over(shown, before, after, solid(shown), solid(after))


def test_redrawings_that_agree_change_nothing() -> None:
    shown = torch.rand(2, SIZE, SIZE, 3, generator=torch.Generator().manual_seed(0))
    blurred = square(DARK_RED).expand(2, -1, -1, -1)
    assert torch.equal(carried(shown, blurred, blurred), shown)


def test_a_new_colour_goes_to_what_had_the_old_one_and_the_outline_and_the_details_stay() -> None:
    shown = square(RED)
    shown[:, 28:36, 28:36] = torch.tensor(GREEN)  # an eye, which the redrawings have lost
    made = carried(shown, square(DARK_RED, 30, right=2), square(BLUE, 30, right=2))  # moved and smaller, too
    assert torch.allclose(made[:, 28:36, 28:36], shown[:, 28:36, 28:36])
    body = made[:, 18:27, 18:46]
    assert torch.allclose(body, torch.tensor(BLUE).expand_as(body), atol=0.02)
    outside = made[:, :, :15]
    assert torch.allclose(outside, torch.ones_like(outside)) and torch.allclose(made[:, :14], torch.ones(1))


def test_a_part_that_grows_is_carried_over_where_it_was_drawn() -> None:
    shown, after = square(RED), square(DARK_RED)
    after[:, 4:16, 26:38] = torch.tensor(BLUE)  # a hat
    made = carried(shown, square(DARK_RED), after)
    assert torch.allclose(made[:, 5:13, 27:37], torch.tensor(BLUE).expand(1, 8, 10, 3), atol=0.02)
    assert torch.allclose(made[:, 20:], shown[:, 20:])


def test_nothing_of_the_object_becomes_background() -> None:
    shown, after = square(RED), torch.ones(1, SIZE, SIZE, 3)
    after[:, 16:48, 24:48] = torch.tensor(BLUE)  # its left quarter is gone
    made = carried(shown, square(DARK_RED), after)
    assert torch.allclose(made[:, 20:44, 26:44], torch.tensor(BLUE).expand(1, 24, 18, 3), atol=0.02)
    assert bool((solid(made) == solid(shown)).all())


def sides_of(gaussians: Any, change: Any) -> Sides:
    pictures = change(side_views(splat_renderer(gaussians), SIZE)[0])
    mask = ((1 - pictures).amax(-1, keepdim=True) > 0.3).float()
    return Sides(calibration_cameras(SIZE), pictures, mask)


def test_gaussians_take_the_colours_of_the_sides() -> None:
    start = two_coloured_shell(400, radius=0.5)

    def without_red(pictures: torch.Tensor) -> torch.Tensor:
        solid = (1 - pictures).amax(-1, keepdim=True) > 0.3
        return torch.where(solid, pictures * torch.tensor([0.0, 1.0, 1.0]), pictures)

    made = in_new_colours(start, sides_of(start, without_red))
    assert torch.equal(made.means, start.means)
    before, after = side_views(splat_renderer(start), SIZE)[0], side_views(splat_renderer(made), SIZE)[0]
    solid = (1 - before).amax(-1) > 0.5
    assert float(after[solid][:, 0].mean()) < 0.4 * float(before[solid][:, 0].mean())
    same = in_new_colours(start, sides_of(start, lambda pictures: pictures))
    assert torch.allclose(same.sh, start.sh, atol=1e-5)


def test_new_parts_stand_beside_the_start_and_without_any_there_are_none() -> None:
    start = two_coloured_shell(400, radius=0.35)

    def with_hat(pictures: torch.Tensor) -> torch.Tensor:
        pictures = pictures.clone()
        pictures[:, 8:24, 26:38] = torch.tensor(GREEN)
        return pictures

    made = with_new_parts(start, sides_of(start, with_hat), 0.5, torch.Generator().manual_seed(0))
    new = made.means[len(start) :]
    assert len(new) >= 4 and float(new[:, 2].min()) > 0.3  # above the ball
    assert torch.allclose(made.base_colours[len(start) :].mean(0), torch.tensor(GREEN), atol=0.15)
    same = with_new_parts(start, sides_of(start, lambda pictures: pictures), 0.5, torch.Generator().manual_seed(0))
    assert len(same) == len(start)


def test_the_sides_cost_colour_and_missing_alpha_inside_their_outlines_and_nothing_outside() -> None:
    """Two pixels a side, the first of the object: 0.25 off in each channel, and half transparent."""
    cameras, white = calibration_cameras(2), torch.ones(3)
    mask = torch.tensor([1.0, 0.0])[None, None, :, None].expand(4, 1, 2, 1)
    pictures = torch.full((4, 1, 2, 3), 0.5)
    asked: list[Any] = []

    def loss(colour: float, alpha: float, beside: float) -> torch.Tensor:
        rgb = torch.tensor([colour, beside])[None, None, :, None].expand(4, 1, 2, 3)
        solid = torch.tensor([alpha, beside])[None, None, :, None].expand(4, 1, 2, 1)

        def render(cameras: Any, background: Any, *, geometry: bool = False) -> Rendering:
            asked.append((cameras, background))
            return Rendering(rgb, solid, None)

        return side_loss(render, Sides(cameras, pictures, mask), white)

    assert loss(0.5, 1.0, 0.0).item() == 0
    assert loss(0.75, 1.0, 0.0).item() == loss(0.25, 1.0, 0.0).item() == pytest.approx(0.25)
    assert loss(0.75, 0.5, 0.0).item() == pytest.approx(0.25 + 0.5**2 / 2)
    assert loss(0.75, 0.5, 1.0).item() == pytest.approx(0.25 + 0.5**2 / 2)  # what grows there is the guidance's
    assert asked[0][0] is cameras and asked[0][1] is white


def test_an_edit_redraws_its_start_and_the_artist_may_replace_a_side(tmp_path: Path) -> None:
    folder = new_edit(tmp_path / "job", edit_redraw=0.8, edit_steps=1)
    events: list[Any] = []
    tv3dg.run(Job(folder, protocol.read_request(folder), events.append, Control()))
    (front,) = (folder / "stages").glob("*sides/front.png")
    drawn = load_image(front)[0]
    assert drawn.shape == (128, 128, 3) and float((1 - drawn).amax(-1)[60:68, 60:68].min()) > 0.2  # something is there
    save_image(front, torch.ones_like(drawn))
    events.clear()
    tv3dg.run(Job(folder, protocol.read_request(folder), events.append, Control()))
    assert any("made again" in event.message for event in events if isinstance(event, protocol.Warning))
    assert torch.equal(load_image(front)[0], torch.ones_like(drawn))  # it was not drawn again


@pytest.mark.parametrize("down, right", [(0, 0), (2, -1)])
def test_shifted_pictures_go_on_outside(down: int, right: int) -> None:
    from backend.systems.tv3dg.edit import shifted

    rows = torch.arange(5.0)[None, :, None, None].expand(1, 5, 4, 1)
    assert shifted(rows, down, right)[0, :, 0, 0].tolist() == [min(i + down, 4) for i in range(5)]
