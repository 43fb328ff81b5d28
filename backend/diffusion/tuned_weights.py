"""A taught prior as files that stock diffusers loads, and back.

All weights: the folders `unet` (and `text_encoder`), for `from_pretrained`. A LoRA: `pytorch_lora_weights.safetensors`,
for `load_lora_weights`.
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from backend.diffusion.denoiser import Prior
from backend.diffusion.finetune import Finetuning
from backend.diffusion.image_prompt import twin
from backend.diffusion.joint_attention import make_joint, make_single
from backend.errors import BadInput, MissingModel
from backend.weights import fingerprint

LORA = "pytorch_lora_weights.safetensors"


def save_tuned(folder: Path, tuning: Finetuning) -> None:
    """Write what was learnt in half precision: a LoRA, or whole networks."""
    folder.mkdir(parents=True, exist_ok=True)
    prior, taught = tuning.prior, tuning.options
    if not taught.rank:
        copy.deepcopy(prior.unet).half().save_pretrained(folder / "unet")
        if taught.text_encoder:
            copy.deepcopy(prior.text_encoder).half().save_pretrained(folder / "text_encoder")
        return
    from diffusers import StableDiffusionPipeline

    layers: dict[str, Any] = {"unet_lora_layers": _changes(prior.unet)}
    if taught.text_encoder:
        layers["text_encoder_lora_layers"] = _changes(prior.text_encoder)
    StableDiffusionPipeline.save_lora_weights(folder, **layers)


def load_tuned(prior: Prior, folder: Path) -> Prior:
    """Return a prior with what `save_tuned` wrote; its fingerprint is of both. Raises MissingModel, BadInput.

    Beside a LoRA it shares all weights that the LoRA does not change.
    """
    mark = hashlib.sha256((prior.fingerprint + fingerprint(folder)).encode()).hexdigest()
    if (folder / "unet").is_dir():
        parts: dict[str, Any] = {"unet": _whole(prior.unet, folder / "unet")}
        if (folder / "text_encoder").is_dir():
            parts["text_encoder"] = _whole(prior.text_encoder, folder / "text_encoder")
        return replace(prior, fingerprint=mark, **parts)
    if not (folder / LORA).is_file():
        raise MissingModel(f"{folder} holds no taught prior.", f"It needs a folder unet, or {LORA}.")
    from diffusers import StableDiffusionPipeline

    absent: Any = None
    pipe: Any = StableDiffusionPipeline(
        vae=prior.autoencoder, text_encoder=twin(prior.text_encoder), tokenizer=prior.tokenizer,
        unet=twin(prior.unet), scheduler=absent, safety_checker=absent, feature_extractor=absent,
        requires_safety_checker=False,
    )  # fmt: skip
    make_single(pipe.unet)  # diffusers knows its own processors alone
    pipe.load_lora_weights(folder, local_files_only=True, use_safetensors=True)
    _part_changed(pipe.unet)
    _part_changed(pipe.text_encoder)
    pipe.fuse_lora()
    pipe.unload_lora_weights()
    if prior.takes_views:
        make_joint(pipe.unet)
    return replace(
        prior, fingerprint=mark, unet=pipe.unet.requires_grad_(False).eval(),
        text_encoder=pipe.text_encoder.requires_grad_(False).eval(),
    )  # fmt: skip


def _part_changed(network: Any) -> None:
    """Give the layers that a loaded LoRA changes weights of their own; the others stay shared."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for layer in network.modules():
        if isinstance(layer, BaseTunerLayer):
            base: Any = layer.get_base_layer()
            for name, value in list(base.named_parameters(recurse=False)):
                setattr(base, name, torch.nn.Parameter(value.detach().clone(), requires_grad=False))


def _changes(network: Any) -> dict[str, torch.Tensor]:
    from diffusers.utils.state_dict_utils import convert_state_dict_to_diffusers
    from peft.utils import get_peft_model_state_dict

    # Else peft asks the hub whether the words' embedding has grown.
    changes = convert_state_dict_to_diffusers(get_peft_model_state_dict(network, save_embedding_layers=False))
    return {name: value.detach().half() for name, value in changes.items()}


def _whole(network: Any, folder: Path) -> Any:
    """Return a copy of a network with the weights in a folder; its config.json, which may be a stranger's, is not read.

    Raises MissingModel for other than one file of weights, BadInput where they are of another network.
    """
    files = sorted(folder.glob("*.safetensors"))
    if len(files) != 1:
        raise MissingModel(f"{folder} holds {len(files)} safetensors files, not one.", "Teach the subject anew.")
    with safe_open(files[0], framework="pt") as opened:
        shapes = {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}
        wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
        if shapes != wanted:
            raise BadInput(f"The weights in {folder} are of another network than the prior's.", "Teach it anew.")
        copied = copy.deepcopy(network)
        copied.load_state_dict({name: opened.get_tensor(name) for name in shapes})
    return copied.requires_grad_(False).eval()
