"""A subject before clutter is cut out whole and alone, where either means by itself fails."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from backend.cameras import orbit
from backend.embedded.objects.shapes import HELD_OUT, make_subject
from backend.embedded.objects.solids import photograph
from backend.errors import EmptyMask
from backend.images import subject_mask
from backend.systems.dreambooth3d.cutting import around, large_parts, subject_in
from backend.vision.matting import Matting, load_matting
from benchmarks.data.cases import _background


@pytest.fixture(scope="module")
def network() -> Matting:
    return load_matting("embedded")


def cluttered(category: str, azimuth: float, room: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a small thing in a room, [128, 128, 3], and where it is, [128, 128, 1]."""
    solid = make_subject(HELD_OUT.first_seed + 40, category=category, unseen=True).solid
    camera = orbit([azimuth], 15.0, distance=4.5, size=128)
    white, black = (photograph(solid, camera, torch.full((3,), shade)).rgb[0] for shade in (1.0, 0.0))
    behind = (white - black).mean(-1, keepdim=True)
    return (black + behind * _background(random.Random(room), 128)).clamp(0, 1), 1 - behind


def overlap(found: torch.Tensor, true: torch.Tensor) -> float:
    one, other = found > 0.5, true > 0.5
    return float((one & other).sum() / (one | other).sum())


def placed(rgb: torch.Tensor, piece: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mask of a piece where that lies in the picture."""
    windows = rgb.unfold(0, piece.shape[0], 1).unfold(1, piece.shape[1], 1)  # [., ., 3, h, w]
    row, column = next(
        (r, c)
        for r in range(windows.shape[0])
        for c in range(windows.shape[1])
        if torch.equal(windows[r, c].permute(1, 2, 0), piece)
    )
    whole = torch.zeros_like(rgb[..., :1])
    whole[row : row + piece.shape[0], column : column + piece.shape[1]] = mask
    return whole


def test_two_looks_find_a_subject_before_clutter(network: Matting) -> None:
    ours, colours = [], []
    for category, azimuth, room in (("bear", 140.0, 1), ("dog", 20.0, 2), ("mug", 70.0, 5), ("chair", -60.0, 7)):
        rgb, true = cluttered(category, azimuth, room)
        ours.append(overlap(placed(rgb, *subject_in(rgb, None, network)), true))
        try:
            colours.append(overlap(subject_mask(rgb, None), true))
        except EmptyMask:
            colours.append(0.0)
    assert min(ours) > 0.85 and min(ours) > min(colours), (ours, colours)


def test_alpha_is_the_mask_itself_and_where_there_is_nothing_that_is_said(network: Matting) -> None:
    rgb, true = cluttered("mug", 0.0, 3)
    piece, mask = subject_in(rgb, true, network)
    assert torch.equal(piece, rgb) and torch.equal(mask, true)
    with pytest.raises(EmptyMask):
        subject_in(torch.full((64, 80, 3), 0.5), None, lambda images: torch.zeros_like(images[..., :1]))


def test_in_a_photo_of_one_colour_there_is_nothing_whatever_the_network_makes_up() -> None:
    def sees_things(images: torch.Tensor) -> torch.Tensor:
        found = torch.zeros_like(images[..., :1])
        found[:, 8:24, 8:24] = 1.0
        return found

    grain = 0.01 * torch.rand(32, 32, 3, generator=torch.Generator().manual_seed(0))
    for rgb in (torch.ones(32, 32, 3), 0.5 + grain):
        with pytest.raises(EmptyMask):
            subject_in(rgb, None, sees_things)  # type: ignore[arg-type]
    _, mask = subject_in(torch.rand(32, 32, 3), None, sees_things)  # type: ignore[arg-type]
    assert bool((mask > 0.5).any())


def test_small_parts_are_clutter_and_the_place_stays_inside_the_picture() -> None:
    solid = np.zeros((20, 30), dtype=bool)
    solid[2:10, 2:10], solid[15, 25] = True, True  # 64 pixels, and one
    kept = large_parts(solid)
    assert kept[1:11, 1:11].all() and kept.sum() == 100 and not large_parts(np.zeros((4, 4), dtype=bool)).any()
    rows, columns = around(torch.from_numpy(solid[:, :12]))
    assert (rows.start, rows.stop, columns.start, columns.stop) == (1, 11, 1, 11)  # 7 x 0.2 is a pixel of room
    assert around(torch.ones(4, 6, dtype=torch.bool)) == (slice(0, 4), slice(0, 6))
