"""Optimises single images under each loss: `python -m benchmarks.commands.playground --out out/playground.png`.

The 2D playground of TV-3DG (its figures 2, 3 and 16): no object, no camera, so a minute shows what a loss does. The
latents of an image are moved by Adam. Above, from noise: every loss, and the two parts of SDS alone, the difference to
the noise that was put in and the classifier's direction. Below, an image is edited: it starts as a render and is told
other words.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw

from backend.cameras import orbit
from backend.diffusion.denoiser import Prior, load_prior
from backend.diffusion.guidance import LOSSES, Contexts, GuidanceOptions, guidance_for
from backend.diffusion.scores import csd, sds
from backend.embedded.objects.shapes import HELD_OUT, make_subject
from backend.embedded.objects.solids import photograph
from backend.images import save_image
from backend.schedules import draw_timestep

PROMPTS = ("a red mug", "a blue dog", "a yellow house")
EDITS = ("a blue mug", "a green mug", "a red teapot")  # of a red mug
WINDOW = (0.02, 0.98)  # of timesteps, uniformly. Source: TV-3DG, section IV-A
STEPS, RATE = 500, 1e-2  # the paper's rate is 1e-3, in the latents of Stable Diffusion
SNAPSHOTS = 4
DIFFERENCE = 1.0  # as the system sets it; 0 is the paper's own

# (latents, t, contexts, generator) -> d(loss) / d(latents)
Gradient = Callable[[torch.Tensor, int, Contexts, torch.Generator], torch.Tensor]


@dataclass(frozen=True)
class JobProgress:
    """What one loss has made: snapshots [S, B, H, W, 3], the last latents, and what it took."""

    snapshots: torch.Tensor
    latents: torch.Tensor
    seconds: float
    evaluations: int  # of the UNet, on one image


def losses(prior: Prior, scale: float, delta_t: int) -> dict[str, Gradient]:
    """Return every loss that the backend knows, and the two parts of SDS alone, by name; vsd's has learnt nothing."""
    found: dict[str, Gradient] = {}
    for name in LOSSES:
        difference = DIFFERENCE if name in ("csm", "vpcsm") else 0.0
        options = GuidanceOptions(name, scale, delta_t, difference, perturbation=1.0)
        found[name] = guidance_for(prior, options).gradient
    printed = GuidanceOptions("csm", scale, delta_t, difference=0.0, perturbation=0.0)
    found["csm as printed"] = guidance_for(prior, printed).gradient
    return found | {"sds: difference": _part(prior, sds, 1.0), "sds: classifier": _part(prior, csd, scale)}


def _part(prior: Prior, score: Callable[..., torch.Tensor], scale: float) -> Gradient:
    """Return one part of SDS: with scale 1, sds is (cond - noise); csd is scale (cond - uncond)."""

    def gradient(latents: torch.Tensor, t: int, contexts: Contexts, generator: torch.Generator) -> torch.Tensor:
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        return score(
            prior.predict_noise, latents, t, noise, alphas=prior.alphas, conditional=contexts.conditional,
            unconditional=contexts.unconditional, scale=scale,
        )  # fmt: skip

    return gradient


def optimise(
    prior: Prior, gradient: Gradient, start: torch.Tensor, prompts: Sequence[str], steps: int, rate: float, seed: int
) -> JobProgress:
    """Move latents [B, C, h, w] by Adam along a loss's gradients, with one timestep for the batch in each step."""
    generator = torch.Generator().manual_seed(seed)
    contexts = Contexts(prior.embed(prompts), prior.embed([""] * len(prompts)))
    latents = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([latents], lr=rate)
    counter = _Counter(prior.unet)
    started, shown = time.perf_counter(), []
    marks = {round(i * steps / (SNAPSHOTS - 1)) for i in range(SNAPSHOTS)}
    for step in range(steps + 1):
        if step in marks:
            shown.append(prior.decode(latents.detach()))
        if step < steps:
            t = draw_timestep(WINDOW, len(prior.alphas), generator)
            latents.grad = gradient(latents.detach(), t, contexts, generator)
            optimiser.step()
    counter.close()
    seconds = time.perf_counter() - started
    return JobProgress(torch.stack(shown), latents.detach(), seconds, counter.images // len(prompts))


class _Counter:
    """Counts the images that pass through a network."""

    def __init__(self, network: Any) -> None:
        self.images = 0
        self._handle = network.register_forward_pre_hook(self._count)

    def _count(self, _: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        self.images += len(inputs[0])

    def close(self) -> None:
        self._handle.remove()


def picture_to_edit(prior: Prior) -> torch.Tensor:
    """Return a render of a red mug that the prior was never shown, [S, S, 3]."""
    mug = make_subject(HELD_OUT.first_seed + 900, category="mug", colour="red", pattern="plain")
    return photograph(mug.solid, orbit([20.0], 20.0, size=prior.image_size), torch.ones(3)).rgb[0]


def labelled(title: str, images: torch.Tensor, width: int = 128) -> torch.Tensor:
    """Return a row of images [N, H, W, 3] behind a title."""
    cell = Image.new("RGB", (width, images.shape[1]), "white")
    ImageDraw.Draw(cell).text((4, images.shape[1] // 2 - 20), title.replace(", ", "\n").replace(": ", "\n"), "black")
    pixels = torch.frombuffer(bytearray(cell.tobytes()), dtype=torch.uint8).reshape(images.shape[1], width, 3)
    return torch.cat([pixels.float() / 255, *images], 1)


def main() -> None:
    """Optimise, print what each loss took and how far it went, and write the contact sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/playground.png"))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--scale", type=float, default=7.5)
    parser.add_argument("--delta-t", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--prior", default="embedded")
    parser.add_argument("--losses", help="only these, separated by commas")
    parser.add_argument("--results", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    prior = load_prior(options.prior)
    menu = losses(prior, options.scale, options.delta_t)
    if options.losses:
        wanted = options.losses.split(",")
        if unknown := [name for name in wanted if name not in menu]:
            parser.error(f"unknown loss {unknown[0]!r}; there are: {', '.join(menu)}")
        menu = {name: menu[name] for name in wanted}
    generator = torch.Generator().manual_seed(options.seed)
    side = prior.unet.config.sample_size
    noise = torch.randn(len(PROMPTS), prior.unet.config.in_channels, side, side, generator=generator)
    picture = picture_to_edit(prior)
    with torch.no_grad():
        given = prior.encode(picture[None]).repeat(len(EDITS), 1, 1, 1)
    from_noise, edited, figures = [], [], {}
    for name, gradient in menu.items():
        course = optimise(prior, gradient, noise, PROMPTS, options.steps, options.rate, options.seed)
        gradient = losses(prior, options.scale, options.delta_t)[name]  # anew
        edit = optimise(prior, gradient, given, EDITS, options.steps, options.rate, options.seed)
        from_noise.append(labelled(name, course.snapshots.transpose(0, 1).flatten(0, 1)))
        edited.append(labelled(f"edit, {name}", torch.cat([picture[None], edit.snapshots[-1]])))
        figures[name] = {
            "evaluations_per_step": round(course.evaluations / options.steps, 2),
            "seconds": round(course.seconds, 1),
            "latent_size": round(float(course.latents.square().mean().sqrt()), 3),  # 1 for what the prior knows
        }
        print(f"{name}: {json.dumps(figures[name])}", flush=True)
    width = from_noise[0].shape[1]
    rows = [torch.nn.functional.pad(row, (0, 0, 0, width - row.shape[1]), value=1.0) for row in [*from_noise, *edited]]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_image(options.out, torch.cat(rows, 0))
    if options.results:
        facts = {"steps": options.steps, "rate": options.rate, "scale": options.scale, "losses": figures}
        options.results.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
