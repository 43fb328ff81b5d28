"""What pulls renderings towards a prompt: one of the losses of `scores`, with an image prompt where one is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch

from backend.cameras import Cameras, azimuth_elevation, view_words
from backend.diffusion.denoiser import Prior
from backend.diffusion.encoding import views_at_once
from backend.diffusion.image_prompt import ImagePrompt, load_image_prompt, perturb
from backend.diffusion.particle import Particle
from backend.diffusion.scores import Correct, PredictPerturbed, csd, csm, ism, sds, vpcsm, vsd
from backend.diffusion.view_prompts import DIRECTIONS, NEGATIVES, away_from, direction_shares, negative_weights
from backend.errors import BadInput

Loss = Literal["sds", "csd", "ism", "vsd", "csm", "vpcsm"]
LOSSES: tuple[Loss, ...] = get_args(Loss)
MIXES = ("sds", "ism", "vsd")  # both predictions, so that the convention counts; to the others scale is a factor


@dataclass(frozen=True)
class Contexts:
    """What is said about a batch of views."""

    conditional: torch.Tensor  # [B, T, width]
    unconditional: torch.Tensor  # [B, T', width]
    correct: Correct | None = None  # Perp-Neg


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
    perp_neg: float  # weight of what speaks against other sides than the one in view; 0: one view word, no more
    paper_compat: bool  # guidance `text + scale (text - uncond)`, and eq. 18's last term, as the paper prints them
    at_once: int  # views whose graph is in memory together, in the encoder and in the particle; 0: all

    def contexts(
        self, prompt: str, negative_prompt: str, cameras: Cameras, *, tell_cameras: bool, against: str = ""
    ) -> Contexts:
        """Return the contexts of a prompt for each view: its side in words, and the camera if the prior takes it.

        The unconditional one takes no cameras: that is how the embedded prior saw most of its empty prompts, and it
        lets guidance turn the view. With Perp-Neg the sides' embeddings are mixed by azimuth, and the negatives differ
        from them in the word for the side alone: they see the same image and camera.
        Another prompt to guide `against` takes the unconditional one's place, with side, camera and image, and with the
        negative prompt: only what the two prompts differ in pulls then.
        Source of that: Hertz et al., Delta Denoising Score, 2023, section 3.
        """
        told = cameras if tell_cameras else None
        if against:
            refused = [", ".join(filter(None, [against, f"{v} view", negative_prompt])) for v in view_words(cameras)]
            unconditional = self._attach(self.prior.embed(refused, told), self.seen)
        else:
            unconditional = self._attach(self.prior.embed([negative_prompt] * len(cameras)), None)
        if not self.perp_neg:
            words = [f"{prompt}, {view} view" for view in view_words(cameras)]
            return Contexts(self._attach(self.prior.embed(words, told), self.seen), unconditional)
        sides = {
            side: self._attach(self.prior.embed([f"{prompt}, {side} view"] * len(cameras), told), self.seen)
            for side in DIRECTIONS
        }
        angles = azimuth_elevation(cameras)
        shares = direction_shares(*angles).T[:, :, None, None].to(unconditional)  # [4, B, 1, 1]
        conditional = (shares * torch.stack([sides[side] for side in DIRECTIONS])).sum(0)
        negatives = torch.stack([sides[side] for side in NEGATIVES])
        weights = self.perp_neg * negative_weights(*angles)
        return Contexts(conditional, unconditional, away_from(negatives, weights))

    def gradient(self, latents: torch.Tensor, t: int, contexts: Contexts, generator: torch.Generator) -> torch.Tensor:
        """Return d(loss) / d(latents), [B, C, h, w]; sds, csd and vsd draw from the generator (on the CPU).

        vsd's particle also learns from the latents, after it was asked: an evaluation with its way back for each view.
        """
        common: dict[str, Any] = {
            "alphas": self.prior.alphas, "conditional": contexts.conditional, "unconditional": contexts.unconditional,
            "correct": contexts.correct, "scale": self.scale + (self.paper_compat and self.loss in MIXES),
        }  # fmt: skip
        inverted: dict[str, Any] = common | {"delta_t": self.delta_t}
        predict = self.prior.predict_noise

        def noise() -> torch.Tensor:
            return torch.randn(latents.shape, generator=generator).to(latents)

        match self.loss:
            case "sds":
                return sds(predict, latents, t, noise(), **common)
            case "csd":
                return csd(predict, latents, t, noise(), **common)
            case "ism":
                return ism(predict, latents, t, **inverted)
            case "vsd":
                assert self.particle is not None
                gradient = vsd(predict, self.particle.predict_noise, latents, t, noise(), **common)
                self.particle.learn(latents, contexts.conditional, generator, at_once=self.at_once)
                return gradient
            case "csm":
                return csm(predict, latents, t, difference=self.difference, **inverted)
            case "vpcsm":
                return vpcsm(
                    predict, self.predict_perturbed, latents, t, perturbation=self.perturbation,
                    difference=self.difference, printed=self.paper_compat, **inverted,
                )  # fmt: skip

    def _attach(self, context: torch.Tensor, seen: torch.Tensor | None) -> torch.Tensor:
        return context if self.image_prompt is None else self.image_prompt.attach(context, seen)


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
    perp_neg: float = 0.0,
    at_once: int = 0,
    paper_compat: bool = False,
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
        perp_neg=perp_neg, at_once=views_at_once(at_once, prior.image_size), paper_compat=paper_compat,
    )  # fmt: skip
