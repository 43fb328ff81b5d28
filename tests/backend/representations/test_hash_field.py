"""The hash field: starts as a blob, keeps its state, and learns an object that it is shown."""

from __future__ import annotations

import pytest
import torch

from backend.cameras import orbit
from backend.meshes.radiance_surface import mesh_from_radiance
from backend.rendering.volume import volume_renderer
from backend.representations.hash_field import HashField
from backend.representations.hash_grid import HashGrid
from backend.representations.occupancy import OccupancyGrid
from backend.representations.radiance import blob
from backend.representations.radiance_grid import RadianceGrid, grid_points

GRID = HashGrid(levels=6, log2_size=13, base=4, growth=1.6)


def new_field(seed: int = 0) -> HashField:
    return HashField(GRID, torch.Generator().manual_seed(seed)).requires_grad_()


def test_it_starts_as_a_blob_of_grey() -> None:
    points = torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    raw, albedo = new_field()(points)
    torch.testing.assert_close(raw, blob(points), atol=1e-3, rtol=0)
    torch.testing.assert_close(albedo, torch.full_like(albedo, 0.5), atol=1e-3, rtol=0)
    assert new_field().background.tolist() == pytest.approx([0.9] * 3)


def test_its_state_comes_back_and_another_layout_is_refused() -> None:
    field, other = new_field(), new_field(seed=1)
    other.load_state_dict(field.state_dict())
    assert all(torch.equal(other.parameters()[name], value) for name, value in field.parameters().items())
    assert other.table.requires_grad and other.to_("cpu").table.requires_grad
    with pytest.raises(ValueError, match="table"):
        HashField(HashGrid(levels=2), torch.Generator()).load_state_dict(field.state_dict())


def test_levels_that_are_off_take_no_part() -> None:
    field = new_field()
    field.active = 2
    field(torch.rand(9, 3, generator=torch.Generator().manual_seed(0)))[0].sum().backward()
    used = 2 * (GRID.entries(0) + GRID.entries(1))
    assert field.table.grad is not None and field.table.grad[:used].any() and not field.table.grad[used:].any()


def coloured_ball(radius: float = 0.6) -> RadianceGrid:
    """An opaque ball, its colour by place."""
    points = grid_points(33)
    raw = 80 * (radius - points.norm(dim=-1, keepdim=True))
    return RadianceGrid(torch.cat([raw, 3 * points], -1).reshape(33, 33, 33, 4), torch.zeros(3))


@pytest.mark.slow
def test_it_learns_a_ball_from_renders() -> None:
    """24 views of 32 px; held-out views and the extracted surface tell whether density and colour are in place."""
    truth, size = coloured_ball(), 32
    cameras = orbit([15.0 * view for view in range(24)], [-20.0, 10.0, 40.0] * 8, size=size)
    held_out = orbit([7.0, 127.0, 247.0], [0.0, 25.0, -10.0], size=size)
    white = torch.ones(3)
    with torch.no_grad():
        pictures, unseen = (volume_renderer(truth)(c, white).rgb for c in (cameras, held_out))
    generator = torch.Generator().manual_seed(0)
    field = HashField(GRID, generator).requires_grad_()
    render = volume_renderer(field, samples=48, generator=generator)
    occupancy = OccupancyGrid(16, step=render.step)
    render = volume_renderer(field, samples=48, generator=generator, occupancy=occupancy)
    optimiser = torch.optim.Adam([field.table, field.hidden, field.output], lr=1e-2, eps=1e-15)
    for step in range(120):
        if step % 16 == 0:
            occupancy.update(field, generator)
        view = int(torch.randint(24, (), generator=generator))
        loss = (render(cameras[view], white).rgb[0] - pictures[view]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        found = volume_renderer(field, samples=48)(held_out, white).rgb
    decibel = -10 * (found - unseen).square().mean().log10()
    assert decibel >= 25
    mesh = mesh_from_radiance(field, 10.0, resolution=40)
    assert (mesh.vertices.norm(dim=-1) - 0.6).abs().mean() < 2 * 2 / 39
