"""What speaks against an object as one that can be solid: each doubt is a sentence with a hint."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from backend.vision.calibration import SOLID
from backend.vision.mask_doubts import Doubt
from backend.vision.normals import Geometry

GLASSY = 0.5  # correlation of a picture's depth with that of its mirror image; below, the network guesses
RIM = 32  # of the object's side: its rim is half transparent in any picture
CLEAR = 0.15  # share of the inside of a mask that is half transparent


def transparency(mask: Tensor) -> list[Doubt]:
    """Return a doubt where the inside of a mask [H, W, 1] lets much of the background through."""
    from scipy import ndimage

    solid = (mask[..., 0] > SOLID).numpy()
    rows, columns = np.nonzero(solid)
    if not len(rows):
        return []
    side = int(max(np.ptp(rows), np.ptp(columns))) + 1
    inside = np.asarray(ndimage.binary_erosion(solid, iterations=max(1, side // RIM)), dtype=bool)
    clear = float(((mask[..., 0].numpy() < 0.9) & inside).sum() / max(1, inside.sum()))
    if clear <= CLEAR:
        return []
    sentence = f"The object is transparent: {100 * clear:.0f} % of it lets the background through."
    return [(sentence, "It is made solid, with the colours that shine through it.")]


@torch.no_grad()
def glassy(geometry: Geometry, picture: Tensor, nearness: Tensor, mask: Tensor) -> list[Doubt]:
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
