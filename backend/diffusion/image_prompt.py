"""Lets a prior look at an image beside the words (IP-Adapter), or look away from structure (perturbed attention).

Both leave the prior as it is: they work on twins of its UNet that share its tensors.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from backend.cameras import Cameras
from backend.diffusion.denoiser import Prior
from backend.diffusion.faster.compiling import compile_network
from backend.diffusion.joint_attention import JointSelfAttention, make_joint, make_single
from backend.diffusion.sampling import denoise, noise_for
from backend.diffusion.scores import PredictPerturbed
from backend.errors import BadInput, MissingModel
from backend.vision.image_encoder import ImageEncoder, load_image_encoder
from backend.weights import EMBEDDED

ADAPTER = "ip_adapter/ip_adapter.safetensors"  # of the embedded prior
PUBLIC = "ip-adapter_sd15.safetensors"  # the one that is taken from a folder of several


class UNetWithImages(torch.nn.Module):
    """A UNet with an IP-Adapter whose context carries the image's tokens behind the text's.

    So a context stays one tensor, and every score works with images as it does without.
    """

    def __init__(self, unet: Any, tokens: int) -> None:
        super().__init__()
        self.unet, self.tokens = unet, tokens
        # diffusers would project the embedding in every call; here it comes projected, once and for all.
        self.unet.encoder_hid_proj = torch.nn.Identity()

    @property
    def config(self) -> Any:
        """Return the UNet's."""
        return self.unet.config

    def forward(self, latents: torch.Tensor, steps: torch.Tensor, encoder_hidden_states: torch.Tensor) -> Any:
        """Return diffusers' output for a context [B, text + image tokens, width]."""
        text, image = encoder_hidden_states[:, : -self.tokens], encoder_hidden_states[:, -self.tokens :]
        return self.unet(latents, steps, encoder_hidden_states=text, added_cond_kwargs={"image_embeds": [image]})


@dataclass(frozen=True)
class ImagePrompt:
    """A prior that sees an image: `prior` takes contexts that `attach` made, in all that a prior does."""

    prior: Prior
    encoder: ImageEncoder
    projection: Any  # diffusers' ImageProjection
    strength: float  # tau: 0 is text only, to the bit

    @torch.no_grad()
    def see(self, images: torch.Tensor) -> torch.Tensor:
        """Return the tokens [B, 4, width] of sRGB images [B, H, W, 3] in [0, 1]; do it once for each image."""
        weight = next(self.projection.parameters())
        return self.projection(self.encoder(images).to(weight)).float()

    @torch.no_grad()
    def see_nothing(self) -> torch.Tensor:
        """Return the tokens [1, 4, width] of no image: an embedding of zeros, as the IP-Adapter was trained with."""
        weight = next(self.projection.parameters())
        return self.projection(weight.new_zeros(1, self.encoder.width)).float()

    def attach(self, context: torch.Tensor, tokens: torch.Tensor | None) -> torch.Tensor:
        """Return the context [B, T + 4, width] of a text's [B, T, width] and an image's tokens (None: no image)."""
        tokens = self.see_nothing() if tokens is None else tokens
        return torch.cat([context, tokens.to(context).expand(len(context), -1, -1)], dim=1)

    def with_strength(self, strength: float) -> ImagePrompt:
        """Return the same with another tau. Source: TV-3DG (arXiv 2410.21299), eq. 15."""
        network = twin(self.prior.unet)
        for module in network.modules():
            if hasattr(module, "to_k_ip"):
                module.scale = [strength]
        return replace(self, prior=replace(self.prior, unet=network), strength=strength)


def load_image_prompt(prior: Prior, name: str, strength: float = 0.5) -> ImagePrompt:
    """Load an IP-Adapter and its image encoder onto a twin of a prior's UNet.

    `name` is `embedded`, or a safetensors file or its folder in the layout of the public IP-Adapter, with
    `image_encoder/` in it or beside it. Raises MissingModel, BadInput where it was made for another prior.
    """
    from diffusers.loaders import IPAdapterMixin

    file = _adapter_file(name)
    shapes = _shapes(file)
    width = prior.unet.config.cross_attention_dim
    projection = shapes.get("image_proj.proj.weight")
    if projection is None:
        raise BadInput(
            f"{file.name} is no plain IP-Adapter.", f"Take {PUBLIC}, not one of its `plus` or face variants."
        )
    keys = shapes.get("ip_adapter.1.to_k_ip.weight", [0, 0])
    if keys[-1] != width:
        raise BadInput(
            f"{file.name} was made for text of width {keys[-1]}, and this prior's has {width}.",
            "Take the adapter that belongs to the prior.",
        )
    encoder = load_image_encoder(_encoder_folder(file), "cpu")  # it sees one image, once, and the public one is large
    if encoder.width != projection[1]:
        raise BadInput(
            f"{file.name} takes embeddings of {projection[1]} numbers, and the image encoder gives {encoder.width}.",
            "Take the image encoder that lies with the adapter.",
        )
    unet = twin(prior.unet)

    class Adaptable(IPAdapterMixin):  # what diffusers' pipelines do, without the rest of a pipeline
        pass

    adaptable: Any = Adaptable()
    adaptable.unet = unet
    make_single(unet)
    adaptable.load_ip_adapter(file.parent, subfolder="", weight_name=file.name, local_files_only=True)
    if prior.takes_views:
        make_joint(unet)
    layer = unet.encoder_hid_proj.image_projection_layers[0].requires_grad_(False).eval()
    network = UNetWithImages(unet, layer.num_image_text_embeds).requires_grad_(False).eval()
    prompt = ImagePrompt(replace(prior, unet=network), encoder, layer, 1.0)
    return prompt.with_strength(strength)


def sample_with_image(
    prompt: ImagePrompt,
    prompts: Sequence[str],
    images: torch.Tensor,
    *,
    steps: int = 50,
    scale: float = 4.0,
    generator: torch.Generator,
    cameras: Cameras | None = None,
    negative_prompt: str = "",
) -> torch.Tensor:
    """Return one image [B, H, W, 3] for each prompt and each image [B or 1, H, W, 3]; else as `sampling.sample`."""
    prior = prompt.prior
    conditional = prompt.attach(prior.embed(prompts, cameras), prompt.see(images))
    unconditional = prompt.attach(prior.embed([negative_prompt] * len(prompts)), None)
    latents = noise_for(prior, len(prompts), generator)
    return prior.decode(
        denoise(prior.predict_noise, latents, prior.alphas, conditional, unconditional, steps=steps, scale=scale)
    )


def perturb(prior: Prior, layers: Sequence[str]) -> PredictPerturbed:
    """Return a function (latents, t, context) -> (noise, perturbed noise), both fp32 [B, C, h, w].

    In the second, the self-attention of the layers whose names start so looks at each place alone: to_out(to_v(x)).
    Without layers both are the same. Raises ValueError for a layer that the UNet has not.
    Source: Ahn et al., Self-Rectifying Diffusion Sampling with Perturbed-Attention Guidance, 2024; TV-3DG, eq. 16-17.
    """
    from diffusers.models.attention_processor import PAGIdentitySelfAttnProcessor2_0

    def plain(latents: torch.Tensor, t: int, context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        noise = prior.predict_noise(latents, t, context)
        return noise, noise

    if not layers:
        return plain
    network = twin(prior.unet)
    attentions = {n.removeprefix("unet."): m for n, m in network.named_modules() if n.endswith(".attn1")}
    for layer in layers:
        chosen = [module for name, module in attentions.items() if f"{name}.".startswith(f"{layer}.")]
        if not chosen:
            raise ValueError(f"no self-attention lies in {layer!r}; there is {', '.join(attentions)}")
        for module in chosen:  # after an IP-Adapter, which sets the processors of all layers
            processor = PAGIdentitySelfAttnProcessor2_0()
            joint = isinstance(module.processor, JointSelfAttention)
            module.set_processor(JointSelfAttention(processor) if joint else processor)
    if prior.tell_uncompiled is not None:
        compile_network(network, prior.tell_uncompiled)
    perturbed = replace(prior, unet=network, most_together=0)  # a pair is not to be parted

    def predict(latents: torch.Tensor, t: int, context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if 0 < prior.most_together < len(latents) and context.ndim == 3:
            parts = zip(latents.split(prior.most_together), context.split(prior.most_together), strict=True)
            noises, others = zip(*(predict(some, t, said) for some, said in parts), strict=True)
            return torch.cat(noises), torch.cat(others)
        both = perturbed.predict_noise(torch.cat([latents, latents]), t, torch.cat([context, context]))
        noise, without_structure = both.chunk(2)
        return noise, without_structure

    return predict


def twin(network: Any) -> Any:
    """Return a copy of a network that shares all its tensors, but whose modules can be changed."""
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    return copy.deepcopy(network, shared)


def _adapter_file(name: str) -> Path:
    path = EMBEDDED / ADAPTER if name == "embedded" else Path(name)
    if path.is_dir():
        files = sorted(path.glob("*.safetensors"))
        path = path / PUBLIC if len(files) != 1 else files[0]
    if not path.is_file() or path.suffix != ".safetensors":
        raise MissingModel(
            f"There is no IP-Adapter: {path} is missing.", "docs/companions.md says how its folder looks."
        )
    return path


def _encoder_folder(file: Path) -> str:
    inside, beside = file.parent / "image_encoder", file.parent.parent / "image_encoder"
    return str(inside if inside.is_dir() else beside)


def _shapes(file: Path) -> dict[str, list[int]]:
    with safe_open(file, framework="pt") as opened:
        return {key: opened.get_slice(key).get_shape() for key in opened.keys()}
