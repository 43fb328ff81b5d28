"""Cuts the subject out of a picture: by the artist's mask, by alpha, by the background's colours, or by the network.

A plain background goes to the colours, a busy one to the embedded network, and what they do not agree on is said.
Pictures are [H, W, 3], masks [H, W, 1], all in [0, 1].
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch

from backend.errors import BadInput, EmptyMask, Phrase
from backend.images import MAX_SHARE, MIN_SHARE, OPAQUE, alpha_mask, check_share, colour_mask
from backend.vision.mask_doubts import EMPTY, LOOK, Doubt, doubts, one_piece, pieces, without_dust
from backend.vision.matting import Matting, load_matting

PLAIN = 6.0  # noise of a border's colours, CIELAB, up to which a background is plain
MOST = 0.7  # of a mask that its largest piece has where colours alone can be trusted
AGREED = 0.6  # IoU of two masks of the same object
UNSURE = 0.4  # share of the network's mask in which it is neither sure of the object nor of the background
LOST = 0.6  # the same, above which it has seen nothing
SAME_HUE, DARKEST = 6.0, 45.0  # CIELAB: how a shadow may differ from its ground
SHADED = 0.08  # of a mask: the gray arms of a red robot before gray are 0.04
GIVE = Phrase("Give a mask (a second image, white where the object is), or a PNG with alpha.")


@dataclass(frozen=True)
class CutOut:
    """A mask, where it comes from (mask, alpha, colours, network), and what speaks against it."""

    mask: torch.Tensor
    source: str
    doubts: tuple[Doubt, ...]


def cut_out(
    rgb: torch.Tensor,
    alpha: torch.Tensor | None = None,
    *,
    given: torch.Tensor | None = None,
    how: str = "auto",
    piece: int = 0,
) -> CutOut:
    """Return which part of a picture is the subject, and what to doubt of it.

    A `given` mask counts before alpha, and alpha that cuts something out before all else. `how` is auto, or the one of
    colours and network that is to be asked alone. `piece` is 0 for all that was found, or the number of one piece, 1
    the largest. Raises EmptyMask where there is no subject, BadInput for a given mask of another size.
    """
    found: list[Doubt] = []
    alpha_cuts = None if given is not None or alpha is None else alpha_mask(alpha)
    if given is not None:
        mask, source = _checked(given, rgb), "mask"
    elif alpha_cuts is not None:
        mask, found = without_dust(alpha_cuts)
        source = "alpha"
    else:
        if alpha is not None and (clear := int((alpha < OPAQUE).sum())):
            sentence = f"Alpha is not taken for a cut-out: of {alpha.numel()} pixels only {clear} are not opaque."
            if clear > 0.06 * alpha.numel():
                sentence = "Alpha is not taken for a cut-out: it is nowhere clear but at the corners."
            found.append((sentence, "Erase the background to alpha 0, or give a mask."))
        mask, source, said = _seen(rgb, how)
        found += said
    if piece:
        mask = one_piece(mask, piece)
    return CutOut(mask, source, (*found, *doubts(mask, trimmed=source == "alpha")))


def mask_from(rgb: torch.Tensor, alpha: torch.Tensor | None) -> torch.Tensor:
    """Return the mask [H, W, 1] that an artist's picture of one is: its alpha if that cuts, else how bright it is."""
    cut = alpha_mask(alpha) if alpha is not None and bool((alpha >= OPAQUE).any()) else None
    return rgb.mean(-1, keepdim=True) if cut is None else cut


def _checked(given: torch.Tensor, rgb: torch.Tensor) -> torch.Tensor:
    if given.shape[:2] != rgb.shape[:2]:
        raise BadInput(
            f"The mask has {given.shape[1]} x {given.shape[0]} pixels, its picture {rgb.shape[1]} x {rgb.shape[0]}.",
            "Save the mask in the size of the picture.",
        )
    if not bool((given > 0.5).any()):
        raise EmptyMask(Phrase(EMPTY, pixels=given.numel()), Phrase("Paint the object white."))
    return given.clone()


def _seen(rgb: torch.Tensor, how: str) -> tuple[torch.Tensor, str, list[Doubt]]:
    """Return the mask by colours or by the network, which of them, and how far they agree."""
    colours, noise = colour_mask(rgb)
    if how == "colours":
        return check_share(colours), how, []
    network = _network_mask(rgb)
    if how == "network":
        if not _is_believable(network):
            told = "The network sees no object: {share:.1%} of the picture."
            raise EmptyMask(Phrase(told, share=_share(network)), GIVE)
        return without_dust(_sharp(network))[0], how, _unsure(network)
    try:
        check_share(colours)
    except EmptyMask:
        if noise <= PLAIN or not _is_believable(network):  # before a plain background there is nothing
            raise
        told = (
            "The background is busy, and the colours tell nothing apart, so the network cut the object out: "
            "{share:.0%} of the picture."
        )
        sentence = Phrase(told, share=_share(network))
        return without_dust(_sharp(network))[0], "network", [(sentence, LOOK), *_unsure(network)]
    _, sizes = pieces(colours)
    largest = sizes[0] / int((colours > 0.5).sum())
    overlap = _overlap(colours, network)
    if overlap >= AGREED:
        return colours, "colours", [*_holes(colours, network), *_shadow(rgb, colours, network)]
    if noise > PLAIN or largest < MOST:
        if _is_believable(network):
            told = (
                "The background is busy, so the network cut the object out: {share:.0%} of the picture. "
                "By its colours alone it would be {other:.0%}; the two overlap by {overlap:.0%}."
            )
            sentence = Phrase(told, share=_share(network), other=_share(colours), overlap=overlap)
            return without_dust(_sharp(network))[0], "network", [(sentence, LOOK), *_unsure(network)]
        told = "The background is busy, and the network sees no object: the colours find {share:.0%}."
        return colours, "colours", [(Phrase(told, share=_share(colours)), GIVE)]
    told = (
        "Colours and network disagree about the object: it is {share:.0%} of the picture by the colours, "
        "which were taken, {other:.0%} by the network, and they overlap by {overlap:.0%}."
    )
    sentence = Phrase(told, share=_share(colours), other=_share(network), overlap=overlap)
    return colours, "colours", [(sentence, LOOK), *_holes(colours, network)]


def _share(mask: torch.Tensor) -> float:
    return float((mask > 0.5).float().mean())


def _overlap(one: torch.Tensor, other: torch.Tensor) -> float:
    both, either = (one > 0.5) & (other > 0.5), (one > 0.5) | (other > 0.5)
    return float(both.sum() / either.sum().clamp_min(1))


def _is_believable(mask: torch.Tensor) -> bool:
    return MIN_SHARE <= _share(mask) <= MAX_SHARE and _doubtful(mask) < LOST


def _doubtful(mask: torch.Tensor) -> float:
    """Return how much of a mask is neither object nor background, as a share of the object."""
    return float(((mask > 0.1) & (mask < 0.9)).sum() / (mask > 0.5).sum().clamp_min(1))


def _sharp(mask: torch.Tensor) -> torch.Tensor:
    """Return a mask with a narrow rim: the network's pixels are larger than the picture's, and its guesses are fog."""
    return (4 * (mask - 0.5) + 0.5).clamp(0, 1)


def _unsure(mask: torch.Tensor) -> list[Doubt]:
    if (share := _doubtful(mask)) < UNSURE:
        return []
    told = "The network is not sure of its cut-out: an area of {share:.0%} of it may or may not belong."
    return [(Phrase(told, share=share), GIVE)]


def _holes(colours: torch.Tensor, network: torch.Tensor) -> list[Doubt]:
    """Return what to say of holes that the colours leave open and in which the network sees the object."""
    from scipy import ndimage

    solid = colours[..., 0].numpy() > 0.5
    labels, _ = cast(tuple[np.ndarray, int], ndimage.label(np.pad(~solid, 1, constant_values=True)))
    holes = (labels[1:-1, 1:-1] > 1) & (network[..., 0].numpy() > 0.5)  # 1 is what surrounds the object
    share = holes.sum() / solid.sum()
    if share < 0.01:
        return []
    told = "The cut-out has holes in the background's colour, {share:.0%} of it, where the network sees the object."
    hint = Phrase("Right for a ring or a handle; if they are eyes or a label, paint them white in the mask.")
    return [(Phrase(told, share=float(share)), hint)]


def _shadow(rgb: torch.Tensor, colours: torch.Tensor, network: torch.Tensor) -> list[Doubt]:
    """Return what to say of parts that have the hue of the picture's border, but darker, and no object for the network.

    The object may have that colour, too: nothing is taken away.
    """
    from skimage.color import rgb2lab

    lab = torch.from_numpy(rgb2lab(rgb.numpy())).float()
    border = torch.cat([lab[0], lab[-1], lab[:, 0], lab[:, -1]]).median(0).values
    darker, hue = border[0] - lab[..., 0], (lab[..., 1:] - border[1:]).norm(dim=-1)
    solid = colours[..., 0] > 0.5
    shade = solid & (network[..., 0] < 0.5) & (darker > 0) & (darker < DARKEST) & (hue < SAME_HUE)
    share = float(shade.sum() / solid.sum())
    if share < SHADED:
        return []
    told = "{share:.0%} of the cut-out is a darker shade of the background, and may be a shadow."
    hint = Phrase("Paint it black in the mask, or let the network cut the object out.")
    return [(Phrase(told, share=share), hint)]


@torch.no_grad()
def _network_mask(rgb: torch.Tensor) -> torch.Tensor:
    return _network()(rgb[None])[0]


@functools.cache
def _network() -> Matting:
    # Loading draws random numbers, which are the job's.
    with torch.random.fork_rng():
        return load_matting("embedded")
