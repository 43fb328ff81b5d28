"""What speaks against a mask as the outline of one whole object, each a sentence with its number and what to do.

Masks are [H, W, 1] in [0, 1]; what is above 0.5 is the object.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch

from backend.errors import EmptyMask, NoSuchPiece, Phrase, joined

Doubt = tuple[str, str]  # a sentence, and what to do

SPECK = 0.005  # of the largest piece, below which another one is dust
SECOND = 0.05  # of the object, from which a second piece is one to ask about
FULL = 0.9  # of the picture
COARSE = 48  # pixels along the longer side of an object, below which it has no detail
TOUCHED = 0.05  # of a side of the picture
RECTANGLE = 0.99  # of its own box that a cut-out fills which is the frame of a picture
LOST = 0.3  # share of a mask in places that are thinner than a pixel of the prior

EMPTY = "The mask is empty: 0 of {pixels} pixels are white."
LOOK = Phrase("Stop after the cut-out and look: the mask can be painted right. Or give a mask of your own.")
WHOLE = Phrase("Use a picture that shows it whole: what the frame cuts off will be missing, or end flat.")
SIDES = (
    Phrase("{share:.0%} of its left side"),
    Phrase("{share:.0%} of its right side"),
    Phrase("{share:.0%} of its upper side"),
    Phrase("{share:.0%} of its lower side"),
)


def pieces(mask: torch.Tensor) -> tuple[np.ndarray, list[int]]:
    """Return the pieces of a mask as labels [H, W], 1 for the largest, 0 outside, and their sizes in pixels.

    Pixels that touch at a corner are one piece; dust has labels, but no sizes.
    """
    from scipy import ndimage

    solid = mask[..., 0].numpy() > 0.5
    labels, count = cast(tuple[np.ndarray, int], ndimage.label(solid, np.ones((3, 3))))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable")
    rank = np.zeros(count + 1, dtype=int)
    rank[order + 1] = np.arange(1, count + 1)
    return rank[labels], [int(sizes[i]) for i in order if sizes[i] >= SPECK * sizes.max()]


def one_piece(mask: torch.Tensor, number: int) -> torch.Tensor:
    """Return the piece of a mask that is the `number`th largest, from 1, with its soft rim. Raises NoSuchPiece."""
    from scipy import ndimage

    labels, sizes = pieces(mask)
    if number > len(sizes):
        count = "1 piece" if len(sizes) == 1 else f"{len(sizes)} pieces"
        raise NoSuchPiece(
            f"The cut-out has {count}, and piece {number} of them was asked for.",
            "Ask for one that there is: 1 is the largest, 0 takes all.",
        )
    nearest = ndimage.distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    own = labels[tuple(cast(np.ndarray, nearest))] == number  # the rim belongs to the piece that it is nearest to
    return mask * torch.from_numpy(own)[..., None]


def without_dust(mask: torch.Tensor) -> tuple[torch.Tensor, list[Doubt]]:
    """Return a mask without the specks that lie outside the box of all else, which would make the object smaller."""
    labels, sizes = pieces(mask)
    solid = labels > 0
    kept = solid & (labels <= len(sizes))
    if not kept.any() or (kept == solid).all():
        return mask, []
    rows, columns = np.flatnonzero(kept.any(1)), np.flatnonzero(kept.any(0))
    inside = np.zeros_like(kept)
    inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    far = int((solid & ~inside).sum())
    if not far:
        return mask, []
    sentence = Phrase("{count} stray pixels far from the object are left out of the cut-out.", count=far)
    return mask * torch.from_numpy(inside)[..., None], [(sentence, LOOK)]


def doubts(mask: torch.Tensor, *, trimmed: bool = False) -> list[Doubt]:
    """Return what speaks against a mask that has something above 0.5.

    A `trimmed` one, of alpha, may touch all four sides, as an object does whose picture was cropped to it.
    """
    found: list[Doubt] = []
    solid = mask[..., 0] > 0.5
    _, sizes = pieces(mask)
    area = int(solid.sum())
    large = [size for size in sizes if size >= SECOND * area]
    if len(large) > 1:
        found.append(
            (
                Phrase(
                    "The cut-out has {count} pieces; the largest is {share:.0%} of it.",
                    count=len(large),
                    share=large[0] / area,
                ),
                Phrase("All become one object. For one of them set Piece: 1 is the largest, 2 the next."),
            )
        )
    share = area / solid.numel()
    if share > FULL:
        told = "The cut-out is {share:.0%} of the picture: hardly any of it is background."
        found.append((Phrase(told, share=share), LOOK))
    rows, columns = torch.nonzero(solid.any(1))[:, 0], torch.nonzero(solid.any(0))[:, 0]
    height, width = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
    if max(height, width) < COARSE:
        told = "The object is only {width} x {height} pixels large in its picture."
        hint = Phrase("Use one where it has at least {least}; 300 show its detail.", least=COARSE)
        found.append((Phrase(told, width=width, height=height), hint))
    if trimmed and area >= RECTANGLE * height * width:
        told = "The cut-out is a plain rectangle of {width} x {height} pixels, as of a whole picture."
        found.append((Phrase(told, width=width, height=height), LOOK))
    return found + _frame(solid, trimmed)


def _frame(solid: torch.Tensor, trimmed: bool) -> list[Doubt]:
    edges = solid[:, 0], solid[:, -1], solid[0], solid[-1]
    contacts = [float(edge.float().mean()) for edge in edges]
    if trimmed and min(contacts) > 0:
        return []
    cut = [(share, side) for share, side in zip(contacts, SIDES, strict=True) if share >= TOUCHED]
    if not cut:
        return []
    said = joined(
        (Phrase(side.template, share=share) for share, side in sorted(cut, reverse=True)), "{first} and {second}"
    )
    return [(Phrase("The object touches the frame of the picture: {sides}.", sides=said), WHOLE)]


def thinness(mask: torch.Tensor) -> list[Doubt]:
    """Return what speaks against a mask [S, S, 1] in the prior's pixels: how much of it is lost at that size."""
    solid, everything = float(mask[mask > 0.5].sum()), float(mask.sum())
    lost, size = 1 - solid / max(everything, 1e-6), mask.shape[0]
    if lost < LOST:
        return []
    told = "{share:.0%} of the cut-out is thinner than a pixel of the {size} x {size} that the prior sees."
    hint = Phrase("It may be lost: use a picture from nearer, or paint the mask thicker there.")
    return [(Phrase(told, share=lost, size=size), hint)]


def check_thickness(mask: torch.Tensor) -> None:
    """Raise EmptyMask where nothing of a mask [S, S, 1] in the prior's pixels is left."""
    if not bool((mask > 0.5).any()):
        raise EmptyMask(
            Phrase(
                "The object is too thin: 0 of {pixels} pixels of its mask are left at the {width} x {height} that the "
                "prior sees.",
                pixels=mask.numel(),
                width=mask.shape[1],
                height=mask.shape[0],
            ),
            Phrase("Paint the mask thicker, or use a picture in which it is thicker."),
        )
