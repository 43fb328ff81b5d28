"""Features: what an image is like, as a whole and patch by patch."""

from __future__ import annotations

import torch

from backend.vision.features import load_features
from backend.vision.pixels import read_pixels
from tests.backend.tiny_networks import SIZE, write_features


def test_features_are_the_class_token_and_the_patches_in_reading_order(tmp_path):
    network = write_features(tmp_path)
    features = load_features(str(tmp_path))
    images = torch.rand(2, SIZE, SIZE, 3, requires_grad=True)
    whole, patches = features(images)
    out = network(read_pixels(tmp_path)(images)).last_hidden_state
    torch.testing.assert_close(whole, out[:, 0])
    torch.testing.assert_close(patches, out[:, 1:])
    assert patches.shape == (2, 16, 32)
    for part in (whole, patches):
        (gradient,) = torch.autograd.grad(part.square().sum(), images, retain_graph=True)
        assert gradient.abs().max() > 0
