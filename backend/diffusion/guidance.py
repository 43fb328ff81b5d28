"""What pulls renderings towards a prompt: one of the losses of `scores`, with an image prompt where one is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from backend.cameras import Cameras
from backend.diffusion.denoiser import Prior
from backend.diffusion.image_prompt import ImagePrompt, load_image_prompt, perturb
from backend.diffusion.particle import Particle
from backend.diffusion.scores import PredictPerturbed, csd, csm, ism, sds, vpcsm, vsd
from backend.errors import BadInput

Loss = Literal["sds", "csd", "ism", "vsd", "csm", "vpcsm"]
LOSSES: tuple[Loss, ...] = get_args(Loss)


@dataclass(frozen=True)
class Guidance:
    """A prior, a loss and its weights; `prior` is the one to encode with and to take contexts from."""

    prior: Prior
    loss: Loss
    scale: float  # lambda
    delta_t: int
    difference: float
    perturbation: float  # s
    predict_perturbed: PredictPerturbed
    image_prompt: ImagePrompt | None
    seen: torch.Tensor | None  # the image prompt's tokens, [1, 4, width]
    particle: Particle | None  # of vsd; it learns in each step

    def contexts(
        self, prompts: Sequence[str], negative_prompt: str, cameras: Cameras | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the context of each prompt, seen by its camera where cameras are given, and the unconditional one.

        The unconditional one takes no cameras: that is how the embedded prior saw most of its empty prompts, and it
        lets guidance turn the view.
        """
        conditional = self.prior.embed(prompts, cameras)
        unconditional = self.prior.embed([negative_prompt] * len(prompts))
        if self.image_prompt is None:
            return conditional, unconditional
        attach = self.image_prompt.attach
        return attach(conditional, self.seen), attach(unconditional, None)

    def gradient(
        self,
        latents: torch.Tensor,
        t: int,
        conditional: torch.Tensor,
        unconditional: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Return d(loss) / d(latents), [B, C, h, w]; sds, csd and vsd draw from the generator (on the CPU).

        vsd's particle also learns from the latents, after it was asked: an evaluation with its way back for each view.
        """
        alphas, predict = self.prior.alphas, self.prior.predict_noise

        def noise() -> torch.Tensor:
            return torch.randn(latents.shape, generator=generator).to(latents)

        match self.loss:
            case "sds":
                return sds(
                    predict, latents, t, noise(), alphas=alphas, conditional=conditional, unconditional=unconditional,
                    scale=self.scale,
                )  # fmt: skip
            case "csd":
                return csd(
                    predict, latents, t, noise(), alphas=alphas, conditional=conditional, unconditional=unconditional,
                    scale=self.scale,
                )  # fmt: skip
            case "ism":
                return ism(
                    predict, latents, t, alphas=alphas, conditional=conditional, unconditional=unconditional,
                    scale=self.scale, delta_t=self.delta_t,
                )  # fmt: skip
            case "vsd":
                assert self.particle is not None
                gradient = vsd(
                    predict, self.particle.predict_noise, latents, t, noise(), alphas=alphas, conditional=conditional,
                    unconditional=unconditional, scale=self.scale,
                )  # fmt: skip
                self.particle.learn(latents, conditional, generator)
                return gradient
            case "csm":
                return csm(
                    predict, latents, t, alphas=alphas, conditional=conditional, unconditional=unconditional,
                    scale=self.scale, delta_t=self.delta_t, difference=self.difference,
                )  # fmt: skip
            case "vpcsm":
                return vpcsm(
                    predict, self.predict_perturbed, latents, t, alphas=alphas, conditional=conditional,
                    unconditional=unconditional, scale=self.scale, perturbation=self.perturbation,
                    delta_t=self.delta_t, difference=self.difference,
                )  # fmt: skip


def guidance_for(
    prior: Prior,
    loss: str,
    *,
    scale: float,
    delta_t: int,
    difference: float,
    perturbation: float,
    perturbed_layers: Sequence[str] = ("mid_block",),
    visual_prompt: torch.Tensor | None = None,
    strength: float = 0.0,
    adapter: str = "embedded",
    particle_rank: int = 4,
    particle_rate: float = 1e-4,
) -> Guidance:
    """Return the guidance of a loss by name; vpcsm alone sees a visual prompt, [H, W, 3], with strength tau.

    Without one, or with strength 0, no adapter is loaded. vsd alone has a particle, which starts anew here. Raises
    BadInput for another loss or layers that the UNet has not, MissingModel where there is no such adapter.
    """
    if loss not in LOSSES:
        raise BadInput(f"There is no loss {loss!r}.", f"The losses are: {', '.join(LOSSES)}.")
    image_prompt = seen = None
    if loss == "vpcsm" and visual_prompt is not None and strength > 0:
        image_prompt = load_image_prompt(prior, adapter, strength)
        seen = image_prompt.see(visual_prompt[None])
        prior = image_prompt.prior
    try:
        predict_perturbed = perturb(prior, perturbed_layers if loss == "vpcsm" and perturbation else ())
    except ValueError as error:
        raise BadInput(f"Attention cannot be perturbed there: {error}.", "Name other layers.") from error
    return Guidance(
        prior=prior, loss=loss, scale=scale, delta_t=delta_t, difference=difference, perturbation=perturbation,
        predict_perturbed=predict_perturbed, image_prompt=image_prompt, seen=seen,
        particle=Particle(prior, rank=particle_rank, rate=particle_rate) if loss == "vsd" else None,
    )  # fmt: skip
