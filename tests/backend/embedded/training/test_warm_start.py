"""A network begins as the one that was trained for less."""

from __future__ import annotations

import torch

from backend.diffusion.denoiser import load_prior
from backend.embedded.tokenizer import build_tokenizer
from backend.embedded.training.views import ViewDenoiser
from backend.weights import EMBEDDED


def test_it_begins_as_the_shipped_network_with_more_channels_and_words():
    prior = load_prior("embedded")
    words = ("zebra", *(w for w in prior.tokenizer.get_vocab() if w.endswith("</w>") and len(w) > 5))
    tokenizer = build_tokenizer([word.removesuffix("</w>") for word in words])
    model = ViewDenoiser(tokenizer, 8)
    fresh = model.begin(tokenizer, EMBEDDED)
    assert "zebra</w>" in fresh and "mug</w>" not in fresh
    model.eval()
    generator = torch.Generator().manual_seed(0)
    latents, steps = torch.randn(2, 8, 16, 16, generator=generator), torch.tensor([100, 700])
    prompts = ["a red mug, front view", ""]
    with torch.no_grad():
        old = prior.unet(latents[:, :4], steps, prior.embed(prompts)).sample
        new = model.unet(latents, steps, model.context(tokenizer, prompts, [], None)).sample
    torch.testing.assert_close(new[:, :4], old, atol=1e-4, rtol=1e-4)
    assert (new[:, 4:] == 0).all()
