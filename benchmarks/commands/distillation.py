"""Measures a step of TV-3DG against its network evaluations: `python -m benchmarks.commands.distillation --out FILE`.

The floor of a step is what it asks of the networks: the UNet's evaluations of every view and the autoencoder's encoder
forward and backward. The calls are recorded while real steps run, then made again alone, in the same run. With `--gpu`
also those of Stable Diffusion 1.5 at full size, four views of 512 px: of a local folder (`--prior FOLDER`, and an
IP-Adapter, `--adapter FOLDER`), else with random numbers for weights, which takes the same time and memory.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from addon.protocol import Request
from addon.protocol.systems.tv3dg import TV3DG, TV3DGSettings
from backend.diffusion.denoiser import TOGETHER_PIXELS, Prior, load_prior
from backend.diffusion.guidance import Guidance, GuidanceOptions, guidance_for
from backend.representations.gaussians import ball_of_gaussians
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.runtime.machine import keep_freed_memory
from backend.systems.overrides import options_of
from backend.systems.tv3dg import optimise

STEPS = 12
ROUNDS = 3
SMALL = (  # of the embedded prior
    {"loss": "csm", "delta_t": 100, "count": 2_000},
    {"loss": "csm", "delta_t": 50, "count": 2_000},
    {"loss": "csm", "delta_t": 100, "count": 8_000},
    {"loss": "vpcsm", "delta_t": 100, "count": 2_000, "perturbation": 0.0},
    {"loss": "vpcsm", "delta_t": 100, "count": 2_000, "perturbation": 1.0},
)
FULL = tuple(
    {"loss": "vpcsm", "delta_t": delta_t, "count": 20_000, "perturbation": perturbation}
    for delta_t in (50, 100)
    for perturbation in (0.0, 1.0)
)


@dataclass
class Calls:
    """What steps ask of the networks, in order."""

    unet: list[tuple[str, tuple[int, ...], int]] = field(default_factory=list)  # network, latents, tokens of context
    encoder: list[tuple[tuple[int, ...], bool]] = field(default_factory=list)  # images, and whether there is a way back

    @property
    def unet_images(self) -> int:
        """Return how many images the UNet sees; a perturbed call sees each twice."""
        return sum(shape[0] * (2 if network == "perturbed" else 1) for network, shape, _ in self.unet)


def run_steps(guidance: Guidance, settings: TV3DGSettings) -> float:
    """Take optimisation steps in a throw-away job and return the seconds of one."""
    with tempfile.TemporaryDirectory() as folder:
        request = Request(system="tv3dg", prompt="a red robot", seed=1, settings={"checkpoint_seconds": 1e6})
        job = Job(Path(folder), request, lambda event: None, Control())
        seconds = 0.0
        first = ball_of_gaussians(settings.count, settings.radius, torch.Generator().manual_seed(1))

        def make() -> dict[str, torch.Tensor]:
            nonlocal seconds
            started = now(guidance.prior)
            made = optimise(job, guidance, request.prompt, settings, first.to(guidance.prior.device))
            seconds = now(guidance.prior) - started
            return made

        job.stage("gaussians", make)
        return seconds / settings.steps


def record_calls(guidance: Guidance, settings: TV3DGSettings) -> Calls:
    """Return the calls of some steps."""
    calls, prior, perturbed = Calls(), guidance.prior, guidance.predict_perturbed

    class Noted(torch.nn.Module):
        config = prior.unet.config

        def forward(self, latents: torch.Tensor, steps: torch.Tensor, encoder_hidden_states: torch.Tensor) -> Any:
            calls.unet.append(("plain", tuple(latents.shape), encoder_hidden_states.shape[1]))
            return prior.unet(latents, steps, encoder_hidden_states=encoder_hidden_states)

    def noted(latents: torch.Tensor, t: int, context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        calls.unet.append(("perturbed", tuple(latents.shape), context.shape[1]))
        return perturbed(latents, t, context)

    hook = prior.autoencoder.encoder.register_forward_pre_hook(
        lambda _, inputs: calls.encoder.append((tuple(inputs[0].shape), inputs[0].requires_grad))
    )
    seen = replace(prior, unet=Noted())
    run_steps(replace(guidance, prior=seen, predict_noise=seen.predict_noise, predict_perturbed=noted), settings)
    hook.remove()
    return calls


def replay(guidance: Guidance, calls: Calls) -> tuple[float, float]:
    """Return the seconds that the recorded calls take alone: of the UNet, of the encoder."""
    prior = guidance.prior
    width = prior.unet.config.cross_attention_dim
    started = now(prior)
    for network, shape, tokens in calls.unet:
        latents = torch.randn(shape, device=prior.device)
        context = torch.randn(shape[0], tokens, width, device=prior.device)
        (guidance.predict_perturbed if network == "perturbed" else guidance.predict_noise)(latents, 500, context)
    unet = now(prior) - started
    started = now(prior)
    for (batch, channels, height, width), way_back in calls.encoder:
        images = torch.rand(batch, height, width, channels, device=prior.device, requires_grad=way_back)
        latents = prior.encode(images)
        if way_back:
            latents.sum().backward()
    return unet, now(prior) - started


def now(prior: Prior) -> float:
    """Return the clock, after all that was asked of the device is done."""
    if prior.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def measure(prior: Prior, chosen: dict[str, Any], adapter: str, steps: int = STEPS) -> dict[str, Any]:
    """Return milliseconds of a step and of its floor, the medians of a few rounds taken in turn."""
    settings = replace(TV3DG.presets["draft"], steps=steps, growth_rounds=0, tau=0.5 if adapter else 0.0, **chosen)
    picture = torch.rand(prior.image_size, prior.image_size, 3, generator=torch.manual_seed(1))
    guidance = guidance_for(prior, replace(options_of(GuidanceOptions, settings), adapter=adapter), picture)
    run_steps(guidance, replace(settings, steps=2))  # compile the kernels
    calls = record_calls(guidance, settings)
    if prior.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    taken, unets, encoders = [], [], []
    for _ in range(ROUNDS):
        taken.append(run_steps(guidance, settings))
        unet, encoder = replay(guidance, calls)
        unets.append(unet / steps)
        encoders.append(encoder / steps)
    step, unet, encoder = (1000 * sorted(values)[ROUNDS // 2] for values in (taken, unets, encoders))
    row = {
        "loss": settings.loss,
        "tau": settings.tau if settings.loss == "vpcsm" else 0.0,
        "perturbation": settings.perturbation if settings.loss == "vpcsm" else 0.0,
        "delta_t": settings.delta_t,
        "gaussians": settings.count,
        "unet_images_per_step": calls.unet_images / steps,
        "step_ms": step,
        "unet_ms": unet,
        "encoder_ms": encoder,
        "step_over_floor": step / (unet + encoder),
    }
    if prior.device.type == "cuda":
        row["peak_memory_gib"] = torch.cuda.max_memory_allocated() / 2**30
    return row


def random_stable_diffusion(
    device: str, divide: int = 1, *, dtype: torch.dtype = torch.float32, side: int = 64, small: bool = False
) -> Prior:
    """Return a prior of Stable Diffusion 1.5's layout, its channels divided by a number, with random weights.

    `side` is that of its latents; `small`: with the layout of TAESD for an autoencoder.
    """
    from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    embedded = load_prior("embedded", device)
    width = 768 // divide
    unet: Any = UNet2DConditionModel(
        sample_size=side, block_out_channels=tuple(n // divide for n in (320, 640, 1280, 1280)),  # pyright: ignore
        cross_attention_dim=width, attention_head_dim=8, norm_num_groups=32 // divide,
    )  # fmt: skip
    blocks: dict[str, Any] = {"down": ("DownEncoderBlock2D",) * 4, "up": ("UpDecoderBlock2D",) * 4}
    widths: Any = tuple(n // divide for n in (128, 256, 512, 512))
    autoencoder: Any = AutoencoderKL(
        block_out_channels=widths, layers_per_block=2, sample_size=8 * side, down_block_types=blocks["down"],
        up_block_types=blocks["up"], norm_num_groups=32 // divide,
    )  # fmt: skip
    if small:
        narrow: Any = (64 // divide,) * 4
        autoencoder = AutoencoderTiny(encoder_block_out_channels=narrow, decoder_block_out_channels=narrow)
    if 8 * side > TOGETHER_PIXELS:
        autoencoder.enable_gradient_checkpointing()  # as `load_prior` does at this size
    text_encoder: Any = CLIPTextModel(
        CLIPTextConfig(hidden_size=width, intermediate_size=4 * width, num_hidden_layers=12, num_attention_heads=12)
    )
    for network in (unet, autoencoder, text_encoder):
        torch.nn.Module.to(network.requires_grad_(False).eval(), device, dtype)
    embedded.tokenizer.model_max_length = 77  # it was loaded for this prior alone
    return replace(
        embedded, autoencoder=autoencoder, unet=unet, text_encoder=text_encoder, camera_encoder=None,
        predicts_velocity=False, image_size=8 * side, dtype=dtype, fingerprint="random", sees_reference=False,
        completion={},
    )  # fmt: skip


def show(rows: list[dict[str, Any]], where: str) -> None:
    """Print a table of rows."""
    print(where)
    print("loss   tau  s    delta_t  Gaussians  UNet images  step ms  UNet ms  encoder ms  step / floor  peak GiB")
    for row in rows:
        peak = f"{row['peak_memory_gib']:9.2f}" if "peak_memory_gib" in row else "        -"
        print(
            f"{row['loss']:5s} {row['tau']:4.1f} {row['perturbation']:3.1f} {row['delta_t']:9d} {row['gaussians']:10d} "
            f"{row['unet_images_per_step']:12.1f} {row['step_ms']:8.0f} {row['unet_ms']:8.0f} "
            f"{row['encoder_ms']:11.0f} {row['step_over_floor']:13.2f} {peak}"
        )


def main() -> None:
    """Print the tables and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--gpu", action="store_true", help="measure on the first CUDA device, also at full size")
    parser.add_argument("--prior", default="", help="a local folder of Stable Diffusion in diffusers' format")
    parser.add_argument("--adapter", default="", help="its IP-Adapter; without one vpcsm sees no image")
    options = parser.parse_args()
    keep_freed_memory()  # as in a job
    device = "cuda" if options.gpu else "cpu"
    where = torch.cuda.get_device_name() if options.gpu else f"{torch.get_num_threads()} threads"
    prior = load_prior("embedded", device)
    rows = [measure(prior, chosen, "embedded") for chosen in SMALL]
    figures: dict[str, Any] = {"threads": torch.get_num_threads(), "where": where, "rows": rows}
    show(rows, f"{where}, four views of {prior.image_size} px, embedded prior")
    if options.gpu or options.prior:
        prior = load_prior(options.prior, device) if options.prior else random_stable_diffusion(device)
        rows = [measure(prior, chosen, options.adapter) for chosen in FULL]
        figures["full"] = {"where": where, "weights": "a folder's" if options.prior else "random", "rows": rows}
        show(rows, f"{where}, four views of {prior.image_size} px, Stable Diffusion's layout")
    if options.out:
        options.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
