"""Packed samples against the compiled marcher and closed forms, and an object that a hash field learns."""

from __future__ import annotations

import math

import pytest
import torch

from backend.cameras import orbit, rays
from backend.regularisers import distortion
from backend.rendering.volume import volume_renderer
from backend.rendering.volume_packed import (
    Samples,
    box_crossings,
    distortion_of,
    march_all,
    render_packed,
    weights_of,
)
from backend.rendering.volume_rendering import DIAGONAL
from backend.rendering.volume_shading import ALBEDO, Shading
from backend.representations.occupancy import OccupancyGrid
from backend.representations.radiance_grid import RadianceGrid, grid_points
from tests.backend.dense_volume import looking

STEP = DIAGONAL / 96


def smooth_field(resolution: int = 33) -> RadianceGrid:
    """A soft ball, coloured by place, fine enough that both engines' normals agree."""
    points = grid_points(resolution)
    values = torch.cat([6 * (0.5 - points.norm(dim=-1, keepdim=True)), 2 * points], -1)
    return RadianceGrid(values.reshape(resolution, resolution, resolution, 4), torch.zeros(3)).requires_grad_()


@pytest.mark.parametrize(
    "shading", [ALBEDO, Shading("lambertian", torch.tensor([2.0, -2.0, 2.0]))], ids=lambda s: s.kind
)
def test_both_engines_draw_the_same_and_have_the_same_gradients(shading: Shading) -> None:
    field, cameras = smooth_field(), looking(10)
    background = torch.tensor([0.2, 0.5, 0.8])
    jitter = torch.rand(2, 10, 10, generator=torch.Generator().manual_seed(5))
    generator = torch.Generator().manual_seed(5)
    ours = volume_renderer(field, generator=generator, shading=shading)(cameras, background, geometry=True)
    packed = render_packed(field, cameras, background, jitter, STEP, shading, None, geometry=True)
    for name, tolerance in (("rgb", 2e-2), ("alpha", 1e-4), ("depth", 1e-3), ("variance", 1e-3), ("distortion", 1e-4)):
        one, other = getattr(ours, name), getattr(packed, name)
        torch.testing.assert_close(one, other, atol=tolerance, rtol=0, msg=name)
    solid = packed.alpha[..., 0] > 0.5
    assert (ours.normal * packed.normal).sum(-1)[solid].min() > 0.98
    if shading is ALBEDO:
        slopes = [torch.autograd.grad((r.rgb.square() + r.alpha).sum(), [field.values])[0] for r in (ours, packed)]
        assert (slopes[0] - slopes[1]).abs().max() < 5e-3 * slopes[1].abs().max()


def test_an_occupancy_grid_changes_no_ray_by_more_than_a_thousandth_and_skips_most() -> None:
    field, cameras = smooth_field(), orbit([0.0, 120.0], [0.0, 30.0], size=16)
    field.values.data[..., 0] = 20 * field.values.data[..., 0]  # hard
    grid = OccupancyGrid(32, step=STEP)
    generator = torch.Generator().manual_seed(0)
    for _ in range(8):
        grid.update(field, generator)
    jitter = torch.full((2, 16, 16), 0.5)
    whole = render_packed(field, cameras, torch.ones(3), jitter, STEP, ALBEDO, None, geometry=False)
    culled = render_packed(field, cameras, torch.ones(3), jitter, STEP, ALBEDO, grid, geometry=False)
    hit = whole.alpha > 0.5
    assert hit.any() and (whole.alpha - culled.alpha)[hit].abs().max() < 1e-3
    origins, directions = (value.reshape(-1, 3) for value in rays(cameras))
    bounds = box_crossings(origins, directions)
    counts = [len(march_all(origins, directions, *bounds, STEP, g).ray) for g in (None, grid)]
    assert counts[1] < 0.3 * counts[0]


def test_weights_are_those_of_beer_and_lambert_and_never_sum_to_more_than_one() -> None:
    ray = torch.tensor([0, 0, 2, 2, 2])
    start = torch.tensor([0.0, 0.5, 0.0, 1.0, 3.0])
    samples = Samples(ray, start, start + torch.tensor([0.5, 1.0, 1.0, 2.0, 0.5]))
    densities = torch.tensor([2.0, 1.0, 0.3, 0.4, 90.0])
    weights = weights_of(samples, densities, 4)
    wanted = [1 - math.exp(-1), math.exp(-1) * (1 - math.exp(-1))]
    torch.testing.assert_close(weights[:2], torch.tensor(wanted))
    assert weights[2:].sum().item() == pytest.approx(1 - math.exp(-0.3 - 0.8 - 45))


def test_splitting_a_sample_of_one_density_changes_nothing_behind_it() -> None:
    whole = Samples(torch.zeros(2, dtype=torch.long), torch.tensor([0.0, 1.0]), torch.tensor([1.0, 2.0]))
    split = Samples(torch.zeros(3, dtype=torch.long), torch.tensor([0.0, 0.3, 1.0]), torch.tensor([0.3, 1.0, 2.0]))
    one, other = weights_of(whole, torch.tensor([0.7, 2.0]), 1), weights_of(split, torch.tensor([0.7, 0.7, 2.0]), 1)
    torch.testing.assert_close(one, torch.stack([other[:2].sum(), other[2]]))


def test_the_distortion_of_packed_samples_is_that_of_each_ray() -> None:
    generator = torch.Generator().manual_seed(0)
    weights, lengths = torch.rand(3, 6, generator=generator) / 6, torch.rand(3, 6, generator=generator) / 6
    edges = torch.cat([torch.zeros(3, 1), lengths.cumsum(-1)], -1)
    ray = torch.arange(3).repeat_interleave(6)
    samples = Samples(ray, edges[:, :-1].reshape(-1), edges[:, 1:].reshape(-1))
    middle = (edges[:, 1:] + edges[:, :-1]).reshape(-1) / 2
    parts = distortion_of(samples, weights.reshape(-1), middle, lengths.reshape(-1))
    torch.testing.assert_close(parts.reshape(3, 6).sum(-1), distortion(weights, edges))


def test_rays_that_miss_the_box_have_no_samples() -> None:
    origins = torch.tensor([[0.0, -3, 0], [0.0, -3, 1.5], [0.0, 0, 0]])
    directions = torch.tensor([[0.0, 1, 0]]).expand(3, 3)
    near, far = box_crossings(origins, directions)
    samples = march_all(origins, directions, near, far, 0.3, None)
    assert samples.ray.unique().tolist() == [0, 2]
    of_first = samples.ray == 0
    assert samples.start[of_first][0].item() == pytest.approx(2) and samples.end[of_first][-1].item() == pytest.approx(
        4
    )
    torch.testing.assert_close(samples.start[of_first][1:], samples.end[of_first][:-1])
