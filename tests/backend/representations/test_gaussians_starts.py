"""Gaussians that an optimisation begins with: a ball, or a file that anybody may have made."""

from __future__ import annotations

import pytest
import torch

from backend.cameras import orbit, rays
from backend.errors import BadInput
from backend.rendering.splats import render_with_numba
from backend.representations.gaussians import (
    FLATNESS,
    Gaussians,
    ball_of_gaussians,
    ball_of_points,
    check_start,
    extent,
    gaussians_from_points,
    outward_directions,
    quaternions_towards,
    rotations_from_quaternions,
    scaled,
)
from tests.backend.gaussian_shapes import two_coloured_shell


def start(count: int = 20) -> Gaussians:
    return two_coloured_shell(count)


def test_a_ball_is_grey_and_drawn_from_the_generator() -> None:
    one, other = (ball_of_gaussians(200, 0.5, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one.means, other.means) and torch.equal(one.sh, other.sh)
    assert float(one.means.norm(dim=-1).max()) <= 0.5
    assert float((one.base_colours - 0.5).abs().max()) <= 0.2 + 1e-6 and float(one.base_colours.std()) > 0.05


def angles_to_a_ball(gaussians: Gaussians, radius: float) -> torch.Tensor:
    """Return by how many degrees rendered normals are off those of a ball, wherever it is seen whole."""
    cameras = orbit([0.0, 70.0, 200.0], [15.0, -20.0, 40.0], size=48)
    drawn = render_with_numba(gaussians, cameras, torch.ones(3), geometry=True)
    origins, directions = rays(cameras)
    along = (origins * directions).sum(-1, keepdim=True)
    under = along.square() - origins.square().sum(-1, keepdim=True) + radius**2  # of the root in a ray's meeting a ball
    met = origins - (along + under.clamp_min(0).sqrt()) * directions
    seen = ((under > 0) & (drawn.alpha > 0.5))[..., 0]
    assert int(seen.sum()) > 1000
    return torch.rad2deg(torch.cosine_similarity(met, drawn.normal, dim=-1).clamp(-1, 1).acos())[seen]


@pytest.mark.parametrize("opacity", [0.1, 0.5, 0.9])
def test_the_normals_of_a_ball_point_outwards(opacity: float) -> None:
    ball = ball_of_gaussians(2000, 0.5, torch.Generator().manual_seed(1))
    ball.opacity_logits = torch.full((2000,), opacity).logit()
    angles = angles_to_a_ball(ball, 0.5)
    assert angles.mean() < 12 and angles.median() < 8  # round ones: 79 and 82
    assert float(ball.scales[:, 2].div(ball.scales[:, 0]).max()) == pytest.approx(FLATNESS)


def test_the_normals_of_what_fills_a_body_point_out_of_it() -> None:
    generator = torch.Generator().manual_seed(2)
    body = ball_of_points(6000, 0.5, generator)
    points = body[body.norm(dim=-1).argsort()[-2000:]]  # its outer third
    normals = outward_directions(points, body)
    off = torch.rad2deg(torch.cosine_similarity(normals, points, dim=-1).clamp(-1, 1).acos())
    assert off.mean() < 12 and off.quantile(0.95) < 25
    angles = angles_to_a_ball(gaussians_from_points(points, torch.rand(2000, 3), normals, opacity=0.5), 0.5)
    assert angles.mean() < 10


def test_a_normal_becomes_the_shortest_axis_whichever_way_it_points() -> None:
    normals = torch.nn.functional.normalize(torch.randn(50, 3, generator=torch.Generator().manual_seed(4)), dim=-1)
    normals[:2] = torch.tensor([[0.0, 0, -1], [0.0, 0, 1]])
    axes = rotations_from_quaternions(quaternions_towards(normals))[:, :, 2]
    torch.testing.assert_close((axes * normals).sum(-1).abs(), torch.ones(50))


def test_a_good_start_keeps_everything_but_what_depends_on_the_view() -> None:
    given = start()
    given.sh = torch.cat([given.sh, torch.ones(20, 8, 3)], dim=1)
    checked = check_start(given, 20)
    assert torch.equal(checked.means, given.means) and torch.equal(checked.opacity_logits, given.opacity_logits)
    assert checked.sh.shape == (20, 1, 3) and torch.equal(checked.sh, given.sh[:, :1])


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("means", float("nan"), "1 of the 20 Gaussians of the start hold numbers that are not finite"),
        ("sh", float("inf"), "not finite"),
        ("means", 11.0, "lie farther than 10 from the origin"),
        ("log_scales", 0.1, "are larger than 1"),
        ("opacity_logits", -1e5, "hold numbers beyond 10000"),
        ("sh", 2e4, "hold numbers beyond 10000"),
    ],
)
def test_a_number_that_no_object_has_is_refused(name: str, value: float, words: str) -> None:
    broken = start()
    broken.parameters()[name][3] = value
    with pytest.raises(BadInput, match=words) as caught:
        check_start(broken, 20)
    assert caught.value.hint


def test_too_many_and_too_few_are_refused() -> None:
    with pytest.raises(BadInput, match="20 Gaussians; it needs 8 at least and 19 at most") as caught:
        check_start(start(20), 19)
    assert "max_count" in caught.value.hint
    with pytest.raises(BadInput, match="has 7 Gaussians"):
        check_start(start(7), 19)
    check_start(start(8), 8)


def test_scaling_scales_places_and_sizes_and_leaves_the_given_ones() -> None:
    given = two_coloured_shell(200, radius=0.6)
    half = scaled(given, 0.5)
    assert torch.allclose(half.means, 0.5 * given.means) and torch.allclose(half.scales, 0.5 * given.scales)
    assert torch.equal(half.sh, given.sh) and half.sh.data_ptr() != given.sh.data_ptr()
    assert extent(half) == pytest.approx(0.5 * extent(given))


def test_a_few_astray_and_what_is_hardly_there_reach_nowhere() -> None:
    given = two_coloured_shell(300, radius=0.6)
    assert extent(given) == pytest.approx(0.65)  # with the size of a Gaussian
    given.means[0] *= 5
    given.means[100:150] *= 3
    given.opacity_logits[100:150] = -7.0
    assert extent(given) == pytest.approx(0.65)
    given.opacity_logits[100:150] = 2.0
    assert extent(given) == pytest.approx(1.85)
    given.log_scales[:] -= 3.0
    assert extent(given) < 1.85
