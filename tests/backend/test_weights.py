"""Networks from the disk: what is missing is a sentence, never random numbers, and nothing is in memory twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.errors import MissingModel
from backend.runtime.machine import ROOT
from backend.weights import EMBEDDED, fill, find_files, fingerprint, load_frozen, network_folder, unread
from tests.backend.tiny_networks import write_image_encoder, write_perception

MEBI = 1 << 20
SPARE = 64 * MEBI  # of the largest tensor and the allocator
MEASURE = """
import pathlib, sys
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextModel
from backend.runtime.machine import peak_memory_bytes
from backend.weights import EMBEDDED, load_frozen
name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
kind = UNet2DConditionModel if name == "unet" else CLIPTextModel
kept = []
for place in (EMBEDDED / name, folder):  # the first for what it imports
    before = peak_memory_bytes()
    kept.append(load_frozen(kind, place, "cpu", torch.bfloat16, channels_last=name == "unet"))
print(peak_memory_bytes() - before, sum(value.nbytes for value in kept[-1].state_dict().values()))
"""


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


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a UNet and a text encoder of some 60 million numbers each, in single precision."""
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    folder = tmp_path_factory.mktemp("large")
    unet: Any = UNet2DConditionModel(
        sample_size=8, block_out_channels=(80, 160, 320, 320), cross_attention_dim=192, attention_head_dim=8,  # pyright: ignore
        norm_num_groups=16,
    )  # fmt: skip
    unet.save_pretrained(folder / "unet")
    config = CLIPTextConfig(vocab_size=1024, hidden_size=512, intermediate_size=4096, num_hidden_layers=12)
    text: Any = CLIPTextModel(config)
    text.save_pretrained(folder / "text_encoder")
    return folder


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the peak of a process's memory")
@pytest.mark.parametrize("name", ["unet", "text_encoder"])
def test_loading_takes_the_memory_of_the_weights_once(large: Path, name: str) -> None:
    """A second copy would be of 100 MiB at least, and a mapped file of 200."""
    said = subprocess.run(
        [sys.executable, "-c", MEASURE, name, str(large / name)], cwd=ROOT, capture_output=True, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True,
    )  # fmt: skip
    taken, weights = map(int, said.stdout.split())
    assert weights > 80_000_000
    assert taken < weights + SPARE


def test_the_file_of_full_precision_goes_before_that_of_half_and_pieces_are_found(tmp_path: Path) -> None:
    assert find_files(tmp_path) == []
    half = tmp_path / "model.fp16.safetensors"
    half.touch()
    assert find_files(tmp_path) == [half]
    index = {"weight_map": {"a": "model-00002.safetensors", "b": "../model-00001.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert find_files(tmp_path) == [tmp_path / f"model-0000{number}.safetensors" for number in (1, 2)]
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "diffusion_pytorch_model.non_ema.safetensors").touch()
    assert find_files(tmp_path) == [tmp_path / "model.safetensors"]


def test_a_network_in_pieces_and_in_another_precision_and_layout_is_the_same_network(tmp_path: Path) -> None:
    from diffusers import UNet2DModel

    written = write_perception(tmp_path)
    file = tmp_path / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    names = sorted(tensors)
    pieces = {"diffusion_pytorch_model-1.safetensors": names[::2], "diffusion_pytorch_model-2.safetensors": names[1::2]}
    for piece, some in pieces.items():
        save_file({name: tensors[name] for name in some}, tmp_path / piece)
    index = {"weight_map": {name: piece for piece, some in pieces.items() for name in some}}
    (tmp_path / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    file.unlink()
    loaded = load_frozen(UNet2DModel, tmp_path, "cpu", torch.bfloat16, channels_last=True)
    assert loaded.state_dict().keys() == written.state_dict().keys()
    for name, value in written.state_dict().items():
        found = loaded.state_dict()[name]
        assert torch.equal(found, value.bfloat16()), name
        assert found.ndim < 4 or found.is_contiguous(memory_format=torch.channels_last), name


def test_tensors_of_another_shape_are_refused_by_name(tmp_path: Path) -> None:
    from diffusers import UNet2DModel

    write_perception(tmp_path)
    file = tmp_path / "diffusion_pytorch_model.safetensors"
    save_file(load_file(file) | {"conv_in.bias": torch.zeros(9)}, file)
    with pytest.raises(MissingModel, match=r"cannot be loaded: conv_in.bias has the shape \(9,\), not \(8,\)"):
        load_frozen(UNet2DModel, tmp_path, "cpu")


def test_buffers_stay_buffers_and_whole_numbers_stay_whole(tmp_path: Path) -> None:
    given = torch.nn.BatchNorm1d(3)
    save_file({**given.state_dict(), "num_batches_tracked": torch.tensor(7)}, tmp_path / "model.safetensors")
    empty = torch.nn.BatchNorm1d(3, device="meta")
    with unread([tmp_path / "model.safetensors"]) as tensors:
        assert fill(empty, tensors, "cpu", torch.float16, torch.contiguous_format) == []
    assert [name for name, _ in empty.named_parameters()] == ["weight", "bias"]
    assert empty.num_batches_tracked == 7 and empty.num_batches_tracked.dtype == torch.int64  # pyright: ignore
    assert empty.running_var is not None and empty.running_var.dtype == torch.float16


def test_a_text_encoder_knows_the_folder_that_it_is_from() -> None:
    """By the name "None" peft would ask the hub for it when small changes are saved."""
    from transformers import CLIPTextModel

    loaded = load_frozen(CLIPTextModel, EMBEDDED / "text_encoder", "cpu")
    assert loaded.name_or_path == loaded.config._name_or_path == str(EMBEDDED / "text_encoder")
