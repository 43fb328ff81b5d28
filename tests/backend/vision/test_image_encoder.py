"""CLIP's vision tower: its embedding, its gradients, and images against words."""

from __future__ import annotations

import json
import math
import shutil

import pytest
import torch
from safetensors.torch import save_file

from backend import weights
from backend.diffusion.denoiser import EMBEDDED
from backend.errors import MissingModel
from backend.vision import image_encoder
from backend.vision.image_encoder import encoder_pixels, load_image_encoder, load_image_text
from backend.vision.pixels import read_pixels
from tests.backend.tiny_networks import SIZE, write_clip, write_image_encoder


def test_the_encoder_is_the_network_and_takes_gradients(tmp_path):
    network = write_image_encoder(tmp_path)
    encoder = load_image_encoder(str(tmp_path))
    images = torch.rand(2, SIZE, SIZE, 3, requires_grad=True)
    embedding = encoder(images)
    expected = network(read_pixels(tmp_path)(images)).image_embeds
    torch.testing.assert_close(embedding, expected)
    assert embedding.shape == (2, encoder.width) == (2, 160)
    (gradient,) = torch.autograd.grad(embedding.sum(), images)
    assert gradient.abs().max() > 0


def test_public_folders_keep_the_pixels_elsewhere(tmp_path):
    """IP-Adapter's encoder has no processor beside it, Zero-1-to-3's lies in feature_extractor/."""
    write_image_encoder(tmp_path / "image_encoder")
    (tmp_path / "image_encoder" / "preprocessor_config.json").unlink()
    pixels = encoder_pixels(tmp_path / "image_encoder")
    assert pixels.crop == (SIZE, SIZE) and pixels.mean == pytest.approx((0.4815, 0.4578, 0.4082), abs=1e-4)
    (tmp_path / "feature_extractor").mkdir()
    settings = {"size": 16, "crop_size": 16, "do_center_crop": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (tmp_path / "feature_extractor" / "preprocessor_config.json").write_text(json.dumps(settings))
    assert encoder_pixels(tmp_path / "image_encoder").crop == (16, 16)


def test_a_whole_public_clip_compares_images_with_words(tmp_path, tokenizer):
    network = write_clip(tmp_path, tokenizer)
    pair = load_image_text(str(tmp_path))
    images, words = torch.rand(3, SIZE, SIZE, 3), ["a red mug", "a chair"]
    tokens = tokenizer(words, padding="max_length", return_tensors="pt").input_ids
    with torch.no_grad():
        stock = network(input_ids=tokens, pixel_values=read_pixels(tmp_path)(images))
    torch.testing.assert_close(
        pair.scale * pair.similarity(images, words), stock.logits_per_image, atol=1e-4, rtol=1e-4
    )


def test_the_embedded_pair_joins_the_priors_text_encoder(tmp_path, tokenizer, monkeypatch):
    """Its projection is a linear layer's weight: it maps the pooled text from the right."""
    for part in ("text_encoder", "tokenizer"):
        shutil.copytree(EMBEDDED / part, tmp_path / part)
    write_image_encoder(tmp_path / "image_encoder")
    weight = torch.randn(160, 160)
    save_file(
        {"weight": weight.half(), "logit_scale": torch.tensor(math.log(10.0))},
        tmp_path / "image_encoder" / "text_projection.safetensors",
    )
    monkeypatch.setattr(weights, "EMBEDDED", tmp_path)
    monkeypatch.setattr(image_encoder, "EMBEDDED", tmp_path)
    pair = load_image_text("embedded")
    assert pair.scale == pytest.approx(10.0, rel=1e-3)
    tokens = tokenizer(["a red mug"], padding="max_length", return_tensors="pt").input_ids
    pooled = pair.text_encoder(tokens).pooler_output
    wanted = torch.nn.functional.normalize(torch.einsum("ij,bj->bi", weight, pooled), dim=-1)
    torch.testing.assert_close(pair.texts(["a red mug"]), wanted, atol=2e-3, rtol=1e-2)  # fp16 on disk


def test_a_tower_without_words_cannot_compare(tmp_path, tokenizer):
    write_image_encoder(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(MissingModel, match="holds no text encoder"):
        load_image_text(str(tmp_path))
