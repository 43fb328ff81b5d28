"""Trains the UNet with its text encoder and camera tokens, on cached latents."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# diffusers and transformers annotate their defaults, not what they take.
from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from backend.diffusion.camera_tokens import FOLDER as CAMERA_FOLDER
from backend.diffusion.camera_tokens import CameraEncoder, angle_features
from backend.embedded.objects.captions import caption, vocabulary
from backend.embedded.objects.data import load_dataset
from backend.embedded.objects.shapes import HELD_OUT, Subject
from backend.embedded.precision import mixed
from backend.embedded.tokenizer import MAX_TOKENS, build_tokenizer
from backend.embedded.training.autoencoder import encoded
from backend.embedded.training.loop import Averaged, fit, load_training

PEAK_RATE = 8e-4
BATCH = 32
DECAY = 0.9993
TEXT_WIDTH = 160
DROP_TEXT = 0.12  # for classifier-free guidance
DROP_CAMERA = 0.1
CAMERA_SHARE = 0.8  # of the batches carry camera tokens; the others teach the plain pipeline
MAX_WEIGHT = 6.0  # of an image's squared error where little noise is left, against 1 where only noise is


class Denoiser(torch.nn.Module):
    """UNet, text encoder and camera encoder, trained together."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        # Heads of 32 channels trained faster on the CPU than eight heads of any width.
        self.unet = UNet2DConditionModel(
            sample_size=16, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=(64, 128, 160),
            down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            attention_head_dim=(2, 4, 5), cross_attention_dim=TEXT_WIDTH, norm_num_groups=16,
        )  # fmt: skip
        self.text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer), hidden_size=TEXT_WIDTH, intermediate_size=4 * TEXT_WIDTH,
                num_hidden_layers=2, num_attention_heads=5, max_position_embeddings=MAX_TOKENS,
                projection_dim=TEXT_WIDTH,
                bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )  # fmt: skip
        self.camera_encoder = CameraEncoder(TEXT_WIDTH)


def new_scheduler() -> DDIMScheduler:
    """Return Stable Diffusion 2's noise schedule, for networks that predict velocities."""
    return DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False,
        steps_offset=1, prediction_type="v_prediction",
    )  # fmt: skip


def cached_latents(folder: Path, renders: Path, autoencoder: AutoencoderKL) -> torch.Tensor:
    """Encode all renders once (fp16 on disk) and return their latents [N, 4, 16, 16]."""
    path = folder / "latents.npy"
    if not path.exists():
        np.save(path, encoded(autoencoder, load_dataset(renders)[0]).numpy())
    return torch.from_numpy(np.load(path))


def train_denoiser(
    folder: Path,
    renders: Path,
    minutes: float,
    autoencoder: AutoencoderKL,
    weights: Path,
    seed: int = 1,
    device: str = "cuda" if torch.cuda.is_available() else "cpu",
) -> None:
    """Train for `minutes` more: from the checkpoint in `folder`, else from exported `weights`, else from nothing."""
    torch.manual_seed(seed)
    latents = cached_latents(folder, renders, autoencoder)
    _, facts = load_dataset(renders)
    assert len(facts) == len(latents), f"{len(facts)} descriptions for {len(latents)} latents: delete latents.npy"
    assert 0.9 < float(latents[::7].float().std()) < 1.1, "latents of another autoencoder: delete latents.npy"
    assert not any(f["category"] in HELD_OUT.categories or f["seed"] >= HELD_OUT.first_seed for f in facts)
    assert not any(HELD_OUT.pair(f["category"], f["colour"]) for f in facts)
    tokenizer = build_tokenizer(vocabulary())
    model = Denoiser(tokenizer).to(device)
    checkpoint = folder / "denoiser.safetensors"
    if not checkpoint.exists() and (weights / "unet").is_dir():
        load_exported(model, weights)
    alphas = new_scheduler().alphas_cumprod.to(device)

    def loss_of_batch(rng: random.Random) -> torch.Tensor:
        chosen = [rng.randrange(len(facts)) for _ in range(BATCH)]
        context = condition(model, tokenizer, [facts[i] for i in chosen], rng)
        return velocity_loss(model.unet, latents[chosen].to(device).float(), context, alphas)

    fit(folder, "denoiser", model, loss_of_batch, minutes, peak_rate=PEAK_RATE, batch=BATCH, decay=DECAY, seed=seed)


def velocity_loss(
    unet: Callable, clean: torch.Tensor, context: torch.Tensor, alphas: torch.Tensor, extra: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the loss of latents [B, 4, h, w] noised to random timesteps; `extra` channels [B, C, h, w] stay clean."""
    t = torch.randint(0, len(alphas), (len(clean),), device=clean.device)
    noise = torch.randn_like(clean)
    alpha = alphas[t][:, None, None, None]
    signal, rest = alpha.sqrt(), (1 - alpha).sqrt()
    noisy, velocity = signal * clean + rest * noise, signal * noise - rest * clean
    seen = noisy if extra is None else torch.cat([noisy, extra], dim=1)
    with mixed(clean.device.type):
        predicted = unet(seen, t, context).sample.float()
    # An error e of the image is an error of e * sqrt(snr + 1) of its velocity. Weights that vanish with the signal,
    # as those of the noise do, hardly teach what a picture's first steps decide: from where the object is seen.
    ratio = 1 / (1 - alphas[t])  # snr + 1
    return ((predicted - velocity).square().mean(dim=(1, 2, 3)) * ratio.clamp_max(MAX_WEIGHT) / ratio).mean()


def load_exported(model: Denoiser, weights: Path) -> None:
    """Fill the networks from an exported prior."""
    for module, path in (
        (model.unet, weights / "unet" / "diffusion_pytorch_model.safetensors"),
        (model.text_encoder, weights / "text_encoder" / "model.safetensors"),
        (model.camera_encoder, weights / CAMERA_FOLDER / "model.safetensors"),
    ):
        module.load_state_dict({name: value.float() for name, value in load_file(path).items()})


def condition(
    model: Denoiser, tokenizer: CLIPTokenizer, facts: list[dict], rng: random.Random, drop_text: float = DROP_TEXT
) -> torch.Tensor:
    """Return the context [B, tokens, width] of a batch: captions, some dropped, and for most batches cameras."""
    words = ["" if rng.random() < drop_text else describe(fact, rng) for fact in facts]
    tokens = tokenizer(words, padding="max_length", truncation=True, return_tensors="pt").input_ids
    tokens = tokens.to(model.camera_encoder.null.device)
    context = model.text_encoder(tokens).last_hidden_state
    if rng.random() > CAMERA_SHARE:
        return context
    column = {key: torch.tensor([fact[key] for fact in facts]) for key in ("azimuth", "elevation", "fov", "zoom")}
    features = angle_features(
        torch.deg2rad(column["azimuth"]),
        torch.deg2rad(column["elevation"]),
        torch.tan(torch.deg2rad(column["fov"]) / 2),
        column["zoom"],
    )
    known = torch.tensor([rng.random() > (DROP_CAMERA if word else 0.5) for word in words])
    return model.camera_encoder(context, features.to(context), known.to(context.device))


def describe(fact: dict, rng: random.Random) -> str:
    """Return a caption for a stored description."""
    subject = Subject(fact["category"], fact["colour"], fact["accent"], fact["pattern"], fact["hat"], solid=None)
    words = {key: fact[key] for key in ("azimuth", "elevation", "style", "modality")}
    return caption(subject, rng, **words)


def averaged_denoiser(folder: Path) -> tuple[Denoiser, CLIPTokenizer]:
    """Return the denoiser with its averaged weights from the checkpoint in `folder`."""
    tokenizer = build_tokenizer(vocabulary())
    model = Denoiser(tokenizer)
    averaged = Averaged(model, DECAY)
    if not load_training(folder / "denoiser.safetensors", averaged, torch.optim.AdamW(model.parameters())):
        raise FileNotFoundError(f"no denoiser has been trained in {folder}: run `python -m backend.embedded.train`")
    averaged.store_into(model)
    return model.eval(), tokenizer
