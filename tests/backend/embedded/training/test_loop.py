"""The training loop: what it changes, what it keeps, and that it goes on as if nothing had happened."""

from __future__ import annotations

import random

import torch

from backend.embedded.training.loop import Averaged, fit, load_training, save_training


def test_fitting_trains_what_requires_gradients_and_loads_it_again(tmp_path):
    class Line(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.frozen, self.trained = torch.nn.Linear(2, 2).requires_grad_(False), torch.nn.Linear(2, 1)

        def forward(self, x: float) -> torch.Tensor:
            return self.trained(self.frozen(torch.tensor([[x, 1.0]])))

    module, start, again = Line(), Line(), Line()

    def loss_of_batch(rng: random.Random) -> torch.Tensor:
        return (module(rng.random()) - 3).square().mean()

    tmp_path = tmp_path / "new"  # a folder that is not there yet
    fit(tmp_path, "line", module, loss_of_batch, 0.01, peak_rate=0.05, batch=1, decay=0.5)
    assert torch.equal(module.frozen.weight, start.frozen.weight)
    assert not torch.equal(module.trained.weight, start.trained.weight)
    assert loss_of_batch(random.Random(0)) < (start(0.8) - 3).square().mean() / 10
    fit(tmp_path, "line", again, loss_of_batch, 0, peak_rate=0.05, batch=1, decay=0.5)
    assert torch.equal(again.trained.weight, module.trained.weight)


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
