"""The papers' judges, as random networks of tiny configurations saved in the public layouts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from benchmarks.judges import attributes, public
from benchmarks.judges.public import VGG, load_public


def save_clip(folder: Path) -> None:
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    from backend.embedded.tokenizer import build_tokenizer

    tokenizer = build_tokenizer(["a", "red", "mug"])
    tokenizer.save_pretrained(folder)
    text = {
        "vocab_size": len(tokenizer), "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "max_position_embeddings": 32, "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    vision = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
              "image_size": 32, "patch_size": 16}  # fmt: skip
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(folder)
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor.save_pretrained(folder)


def save_dino(folder: Path) -> None:
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    config = ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=32)
    ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


def save_lpips(folder: Path) -> None:
    """VGG with a hundredth of its channels, in the layout of the whole one."""
    tensors, before, number, ends = {}, 3, 0, []
    for i, step in enumerate(VGG):
        if step == "M":
            number += 1
            continue
        after = int(step) // 32
        tensors[f"features.{number}.weight"] = 0.3 * torch.randn(after, before, 3, 3)
        tensors[f"features.{number}.bias"] = torch.zeros(after)
        if i + 1 == len(VGG) or VGG[i + 1] == "M":
            ends.append(after)
        before, number = after, number + 2
    tensors |= {f"lin{i}.weight": torch.rand(1, width, 1, 1) for i, width in enumerate(ends)}
    save_file(tensors, folder / "lpips-vgg.safetensors")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("public")
    save_clip(folder / "clip-vit-base-patch32")
    save_dino(folder / "dino-vitb16")
    save_lpips(folder)
    return folder


def test_public_judges_load_from_their_layouts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributes, "load_attribute_reader", attributes.AttributeReader)
    judges = load_public(folder)
    images = torch.rand(2, 48, 48, 3)
    assert list(judges.towers) == ["b32"] and set(judges.identity) == {"b32", "dino"}
    tower = judges.towers["b32"]
    seen, said = tower.images(images), tower.captions(["a red mug", "a mug"])
    assert seen.shape == said.shape == (2, 8)
    assert torch.allclose(torch.cat([seen, said]).norm(dim=-1), torch.ones(4), atol=1e-5)
    assert torch.allclose(tower.captions(["a mug"])[0], said[1], atol=1e-5)  # padding does not matter
    assert judges.identity["dino"](images).shape == (2, 16)
    sentences = " ".join(judges.missing)
    assert "clip-vit-large-patch14 is not in" in sentences and "lpips-alex.safetensors is not in" in sentences
    assert "FID is not computed" in sentences


def test_lpips_is_zero_for_equal_images_and_weighs_its_layers(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    apart, images = public.lpips(folder / "lpips-vgg.safetensors"), torch.rand(2, 64, 64, 3)
    assert torch.equal(apart(images, images), torch.zeros(2))
    distance = apart(images, images.flip(0))
    assert (distance > 0.01).all()
    tensors = load_file(folder / "lpips-vgg.safetensors")
    save_file(tensors | {f"lin{i}.weight": 3 * tensors[f"lin{i}.weight"] for i in range(5)}, tmp_path / "x.safetensors")
    assert torch.allclose(public.lpips(tmp_path / "x.safetensors")(images, images.flip(0)), 3 * distance, rtol=1e-4)


def test_an_empty_folder_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="put CLIP models there in transformers' layout"):
        load_public(tmp_path)
