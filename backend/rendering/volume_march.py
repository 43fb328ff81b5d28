"""March rays through a dense radiance grid front to back, and differentiate that: numba kernels, parallel over rows.

Rays are made here from the cameras, so that nothing of a sample is ever stored: the way back goes front to back again.
Arrays of one task follow each other in memory, and no two tasks write to the same one.
Source: Mildenhall et al., NeRF, 2020, eq. 3; distortion: Barron et al., Mip-NeRF 360, 2022, eq. 15.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from backend.rendering.compiled import ONLY_PRANGE, compiled
from backend.rendering.volume_grid import SHIFT
from backend.representations.radiance import DENSITY_GAIN, EMPTY_RAW

PATCH = 8  # pixels along a side: neighbouring rays read the same nodes
CAMERA, LIGHT = 13, 7  # columns of the tables of cameras and lights
GEOMETRY = 7  # channels: camera z, normal x y z, squared offset of z, orientation, distortion
STOP = np.float32(1e-4)  # a ray ends where less than this gets through
ALBEDO, LAMBERTIAN, TEXTURELESS = 0, 1, 2

_ZERO, _HALF, _ONE, _TWO, _THIRD = (np.float32(x) for x in (0, 1 / 2, 1, 2, 1 / 3))
_EMPTY, _GAIN = np.float32(EMPTY_RAW), np.float32(DENSITY_GAIN)
_SIXTH, _PART, _SMALL, _THIN = (np.float32(x) for x in (1 / 6, 1 / 24, 1e-3, 1e-2))
_FLAT = np.float32(1e-20)  # squared slope below which a place has no normal
_PARALLEL, _FAR = np.float32(1e-12), np.float32(1e9)
_DIAGONAL = np.float32(2 * math.sqrt(3))  # of the box [-1, 1]^3: distances are divided by it for the distortion
_CHANNELS, _AXES, _SHIFT = np.uint64(4), np.uint64(3), np.uint64(SHIFT)


@compiled()
def _open_ray(camera, column, row, reach):
    """Return a ray's unit direction and length at camera z 1, where it enters and leaves the box, and what is occupied.

    reach [2, 3] are corners around what is occupied.
    """
    x, y = column + _HALF, row + _HALF
    dx = camera[0] * x + camera[1] * y + camera[2]
    dy = camera[3] * x + camera[4] * y + camera[5]
    dz = camera[6] * x + camera[7] * y + camera[8]
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    dx, dy, dz = dx / length, dy / length, dz / length
    zero = camera[0] * _ZERO
    near, first, far, last = zero, zero, zero + _FAR, zero + _FAR
    for axis in range(3):
        along = dx if axis == 0 else (dy if axis == 1 else dz)
        inverse = _ONE / (along if abs(along) > _PARALLEL else _PARALLEL)
        a, b = (-_ONE - camera[9 + axis]) * inverse, (_ONE - camera[9 + axis]) * inverse
        near, far = max(near, min(a, b)), min(far, max(a, b))
        a, b = (reach[0, axis] - camera[9 + axis]) * inverse, (reach[1, axis] - camera[9 + axis]) * inverse
        first, last = max(first, min(a, b)), min(last, max(a, b))
    return dx, dy, dz, length, near, far, max(first, near), min(last, far)


@compiled()
def _cell(x, cells):
    """Return the cell along one axis, of so many, that a coordinate in [-1, 1] lies in, and how far in, 0 to 1."""
    at = (x + _ONE) * _HALF * cells
    cell = np.int32(min(max(at, _ZERO), cells - _ONE))
    return np.uint64(cell), at - np.float32(cell)


@compiled()
def _mix(flat, base, sx, sy, sz, fx, fy, fz):
    """Interpolate trilinearly between the eight nodes from base on, their steps sx, sy, sz."""
    a, b = flat[base], flat[base + sx]
    low = a + fx * (b - a)
    a, b = flat[base + sy], flat[base + sx + sy]
    low += fy * (a + fx * (b - a) - low)
    base = base + sz
    a, b = flat[base], flat[base + sx]
    high = a + fx * (b - a)
    a, b = flat[base + sy], flat[base + sx + sy]
    high += fy * (a + fx * (b - a) - high)
    return low + fz * (high - low)


@compiled()
def _corners(fx, fy, fz):
    """Return the weights of the eight nodes around a place, x fastest and z slowest."""
    ex, ey, ez = _ONE - fx, _ONE - fy, _ONE - fz
    a, b, c, d = ex * ey, fx * ey, ex * fy, fx * fy
    return a * ez, b * ez, c * ez, d * ez, a * fz, b * fz, c * fz, d * fz


@compiled()
def _weighted(flat, base, sx, sy, sz, w):
    """Interpolate as _mix does, by weights that several values share."""
    top = base + sz
    low = w[0] * flat[base] + w[1] * flat[base + sx] + w[2] * flat[base + sy] + w[3] * flat[base + sx + sy]
    return low + w[4] * flat[top] + w[5] * flat[top + sx] + w[6] * flat[top + sy] + w[7] * flat[top + sx + sy]


@compiled()
def _spread(flat, base, sx, sy, sz, w, gradient):
    """Add the gradient of an interpolated value to the eight nodes that it was read from."""
    top = base + sz
    flat[base] += w[0] * gradient
    flat[base + sx] += w[1] * gradient
    flat[base + sy] += w[2] * gradient
    flat[base + sx + sy] += w[3] * gradient
    flat[top] += w[4] * gradient
    flat[top + sx] += w[5] * gradient
    flat[top + sy] += w[6] * gradient
    flat[top + sx + sy] += w[7] * gradient


@compiled()
def _opacity(raw, length):
    """Return the opacity of a stretch of a length, and how much faster its optical depth grows with raw.

    Where 1 + x or 1 - exp(-x) would lose the digits of a small x their series are taken: faster than log1p and expm1.
    """
    small = math.exp(-abs(raw))
    grown = small * (_ONE - small * (_HALF - small * _THIRD)) if small < _SMALL else math.log(_ONE + small)
    scale = _GAIN * length
    optical = scale * (max(raw, _ZERO) + grown)
    slope = scale * (_ONE if raw >= _ZERO else small) / (_ONE + small)
    if optical < _THIN:
        return optical * (_ONE - optical * (_HALF - optical * (_SIXTH - optical * _PART))), slope
    return _ONE - math.exp(-optical), slope


@compiled()
def _sigmoid(x):
    return _ONE / (_ONE + math.exp(-x))


@compiled()
def _light_at(light, x, y, z, nx, ny, nz):
    """Return by how much a surface of a normal is lit, and the slope of that with the normal: 0 in its own shadow."""
    lx, ly, lz = light[3], light[4], light[5]
    if light[6] > _ZERO:  # a point, not a direction
        lx, ly, lz = lx - x, ly - y, lz - z
        far = math.sqrt(lx * lx + ly * ly + lz * lz)
        lx, ly, lz = lx / far, ly / far, lz / far
    facing = nx * lx + ny * ly + nz * lz
    diffuse = light[2] if facing > _ZERO else _ZERO
    return light[1] + diffuse * facing, diffuse * lx, diffuse * ly, diffuse * lz


@compiled()
def _normal(slopes, base, sx, sy, sz, w):
    """Return the unit normal against the interpolated slope, and one over the slope's length: 0 where it is flat."""
    gx = _weighted(slopes, base, sx, sy, sz, w)
    gy = _weighted(slopes, base + np.uint64(1), sx, sy, sz, w)
    gz = _weighted(slopes, base + np.uint64(2), sx, sy, sz, w)
    squared = gx * gx + gy * gy + gz * gz
    inverse = _ONE / math.sqrt(squared) if squared > _FLAT else squared * _ZERO
    return -gx * inverse, -gy * inverse, -gz * inverse, inverse


@compiled(parallel=ONLY_PRANGE)
def march(
    values, slopes, occupied, reach, cameras, lights, jitter, background, step,
    rgb, opacity, transmittance, sums, middles, tasks,
):  # fmt: skip
    """Fill rgb [B, H, W, 3], opacity and transmittance [B, H, W] and, unless slopes are None, sums and middles.

    Opacity is the sum of the weights: one minus the transmittance would have no digits left where little is seen.

    values [R, R, R, 4], slopes [R, R, R, 3], occupied as find_occupied fills it, reach [2, 3] corners around it,
    cameras [B, CAMERA], lights [B, LIGHT], jitter [B, H, W] in [0, 1), background [B, 3], step in world units.
    sums [B, H, W, GEOMETRY]; middles [B, H, W]: weights times the middles of their stretches, for the way back.
    """
    views, height, width, _ = rgb.shape
    patches_x = (width + PATCH - 1) // PATCH
    patches = patches_x * ((height + PATCH - 1) // PATCH)
    size, blocks = np.uint64(values.shape[0]), np.uint64(occupied.shape[0])
    cells = values.dtype.type(values.shape[0] - 1)
    flat, marks = values.reshape(-1), occupied.reshape(-1)
    sz, sy, sx = _CHANNELS, _CHANNELS * size, _CHANNELS * size * size
    if slopes is not None:
        tilt = slopes.reshape(-1)
        tz, ty, tx = _AXES, _AXES * size, _AXES * size * size
    for task in prange(tasks):
        for job in range(task, views * patches, tasks):
            view, top, left_edge = job // patches, job % patches // patches_x * PATCH, job % patches % patches_x * PATCH
            camera, light = cameras[view], lights[view]
            rows, columns = min(PATCH, height - top), min(PATCH, width - left_edge)
            for pixel in range(rows * columns):
                row, column = top + pixel // columns, left_edge + pixel % columns
                u = jitter[view, row, column]
                dx, dy, dz, scale, near, far, first, last = _open_ray(camera, column, row, reach)
                zero = near * _ZERO
                left, red, green, blue = zero + _ONE, zero, zero, zero
                s0, s1, s2, s3, s4, s5, s6 = zero, zero, zero, zero, zero, zero, zero
                total, moment = zero, zero
                index = zero + np.float32(math.floor((first - near) / step)) if first < last else zero
                start = near + index * step if first < last else zero + _FAR
                while start < last and left > STOP:
                    length = min(start + step, far) - start
                    t = start + u * length
                    x, y, z = camera[9] + t * dx, camera[10] + t * dy, camera[11] + t * dz
                    (i, fx), (j, fy), (k, fz) = _cell(x, cells), _cell(y, cells), _cell(z, cells)
                    if marks[((i >> _SHIFT) * blocks + (j >> _SHIFT)) * blocks + (k >> _SHIFT)]:
                        node = (i * size + j) * size + k
                        base = node * _CHANNELS
                        raw = _mix(flat, base, sx, sy, sz, fx, fy, fz)
                        if raw > _EMPTY:
                            w = _corners(fx, fy, fz)
                            alpha, _ = _opacity(raw, length)
                            weight = left * alpha
                            left = left - weight
                            shade, is_white = zero + _ONE, False
                            if slopes is not None:
                                nx, ny, nz, _ = _normal(tilt, node * _AXES, tx, ty, tz, w)
                                depth = t / scale
                                offset = depth - camera[12]
                                facing = max(nx * dx + ny * dy + nz * dz, _ZERO)
                                s0 += weight * depth
                                s1 += weight * nx
                                s2 += weight * ny
                                s3 += weight * nz
                                s4 += weight * offset * offset
                                s5 += weight * facing * facing
                                middle = (start - near + _HALF * length) / _DIAGONAL
                                s6 += _TWO * weight * (middle * total - moment)
                                s6 += weight * weight * _THIRD * length / _DIAGONAL
                                moment += weight * middle
                                if light[0] != ALBEDO:
                                    shade, _, _, _ = _light_at(light, x, y, z, nx, ny, nz)
                                    is_white = light[0] == TEXTURELESS
                            total += weight
                            shade *= weight
                            if is_white:
                                red += shade
                                green += shade
                                blue += shade
                            else:
                                base += np.uint64(1)
                                red += shade * _sigmoid(_weighted(flat, base, sx, sy, sz, w))
                                base += np.uint64(1)
                                green += shade * _sigmoid(_weighted(flat, base, sx, sy, sz, w))
                                base += np.uint64(1)
                                blue += shade * _sigmoid(_weighted(flat, base, sx, sy, sz, w))
                    index += _ONE
                    start = near + index * step
                opacity[view, row, column], transmittance[view, row, column] = total, left
                rgb[view, row, column, 0] = red + left * background[view, 0]
                rgb[view, row, column, 1] = green + left * background[view, 1]
                rgb[view, row, column, 2] = blue + left * background[view, 2]
                if slopes is not None:
                    out = sums[view, row, column]
                    out[0], out[1], out[2], out[3], out[4], out[5], out[6] = s0, s1, s2, s3, s4, s5, s6
                    middles[view, row, column] = moment


@compiled(parallel=ONLY_PRANGE)
def march_backward(
    values, slopes, occupied, reach, cameras, lights, jitter, step, rgb, opacity, sums, middles,
    grad_rgb, grad_alpha, grad_sums, grad_values, grad_slopes, tasks,
):  # fmt: skip
    """Add each task's gradients to its own grad_values [T, R, R, R, 4] and grad_slopes [T, R, R, R, 3].

    grad_rgb, grad_alpha and grad_sums are shaped as rgb, opacity and sums; the rest is what march had and filled.
    """
    views, height, width, _ = rgb.shape
    patches_x = (width + PATCH - 1) // PATCH
    patches = patches_x * ((height + PATCH - 1) // PATCH)
    size, blocks = np.uint64(values.shape[0]), np.uint64(occupied.shape[0])
    cells = values.dtype.type(values.shape[0] - 1)
    flat, marks = values.reshape(-1), occupied.reshape(-1)
    sz, sy, sx = _CHANNELS, _CHANNELS * size, _CHANNELS * size * size
    if slopes is not None:
        tilt = slopes.reshape(-1)
        tz, ty, tx = _AXES, _AXES * size, _AXES * size * size
    for task in prange(tasks):
        into = grad_values[task].reshape(-1)
        if slopes is not None:
            lean = grad_slopes[task].reshape(-1)
        for job in range(task, views * patches, tasks):
            view, top, left_edge = job // patches, job % patches // patches_x * PATCH, job % patches % patches_x * PATCH
            camera, light = cameras[view], lights[view]
            rows, columns = min(PATCH, height - top), min(PATCH, width - left_edge)
            for pixel in range(rows * columns):
                row, column = top + pixel // columns, left_edge + pixel % columns
                u = jitter[view, row, column]
                dx, dy, dz, scale, near, far, first, last = _open_ray(camera, column, row, reach)
                zero = near * _ZERO
                g0, g1, g2 = (
                    grad_rgb[view, row, column, 0],
                    grad_rgb[view, row, column, 1],
                    grad_rgb[view, row, column, 2],
                )
                ga = grad_alpha[view, row, column]
                alpha_end = opacity[view, row, column]
                # What is still to come of the product of the image and its gradient, background and all.
                behind = ga * alpha_end
                behind += (
                    g0 * rgb[view, row, column, 0] + g1 * rgb[view, row, column, 1] + g2 * rgb[view, row, column, 2]
                )
                total, moment = zero, zero
                if slopes is not None:
                    out, wanted = sums[view, row, column], grad_sums[view, row, column]
                    behind += wanted[0] * out[0] + wanted[1] * out[1] + wanted[2] * out[2] + wanted[3] * out[3]
                    behind += wanted[4] * out[4] + _TWO * wanted[6] * out[6]  # of second degree in the weights
                    moment_end = middles[view, row, column]
                left = zero + _ONE
                index = zero + np.float32(math.floor((first - near) / step)) if first < last else zero
                start = near + index * step if first < last else zero + _FAR
                while start < last and left > STOP:
                    length = min(start + step, far) - start
                    t = start + u * length
                    x, y, z = camera[9] + t * dx, camera[10] + t * dy, camera[11] + t * dz
                    (i, fx), (j, fy), (k, fz) = _cell(x, cells), _cell(y, cells), _cell(z, cells)
                    if marks[((i >> _SHIFT) * blocks + (j >> _SHIFT)) * blocks + (k >> _SHIFT)]:
                        node = (i * size + j) * size + k
                        base = node * _CHANNELS
                        raw = _mix(flat, base, sx, sy, sz, fx, fy, fz)
                        if raw > _EMPTY:
                            w = _corners(fx, fy, fz)
                            alpha, steepness = _opacity(raw, length)
                            weight = left * alpha
                            left = left - weight
                            product, shade, is_white = ga, zero + _ONE, False
                            lx, ly, lz = zero, zero, zero
                            if slopes is not None:
                                nx, ny, nz, inverse = _normal(tilt, node * _AXES, tx, ty, tz, w)
                                depth = t / scale
                                offset = depth - camera[12]
                                product += wanted[0] * depth + wanted[4] * offset * offset
                                product += wanted[1] * nx + wanted[2] * ny + wanted[3] * nz
                                middle = (start - near + _HALF * length) / _DIAGONAL
                                spread = middle * total - moment
                                total += weight
                                moment += weight * middle
                                spread += moment_end - moment - middle * (alpha_end - total)
                                product += wanted[6] * _TWO * (spread + weight * _THIRD * length / _DIAGONAL)
                                facing = _TWO * max(nx * dx + ny * dy + nz * dz, _ZERO) * wanted[5]
                                qx = wanted[1] + facing * dx
                                qy = wanted[2] + facing * dy
                                qz = wanted[3] + facing * dz
                                if light[0] != ALBEDO:
                                    shade, lx, ly, lz = _light_at(light, x, y, z, nx, ny, nz)
                                    is_white = light[0] == TEXTURELESS
                            if is_white:
                                tone = g0 + g1 + g2
                            else:
                                a = base + np.uint64(1)
                                b = base + np.uint64(2)
                                c = base + np.uint64(3)
                                c0 = _sigmoid(_weighted(flat, a, sx, sy, sz, w))
                                c1 = _sigmoid(_weighted(flat, b, sx, sy, sz, w))
                                c2 = _sigmoid(_weighted(flat, c, sx, sy, sz, w))
                                tone = g0 * c0 + g1 * c1 + g2 * c2
                                amount = weight * shade
                                _spread(into, a, sx, sy, sz, w, amount * g0 * c0 * (_ONE - c0))
                                _spread(into, b, sx, sy, sz, w, amount * g1 * c1 * (_ONE - c1))
                                _spread(into, c, sx, sy, sz, w, amount * g2 * c2 * (_ONE - c2))
                            product += shade * tone
                            behind -= weight * product
                            _spread(into, base, sx, sy, sz, w, steepness * (left * product - behind))
                            if slopes is not None:
                                if light[0] != ALBEDO:
                                    qx, qy, qz = qx + tone * lx, qy + tone * ly, qz + tone * lz
                                along = qx * nx + qy * ny + qz * nz  # pyright: ignore[reportOperatorIssue]
                                amount = -weight * inverse
                                a = node * _AXES
                                _spread(lean, a, tx, ty, tz, w, amount * (qx - along * nx))
                                a += np.uint64(1)
                                _spread(lean, a, tx, ty, tz, w, amount * (qy - along * ny))
                                a += np.uint64(1)
                                _spread(lean, a, tx, ty, tz, w, amount * (qz - along * nz))
                    index += _ONE
                    start = near + index * step
