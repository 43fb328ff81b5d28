"""Blend the splats of each tile front to back, and differentiate that: numba kernels, parallel over tiles.

The innermost loops run over consecutive pixels of a tile held in one small buffer, which is what lets LLVM vectorise
them. Constants are those of gsplat 1.5.3.
Source: Kerbl et al., 3D Gaussian Splatting, 2023, sections 4-6.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from backend.rendering.compiled import ONLY_PRANGE, compiled
from backend.rendering.splats_projection import ALPHA_THRESHOLD, CHANNELS
from backend.rendering.splats_sort import TILE

MAX_ALPHA = np.float32(0.999)
TRANSMITTANCE_STOP = np.float32(1e-4)

_PIXELS = np.uint64(TILE * TILE)
# Offsets into a tile's buffer. Unsigned, so that numba does not test every index for being negative.
_COLUMN, _ROW, _TRANSMITTANCE, _KEPT = np.uint64(0), _PIXELS, np.uint64(2) * _PIXELS, np.uint64(3) * _PIXELS
_C0, _C1, _C2, _C3 = (np.uint64(k) * _PIXELS for k in range(4, 8))
_C4, _C5, _C6 = (np.uint64(k) * _PIXELS for k in range(8, 11))
_BUFFER = 11 * TILE * TILE
_CHECK_EVERY = 8  # splats between two looks whether a tile is opaque already

_ZERO, _ONE, _HALF = np.float32(0.0), np.float32(1.0), np.float32(0.5)
_FARTHEST = np.float32(5.6)  # exp(-5.6) < 1/255: beyond it, nothing is drawn
_EIGHTH = np.float32(-0.125)
_E6, _E5, _E4, _E3 = np.float32(1 / 720), np.float32(1 / 120), np.float32(1 / 24), np.float32(1 / 6)
_SHIFT = np.float32(0.35)
_SCALE = np.float32(math.exp(-0.35 * 8))


@compiled()
def _exp_minus(sigma):
    """Return exp(-sigma) for sigma in [0, 5.6], to 3e-8 relative: a polynomial about the middle, to the 8th power."""
    y = sigma * _EIGHTH + _SHIFT  # in [-0.35, 0.35]
    p = _ONE + y * (_ONE + y * (_HALF + y * (_E3 + y * (_E4 + y * (_E5 + y * _E6)))))
    p = p * p
    p = p * p
    return p * p * _SCALE


@compiled()
def _open_tile(buffer, tile, tiles_x, width, height):
    """Write pixel centres and transmittance 1 (0 outside the image) into the buffer; return the tile's first pixel."""
    top, left = tile // tiles_x * TILE, tile % tiles_x * TILE
    for pixel in range(TILE * TILE):
        row, column = top + pixel // TILE, left + pixel % TILE
        buffer[_COLUMN + np.uint64(pixel)] = column + 0.5
        buffer[_ROW + np.uint64(pixel)] = row + 0.5
        buffer[_TRANSMITTANCE + np.uint64(pixel)] = 1.0 if row < height and column < width else 0.0
    return top, left


@compiled()
def _blend_splat(buffer, splat, rows, geometry):
    """Add one splat to the pixels of a tile: transmittance is what still gets through, 0 once a pixel is finished."""
    x, y, opacity = splat[0], splat[1], splat[5]
    half_a, b, half_c = splat[2] * _HALF, splat[3], splat[4] * _HALF
    c0, c1, c2 = splat[CHANNELS], splat[CHANNELS + 1], splat[CHANNELS + 2]
    if geometry is not None:
        c3, c4, c5, c6 = splat[CHANNELS + 3], splat[CHANNELS + 4], splat[CHANNELS + 5], splat[CHANNELS + 6]
    for p in range(np.uint64((rows & 15) * TILE), np.uint64((rows >> 4) * TILE)):
        dx, dy = x - buffer[_COLUMN + p], y - buffer[_ROW + p]
        sigma = dx * (half_a * dx + b * dy) + half_c * dy * dy
        sigma = min(max(sigma, _ZERO), _FARTHEST)
        alpha = min(opacity * _exp_minus(sigma), MAX_ALPHA)
        alpha = alpha if alpha >= ALPHA_THRESHOLD else _ZERO
        transmittance = buffer[_TRANSMITTANCE + p]
        weight = transmittance * alpha
        after = transmittance - weight
        goes_on = after > TRANSMITTANCE_STOP
        weight = weight if goes_on else _ZERO
        buffer[_TRANSMITTANCE + p] = after if goes_on else _ZERO
        buffer[_KEPT + p] = after if goes_on else buffer[_KEPT + p]
        buffer[_C0 + p] += weight * c0
        buffer[_C1 + p] += weight * c1
        buffer[_C2 + p] += weight * c2
        if geometry is not None:
            buffer[_C3 + p] += weight * c3
            buffer[_C4 + p] += weight * c4
            buffer[_C5 + p] += weight * c5
            buffer[_C6 + p] += weight * c6


@compiled(parallel=ONLY_PRANGE)
def blend(splats, starts, entry_splat, entry_rows, background, rgb, transmittance, geometry, used, tasks):
    """Fill rgb [B, H, W, 3], the transmittance [B, H, W] and, unless it is None, geometry [B, H, W, 4].

    Background is [B, 3]. used [B * tiles] receives how many entries each tile needed. Every task takes each
    tasks-th tile, so that neighbouring, equally busy tiles go to different threads.
    """
    views, height, width, _ = rgb.shape
    tiles_x = (width + TILE - 1) // TILE
    tiles = tiles_x * ((height + TILE - 1) // TILE)
    for task in prange(tasks):
        buffer = np.empty(_BUFFER, splats.dtype)
        for job in range(task, views * tiles, tasks):
            view = job // tiles
            top, left = _open_tile(buffer, job % tiles, tiles_x, width, height)
            buffer[_KEPT:] = _ONE
            buffer[_C0:] = _ZERO
            entry, end = starts[job], starts[job + 1]
            while entry < end:
                stop = min(entry + _CHECK_EVERY, end)
                for e in range(entry, stop):
                    _blend_splat(buffer, splats[entry_splat[e]], entry_rows[e], geometry)
                entry = stop
                brightest = _ZERO
                for p in range(_TRANSMITTANCE, _TRANSMITTANCE + _PIXELS):
                    brightest = max(brightest, buffer[p])
                if not brightest > 0:
                    break
            used[job] = entry - starts[job]
            for row in range(top, min(top + TILE, height)):
                for column in range(left, min(left + TILE, width)):
                    p = np.uint64((row - top) * TILE + column - left)
                    kept = buffer[_KEPT + p]
                    transmittance[view, row, column] = kept
                    rgb[view, row, column, 0] = buffer[_C0 + p] + kept * background[view, 0]
                    rgb[view, row, column, 1] = buffer[_C1 + p] + kept * background[view, 1]
                    rgb[view, row, column, 2] = buffer[_C2 + p] + kept * background[view, 2]
                    if geometry is not None:
                        geometry[view, row, column, 0] = buffer[_C3 + p]
                        geometry[view, row, column, 1] = buffer[_C4 + p]
                        geometry[view, row, column, 2] = buffer[_C5 + p]
                        geometry[view, row, column, 3] = buffer[_C6 + p]


@compiled()
def _blend_splat_backward(buffer, splat, rows, geometry, partial):
    """Write d(loss) / d(splat) of this tile to partial, going front to back again.

    Columns 2 to 4 receive d(loss) / d(covariance), not of the conic: long thin splats would lose digits on that way.
    The buffer holds each pixel's gradient in the channels, and in _KEPT what the splats from here on and the
    background contribute to the product of image and gradient.
    """
    x, y, opacity = splat[0], splat[1], splat[5]
    a, b, c = splat[2], splat[3], splat[4]
    c0, c1, c2 = splat[CHANNELS], splat[CHANNELS + 1], splat[CHANNELS + 2]
    zero = splat.dtype.type(0)
    s, su, sv, suu, suv, svv = zero, zero, zero, zero, zero, zero
    d0, d1, d2, d3, d4, d5, d6 = zero, zero, zero, zero, zero, zero, zero
    if geometry is not None:
        c3, c4, c5, c6 = splat[CHANNELS + 3], splat[CHANNELS + 4], splat[CHANNELS + 5], splat[CHANNELS + 6]
    for p in range(np.uint64((rows & 15) * TILE), np.uint64((rows >> 4) * TILE)):
        dx, dy = x - buffer[_COLUMN + p], y - buffer[_ROW + p]
        u, v = a * dx + b * dy, b * dx + c * dy  # d(sigma) / d(mean); d(sigma) / d(covariance) = -(u, v) (u, v)^T / 2
        sigma = min(max(_HALF * (dx * u + dy * v), _ZERO), _FARTHEST)
        uncapped = opacity * _exp_minus(sigma)
        alpha = min(uncapped, MAX_ALPHA)
        alpha = alpha if alpha >= ALPHA_THRESHOLD else _ZERO
        transmittance = buffer[_TRANSMITTANCE + p]
        weight = transmittance * alpha
        after = transmittance - weight
        goes_on = after > TRANSMITTANCE_STOP
        weight = weight if goes_on else _ZERO
        buffer[_TRANSMITTANCE + p] = after if goes_on else _ZERO
        g0, g1, g2 = buffer[_C0 + p], buffer[_C1 + p], buffer[_C2 + p]
        product = c0 * g0 + c1 * g1 + c2 * g2
        d0 += weight * g0
        d1 += weight * g1
        d2 += weight * g2
        if geometry is not None:
            g3, g4, g5, g6 = buffer[_C3 + p], buffer[_C4 + p], buffer[_C5 + p], buffer[_C6 + p]
            product += c3 * g3 + c4 * g4 + c5 * g5 + c6 * g6
            d3 += weight * g3
            d4 += weight * g4
            d5 += weight * g5
            d6 += weight * g6
        behind = buffer[_KEPT + p] - weight * product
        buffer[_KEPT + p] = behind
        d_alpha = transmittance * product - behind / (_ONE - alpha)
        d_sigma = -uncapped * d_alpha
        d_sigma = d_sigma if (goes_on and alpha > _ZERO and uncapped <= MAX_ALPHA) else _ZERO
        s += d_sigma
        su += d_sigma * u
        sv += d_sigma * v
        suu += d_sigma * u * u
        suv += d_sigma * u * v
        svv += d_sigma * v * v
    partial[0], partial[1] = su, sv
    partial[2], partial[3], partial[4] = -_HALF * suu, -_HALF * suv, -_HALF * svv
    partial[5] = -s / opacity
    partial[CHANNELS], partial[CHANNELS + 1], partial[CHANNELS + 2] = d0, d1, d2
    if geometry is not None:
        partial[CHANNELS + 3], partial[CHANNELS + 4], partial[CHANNELS + 5] = d3, d4, d5
        partial[CHANNELS + 6] = d6


@compiled(parallel=ONLY_PRANGE)
def blend_backward(
    splats, starts, entry_slot, entry_splat, entry_rows, used, rgb, transmittance, geometry,
    grad_rgb, grad_alpha, grad_geometry, partial, tasks,
):  # fmt: skip
    """Fill partial [S, columns of splats], the gradient of every slot, from those of rgb, alpha and geometry."""
    views, height, width, _ = rgb.shape
    tiles_x = (width + TILE - 1) // TILE
    tiles = tiles_x * ((height + TILE - 1) // TILE)
    for task in prange(tasks):
        buffer = np.zeros(_BUFFER, splats.dtype)
        for job in range(task, views * tiles, tasks):
            view = job // tiles
            top, left = _open_tile(buffer, job % tiles, tiles_x, width, height)
            for row in range(top, min(top + TILE, height)):
                for column in range(left, min(left + TILE, width)):
                    p = np.uint64((row - top) * TILE + column - left)
                    kept = -transmittance[view, row, column] * grad_alpha[view, row, column]
                    for channel in range(3):
                        gradient = grad_rgb[view, row, column, channel]
                        buffer[_C0 + np.uint64(channel) * _PIXELS + p] = gradient
                        kept += rgb[view, row, column, channel] * gradient
                    if geometry is not None:
                        for channel in range(4):
                            gradient = grad_geometry[view, row, column, channel]
                            buffer[_C3 + np.uint64(channel) * _PIXELS + p] = gradient
                            kept += geometry[view, row, column, channel] * gradient
                    buffer[_KEPT + p] = kept
            for e in range(starts[job], starts[job] + used[job]):
                slot = partial[entry_slot[e]]
                _blend_splat_backward(buffer, splats[entry_splat[e]], entry_rows[e], geometry, slot)
            for e in range(starts[job] + used[job], starts[job + 1]):
                partial[entry_slot[e]] = 0
