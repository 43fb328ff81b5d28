"""Score-distillation guidance of renderings: a loss of `scores`, with an image prompt where one is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch

from backend.cameras import Cameras, azimuth_elevation, view_words
from backend.diffusion.denoiser import Prior
from backend.diffusion.faster.compiling import compile_network
from backend.diffusion.faster.feature_reuse import FeatureReuse
from backend.diffusion.image_prompt import ImagePrompt, load_image_prompt, perturb, twin
from backend.diffusion.joint_views import SeenView, join_beside, join_views
from backend.diffusion.latents import views_at_once
from backend.diffusion.scores import Correct, PredictNoise, PredictPerturbed, Weight, csd, csm, ism, sds, vpcsm, vsd
from backend.diffusion.view_prompts import (
    DIRECTIONS,
    NEGATIVES,
    direction_shares,
    negative_weights,
    perp_neg_correction,
)
from backend.diffusion.vsd_lora import VariationalScore
from backend.errors import BadInput

Loss = Literal["sds", "csd", "ism", "vsd", "csm", "vpcsm"]
LOSSES: tuple[Loss, ...] = get_args(Loss)
INVERTS = ("ism", "csm", "vpcsm")
MIXES = ("sds", "ism", "vsd")  # both predictions, so that the convention counts; to the others scale is a factor


@dataclass(frozen=True)
class Contexts:
    """What is said about a batch of views."""

    conditional: torch.Tensor  # [B, T, width]
    unconditional: torch.Tensor  # [B, T', width]
    correct: Correct | None = None  # Perp-Neg


@dataclass(frozen=True)
class GuidanceOptions:
    """Which loss, and its weights. A system's settings have the same names."""

    loss: Loss
    scale: float  # lambda, of classifier-free guidance
    delta_t: int  # timesteps between two nodes of an inversion
    difference: float  # weight of (cond - the inversion's last noise), of csm and vpcsm
    perturbation: float  # s, of vpcsm
    perturbed_layers: str = ""  # where, by the beginnings of their names, with commas between; empty: the prior's own
    weight: Weight = "ism"  # w(t), the same for every loss
    tau: float = 0.0  # strength of the visual prompt, of vpcsm
    adapter: str = "embedded"  # the IP-Adapter that sees it
    particle_rank: int = 4  # of vsd's low-rank changes
    particle_rate: float = 1e-4  # their learning rate
    joint_views: bool = False  # all views of a step together, where the prior takes that; not with vsd or perp_neg
    perp_neg: float = 0.0  # weight of the Perp-Neg correction; 0: one view word, no more
    views_at_once: int = 0  # whose graph is in memory together; 0: all up to 256 px, one above
    reuse: int = 1  # steps of an inversion in which the UNet's deep layers are asked once; 1: at each
    paper_compat: bool = False  # guidance `text + scale (text - uncond)`, and eq. 18's last term, as the paper prints


@dataclass(frozen=True)
class Guidance:
    """A prior and what its loss needs beside it; `prior` is the one to encode with and to take contexts from."""

    prior: Prior
    options: GuidanceOptions
    predict_perturbed: PredictPerturbed
    image_prompt: ImagePrompt | None
    image_tokens: torch.Tensor | None  # of the visual prompt, [1, 4, width]
    variational_score: VariationalScore | None  # of vsd; it learns in each step
    at_once: int  # views whose graph is in memory together, in the encoder and in the variational score; 0: all
    predict_noise: PredictNoise  # the prior's
    reuse: FeatureReuse | None = None  # of its deep features, along inversions

    def contexts(
        self, prompt: str, negative_prompt: str, cameras: Cameras, *, tell_cameras: bool, against: str = "",
        background: str = "white", seen: SeenView | None = None,
    ) -> Contexts:  # fmt: skip
        """Return the contexts of a prompt for each view: its side in words, and the camera if the prior takes it.

        The unconditional one takes no cameras: that is how the embedded prior saw most of its empty prompts, and it
        lets guidance turn the view. With Perp-Neg the sides' embeddings are mixed by azimuth, and the negatives differ
        from them in the word for the side alone: they see the same image and camera.
        Another prompt to guide `against` takes the unconditional one's place, with side, camera and image, and with the
        negative prompt: only what the two prompts differ in pulls then.
        With `joint_views` the conditional one joins the views, beside what is `seen` where the prior sees that. What a
        prompt does not say of the `background` and the like is said for it, if the prior knows how.
        Source of guiding against: Hertz et al., Delta Denoising Score, 2023, section 3.
        """
        options, given = self.options, cameras if tell_cameras else None
        joint = options.joint_views and tell_cameras and self.prior.takes_views
        joint = joint and options.loss != "vsd" and not options.perp_neg

        def embedded(subject: str, seen_by: Cameras, suffix: str) -> torch.Tensor:
            told = self.prior.complete(subject, background)
            words = [f"{told}, {view} view{suffix}" for view in view_words(seen_by)]
            return self._attach(self.prior.embed(words, seen_by if tell_cameras else None), self.image_tokens)

        def of_views(subject: str, suffix: str = "") -> torch.Tensor:
            rows = embedded(subject, cameras, suffix)
            if not joint:
                return rows
            if seen is None or not self.prior.sees_reference:
                return join_views(rows)
            return join_beside(rows, embedded(subject, seen.camera, suffix), seen.latents)

        if against:
            unconditional = of_views(against, f", {negative_prompt}" if negative_prompt else "")
        else:
            unconditional = self._attach(self.prior.embed([negative_prompt] * len(cameras)), None)
        if not options.perp_neg:
            return Contexts(of_views(prompt), unconditional)
        told = self.prior.complete(prompt, background)
        sides = {
            side: self._attach(self.prior.embed([f"{told}, {side} view"] * len(cameras), given), self.image_tokens)
            for side in DIRECTIONS
        }
        angles = azimuth_elevation(cameras)
        shares = direction_shares(*angles).T[:, :, None, None].to(unconditional)  # [4, B, 1, 1]
        conditional = (shares * torch.stack([sides[side] for side in DIRECTIONS])).sum(0)
        negatives = torch.stack([sides[side] for side in NEGATIVES])
        weights = options.perp_neg * negative_weights(*angles)
        return Contexts(conditional, unconditional, perp_neg_correction(negatives, weights))

    def gradient(self, latents: torch.Tensor, t: int, contexts: Contexts, generator: torch.Generator) -> torch.Tensor:
        """Return d(loss) / d(latents), [B, C, h, w]; sds, csd and vsd draw from the generator (on the CPU).

        vsd's variational score also learns from the latents, after it was asked: an evaluation of each view and its
        backward pass.
        """
        options = self.options
        common: dict[str, Any] = {
            "alphas": self.prior.alphas, "conditional": contexts.conditional, "unconditional": contexts.unconditional,
            "correct": contexts.correct, "weight": options.weight,
            "scale": options.scale + (options.paper_compat and options.loss in MIXES),
        }  # fmt: skip
        predict = self.predict_noise
        along = self.reuse.along_inversion() if self.reuse is not None else predict
        inverted: dict[str, Any] = common | {"delta_t": options.delta_t, "invert_with": along}

        def noise() -> torch.Tensor:
            return torch.randn(latents.shape, generator=generator).to(latents)

        match options.loss:
            case "sds":
                return sds(predict, latents, t, noise(), **common)
            case "csd":
                return csd(predict, latents, t, noise(), **common)
            case "ism":
                return ism(predict, latents, t, **inverted)
            case "vsd":
                assert self.variational_score is not None
                gradient = vsd(predict, self.variational_score.predict_noise, latents, t, noise(), **common)
                self.variational_score.learn(latents, contexts.conditional, generator, at_once=self.at_once)
                return gradient
            case "csm":
                return csm(predict, latents, t, difference=options.difference, **inverted)
            case "vpcsm":
                return vpcsm(
                    predict, self.predict_perturbed, latents, t, perturbation=options.perturbation,
                    difference=options.difference, printed=options.paper_compat, **inverted,
                )  # fmt: skip

    def _attach(self, context: torch.Tensor, image_tokens: torch.Tensor | None) -> torch.Tensor:
        return context if self.image_prompt is None else self.image_prompt.attach(context, image_tokens)


def guidance_for(prior: Prior, options: GuidanceOptions, visual_prompt: torch.Tensor | None = None) -> Guidance:
    """Return the guidance that the options ask for; vpcsm alone sees a visual prompt, [H, W, 3], with strength tau.

    Without one, or with strength 0, no adapter is loaded. vsd alone has a variational score, which starts anew here.
    Raises BadInput for another loss or layers that the UNet has not, MissingModel where there is no such adapter.
    """
    if options.loss not in LOSSES:
        raise BadInput(f"There is no loss {options.loss!r}.", f"The losses are: {', '.join(LOSSES)}.")
    image_prompt = image_tokens = None
    if options.loss == "vpcsm" and visual_prompt is not None and options.tau > 0:
        image_prompt = load_image_prompt(prior, options.adapter, options.tau)
        image_tokens = image_prompt.see(visual_prompt[None])
        prior = image_prompt.prior
    layers: Sequence[str] = ()
    if options.loss == "vpcsm" and options.perturbation:
        layers = options.perturbed_layers.split(",") if options.perturbed_layers else prior.structure_layers
    try:
        predict_perturbed = perturb(prior, layers)
    except ValueError as error:
        raise BadInput(f"Attention cannot be perturbed there: {error}.", "Name other layers.") from error
    learns = options.loss == "vsd"
    drawing = prior
    if prior.tell_uncompiled is not None:  # a twin, since others copy the prior's network
        drawing = replace(prior, unet=compile_network(twin(prior.unet), prior.tell_uncompiled))
    return Guidance(
        predict_noise=drawing.predict_noise,
        reuse=FeatureReuse(prior, options.reuse) if options.reuse > 1 and options.loss in INVERTS else None,
        prior=prior, options=options, predict_perturbed=predict_perturbed, image_prompt=image_prompt,
        image_tokens=image_tokens, at_once=views_at_once(options.views_at_once, prior.image_size, prior.most_together),
        variational_score=VariationalScore(prior, rank=options.particle_rank, rate=options.particle_rate)
        if learns else None,
    )  # fmt: skip
