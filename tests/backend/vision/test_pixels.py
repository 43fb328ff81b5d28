"""Pixels for public networks: as their own processors make them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.errors import MissingModel
from backend.vision.pixels import Pixels, read_pixels


def test_pixels_are_those_of_the_librarys_processor(tmp_path):
    """Same size, crop and colours; only rounding to 8 bits and the resampling filter's edges differ a little."""
    from transformers import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil(size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32})
    processor.save_pretrained(tmp_path)
    smooth = torch.nn.functional.interpolate(torch.rand(1, 3, 6, 9), (60, 90), mode="bicubic").clamp(0, 1)
    image = (smooth * 255).round() / 255
    expected = processor(
        images=[(image[0].permute(1, 2, 0) * 255).round().byte().numpy()], return_tensors="np"
    ).pixel_values
    got = read_pixels(tmp_path)(image.permute(0, 2, 3, 1))
    assert got.shape == (1, 3, 32, 32)
    assert np.abs(got.numpy() - expected).max() < 0.06
    assert np.abs(got.numpy() - expected).mean() < 0.01


def test_sizes_of_other_processors():
    """DPT's: the side that changes less decides, both sides multiples of 14; ViT's: both sides as they are given."""
    image = torch.rand(1, 100, 150, 3)
    assert Pixels((98, 98), keep_aspect=True, multiple_of=14)(image).shape[2:] == (98, 140)
    assert Pixels((64, 64))(image).shape[2:] == (64, 64)


def test_pixels_without_a_file_or_a_size_are_a_sentence(tmp_path):
    with pytest.raises(MissingModel, match=r"preprocessor_config\.json is missing"):
        read_pixels(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text("{}")
    with pytest.raises(MissingModel, match="gives no size of images"):
        read_pixels(tmp_path)
