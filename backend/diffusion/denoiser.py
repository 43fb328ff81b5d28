"""One interface to every prior: a folder in diffusers' format, from the embedded miniature to Stable Diffusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from backend.cameras import Cameras
from backend.diffusion.camera_tokens import CameraEncoder, camera_features, load_camera_encoder
from backend.errors import MissingModel
from backend.weights import EMBEDDED, fingerprint, load_frozen

TOGETHER_PIXELS = 256  # of images: above, the way back of one view through a network is a matter of gigabytes
_kept: dict[object, Prior] = {}  # one at most


@dataclass(frozen=True)
class Prior:
    """A frozen latent diffusion model with its text encoder, and what it can be conditioned on."""

    autoencoder: Any  # diffusers' networks have no types worth checking against
    unet: Any
    text_encoder: Any
    tokenizer: Any
    alphas: torch.Tensor  # [T], cumulative, fp32
    predicts_velocity: bool
    image_size: int
    camera_encoder: CameraEncoder | None
    device: torch.device
    dtype: torch.dtype
    fingerprint: str  # SHA-256 over the files that it was loaded from

    @property
    def takes_cameras(self) -> bool:
        """Say whether cameras can be given as tokens."""
        return self.camera_encoder is not None

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Turn sRGB images [B, H, W, 3] in [0, 1] into scaled latents [B, C, h, w] (fp32), differentiably."""
        pixels = (images.permute(0, 3, 1, 2) * 2 - 1).to(self.device, self.dtype)
        latents = self.autoencoder.encode(pixels).latent_dist.mode()
        return latents.float() * self.autoencoder.config.scaling_factor

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Turn scaled latents [B, C, h, w] into sRGB images [B, H, W, 3] in [0, 1]."""
        latents = (latents / self.autoencoder.config.scaling_factor).to(self.dtype)
        return (self.autoencoder.decode(latents).sample.float().permute(0, 2, 3, 1) / 2 + 0.5).clamp(0, 1)

    @torch.no_grad()
    def embed(
        self, prompts: Sequence[str], cameras: Cameras | None = None, *, camera_known: bool = True
    ) -> torch.Tensor:
        """Return the context [B, tokens, width] of prompts, with camera tokens where cameras are given.

        With `camera_known=False` the tokens are the null camera's: as many, but they say nothing.
        """
        tokens = self.tokenizer(
            list(prompts), padding="max_length", truncation=True, max_length=self.tokenizer.model_max_length,
            return_tensors="pt",
        )  # fmt: skip
        context = self.text_encoder(tokens.input_ids.to(self.device)).last_hidden_state
        if cameras is None or self.camera_encoder is None:
            return context
        known = torch.full((len(prompts),), camera_known, device=self.device)
        return self.camera_encoder(context.float(), camera_features(cameras).to(self.device), known).to(context)

    @torch.no_grad()
    def predict_noise(self, latents: torch.Tensor, t: int, context: torch.Tensor) -> torch.Tensor:
        """Return the noise (fp32) in latents [B, C, h, w] at timestep index t, whatever the network itself predicts."""
        steps = torch.full((len(latents),), t, device=latents.device, dtype=torch.long)
        out = self.unet(latents.to(self.dtype), steps, encoder_hidden_states=context.to(self.dtype)).sample.float()
        if not self.predicts_velocity:
            return out
        alpha = self.alphas[t]
        return alpha.sqrt() * out + (1 - alpha).sqrt() * latents

    @property
    def most_tokens(self) -> int:
        """Return how many tokens of a prompt are read, start and end included."""
        return self.tokenizer.model_max_length

    def shorten(self, prompt: str, suffix: str) -> str:
        """Return the prompt without the last words that would push `suffix` out of what is read."""
        words = prompt.split(" ")
        while len(words) > 1 and len(self.tokenizer(" ".join(words) + suffix).input_ids) > self.most_tokens:
            words.pop()
        return " ".join(words)

    def unknown_words(self, prompt: str) -> list[str]:
        """Return the words that the tokenizer has to cut into pieces, in their order; a big vocabulary has few."""
        words = dict.fromkeys("".join(c if c.isalnum() else " " for c in prompt.lower()).split())
        return [word for word in words if len(self.tokenizer.tokenize(word)) > 1]


def load_prior(name: str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Prior:
    """Load a prior by name (`embedded`) or from a local folder in diffusers' format; nothing is downloaded.

    Raises MissingModel where there is none.
    """
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    folder = EMBEDDED if name == "embedded" else Path(name)
    if not (folder / "model_index.json").is_file():
        raise MissingModel(
            f"There is no diffusion model in {folder}: model_index.json is missing.",
            "Use the prior `embedded`, or a local folder in diffusers' format with safetensors files.",
        )
    autoencoder = load_frozen(AutoencoderKL, folder / "vae", device, dtype)
    unet = load_frozen(UNet2DConditionModel, folder / "unet", device, dtype)
    text_encoder = load_frozen(CLIPTextModel, folder / "text_encoder", device, dtype)
    tokenizer = CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer", local_files_only=True)
    scheduler: Any = DDIMScheduler.from_pretrained(folder, subfolder="scheduler", local_files_only=True)
    camera_encoder = load_camera_encoder(folder)
    if camera_encoder is not None:
        camera_encoder.requires_grad_(False).eval().to(device)
    if torch.device(device).type == "cpu":
        unet.to(memory_format=torch.channels_last)
        autoencoder.to(memory_format=torch.channels_last)
    factor = 2 ** (len(autoencoder.config.block_out_channels) - 1)
    image_size = unet.config.sample_size * factor
    if image_size > TOGETHER_PIXELS:
        autoencoder.enable_gradient_checkpointing()  # works with gradients only; the numbers stay as they are
    return Prior(
        autoencoder=autoencoder,
        unet=unet,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        alphas=scheduler.alphas_cumprod.to(device),
        predicts_velocity=scheduler.config.prediction_type == "v_prediction",
        image_size=image_size,
        camera_encoder=camera_encoder,
        device=torch.device(device),
        dtype=dtype,
        fingerprint=fingerprint(folder),
    )


def kept_prior(name: str, device: torch.device | str = "cpu") -> Prior:
    """Return the prior that the job before has left in memory, if its files are the same, else load it.

    It is shared: whoever changes its networks copies them first. torch's randomness is left as it was, so that a job
    does the same whether it comes first or second. Raises MissingModel as `load_prior` does.
    """
    folder = EMBEDDED if name == "embedded" else Path(name)
    files = sorted((path.as_posix(), path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*.*"))
    key = name, str(device), tuple(files)
    if key not in _kept:
        _kept.clear()  # first, because two may not fit into memory
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            _kept[key] = load_prior(name, device)
    return _kept[key]
