"""What cannot be made solid has its sentence, and a good object has none."""

from __future__ import annotations

import torch

from backend.systems.customize_it_3d.doubts import glassy, transparency
from backend.vision.normals import Geometry


def disc(size: int, x: float, y: float, radius: float) -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    return ((rows - y * size) ** 2 + (columns - x * size) ** 2 < (radius * size) ** 2).float()[..., None]


def test_what_lets_its_background_through_is_said_with_its_number() -> None:
    whole = disc(128, 0.5, 0.5, 0.4)
    assert transparency(whole) == [] == transparency(torch.zeros(16, 16, 1))
    ((sentence, hint),) = transparency(whole - 0.4 * disc(128, 0.5, 0.5, 0.3))
    assert sentence.startswith("The object is transparent: 6") and hint.startswith("It is made solid")


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
