"""Trains the one network for text and views: the UNet whose views of an object see each other."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# diffusers and transformers annotate their defaults, not what they take.
from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from backend.diffusion.camera_tokens import FOLDER as CAMERA_FOLDER
from backend.diffusion.camera_tokens import CameraEncoder
from backend.diffusion.joint_attention import joined, make_joint
from backend.embedded.precision import mixed
from backend.embedded.training.denoiser import DECAY, MAX_WEIGHT, TEXT_WIDTH, new_scheduler
from backend.embedded.training.latent_stream import Rows, take_up
from backend.embedded.training.loop import Averaged, load_training, log, save_training
from backend.embedded.training.muon import Muon
from backend.embedded.training.view_batches import Describe, ViewBatch, camera_rows, draw_batch
from backend.embedded.training.warm_start import begin_text_encoder, begin_unet

WARMUP, COOLDOWN = 30, 0.2  # steps; share of the minutes at whose end the rate has fallen to 2 %
CHECKPOINT_SECONDS, LOG_STEPS, LOOK_STEPS, TAKE_STEPS = 240.0, 100, 500, 25
FIRST_SHARDS = 8  # encoded before the first step; then one every TAKE_STEPS


@dataclass(frozen=True)
class Course:
    """How the denoiser is trained; the defaults are what was chosen."""

    muon: bool = True
    rate: float = 1e-3
    focus: bool = False  # timesteps drawn about the middle (logit-normal) and not evenly


class ViewDenoiser(torch.nn.Module):
    """UNet of joint views, text encoder and camera encoder, trained together."""

    def __init__(self, tokenizer: CLIPTokenizer, channels: int) -> None:
        super().__init__()
        self.unet = UNet2DConditionModel(
            sample_size=16, in_channels=channels, out_channels=channels, layers_per_block=1,
            block_out_channels=(64, 128, 160),
            down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            attention_head_dim=(2, 4, 5), cross_attention_dim=TEXT_WIDTH, norm_num_groups=16,
        )  # fmt: skip
        # torch's own attention takes three times as long on a CPU's way back through short sequences.
        self.unet.set_attn_processor(AttnProcessor())
        make_joint(self.unet)
        self.text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer), hidden_size=TEXT_WIDTH, intermediate_size=4 * TEXT_WIDTH,
                num_hidden_layers=2, num_attention_heads=5, max_position_embeddings=tokenizer.model_max_length,
                projection_dim=TEXT_WIDTH,
                bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )  # fmt: skip
        self.camera_encoder = CameraEncoder(TEXT_WIDTH)

    def context(self, tokenizer: CLIPTokenizer, words: list[str], facts: list[dict], told: torch.Tensor | None) -> Any:
        """Return the context [B, tokens, width] of words, with the cameras of `facts` where they are `told` [B]."""
        device = self.camera_encoder.null.device
        tokens = tokenizer(words, padding="max_length", truncation=True, return_tensors="pt").input_ids
        context = self.text_encoder(tokens.to(device)).last_hidden_state
        if told is None:
            return context
        return self.camera_encoder(context, camera_rows(facts).to(context), told.to(device))

    def begin(self, tokenizer: CLIPTokenizer, weights: Path) -> list[str]:
        """Fill the networks from an exported prior of as many or fewer latent channels and words; return new tokens."""
        begin_unet(self.unet, weights / "unet" / "diffusion_pytorch_model.safetensors")
        cameras = load_file(weights / CAMERA_FOLDER / "model.safetensors")
        self.camera_encoder.load_state_dict({name: value.float() for name, value in cameras.items()})
        return begin_text_encoder(self.text_encoder, tokenizer, weights)


def noised(
    clean: torch.Tensor, batch: ViewBatch, alphas: torch.Tensor, noise: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Return what the network sees and the velocities that it should tell, both [B, C, h, w]; clean rows stay clean."""
    alpha = torch.where(batch.clean.to(alphas.device), torch.ones((), device=alphas.device), alphas[batch.timesteps])
    signal, rest = alpha.sqrt()[:, None, None, None], (1 - alpha).sqrt()[:, None, None, None]
    return signal * clean + rest * noise, signal * noise - rest * clean


def row_weights(batch: ViewBatch, alphas: torch.Tensor) -> torch.Tensor:
    """Return the weight [B] of each row's squared error of velocity: 0 for clean rows.

    An error e of the image is an error of e sqrt(snr + 1) of its velocity. Weights that vanish with the signal, as
    those of the noise do, hardly teach what a picture's first steps decide: from where the object is seen.
    """
    ratio = 1 / (1 - alphas[batch.timesteps])  # snr + 1
    return ratio.clamp_max(MAX_WEIGHT) / ratio * (~batch.clean).to(alphas)


def view_loss(
    model: ViewDenoiser, tokenizer: CLIPTokenizer, rows: Rows, batch: ViewBatch, alphas: torch.Tensor,
    generator: torch.Generator,
) -> torch.Tensor:  # fmt: skip
    """Return the scalar loss of a batch, the mean over rows that are not clean."""
    device = alphas.device
    facts = [rows.facts[i] for i in batch.rows]
    clean = torch.stack([rows.latents[i] for i in batch.rows]).float()
    noise = torch.randn(clean.shape, generator=generator)
    seen, velocity = noised(clean.to(device), batch, alphas, noise.to(device))
    with mixed(device.type):
        context = model.context(tokenizer, batch.words, facts, batch.camera)
        with joined(model.unet, batch.views):
            told = model.unet(seen, batch.timesteps.to(device), context).sample.float()
    weights = row_weights(batch, alphas)
    errors = (told - velocity).square().mean(dim=(1, 2, 3))
    return (errors * weights).sum() / (~batch.clean).sum().clamp_min(1)


class Training:
    """The denoiser with its optimiser, average and counters; a step depends on nothing but these and the rows."""

    def __init__(
        self, tokenizer: CLIPTokenizer, channels: int, course: Course, begin: Path | None, seed: int = 1,
        device: str = "cpu",
    ) -> None:  # fmt: skip
        torch.manual_seed(seed)
        self.tokenizer, self.course, self.seed = tokenizer, course, seed
        self.model = ViewDenoiser(tokenizer, channels)
        if begin is not None:
            self.model.begin(tokenizer, begin)
        self.model.to(device)
        self.alphas = new_scheduler().alphas_cumprod.to(device)
        self.averaged = Averaged(self.model, DECAY)
        self.parameters = list(self.averaged.parameters.values())
        if course.muon:
            plain = [p for name, p in self.averaged.parameters.items() if "embedding" in name]
            self.optimiser: torch.optim.Optimizer = Muon(self.parameters, course.rate, plain, weight_decay=0.01)
        else:
            self.optimiser = torch.optim.AdamW(self.parameters, course.rate, betas=(0.9, 0.99), weight_decay=0.01)
        self.counts = {"step": 0, "images": 0}

    def load(self, path: Path) -> bool:
        """Go on from a checkpoint, if there is one, and say whether there is."""
        self.counts = load_training(path, self.averaged, self.optimiser) or self.counts
        return bool(self.counts["step"])

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        save_training(path, self.averaged, self.optimiser, self.counts)

    def step(self, rows: Rows, describe: Describe, factor: float = 1.0) -> float:
        """Take one step at `factor` times the rate and return the loss before it."""
        step = self.counts["step"]
        rng = random.Random(f"{self.seed}.{step}")  # of the step alone: resuming changes nothing
        batch = draw_batch(rows, rng, describe)
        if self.course.focus:
            fresh = torch.sigmoid(torch.randn(len(batch.rows), generator=_generator(self.seed, step, 1)))
            batch.timesteps = torch.where(batch.clean, 0, (fresh * len(self.alphas)).long())
        loss = view_loss(self.model, self.tokenizer, rows, batch, self.alphas, _generator(self.seed, step))
        self.optimiser.param_groups[0]["lr"] = self.course.rate * factor
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        self.averaged.update(step)
        self.counts = {"step": step + 1, "images": self.counts["images"] + len(batch.rows)}
        return loss.item()


def _generator(seed: int, step: int, stream: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed((seed * 1_000_003 + step) * 2 + stream)


def train_views(
    training: Training, folder: Path, renders: list[Path], codec: Any, minutes: float, describe: Describe,
    look: Callable[[ViewDenoiser], dict[str, float]] | None = None,
) -> None:  # fmt: skip
    """Train for `minutes` of process time more, on shards of `renders` as they come; checkpoints go into `folder`.

    `look` judges the averaged network now and then, for the log. Raises FileNotFoundError where no shard is.
    """
    checkpoint, rows, device = folder / "views.safetensors", Rows(), training.alphas.device.type
    training.load(checkpoint)
    if not take_up(rows, folder, renders, codec, FIRST_SHARDS, device):
        raise FileNotFoundError(f"no shard of renders in {', '.join(map(str, renders))}")
    started = saved = time.process_time()
    first, smoothed = training.counts["step"], 0.0
    while (share := (time.process_time() - started) / 60 / minutes if minutes else 1.0) < 1:
        step = training.counts["step"]
        falling = min(1.0, max(0.02, (1 - share) / COOLDOWN))
        loss = training.step(rows, describe, min(1.0, (step - first + 1) / WARMUP) * falling)
        smoothed = loss if step == first else 0.99 * smoothed + 0.01 * loss
        if step % TAKE_STEPS == 0:
            take_up(rows, folder, renders, codec, 1, device)
        if step % LOG_STEPS == 0:
            figures = look(averaged_copy(training)) if look and step % LOOK_STEPS == 0 else {}
            log(folder, stage="views", **training.counts, share=share, loss=smoothed, rows=len(rows.facts), **figures)
        if time.process_time() - saved > CHECKPOINT_SECONDS:
            training.save(checkpoint)
            saved = time.process_time()
    if minutes:
        training.save(checkpoint)
        log(folder, stage="views", **training.counts, share=1.0, loss=smoothed, rows=len(rows.facts))


def averaged_copy(training: Training) -> ViewDenoiser:
    """Return a denoiser with the averaged weights, for looking and for export."""
    copied = ViewDenoiser(training.tokenizer, training.model.unet.config.in_channels)
    training.averaged.store_into(copied)
    return copied.to(training.alphas.device).eval()
