"""What artists have is imported with every socket closed, and loads as the base or companion that it is."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from addon.protocol import models
from backend.diffusion.denoiser import load_prior
from backend.errors import BadInput
from backend.models.checking import problems
from backend.models.importing import import_path
from tests.backend.models.ldm_checkpoint import write_checkpoint
from tests.backend.tiny_networks import write_depth_anything, write_stable_diffusion


@pytest.fixture(scope="module")
def diffusers_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return Stable Diffusion 1.5's layout with a quarter of the channels."""
    folder = tmp_path_factory.mktemp("sd") / "My Model v1"
    write_stable_diffusion(folder, side=64)
    return folder


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def store_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MAQUETTE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def test_a_folder_in_diffusers_format_becomes_a_base_without_a_second_copy(
    diffusers_folder: Path, store_folder: Path
) -> None:
    made = import_path(diffusers_folder, store_folder)
    assert made.name == "my-model-v1" and made.record is not None and made.record.role == "base"
    weights = "unet/diffusion_pytorch_model.safetensors"
    assert (made.folder / weights).samefile(diffusers_folder / weights)
    assert problems(made) == []


def test_a_single_file_is_the_same_base_as_the_folder_that_it_was_made_from(
    diffusers_folder: Path, store_folder: Path, tmp_path: Path
) -> None:
    write_checkpoint(diffusers_folder, tmp_path / "toon.safetensors")
    made = import_path(tmp_path / "toon.safetensors", store_folder)
    assert made.name == "toon" and problems(made) == []
    prior, original = load_prior(str(made.folder)), load_prior(str(diffusers_folder))
    assert prior.image_size == 512 and prior.max_tokens == 77
    for network in ("unet", "autoencoder", "text_encoder"):
        before, after = getattr(original, network).state_dict(), getattr(prior, network).state_dict()
        assert before.keys() == after.keys(), network
        for name, value in before.items():
            assert torch.equal(after[name], value.half().float() if value.is_floating_point() else value), name
    latents = torch.randn(1, 4, 8, 8, generator=torch.manual_seed(1))
    assert torch.isfinite(prior.predict_noise(latents, 500, prior.embed(["a red chair"]))).all()


def lora(folder: Path, file: Path, scale: float = 0.1) -> dict[str, torch.Tensor]:
    """Write a LoRA in kohya's names for one layer of the UNet."""
    weight = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")[
        "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    ]
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    generator = torch.manual_seed(2)
    tensors = {
        f"{name}.lora_down.weight": scale * torch.randn(4, weight.shape[1], generator=generator),
        f"{name}.lora_up.weight": scale * torch.randn(weight.shape[0], 4, generator=generator),
        f"{name}.alpha": torch.tensor(4.0),
    }
    save_file(tensors, file)
    return tensors


def test_a_lora_changes_its_base_as_strongly_as_is_said(
    diffusers_folder: Path, store_folder: Path, tmp_path: Path
) -> None:
    from backend.models.lora import with_lora

    changes = lora(diffusers_folder, tmp_path / "Clay Style.safetensors")
    import_path(diffusers_folder, store_folder, name="sd")
    made = import_path(tmp_path / "Clay Style.safetensors", store_folder, strength=0.5)
    assert made.name == "clay-style" and made.record is not None
    assert (made.record.base, made.record.strength) == ("sd", 0.5)
    place = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    prior = load_prior(str(diffusers_folder))
    before = {name: value.clone() for name, value in prior.unet.state_dict().items()}
    changed = with_lora(prior, made.folder / "lora.safetensors", 0.5)
    down, up = (next(v for k, v in changes.items() if mark in k) for mark in ("lora_down", "lora_up"))
    after = changed.unet.state_dict()
    assert before.keys() == after.keys()
    assert torch.allclose(after[place], before[place] + 0.5 * up @ down, atol=1e-6)
    assert all(torch.equal(value, before[name]) for name, value in after.items() if name != place)
    assert changed.fingerprint != prior.fingerprint


def test_companions_are_known_by_what_they_name(store_folder: Path, tmp_path: Path) -> None:
    write_depth_anything(tmp_path / "anything")
    made = import_path(tmp_path / "anything", store_folder)
    assert made.folder == store_folder / "companions" / "depth" and made.record is not None
    assert made.record.title == models.CATALOGUE["depth"].title


@pytest.mark.parametrize(
    ("name", "tensors", "words"),
    [
        ("xl", {"conditioner.embedders.0.x": torch.zeros(1)}, "Stable Diffusion XL"),
        ("two", {"cond_stage_model.model.x": torch.zeros(1)}, "Stable Diffusion 2.x"),
        ("vae", {"first_stage_model.x": torch.zeros(1)}, "it holds no denoiser"),
        ("lora", {"lora_unet_x.lora_down.weight": torch.zeros(1)}, "is a LoRA, and .* none is installed"),
        ("adapter", {"ip_adapter.1.to_k_ip.weight": torch.zeros(1)}, "needs its image encoder"),
    ],
)
def test_what_no_system_can_use_is_named(
    name: str, tensors: dict[str, torch.Tensor], words: str, store_folder: Path, tmp_path: Path
) -> None:
    save_file(tensors, tmp_path / f"{name}.safetensors")
    with pytest.raises(BadInput, match=words):
        import_path(tmp_path / f"{name}.safetensors", store_folder)
    assert models.list_installed(store_folder) == []


def test_files_that_may_hold_code_are_not_opened(store_folder: Path, tmp_path: Path) -> None:
    for name in ("old.ckpt", "notes.md"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(BadInput, match="may hold code"):
        import_path(tmp_path / "old.ckpt", store_folder)
    with pytest.raises(BadInput, match="is no safetensors file"):
        import_path(tmp_path / "notes.md", store_folder)
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\x00")
    with pytest.raises(BadInput, match="no whole safetensors file"):
        import_path(tmp_path / "cut.safetensors", store_folder)
    with pytest.raises(BadInput, match="There is nothing at"):
        import_path(tmp_path / "gone.safetensors", store_folder)


def test_half_a_base_is_refused(diffusers_folder: Path, store_folder: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    shutil.copytree(diffusers_folder, half)
    next((half / "vae").glob("*.safetensors")).unlink()
    with pytest.raises(BadInput, match="no whole base: vae holds no safetensors"):
        import_path(half, store_folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text(json.dumps({"architectures": ["GPT"]}))
    with pytest.raises(BadInput, match="none of the models that Maquette knows"):
        import_path(tmp_path / "other", store_folder)
