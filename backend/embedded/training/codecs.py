"""The second generation's autoencoders: stock diffusers classes; the first four channels are the first generation's."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# diffusers annotates its defaults, not what it takes.
from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny

WIDTHS = (16, 32, 64, 64)
NOISE = 0.05  # deviation that a stock pipeline adds where it samples latents; training adds the same


def new_kl(channels: int) -> AutoencoderKL:
    """Return an untrained AutoencoderKL of the first generation's widths with `channels` latent channels."""
    return AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=channels, sample_size=128, layers_per_block=1,
        norm_num_groups=8, down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=WIDTHS, mid_block_add_attention=False, scaling_factor=1.0,
    )  # fmt: skip


def new_tiny(channels: int, width: int = 32, encoder_blocks: tuple[int, ...] = (0, 1, 2, 2)) -> AutoencoderTiny:
    """Return an untrained AutoencoderTiny: no normalisation, ReLU; few of its encoder's blocks see many pixels."""
    return AutoencoderTiny(
        encoder_block_out_channels=(width,) * 4, decoder_block_out_channels=(width,) * 4, latent_channels=channels,
        num_encoder_blocks=encoder_blocks,
    )  # fmt: skip


@torch.no_grad()
def widened_kl(first: AutoencoderKL, channels: int) -> AutoencoderKL:
    """Return an AutoencoderKL of `channels` that rebuilds what `first`, of fewer, does, and begins with its latents.

    The new channels are read at random and not heard by the decoder until they are trained.
    """
    autoencoder, old = new_kl(channels), first.config.latent_channels
    state, given = autoencoder.state_dict(), first.state_dict()
    for name, value in given.items():
        if state[name].shape == value.shape:
            state[name] = value.clone()
    for name, means in (("encoder.conv_out", True), ("quant_conv", True), ("post_quant_conv", False)):
        weight, bias = torch.zeros_like(state[f"{name}.weight"]), torch.zeros_like(state[f"{name}.bias"])
        source = slice(0, old)  # the means; the logarithms of variances behind them are given anew
        inputs = given[f"{name}.weight"].shape[1]
        weight[source, :inputs], bias[source] = given[f"{name}.weight"][source], given[f"{name}.bias"][source]
        if name == "quant_conv":  # [2 C] of means and variances that the first one mixed
            weight[source], bias[source] = 0, given["quant_conv.bias"][source]
            weight[source, :old] = given["quant_conv.weight"][source, :old]
            weight[source, channels : channels + old] = given["quant_conv.weight"][source, old:]
            weight[range(old, channels), range(old, channels)] = 1
        elif name == "encoder.conv_out":
            weight[channels : channels + old] = given["encoder.conv_out.weight"][old:]
            bias[channels : channels + old] = given["encoder.conv_out.bias"][old:]
            fresh = torch.randn_like(weight[old:channels])
            weight[old:channels] = fresh / inputs**0.5 / 3  # kernels of 3 by 3
        else:
            weight[range(old, channels), range(old, channels)] = 1
        if means:
            assert weight.shape[0] == 2 * channels
        state[f"{name}.weight"], state[f"{name}.bias"] = weight, bias
    into = torch.zeros_like(state["decoder.conv_in.weight"])
    into[:, :old] = given["decoder.conv_in.weight"]
    state["decoder.conv_in.weight"] = into
    autoencoder.load_state_dict(state)
    settle_variance(autoencoder)
    return autoencoder


@torch.no_grad()
def settle_variance(autoencoder: AutoencoderKL) -> None:
    """Give every latent the same small variance, which is what training tells the decoder to expect."""
    channels, readout = autoencoder.config.latent_channels, autoencoder.quant_conv
    assert readout is not None and readout.bias is not None
    readout.weight[channels:] = 0
    readout.bias[channels:] = 2 * torch.tensor(NOISE).log()


def encode(autoencoder: Any, images: torch.Tensor) -> torch.Tensor:
    """Return latents [B, C, h, w] of images [B, 3, H, W] in [-1, 1], the most likely ones, differentiably."""
    encoded = autoencoder.encode(images)
    return encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents


def decode(autoencoder: Any, latents: torch.Tensor) -> torch.Tensor:
    """Return images [B, 3, H, W] in about [-1, 1] of latents [B, C, h, w], differentiably."""
    return autoencoder.decode(latents).sample


def load_codec(folder: Path) -> AutoencoderKL | AutoencoderTiny:
    """Return the autoencoder of a folder in diffusers' format, in fp32."""
    name = json.loads((folder / "config.json").read_text())["_class_name"]
    kind = {"AutoencoderKL": AutoencoderKL, "AutoencoderTiny": AutoencoderTiny}[name]
    return kind.from_pretrained(folder, torch_dtype=torch.float32, local_files_only=True)


def export_codec(codec: Any, folder: Path) -> None:
    """Write an autoencoder in diffusers' format, in fp16; `codec` stays as it is."""
    copied = copy.deepcopy(codec).cpu().half()
    copied.save_pretrained(folder)
    if isinstance(codec, AutoencoderTiny):  # diffusers writes a number that it does not read, and warns of it
        config = json.loads((folder / "config.json").read_text())
        config.pop("block_out_channels", None)
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def fingerprint(codec: Any) -> str:
    """Return eight hexadecimal digits that tell one autoencoder's latents from another's."""
    digest = hashlib.sha256()
    for name, value in sorted(codec.state_dict().items()):
        if "decoder" not in name and "post_quant" not in name:
            digest.update(name.encode() + value.detach().half().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:8]
