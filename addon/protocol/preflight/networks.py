"""What one picture costs in a diffusion model's networks, from their config.json files: floating-point operations.

Counted are convolutions, linear layers and attention, a multiplication and an addition as two operations; the rest is
some percent of that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

GIGA = 10**9
CLIP_WORDS = 77  # tokens that a text encoder reads, where its config does not say
# Stable Diffusion 1.5, for whoever asks before it is fetched: diffusers' defaults for the rest.
STABLE_DIFFUSION: dict[str, Mapping[str, Any]] = {
    "unet": {
        "block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 768, "sample_size": 64,
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    },
    "vae": {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2},
    "text_encoder": {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12},
}  # fmt: skip

# TAESD's, which is the small encoder of Stable Diffusion: diffusers' defaults.
TAESD = {"encoder_block_out_channels": (64,) * 4, "num_encoder_blocks": (1, 3, 3, 3), "latent_channels": 4}


def unet_gflop(config: Mapping[str, Any], tokens: int) -> float:
    """Return the gigaoperations of a UNet2DConditionModel for one picture under a context of so many tokens."""
    widths, layers = config["block_out_channels"], _each(config.get("layers_per_block", 2), config)
    depths, told = _each(config.get("transformer_layers_per_block", 1), config), config.get("cross_attention_dim", 1280)
    last, side = len(widths) - 1, config["sample_size"]

    def block(cin: int, cout: int, level: int, attends: bool) -> float:
        places = (side >> level) ** 2
        return resnet(cin, cout, places) + (depths[level] * transformer(cout, places, tokens, told) if attends else 0)

    channels, skips = widths[0], [widths[0]]
    total = conv(config.get("in_channels", 4), channels, side**2)
    for level, (kind, width) in enumerate(zip(config["down_block_types"], widths, strict=True)):
        for _ in range(layers[level]):
            total += block(channels, width, level, "CrossAttn" in kind)
            channels = width
            skips.append(width)
        if level < last:
            total += conv(width, width, (side >> (level + 1)) ** 2)
            skips.append(width)
    total += block(channels, channels, last, True) + resnet(channels, channels, (side >> last) ** 2)
    for kind, level in zip(config["up_block_types"], range(last, -1, -1), strict=True):
        for _ in range(layers[level] + 1):
            total += block(channels + skips.pop(), widths[level], level, "CrossAttn" in kind)
            channels = widths[level]
        if level:
            total += conv(channels, channels, (side >> (level - 1)) ** 2)
    return (total + conv(widths[0], config.get("out_channels", 4), side**2)) / GIGA


def outer_gflop(config: Mapping[str, Any], tokens: int) -> float:
    """Return the gigaoperations of its outermost blocks alone, those of full resolution on the way down and up."""
    width, below = config["block_out_channels"][:2]
    places, layers = config["sample_size"] ** 2, _each(config.get("layers_per_block", 2), config)[0]
    depth = _each(config.get("transformer_layers_per_block", 1), config)[0]
    attention = depth * transformer(width, places, tokens, config.get("cross_attention_dim", 1280))
    total = conv(config.get("in_channels", 4), width, places) + conv(width, config.get("out_channels", 4), places)
    total += layers * (resnet(width, width, places) + ("CrossAttn" in config["down_block_types"][0]) * attention)
    total += conv(width, width, places // 4)
    for cin in (below, *[width] * layers):
        total += resnet(cin + width, width, places) + ("CrossAttn" in config["up_block_types"][-1]) * attention
    return total / GIGA


def encoder_gflop(config: Mapping[str, Any], pixels: int) -> float:
    """Return the gigaoperations of an autoencoder's encoder, forward, for one picture of so many pixels a side."""
    return _autoencoder(config, pixels, config.get("layers_per_block", 1), 2 * config.get("latent_channels", 4))


def tiny_encoder_gflop(config: Mapping[str, Any], pixels: int) -> float:
    """Return the gigaoperations of an AutoencoderTiny's encoder, forward, for one picture of so many pixels a side."""
    widths, blocks = config["encoder_block_out_channels"], config["num_encoder_blocks"]
    total, channels = 0.0, 3
    for level, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        places = (pixels >> level) ** 2
        total += conv(channels, width, places) + 3 * count * conv(width, width, places)
        channels = width
    return (total + conv(channels, config["latent_channels"], (pixels >> (len(widths) - 1)) ** 2)) / GIGA


def decoder_gflop(config: Mapping[str, Any], pixels: int) -> float:
    """Return the gigaoperations of its decoder, which has a layer more in each block."""
    return _autoencoder(config, pixels, config.get("layers_per_block", 1) + 1, config.get("latent_channels", 4))


def text_gflop(config: Mapping[str, Any]) -> float:
    """Return the gigaoperations of a CLIP text encoder for one prompt, as long as it reads."""
    tokens, width = config.get("max_position_embeddings", CLIP_WORDS), config["hidden_size"]
    layer = 2 * tokens * width * (4 * width + 2 * config["intermediate_size"]) + 4 * tokens**2 * width
    return config["num_hidden_layers"] * layer / GIGA


def image_size(unet: Mapping[str, Any], autoencoder: Mapping[str, Any]) -> int:
    """Return the pixels along a side of the pictures that a model draws."""
    return unet["sample_size"] << (len(autoencoder["block_out_channels"]) - 1)


def conv(cin: int, cout: int, places: int, kernel: int = 3) -> float:
    """Return the operations of a convolution with so many places in its output."""
    return 2 * cin * cout * kernel**2 * places


def resnet(cin: int, cout: int, places: int) -> float:
    """Return the operations of two convolutions with a way around them."""
    return conv(cin, cout, places) + conv(cout, cout, places) + (conv(cin, cout, places, 1) if cin != cout else 0)


def transformer(width: int, places: int, tokens: int, told: int) -> float:
    """Return the operations of a layer that looks around (self), at what is told (cross), and then at each place."""
    around = 4 * conv(width, width, places, 1) + 4 * places**2 * width
    words = 2 * conv(width, width, places, 1) + 2 * conv(told, width, tokens, 1) + 4 * places * tokens * width
    return around + words + conv(width, 12 * width, places, 1) + 2 * conv(width, width, places, 1)


def _autoencoder(config: Mapping[str, Any], pixels: int, layers: int, latents: int) -> float:
    """An encoder down, or a decoder up: the same widths with places that halve from one to the next."""
    widths, bottom = config["block_out_channels"], pixels >> (len(config["block_out_channels"]) - 1)
    down = layers == config.get("layers_per_block", 1)
    order: Sequence[int] = range(len(widths)) if down else range(len(widths) - 1, -1, -1)
    channels, total = (widths[0], 0.0) if down else (widths[-1], 0.0)
    for number, level in enumerate(order):
        for _ in range(layers):
            total += resnet(channels, widths[level], (pixels >> level) ** 2)
            channels = widths[level]
        if number < len(widths) - 1:
            total += conv(channels, channels, (pixels >> (level + 1 if down else level - 1)) ** 2)
    middle = 2 * resnet(widths[-1], widths[-1], bottom**2)
    if config.get("mid_block_add_attention", True):
        middle += 4 * conv(widths[-1], widths[-1], bottom**2, 1) + 4 * bottom**4 * widths[-1]
    ends = conv(3, widths[0], pixels**2) + conv(widths[-1], latents, bottom**2)
    return (total + middle + ends) / GIGA


def _each(value: int | Sequence[int], config: Mapping[str, Any]) -> list[int]:
    count = len(config["block_out_channels"])
    return [value] * count if isinstance(value, int) else list(value)
