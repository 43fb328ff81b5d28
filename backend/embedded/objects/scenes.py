"""Pictures as people have them: an object cut from a clean render, put before something, and photographed badly.

For networks that see images (masks, depth, normals, image encoders). Everything is drawn from one `random.Random`.
"""

# pyright: reportArgumentType=false, reportOperatorIssue=false
# scipy.ndimage annotates what it returns by its defaults.
from __future__ import annotations

import io
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

Array = np.ndarray
BEHIND = ("plain", "fade", "room", "clouds", "lights", "tiles", "clutter")


@dataclass(frozen=True)
class Placement:
    """Where a render lies in the picture: scaled about its middle, then moved by shares of the picture's size."""

    scale: float
    right: float
    down: float


def draw_placement(rng: random.Random) -> Placement:
    """Draw a placement: most objects are whole, one in six is cropped by the border."""
    if rng.random() < 1 / 6:
        return Placement(rng.uniform(1.0, 1.5), rng.uniform(-0.25, 0.25), rng.uniform(-0.2, 0.2))
    scale = rng.uniform(0.55, 1.05)
    room = max(0.0, 0.5 - 0.45 * scale)
    return Placement(scale, rng.uniform(-room, room), rng.uniform(-room, room))


def placed(image: Array, placement: Placement, order: int = 1, outside: str = "constant") -> Array:
    """Return an image [H, W] or [H, W, C] moved and scaled; what comes from outside is 0, or the `nearest` edge's.

    `order` 0 for masks and for maps whose values must not be mixed (depth, normals), 1 for colours.
    """
    height, width = image.shape[:2]
    inverse = 1 / placement.scale
    middle = np.array([height / 2 - 0.5, width / 2 - 0.5])
    moved = middle + np.array([placement.down * height, placement.right * width])
    offset = middle - inverse * moved
    channels = image[..., None] if image.ndim == 2 else image
    out = [
        ndimage.affine_transform(channels[..., c], np.array([inverse, inverse]), offset, order=order, mode=outside)
        for c in range(channels.shape[-1])
    ]
    return np.stack(out, axis=-1).reshape(image.shape)


def as_photographed(
    image: Array, mask: Array, rng: random.Random, others: Sequence[tuple[Array, Array]] = ()
) -> tuple[Array, Array, Placement]:
    """Return a picture [H, W, 3] with the object of a clean render in it, its mask [H, W] there, and its placement.

    `image` is sRGB in [0, 1], `mask` 1 on the object. `others` are renders and masks of things that may stand beside
    or behind it; they are never in the mask. The mask is exact where the object is placed: apply `placed` (order 0)
    with the returned placement to depth and normals.
    """
    placement = draw_placement(rng)
    picture = background(rng, image.shape[0])
    for other in others:
        aside = Placement(rng.uniform(0.35, 0.8), rng.choice((-1, 1)) * rng.uniform(0.25, 0.45), rng.uniform(-0.1, 0.3))
        picture = _pasted(picture, *other, aside, rng)[0]
    picture, there = _pasted(picture, image, mask, placement, rng)
    return _developed(picture, rng), there, placement


def background(rng: random.Random, size: int) -> Array:
    """Draw something to stand before, [size, size, 3]: plain, a room, clouds, lights, tiles or clutter."""
    kind = rng.choices(BEHIND, (10, 15, 25, 12, 10, 10, 18))[0]
    noise = np.random.default_rng(rng.randrange(2**31))
    first, second = (_colour(rng) for _ in range(2))
    rows, columns = np.meshgrid(np.linspace(0, 1, size), np.linspace(0, 1, size), indexing="ij")
    match kind:
        case "plain":
            out = np.broadcast_to(first, (size, size, 3)).copy()
        case "fade":
            angle = rng.uniform(0, 2 * math.pi)
            share = np.clip(0.5 + (columns - 0.5) * math.cos(angle) + (rows - 0.5) * math.sin(angle), 0, 1)
            out = first + share[..., None] * (second - first)
        case "room":
            floor = rows > rng.uniform(0.45, 0.8) + rng.uniform(-0.15, 0.15) * (columns - 0.5)
            out = np.where(floor[..., None], second * (0.8 + 0.3 * rows[..., None]), first)
            grain = _clouds(noise, size, 4)[..., None] - 0.5
            out = out + rng.uniform(0.05, 0.3) * grain * (floor[..., None] if rng.random() < 0.6 else 1.0)
        case "clouds":
            share = np.clip(1.6 * (_clouds(noise, size, rng.choice((2, 3, 5))) - 0.5) + 0.5, 0, 1)
            out = first + share[..., None] * (second - first) + 0.15 * (_clouds(noise, size, 9)[..., None] - 0.5)
        case "lights":
            out = np.broadcast_to(0.4 * first, (size, size, 3)).copy()
            for _ in range(rng.randint(8, 25)):
                radius = rng.uniform(0.02, 0.12)
                disc = (rows - rng.random()) ** 2 + (columns - rng.random()) ** 2 < radius**2
                out = out + rng.uniform(0.15, 0.6) * disc[..., None] * _colour(rng)
            out = ndimage.gaussian_filter(out, (1.2, 1.2, 0))
        case "tiles":
            n, lean = rng.randint(3, 12), rng.uniform(-0.4, 0.4)
            u, v = n * (columns + lean * rows), n * rows * rng.choice((1.0, 0.5, 0.0))
            if rng.random() < 0.5:
                share = (np.floor(u) + np.floor(v)) % 2
            else:
                share = ((u % 1 < 0.08) | (v % 1 < 0.08)).astype(float)
            out = first + share[..., None] * (second - first)
        case _:
            out = first + (_clouds(noise, size, 3)[..., None] - 0.5) * 0.4
            for _ in range(rng.randint(6, 18)):
                out = _with_shape(out, rows, columns, rng)
            out = ndimage.gaussian_filter(out, (rng.uniform(0, 2.5),) * 2 + (0,))
    return np.clip(out, 0, 1).astype(np.float32)


def _pasted(picture: Array, image: Array, mask: Array, placement: Placement, rng: random.Random) -> tuple[Array, Array]:
    """Put an object into a picture, with a contact shadow below it; return the picture and where the object is."""
    if not mask.any():
        return picture, np.zeros(mask.shape, dtype=np.float32)
    # The border of the render is mixed with its background: take the object's colour from well inside instead.
    inner = ndimage.binary_erosion(mask > 0.5) if mask.sum() > 200 else mask > 0.5
    inner = inner if inner.any() else mask > 0.5
    nearest = ndimage.distance_transform_edt(~inner, return_distances=False, return_indices=True)
    colours = placed(image[tuple(nearest)], placement, outside="nearest")
    height, width = mask.shape
    there = placed(mask.astype(np.float32), placement, order=0)
    soft = ndimage.gaussian_filter(placed(mask.astype(np.float32), placement), 0.5)[..., None]
    if rng.random() < 0.7 and there.any():
        rows, columns = np.nonzero(there > 0.5)
        foot, middle = rows.max(), columns[rows > rows.max() - 0.15 * height].mean()
        reach = 0.5 * (columns.max() - columns.min()) * rng.uniform(0.6, 1.1) + 2
        y, x = np.mgrid[:height, :width]
        away = ((x - middle - rng.uniform(-0.3, 0.3) * reach) / reach) ** 2
        away = away + ((y - foot + 1) / (rng.uniform(0.12, 0.35) * reach)) ** 2
        picture = picture * (1 - rng.uniform(0.25, 0.7) * np.exp(-1.3 * away)[..., None])
    return (picture + soft * (colours - picture)).astype(np.float32), there


def _developed(picture: Array, rng: random.Random) -> Array:
    """Photograph a picture with an ordinary camera: cast, exposure, vignette, blur, noise, JPEG; each only at times."""
    noise = np.random.default_rng(rng.randrange(2**31))
    size = picture.shape[0]
    out = picture.astype(np.float64)
    if rng.random() < 0.5:
        out = out * np.array([rng.uniform(0.85, 1.12) for _ in range(3)])
    if rng.random() < 0.5:
        out = np.clip(out, 0, 1) ** rng.uniform(0.7, 1.4) * rng.uniform(0.8, 1.15)
    if rng.random() < 0.3:
        y, x = np.mgrid[:size, :size] / size - 0.5
        out = out * (1 - rng.uniform(0.2, 0.9) * (x * x + y * y))[..., None]
    if rng.random() < 0.35:
        out = ndimage.gaussian_filter(out, (rng.uniform(0.2, 1.1), rng.uniform(0.2, 1.1), 0))
    if rng.random() < 0.5:
        out = out + noise.normal(0, rng.uniform(0.005, 0.05), out.shape)
    out = np.clip(out, 0, 1)
    if rng.random() < 0.5:
        stream = io.BytesIO()
        Image.fromarray(np.round(255 * out).astype(np.uint8)).save(stream, "JPEG", quality=rng.randint(30, 92))
        out = np.asarray(Image.open(stream)) / 255
    return out.astype(np.float32)


def _colour(rng: random.Random) -> Array:
    """Draw a colour, most of them muted."""
    grey, strength = rng.uniform(0.1, 1.0), rng.choice((0.12, 0.3, 0.8))
    return np.clip([grey + strength * rng.uniform(-0.6, 0.6) for _ in range(3)], 0, 1)


def _clouds(noise: np.random.Generator, size: int, coarse: int) -> Array:
    """Return noise of several octaves in [0, 1], [size, size]."""
    total, weight = np.zeros((size, size)), 0.0
    for octave in range(4):
        cells = coarse * 2**octave + 1
        layer = ndimage.zoom(noise.random((cells, cells)), size / cells, order=1, grid_mode=True, mode="nearest")
        total += layer[:size, :size] * 0.55**octave
        weight += 0.55**octave
    return total / weight


def _with_shape(out: Array, rows: Array, columns: Array, rng: random.Random) -> Array:
    """Lay one ellipse or turned box, shaded across, over a picture."""
    angle, y, x = rng.uniform(0, math.pi), rng.random(), rng.random()
    u = (columns - x) * math.cos(angle) + (rows - y) * math.sin(angle)
    v = (rows - y) * math.cos(angle) - (columns - x) * math.sin(angle)
    a, b = rng.uniform(0.04, 0.3), rng.uniform(0.04, 0.3)
    inside = (u / a) ** 2 + (v / b) ** 2 < 1 if rng.random() < 0.5 else (abs(u) < a) & (abs(v) < b)
    shading = (0.85 + 0.3 * (u / a) * rng.uniform(-1, 1))[..., None]
    return np.where(inside[..., None], _colour(rng) * shading, out)
