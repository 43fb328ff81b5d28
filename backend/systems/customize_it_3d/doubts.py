"""What speaks against an image as one of one whole object: each doubt is a sentence with a hint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backend.images import load_image, subject_mask
from backend.vision.calibration import SOLID
from backend.vision.normals import Geometry

SMALL_SIDE = 48  # pixels of the object in the image, below which it is small
PART = 0.1  # of the largest piece of the mask: another one of that size is another object
AT_THE_EDGE = 0.01  # of the mask's pixels
GLASSY = 0.5  # correlation of a picture's depth with that of its mirror image; below, the network guesses
CLEAR = 0.15  # share of the inside of a mask that is half transparent


def doubts_about(path: Path) -> list[tuple[str, str]]:
    """Return what speaks against a picture as one of one whole object, each a sentence with a hint."""
    from scipy import ndimage

    rgb, alpha = load_image(path)
    mask = subject_mask(rgb, alpha)[..., 0]
    solid = (mask > SOLID).numpy()
    rows, columns = np.nonzero(solid)
    if not len(rows):
        return []
    found = []
    side = int(max(np.ptp(rows), np.ptp(columns))) + 1
    if side < SMALL_SIDE:
        found.append(
            (
                f"The object has {side} pixels in the image.",
                f"Take a larger image: {SMALL_SIDE} show no more than its kind.",
            )
        )
    edge = int(solid[0].sum() + solid[-1].sum() + solid[:, 0].sum() + solid[:, -1].sum())
    if edge > AT_THE_EDGE * len(rows) and edge > 4:
        found.append(
            (
                f"The object is cut by the frame: {edge} of its pixels lie at the image's border.",
                "What is cut away will be missing; take an image that shows it whole.",
            )
        )
    labels, _ = ndimage.label(solid)  # pyright: ignore[reportGeneralTypeIssues]
    sizes = np.bincount(labels.ravel())[1:]
    several = int((sizes >= PART * sizes.max()).sum())
    if several > 1:
        found.append(
            (
                f"The image shows {several} separate things.",
                "They become one object; cut one out (a PNG with alpha) for an object of its own.",
            )
        )
    if alpha is not None:
        inside = np.asarray(ndimage.binary_erosion(solid, iterations=max(1, side // 32)), dtype=bool)
        clear = float(((mask.numpy() < 0.9) & inside).sum() / max(1, inside.sum()))
        if clear > CLEAR:
            found.append(
                (
                    f"The object is transparent: {100 * clear:.0f} % of it lets the background through.",
                    "It is made solid, with the colours that shine through it.",
                )
            )
    return found


@torch.no_grad()
def glassy(geometry: Geometry, picture: Tensor, nearness: Tensor, mask: Tensor) -> list[tuple[str, str]]:
    """Return a doubt where the depth of a picture [H, W, 3] and of its mirror image do not agree, as with glass.

    nearness [1, H, W, 1] of the picture, mask [H, W, 1].
    """
    mirrored = geometry(picture.flip(1)[None])[0].flip(2)
    inside = (mask[None] > SOLID).to(nearness.device)
    pair = torch.stack([nearness[inside], mirrored[inside]]).double()
    if pair.shape[1] < 2 or bool((pair.std(dim=1) < 1e-9).any()):
        return []
    agreement = float(torch.corrcoef(pair)[0, 1])
    if agreement >= GLASSY:
        return []
    return [
        (
            f"The depth is uncertain: it agrees with that of the mirrored image by {agreement:.2f} of 1.",
            "Glass and mirrors do that. Stop after the four images and replace depth.png, or go on as it is.",
        )
    ]
