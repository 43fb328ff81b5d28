"""Depth of images: its sign and its gradient, by the embedded network and by public ones."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from backend.vision.depth import DepthAnything, load_depth
from backend.vision.pixels import Pixels
from tests.backend.tiny_networks import write_depth_anything


def test_depth_anything_is_asked_as_its_processor_would(tmp_path):
    network = write_depth_anything(tmp_path)
    depth = load_depth(str(tmp_path))
    images = torch.rand(2, 56, 84, 3, requires_grad=True)
    got = depth(images)
    assert got.shape == (2, 56, 84, 1)
    pixels = Pixels((56, 84), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))(images)
    torch.testing.assert_close(got[..., 0], network(pixels).predicted_depth, atol=1e-5, rtol=1e-4)
    (gradient,) = torch.autograd.grad(got.sum(), images)
    assert torch.isfinite(gradient).all() and gradient.abs().max() > 0


@pytest.mark.parametrize(("kind", "near_first"), [("relative", True), ("metric", False)])
def test_larger_is_nearer_whatever_the_network_says(kind, near_first):
    """A network that says how bright it is on the left: as disparity that is near, in metres it is far."""

    class Known(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = SimpleNamespace(depth_estimation_type=kind)
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, pixels: torch.Tensor) -> SimpleNamespace:
            return SimpleNamespace(predicted_depth=2 + pixels[:, 0])

    images = torch.zeros(1, 8, 8, 3)
    images[:, :, :4] = 1.0
    depth = DepthAnything(Known(), Pixels((8, 8)))(images)
    assert bool(depth[0, 0, 0] > depth[0, 0, 7]) is near_first
