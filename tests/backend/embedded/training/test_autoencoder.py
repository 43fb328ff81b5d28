"""Whitening the autoencoder keeps its pictures."""

from __future__ import annotations

from typing import Any

import torch

from backend.embedded.training.autoencoder import new_autoencoder, whiten


def test_whitening_keeps_the_pictures_and_evens_out_the_channels():
    torch.manual_seed(0)
    autoencoder: Any = new_autoencoder().eval()
    images = torch.rand(6, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        autoencoder.quant_conv.weight *= torch.tensor([4.0, 1, 2, 0.5, 1, 1, 1, 1])[:, None, None, None]
        autoencoder.quant_conv.bias += torch.arange(8.0)
        before = autoencoder.encode(images).latent_dist
        rebuilt = autoencoder.decode(before.mode()).sample
        whiten(autoencoder, before.mode())
        after = autoencoder.encode(images).latent_dist
        torch.testing.assert_close(autoencoder.decode(after.mode()).sample, rebuilt, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(after.mean.mean(dim=(0, 2, 3)), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(after.mean.std(dim=(0, 2, 3)), torch.ones(4), atol=1e-4, rtol=0)
    narrower = (1 / before.mean.std(dim=(0, 2, 3)))[None, :, None, None]
    # A standard deviation is the exponential of half a log variance: rounding in the log is a relative error of e^x.
    torch.testing.assert_close(after.std, before.std * narrower, atol=0, rtol=1e-5)
    assert autoencoder.config.scaling_factor == 1.0
