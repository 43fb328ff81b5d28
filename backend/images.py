"""Pictures between files and tensors, and which part of them is the subject. Beside image_files the only 8-bit values.

Images are [H, W, C] float32, sRGB in [0, 1], alpha not multiplied in.
"""

from __future__ import annotations

import math
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
from PIL import Image

from backend.errors import EmptyMask, Phrase
from backend.image_files import check_image as check_image
from backend.image_files import load_image as load_image

MARGIN = 0.04  # the circle around the subject has 0.92 of the frame: objects fit a sphere of radius 0.92
MASK_SIDE = 512  # pixels; the segmentation works on a smaller copy
MIN_NOISE = 4.0  # of a background, in units of CIELAB; a just visible difference is about 2
MIN_SHARE, MAX_SHARE = 0.004, 0.97  # of the picture, for a believable subject
OPAQUE = 0.98
# Of the picture, how much must be clear for alpha to be a cut-out: all in all, or beside the corners.
CLEAR_SHARE, CLEAR_BESIDE_CORNERS = 0.06, 0.02
CORNER = 0.25  # of a side; rounded corners reach no farther
FAINT = 1 / 255  # below which a mask says nothing of the colour


def save_image(path: Path, image: torch.Tensor) -> None:
    """Write [H, W, 1 | 3 | 4] in [0, 1] as an 8-bit file whose format is that of the name's ending."""
    _to_pillow(image).save(path)


def save_preview(path: Path, image: torch.Tensor) -> None:
    """Write [H, W, 3] in [0, 1] as `plain_png`."""
    path.write_bytes(plain_png(image))


def plain_png(image: torch.Tensor) -> bytes:
    """Return [H, W, 3] in [0, 1] as an 8-bit PNG of rows without filters: read with nothing but zlib, in Blender."""
    picture = _to_pillow(image).convert("RGB")
    rows, stride = picture.tobytes(), 3 * picture.width
    plain = b"".join(b"\0" + rows[start : start + stride] for start in range(0, len(rows), stride))
    header = struct.pack(">IIBBBBB", picture.width, picture.height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(plain, 6)), (b"IEND", b""))
    content = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + content


def save_turntable(path: Path, frames: Sequence[torch.Tensor], milliseconds: int) -> None:
    """Write frames [H, W, 3] in [0, 1] as an endless animated WebP, each shown for the given time."""
    first, *rest = [_to_pillow(frame) for frame in frames]
    first.save(path, "WEBP", save_all=True, append_images=rest, duration=milliseconds, loop=0, quality=85, method=4)


def subject_mask(rgb: torch.Tensor, alpha: torch.Tensor | None) -> torch.Tensor:
    """Return which part of a picture is the subject, [H, W, 1] in [0, 1].

    rgb [H, W, 3], alpha [H, W, 1] or None. An alpha channel that cuts something out is the mask itself. Otherwise the
    colours along the border are taken for the background: a smooth gradient or up to six colours. Raises EmptyMask
    if nothing, or nearly everything, differs from them.
    """
    cut = alpha_mask(alpha) if alpha is not None else None
    return check_share(colour_mask(rgb)[0]) if cut is None else cut


def alpha_mask(alpha: torch.Tensor) -> torch.Tensor | None:
    """Return the mask that an alpha channel [H, W, 1] is, or None where it cuts nothing out.

    It does where a believable share of the picture is clear, more than stray pixels and rounded corners. A layer that
    is nowhere opaque counts as if it were where it is most so. Raises EmptyMask where all is clear.
    """
    top = float(alpha.max())
    if top < FAINT:
        told = "The mask is empty: 0 of {pixels} pixels are opaque."
        raise EmptyMask(Phrase(told, pixels=alpha.numel()), Phrase("Check the image's alpha channel."))
    cut = alpha / top if top < OPAQUE else alpha.clone()
    clear = cut[..., 0] < 0.5
    height, width = clear.shape
    rows, columns = (math.ceil(CORNER * side) for side in (height, width))
    beside = clear.clone()
    for tall in (slice(None, rows), slice(height - rows, None)):
        for wide in (slice(None, columns), slice(width - columns, None)):
            beside[tall, wide] = False
    is_cut_out = clear.float().mean() >= CLEAR_SHARE or beside.float().mean() >= CLEAR_BESIDE_CORNERS
    return cut if is_cut_out else None


def colour_mask(rgb: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Return what differs from the colours along the border of a picture [H, W, 3], and how busy that border is.

    The mask is [H, W, 1] in [0, 1]; the other number is the noise that is left of the border's colours in units of
    CIELAB, MIN_NOISE at least. Whether that is a subject, `check_share` says.
    """
    from skimage.color import rgb2lab

    height, width = rgb.shape[:2]
    scale = min(1.0, MASK_SIDE / max(height, width))
    small_size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(_to_pillow(rgb).resize(small_size, Image.Resampling.BOX)) / 255.0
    distance, noise = _background_distance(rgb2lab(small))
    foreground = _clearly_foreground(distance)  # [h, w]
    mask = Image.fromarray(foreground.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(mask))[..., None], noise


def check_share(mask: torch.Tensor) -> torch.Tensor:
    """Return a mask [H, W, 1] by colours. Raises EmptyMask if it is of nothing, or of nearly everything."""
    share = float((mask > 0.5).float().mean())
    if MIN_SHARE <= share <= MAX_SHARE:
        return mask
    count, pixels = round(share * mask.numel()), mask.numel()
    told = "The subject has no background: {count} of {pixels} pixels differ from the colours along the border."
    if share < MIN_SHARE:
        told = "The mask is empty: {count} of {pixels} pixels differ clearly from the colours along the border."
    hint = "Cut the subject out (save a PNG with alpha), or photograph it whole before a plain background."
    raise EmptyMask(Phrase(told, count=count, pixels=pixels), Phrase(hint))


def square_crop(
    rgb: torch.Tensor,
    mask: torch.Tensor,
    size: int,
    margin: float = 0.1,
    background: float = 1.0,
    enclose: Literal["box", "circle"] = "box",
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the subject centred in a square: rgb [size, size, 3] and mask [size, size, 1].

    rgb [H, W, 3], mask [H, W, 1]; the square is that of `crop_box`. What lies outside the picture is `background` with
    mask 0. Where the mask begins, colours are those inside it alone. Raises ValueError if no pixel of the mask is above
    0.5.
    """
    left, top, side = crop_box(mask, margin, enclose)
    box = [left, top, left + side, top + side]
    # The last channel becomes the share of a cell that the picture covers.
    layers = torch.cat([rgb * mask, mask, rgb, torch.ones_like(mask)], dim=-1)
    inside, cropped_mask, everywhere, covered = _resample(layers, box, size).split([3, 1, 3, 1], dim=-1)
    return unweighted(inside, cropped_mask, everywhere + (1 - covered) * background), cropped_mask


def unweighted(weighted: torch.Tensor, mask: torch.Tensor, elsewhere: torch.Tensor) -> torch.Tensor:
    """Return colours [..., 3] of what was resampled after multiplication by its mask [..., 1], else `elsewhere`.

    Resampled as they are, colours along an edge take on those behind it, which may be anything where alpha is 0.
    """
    return torch.where(mask > FAINT, weighted / mask.clamp(min=FAINT), elsewhere).clamp(0, 1)


def resize_cut_out(rgb: torch.Tensor, mask: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a square picture [H, H, 3] and its mask [H, H, 1] in `size` pixels a side, antialiased.

    Where the mask begins, colours are those inside it alone.
    """
    layers = torch.cat([rgb * mask, mask, rgb], dim=-1).permute(2, 0, 1)[None]
    layers = torch.nn.functional.interpolate(layers, (size, size), mode="bilinear", antialias=True)
    inside, small_mask, everywhere = layers[0].permute(1, 2, 0).split([3, 1, 3], dim=-1)
    return unweighted(inside, small_mask, everywhere), small_mask


def square(rgb: torch.Tensor, alpha: torch.Tensor | None, size: int) -> torch.Tensor:
    """Return a whole picture [H, W, 3] over white in the middle of a square, [size, size, 3]."""
    height, width = rgb.shape[:2]
    alpha = torch.ones(height, width, 1) if alpha is None else alpha
    side = max(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    seen = _resample(torch.cat([rgb * alpha, alpha], dim=-1), (left, top, left + side, top + side), size)
    return (seen[..., :3] + 1 - seen[..., 3:]).clamp(0, 1)


def crop_box(
    mask: torch.Tensor, margin: float, enclose: Literal["box", "circle"] = "box"
) -> tuple[float, float, float]:
    """Return left, top and side, in pixels, of the square around a mask [H, W, 1].

    The longer side of the mask's box (mask > 0.5), or the circle about that box's centre that holds the mask, fills
    1 - 2 `margin` of the square. Raises ValueError if no pixel of the mask is above 0.5.
    """
    rows, columns = torch.nonzero(mask[..., 0] > 0.5, as_tuple=True)
    if len(rows) == 0:
        raise ValueError(f"no pixel of the mask {tuple(mask.shape)} is above 0.5")
    top, bottom = rows.min().item(), rows.max().item() + 1
    left, right = columns.min().item(), columns.max().item() + 1
    x, y = (left + right) / 2, (top + bottom) / 2
    extent = float(max(bottom - top, right - left))
    if enclose == "circle":
        extent = 2 * float(torch.hypot(columns + 0.5 - x, rows + 0.5 - y).max()) + 1  # to the pixels' far borders
    side = extent / (1.0 - 2.0 * margin)
    return x - side / 2, y - side / 2, side


def _background_distance(lab: np.ndarray) -> tuple[np.ndarray, float]:
    """Return [h, w]: how far each colour (CIELAB, [h, w, 3]) is from what the border suggests, in widths of its noise.

    And that width. A smooth gradient is tried first; if the border's commonest colours explain three quarters of it
    better, they count.
    """
    from scipy.spatial.distance import cdist

    height, width, _ = lab.shape
    depth = max(1, round(0.03 * min(height, width)))
    side = np.zeros((height, width), dtype=int)  # 1 left, 2 right, 3 top, 4 bottom, 0 not border
    side[:, :depth], side[:, -depth:], side[:depth], side[-depth:] = 1, 2, 3, 4
    ring = side > 0
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    basis = np.stack([np.ones_like(rows), rows, columns, rows**2, rows * columns, columns**2], axis=-1)  # [h, w, 6]
    kept = np.ones(int(ring.sum()), dtype=bool)
    distance = np.zeros((height, width))
    for _ in range(12):  # least trimmed squares: a subject that touches the border must not bend the background
        gradient = basis @ np.linalg.lstsq(basis[ring][kept], lab[ring][kept], rcond=None)[0]
        distance = np.linalg.norm(lab - gradient, axis=-1)
        kept = distance[ring] <= np.quantile(distance[ring], 0.75)
    noise = _noise(distance[ring])
    if noise > MIN_NOISE:
        colours = _background_colours(lab[ring], side[ring])
        to_colours = cdist(lab.reshape(-1, 3), colours).min(axis=1).reshape(height, width)
        if _noise(to_colours[ring]) < noise:
            distance, noise = to_colours, _noise(to_colours[ring])
    return distance / noise, noise


def _noise(distances: np.ndarray) -> float:
    # The quartile leaves room for a subject that covers one side of the border.
    return max(1.5 * float(np.quantile(distances, 0.75)), MIN_NOISE)


def _background_colours(lab: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Return up to six colours of the border, lab [n, 3] on sides [n]; what one side alone has is rather a subject."""
    from scipy.cluster.vq import kmeans2

    distinct = len(np.unique(lab.round(), axis=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an empty cluster, which no side has
        colours, labels = kmeans2(lab, min(6, distinct), minit="++", rng=np.random.default_rng(0))
    shares = np.array(
        [np.bincount(labels[side == s], minlength=len(colours)) / (side == s).sum() for s in (1, 2, 3, 4)]
    )
    common = (shares >= 0.04).sum(axis=0) >= 2
    return colours[common if common.any() else shares.sum(axis=0).argmax()].reshape(-1, 3)


def _clearly_foreground(distance: np.ndarray) -> np.ndarray:
    """Return [h, w] bool: the large connected parts that stand out (distance in noise widths), small holes filled."""
    from scipy import ndimage

    candidates = ndimage.binary_opening(np.pad(distance > 2.0, 2, mode="edge"))[2:-2, 2:-2]
    foreground = _parts(candidates, lambda size, largest, inside: size >= 0.1 * largest)
    holes = ndimage.binary_fill_holes(foreground) & ~foreground
    # A large hole of the background's colour is one that we look through, as in the handle of a mug.
    return foreground | _parts(
        holes, lambda size, largest, inside: bool(size < 0.01 * foreground.sum() or np.median(distance[inside]) > 1.0)
    )


def _parts(mask: np.ndarray, is_wanted: Callable[[int, int, np.ndarray], bool]) -> np.ndarray:
    """Return the connected parts of a mask [h, w] that are wanted, given their size, the largest and their pixels."""
    from scipy import ndimage

    labels, count = cast(tuple[np.ndarray, int], ndimage.label(mask))
    sizes = np.bincount(labels.ravel(), minlength=1)
    sizes[0] = 0
    wanted = [label for label in range(1, count + 1) if is_wanted(sizes[label], sizes.max(), labels == label)]
    return np.isin(labels, wanted)


def _resample(image: torch.Tensor, box: Sequence[float], size: int) -> torch.Tensor:
    """Return size x size cells of a box (left, top, right, bottom), antialiased; zeros outside the image."""
    height, width, _ = image.shape
    rows = _cell_weights(box[1], box[3], size, height)  # [S, H]
    columns = _cell_weights(box[0], box[2], size, width)  # [S, W]
    return torch.einsum("sh,hwc,tw->stc", rows, image, columns).clamp(0.0, 1.0)


def _cell_weights(begin: float, end: float, cells: int, pixels: int) -> torch.Tensor:
    """Return [cells, pixels]: the share of each pixel in each cell, by a triangle as wide as the larger of the two."""
    cell = (end - begin) / cells
    width = max(cell, 1.0)
    centres = begin + (torch.arange(cells) + 0.5) * cell  # [S], in pixels
    # The padding catches the weight that falls outside the picture, so that it counts as zero there.
    padding = int(np.ceil(max(-begin, end - pixels, 0.0) + width)) + 1
    positions = torch.arange(-padding, pixels + padding) + 0.5
    distance = (centres[:, None] - positions[None]).abs()
    weights = (1.0 - distance / width).clamp(min=0.0)
    weights = weights / weights.sum(dim=1, keepdim=True)
    return weights[:, padding:-padding].contiguous()


def _to_pillow(image: torch.Tensor) -> Image.Image:
    assert image.ndim == 3 and image.shape[2] in (1, 3, 4), image.shape
    pixels = (image.detach().float().cpu().clamp(0.0, 1.0) * 255.0 + 0.5).to(torch.uint8).numpy()
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
