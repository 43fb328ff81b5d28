"""The marcher as a torch function: the bytes that it gives, the gradients that are asked for, and its occupancy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from backend.rendering.volume import volume_renderer
from backend.rendering.volume_cpu import occupancy
from backend.rendering.volume_grid import CULLED
from backend.representations.radiance import EMPTY_RAW
from tests.backend.dense_volume import along_y, bumpy_field, constant, looking, told

BLACK = torch.zeros(3)


def test_the_same_threads_give_the_same_bytes() -> None:
    found = {}
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 2, 1):
            torch.set_num_threads(count)
            field = bumpy_field(14, dtype=torch.float32)
            render = volume_renderer(field, generator=torch.Generator().manual_seed(1))
            drawn = render(looking(33), BLACK, geometry=True)
            seen = told(drawn)
            (gradient,) = torch.autograd.grad(seen.square().sum(), [field.values])
            kept = found.setdefault(count, (seen, gradient))
            assert torch.equal(kept[0], seen) and torch.equal(kept[1], gradient)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[1][0], found[2][0])  # the pictures do not even depend on their number
    torch.testing.assert_close(found[1][1], found[2][1], rtol=1e-4, atol=1e-5)


def test_a_learned_background_gets_the_gradient_of_what_shines_through() -> None:
    field = constant(0.5)
    drawn = volume_renderer(field)(along_y(), field.background)
    drawn.rgb[0, 2, 2].sum().backward()
    through = math.exp(-0.5 * 2.0)
    assert field.background_logits.grad is not None
    torch.testing.assert_close(field.background_logits.grad, torch.full((3,), through / 4, dtype=torch.float64))


@pytest.mark.parametrize("size", [2, 4, 6, 10])
def test_no_block_is_culled_that_reads_a_node_with_anything(size: int) -> None:
    for node in np.random.default_rng(0).integers(0, size, (12, 3)):
        values = np.full((size, size, size, 4), EMPTY_RAW - 1)
        values[tuple(node)] = EMPTY_RAW + 1e-3
        occupied, reach = occupancy(values)
        for cell in np.ndindex((size - 1,) * 3):
            reads = all(c <= n <= c + 1 for c, n in zip(cell, node, strict=True))
            assert not reads or occupied[tuple(c // CULLED for c in cell)]
        place = -1 + 2 * node / (size - 1)
        assert (reach[0] <= place).all() and (place <= reach[1]).all()
    assert occupied.sum() <= 8


def test_nothing_leaves_nothing_to_march_through() -> None:
    occupied, reach = occupancy(np.full((9, 9, 9, 4), -20.0))
    assert not occupied.any() and (reach[0] >= reach[1]).all()
