"""The outline of a picture, blown up, looks like that outline and is as thick as it is wide."""

from __future__ import annotations

import torch

from backend.cameras import Cameras, orbit
from backend.meshes.rasteriser import silhouette_iou
from backend.rendering.volume import volume_renderer
from backend.representations.inflated import inflated_grid

SIZE = 64
RED, BLUE = torch.tensor([0.8, 0.1, 0.1]), torch.tensor([0.1, 0.1, 0.8])


def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    """Return a picture of a red disc on a thin blue leg, and its mask."""
    rows, columns = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="ij")
    disc = (rows - 24) ** 2 + (columns - 32) ** 2 < 16**2
    leg = (rows > 38) & (rows < 58) & ((columns - 32).abs() < 3)
    mask = (disc | leg).float()[None, ..., None]
    return torch.where(disc[None, ..., None], RED, BLUE) * mask, mask


def alpha(camera: Cameras, of: Cameras) -> torch.Tensor:
    field = inflated_grid(64, of, *drawn())
    return volume_renderer(field, samples=160)(camera, torch.ones(3)).alpha


def test_from_its_own_side_it_has_the_outline_with_the_thin_leg() -> None:
    for azimuth, elevation in ((0.0, 0.0), (70.0, 20.0)):
        camera = orbit([azimuth], elevation, size=SIZE)
        seen = alpha(camera, camera)
        assert float(silhouette_iou(seen, drawn()[1])) > 0.8
        assert float(seen[0, 44:56, 32, 0].min()) > 0.5


def test_from_the_side_it_is_thick_where_it_is_wide_and_thin_where_it_is_thin() -> None:
    camera = orbit([0.0], 0.0, size=SIZE)
    seen = alpha(orbit([90.0], 0.0, size=SIZE), camera)[0, ..., 0] > 0.5
    widths = seen.sum(1)
    assert 24 <= int(widths[22:26].max()) <= 44 and 2 <= int(widths[48]) <= 10
    behind = alpha(orbit([180.0], 0.0, size=SIZE), camera)
    assert float(silhouette_iou(behind.flip(2), drawn()[1])) > 0.8


def test_it_stands_upright_when_it_is_seen_from_above() -> None:
    field = inflated_grid(64, orbit([0.0], 30.0, size=SIZE), *drawn())
    seen = volume_renderer(field, samples=160)(orbit([90.0], 0.0, size=SIZE), torch.ones(3)).alpha[0, ..., 0] > 0.5
    columns = torch.arange(SIZE).float()
    middles = [float((columns * row).sum() / row.sum()) for row in seen.float() if row.any()]
    upper, lower = middles[len(middles) // 4], middles[3 * len(middles) // 4]  # not its ends, which views cut slantwise
    assert abs(upper - SIZE / 2) < 2.5 and abs(lower - SIZE / 2) < 2.5


def test_colours_are_those_inside_the_mask_without_details() -> None:
    camera = orbit([0.0], 0.0, size=SIZE)
    rgb, mask = drawn()
    rgb[0, 22:25, 30:33] = torch.tensor([1.0, 1.0, 1.0])  # a dot, which the back is not to have
    field = inflated_grid(64, camera, rgb, mask)
    seen = volume_renderer(field, samples=160)(orbit([180.0], 0.0, size=SIZE), torch.ones(3)).rgb[0]
    assert torch.allclose(seen[23, 32], RED, atol=0.25) and torch.allclose(seen[50, 32], BLUE, atol=0.25)
    assert (seen[20:28, 24:40] - RED).abs().amax() < 0.35
