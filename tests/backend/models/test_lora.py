"""Which files are a LoRA, and what is said of one that does not fit; test_importing.py adds one to a base."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from backend.diffusion.denoiser import load_prior
from backend.errors import BadInput
from backend.models.lora import is_lora, with_lora
from tests.backend.tiny_networks import write_stable_diffusion


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lora_unet_x.lora_down.weight", True),
        ("unet.x.lora_A.weight", True),
        ("base_model.model.x.lora_B.default.weight", True),
        ("model.diffusion_model.out.2.bias", False),
    ],
)
def test_a_lora_is_known_by_its_tensors(name: str, expected: bool) -> None:
    assert is_lora([name]) == expected


def test_a_lora_of_another_architecture_is_refused(tmp_path: Path) -> None:
    write_stable_diffusion(tmp_path / "sd")
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    save_file({f"{name}.lora_down.weight": torch.zeros(4, 999), f"{name}.lora_up.weight": torch.zeros(999, 4),
               f"{name}.alpha": torch.tensor(4.0)}, tmp_path / "x.safetensors")  # fmt: skip
    with pytest.raises(BadInput, match="does not fit its base"):
        with_lora(load_prior(str(tmp_path / "sd")), tmp_path / "x.safetensors", 1.0)
