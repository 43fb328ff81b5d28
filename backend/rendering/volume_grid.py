"""What a dense radiance grid tells before any ray is marched: where it is empty, and how its density slopes.

Numba kernels, parallel over slices of the grid.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from backend.rendering.compiled import ONLY_PRANGE, compiled
from backend.representations.radiance import EMPTY_RAW

SHIFT = 2
CULLED = 1 << SHIFT  # cells of the grid along a side of a block that is culled as a whole
_EMPTY = np.float32(EMPTY_RAW)


@compiled(parallel=ONLY_PRANGE)
def find_occupied(values, occupied):
    """Fill occupied [C, C, C] uint8: whether any node that a block's samples read is above EMPTY_RAW.

    values [R, R, R, 4]. Never culls what is not empty: an interpolated density is at most the largest of its nodes.
    """
    size, blocks = values.shape[0], occupied.shape[0]
    for a in prange(blocks):
        for b in range(blocks):
            for c in range(blocks):
                highest = values[a * CULLED, b * CULLED, c * CULLED, 0]
                for i in range(a * CULLED, min(a * CULLED + CULLED + 1, size)):
                    for j in range(b * CULLED, min(b * CULLED + CULLED + 1, size)):
                        for k in range(c * CULLED, min(c * CULLED + CULLED + 1, size)):
                            highest = max(highest, values[i, j, k, 0])
                occupied[a, b, c] = 0 if highest <= _EMPTY else 1


@compiled(parallel=ONLY_PRANGE)
def find_slopes(values, slopes):
    """Fill slopes [R, R, R, 3]: central differences of the density at nodes one cell away, in world units.

    Interpolated between nodes, they are (f(x + h) - f(x - h)) / 2h of the interpolated density f, h one cell.
    """
    size = values.shape[0]
    scale = values.dtype.type((size - 1) / 4)
    for i in prange(size):
        before, after = max(i - 1, 0), min(i + 1, size - 1)
        for j in range(size):
            left, right = max(j - 1, 0), min(j + 1, size - 1)
            for k in range(size):
                slopes[i, j, k, 0] = (values[after, j, k, 0] - values[before, j, k, 0]) * scale
                slopes[i, j, k, 1] = (values[i, right, k, 0] - values[i, left, k, 0]) * scale
                below, above = max(k - 1, 0), min(k + 1, size - 1)
                slopes[i, j, k, 2] = (values[i, j, above, 0] - values[i, j, below, 0]) * scale


@compiled()
def _borrowed(before, here, after, index, last):
    """Return what a node's value adds to its neighbours' slopes; at a border it adds to its own as well."""
    return (before if index > 0 else -here) - (after if index < last else -here)


@compiled(parallel=ONLY_PRANGE)
def add_slopes_backward(grad_slopes, grad_values):
    """Add to grad_values [R, R, R, 4] what the gradients of find_slopes' result say of the density."""
    last = grad_values.shape[0] - 1
    scale = grad_values.dtype.type(last / 4)
    for i in prange(last + 1):
        for j in range(last + 1):
            for k in range(last + 1):
                here = grad_slopes[i, j, k]
                x = _borrowed(grad_slopes[i - 1, j, k, 0], here[0], grad_slopes[min(i + 1, last), j, k, 0], i, last)
                y = _borrowed(grad_slopes[i, j - 1, k, 1], here[1], grad_slopes[i, min(j + 1, last), k, 1], j, last)
                z = _borrowed(grad_slopes[i, j, k - 1, 2], here[2], grad_slopes[i, j, min(k + 1, last), 2], k, last)
                grad_values[i, j, k, 0] += scale * (x + y + z)
