"""The second generation's autoencoders: what they begin with, what they are held to, and how they go on."""

# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from typing import Any

import pytest
import torch

from backend.embedded.training.codecs import (
    NOISE,
    decode,
    encode,
    export_codec,
    load_codec,
    new_kl,
    new_tiny,
    widened_kl,
)
from backend.embedded.training.reconstruction import Recipe
from backend.weights import EMBEDDED

SMALL = Recipe(network="tiny", channels=5, whole=0)


@pytest.mark.parametrize("channels", [4, 8])
def test_a_wider_autoencoder_begins_with_the_latents_and_pictures_of_the_first(channels):
    torch.manual_seed(0)
    first: Any = load_codec(EMBEDDED / "vae").eval()
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    wider = widened_kl(first, channels).eval()
    with torch.no_grad():
        before, after = encode(first, images), encode(wider, images)
        torch.testing.assert_close(after[:, :4], before)
        torch.testing.assert_close(decode(wider, after), decode(first, before))
        assert channels == 4 or after[:, 4:].std() > 0.01  # of the new channels something can be learnt
        torch.testing.assert_close(wider.encode(images).latent_dist.std, torch.full_like(after, NOISE))


@pytest.mark.parametrize("make", [lambda: new_tiny(6, width=8), lambda: new_kl(6)], ids=["tiny", "kl"])
def test_an_exported_autoencoder_is_the_same_but_for_rounding(make, tmp_path):
    torch.manual_seed(0)
    codec, images = make().eval(), torch.rand(2, 3, 64, 64) * 2 - 1
    export_codec(codec, tmp_path)
    exported = load_codec(tmp_path).eval()
    assert type(exported) is type(codec) and next(codec.parameters()).dtype == torch.float32
    with torch.no_grad():
        torch.testing.assert_close(encode(exported, images), encode(codec, images), atol=5e-3, rtol=5e-3)
        latents = encode(codec, images)
        torch.testing.assert_close(decode(exported, latents), decode(codec, latents), atol=1e-2, rtol=1e-2)
