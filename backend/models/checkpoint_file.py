"""Turns a single-file checkpoint of Stable Diffusion 1.x into a folder in diffusers' format, without a network.

The networks are converted by diffusers; their configurations are read off the tensors' shapes and written here, and
CLIP's tokenizer comes along (its merges, of OpenAI's CLIP, MIT).
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file

from backend.errors import BadInput

UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer."
FIRST_LAYER = f"{UNET}input_blocks.0.0.weight"
TEXT_WIDTH = f"{UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
MERGES = Path(__file__).with_name("clip_merges.txt.xz")
START, END = "<|startoftext|>", "<|endoftext|>"
CONVERT = "Convert it to a folder in diffusers' format, which `models import FOLDER` takes, or take a 1.x checkpoint."


def shapes_in(path: Path) -> dict[str, list[int]]:
    """Return the shapes of the tensors of a safetensors file by name. Raises BadInput for a damaged one."""
    try:
        with safe_open(path, framework="pt") as opened:
            return {key: opened.get_slice(key).get_shape() for key in opened.keys()}
    except Exception as error:
        raise BadInput(f"{path} is no whole safetensors file: {error}.", "Copy or fetch it again.") from error


def convert(path: Path, folder: Path, shapes: dict[str, list[int]]) -> None:
    """Write what a checkpoint holds as networks, tokenizer and scheduler below a folder. Raises BadInput."""
    _expect_first_version(path, shapes)
    from diffusers import AutoencoderKL, UNet2DConditionModel

    written = {
        "unet/config.json": _unet(shapes), "vae/config.json": _vae(shapes), "text_encoder/config.json": _text(shapes),
        "scheduler/scheduler_config.json": _scheduler(), "model_index.json": _index(),
    }  # fmt: skip
    for name, content in written.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content, indent=1), encoding="utf-8")
    write_tokenizer(folder / "tokenizer")
    dtype = _dtype(path)
    for part, network in (("unet", UNet2DConditionModel), ("vae", AutoencoderKL)):
        made: Any = network.from_single_file(
            str(path), config=str(folder), subfolder=part, local_files_only=True, torch_dtype=dtype
        )
        made.save_pretrained(folder / part)
        del made  # before the next one is read
    with safe_open(path, framework="pt") as opened:
        text = {name.removeprefix(TEXT): opened.get_tensor(name).contiguous() for name in shapes if _is_text(name)}
    save_file(text, folder / "text_encoder" / "model.safetensors", metadata={"format": "pt"})


def write_tokenizer(folder: Path) -> None:
    """Write CLIP's tokenizer in transformers' format."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    merges = lzma.decompress(MERGES.read_bytes()).decode("utf-8").splitlines()
    letters = list(bytes_to_unicode().values())
    words = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        *(pair.replace(" ", "") for pair in merges),
        START,
        END,
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")
    says = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "bos_token": START, "eos_token": END,
            "unk_token": END, "pad_token": END}  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(says, indent=1), encoding="utf-8")


def _expect_first_version(path: Path, shapes: dict[str, list[int]]) -> None:
    """Raise BadInput for another architecture than that of Stable Diffusion 1.x, by name where it is known."""
    if any(name.startswith("conditioner.embedders.") for name in shapes):
        raise BadInput(f"{path.name} is a checkpoint of Stable Diffusion XL, which no system here can use.", CONVERT)
    if any(name.startswith("cond_stage_model.model.") for name in shapes):
        raise BadInput(f"{path.name} is a checkpoint of Stable Diffusion 2.x, which is only read as a folder.", CONVERT)
    for prefix, what in ((UNET, "denoiser"), (VAE, "autoencoder"), (TEXT, "text encoder")):
        if not any(name.startswith(prefix) for name in shapes):
            raise BadInput(f"{path.name} is no checkpoint of Stable Diffusion 1.x: it holds no {what}.", CONVERT)
    if FIRST_LAYER not in shapes or TEXT_WIDTH not in shapes or shapes[FIRST_LAYER][1] != 4:
        channels = shapes.get(FIRST_LAYER, [0, 0])[1]
        raise BadInput(f"{path.name} takes {channels} channels, and a base takes 4: it is one for inpainting.", CONVERT)


def _is_text(name: str) -> bool:
    return name.startswith(TEXT) and not name.endswith("position_ids")


def _dtype(path: Path) -> Any:
    with safe_open(path, framework="pt") as opened:
        return opened.get_tensor(f"{UNET}out.2.bias").dtype


def _unet(shapes: dict[str, list[int]]) -> dict[str, Any]:
    width = shapes[FIRST_LAYER][0]
    return {
        "_class_name": "UNet2DConditionModel", "sample_size": 64, "in_channels": 4, "out_channels": 4,
        "layers_per_block": 2, "block_out_channels": [width, 2 * width, 4 * width, 4 * width],
        "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
        "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3], "attention_head_dim": 8,
        "cross_attention_dim": shapes[TEXT_WIDTH][1], "norm_num_groups": 32 if width % 32 == 0 else 16,
    }  # fmt: skip


def _vae(shapes: dict[str, list[int]]) -> dict[str, Any]:
    width = shapes[f"{VAE}encoder.conv_in.weight"][0]
    return {
        "_class_name": "AutoencoderKL", "block_out_channels": [width, 2 * width, 4 * width, 4 * width],
        "layers_per_block": 2, "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4, "latent_channels": 4, "sample_size": 512,
        "norm_num_groups": 32 if width % 32 == 0 and width >= 128 else 8, "scaling_factor": 0.18215,
    }  # fmt: skip


def _text(shapes: dict[str, list[int]]) -> dict[str, Any]:
    words, width = shapes[f"{TEXT}text_model.embeddings.token_embedding.weight"]
    layers = {
        name.split(".layers.")[1].split(".")[0] for name in shapes if name.startswith(TEXT) and ".layers." in name
    }
    return {
        "architectures": ["CLIPTextModel"], "model_type": "clip_text_model", "vocab_size": words, "hidden_size": width,
        "intermediate_size": 4 * width, "num_hidden_layers": len(layers), "num_attention_heads": 12,
        "max_position_embeddings": 77, "hidden_act": "quick_gelu", "bos_token_id": words - 2,
        "eos_token_id": words - 1, "pad_token_id": 1,
    }  # fmt: skip


def _scheduler() -> dict[str, Any]:
    return {
        "_class_name": "DDIMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
        "num_train_timesteps": 1000, "set_alpha_to_one": False, "steps_offset": 1, "clip_sample": False,
    }  # fmt: skip


def _index() -> dict[str, Any]:
    return {
        "_class_name": "StableDiffusionPipeline", "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
    }  # fmt: skip
