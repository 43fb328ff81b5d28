"""Gaussians: activations, spherical harmonics, starting from points, and saving."""

from __future__ import annotations

import math

import pytest
import torch

from backend.representations.gaussians import (
    Gaussians,
    ball_of_points,
    gaussians_from_points,
    mean_neighbour_distance,
    rotations_from_quaternions,
    spherical_harmonics,
)


def some_gaussians(count: int = 7, degree: int = 1, seed: int = 0) -> Gaussians:
    generator = torch.Generator().manual_seed(seed)
    points = ball_of_points(count, 1.0, generator)
    return gaussians_from_points(points, torch.rand(count, 3, generator=generator), sh_degree=degree)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_spherical_harmonics_agree_with_gsplat(degree: int) -> None:
    reference = pytest.importorskip("gsplat.cuda._torch_impl", reason="gsplat is not installed")
    generator = torch.Generator().manual_seed(degree)
    directions = 3 * torch.randn(2, 11, 3, generator=generator)
    coefficients = torch.randn(11, (degree + 1) ** 2, 3, generator=generator)
    wanted = reference._spherical_harmonics(degree, directions, coefficients.expand(2, -1, -1, -1).contiguous())
    torch.testing.assert_close(spherical_harmonics(directions, coefficients), wanted, rtol=1e-4, atol=1e-5)


def test_spherical_harmonics_are_orthonormal() -> None:
    # Mean over the sphere of Y_i Y_j is delta_ij / (4 pi); a Fibonacci lattice of 20,000 points integrates to 1e-3.
    index = torch.arange(20_000, dtype=torch.float64)
    z = 1 - (2 * index + 1) / 20_000
    angle = math.pi * (1 + math.sqrt(5)) * index
    radius = (1 - z * z).sqrt()
    directions = torch.stack([radius * angle.cos(), radius * angle.sin(), z], dim=-1)
    unit = torch.eye(16, dtype=torch.float64)[:, None].expand(16, len(directions), 16)
    basis = torch.stack([spherical_harmonics(directions, row[..., None].expand(-1, -1, 3))[..., 0] for row in unit])
    gram = 4 * math.pi * basis @ basis.T / len(directions)
    torch.testing.assert_close(gram, torch.eye(16, dtype=torch.float64), rtol=0, atol=1e-3)


def test_a_rotation_about_z_by_a_quarter_turns_x_to_y() -> None:
    quaternion = 5.0 * torch.tensor([math.cos(math.pi / 4), 0.0, 0.0, math.sin(math.pi / 4)])
    rotation = rotations_from_quaternions(quaternion)
    torch.testing.assert_close(rotation @ torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 0]), rtol=0, atol=1e-6)


def test_rotations_are_orthonormal_and_proper() -> None:
    rotations = rotations_from_quaternions(torch.randn(50, 4, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(rotations @ rotations.transpose(1, 2), torch.eye(3).expand(50, 3, 3), rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.linalg.det(rotations), torch.ones(50))


def test_gaussians_from_points_have_the_given_colours_opacity_and_neighbour_distance() -> None:
    generator = torch.Generator().manual_seed(3)
    points, colours = torch.randn(40, 3, generator=generator), torch.rand(40, 3, generator=generator)
    gaussians = gaussians_from_points(points, colours, opacity=0.3, sh_degree=2)
    torch.testing.assert_close(gaussians.colours(torch.randn(2, 3)), colours.expand(2, -1, -1))
    torch.testing.assert_close(gaussians.opacities, torch.full((40,), 0.3))
    nearest = torch.cdist(points, points).sort(dim=1).values[:, 1:4].mean(1)  # the slow way
    torch.testing.assert_close(gaussians.scales, nearest[:, None].expand(-1, 3))


def test_points_in_one_place_get_a_positive_size() -> None:
    assert (mean_neighbour_distance(torch.zeros(6, 3)) > 0).all()


def test_too_few_points_are_refused_with_their_number() -> None:
    with pytest.raises(ValueError, match="3 points"):
        gaussians_from_points(torch.randn(3, 3), torch.rand(3, 3))


def test_colours_are_never_negative_and_depend_on_the_view_only_from_degree_one_on() -> None:
    plain = some_gaussians(degree=0)
    plain.sh = plain.sh - 5.0
    assert plain.colours(torch.randn(3, 3)).shape == (1, 7, 3)
    assert (plain.colours(torch.randn(3, 3)) == 0).all()
    tinted = some_gaussians(degree=1)
    tinted.sh[:, 1:] = 1.0
    front, back = tinted.colours(torch.tensor([[0.0, -4, 0], [0.0, 4, 0]]))
    assert (front - back).abs().min() > 0.1


def test_points_of_a_ball_fill_its_volume_evenly() -> None:
    points = ball_of_points(20_000, 2.0, torch.Generator().manual_seed(0))
    radius = points.norm(dim=-1)
    assert radius.max() <= 2.0
    # Half of the volume lies within 2 * 0.5^(1/3); the standard error of the share is 0.0035.
    assert abs((radius < 2 * 0.5 ** (1 / 3)).float().mean().item() - 0.5) < 0.015
    assert points.mean(0).abs().max() < 0.04


def test_with_a_fixed_shape_only_colours_learn() -> None:
    gaussians = some_gaussians().requires_grad_()
    fixed = gaussians.with_fixed_shape().parameters()
    sum(value.square().sum() for value in fixed.values()).backward()  # pyright: ignore[reportAttributeAccessIssue]
    assert {name for name, value in gaussians.parameters().items() if value.grad is not None} == {"sh"}
    assert all(torch.equal(fixed[name], value) for name, value in gaussians.parameters().items())


def test_state_survives_saving_even_with_another_number_of_gaussians() -> None:
    saved = some_gaussians(7).requires_grad_()
    state = saved.state_dict()
    other = some_gaussians(5, seed=9).requires_grad_()
    other.load_state_dict(state)
    assert len(other) == 7
    for name, value in other.parameters().items():
        assert torch.equal(value, state[name]) and value.requires_grad and value.is_leaf
    other.means.data += 1.0
    assert torch.equal(state["means"], saved.means.detach()), "the state must be a copy"


def test_a_foreign_state_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="quaternions"):
        some_gaussians().load_state_dict({"means": torch.zeros(1, 3)})


def test_mismatched_shapes_are_refused() -> None:
    parameters = some_gaussians().parameters()
    with pytest.raises(AssertionError):
        Gaussians(**{**parameters, "opacity_logits": torch.zeros(6)})
