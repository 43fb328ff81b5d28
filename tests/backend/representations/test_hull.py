"""The hull of silhouettes, against shapes whose silhouettes are known."""

from __future__ import annotations

import pytest
import torch

from backend.cameras import Cameras, concatenate, orbit, rays
from backend.rendering.volume import volume_renderer
from backend.representations.hull import distances, hull_grid, hull_points, look_up, project, seen_colours

SIZE = 64
CAMERAS = orbit([0, 90, 180, 270], 15.0, size=SIZE)
TOP = orbit([0], 90.0, size=SIZE)


def ball_masks(cameras: Cameras, radius: float) -> torch.Tensor:
    """Return the silhouettes [V, H, W, 1] of a ball about the origin."""
    origins, directions = rays(cameras)
    closest = origins - (origins * directions).sum(-1, keepdim=True) * directions
    return (closest.norm(dim=-1, keepdim=True) < radius).float()


def angles_between(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return degrees."""
    return torch.rad2deg(torch.cosine_similarity(one, other, dim=-1).clamp(-1, 1).acos())


def test_a_point_lies_where_its_ray_starts() -> None:
    origins, directions = rays(CAMERAS)
    points = (origins + 2.5 * directions)[0, [5, 40], [9, 60]]  # rows, columns of the first camera
    places, depths = project(points, CAMERAS)
    expected = 2 * (torch.tensor([[9.5, 5.5], [60.5, 40.5]]) / SIZE) - 1
    torch.testing.assert_close(places[0], expected)
    forward = CAMERAS.camera_to_world[0, :3, 2]
    torch.testing.assert_close(depths[0], 2.5 * (directions[0, [5, 40], [9, 60]] @ forward))
    picture = torch.rand(4, SIZE, SIZE, 3, generator=torch.manual_seed(0))
    torch.testing.assert_close(look_up(picture, places)[0], picture[0, [5, 40], [9, 60]], atol=1e-4, rtol=1e-4)


def test_nothing_is_seen_outside_the_picture() -> None:
    places = torch.tensor([[[1.5, 0.0], [0.0, -2.0], [0.0, 0.0]]])
    assert look_up(torch.ones(1, 4, 4, 1), places).flatten().tolist() == [0, 0, 1]


def test_the_hull_of_a_ball_lies_around_the_ball() -> None:
    masks = ball_masks(CAMERAS, 0.5)
    points, *_ = hull_points(masks.expand(-1, -1, -1, 3), masks, CAMERAS, 500, torch.manual_seed(1)) or (None, None)
    assert points is not None and points.shape == (500, 3)
    places, _ = project(points, CAMERAS)
    assert bool((look_up(masks, places) > 0.4).all())  # inside every silhouette
    radii = points.norm(dim=-1)
    assert radii.max() < 0.5 * 1.6 and radii.mean() > 0.5 * 0.7  # near the surface, and no further than a corner
    height = points[:, 2].abs().max()
    assert 0.42 < height < 0.6


def test_normals_lead_out_of_the_hull() -> None:
    """That of a ball's four sides is a rounded box: from its middle, a normal is never far from the way outwards."""
    masks = ball_masks(CAMERAS, 0.5)
    found = hull_points(masks.expand(-1, -1, -1, 3), masks, CAMERAS, 1000, torch.manual_seed(1))
    assert found is not None
    torch.testing.assert_close(found.normals.norm(dim=-1), torch.ones(1000))
    angles = angles_between(found.normals, found.points)
    assert angles.mean() < 25 and angles.quantile(0.95) < 50


def test_a_further_view_only_takes_away() -> None:
    four, five = ball_masks(CAMERAS, 0.5), ball_masks(concatenate([CAMERAS, TOP]), 0.5)
    wide = hull_points(four.expand(-1, -1, -1, 3), four, CAMERAS, 400, torch.manual_seed(1))
    tight = hull_points(five.expand(-1, -1, -1, 3), five, concatenate([CAMERAS, TOP]), 400, torch.manual_seed(1))
    assert wide is not None and tight is not None
    assert tight[0][:, :2].norm(dim=-1).max() < 0.53 < wide[0][:, :2].norm(dim=-1).max()


def test_points_take_the_colour_of_the_side_that_shows_them() -> None:
    masks = ball_masks(CAMERAS, 0.5)
    colours = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [1.0, 1.0, 0]])[:, None, None]
    found = hull_points(colours.expand(-1, SIZE, SIZE, -1), masks, CAMERAS, 2000, torch.manual_seed(1))
    assert found is not None
    points, seen, _ = found
    front = (points[:, 1] < -0.35) & (points[:, 0].abs() < 0.2)
    right = (points[:, 0] > 0.35) & (points[:, 1].abs() < 0.2)
    assert int(front.sum()) > 5 and int(right.sum()) > 5
    assert seen[front].mean(0)[0] > 0.7 and seen[front].mean(0)[2] < 0.2  # red, not the back's blue
    assert seen[right].mean(0)[1] > 0.7


def test_what_nobody_sees_takes_the_mean() -> None:
    places = torch.zeros(2, 2, 2)  # two points behind each other in the middle of both pictures
    depths = torch.tensor([[1.0, 2.0], [1.0, 2.0]])
    pictures = torch.stack([torch.zeros(4, 4, 3), torch.ones(4, 4, 3)])
    torch.testing.assert_close(seen_colours(pictures, places, depths), torch.full((2, 3), 0.5))
    depths[1] = torch.tensor([2.0, 1.0])  # the second picture shows the second point
    expected = torch.tensor([[0.0, 0, 0], [1.0, 1, 1]])
    torch.testing.assert_close(seen_colours(pictures, places, depths), expected)


def test_distances_count_pixels_to_the_outside() -> None:
    mask = torch.zeros(1, 7, 7, 1)
    mask[0, 1:6, 1:6] = 1
    assert distances(mask)[0, :, :, 0].diagonal().tolist() == [0, 1, 2, 3, 2, 1, 0]


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_silhouettes_with_nothing_in_common_have_no_hull(share: float) -> None:
    masks = ball_masks(CAMERAS, 0.5)
    columns = torch.arange(SIZE)[None, None, :, None] < share * SIZE
    masks[0] *= columns[0]
    assert hull_points(masks.expand(-1, -1, -1, 3), masks, CAMERAS, 400, torch.manual_seed(1)) is None


def test_a_point_at_the_edge_takes_nothing_of_what_lies_behind_it() -> None:
    masks = ball_masks(CAMERAS, 0.5)
    found = hull_points(0.8 * masks.expand(-1, -1, -1, 3), masks, CAMERAS, 500, torch.manual_seed(1))
    assert found is not None
    torch.testing.assert_close(found[1], torch.full((500, 3), 0.8))


def test_a_field_of_the_hull_has_the_silhouettes_and_the_colours_of_the_pictures() -> None:
    masks = ball_masks(CAMERAS, 0.5)
    pictures = torch.stack([torch.full((SIZE, SIZE, 3), 0.2 + 0.2 * view) for view in range(4)])
    field = hull_grid(48, pictures, masks, CAMERAS)
    assert field is not None and len(field) == 48
    seen = volume_renderer(field, samples=96)(CAMERAS, torch.zeros(3))
    solid, found = masks > 0.5, seen.alpha > 0.5
    assert float((solid & found).sum() / (solid | found).sum()) > 0.9
    middle = slice(SIZE // 2 - 4, SIZE // 2 + 4)
    front, back = (float(seen.rgb[view, middle, middle].mean()) for view in (0, 2))
    assert front == pytest.approx(0.2, abs=0.08) and back == pytest.approx(0.6, abs=0.08)


def test_silhouettes_with_nothing_in_common_have_no_field() -> None:
    masks = ball_masks(CAMERAS, 0.5)
    masks[1] = 0
    assert hull_grid(24, masks.expand(-1, -1, -1, 3), masks, CAMERAS) is None
