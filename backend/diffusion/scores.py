"""Score-distillation gradients as pure functions: which way should these latents move to look like the prompt?

Every score takes a `predict_noise(latents, t, context)` callable, latents [B, C, h, w], a timestep index and the
cumulative alphas [T] of the noise schedule, and returns d(loss) / d(latents), [B, C, h, w]. The UNet's Jacobian is
dropped, as all of them do. Guidance mixes as `uncond + scale * (cond - uncond)`; the papers that write
`text + scale * (text - uncond)` mean a scale smaller by one. `correct`, where given, changes the conditional prediction
before it guides (`view_prompts.perp_neg_correction`), at a price in evaluations that it names. `invert_with`, where
given, predicts the noise of the inversion's steps instead. `weight`, w(t), has the same default for all of them,
whichever their papers take: what differs between two losses is the direction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch

PredictNoise = Callable[[torch.Tensor, int, torch.Tensor], torch.Tensor]
PredictPerturbed = Callable[[torch.Tensor, int, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
# (predict_noise, noisy latents, t, conditional prediction, unconditional one) -> the conditional one to guide with
Correct = Callable[[PredictNoise, torch.Tensor, int, torch.Tensor, torch.Tensor], torch.Tensor]
Weight = Literal["uniform", "sds", "ism"]


def classifier_free_guidance(conditional: torch.Tensor, unconditional: torch.Tensor, scale: float) -> torch.Tensor:
    """Mix two noise predictions; scale 1 is the conditional one."""
    return unconditional + scale * (conditional - unconditional)


def sds(
    predict_noise: PredictNoise,
    latents: torch.Tensor,
    t: int,
    noise: torch.Tensor,
    *,
    alphas: torch.Tensor,
    conditional: torch.Tensor,
    unconditional: torch.Tensor,
    scale: float,
    weight: Weight = "ism",
    correct: Correct | None = None,
) -> torch.Tensor:
    """Return w(t) (guided noise - noise) at latents noised with `noise`.

    Source: Poole et al., DreamFusion, 2022, eq. 3; TV-3DG, eq. 2-3.
    """
    noisy = alphas[t].sqrt() * latents + (1 - alphas[t]).sqrt() * noise
    cond, uncond = predict_pair(predict_noise, noisy, t, conditional, unconditional, correct)
    return timestep_weight(alphas[t], weight) * (classifier_free_guidance(cond, uncond, scale) - noise)


def csd(
    predict_noise: PredictNoise,
    latents: torch.Tensor,
    t: int,
    noise: torch.Tensor,
    *,
    alphas: torch.Tensor,
    conditional: torch.Tensor,
    unconditional: torch.Tensor,
    scale: float,
    weight: Weight = "ism",
    correct: Correct | None = None,
) -> torch.Tensor:
    """Return w(t) scale (cond - uncond) at latents noised with `noise`: SDS without its difference to the noise.

    Source: Yu et al., Text-to-3D with Classifier Score Distillation, 2023, eq. 7.
    """
    noisy = alphas[t].sqrt() * latents + (1 - alphas[t]).sqrt() * noise
    cond, uncond = predict_pair(predict_noise, noisy, t, conditional, unconditional, correct)
    return timestep_weight(alphas[t], weight) * scale * (cond - uncond)


def vsd(
    predict_noise: PredictNoise,
    predict_variational: PredictNoise,
    latents: torch.Tensor,
    t: int,
    noise: torch.Tensor,
    *,
    alphas: torch.Tensor,
    conditional: torch.Tensor,
    unconditional: torch.Tensor,
    scale: float,
    weight: Weight = "ism",
    correct: Correct | None = None,
) -> torch.Tensor:
    """Return w(t) (guided noise - the variational score's noise) at latents noised with `noise`.

    `predict_variational` is a network that the caller trains, beside the object, on the object's own renderings: the
    score of the distribution of rendered views.
    Source: Wang et al., ProlificDreamer, 2023, eq. 9.
    """
    noisy = alphas[t].sqrt() * latents + (1 - alphas[t]).sqrt() * noise
    cond, uncond = predict_pair(predict_noise, noisy, t, conditional, unconditional, correct)
    with torch.no_grad():
        variational = predict_variational(noisy, t, conditional)
    return timestep_weight(alphas[t], weight) * (classifier_free_guidance(cond, uncond, scale) - variational)


def ism(
    predict_noise: PredictNoise,
    latents: torch.Tensor,
    t: int,
    *,
    alphas: torch.Tensor,
    conditional: torch.Tensor,
    unconditional: torch.Tensor,
    scale: float,
    delta_t: int,
    stride: int = 200,
    weight: Weight = "ism",
    correct: Correct | None = None,
    invert_with: PredictNoise | None = None,
) -> torch.Tensor:
    """Return w(t) (guided noise at t - noise of the inversion at t - delta_t).

    The latents are inverted to t - delta_t in steps of `stride`, and by one step more to t. Their authors put random
    noise before the first of at most five steps; these start from the clean latents.
    Source: Liang et al., LucidDreamer, 2023, eq. 17 and algorithm 1.
    """
    nodes = [*inversion_nodes(t - delta_t, stride), t] if t > delta_t else [0, t]
    noisy, inverted = invert(invert_with or predict_noise, latents, nodes, alphas, unconditional)
    cond, uncond = predict_pair(predict_noise, noisy, t, conditional, unconditional, correct)
    return timestep_weight(alphas[t], weight) * (classifier_free_guidance(cond, uncond, scale) - inverted)


def csm(
    predict_noise: PredictNoise,
    latents: torch.Tensor,
    t: int,
    *,
    alphas: torch.Tensor,
    conditional: torch.Tensor,
    unconditional: torch.Tensor,
    scale: float,
    delta_t: int,
    weight: Weight = "ism",
    difference: float = 0.0,
    correct: Correct | None = None,
    invert_with: PredictNoise | None = None,
) -> torch.Tensor:
    """Return w(t) scale (cond - uncond) at latents that were inverted to t without any random noise.

    The direction has no fixed point: alone it drifts for ever, so the caller anchors it with regularisers, or here with
    `difference`, the weight of (cond - the inversion's last noise), which pulls back to what the prior finds likely.
    Source: TV-3DG (arXiv 2410.21299), eq. 8-9 and algorithm 1, read as in `inversion_nodes`.
    """
    predict_along, nodes = invert_with or predict_noise, inversion_nodes(t, delta_t)
    noisy, inverted = invert(predict_along, latents, nodes, alphas, unconditional)
    cond, uncond = predict_pair(predict_noise, noisy, t, conditional, unconditional, correct)
    direction = scale * (cond - uncond)
    if difference:
        direction = direction + difference * (cond - inverted)
    return timestep_weight(alphas[t], weight) * direction


def vpcsm(
    predict_noise: PredictNoise,
    predict_perturbed: PredictPerturbed,
    latents: torch.Tensor,
    t: int,
    *,
    alphas: torch.Tensor,
    conditional: torch.Tensor,
    unconditional: torch.Tensor,
    scale: float,
    perturbation: float,
    delta_t: int,
    weight: Weight = "ism",
    difference: float = 0.0,
    correct: Correct | None = None,
    printed: bool = False,
    invert_with: PredictNoise | None = None,
) -> torch.Tensor:
    """Return w(t) (scale (cond - uncond) + perturbation (cond - perturbed)) at latents inverted to t.

    The conditional context says text and image; its strength tau lies in the network. `predict_perturbed` returns the
    prediction and the one whose self-attention does not look around. With perturbation 0 and tau 0 this is `csm`.
    Source: TV-3DG (arXiv 2410.21299), eq. 15-18. Eq. 18 prints the guided noise of eq. 17, cond + s (cond - perturbed),
    where the perturbed one is meant, so that its last term is -s^2 (cond - perturbed): `printed` does that.
    """
    predict_along, nodes = invert_with or predict_noise, inversion_nodes(t, delta_t)
    noisy, inverted = invert(predict_along, latents, nodes, alphas, unconditional)
    if perturbation:
        with torch.no_grad():
            cond, perturbed = predict_perturbed(noisy, t, conditional)
            uncond = predict_noise(noisy, t, unconditional)
        structure = (-(perturbation**2) if printed else perturbation) * (cond - perturbed)
        cond = correct(predict_noise, noisy, t, cond, uncond) if correct else cond
        direction = scale * (cond - uncond) + structure
    else:
        cond, uncond = predict_pair(predict_noise, noisy, t, conditional, unconditional, correct)
        direction = scale * (cond - uncond)
    if difference:
        direction = direction + difference * (cond - inverted)
    return timestep_weight(alphas[t], weight) * direction


def inversion_nodes(t: int, delta_t: int) -> list[int]:
    """Return the timesteps 0, r, r + delta_t, ..., t of an inversion; the first gap r is in (0, delta_t].

    The algorithm as printed never makes the first intermediate latent and swaps the lengths of its steps; this is the
    reading under which every node is reached once.
    """
    if t < 1 or delta_t < 1:
        raise ValueError(f"cannot invert to t = {t} in steps of {delta_t}: both must be at least 1")
    first = t % delta_t or delta_t
    return [0, *range(first, t + 1, delta_t)]


@torch.no_grad()
def invert(
    predict_noise: PredictNoise,
    latents: torch.Tensor,
    nodes: Sequence[int],
    alphas: torch.Tensor,
    context: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Carry clean latents up to the last node by deterministic DDIM steps; return them and the last noise predicted.

    The noise of a step is predicted at the node it starts from (eq. 8 of TV-3DG), which diffusers' DDIMInverseScheduler
    does not do. Source: Song et al., Denoising Diffusion Implicit Models, 2020, eq. 12 with sigma 0, run backwards.
    """
    noise = torch.zeros_like(latents)
    for source, target in zip(nodes[:-1], nodes[1:], strict=True):
        noise = predict_noise(latents, source, context)
        latents = ddim_step(latents, noise, source, target, alphas)
    return latents, noise


def ddim_step(
    latents: torch.Tensor, noise: torch.Tensor, source: int, target: int, alphas: torch.Tensor
) -> torch.Tensor:
    """Move latents from one timestep to another, up or down, along a predicted noise."""
    clean = (latents - (1 - alphas[source]).sqrt() * noise) / alphas[source].sqrt()
    return alphas[target].sqrt() * clean + (1 - alphas[target]).sqrt() * noise


@torch.no_grad()
def predict_pair(
    predict_noise: PredictNoise,
    noisy: torch.Tensor,
    t: int,
    conditional: torch.Tensor,
    unconditional: torch.Tensor,
    correct: Correct | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the conditional and the unconditional prediction, in one batch where the contexts are equally long."""
    if conditional.shape != unconditional.shape:
        cond, uncond = predict_noise(noisy, t, conditional), predict_noise(noisy, t, unconditional)
    else:
        both = predict_noise(torch.cat([noisy, noisy]), t, torch.cat([conditional, unconditional]))
        cond, uncond = both.chunk(2)
    return (correct(predict_noise, noisy, t, cond, uncond) if correct else cond), uncond


def timestep_weight(alpha: torch.Tensor, weight: Weight) -> torch.Tensor:
    """Return w(t): 1 | 1 - alpha (DreamFusion) | sqrt((1 - alpha) / alpha) (LucidDreamer), alpha cumulative at t."""
    match weight:
        case "uniform":
            return torch.ones_like(alpha)
        case "sds":
            return 1 - alpha
        case "ism":
            return ((1 - alpha) / alpha).sqrt()
        case _:
            raise ValueError(f"unknown weight {weight!r}: uniform, sds or ism")


def distillation_loss(latents: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """Return a scalar whose gradient with respect to the latents is `gradient`: a sum over views and latents.

    Source: LucidDreamer's code, guidance/sd_utils.py, SpecifyGradient.
    """
    target = (latents - gradient).detach()
    return 0.5 * (latents - target).square().sum()
