"""Pieces, dust, frames and thin parts of masks that are drawn by hand, counted by hand."""

from __future__ import annotations

import pytest
import torch

from backend.errors import EmptyMask, NoSuchPiece
from backend.vision.mask_doubts import check_thickness, doubts, one_piece, pieces, thinness, without_dust


def boxes(*places: tuple[int, int, int, int], size: int = 100) -> torch.Tensor:
    """Return a mask [size, size, 1] of boxes: top, left, height, width."""
    mask = torch.zeros(size, size, 1)
    for top, left, height, width in places:
        mask[top : top + height, left : left + width] = 1.0
    return mask


def said(mask: torch.Tensor, **options: bool) -> str:
    return " ".join(sentence for sentence, _ in doubts(mask, **options))


def test_one_whole_object_is_not_doubted():
    assert doubts(boxes((20, 20, 60, 50))) == [] and doubts(boxes((0, 0, 60, 100)).roll(20, 0)[:, 10:-10]) != []


def test_pieces_are_numbered_by_size_and_one_can_be_taken_with_its_soft_rim():
    mask = boxes((5, 5, 20, 30), (40, 40, 50, 50), (5, 60, 10, 10), (60, 5, 1, 1))
    mask[30:32, 45:60] = 0.3  # nothing of it is above a half: a rim, nearest to the largest piece
    labels, sizes = pieces(mask)
    assert sizes == [2500, 600, 100]  # one pixel is dust
    assert (labels[50, 50], labels[10, 10], labels[8, 65], labels[60, 5], labels[0, 0]) == (1, 2, 3, 4, 0)
    assert "has 2 pieces; the largest is 78% of it" in said(mask)  # 100 of 3201 are less than a twentieth
    second = one_piece(mask, 2)
    assert torch.equal(second > 0.5, boxes((5, 5, 20, 30)) > 0.5)
    assert torch.equal(one_piece(mask, 1)[30:32, 45:60], mask[30:32, 45:60])
    with pytest.raises(NoSuchPiece, match="has 3 pieces, and piece 4"):
        one_piece(mask, 4)
    with pytest.raises(EmptyMask, match="has 1 piece, and piece 2"):
        one_piece(boxes((20, 20, 30, 30)), 2)


def test_pixels_that_touch_at_a_corner_are_one_piece():
    assert pieces(boxes((10, 10, 20, 20), (30, 30, 20, 20)))[1] == [800]


def test_dust_is_left_out_where_it_would_make_the_object_smaller():
    whole = boxes((30, 30, 40, 40))
    near, far = whole.clone(), whole.clone()
    whole[30:33, 30:33] = 0.0
    near[30:33, 30:33] = 0.0
    near[31, 31] = 1.0  # inside the box of the rest
    assert without_dust(near)[0] is near and without_dust(near)[1] == []
    far[2, 3] = far[97, 90] = 1.0
    clean, found = without_dust(far)
    assert torch.equal(clean, boxes((30, 30, 40, 40))) and found[0][0].startswith("2 stray pixels")
    two = boxes((30, 30, 40, 40), (2, 2, 4, 4))  # a hundredth of it is a part
    assert without_dust(two)[0] is two


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ((60, 30, 40, 34), "touches the frame of the picture: 34% of its lower side."),
        ((0, 0, 60, 20), "60% of its left side and 20% of its upper side."),
        ((96, 30, 4, 4), "only 4 x 4 pixels large"),
        ((0, 0, 96, 98), "is 94% of the picture"),
    ],
)
def test_what_the_frame_cuts_off_and_what_is_small_or_everything_is_said(
    place: tuple[int, int, int, int], sentence: str
):
    assert sentence in said(boxes(place))


def test_alpha_may_be_cropped_to_its_object_but_not_cut_by_one_side():
    diamond = (torch.arange(101)[:, None] - 50).abs() + (torch.arange(101)[None] - 50).abs() <= 50
    assert doubts(diamond[..., None].float(), trimmed=True) == []
    bust = diamond[..., None].float()[:70]
    assert "lower side" not in said(bust, trimmed=True)  # it fills its picture
    assert "62% of its lower side" in said(torch.nn.functional.pad(bust, (0, 0, 0, 0, 9, 0)), trimmed=True)
    assert "plain rectangle of 50 x 60 pixels" in said(boxes((20, 20, 60, 50)), trimmed=True)


def test_a_line_is_lost_in_the_priors_pixels():
    mask = torch.zeros(32, 32, 1)
    mask[:, 10] = 0.4
    with pytest.raises(EmptyMask, match=r"0 of 1024 pixels .* 32 x 32"):
        check_thickness(mask)
    assert thinness(mask)[0][0].startswith("100% of the cut-out is thinner")
    mask[10:20, 20:30] = 1.0  # 100, beside 12.8
    check_thickness(mask)
    assert thinness(mask) == []
    mask[10:20, 22:30] = 0.0  # 20 are left
    assert thinness(mask)[0][0].startswith("39% of the cut-out")
