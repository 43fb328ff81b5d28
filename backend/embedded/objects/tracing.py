"""Signed distances of forms and the sphere tracer, compiled for the CPU. Reads the tables of `forms.py`.

Rays are culled against bounding spheres first, a block of pixels at a time, so that each evaluates the few
primitives that it can meet. Distances are bounds: a smooth union of distances is one, and deformations divide by the
most that they stretch. Primitives: Quilez, Distance functions, 2008 to 2024; smooth union: the same, quadratic.
"""

# pyright: reportIndexIssue=false
from __future__ import annotations

import math

import numpy as np

from backend.rendering.compiled import compiled

KINDS = ("ellipsoid", "box", "cone", "torus", "limb", "arc", "prism", "star", "heart", "wedge", "pyramid")
# A row: centre 0:3, object -> own frame 3:12, size 12:15, rounding 15, blend 16, cut 17, bounding radius 18, kind 19,
# slot 20. Placement: offset 0:3, scale 3, bend 4, twist 5, taper 6, factor that keeps distances bounds 7, width 8 and
# depth 9 as multiples of what they were.
ROW, PLACEMENT, FACTOR = 21, 10, 7
# What a ray finds: coverage 0, hit 1, way 2, normal 3:6, point of the texture 6:9, slot 9, open sky 10, sunlit 11,
# start 12.
FOUND = 13
MOST_STEPS = 80
BLOCK = 4
BOUND = 0.92 * 1.1
STAR_INNER = 0.45


@compiled()
def _straight(x, y, z, placement):  # type: ignore[no-untyped-def]
    """Undo bend, twist, taper and stretch, in this order; the form was stretched first."""
    bend, twist, taper = placement[4], placement[5], placement[6]
    if bend != 0.0:
        side = 1.0 if bend > 0 else -1.0
        radius = 1.0 / abs(bend)
        across = radius - side * x
        rho = math.sqrt(across * across + z * z)
        # Beyond the centre of curvature nothing lies; there the map would stretch without end.
        x, z = side * (radius - rho), radius * math.atan2(z, max(across, 0.35 * radius))
    if twist != 0.0:
        c, s = math.cos(twist * z), math.sin(twist * z)
        x, y = c * x + s * y, c * y - s * x
    if taper != 0.0:
        width = max(1.0 + taper * z, 0.4)
        x, y = x / width, y / width
    return x / placement[8], y / placement[9], z


@compiled()
def straightened(points, placement):  # type: ignore[no-untyped-def]
    """Return where points [N, 3] of the deformed form come from."""
    out = np.empty_like(points)
    for i in range(len(points)):
        out[i, 0], out[i, 1], out[i, 2] = _straight(points[i, 0], points[i, 1], points[i, 2], placement)
    return out


@compiled()
def _extruded(flat, z, half):  # type: ignore[no-untyped-def]
    up = abs(z) - half
    return min(max(flat, up), 0.0) + math.hypot(max(flat, 0.0), max(up, 0.0))


@compiled()
def _primitive(kind, x, y, z, a, b, c, r):  # type: ignore[no-untyped-def]
    """Return the distance to a primitive in its own frame."""
    if kind == 0:
        if a == b and b == c:
            return math.sqrt(x * x + y * y + z * z) - a
        u, v, w = x / a, y / b, z / c
        k0 = math.sqrt(u * u + v * v + w * w)
        u, v, w = u / a, v / b, w / c
        return k0 * (k0 - 1.0) / max(math.sqrt(u * u + v * v + w * w), 1e-6)
    if kind == 1:
        u, v, w = abs(x) - (a - r), abs(y) - (b - r), abs(z) - (c - r)
        outside = math.sqrt(max(u, 0.0) ** 2 + max(v, 0.0) ** 2 + max(w, 0.0) ** 2)
        return outside + min(max(u, max(v, w)), 0.0) - r
    if kind == 2:
        q = math.sqrt(x * x + y * y)
        below, above, h = a - r, b - r, c - r
        cap_x = q - min(q, below if z < 0 else above)
        cap_y = abs(z) - h
        s = ((above - q) * (above - below) + (h - z) * 2 * h) / ((above - below) ** 2 + 4 * h * h)
        s = min(max(s, 0.0), 1.0)
        side_x, side_y = q - above + (above - below) * s, z - h + 2 * h * s
        sign = -1.0 if side_x < 0 and cap_y < 0 else 1.0
        return sign * math.sqrt(min(cap_x * cap_x + cap_y * cap_y, side_x * side_x + side_y * side_y)) - r
    if kind == 3:
        return math.hypot(math.sqrt(x * x + y * y) - a, z) - b
    if kind == 4:
        q, up = math.sqrt(x * x + y * y), z + c
        lean = min(max((a - b) / (2 * c), -0.999), 0.999)
        across = math.sqrt(1 - lean * lean)
        k = across * up - lean * q
        if k < 0:
            return math.hypot(q, up) - a
        if k > across * 2 * c:
            return math.hypot(q, up - 2 * c) - b
        return across * q + lean * up - a
    if kind == 5:
        sine, cosine = math.sin(math.radians(c)), math.cos(math.radians(c))
        x = abs(x)
        k = x * sine + y * cosine if cosine * x > sine * y else math.sqrt(x * x + y * y)
        return math.sqrt(max(x * x + y * y + z * z + a * a - 2 * a * k, 0.0)) - b
    if kind == 6:
        sector = 2 * math.pi / c
        angle, q = math.atan2(y, x), math.sqrt(x * x + y * y)
        angle -= sector * np.floor(angle / sector + 0.5)
        inner = a - r
        out, along = q * math.cos(angle) - inner, q * abs(math.sin(angle)) - inner * math.tan(sector / 2)
        flat = math.hypot(out, along) if out > 0 and along > 0 else out
        return _extruded(flat, z, b - r) - r
    if kind == 7:
        half = math.pi / c
        angle, q = math.atan2(x, y), math.sqrt(x * x + y * y)  # a point upwards
        angle = abs(angle - 2 * half * np.floor(angle / (2 * half) + 0.5))
        px, py = q * math.cos(angle), q * math.sin(angle)
        outer = a - r
        bx, by = outer * STAR_INNER * math.cos(half) - outer, outer * STAR_INNER * math.sin(half)
        s = min(max(((px - outer) * bx + py * by) / (bx * bx + by * by), 0.0), 1.0)
        flat = math.hypot(px - outer - s * bx, py - s * by)
        if (px - outer) * by - py * bx < 0:
            flat = -flat
        return _extruded(flat, z, b - r) - r
    if kind == 8:
        px, py = abs(x) / a, y / a
        if py + px > 1:
            flat = math.hypot(px - 0.25, py - 0.75) - math.sqrt(2.0) / 4
        else:
            m = 0.5 * max(px + py, 0.0)
            flat = math.sqrt(min(px * px + (py - 1) ** 2, (px - m) ** 2 + (py - m) ** 2))
            flat = flat if px > py else -flat
        return _extruded(flat * a, z, b)
    side = (2 * c * (abs(x) - a) + a * (z + c)) / math.sqrt(4 * c * c + a * a)
    if kind == 9:
        return max(side, max(abs(y) - b, -z - c))
    return max(max(side, (2 * c * (abs(y) - b) + b * (z + c)) / math.sqrt(4 * c * c + b * b)), -z - c)


@compiled()
def smooth_minimum(a, b, k):  # type: ignore[no-untyped-def]
    """Return min(a, b), rounded off by up to k / 4 where the two differ by less than k."""
    if k <= 0.0:
        return min(a, b)
    h = max(k - abs(a - b), 0.0) / k
    return min(a, b) - h * h * k * 0.25


@compiled()
def _own(rows, i, x, y, z):  # type: ignore[no-untyped-def]
    u, v, w = x - rows[i, 0], y - rows[i, 1], z - rows[i, 2]
    return _primitive(
        int(rows[i, 19]),
        rows[i, 3] * u + rows[i, 4] * v + rows[i, 5] * w,
        rows[i, 6] * u + rows[i, 7] * v + rows[i, 8] * w,
        rows[i, 9] * u + rows[i, 10] * v + rows[i, 11] * w,
        rows[i, 12], rows[i, 13], rows[i, 14], rows[i, 15],
    )  # fmt: skip


@compiled()
def _local(x, y, z, placement):  # type: ignore[no-untyped-def]
    s = placement[3]
    return _straight(x / s + placement[0], y / s + placement[1], z / s + placement[2], placement)


@compiled()
def _distance(x, y, z, rows, placement, chosen, count):  # type: ignore[no-untyped-def]
    x, y, z = _local(x, y, z, placement)
    total = 1e9
    for n in range(count):
        i = chosen[n]
        u, v, w = x - rows[i, 0], y - rows[i, 1], z - rows[i, 2]
        # Beyond its bounding sphere a primitive is at least this far away: often farther than what is known already.
        room = rows[i, 18] + rows[i, 16] + (-total if rows[i, 17] else total)
        if (rows[i, 17] or total < 1e8) and (room < 0 or u * u + v * v + w * w > room * room):
            continue
        if rows[i, 17]:
            total = -smooth_minimum(-total, _own(rows, i, x, y, z), rows[i, 16])
        elif total > 1e8:
            total = _own(rows, i, x, y, z)
        else:
            total = smooth_minimum(total, _own(rows, i, x, y, z), rows[i, 16])
    return total * placement[3] * placement[7]


@compiled()
def distances_at(points, rows, placement):  # type: ignore[no-untyped-def]
    """Return the signed distances [N] of world points [N, 3]."""
    chosen = np.arange(len(rows))
    out = np.empty(len(points))
    for i in range(len(points)):
        out[i] = _distance(points[i, 0], points[i, 1], points[i, 2], rows, placement, chosen, len(rows))
    return out


@compiled()
def _slot(x, y, z, rows, chosen, count):  # type: ignore[no-untyped-def]
    """Return the slot of the part whose surface is nearest, at a local point; cuts lay bare what they cut."""
    best, slot = 1e9, 0.0
    for n in range(count):
        i = chosen[n]
        if rows[i, 17]:
            continue
        d = _own(rows, i, x, y, z)
        for m in range(n + 1, count):
            if rows[chosen[m], 17]:
                d = max(d, -_own(rows, chosen[m], x, y, z))
        if d < best:
            best, slot = d, rows[i, 20]
    return slot


@compiled()
def materials_at(points, rows, placement):  # type: ignore[no-untyped-def]
    """Return of world points [N, 3] what their material is looked up by, [N, 4]: the texture's point and the slot."""
    chosen = np.arange(len(rows))
    out = np.empty((len(points), 4))
    for i in range(len(points)):
        u, v, w = _local(points[i, 0], points[i, 1], points[i, 2], placement)
        out[i, 3] = _slot(u, v, w, rows, chosen, len(rows))
        s = placement[3]
        out[i, 0], out[i, 1], out[i, 2] = (u - placement[0]) * s, (v - placement[1]) * s, (w - placement[2]) * s
    return out


@compiled()
def _meetable(rows, placement, o, d, spread, chosen):  # type: ignore[no-untyped-def]
    """List the rows whose bounding spheres a cone about a ray can meet, in their order; all of a deformed form."""
    count, s, soft = 0, placement[3], 0.0
    for i in range(len(rows)):  # a soft joint draws in what lies within 5/4 of its width
        soft = max(soft, 1.25 * rows[i, 16])
    deformed = placement[4] != 0.0 or placement[5] != 0.0 or placement[6] != 0.0
    deformed = deformed or placement[8] != 1.0 or placement[9] != 1.0
    for i in range(len(rows)):
        u = rows[i, 0] - (o[0] / s + placement[0])
        v = rows[i, 1] - (o[1] / s + placement[1])
        w = rows[i, 2] - (o[2] / s + placement[2])
        along = u * d[0] + v * d[1] + w * d[2]
        radius = rows[i, 18] + soft
        room = radius + spread * max(along + radius, 0.0) + 0.01
        if deformed or u * u + v * v + w * w - along * along < room * room:
            chosen[count] = i
            count += 1
    return count


@compiled()
def _span(o, d):  # type: ignore[no-untyped-def]
    along = -(o[0] * d[0] + o[1] * d[1] + o[2] * d[2])
    half2 = BOUND * BOUND - (o[0] * o[0] + o[1] * o[1] + o[2] * o[2]) + along * along
    if half2 <= 0:
        return 1.0, 0.0
    half = math.sqrt(half2)
    return max(along - half, 0.05), along + half


@compiled()
def _follow(rows, placement, o, d, start, far, footprint, sun, shadows, chosen, count, everything, found):  # type: ignore[no-untyped-def]
    """March one ray and write down what it finds, [FOUND]."""
    found[:] = 0.0
    found[12] = start
    t, nearest, nearest_t, hit = start, 1e9, start, False
    for _ in range(MOST_STEPS):
        room = _distance(o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2], rows, placement, chosen, count)
        ratio = room / (footprint * t)
        if ratio < nearest:
            nearest, nearest_t = ratio, t
        if room < 1e-3:
            hit = True
            break
        t += room
        if t > far:
            break
    hit = hit or (t <= far and nearest < 0.5)  # the steps ran out along a surface
    coverage = 1.0 if hit else min(max(1.0 - nearest / placement[7], 0.0), 1.0)
    if coverage <= 0.0:
        return
    t = t if hit else nearest_t
    x, y, z = o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2]
    e = 1.5e-3
    a = _distance(x + e, y - e, z - e, rows, placement, chosen, count)
    b = _distance(x - e, y - e, z + e, rows, placement, chosen, count)
    c = _distance(x - e, y + e, z - e, rows, placement, chosen, count)
    f = _distance(x + e, y + e, z + e, rows, placement, chosen, count)
    nx, ny, nz = a - b - c + f, -a - b + c + f, -a + b - c + f
    length = max(math.sqrt(nx * nx + ny * ny + nz * nz), 1e-12)
    nx, ny, nz = nx / length, ny / length, nz / length
    found[0], found[1], found[2] = coverage, 1.0 if hit else 0.0, t
    found[3], found[4], found[5] = nx, ny, nz
    u, v, w = _local(x, y, z, placement)
    found[9] = _slot(u, v, w, rows, chosen, count)
    s = placement[3]
    found[6], found[7], found[8] = (u - placement[0]) * s, (v - placement[1]) * s, (w - placement[2]) * s
    full = len(rows)
    near = _distance(x + 0.05 * nx, y + 0.05 * ny, z + 0.05 * nz, rows, placement, everything, full) / 0.05
    wide = _distance(x + 0.14 * nx, y + 0.14 * ny, z + 0.14 * nz, rows, placement, everything, full) / 0.14
    near, wide = near / placement[7], wide / placement[7]
    found[10] = 0.35 * min(max(near, 0.0), 1.0) + 0.65 * min(max(wide, 0.0), 1.0)
    found[11] = 1.0
    if shadows and nx * sun[0] + ny * sun[1] + nz * sun[2] > 0:
        way, lit = 0.02, 1.0
        for _ in range(40):
            px, py, pz = x + 0.01 * nx + way * sun[0], y + 0.01 * ny + way * sun[1], z + 0.01 * nz + way * sun[2]
            room = _distance(px, py, pz, rows, placement, everything, full)
            lit = min(lit, 14.0 * room / way)
            if lit <= 0.0 or way > 2.0:
                break
            way += max(room, 0.01)
        found[11] = max(lit, 0.0)


@compiled()
def trace_views(rows, placement, poses, focal, size, sun, shadows):  # type: ignore[no-untyped-def]
    """Trace square images of `size` pixels from camera poses [V, 4, 4] with focal lengths [V]: [V, size, size, FOUND].

    `sun` [3] is the direction to the light; `shadows` says whether the object throws any on itself.
    """
    views = len(poses)
    found = np.zeros((views, size, size, FOUND), dtype=np.float32)
    everything, chosen = np.arange(len(rows)), np.zeros(len(rows), dtype=np.int64)
    o, d, one = np.zeros(3), np.zeros(3), np.zeros(FOUND)
    for view in range(views):
        o[:] = poses[view, :3, 3]
        pixel = 1.0 / focal[view]
        spread = pixel * (BLOCK * 0.5 * math.sqrt(2.0) + 1.0)
        for row in range(0, size, BLOCK):
            for column in range(0, size, BLOCK):
                _direction(poses[view], focal[view], size, column + BLOCK * 0.5, row + BLOCK * 0.5, d)
                t, far = _span(o, d)
                count = _meetable(rows, placement, o, d, spread, chosen)
                alive = False
                for _ in range(MOST_STEPS if count and far > t else 0):
                    room = _distance(o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2], rows, placement, chosen, count)
                    room -= spread * t * placement[7]
                    alive = room < 5e-4
                    if alive or t > far:
                        break
                    t += room / (1.0 + spread)
                if not alive and not (count and t <= far):
                    continue
                for i in range(row, min(row + BLOCK, size)):
                    for j in range(column, min(column + BLOCK, size)):
                        _direction(poses[view], focal[view], size, j + 0.5, i + 0.5, d)
                        _follow(
                            rows, placement, o, d, t, far, pixel, sun, shadows, chosen, count, everything, one
                        )  # fmt: skip
                        found[view, i, j] = one
    return found


@compiled()
def trace_again(rows, placement, poses, focal, size, sun, shadows, pixels, starts, samples):  # type: ignore[no-untyped-def]
    """Trace samples x samples rays through each of some pixels [N, 3] (view, row, column): [N, samples^2, FOUND]."""
    found = np.zeros((len(pixels), samples * samples, FOUND), dtype=np.float32)
    everything, chosen = np.arange(len(rows)), np.zeros(len(rows), dtype=np.int64)
    o, d, one = np.zeros(3), np.zeros(3), np.zeros(FOUND)
    for n in range(len(pixels)):
        view, row, column = pixels[n]
        o[:] = poses[view, :3, 3]
        pixel = 1.0 / focal[view]
        _direction(poses[view], focal[view], size, column + 0.5, row + 0.5, d)
        count = _meetable(rows, placement, o, d, 1.5 * pixel, chosen)
        far = _span(o, d)[1]
        for k in range(samples * samples):
            x, y = column + (k % samples + 0.5) / samples, row + (k // samples + 0.5) / samples
            _direction(poses[view], focal[view], size, x, y, d)
            _follow(
                rows, placement, o, d, starts[n], far, pixel / samples, sun, shadows, chosen, count, everything, one
            )
            found[n, k] = one
    return found


@compiled()
def _direction(pose, focal, size, x, y, out):  # type: ignore[no-untyped-def]
    u, v = (x - size * 0.5) / focal, (y - size * 0.5) / focal
    length = math.sqrt(u * u + v * v + 1.0)
    for i in range(3):
        out[i] = (pose[i, 0] * u + pose[i, 1] * v + pose[i, 2]) / length
