"""The subject of a photo by two looks of a matting network: at the whole photo, and at the place of what it found."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import torch

from backend.errors import EmptyMask
from backend.images import MAX_SHARE, MIN_SHARE, alpha_mask, subject_mask
from backend.vision.matting import Matting

ROOM = 0.2  # around what the first look found: it may have missed a part
PARTS = 0.1  # of the largest connected part: what is smaller is clutter
AGREED = 0.3  # of what the network finds: with less, the colours along the border know nothing of the subject
FLAT = 8 / 255  # range of colours, below which there is nothing in a photo, whatever a network makes up
SURE = (0.3, 0.8)  # what the network is doubtful of becomes 0, and 1


def subject_in(rgb: torch.Tensor, alpha: torch.Tensor | None, matting: Matting) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a photo [H, W, 3], or a piece of it, and which part of that is the subject, [H, W, 1] in [0, 1].

    Alpha that is not opaque everywhere is the mask itself. Where the network finds next to nothing, or next to
    everything, what differs from the colours along the border is the subject. Raises EmptyMask as that does.
    """
    if alpha is not None and (cut := alpha_mask(alpha)) is not None:
        return rgb, cut
    if float((rgb.amax((0, 1)) - rgb.amin((0, 1))).max()) < FLAT:
        return rgb, subject_mask(rgb, None)
    rough = looked_at(rgb, matting)
    if not MIN_SHARE <= float((rough > 0.5).float().mean()) <= MAX_SHARE:
        return rgb, subject_mask(rgb, None)
    solid = rough[..., 0] > 0.5
    with contextlib.suppress(EmptyMask):  # where both agree, else where the network alone finds it
        both = solid & (subject_mask(rgb, None)[..., 0] > 0.5)
        solid = both if AGREED * float(solid.sum()) < float(both.sum()) else solid
    place = around(solid)
    found = looked_at(rgb[place], matting)
    return rgb[place], found if bool((found > 0.5).any()) else rough[place]


def around(solid: torch.Tensor) -> tuple[slice, slice]:
    """Return the rows and columns of a mask [H, W] with some room around, inside the picture: beyond it lies nothing
    that a network knows.
    """
    places = []
    sides = [torch.nonzero(solid.any(1 - axis)).flatten() for axis in (0, 1)]
    room = round(ROOM * max(int(side[-1] - side[0]) for side in sides))
    for side, end in zip(sides, solid.shape, strict=True):
        places.append(slice(max(0, int(side[0]) - room), min(end, int(side[-1]) + 1 + room)))
    return places[0], places[1]


@torch.no_grad()
def looked_at(rgb: torch.Tensor, matting: Matting) -> torch.Tensor:
    """Return which part of a picture [H, W, 3] a network takes for the subject, [H, W, 1], without small parts."""
    seen = matting(rgb[None])[0, ..., 0]  # [H, W]
    low, high = SURE
    sure = ((seen - low) / (high - low)).clamp(0, 1) * torch.from_numpy(large_parts(seen.cpu().numpy() > 0.5)).to(seen)
    return sure[..., None].to(rgb)


def large_parts(solid: np.ndarray) -> np.ndarray:
    """Return where the large connected parts of a mask [h, w] are, with the pixel around them: their soft rim."""
    from scipy import ndimage

    labelled: Any = ndimage.label(solid, np.ones((3, 3)))
    parts, count = labelled
    if not count:
        return solid
    sizes = np.bincount(parts.ravel())[1:]
    large = np.isin(parts, 1 + np.flatnonzero(sizes >= PARTS * sizes.max()))
    return np.asarray(ndimage.binary_dilation(large, np.ones((3, 3))))
