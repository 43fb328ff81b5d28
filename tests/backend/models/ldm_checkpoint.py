"""Writes what a folder in diffusers' format holds as a single-file checkpoint in the names of latent diffusion."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip
TOP = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0", "conv_out": "out.2",
}  # fmt: skip
ATTENTION = {"query": "q", "key": "k", "value": "v", "proj_attn": "proj_out", "to_q": "q", "to_k": "k", "to_v": "v",
             "to_out.0": "proj_out", "group_norm": "norm"}  # fmt: skip


def write_checkpoint(folder: Path, file: Path, dtype: torch.dtype = torch.float16) -> dict[str, torch.Tensor]:
    """Write networks with two layers in each of four blocks, and return their tensors."""
    tensors: dict[str, torch.Tensor] = {}
    for name, value in load_file(folder / "unet" / "diffusion_pytorch_model.safetensors").items():
        tensors[f"model.diffusion_model.{_unet_name(name)}"] = value
    for name, value in load_file(folder / "vae" / "diffusion_pytorch_model.safetensors").items():
        new = _vae_name(name)
        is_linear = ".attn_1." in new and value.ndim == 2
        tensors[f"first_stage_model.{new}"] = value[:, :, None, None] if is_linear else value
    for name, value in load_file(folder / "text_encoder" / "model.safetensors").items():
        tensors[f"cond_stage_model.transformer.{name}"] = value
    tensors = {k: v.to(dtype).contiguous() if v.is_floating_point() else v for k, v in tensors.items()}
    save_file(tensors, file)
    return tensors


def _unet_name(name: str) -> str:
    for old, new in TOP.items():
        if name.startswith(f"{old}."):
            return name.replace(old, new, 1)
    if found := re.match(r"(down|up)_blocks\.(\d)\.(resnets|attentions|downsamplers|upsamplers)\.(\d)\.(.*)", name):
        side, block, kind, number, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
        if kind == "downsamplers":
            return f"input_blocks.{3 * (block + 1)}.0.{rest.replace('conv.', 'op.')}"
        if kind == "upsamplers":
            return f"output_blocks.{3 * block + 2}.{1 if block == 0 else 2}.{rest}"
        place = f"input_blocks.{3 * block + number + 1}" if side == "down" else f"output_blocks.{3 * block + number}"
        return f"{place}.{1 if kind == 'attentions' else 0}.{_resnet(rest) if kind == 'resnets' else rest}"
    found = re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", name)
    assert found, name
    if found[1] == "attentions":
        return f"middle_block.1.{found[3]}"
    return f"middle_block.{2 * int(found[2])}.{_resnet(found[3])}"


def _resnet(rest: str) -> str:
    first, _, last = rest.partition(".")
    return f"{RESNET[first]}.{last}"


def _vae_name(name: str) -> str:
    name = name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    if "mid_block.attentions.0." in name:
        name = name.replace("mid_block.attentions.0.", "mid.attn_1.")
        for old, new in ATTENTION.items():
            name = name.replace(f".{old}.", f".{new}.")
        return name
    name = re.sub(r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"up.{3 - int(m[1])}.block.{m[2]}", name)
    return re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{3 - int(m[1])}.upsample", name)
