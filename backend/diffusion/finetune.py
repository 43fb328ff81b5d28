"""DreamBooth: teaches a prior one subject from a few pictures, beside its class, so that a rare word means the subject.

    tuning = Finetuning(prior, FinetuneOptions())
    tuning.step([Examples(photos, said), Examples(class_latents, class_said, weight=1.0)], generator)
    tuning.prior  # draws the subject

Source: Ruiz et al., DreamBooth (arXiv 2208.12242), section 3, eq. 2; Raj et al., DreamBooth3D (arXiv 2303.13508),
section 3.2, whose partial and full models are two moments of one such run.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from backend.cameras import Cameras, concatenate, orbit, view_words
from backend.diffusion.denoiser import TOGETHER_PIXELS, Prior
from backend.diffusion.image_prompt import twin
from backend.diffusion.joint_attention import joined
from backend.diffusion.sampling import denoise, noise_for
from backend.diffusion.vsd_lora import LAYERS
from backend.errors import BadInput

TEXT_LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj")
BETAS, DECAY, MAX_NORM = (0.9, 0.999), 1e-2, 1.0  # of AdamW and of a step's gradient; diffusers' DreamBooth script
RATE_OF_ALL, RATE_OF_LORA = 5e-4, 1e-4  # of all weights of a small prior, and of small changes beside a large one's
CLASS_STEPS, CLASS_SCALE = 25, 4.0  # of the sampling of class pictures
CLASS_HEIGHTS, TURN = (-10.0, 45.0), 137.507764  # degrees; the golden angle spreads sides and heights, however many


@dataclass(frozen=True)
class FinetuneOptions:
    """How a prior is taught. A system's settings have the same names, with `tuning_` before them."""

    rate: float = RATE_OF_LORA  # constant, without warm-up: runs are short
    rank: int = 0  # of a LoRA with alpha = rank; 0: all weights of the UNet
    text_encoder: bool = False  # teach it, too
    min_snr: float = 0.0  # gamma of min-SNR weights (arXiv 2303.09556; 5 there); 0: none


def options_for(
    prior: Prior, which: str, rate: float, rank: int, *, text_encoder: bool, min_snr: float = 0.0
) -> FinetuneOptions:
    """Return how a prior is taught: all weights ("all"), a LoRA ("lora"), or by its size ("auto").

    By its size all weights of a small prior in full precision are taught, else a LoRA of the rank. A rate of 0 is
    RATE_OF_ALL or RATE_OF_LORA.
    """
    small = prior.image_size <= TOGETHER_PIXELS and prior.dtype == torch.float32
    whole = which == "all" or (which == "auto" and small)
    usual = RATE_OF_ALL if whole else RATE_OF_LORA
    return FinetuneOptions(rate or usual, 0 if whole else rank, text_encoder, min_snr)


@dataclass(frozen=True)
class Examples:
    """Pictures as latents [N, C, h, w], what is said of each, and how much and how often they count in a step."""

    latents: torch.Tensor
    prompts: tuple[str, ...]
    cameras: Cameras | None = None  # from where each is seen, where that is known and the prior takes it
    weight: float = 1.0
    batch: int = 4  # drawn in each step
    group: int = 1  # so many that follow each other are views of one object, and seen together

    def __post_init__(self) -> None:
        if len(self.latents) != len(self.prompts):
            raise ValueError(f"{len(self.prompts)} prompts for {len(self.latents)} pictures")
        if len(self.latents) % self.group:
            raise ValueError(f"{len(self.latents)} pictures are no groups of {self.group} views")

    def draw(self, generator: torch.Generator) -> torch.Tensor:
        """Draw the pictures of a step, [B]: single ones, or whole groups, one at least."""
        groups = torch.randint(
            len(self.latents) // self.group, (max(1, self.batch // self.group),), generator=generator
        )  # fmt: skip
        return (groups[:, None] * self.group + torch.arange(self.group)).flatten()


class Finetuning:
    """A copy of a prior that learns; the prior itself stays. `prior` is what it knows now.

    What learns a LoRA shares all other weights with it.
    """

    def __init__(self, prior: Prior, options: FinetuneOptions) -> None:
        """Start from what the prior knows. Raises BadInput for all weights of a network in half precision."""
        if not options.rank and prior.dtype != torch.float32:
            raise BadInput(
                "All weights can only be taught in full precision, and this prior is in half precision.",
                "Choose a rank above 0 (a LoRA, 4 to 32), or load the prior in full precision.",
            )
        self.options = options
        copied = twin if options.rank else copy.deepcopy  # beside small changes the weights are the prior's own
        unet, encoder = copied(prior.unet), prior.text_encoder
        if options.text_encoder:
            encoder = copied(encoder)
        parts = {"unet": (unet, LAYERS)} | ({"text_encoder": (encoder, TEXT_LAYERS)} if options.text_encoder else {})
        for network, layers in parts.values():
            _open(network, layers, options.rank)
        if prior.computes_again:
            unet.enable_gradient_checkpointing()
        self.prior = replace(prior, unet=unet, text_encoder=encoder)
        self.parameters = {
            f"{part}.{name}": value
            for part, (network, _) in parts.items()
            for name, value in network.named_parameters()
            if value.requires_grad
        }
        self.optimiser = torch.optim.AdamW(
            self.parameters.values(), lr=options.rate, betas=BETAS, weight_decay=DECAY
        )  # fmt: skip
        self._contexts: dict[int, tuple[Examples, torch.Tensor]] = {}  # by id, of examples that are kept with them

    def step(self, examples: Sequence[Examples], generator: torch.Generator) -> list[float]:
        """Take one step on pictures drawn from each kind of examples; return each kind's loss before it, unweighted.

        The loss is the mean squared error of what the network predicts, noise or velocity, each picture noised to a
        timestep of its own, views that are seen together to one. Draws come from the generator (on the CPU). A loss
        that is not finite changes nothing.
        """
        losses = []
        for kind in examples:
            rows = kind.draw(generator)
            with joined(self.prior.unet, kind.group):  # also on the way back, where layers are computed again
                loss = self._loss(kind, rows, generator)
                (kind.weight * loss).backward()
            losses.append(float(loss.detach()))
        torch.nn.utils.clip_grad_norm_(self.parameters.values(), MAX_NORM)
        if all(map(math.isfinite, losses)):
            self.optimiser.step()
        self.optimiser.zero_grad()
        return losses

    def _loss(self, kind: Examples, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        prior = self.prior
        clean = kind.latents[rows].to(prior.device)  # [B, C, h, w]
        times = torch.randint(len(prior.alphas), (len(rows) // kind.group,), generator=generator)
        times = times.repeat_interleave(kind.group).to(prior.device)
        noise = torch.randn(clean.shape, generator=generator).to(clean)
        noisy, wanted = prior.noised(clean, times, noise)
        options: dict[str, Any] = {"encoder_hidden_states": self._context(kind, rows).to(prior.dtype)}
        predicted = prior.unet(noisy.to(prior.dtype), times, **options).sample.float()
        errors = (predicted - wanted).square().mean(dim=(1, 2, 3))  # [B]
        return (errors * min_snr_weight(prior.alphas[times], self.options.min_snr, prior.predicts_velocity)).mean()

    def _context(self, kind: Examples, rows: torch.Tensor) -> torch.Tensor:
        """Return what is said of some of the pictures, [B, T, width]; said once where the text encoder stays."""
        if self.options.text_encoder:
            cameras = concatenate([kind.cameras[int(i)] for i in rows]) if kind.cameras is not None else None
            return self.prior.embed_with_graph([kind.prompts[int(i)] for i in rows], cameras)
        if id(kind) not in self._contexts:
            self._contexts[id(kind)] = kind, self.prior.embed(kind.prompts, kind.cameras)
        return self._contexts[id(kind)][1][rows.to(self.prior.device)]

    def state_dict(self) -> dict[str, Any]:
        """Return copies of the weights that learn, and the optimiser's state."""
        return {"weights": self.weights(), "optimiser": self.optimiser.state_dict()}

    def weights(self) -> dict[str, torch.Tensor]:
        """Return copies of the weights that learn, by name: unet.*, text_encoder.*."""
        return {name: value.detach().clone() for name, value in self.parameters.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state; raises ValueError where its tensors are of another network or rank."""
        self.load_weights(state["weights"])
        self.optimiser.load_state_dict(dict(state["optimiser"]))

    @torch.no_grad()
    def load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take over weights alone, as of another moment of a run; raises ValueError where they do not fit."""
        shapes = {name: tuple(value.shape) for name, value in self.parameters.items()}
        if {name: tuple(value.shape) for name, value in weights.items()} != shapes:
            raise ValueError("These weights are of another network or rank than the one that is taught.")
        for name, value in self.parameters.items():
            value.copy_(weights[name])


def min_snr_weight(alphas: torch.Tensor, gamma: float, velocity: bool) -> torch.Tensor:
    """Return the weights [B] of squared errors at cumulative alphas [B]; 1 where gamma is 0.

    Source: Hang et al., Efficient Diffusion Training via Min-SNR Weighting Strategy, 2023, eq. 8 and appendix.
    """
    if not gamma:
        return torch.ones_like(alphas)
    ratio = alphas / (1 - alphas)
    return ratio.clamp_max(gamma) / (ratio + 1 if velocity else ratio)


def class_examples(
    prior: Prior, prompt: str, count: int, generator: torch.Generator, *, weight: float = 1.0, batch: int = 4,
    views: int = 0, together: int = 8,
) -> Examples:  # fmt: skip
    """Draw pictures of the class from the prior itself, as latents, for prior preservation.

    They are drawn once; the loss on them keeps the class, and with it the sides that the photos do not show. With
    `views` they are of known sides, as many of each object, which see each other where that is more than one: so is
    kept what the prior knows of sides, and how it lets views see each other. The count is then a multiple of that.
    Source: DreamBooth, section 3.3; views: MVDream (arXiv 2308.16512), section 3.4, which keeps the weights instead.
    """
    kind = class_views(prompt, count, views, weight=weight, batch=batch)
    drawn, whole = [], max(1, together // kind.group) * kind.group
    for first in range(0, len(kind.prompts), whole):
        some = slice(first, first + whole)
        prompts = kind.prompts[some]
        said = prior.embed(prompts, kind.cameras[some] if kind.cameras else None)
        if kind.group > 1:
            said = said.unflatten(0, (-1, kind.group))
        noise, nothing = noise_for(prior, len(prompts), generator), prior.embed([""] * len(prompts))
        drawn.append(
            denoise(prior.predict_noise, noise, prior.alphas, said, nothing, steps=CLASS_STEPS, scale=CLASS_SCALE)
        )
    return replace(kind, latents=torch.cat(drawn))


def class_views(
    prompt: str, count: int, views: int, *, weight: float = 1.0, batch: int = 4,
    latents: torch.Tensor | None = None,
) -> Examples:  # fmt: skip
    """Return pictures of the class as examples: what is said of each and, with `views`, from where it is seen.

    That is the same whenever it is asked; without latents they are empty. Each object is turned further than the last.
    """
    group = max(1, views)
    count = -(-count // group) * group
    if latents is None:
        latents = torch.zeros(count, 0)
    if not views:
        return Examples(latents, (prompt,) * count, weight=weight, batch=batch)
    azimuths = [TURN * (row // group) + 360.0 * (row % group) / group for row in range(count)]
    low, high = CLASS_HEIGHTS
    cameras = orbit(azimuths, [low + (high - low) * (TURN * row % 360) / 360 for row in range(count)])
    said = tuple(f"{prompt}, {word} view" for word in view_words(cameras))
    return Examples(latents, said, cameras=cameras, weight=weight, batch=batch, group=group)


def with_token(prompt: str, token: str, subject: str) -> str:
    """Return the prompt with a rare token before the first word of the class; before all where it is not said."""
    words = prompt.split(" ")
    bare = [word.strip(",.;:").lower() for word in words]
    sought = subject.lower().split(" ")
    for place in range(len(words) - len(sought) + 1):
        if bare[place : place + len(sought)] == sought:
            return " ".join([*words[:place], token, *words[place:]])
    return f"{token} {subject}, {prompt}" if prompt else f"{token} {subject}"


def _open(network: Any, layers: Sequence[str], rank: int) -> None:
    """Let a network learn: all its weights, or low-rank changes of some layers that change nothing yet."""
    if not rank:
        network.requires_grad_(True)
        return
    from peft import LoraConfig

    network.requires_grad_(False)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):  # the same start in every job
        torch.manual_seed(0)
        network.add_adapter(
            LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(layers))
        )
    for value in network.parameters():
        if value.requires_grad:
            value.data = value.data.float()  # also where the prior is in half precision
