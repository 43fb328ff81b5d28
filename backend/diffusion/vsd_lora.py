"""The variational score of VSD: a LoRA of the prior that predicts the noise in noised renderings of this very object.

It is the prior with low-rank changes, trained beside the object on the object's own renderings; the prior stays as it
is. Source: Wang et al., ProlificDreamer, 2023, section 3.2 and algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from backend.diffusion.denoiser import Prior
from backend.diffusion.image_prompt import twin

LAYERS = ("to_q", "to_k", "to_v", "to_out.0")  # of every attention, as the authors and threestudio do
BETAS, EPSILON = (0.9, 0.99), 1e-15  # of threestudio's configuration of ProlificDreamer; AdamW, as there


class VariationalScore:
    """A low-rank adapted prior, trained on one object's renderings: `predict_noise` as a prior's, `learn` a step of it.

    It is told what the prior is told, the prompt and, where the prior takes them, the cameras; its authors tell every
    camera by a layer of its own, and leave it out now and then, which guidance of strength 1 never asks about.
    """

    def __init__(self, prior: Prior, *, rank: int = 4, rate: float = 1e-4) -> None:
        """Start with changes of `rank` that change nothing yet, and AdamW at a learning rate."""
        from peft import LoraConfig, inject_adapter_in_model

        network = twin(prior.unet)
        devices = range(torch.cuda.device_count())
        with torch.random.fork_rng(devices=devices):  # the same start in every job, and nobody else's draws change
            torch.manual_seed(0)
            inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(LAYERS)), network)
        if prior.computes_again:
            network.enable_gradient_checkpointing()
        self.changes = {name: value for name, value in network.named_parameters() if "lora_" in name}
        for value in self.changes.values():
            value.data = value.data.float()  # also where the prior is in half precision
        self.prior = replace(prior, unet=network)
        self.predict_noise = self.prior.predict_noise
        self.optimiser = torch.optim.AdamW(self.changes.values(), lr=rate, betas=BETAS, eps=EPSILON)

    def learn(
        self, latents: torch.Tensor, context: torch.Tensor, generator: torch.Generator, *, at_once: int = 0
    ) -> float:
        """Take one step towards the noise in latents [B, C, h, w] of renderings; return the loss before it.

        Each is noised to a timestep of its own with noise from the generator (on the CPU). The loss is the mean
        squared error of what the network predicts, noise or velocity. `at_once` views are in memory together, 0: all.
        A loss that is not finite changes nothing.
        """
        prior, count = self.prior, len(latents)
        times = torch.randint(len(prior.alphas), (count,), generator=generator).to(latents.device)
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        noisy, wanted = prior.noised(latents, times, noise)
        total = 0.0
        for part in torch.arange(count).split(at_once or count):
            options: dict[str, Any] = {"encoder_hidden_states": context[part].to(prior.dtype)}
            predicted = prior.unet(noisy[part].to(prior.dtype), times[part], **options).sample.float()
            loss = (predicted - wanted[part]).square().mean() * (len(part) / count)
            loss.backward()
            total += float(loss.detach())
        if math.isfinite(total):
            self.optimiser.step()
        self.optimiser.zero_grad()
        return total

    def state_dict(self) -> dict[str, Any]:
        """Return copies of the changes, and the optimiser's state."""
        changes = {name: value.detach().clone() for name, value in self.changes.items()}
        return {"changes": changes, "optimiser": self.optimiser.state_dict()}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state; raises ValueError where its tensors are of another network or rank."""
        shapes = {name: tuple(value.shape) for name, value in self.changes.items()}
        if {name: tuple(value.shape) for name, value in state["changes"].items()} != shapes:
            raise ValueError("The saved changes of the network do not fit this network: the checkpoint is of another.")
        for name, value in self.changes.items():
            value.copy_(state["changes"][name])
        self.optimiser.load_state_dict(dict(state["optimiser"]))
