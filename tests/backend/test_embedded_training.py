"""What the trainer does to networks and checkpoints, on networks too small to learn anything."""

from __future__ import annotations

from typing import Any

import torch

from backend.embedded.train_autoencoder import new_autoencoder, whiten
from backend.embedded.training import Averaged, load_training, save_training


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
    torch.testing.assert_close(after.std, before.std * narrower)
    assert autoencoder.config.scaling_factor == 1.0


def test_training_goes_on_from_its_checkpoint_as_if_nothing_had_happened(tmp_path):
    def step(module: torch.nn.Linear, averaged: Averaged, optimiser: torch.optim.Optimizer, number: int) -> None:
        optimiser.zero_grad()
        (module(torch.full((2, 3), float(number))) - 1).square().mean().backward()
        optimiser.step()
        averaged.update(number)

    def start() -> tuple[torch.nn.Linear, Averaged, torch.optim.Optimizer]:
        torch.manual_seed(1)
        module = torch.nn.Linear(3, 2)
        return module, Averaged(module, 0.9), torch.optim.AdamW(module.parameters(), lr=0.1)

    straight, cut = start(), start()
    for number in range(6):
        step(*straight, number)
    for number in range(3):
        step(*cut, number)
    save_training(tmp_path / "a.safetensors", *cut[1:], {"step": 3})
    resumed = start()
    counts = load_training(tmp_path / "a.safetensors", *resumed[1:])
    for number in range(counts["step"], 6):
        step(*resumed, number)
    assert torch.equal(resumed[0].weight, straight[0].weight)
    assert torch.equal(resumed[1].average["weight"], straight[1].average["weight"])
