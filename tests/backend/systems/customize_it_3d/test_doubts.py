"""Each thing that can be wrong with the one image has its sentence, and a good one has none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from backend.errors import EmptyMask
from backend.images import save_image
from backend.systems.customize_it_3d.doubts import doubts_about, glassy
from backend.vision.normals import Geometry


def disc(size: int, x: float, y: float, radius: float) -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    return ((rows - y * size) ** 2 + (columns - x * size) ** 2 < (radius * size) ** 2).float()[..., None]


def doubts(path: Path, alpha: torch.Tensor) -> list[str]:
    save_image(path, torch.cat([torch.full((*alpha.shape[:2], 3), 0.4), alpha], dim=-1))
    return [sentence for sentence, hint in doubts_about(path) if hint.endswith(".")]


def test_a_whole_object_is_not_doubted(tmp_path: Path) -> None:
    assert doubts(tmp_path / "a.png", disc(128, 0.5, 0.5, 0.35)) == []


def test_what_is_small_cut_several_or_transparent_is_said_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert doubts(path, disc(16, 0.5, 0.5, 0.4)) == ["The object has 12 pixels in the image."]
    (cut,) = doubts(path, disc(128, 0.5, 0.1, 0.35))
    assert cut.startswith("The object is cut by the frame: ") and "pixels lie at the image's border" in cut
    two = disc(128, 0.25, 0.5, 0.2) + disc(128, 0.75, 0.5, 0.2)
    assert doubts(path, two) == ["The image shows 2 separate things."]
    crumb = disc(128, 0.4, 0.5, 0.3) + disc(128, 0.9, 0.5, 0.03)
    assert doubts(path, crumb) == []
    hollow = disc(128, 0.5, 0.5, 0.4) - 0.4 * disc(128, 0.5, 0.5, 0.3)
    (clear,) = doubts(path, hollow)
    assert clear.startswith("The object is transparent: 6")


def test_a_white_image_has_no_object(tmp_path: Path) -> None:
    save_image(tmp_path / "white.png", torch.ones(64, 64, 3))
    with pytest.raises(EmptyMask, match="0 of 4096 pixels differ clearly"):
        doubts_about(tmp_path / "white.png")


def test_depth_that_the_mirrored_image_contradicts_is_uncertain() -> None:
    mask, picture = torch.ones(8, 8, 1), torch.rand(8, 8, 3, generator=torch.Generator().manual_seed(0))
    columns = torch.arange(8.0).view(1, 1, 8, 1).expand(1, 8, 8, 1)

    def sure(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return images.mean(-1, keepdim=True), images

    def guessing(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return columns, images  # the right is nearer, whatever is shown

    assert glassy(Geometry(sure), picture, picture.mean(-1, keepdim=True)[None], mask) == []
    ((sentence, hint),) = glassy(Geometry(guessing), picture, columns, mask)
    assert "agrees with that of the mirrored image by -1.00 of 1" in sentence and "depth.png" in hint
    assert glassy(Geometry(guessing), picture, torch.ones(1, 8, 8, 1), mask) == []  # flat: nothing to compare
