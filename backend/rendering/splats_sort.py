"""Sort splats into tiles of 8 x 8 pixels, each tile front to back: numba kernels.

A slot is one (splat, tile) pair. Slots are numbered splat by splat, so that the backward pass writes each slot's
gradient to its own place and their sum has one order, whatever the number of threads. Only tiles that the ellipse of
alpha >= 1/255 really touches get a slot, and only the rows that it touches there are visited.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from backend.rendering.compiled import ONLY_PRANGE, compiled
from backend.rendering.splats_projection import ALPHA_THRESHOLD

TILE = 8  # pixels: a row of a tile is one vector of eight float32

_ZERO, _ONE, _TWO, _HALF = np.float32(0.0), np.float32(1.0), np.float32(2.0), np.float32(0.5)
_SLACK = np.float32(0.01)  # pixels; the alpha threshold decides, this only keeps rounding from deciding first


@compiled()
def _column_rows(splat, reach, cut, left, right, height):
    """Return the first and one past the last pixel row whose centres the ellipse can reach in columns [left, right)."""
    start = left + _HALF - splat[0]
    stop = right - _HALF - splat[0]
    lean = splat[3] / splat[4]  # the ellipse's middle line: y = -lean * x
    top_x = splat[3] / splat[2] * reach[1]  # where its highest and lowest points lie: at top_x and -top_x
    x = min(max(top_x, start), stop)
    low = -lean * x - math.sqrt(max(_ZERO, (_ONE - (x / reach[0]) ** 2) * cut / splat[4]))
    x = min(max(-top_x, start), stop)
    high = -lean * x + math.sqrt(max(_ZERO, (_ONE - (x / reach[0]) ** 2) * cut / splat[4]))
    first = math.ceil(max(_ZERO, splat[1] + low - _HALF - _SLACK))
    last = math.floor(min(height - _ONE, splat[1] + high - _HALF + _SLACK))
    return int(first), int(last) + 1


@compiled()
def _columns(splat, reach, width):
    """Return the first and one past the last tile column that the splat can reach."""
    first = math.ceil(max(_ZERO, splat[0] - reach[0] - _HALF - _SLACK))
    last = math.floor(min(width - _ONE, splat[0] + reach[0] - _HALF + _SLACK))
    if last < first:
        return 0, 0
    return int(first) // TILE, int(last) // TILE + 1


@compiled()
def _visit(splat, reach, width, height, tiles_x, slot, slot_tile, slot_rows):
    """Count the tiles a splat touches; when there are slots to fill, write tile and rows of each from `slot` on."""
    count = 0
    cut = _TWO * math.log(splat[5] / ALPHA_THRESHOLD)
    column, end = _columns(splat, reach, width)
    while column < end:
        left = splat.dtype.type(column * TILE)
        first, last = _column_rows(splat, reach, cut, left, min(left + TILE, width), height)
        if last > first:
            tile_row = first // TILE
            while tile_row * TILE < last:
                if len(slot_tile):
                    slot_tile[slot + count] = tile_row * tiles_x + column
                    start = max(first - tile_row * TILE, 0)
                    stop = min(last - tile_row * TILE, TILE)
                    slot_rows[slot + count] = start + 16 * stop
                count += 1
                tile_row += 1
        column += 1
    return count


@compiled()
def _sort_by_depth(depths, order, other):
    """Sort the indices in `order` by depth (positive float32), stably: three passes of a radix sort."""
    keys = depths.view(np.uint32)
    for shift in (0, 11, 22):
        places = np.zeros(2049, np.int64)
        for i in order:
            places[((keys[i] >> shift) & 2047) + 1] += 1
        for bucket in range(2048):
            places[bucket + 1] += places[bucket]
        for i in order:
            bucket = (keys[i] >> shift) & 2047
            other[places[bucket]] = i
            places[bucket] += 1
        order, other = other, order
    return order


@compiled(parallel=ONLY_PRANGE)
def sort_into_tiles(splats, depths, reach, size, views):
    """Return slot offsets [B * N + 1], tile starts [B * tiles + 1], and slot, splat and rows of each tile entry [S].

    Entries of a tile lie front to back. Rows are packed as first + 16 * (one past the last).
    """
    count = len(depths) // views
    width, height = size
    tiles_x = (int(width) + TILE - 1) // TILE
    tiles = tiles_x * ((int(height) + TILE - 1) // TILE)
    empty = np.empty(0, np.int32)
    offsets = np.zeros(views * count + 1, np.int64)
    for i in prange(views * count):
        if reach[i, 0] > 0:
            offsets[i + 1] = _visit(splats[i], reach[i], width, height, tiles_x, 0, empty, empty)
    for i in range(views * count):
        offsets[i + 1] += offsets[i]
    slots = offsets[views * count]
    slot_tile, slot_rows = np.empty(slots, np.int32), np.empty(slots, np.int32)
    for i in prange(views * count):
        if offsets[i + 1] > offsets[i]:
            _visit(splats[i], reach[i], width, height, tiles_x, offsets[i], slot_tile, slot_rows)
    starts = np.empty(views * tiles + 1, np.int64)
    starts[views * tiles] = slots
    entry_slot, entry_splat, entry_rows = (
        np.empty(slots, np.int32),
        np.empty(slots, np.int32),
        np.empty(slots, np.int32),
    )
    for view in prange(views):
        ends = (view * count, (view + 1) * count)
        view_starts = starts[view * tiles : (view + 1) * tiles]
        _fill_tiles(ends, offsets, depths, slot_tile, slot_rows, view_starts, entry_slot, entry_splat, entry_rows)
    return offsets, starts, entry_slot, entry_splat, entry_rows


@compiled()
def _fill_tiles(ends, offsets, depths, slot_tile, slot_rows, starts, entry_slot, entry_splat, entry_rows):
    """Enter the slots of one view's splats, ends[0] to ends[1], into the lists of its tiles, nearest first."""
    begin, end = ends
    tiles = len(starts)
    cursors = np.zeros(tiles + 1, np.int64)
    for slot in range(offsets[begin], offsets[end]):
        cursors[slot_tile[slot] + 1] += 1
    cursors[0] = offsets[begin]
    for tile in range(tiles):
        starts[tile] = cursors[tile]
        cursors[tile + 1] += cursors[tile]
    seen = np.empty(end - begin, np.int32)
    visible = 0
    for i in range(begin, end):
        if offsets[i + 1] > offsets[i]:
            seen[visible] = i
            visible += 1
    for i in _sort_by_depth(depths, seen[:visible], np.empty(visible, np.int32)):
        for slot in range(offsets[i], offsets[i + 1]):
            entry = cursors[slot_tile[slot]]
            cursors[slot_tile[slot]] += 1
            entry_slot[entry], entry_splat[entry], entry_rows[entry] = slot, i, slot_rows[slot]
