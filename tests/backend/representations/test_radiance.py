"""What all radiance fields share: activation, normals, density and colours for meshes."""

from __future__ import annotations

import math

import pytest
import torch

from backend.representations.radiance import (
    DENSITY_GAIN,
    EMPTY_RAW,
    density,
    density_field,
    logit,
    normals,
    raw_of,
    surface_colours,
)
from backend.representations.radiance_grid import RadianceGrid
from tests.backend.dense_volume import drawn_points, ramp


def test_density_is_softplus_times_the_gain_and_has_an_inverse() -> None:
    assert density(torch.tensor(0.0)).item() == pytest.approx(DENSITY_GAIN * math.log(2))
    assert density(torch.tensor(EMPTY_RAW - 1e-3)).item() == 0
    values = torch.tensor([1e-3, 0.1, 10.0, 400.0], dtype=torch.float64)
    torch.testing.assert_close(density(raw_of(values)), values)
    assert logit(0.5) == 0 and torch.tensor(logit(0.9)).sigmoid().item() == pytest.approx(0.9)


def test_what_lies_below_empty_takes_less_than_a_thousandth_along_the_diagonal() -> None:
    assert float(DENSITY_GAIN * math.log1p(math.exp(EMPTY_RAW)) * 2 * math.sqrt(3)) < 1e-3


def test_normals_point_down_the_slope_with_unit_length_and_a_gradient() -> None:
    field = ramp((0.0, 3.0, -4.0)).requires_grad_()
    found = normals(field, drawn_points().float() * 0.8, 0.05)
    torch.testing.assert_close(found, torch.tensor([0.0, -0.6, 0.8]).expand(40, 3))
    found[:, 0].sum().backward()
    assert field.values.grad is not None and field.values.grad[..., 0].any()
    assert not normals(ramp((0.0, 0.0, 0.0)), torch.zeros(2, 3), 0.05).any()


def test_outside_of_the_box_there_is_no_density() -> None:
    at = density_field(ramp((1.0, 0.0, 0.0)))
    found = at(torch.tensor([[0.5, 0.0, 0.0], [1.1, 0.0, 0.0], [0.0, -3.0, 0.0]]))
    assert found.tolist() == [pytest.approx(DENSITY_GAIN * math.log1p(math.exp(0.5)), rel=1e-4), 0.0, 0.0]


def test_surface_colours_are_of_the_side_that_is_seen() -> None:
    """A solid box, red below the middle and green above: each side shows its own colour."""
    values = torch.full((21, 21, 21, 4), -8.0)
    values[5:16, 5:16, 5:16, 0] = 8.0
    values[:, :, :5, 0] = values[:, :, 16:, 0] = -20.0
    values[:, :, :11, 1] = 8.0
    values[:, :, 11:, 2] = 8.0
    colour = surface_colours(RadianceGrid(values, torch.zeros(3)))
    found = colour(torch.tensor([[0.0, 0, -0.5], [0.0, 0, 0.5]]), torch.tensor([[0.0, 0, -1], [0.0, 0, 1]]))
    torch.testing.assert_close(found, torch.tensor([[1.0, 0, 0], [0, 1, 0]]), atol=0.01, rtol=0)
