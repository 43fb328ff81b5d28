"""Project Gaussians into the images and differentiate that: numba kernels, parallel over Gaussians.

Works in the precision of its arrays (float32 in use, float64 in tests). The constants are those of gsplat 1.5.3.
Source: Zwicker et al., EWA splatting, 2002; Kerbl et al., 3D Gaussian Splatting, 2023, section 4; Ye and Kanazawa,
Mathematical supplement for the gsplat library, 2023.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from backend.rendering.compiled import ONLY_PRANGE, compiled

# Typed, because a Python float in a numba kernel would turn float32 arithmetic into float64.
ALPHA_THRESHOLD = np.float32(1.0 / 255.0)
EPS2D = np.float32(0.3)  # variance in square pixels that is added to every splat
NEAR_PLANE = np.float32(0.01)
FAR_PLANE = np.float32(1e10)
CLIP_MARGIN = 0.3  # of the field of view: farther out, the affine approximation uses the clamped direction

_ONE, _TWO, _HALF, _TINY = np.float32(1.0), np.float32(2.0), np.float32(0.5), np.float32(1e-6)
# Columns of a splat: mean x, y; conic a, b, c; opacity; then the channels r, g, b [, z, normal x, y, z].
CHANNELS = 6


def camera_table(world_to_camera: np.ndarray, intrinsics: np.ndarray, width: int, height: int) -> np.ndarray:
    """Pack one row per camera, [B, 25].

    Columns: rotation 0-8, translation 9-11, fx fy cx cy 12-15, limits of x/z 16-17 and y/z 18-19, width 20, height 21,
    position 22-24.
    """
    table = np.empty((len(intrinsics), 25), dtype=world_to_camera.dtype)
    rotation, translation = world_to_camera[:, :3, :3], world_to_camera[:, :3, 3]
    table[:, :9] = rotation.reshape(-1, 9)
    table[:, 9:12] = translation
    table[:, 12], table[:, 13] = intrinsics[:, 0, 0], intrinsics[:, 1, 1]
    table[:, 14], table[:, 15] = intrinsics[:, 0, 2], intrinsics[:, 1, 2]
    for axis, pixels in enumerate((width, height)):
        focal, centre = intrinsics[:, axis, axis], intrinsics[:, axis, 2]
        margin = CLIP_MARGIN * 0.5 * pixels / focal
        table[:, 16 + 2 * axis] = -centre / focal - margin
        table[:, 17 + 2 * axis] = (pixels - centre) / focal + margin
    table[:, 20], table[:, 21] = width, height
    table[:, 22:] = -np.einsum("bij,bi->bj", rotation, translation)
    return table


@compiled()
def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled()
def _rotation(quaternions, g):
    """Return the rows of the rotation of quaternion g (w, x, y, z, any length), the unit quaternion and 1 / length."""
    w, x, y, z = quaternions[g, 0], quaternions[g, 1], quaternions[g, 2], quaternions[g, 3]
    inverse = _ONE / math.sqrt(w * w + x * x + y * y + z * z)
    w, x, y, z = w * inverse, x * inverse, y * inverse, z * inverse
    rows = (
        (_ONE - _TWO * (y * y + z * z), _TWO * (x * y - w * z), _TWO * (x * z + w * y)),
        (_TWO * (x * y + w * z), _ONE - _TWO * (x * x + z * z), _TWO * (y * z - w * x)),
        (_TWO * (x * z - w * y), _TWO * (y * z + w * x), _ONE - _TWO * (x * x + y * y)),
    )
    return rows, (w, x, y, z), inverse


@compiled()
def _to_camera(camera, means, g):
    """Return the mean of Gaussian g in camera space."""
    point = (means[g, 0], means[g, 1], means[g, 2])
    return (
        _dot((camera[0], camera[1], camera[2]), point) + camera[9],
        _dot((camera[3], camera[4], camera[5]), point) + camera[10],
        _dot((camera[6], camera[7], camera[8]), point) + camera[11],
    )


@compiled()
def _affine(camera, point):
    """Return the Jacobian times the rotation (two rows of 3), and the clamped x/z and y/z."""
    inverse_z = _ONE / point[2]
    slope_x = min(max(point[0] * inverse_z, camera[16]), camera[17])
    slope_y = min(max(point[1] * inverse_z, camera[18]), camera[19])
    along_x, along_y = camera[12] * inverse_z, camera[13] * inverse_z
    first = (
        along_x * (camera[0] - slope_x * camera[6]),
        along_x * (camera[1] - slope_x * camera[7]),
        along_x * (camera[2] - slope_x * camera[8]),
    )
    second = (
        along_y * (camera[3] - slope_y * camera[6]),
        along_y * (camera[4] - slope_y * camera[7]),
        along_y * (camera[5] - slope_y * camera[8]),
    )
    return first, second, slope_x, slope_y


@compiled()
def _times_columns(row, rotation, scales, g):
    """Return row @ rotation @ diag(scales of g)."""
    return (
        (row[0] * rotation[0][0] + row[1] * rotation[1][0] + row[2] * rotation[2][0]) * scales[g, 0],
        (row[0] * rotation[0][1] + row[1] * rotation[1][1] + row[2] * rotation[2][1]) * scales[g, 1],
        (row[0] * rotation[0][2] + row[1] * rotation[1][2] + row[2] * rotation[2][2]) * scales[g, 2],
    )


@compiled()
def _shortest_axis(rotation, scales, means, camera, g):
    """Return the index of the shortest axis, and +1 or -1 so that the axis faces the camera."""
    axis = 0
    if scales[g, 1] < scales[g, axis]:
        axis = 1
    if scales[g, 2] < scales[g, axis]:
        axis = 2
    facing = (
        rotation[0][axis] * (means[g, 0] - camera[22])
        + rotation[1][axis] * (means[g, 1] - camera[23])
        + rotation[2][axis] * (means[g, 2] - camera[24])
    )
    return axis, -_ONE if facing > 0 else _ONE


@compiled(parallel=ONLY_PRANGE)
def project(means, quaternions, scales, opacities, colours, cameras, antialiased, splats, depths, reach):
    """Fill splats [B * N, 9 or 13], depths [B * N] float32 and reach [B * N, 2] for all cameras.

    Reach is how many pixels the splat extends to either side before alpha falls below 1/255; 0 means culled.
    Colours are [B or 1, N, 3]. With 13 columns, camera z and the world-space normal are filled too. Antialiased, the
    low-pass spreads the light of a splat instead of adding to it: with M its covariance, opacity takes the factor
    sqrt(det M / det (M + e I)). Source of that: Yu et al., Mip-Splatting, 2024, eq. 10; gsplat's add_blur.
    """
    count = len(means)
    for g in prange(count):
        rotation, _, _ = _rotation(quaternions, g)
        for view in range(len(cameras)):
            i = view * count + g
            reach[i, 0] = reach[i, 1] = 0
            depths[i] = 0
            if _project_one(
                means, rotation, scales, opacities[g], cameras, antialiased, view, g, splats, depths, reach, i
            ):
                shared = min(view, len(colours) - 1)
                for channel in range(3):
                    splats[i, CHANNELS + channel] = colours[shared, g, channel]


@compiled()
def _project_one(means, rotation, scales, opacity, cameras, antialiased, view, g, splats, depths, reach, i):
    """Fill row i but for its colours; return whether the camera sees it."""
    camera = cameras[view]
    point = _to_camera(camera, means, g)
    if not (opacity >= ALPHA_THRESHOLD and point[2] >= NEAR_PLANE and point[2] <= FAR_PLANE):
        return False
    first, second, _, _ = _affine(camera, point)
    first = _times_columns(first, rotation, scales, g)
    second = _times_columns(second, rotation, scales, g)
    xx, xy, yy = _dot(first, first), _dot(first, second), _dot(second, second)
    cross = (
        first[1] * second[2] - first[2] * second[1],
        first[2] * second[0] - first[0] * second[2],
        first[0] * second[1] - first[1] * second[0],
    )
    # Lagrange's identity: the determinant of the blurred covariance without cancellation, so never negative.
    sharp = _dot(cross, cross)
    determinant = sharp + EPS2D * (xx + yy + EPS2D)
    xx, yy = xx + EPS2D, yy + EPS2D
    if antialiased:
        opacity *= math.sqrt(sharp / determinant)
        if not opacity >= ALPHA_THRESHOLD:
            return False
    x = camera[12] * point[0] / point[2] + camera[14]
    y = camera[13] * point[1] / point[2] + camera[15]
    cut = math.sqrt(_TWO * math.log(opacity / ALPHA_THRESHOLD))
    reach_x, reach_y = cut * math.sqrt(xx), cut * math.sqrt(yy)
    inside = x + reach_x > 0 and x - reach_x < camera[20] and y + reach_y > 0 and y - reach_y < camera[21]
    inverse = _ONE / determinant
    if not (inside and inverse > 0 and reach_x > 0 and reach_y > 0):  # false for NaN and infinity as well
        return False
    splats[i, 0], splats[i, 1] = x, y
    splats[i, 2], splats[i, 3], splats[i, 4] = yy * inverse, -xy * inverse, xx * inverse
    splats[i, 5] = opacity
    if splats.shape[1] > CHANNELS + 3:
        axis, sign = _shortest_axis(rotation, scales, means, camera, g)
        splats[i, CHANNELS + 3] = point[2]
        for row in range(3):
            splats[i, CHANNELS + 4 + row] = sign * rotation[row][axis]
    depths[i] = point[2]
    reach[i, 0], reach[i, 1] = reach_x, reach_y
    return True


@compiled(parallel=ONLY_PRANGE)
def project_backward(
    means, quaternions, scales, opacities, cameras, antialiased, offsets, partial,
    grad_means, grad_quaternions, grad_scales, grad_opacities, grad_colours, grad_screen,
):  # fmt: skip
    """Sum the gradients of each Gaussian's slots in order, and carry them to its parameters.

    partial [S, columns of splats] holds d(loss) / d(splat) of slots offsets[i] to offsets[i + 1] of splat i, with the
    covariance xx, xy, yy in place of the conic. Adds to gradients of the shapes of the parameters, and of the
    projected means in pixels, grad_screen [B, N, 2].
    """
    count = len(means)
    for g in prange(count):
        rotation, _, _ = _rotation(quaternions, g)
        total = np.empty(partial.shape[1], means.dtype)
        matrix = np.zeros((3, 3), means.dtype)  # d(loss) / d(rotation * scales)
        turned = np.zeros((3, 3), means.dtype)  # d(loss) / d(rotation)
        for view in range(len(cameras)):
            i = view * count + g
            if offsets[i] < offsets[i + 1]:
                total[:] = 0
                for slot in range(offsets[i], offsets[i + 1]):
                    for column in range(len(total)):
                        total[column] += partial[slot, column]
                grad_screen[view, g, 0], grad_screen[view, g, 1] = total[0], total[1]
                if antialiased:
                    total[5] *= _compensation_backward(means, rotation, scales, opacities[g], cameras[view], g, total)
                grad_opacities[g] += total[5]
                shared = min(view, len(grad_colours) - 1)
                for channel in range(3):
                    grad_colours[shared, g, channel] += total[CHANNELS + channel]
                _view_backward(means, rotation, scales, cameras, view, g, total, grad_means, matrix, turned)
        _shape_backward(quaternions, scales, g, matrix, turned, grad_quaternions, grad_scales)


@compiled()
def _compensation_backward(means, rotation, scales, opacity, camera, g, total):
    """Return one view's compensation c, and add d(loss) / d(c) through the covariance to total[2:5].

    With M the covariance and B = M + e I: d(c^2) / dM = (1 - c^2) B^-1 - e det(B^-1) I. Source: gsplat's add_blur_vjp.
    """
    first, second, _, _ = _affine(camera, _to_camera(camera, means, g))
    u = _times_columns(first, rotation, scales, g)
    v = _times_columns(second, rotation, scales, g)
    cross = (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])
    sharp, xx, yy = _dot(cross, cross), _dot(u, u), _dot(v, v)
    inverse = _ONE / (sharp + EPS2D * (xx + yy + EPS2D))
    squared = sharp * inverse
    compensation = math.sqrt(squared)
    slope = total[5] * opacity * _HALF / (compensation + _TINY) * inverse
    total[2] += slope * ((_ONE - squared) * (yy + EPS2D) - EPS2D)
    total[3] -= slope * (_ONE - squared) * _dot(u, v)
    total[4] += slope * ((_ONE - squared) * (xx + EPS2D) - EPS2D)
    return compensation


@compiled()
def _view_backward(means, rotation, scales, cameras, view, g, total, grad_means, matrix, turned):
    """Carry one view's d(loss) / d(splat) to the mean, to rotation * scales (matrix) and to the rotation (turned)."""
    camera = cameras[view]
    x, y, z = _to_camera(camera, means, g)
    inverse_z = _ONE / z
    # Covariance = A @ A.T with A = affine @ rotation * scales, its rows u and v.
    first, second, slope_x, slope_y = _affine(camera, (x, y, z))
    u = _times_columns(first, rotation, scales, g)
    v = _times_columns(second, rotation, scales, g)
    xx, xy, yy = _TWO * total[2], _TWO * total[3], _TWO * total[4]
    du = (xx * u[0] + xy * v[0], xx * u[1] + xy * v[1], xx * u[2] + xy * v[2])
    dv = (xy * u[0] + yy * v[0], xy * u[1] + yy * v[1], xy * u[2] + yy * v[2])
    for row in range(3):
        for column in range(3):
            matrix[row, column] += first[row] * du[column] + second[row] * dv[column]
    stretched = (du[0] * scales[g, 0], du[1] * scales[g, 1], du[2] * scales[g, 2])
    d_first = (_dot(rotation[0], stretched), _dot(rotation[1], stretched), _dot(rotation[2], stretched))
    stretched = (dv[0] * scales[g, 0], dv[1] * scales[g, 1], dv[2] * scales[g, 2])
    d_second = (_dot(rotation[0], stretched), _dot(rotation[1], stretched), _dot(rotation[2], stretched))
    forward_axis = (camera[6], camera[7], camera[8])
    j00, j02 = _dot(d_first, (camera[0], camera[1], camera[2])), _dot(d_first, forward_axis)
    j11, j12 = _dot(d_second, (camera[3], camera[4], camera[5])), _dot(d_second, forward_axis)
    along_x, along_y = camera[12] * inverse_z, camera[13] * inverse_z
    # J = [fx/z, 0, -fx/z * slope_x; 0, fy/z, -fy/z * slope_y]: first the change of 1/z, then that of the slope.
    dx, dy = along_x * total[0], along_y * total[1]
    dz = -inverse_z * (dx * x + dy * y)
    dz -= inverse_z * (along_x * (j00 - slope_x * j02) + along_y * (j11 - slope_y * j12))
    if camera[16] <= x * inverse_z <= camera[17]:
        dx -= along_x * inverse_z * j02
        dz += along_x * inverse_z * slope_x * j02
    if camera[18] <= y * inverse_z <= camera[19]:
        dy -= along_y * inverse_z * j12
        dz += along_y * inverse_z * slope_y * j12
    if len(total) > CHANNELS + 3:
        dz += total[CHANNELS + 3]
        axis, sign = _shortest_axis(rotation, scales, means, camera, g)
        for row in range(3):
            turned[row, axis] += sign * total[CHANNELS + 4 + row]
    for column in range(3):
        grad_means[g, column] += camera[column] * dx + camera[3 + column] * dy + camera[6 + column] * dz


@compiled()
def _shape_backward(quaternions, scales, g, matrix, turned, grad_quaternions, grad_scales):
    """Carry d(loss) / d(rotation * scales) and d(loss) / d(rotation) to scales and quaternion."""
    rotation, (w, x, y, z), inverse_length = _rotation(quaternions, g)
    r = turned
    for column in range(3):
        for row in range(3):
            grad_scales[g, column] += matrix[row, column] * rotation[row][column]
            r[row, column] += matrix[row, column] * scales[g, column]
    dw = _TWO * (x * (r[2, 1] - r[1, 2]) + y * (r[0, 2] - r[2, 0]) + z * (r[1, 0] - r[0, 1]))
    dx = _TWO * (
        y * (r[0, 1] + r[1, 0]) + z * (r[0, 2] + r[2, 0]) + w * (r[2, 1] - r[1, 2]) - _TWO * x * (r[1, 1] + r[2, 2])
    )
    dy = _TWO * (
        x * (r[0, 1] + r[1, 0]) + z * (r[1, 2] + r[2, 1]) + w * (r[0, 2] - r[2, 0]) - _TWO * y * (r[0, 0] + r[2, 2])
    )
    dz = _TWO * (
        x * (r[0, 2] + r[2, 0]) + y * (r[1, 2] + r[2, 1]) + w * (r[1, 0] - r[0, 1]) - _TWO * z * (r[0, 0] + r[1, 1])
    )
    along = w * dw + x * dx + y * dy + z * dz
    grad_quaternions[g, 0] = (dw - w * along) * inverse_length
    grad_quaternions[g, 1] = (dx - x * along) * inverse_length
    grad_quaternions[g, 2] = (dy - y * along) * inverse_length
    grad_quaternions[g, 3] = (dz - z * along) * inverse_length
