"""A grid that grows keeps its field, and comes back from disk with its optimiser."""

from __future__ import annotations

from pathlib import Path

import torch

from backend.representations.growing_grid import GrowingGrid, nodes_for
from backend.representations.radiance_grid import blob_grid
from backend.runtime.checkpoint import load_checkpoint, save_checkpoint


def test_the_nodes_are_shares_of_the_run() -> None:
    assert [nodes_for(step, 100, 96) for step in (0, 24, 25, 59, 60, 99)] == [32, 32, 64, 64, 96, 96]
    assert nodes_for(0, 1, 6) == 2


def test_on_more_nodes_it_is_the_same_field_and_adam_begins_anew() -> None:
    growing = GrowingGrid(blob_grid(9), 0.99)
    growing.field.values.sum().backward()
    growing.step(0.1)
    before, points = growing.field, torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    growing.grow(8)
    assert growing.field is before
    growing.grow(17)  # each old node is one of the new ones
    assert len(growing.field) == 17 and growing.optimiser.state_dict()["state"] == {}
    assert torch.allclose(growing.field.raw_density(points), before.raw_density(points), atol=1e-4)


def test_what_it_began_as_stays_what_it_is() -> None:
    first = blob_grid(9)
    before = first.values.clone()
    growing = GrowingGrid(first, 0.99)
    growing.field.values.sum().backward()
    growing.step(0.1)
    assert torch.equal(first.values, before) and not first.values.requires_grad
    assert not torch.equal(growing.field.values, before)


def test_a_gradient_that_is_no_number_is_noticed() -> None:
    growing = GrowingGrid(blob_grid(5), 0.99)
    assert growing.is_finite
    (growing.field.values.sum() * torch.inf).backward()
    assert not growing.is_finite


def test_it_comes_back_with_its_optimiser(tmp_path: Path) -> None:
    growing, other = GrowingGrid(blob_grid(5), 0.99), GrowingGrid(blob_grid(5), 0.99)
    growing.grow(7)
    growing.field.values.square().sum().backward()
    growing.step(0.1)
    save_checkpoint(tmp_path / "field.safetensors", growing.state_dict())
    other.load_state_dict(load_checkpoint(tmp_path / "field.safetensors"))
    for each in (growing, other):
        each.field.values.square().sum().backward()
        each.step(0.1)
    assert torch.equal(growing.field.values, other.field.values) and len(other.field) == 7
