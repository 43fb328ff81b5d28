"""Networks from the disk: what is missing is a sentence, never random numbers."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.errors import MissingModel
from backend.weights import EMBEDDED, fingerprint, load_frozen, network_folder
from tests.backend.tiny_networks import write_image_encoder


def test_a_network_with_missing_tensors_is_refused(tmp_path):
    from transformers import CLIPVisionModelWithProjection

    write_image_encoder(tmp_path)
    network = load_frozen(CLIPVisionModelWithProjection, tmp_path, "cpu")
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    tensors = load_file(tmp_path / "model.safetensors")
    tensors.pop("visual_projection.weight")
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(MissingModel, match=r"lacks 1 tensors of a CLIPVisionModelWithProjection, such as visual_proj"):
        load_frozen(CLIPVisionModelWithProjection, tmp_path, "cpu")
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(MissingModel, match="holds no safetensors file"):
        load_frozen(CLIPVisionModelWithProjection, tmp_path, "cpu")


def test_half_precision_files_of_the_public_folders_are_found_and_damaged_ones_are_said(tmp_path):
    from transformers import CLIPVisionModelWithProjection

    write_image_encoder(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "model.fp16.safetensors")
    assert load_frozen(CLIPVisionModelWithProjection, tmp_path, "cpu").dtype == torch.float32
    (tmp_path / "model.fp16.safetensors").rename(tmp_path / "other.safetensors")
    with pytest.raises(MissingModel, match="cannot be loaded"):
        load_frozen(CLIPVisionModelWithProjection, tmp_path, "cpu")


def test_a_missing_file_is_named_with_its_role(tmp_path):
    with pytest.raises(MissingModel, match=r"no network for the role reward in .*: reward\.json is missing"):
        network_folder(str(tmp_path), "reward", ["reward.json"])
    assert network_folder("embedded", "unet") == EMBEDDED / "unet"


def test_a_fingerprint_follows_contents_and_names(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    first = fingerprint(tmp_path)
    (tmp_path / "notes.txt").write_text("no weights")
    assert fingerprint(tmp_path) == first
    (tmp_path / "config.json").write_text('{"a": 1}')
    second = fingerprint(tmp_path)
    (tmp_path / "config.json").rename(tmp_path / "other.json")
    assert len({first, second, fingerprint(tmp_path)}) == 3
