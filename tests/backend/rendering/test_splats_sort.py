"""The order of splats: that of the list does not matter but for equal depths."""

from __future__ import annotations

import torch

from backend.cameras import orbit
from backend.rendering.splats import (
    render_with_numba,
)
from backend.representations.gaussians import Gaussians
from tests.backend.rendering.splat_scenes import BLACK, cloud, everything, joined, looking_along_z, single


def test_the_order_of_the_gaussians_does_not_matter_to_the_byte() -> None:
    cameras, order = orbit([10.0, 200.0], 15.0, size=32), torch.randperm(64, generator=torch.Generator().manual_seed(5))
    gaussians = cloud(64)  # a multiple of the vector length, or torch's own exp and sigmoid depend on the place
    shuffled = Gaussians(**{name: value.detach()[order] for name, value in gaussians.parameters().items()})
    found = everything(render_with_numba, gaussians, cameras, True)
    other = everything(render_with_numba, shuffled.requires_grad_(), cameras, True)
    for name in found:
        mine = found[name][order] if name.startswith("d ") and name != "d background" else found[name]
        assert torch.equal(mine, other[name]), name


def test_equal_depths_are_drawn_in_the_order_of_the_list() -> None:
    first = single((0.0, 0.0, 2.0), 1.0, 0.9, (1.0, 0.0, 0.0))
    second = single((0.0, 0.0, 2.0), 1.0, 0.9, (0.0, 1.0, 0.0))
    red, green, _ = render_with_numba(joined(first, second), looking_along_z(5), BLACK).rgb[0, 2, 2]
    assert red > 5 * green > 0
