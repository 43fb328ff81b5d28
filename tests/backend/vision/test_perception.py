"""The embedded perception: its folded layout, its signs and axes, and gradients into the images."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from backend.errors import MissingModel
from backend.vision.perception import Perception, load_perception
from tests.backend.tiny_networks import SIZE, write_perception


class Known(torch.nn.Module):
    """Instead of a network: folded maps that were made by hand, of what came in."""

    def __init__(self, make, fold: int) -> None:
        super().__init__()
        self.make, self.fold = make, fold
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, folded: torch.Tensor, timestep: int) -> SimpleNamespace:
        images = functional.pixel_shuffle(folded, self.fold)  # [B, 3, S, S] in [-1, 1]
        return SimpleNamespace(sample=functional.pixel_unshuffle(self.make(images), self.fold))


@pytest.mark.parametrize("fold", [2, 4])
def test_the_layout_is_folded_images_in_and_maps_out(tmp_path, fold):
    network = write_perception(tmp_path, fold)
    perception = load_perception(str(tmp_path))
    assert (perception.fold, perception.size) == (fold, SIZE)
    images = torch.rand(2, SIZE, SIZE, 3)
    seen = perception(images)
    with torch.no_grad():
        folded = functional.pixel_unshuffle(images.permute(0, 3, 1, 2) * 2 - 1, fold)
        maps = functional.pixel_shuffle(network(folded, 0).sample, fold).permute(0, 2, 3, 1)
    torch.testing.assert_close(seen.mask, maps[..., :1].sigmoid(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(seen.depth, maps[..., 1:2], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(seen.normal, functional.normalize(maps[..., 2:], dim=-1), atol=1e-5, rtol=1e-3)


def test_channels_keep_their_places_and_signs():
    """A network that says: mask where it is red, nearness from green, normals straight to the right."""

    def make(images: torch.Tensor) -> torch.Tensor:
        red, green, _ = images.split(1, dim=1)
        right = torch.zeros_like(images)
        right[:, 0] = 7.0
        return torch.cat([10 * red, green, right], dim=1)

    images = torch.zeros(1, 8, 8, 3)
    images[:, :4, :, 0] = 1.0  # the upper half is red
    images[:, :, 6:, 1] = 1.0  # the right quarter is green, hence near
    seen = Perception(Known(make, 2), 2, 8)(images)
    assert seen.mask[0, 0, 0] > 0.99 and seen.mask[0, 7, 0] < 0.01
    assert seen.depth[0, 3, 7] > seen.depth[0, 3, 0]
    torch.testing.assert_close(seen.normal[0, 5, 5], torch.tensor([1.0, 0.0, 0.0]))


def test_other_sizes_come_back_in_their_own(tmp_path):
    write_perception(tmp_path)
    images = torch.rand(1, 50, 40, 3, requires_grad=True)
    seen = load_perception(str(tmp_path))(images)
    assert seen.mask.shape == (1, 50, 40, 1) and seen.normal.shape == (1, 50, 40, 3)
    torch.testing.assert_close(seen.normal.norm(dim=-1), torch.ones(1, 50, 40), atol=1e-4, rtol=0)
    for part in (seen.mask, seen.depth, seen.normal):
        (gradient,) = torch.autograd.grad(part.square().sum() + part.sum(), images, retain_graph=True)
        assert torch.isfinite(gradient).all() and gradient.abs().max() > 0


def test_a_wide_picture_is_not_squashed():
    """A network that gives red back as the depth: a square in the picture is a square, in its place."""
    images = torch.zeros(1, 8, 16, 3)
    images[0, 2:6, 10:14, 0] = 1.0

    def make(square: torch.Tensor) -> torch.Tensor:
        assert square.shape == (1, 3, 16, 16)
        assert torch.equal(square[..., :4, :], square[..., 4:5, :].expand(-1, -1, 4, -1))  # the border, repeated
        return torch.cat([square[:, :1]] * 2 + [square], dim=1)

    depth = Perception(Known(make, 2), 2, 16)(images).depth
    torch.testing.assert_close(depth[..., 0], images[..., 0] * 2 - 1)


def test_what_does_not_fit_is_said(tmp_path):
    with pytest.raises(MissingModel, match=r"role perception in .*: config\.json is missing"):
        load_perception(str(tmp_path))
    from diffusers import UNet2DModel

    UNet2DModel(
        sample_size=16, in_channels=12, out_channels=12, block_out_channels=(8,), down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",), norm_num_groups=4,
    ).save_pretrained(tmp_path)  # fmt: skip
    with pytest.raises(MissingModel, match="12 channels in and 12 out"):
        load_perception(str(tmp_path))
