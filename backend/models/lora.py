"""Low-rank changes that an artist brings (LoRA): added to the weights of a base, as strongly as its record says."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.errors import BadInput

LORA_FILE = "lora.safetensors"
MARKS = ("lora_up", "lora_down", "lora_A.", "lora_B.", "lora.up", "lora.down")  # in the names of its tensors


def is_lora(names: list[str]) -> bool:
    """Say whether tensors of these names are a LoRA, of diffusers, peft or kohya."""
    return any(mark in name for name in names for mark in MARKS)


def with_lora(prior: Any, file: Path, strength: float) -> Any:
    """Return a freshly loaded `Prior` with the changes of a file added to its networks, which it keeps.

    Raises BadInput for changes that belong to another architecture.
    """
    from diffusers import DDIMScheduler, StableDiffusionPipeline
    from safetensors import safe_open

    before = {name: value.dtype for name, value in prior.unet.state_dict().items()}
    build: Any = StableDiffusionPipeline  # whose annotations do not say that parts may be left out
    pipe = build(
        vae=prior.autoencoder, text_encoder=prior.text_encoder, tokenizer=prior.tokenizer, unet=prior.unet,
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip
    try:
        pipe.load_lora_weights(str(file.parent), weight_name=file.name, local_files_only=True)
        if not pipe.get_active_adapters():
            raise ValueError("none of its tensors has a place in the networks")
    except (ValueError, RuntimeError, KeyError) as error:
        said = str(error).splitlines()[0][:160]
        raise BadInput(
            f"The LoRA {file.name} does not fit its base: {said}", "It belongs to another base, such as SDXL."
        ) from error
    pipe.fuse_lora(lora_scale=strength)
    pipe.unload_lora_weights()
    prior.unet.to(next(iter(before.values())))
    for network in (prior.unet, prior.text_encoder):
        network.requires_grad_(False).eval()
    with safe_open(file, framework="pt") as opened:
        names = ",".join(sorted(opened.keys()))
    digest = hashlib.sha256(f"{prior.fingerprint}:{strength!r}:{names}:".encode() + file.read_bytes())
    return replace(prior, fingerprint=digest.hexdigest())
