"""Solids: constructive geometry of signed distances, and the sphere tracer that photographs it (CPU or CUDA)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import torch

from backend.cameras import Cameras, rays

MAX_PRIMITIVES = 12
FIT_RADIUS = 0.92  # every object is scaled to fit a sphere of this radius
TRACE_STEPS = 48
HIT_DISTANCE = 2e-3
PATTERNS = ("plain", "stripes", "dots", "checks")


@dataclass(frozen=True)
class Primitive:
    """One signed-distance primitive: `rotation` and `centre` take its own frame into the object's.

    Sizes by kind: ellipsoid (rx, ry, rz) · box (hx, hy, hz half extents) · cone (bottom and top radius, half height,
    along its own z) · torus (ring radius, tube radius, unused; around its own z).
    """

    kind: str
    centre: tuple[float, float, float]
    size: tuple[float, float, float]
    slot: int = 0  # index into the object's colours
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)  # degrees about x, then y, then z
    rounding: float = 0.0
    cut: bool = False  # taken away from all primitives before it


@dataclass(frozen=True)
class Solid:
    """An object of at most twelve primitives with a colour for each slot; the pattern lies on slot 0."""

    primitives: tuple[Primitive, ...]
    colours: tuple[tuple[float, float, float], ...]  # sRGB by slot
    pattern: str = "plain"
    pattern_colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    pattern_frequency: float = 4.0
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)  # set by fit()
    scale: float = 1.0

    def __post_init__(self) -> None:
        if len(self.primitives) > MAX_PRIMITIVES:
            raise ValueError(f"{len(self.primitives)} primitives: an object has at most {MAX_PRIMITIVES}")


def distances(solid: Solid, points: torch.Tensor) -> torch.Tensor:
    """Return each primitive's signed distance, [P, ...], at world points [..., 3]; cut primitives too."""
    local = points / solid.scale + torch.tensor(solid.offset, device=points.device)
    return torch.stack([_primitive_distance(p, local) for p in solid.primitives]) * solid.scale


def signed_distance(solid: Solid, points: torch.Tensor) -> torch.Tensor:
    """Return the object's signed distance, [...], at world points [..., 3]: negative inside, a bound outside."""
    local = points / solid.scale + torch.tensor(solid.offset, device=points.device)
    total = None
    for primitive in solid.primitives:
        one = _primitive_distance(primitive, local)
        if total is None:
            total = one
        else:
            total = torch.maximum(total, -one) if primitive.cut else torch.minimum(total, one)
    assert total is not None
    return total * solid.scale


def fit(solid: Solid, resolution: int = 36) -> Solid:
    """Centre the object and scale it into the sphere of FIT_RADIUS, measured on a grid of its own bounds."""
    extent = max(math.dist(p.centre, (0, 0, 0)) + math.hypot(*p.size) + p.rounding for p in solid.primitives)
    line = torch.linspace(-extent, extent, resolution)
    grid = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1).reshape(-1, 3)
    unfitted = Solid(solid.primitives, solid.colours)
    low, high, inside = _grid_bounds(unfitted, grid)
    axes = [torch.linspace(float(a) - 0.02, float(b) + 0.02, resolution) for a, b in zip(low, high, strict=True)]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
    low, high, inside = _grid_bounds(unfitted, grid)  # and once more on a grid inside these bounds
    middle = (low + high) / 2
    radius = float((inside - middle).norm(dim=-1).max())
    return replace(solid, offset=tuple(middle.tolist()), scale=FIT_RADIUS / radius)


def _grid_bounds(solid: Solid, grid: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    inside = grid[signed_distance(solid, grid) < 0.4 * float((grid[1] - grid[0]).norm())]
    return inside.amin(0), inside.amax(0), inside


def albedo(solid: Solid, points: torch.Tensor) -> torch.Tensor:
    """Return the base colour [..., 3] (sRGB) of the nearest part at surface points [..., 3]."""
    each = list(distances(solid, points))
    for i, primitive in enumerate(solid.primitives):
        if primitive.cut:
            each[:i] = [torch.maximum(before, -each[i]) for before in each[:i]]
            each[i] = torch.full_like(each[i], math.inf)
    nearest = torch.stack(each).argmin(0)
    slots = torch.tensor([p.slot for p in solid.primitives], device=points.device)[nearest]
    colour = torch.tensor(solid.colours, device=points.device)[slots]
    if solid.pattern == "plain":
        return colour
    marked = (slots == 0) & _pattern_mask(solid.pattern, points * solid.pattern_frequency)
    return torch.where(marked[..., None], torch.tensor(solid.pattern_colour, device=points.device), colour)


@dataclass(frozen=True)
class Photograph:
    """What the tracer sees: rgb [B, H, W, 3] over the background, depth (camera z, 0 outside), world normal, mask."""

    rgb: torch.Tensor
    depth: torch.Tensor  # [B, H, W, 1]
    normal: torch.Tensor  # [B, H, W, 3]
    mask: torch.Tensor  # [B, H, W, 1]


def photograph(
    solid: Solid, cameras: Cameras, background: torch.Tensor, *, light: torch.Tensor | None = None, style: str = "matte"
) -> Photograph:
    """Trace the object from every camera, over background colours [B, 3] or [3].

    Light is a direction to the sun in world space, [3]; the rest is a sky brighter above than below. Silhouettes are
    anti-aliased by how closely a ray passes; mask, depth and normal are of the hits alone.
    """
    background = torch.as_tensor(background, dtype=torch.float32).expand(len(cameras), 3)
    sun = torch.nn.functional.normalize(torch.tensor([-0.4, -0.7, 0.8]) if light is None else light, dim=-1)
    height, width = cameras.height, cameras.width
    pixel = 1.0 / cameras.intrinsics[:, 0, 0]  # [B], angle of one pixel at the centre
    rows, t = _march_cones(solid, cameras, pixel)
    origins, directions = (r.reshape(-1, 3) for r in rays(cameras))
    origin, direction = origins[rows], directions[rows]
    view = rows // (height * width)
    footprint = pixel[view]
    far = _bounds(origin, direction)[1]

    nearest = torch.full_like(t, math.inf)  # smallest (distance / pixel footprint) along the ray
    nearest_t = t.clone()
    hit = torch.zeros_like(t, dtype=torch.bool)
    active = torch.arange(len(rows), device=t.device)
    for _ in range(TRACE_STEPS):
        if not len(active):
            break
        ta = t[active]
        d = signed_distance(solid, origin[active] + ta[:, None] * direction[active])
        ratio = d / (footprint[active] * ta)
        closer = ratio < nearest[active]
        nearest[active] = torch.where(closer, ratio, nearest[active])
        nearest_t[active] = torch.where(closer, ta, nearest_t[active])
        arrived = d < HIT_DISTANCE
        hit[active[arrived]] = True
        ta = torch.where(arrived, ta, ta + d.clamp_min(HIT_DISTANCE))
        t[active] = ta
        active = active[~arrived & (ta < far[active])]

    coverage = torch.where(hit, 1.0, (1.0 - nearest).clamp(0, 1))
    drawn = torch.nonzero(coverage > 0).squeeze(-1)
    t_drawn = torch.where(hit, t, nearest_t)[drawn]
    points = origin[drawn] + t_drawn[:, None] * direction[drawn]
    normals = _normals(solid, points)
    colour = _shade(solid, points, normals, direction[drawn], sun, style)

    pixels, seen = rows[drawn], hit[drawn]
    behind, amount = background[view[drawn]], coverage[drawn, None]
    rgb = background.repeat_interleave(height * width, 0)
    rgb[pixels] = amount * colour + (1 - amount) * behind
    mask, depth, normal = (torch.zeros(len(rgb), channels, device=rgb.device) for channels in (1, 1, 3))
    mask[pixels[seen]] = 1.0
    normal[pixels[seen]] = normals[seen]
    forward = cameras.camera_to_world[view[drawn], :3, 2]
    depth[pixels[seen]] = (t_drawn * (direction[drawn] * forward).sum(-1))[seen, None]
    return Photograph(*(v.reshape(len(cameras), height, width, -1) for v in (rgb, depth, normal, mask)))


def _march_cones(solid: Solid, cameras: Cameras, pixel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the flat indices of pixels whose ray may come near the object, and a safe start along each.

    One cone around each block of 4 x 4 pixels (and a pixel's margin) marches first: it is cheap, and most blocks
    either miss everything or start their own rays close to the surface.
    """
    block = 4
    height, width = cameras.height, cameras.width
    if height % block or width % block:
        raise ValueError(f"an image of {width} x {height} pixels: the tracer wants multiples of {block}")
    coarse = cameras.with_width(width // block)
    origin, direction = (r.reshape(-1, 3) for r in rays(coarse))
    t, far = _bounds(origin, direction)
    spread = (pixel * (block * 0.5 * math.sqrt(2) + 1.0)).repeat_interleave(coarse.height * coarse.width)
    alive = torch.zeros(len(t), dtype=torch.bool)
    active = torch.nonzero(far > t).squeeze(-1)
    for _ in range(TRACE_STEPS):
        ta = t[active]
        room = signed_distance(solid, origin[active] + ta[:, None] * direction[active]) - spread[active] * ta
        near = room < 0.25 * HIT_DISTANCE
        alive[active[near]] = True
        t[active] = torch.where(near, ta, ta + room.clamp_min(0))
        active = active[~near & (t[active] < far[active])]
        if not len(active):
            break
    alive[active] = True  # still marching when the steps ran out: not known to miss
    start = torch.where(alive, t, math.inf).reshape(len(cameras), height // block, width // block)
    start = start.repeat_interleave(block, 1).repeat_interleave(block, 2).reshape(-1)
    rows = torch.nonzero(start < math.inf).squeeze(-1)
    return rows, start[rows]


def _bounds(origin: torch.Tensor, direction: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return where rays enter and leave the bounding sphere; leaving lies before entering for those that miss it."""
    bound = FIT_RADIUS * 1.1
    along = -(origin * direction).sum(-1)
    half2 = bound**2 - (origin**2).sum(-1) + along**2
    half = half2.clamp_min(0).sqrt() - (half2 < 0).float()
    return along - half, along + half


def _shade(
    solid: Solid, points: torch.Tensor, normals: torch.Tensor, direction: torch.Tensor, sun: torch.Tensor, style: str
) -> torch.Tensor:
    base = albedo(solid, points)
    if style == "pastel":
        base = 0.45 * base + 0.55
    lambert = (normals @ sun).clamp_min(0)
    sky = 0.5 + 0.5 * normals[:, 2]
    open_sky = (signed_distance(solid, points + 0.14 * normals) / 0.14).clamp(0, 1)  # one-tap ambient occlusion
    light = (0.46 + 0.16 * sky) * (0.55 + 0.45 * open_sky) + 0.42 * lambert
    if style == "cartoon":
        facing = -(normals * direction).sum(-1)
        light = torch.where(light > 0.72, 1.0, 0.68) * torch.where(facing < 0.28, 0.12, 1.0)
    elif style == "neon":
        facing = -(normals * direction).sum(-1).clamp(-1, 0)
        light = 0.35 + 0.9 * (1 - facing) ** 1.5
    colour = base * light[:, None]
    if style == "glossy":
        half = torch.nn.functional.normalize(sun - direction, dim=-1)
        colour = colour + 0.75 * (normals * half).sum(-1).clamp_min(0)[:, None] ** 30
    return colour.clamp(0, 1)


def _normals(solid: Solid, points: torch.Tensor, epsilon: float = 2e-3) -> torch.Tensor:
    """Return unit gradients of the distance by the tetrahedron rule (four samples)."""
    corners = torch.tensor([[1.0, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])
    total = torch.zeros_like(points)
    for corner in corners:
        total = total + corner * signed_distance(solid, points + epsilon * corner)[:, None]
    return torch.nn.functional.normalize(total, dim=-1)


def _pattern_mask(pattern: str, p: torch.Tensor) -> torch.Tensor:
    if pattern == "stripes":
        return torch.remainder(p[..., 2], 1.0) < 0.4
    if pattern == "dots":
        return (torch.remainder(p, 1.0) - 0.5).square().sum(-1) < 0.12
    if pattern == "checks":
        return torch.remainder(torch.floor(p * 1.2).sum(-1), 2.0) < 0.5
    raise ValueError(f"unknown pattern {pattern!r}: one of {', '.join(PATTERNS)}")


def _primitive_distance(primitive: Primitive, points: torch.Tensor) -> torch.Tensor:
    p = points - torch.tensor(primitive.centre, device=points.device)
    if any(primitive.rotation):
        p = p @ rotation_matrix(primitive.rotation).to(points)  # rows times R is R^T p
    a, b, c = primitive.size
    x, y, z = p[..., 0], p[..., 1], p[..., 2]
    match primitive.kind:
        case "ellipsoid":
            if a == b == c:
                return p.norm(dim=-1) - a
            k0 = ((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2).sqrt()
            k1 = ((x / a**2) ** 2 + (y / b**2) ** 2 + (z / c**2) ** 2).sqrt()
            return k0 * (k0 - 1) / k1.clamp_min(1e-6)
        case "box":
            r = primitive.rounding
            qx, qy, qz = x.abs() - (a - r), y.abs() - (b - r), z.abs() - (c - r)
            outside = (qx.clamp_min(0) ** 2 + qy.clamp_min(0) ** 2 + qz.clamp_min(0) ** 2).sqrt()
            return outside + torch.maximum(qx, torch.maximum(qy, qz)).clamp_max(0) - r
        case "cone":
            return _cone_distance((x * x + y * y).sqrt(), z, a, b, c, primitive.rounding)
        case "torus":
            return (((x * x + y * y).sqrt() - a) ** 2 + z * z).sqrt() - b
        case kind:
            raise ValueError(f"unknown primitive {kind!r}: ellipsoid, box, cone or torus")


def _cone_distance(
    q: torch.Tensor, z: torch.Tensor, bottom: float, top: float, half: float, rounding: float
) -> torch.Tensor:
    """Return the exact distance to a capped cone in its (radius, height) half-plane."""
    r1, r2, h = bottom - rounding, top - rounding, half - rounding
    cap_x = q - torch.minimum(q, torch.where(z < 0, r1, r2))
    cap_y = z.abs() - h
    k1x, k1y, k2x, k2y = r2, h, r2 - r1, 2 * h
    s = (((k1x - q) * k2x + (k1y - z) * k2y) / (k2x * k2x + k2y * k2y)).clamp(0, 1)
    side_x, side_y = q - k1x + k2x * s, z - k1y + k2y * s
    sign = torch.where((side_x < 0) & (cap_y < 0), -1.0, 1.0)
    return sign * torch.minimum(cap_x**2 + cap_y**2, side_x**2 + side_y**2).sqrt() - rounding


@lru_cache(maxsize=4096)
def rotation_matrix(degrees: tuple[float, float, float]) -> torch.Tensor:
    """Return the 3x3 rotation about x, then y, then z."""
    result = torch.eye(3)
    for axis, angle in enumerate(degrees):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        one = torch.eye(3)
        one[i, i], one[i, j], one[j, i], one[j, j] = c, -s, s, c
        result = one @ result
    return result
