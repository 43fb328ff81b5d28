"""What does the object of this image look like from another side? A diffusion model that was told the relative pose.

Source: Liu et al., Zero-1-to-3: Zero-shot One Image to 3D Object, 2023, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from backend.cameras import Cameras, azimuth_elevation, fields_of_view, framing_distance
from backend.diffusion.denoiser import Prior, load_prior
from backend.diffusion.sampling import denoise
from backend.errors import MissingModel
from backend.vision.image_encoder import ImageEncoder, load_image_encoder
from backend.vision.pixels import resize
from backend.weights import load_frozen, network_folder

PROJECTIONS = ("clip_camera_projection", "cc_projection")  # what the public conversions call it
PUBLIC_DISTANCE = 1.85  # the middle of the 1.5 to 2.2 that the public networks were trained with
GUIDANCE = 3.0  # of the authors' own demonstration


@dataclass(frozen=True)
class Zero123:
    """A latent diffusion model of views; every score takes its `predict_noise` with a context made by `context`."""

    unet: Any  # 2 C channels in: noisy latents, and the reference's
    autoencoder: Any
    image_encoder: ImageEncoder
    projection: torch.nn.Linear  # from embedding and pose to one token of the cross-attention
    alphas: torch.Tensor  # [T], cumulative, fp32
    predicts_velocity: bool
    image_size: int
    reference_scale: float  # of the reference's latents: the public networks were trained with unscaled ones
    elevation_sign: float  # -1 where the pose is told as a polar angle, which falls when the elevation rises
    framing_distance: float  # what the network calls the distance from which the object fills the image
    device: torch.device

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Turn sRGB images [B, H, W, 3] in [0, 1] into scaled latents [B, C, h, w] (fp32), differentiably."""
        return self._latents(images) * self.autoencoder.config.scaling_factor

    @torch.no_grad()
    def context(self, reference: torch.Tensor, poses: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the conditional and the unconditional context, [B, 1, width + C h w] each.

        reference [1, H, W, 3], sRGB in [0, 1]; poses [B, 3] as `relative_poses` gives them. The numbers are the token
        and behind it the reference's latents; without condition both are zeros.
        """
        embedding = self.image_encoder(reference).expand(len(poses), -1)  # [B, E]
        numbers = pose_numbers(poses, self.elevation_sign, self.framing_distance).to(embedding)
        weight = self.projection.weight
        token = self.projection(torch.cat([embedding, numbers], dim=-1).to(weight)).float()  # [B, width]
        latents = (self._latents(reference) * self.reference_scale).flatten(1).expand(len(poses), -1)
        context = torch.cat([token, latents], dim=-1)[:, None]
        return context, torch.zeros_like(context)

    @torch.no_grad()
    def predict_noise(self, latents: torch.Tensor, t: int, context: torch.Tensor) -> torch.Tensor:
        """Return the noise (fp32) in latents [B, C, h, w] at timestep index t."""
        token, reference = context.split([self.projection.out_features, latents[0].numel()], dim=-1)
        both = torch.cat([latents, reference.view(latents.shape)], dim=1).to(self.unet.dtype)
        steps = torch.full((len(latents),), t, device=latents.device, dtype=torch.long)
        out = self.unet(both, steps, encoder_hidden_states=token.to(self.unet.dtype)).sample.float()
        if not self.predicts_velocity:
            return out
        alpha = self.alphas[t]
        return alpha.sqrt() * out + (1 - alpha).sqrt() * latents

    def _latents(self, images: torch.Tensor) -> torch.Tensor:
        pixels = resize(images.permute(0, 3, 1, 2), self.image_size, self.image_size).clamp(0, 1) * 2 - 1
        pixels = pixels.to(self.device, next(self.autoencoder.parameters()).dtype)
        return self.autoencoder.encode(pixels).latent_dist.mode().float()


@torch.no_grad()
def novel_views(
    model: Zero123,
    reference: torch.Tensor,
    poses: torch.Tensor,
    steps: int = 50,
    guidance: float = GUIDANCE,
    *,
    generator: torch.Generator,
) -> torch.Tensor:
    """Return how a reference [1, H, W, 3] looks from other poses [B, 3]: images [B, S, S, 3] in [0, 1]."""
    conditional, unconditional = model.context(reference, poses)
    side, channels = model.unet.config.sample_size, model.unet.config.out_channels
    latents = torch.randn(len(poses), channels, side, side, generator=generator).to(model.device)
    latents = denoise(
        model.predict_noise, latents, model.alphas, conditional, unconditional, steps=steps, scale=guidance
    )
    autoencoder = model.autoencoder
    latents = (latents / autoencoder.config.scaling_factor).to(next(autoencoder.parameters()).dtype)
    return (autoencoder.decode(latents).sample.float().permute(0, 2, 3, 1) / 2 + 0.5).clamp(0, 1)


def relative_poses(reference: Cameras, targets: Cameras) -> torch.Tensor:
    """Return [B, 3]: how much higher, further anticlockwise (degrees) and further away each target stands.

    Distances count in framing distances: from there the unit sphere fills the image. All cameras look at the origin.
    """
    (azimuth, elevation), (azimuths, elevations) = azimuth_elevation(reference), azimuth_elevation(targets)
    return torch.stack([elevations - elevation, azimuths - azimuth, _zoom(targets) - _zoom(reference)], dim=-1)


def pose_numbers(poses: torch.Tensor, elevation_sign: float, framing_distance: float) -> torch.Tensor:
    """Return what a network is told of poses [B, 3]: elevation in radians, sin and cos of azimuth, distance; [B, 4]."""
    elevation, azimuth, distance = poses.unbind(-1)
    elevation, azimuth = elevation_sign * torch.deg2rad(elevation), torch.deg2rad(azimuth)
    return torch.stack([elevation, azimuth.sin(), azimuth.cos(), framing_distance * distance], dim=-1)


def load_zero123(name: str, device: torch.device | str = "cpu") -> Zero123:
    """Load the embedded network, one of its layout, or a public conversion to diffusers from a local folder.

    Raises MissingModel.
    """
    if name == "embedded" or (Path(name) / "adapter_config.json").is_file():
        return merge_zero123(load_prior("embedded", device), name)
    return _load_public(Path(name), torch.device(device))


def merge_zero123(prior: Prior, name: str, encoder: ImageEncoder | None = None) -> Zero123:
    """Merge the LoRA and the wider first layer of a folder into a copy of a prior's UNet. Raises MissingModel."""
    from diffusers import UNet2DConditionModel

    needed = ("adapter_config.json", "adapter_model.safetensors", "conditioning.safetensors")
    folder = network_folder(name, "zero123", needed)
    extra = load_file(folder / "conditioning.safetensors")
    unet: Any = UNet2DConditionModel.from_config(prior.unet.config, in_channels=extra["conv_in.weight"].shape[1])
    unet.load_state_dict(prior.unet.state_dict() | {k: v.float() for k, v in extra.items() if k.startswith("conv_in.")})
    unet = _merged(unet, folder)
    return Zero123(
        unet=unet.requires_grad_(False).eval().to(prior.device, prior.dtype),
        autoencoder=prior.autoencoder,
        image_encoder=encoder or load_image_encoder("embedded", prior.device),
        projection=_linear(extra["cc_projection.weight"], extra["cc_projection.bias"]).to(prior.device),
        alphas=prior.alphas,
        predicts_velocity=prior.predicts_velocity,
        image_size=prior.image_size,
        reference_scale=prior.autoencoder.config.scaling_factor,
        elevation_sign=1.0,
        framing_distance=1.0,
        device=prior.device,
    )


def _load_public(folder: Path, device: torch.device) -> Zero123:
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

    needed = ("unet/config.json", "vae/config.json", "image_encoder/config.json", "scheduler/scheduler_config.json")
    network_folder(str(folder), "zero123", needed)
    files = [path for place in PROJECTIONS for path in sorted((folder / place).glob("*.safetensors"))]
    if not files:
        raise MissingModel(
            f"{folder} holds no {' or '.join(PROJECTIONS)} with a safetensors file.",
            "Take a conversion of Zero-1-to-3 to diffusers that has one.",
        )
    extra = {key.rsplit(".", 1)[-1]: value for key, value in load_file(files[0]).items()}  # weight, bias
    scheduler: Any = DDIMScheduler.from_pretrained(folder, subfolder="scheduler", local_files_only=True)
    unet = load_frozen(UNet2DConditionModel, folder / "unet", device)
    autoencoder = load_frozen(AutoencoderKL, folder / "vae", device)
    factor = 2 ** (len(autoencoder.config.block_out_channels) - 1)
    return Zero123(
        unet=unet,
        autoencoder=autoencoder,
        image_encoder=load_image_encoder(str(folder / "image_encoder"), device),
        projection=_linear(extra["weight"], extra["bias"]).to(device),
        alphas=scheduler.alphas_cumprod.to(device),
        predicts_velocity=scheduler.config.prediction_type == "v_prediction",
        image_size=unet.config.sample_size * factor,
        reference_scale=1.0,
        elevation_sign=-1.0,
        framing_distance=PUBLIC_DISTANCE,
        device=device,
    )


def _merged(unet: Any, folder: Path) -> Any:
    """Return a UNet with the low-rank changes of a folder in peft's layout added to its weights."""
    from peft import LoraConfig, PeftModel, set_peft_model_state_dict

    adapted: Any = PeftModel(unet, LoraConfig.from_pretrained(str(folder), local_files_only=True))
    prefix = "base_model.model."
    changes = load_file(folder / "adapter_model.safetensors")
    changes = {key if key.startswith(prefix) else prefix + key: value.float() for key, value in changes.items()}
    report = set_peft_model_state_dict(adapted, changes)
    missing = [key for key in report.missing_keys if "lora_" in key]
    if missing or report.unexpected_keys:
        raise MissingModel(
            f"The changes in {folder} do not fit the prior: {len(missing)} tensors are missing, "
            f"{len(report.unexpected_keys)} too many.",
            "They belong to another prior, or their adapter_config.json to another file.",
        )
    return adapted.merge_and_unload()


def _zoom(cameras: Cameras) -> torch.Tensor:
    return cameras.position.norm(dim=-1) / framing_distance(fields_of_view(cameras))


def _linear(weight: torch.Tensor, bias: torch.Tensor) -> torch.nn.Linear:
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer.requires_grad_(False).eval()
