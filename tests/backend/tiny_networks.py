"""Writes tiny random networks in the layouts of the public ones, for the loaders to load."""

# pyright: reportArgumentType=false, reportCallIssue=false
# diffusers and transformers annotate their defaults, not what they take.
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

SIZE = 32  # pixels


def write_image_encoder(folder: Path, projection: int = 160) -> Any:
    """Write a CLIP vision tower with its processor, and return it in fp32."""
    from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    config = CLIPVisionConfig(**vision_numbers(), projection_dim=projection)
    network = CLIPVisionModelWithProjection(config).eval()
    network.save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}).save_pretrained(
        folder
    )
    return network


def vision_numbers() -> dict[str, Any]:
    """Return the sizes of a vision transformer of one layer."""
    return {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
        "image_size": SIZE, "patch_size": 8,
    }  # fmt: skip


def write_clip(folder: Path, tokenizer: Any) -> Any:
    """Write a whole CLIP with its tokenizer, and return it in fp32."""
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    torch.manual_seed(1)
    text = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
        "vocab_size": len(tokenizer), "max_position_embeddings": 32, "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    network = CLIPModel(CLIPConfig(text_config=text, vision_config=vision_numbers(), projection_dim=24)).eval()
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}).save_pretrained(
        folder
    )
    return network


def write_perception(folder: Path, fold: int = 2) -> Any:
    """Write a network of the embedded perception's layout, and return it in fp32."""
    from diffusers import UNet2DModel

    torch.manual_seed(2)
    network = UNet2DModel(
        sample_size=SIZE // fold, in_channels=3 * fold**2, out_channels=5 * fold**2, layers_per_block=1,
        block_out_channels=(8, 16), down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"), norm_num_groups=4, attention_head_dim=8,
    ).eval()  # fmt: skip
    network.save_pretrained(folder)
    return network


def write_ip_adapter(file: Path, unet: Any, embedding: int = 160, *, scale: float = 0.1) -> dict[str, torch.Tensor]:
    """Write random image-prompt layers for a UNet in IP-Adapter's public layout, and return them."""
    torch.manual_seed(3)
    width = unet.config.cross_attention_dim
    tensors = {
        "image_proj.proj.weight": scale * torch.randn(4 * width, embedding),
        "image_proj.proj.bias": torch.zeros(4 * width),
        "image_proj.norm.weight": torch.ones(width),
        "image_proj.norm.bias": torch.zeros(width),
    }
    for number, name in enumerate(unet.attn_processors):
        if name.endswith("attn2.processor"):
            attention = unet.get_submodule(name.removesuffix(".processor"))
            for kind in ("k", "v"):
                shape = getattr(attention, f"to_{kind}").weight.shape
                tensors[f"ip_adapter.{number}.to_{kind}_ip.weight"] = scale * torch.randn(shape)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, file)
    return tensors


def write_zero123_changes(folder: Path, unet: Any, embedding: int = 160, *, prefixed: bool = True) -> Any:
    """Write random low-rank changes and conditioning layers in the embedded layout; return what they make of a UNet.

    Some trainers of peft write its names with the prefix of PeftModel, some without.
    """
    import copy

    from diffusers import UNet2DConditionModel
    from peft import LoraConfig, PeftModel, get_peft_model_state_dict

    torch.manual_seed(4)
    wider: Any = UNet2DConditionModel.from_config(unet.config, in_channels=8)
    state = {key: value for key, value in unet.state_dict().items() if not key.startswith("conv_in.")}
    wider.load_state_dict(state, strict=False)
    conditioning = {f"conv_in.{key}": value.clone() for key, value in wider.conv_in.state_dict().items()}
    config = LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_v", "conv1"], init_lora_weights=False)
    adapted: Any = PeftModel(copy.deepcopy(wider), config)
    changes = get_peft_model_state_dict(adapted)
    prefix = "base_model.model."
    changes = {key if prefixed else key.removeprefix(prefix): value for key, value in changes.items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous() for key, value in changes.items()}, folder / "adapter_model.safetensors")
    values = {key: sorted(v) if isinstance(v, set) else v for key, v in config.to_dict().items()}
    (folder / "adapter_config.json").write_text(json.dumps(values, default=str))
    width = unet.config.cross_attention_dim
    conditioning["cc_projection.weight"] = 0.1 * torch.randn(width, embedding + 4)
    conditioning["cc_projection.bias"] = 0.1 * torch.randn(width)
    save_file(conditioning, folder / "conditioning.safetensors")
    return adapted.merge_and_unload().eval()


def write_depth_anything(folder: Path, kind: str = "relative") -> Any:
    """Write a Depth Anything with its processor, and return it."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    torch.manual_seed(5)
    stages = ["stage1", "stage2", "stage3", "stage4"]
    backbone = Dinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, mlp_ratio=2, image_size=28, patch_size=14,
        out_features=stages, reshape_hidden_states=False,
    )  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=16, patch_size=14, neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8, head_hidden_size=8, depth_estimation_type=kind, max_depth=20,
    )  # fmt: skip
    network: Any = DepthAnythingForDepthEstimation(config).eval()
    torch.nn.init.ones_(network.head.conv3.bias)  # before a ReLU that might be silent
    network.save_pretrained(folder)
    settings = {
        "size": {"height": 56, "width": 56}, "keep_aspect_ratio": True, "ensure_multiple_of": 14,
        "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225],
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return network


def write_marigold(folder: Path, tokenizer: Any, text_encoder: Any) -> None:
    """Write a Marigold normals pipeline with a text encoder of somebody else."""
    from diffusers import AutoencoderKL, DDIMScheduler, MarigoldNormalsPipeline, UNet2DConditionModel

    torch.manual_seed(6)
    numbers: dict[str, Any] = {"norm_num_groups": 4, "layers_per_block": 1}
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=8, out_channels=4, block_out_channels=(8, 16), attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=text_encoder.config.hidden_size, **numbers,
    )  # fmt: skip
    autoencoder = AutoencoderKL(
        block_out_channels=(8, 8, 8), down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3, latent_channels=4, sample_size=SIZE, **numbers,
    )  # fmt: skip
    MarigoldNormalsPipeline(
        unet=unet, vae=autoencoder, scheduler=DDIMScheduler(), text_encoder=text_encoder, tokenizer=tokenizer,
        prediction_type="normals", default_denoising_steps=2, default_processing_resolution=SIZE,
    ).save_pretrained(folder)  # fmt: skip


def write_sam(folder: Path) -> Any:
    """Write a Segment Anything model, and return it."""
    from transformers import SamConfig, SamMaskDecoderConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig

    torch.manual_seed(7)
    side = 2 * SIZE
    config = SamConfig(
        vision_config=SamVisionConfig(
            hidden_size=16, output_channels=8, num_hidden_layers=1, num_attention_heads=2, image_size=side,
            patch_size=8, window_size=0, global_attn_indexes=[0], num_pos_feats=4, mlp_dim=32,
        ),
        prompt_encoder_config=SamPromptEncoderConfig(
            hidden_size=8, image_size=side, patch_size=8, mask_input_channels=4
        ),
        mask_decoder_config=SamMaskDecoderConfig(
            hidden_size=8, mlp_dim=16, num_hidden_layers=1, num_attention_heads=2, iou_head_hidden_dim=8
        ),
    )  # fmt: skip
    network = SamModel(config).eval()
    network.save_pretrained(folder)
    return network


def write_features(folder: Path) -> Any:
    """Write a vision transformer in DINO's layout with its processor, and return it."""
    from transformers import CLIPImageProcessorPil, ViTConfig, ViTModel

    torch.manual_seed(8)
    network = ViTModel(ViTConfig(**vision_numbers()), add_pooling_layer=False).eval()
    network.save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}).save_pretrained(
        folder
    )
    return network


def write_stable_diffusion(folder: Path, quarter: int = 4, side: int = 32) -> None:
    """Write a random Stable Diffusion 1.5 with its channels divided by `quarter` and latents of `side`.

    All else is as it is public: the tensors' names of its time (`text_model.`, `query`, `proj_attn`), a PNDM scheduler
    that does not say what is predicted, and the slow tokenizer's files; only their words are the embedded prior's.
    """
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from backend.weights import EMBEDDED

    torch.manual_seed(9)
    widths = tuple(width // quarter for width in (320, 640, 1280, 1280))
    unet = UNet2DConditionModel(
        sample_size=side, in_channels=4, out_channels=4, layers_per_block=2, block_out_channels=widths,
        down_block_types=(*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"),
        up_block_types=("UpBlock2D", *["CrossAttnUpBlock2D"] * 3), cross_attention_dim=768 // quarter,
        attention_head_dim=8, norm_num_groups=16,
    )  # fmt: skip
    unet.save_pretrained(folder / "unet")
    autoencoder = AutoencoderKL(
        block_out_channels=tuple(width // quarter for width in (128, 256, 512, 512)), layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=4,
        sample_size=8 * side, norm_num_groups=32 // quarter,
    )  # fmt: skip
    autoencoder.save_pretrained(folder / "vae")
    old = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
    _rename(folder / "vae" / "diffusion_pytorch_model.safetensors", old)
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408, hidden_size=768 // quarter, intermediate_size=3072 // quarter, num_hidden_layers=12,
            num_attention_heads=12, max_position_embeddings=77,
        )
    )  # fmt: skip
    text_encoder.save_pretrained(folder / "text_encoder")
    _rename(folder / "text_encoder" / "model.safetensors", {"": "text_model."}, position_ids=77)
    words = json.loads((EMBEDDED / "tokenizer" / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    places = {
        "tokenizer/vocab.json": words["vocab"],
        "tokenizer/tokenizer_config.json": {
            "tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "bos_token": "<|startoftext|>",
            "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
        },
        "scheduler/scheduler_config.json": {
            "_class_name": "PNDMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
            "num_train_timesteps": 1000, "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1,
            "trained_betas": None, "clip_sample": False,
        },
        "model_index.json": {
            "_class_name": "StableDiffusionPipeline", "scheduler": ["diffusers", "PNDMScheduler"],
            "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
            "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
        },
    }  # fmt: skip
    for name, content in places.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    merges = "\n".join(["#version: 0.2", *(" ".join(pair) for pair in words["merges"])])
    (folder / "tokenizer" / "merges.txt").write_text(merges + "\n", encoding="utf-8")


def write_small_encoder(folder: Path, channels: int = 4, levels: int = 4) -> Any:
    """Write a random AutoencoderTiny in TAESD's layout, an eighth as wide, and return it."""
    from diffusers import AutoencoderTiny

    torch.manual_seed(10)
    network = AutoencoderTiny(
        encoder_block_out_channels=(8,) * levels, decoder_block_out_channels=(8,) * levels, latent_channels=channels,
        num_encoder_blocks=(1, *[3] * (levels - 1)), num_decoder_blocks=(*[3] * (levels - 1), 1),
    ).eval()  # fmt: skip
    network.save_pretrained(folder)
    return network


def _rename(file: Path, parts: dict[str, str], position_ids: int = 0) -> None:
    """Rewrite a file with other names for its tensors; "" stands before them all."""
    tensors = load_file(file)
    for old, new in parts.items():
        tensors = {name.replace(old, new) if old else new + name: value for name, value in tensors.items()}
    if position_ids:
        tensors["text_model.embeddings.position_ids"] = torch.arange(position_ids)[None]
    save_file(tensors, file, metadata={"format": "pt"})
