"""One interface to every prior: a folder in diffusers' format, from the embedded miniature to Stable Diffusion."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from backend.cameras import Cameras
from backend.diffusion.camera_tokens import CameraEncoder, camera_features, load_camera_encoder
from backend.diffusion.joint_attention import is_joint, make_joint
from backend.diffusion.joint_views import predict_joint
from backend.diffusion.prompt_completion import completed, load_completion
from backend.errors import MissingModel
from backend.weights import EMBEDDED, fingerprint, load_frozen

TOGETHER_PIXELS = 256  # of images: above, the way back of one view through a network is a matter of gigabytes
LONGEST_VIEW = ", overhead view"  # what is said of a view after the prompt; the prompt leaves room for it
STRUCTURE_PLACES = 8  # along one side
_kept: dict[object, Prior] = {}  # one at most


@dataclass(frozen=True)
class SmallEncoder:
    """A faster encoder to a base's own latents, such as TAESD's."""

    network: Any  # an AutoencoderTiny
    fingerprint: str  # SHA-256 over the files that it was loaded from


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
    sees_reference: bool = False  # beside the views of an object, a picture of it that is clean
    most_together: int = 0  # pictures that the network is asked about at a time; 0: all, and views as settings say
    is_frugal: bool = False  # networks that learn compute their layers again on the way back, also where they are small
    completion: dict = field(default_factory=dict)  # neutral clauses for what a prompt does not say
    tell_uncompiled: Callable[[str], None] | None = None  # networks that draw are compiled; it hears where that fails
    small_encoder: SmallEncoder | None = None  # what most steps of a distillation encode with; None: its own, always

    @property
    def marks(self) -> dict[str, str]:
        """Return what tells results of other weights apart: fingerprints, by the network's part."""
        small = {"small_encoder": self.small_encoder.fingerprint} if self.small_encoder is not None else {}
        return {"prior": self.fingerprint} | small

    @property
    def computes_again(self) -> bool:
        """Say whether a network of its size that learns computes its layers again on the way back."""
        return self.is_frugal or self.image_size > TOGETHER_PIXELS

    @property
    def takes_views(self) -> bool:
        """Say whether several views of one object can be asked about together."""
        return is_joint(self.unet)

    @property
    def takes_cameras(self) -> bool:
        """Say whether cameras can be given as tokens."""
        return self.camera_encoder is not None

    @property
    def structure_layers(self) -> tuple[str, ...]:
        """Return where self-attention carries an object's structure, for perturbed attention: beginnings of names.

        That is where it looks around 8 x 8 places, as PAG's authors chose it: Stable Diffusion's middle block. In a
        smaller network, whose middle block sees too few to matter, it is the block of that size on the way up.
        """
        config = self.unet.config
        middle = len(config.block_out_channels) - 1  # where a side has sample_size / 2^middle places
        wanted = max(0, round(math.log2(config.sample_size / STRUCTURE_PLACES)))
        return ("mid_block",) if wanted >= middle else (f"up_blocks.{middle - wanted}",)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Turn sRGB images [B, H, W, 3] in [0, 1] into scaled latents [B, C, h, w] (fp32), differentiably."""
        pixels = (images.permute(0, 3, 1, 2) * 2 - 1).to(self.device, self.dtype)
        encoded = self.autoencoder.encode(pixels)
        latents = encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents
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
        return self.embed_with_graph(prompts, cameras, camera_known=camera_known)

    def embed_with_graph(
        self, prompts: Sequence[str], cameras: Cameras | None = None, *, camera_known: bool = True
    ) -> torch.Tensor:
        """Return what `embed` returns, with the way back to a text encoder that learns."""
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
        """Return the noise (fp32) in latents [B, C, h, w] at timestep index t, whatever the network itself predicts.

        The context is [B, T, width], or one of views together (`joint_views`), [G, R, T, width].
        """
        if 0 < self.most_together < len(latents) and context.ndim == 3:
            parts = zip(latents.split(self.most_together), context.split(self.most_together), strict=True)
            return torch.cat([self.predict_noise(some, t, said) for some, said in parts])
        if context.ndim == 4:
            out = predict_joint(self.unet, latents, t, context, self.dtype)
        else:
            steps = torch.full((len(latents),), t, device=latents.device, dtype=torch.long)
            out = self.unet(latents.to(self.dtype), steps, encoder_hidden_states=context.to(self.dtype)).sample.float()
        if not self.predicts_velocity:
            return out
        alpha = self.alphas[t]
        return alpha.sqrt() * out + (1 - alpha).sqrt() * latents

    def noised(
        self, latents: torch.Tensor, times: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return latents [B, C, h, w] noised to timestep indices [B], and what the network should say of them."""
        alpha = self.alphas[times][:, None, None, None]
        noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
        return noisy, alpha.sqrt() * noise - (1 - alpha).sqrt() * latents if self.predicts_velocity else noise

    @property
    def max_tokens(self) -> int:
        """Return how many tokens of a prompt are read, start and end included."""
        return self.tokenizer.model_max_length

    def shorten(self, prompt: str, suffix: str) -> str:
        """Return the prompt without the last words that would push `suffix` out of what is read."""
        words = prompt.split(" ")
        while len(words) > 1 and len(self.tokenizer(" ".join(words) + suffix).input_ids) > self.max_tokens:
            words.pop()
        return " ".join(words)

    def complete(self, prompt: str, background: str = "white") -> str:
        """Return a prompt with the neutral clauses that the prior wants to hear, as many as are read before a view."""
        told, added = completed(prompt, self.completion, background)
        while added and len(self.tokenizer(told + LONGEST_VIEW).input_ids) > self.max_tokens:
            told = told.removesuffix(f", {added.pop()}")
        return told


def load_prior(name: str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Prior:
    """Load a prior by name (`embedded`) or from a local folder in diffusers' format; nothing is downloaded.

    Raises MissingModel where there is none.
    """
    from diffusers import AutoencoderKL, AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel

    folder = EMBEDDED if name == "embedded" else Path(name)
    if not (folder / "model_index.json").is_file():
        raise MissingModel(
            f"There is no diffusion model in {folder}: model_index.json is missing.",
            "Use the prior `embedded`, or a local folder in diffusers' format with safetensors files.",
        )
    kind = AutoencoderTiny if _class_name(folder / "vae") == "AutoencoderTiny" else AutoencoderKL
    last = torch.device(device).type == "cpu"
    autoencoder = load_frozen(kind, folder / "vae", device, dtype, channels_last=last)
    unet = load_frozen(UNet2DConditionModel, folder / "unet", device, dtype, channels_last=last)
    text_encoder = load_frozen(CLIPTextModel, folder / "text_encoder", device, dtype)
    tokenizer = load_tokenizer(folder)
    scheduler: Any = DDIMScheduler.from_pretrained(folder, subfolder="scheduler", local_files_only=True)
    camera_encoder = load_camera_encoder(folder)
    if camera_encoder is not None:
        camera_encoder.requires_grad_(False).eval().to(device)
    facts = _facts(folder)
    if facts.get("joint_views"):
        make_joint(unet)
    factor = 2 ** (len(autoencoder.config.block_out_channels) - 1)
    image_size = unet.config.sample_size * factor
    if image_size > TOGETHER_PIXELS and kind is AutoencoderKL:  # the tiny one's would see other pixels under it
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
        sees_reference=bool(facts.get("clean_view")),
        completion=load_completion(folder),
    )


def load_tokenizer(folder: Path) -> Any:
    """Load what cuts the prompts of a prior in a folder into tokens, without its networks."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer", local_files_only=True)


def words_in_pieces(tokenizer: Any, prompt: str) -> list[str]:
    """Return the words that a tokenizer has to cut into pieces, in their order; a big vocabulary has few."""
    words = dict.fromkeys("".join(c if c.isalnum() else " " for c in prompt.lower()).split())
    return [word for word in words if len(tokenizer.tokenize(word)) > 1]


def _facts(folder: Path) -> dict:
    """Return what prior.json says of a prior beyond diffusers' own files; nothing where there is no such file."""
    path = folder / "prior.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _class_name(folder: Path) -> str:
    """Return the class that a network's folder names, empty where there is no such file."""
    path = folder / "config.json"
    return json.loads(path.read_text(encoding="utf-8")).get("_class_name", "") if path.is_file() else ""


def kept_prior(
    name: str,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    change: Callable[[Prior], Prior] | None = None,
    change_key: object = None,
) -> Prior:
    """Return the prior that the job before has left in memory, if its files are the same, else load it.

    `change` is done to a freshly loaded one; equal keys stand for equal changes.

    It is shared: whoever changes its networks copies them first. torch's randomness is left as it was, so that a job
    does the same whether it comes first or second. Raises MissingModel as `load_prior` does.
    """
    folder = EMBEDDED if name == "embedded" else Path(name)
    files = sorted((path.as_posix(), path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*.*"))
    key = name, str(device), dtype, change_key, tuple(files)
    if key not in _kept:
        _kept.clear()  # first, because two may not fit into memory
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            loaded = load_prior(name, device, dtype)
            _kept[key] = change(loaded) if change else loaded
    return _kept[key]
