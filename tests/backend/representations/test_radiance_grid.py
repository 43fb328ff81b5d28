"""The dense grid: interpolation, start, resampling, checkpoints."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from backend.representations.radiance import EMPTY_RAW, START_DENSITY, blob, density
from backend.representations.radiance_grid import blob_grid, grid_points
from backend.runtime.checkpoint import load_checkpoint, save_checkpoint
from tests.backend.dense_volume import bumpy_field, drawn_points, ramp, trilinear


def test_between_nodes_it_interpolates_trilinearly_with_x_first() -> None:
    field, points = bumpy_field(), drawn_points()
    raw, albedo = field(points)
    wanted = trilinear(field.values, points)
    torch.testing.assert_close(raw, wanted[:, 0])
    torch.testing.assert_close(albedo, wanted[:, 1:].sigmoid())
    torch.testing.assert_close(field.raw_density(points), raw)
    linear = ramp((1.0, -2.0, 3.0)).raw_density(points.float())
    torch.testing.assert_close(linear, points.float() @ torch.tensor([1.0, -2.0, 3.0]))


def test_a_blob_is_magic3ds_and_can_grow_anywhere_in_the_unit_ball() -> None:
    points = torch.tensor([[0.0, 0, 0], [0.5, 0, 0], [0, 0.25, 0], [0, 0, 0.99], [0.9, 0.9, 0]])
    found = density(blob(points)).tolist()
    expected = [math.log1p(math.exp(10 * (1 - r / 0.5))) for r in (0.0, 0.5, 0.25)]
    assert found == pytest.approx([*expected, START_DENSITY, 0.0], rel=1e-4)
    field = blob_grid(9, colour=0.3, background=0.8)
    assert field(torch.zeros(1, 3))[1].tolist()[0] == pytest.approx([0.3] * 3)
    assert field.background.tolist() == pytest.approx([0.8] * 3)
    assert field.spacing == pytest.approx(0.25) and len(field) == 9


def test_resampled_finer_it_is_the_same_field_and_a_leaf_as_before() -> None:
    field = ramp((1.0, 2.0, -3.0)).requires_grad_()
    finer = field.resampled(13)
    points = drawn_points().float()
    torch.testing.assert_close(finer.raw_density(points), field.raw_density(points))
    assert len(finer) == 13 and finer.values.is_leaf and finer.values.requires_grad
    nodes = grid_points(7)
    bumpy = bumpy_field(7, torch.float32)
    torch.testing.assert_close(bumpy.resampled(13).raw_density(nodes), bumpy.raw_density(nodes), atol=1e-4, rtol=1e-4)


def test_pruning_empties_what_has_nothing_near_and_no_more() -> None:
    field = blob_grid(9)
    field.values[..., 0] = -6.0  # a density of 0.06
    field.values[4, 4, 4, 0] = 0.0
    colours = field.values[..., 1:].clone()
    field.requires_grad_().prune(reach=2)
    kept = torch.zeros(9, 9, 9, dtype=torch.bool)
    kept[2:7, 2:7, 2:7] = True
    assert torch.equal(field.values[..., 0] > EMPTY_RAW, kept)
    assert (field.values[..., 0][kept] >= -6).all() and torch.equal(field.values[..., 1:], colours)
    assert field.values.is_leaf and field.values.requires_grad
    left = field.state_dict()["values"]
    field.prune(least=density(torch.tensor(0.0)).item() * 0.99)
    assert torch.equal(field.values, left)


def test_its_state_comes_back_from_a_checkpoint_whatever_the_resolution(tmp_path: Path) -> None:
    field = bumpy_field(8, torch.float32)
    save_checkpoint(tmp_path / "field", field.state_dict())
    other = blob_grid(4).requires_grad_()
    other.load_state_dict(load_checkpoint(tmp_path / "field"))
    assert torch.equal(other.values, field.values) and other.values.requires_grad
    with pytest.raises(ValueError, match="background_logits"):
        other.load_state_dict({"values": field.values})
    assert torch.equal(field.to("cpu").values, field.values) and not field.to("cpu").values.requires_grad


def test_with_a_fixed_shape_only_colours_learn() -> None:
    field = blob_grid(6, radius=0.5).requires_grad_()
    fixed = field.with_fixed_shape()
    fixed.values.sum().backward()
    assert field.values.grad is not None
    assert bool((field.values.grad[..., 0] == 0).all()) and bool((field.values.grad[..., 1:] == 1).all())
