"""A compiled network says the same within rounding; where it cannot be compiled, one sentence says so."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from backend.diffusion.faster.compiling import compile_network

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's compiler has many of its own


def network() -> Any:
    torch.manual_seed(0)
    unet: Any = UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4, attention_head_dim=4,
        cross_attention_dim=8, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),  # pyright: ignore
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),  # pyright: ignore
    )  # fmt: skip
    return unet.eval().requires_grad_(False)


def asked(unet: Any, count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    latents = torch.randn(count, 4, 8, 8, generator=generator)
    context = torch.randn(count, 3, 8, generator=generator)
    return unet(latents, torch.full((count,), 500), encoder_hidden_states=context).sample


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles for a processor with a C++ compiler")
def test_it_says_the_same_within_rounding_and_keeps_what_it_said() -> None:
    unet, told = network(), []
    with torch.no_grad():
        expected = [asked(unet, count) for count in (1, 2)]
        compile_network(unet, told.append)
        found = [asked(unet, count) for count in (1, 2)]  # two shapes
        again = asked(unet, 2)
    assert told == []
    for said, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(said, wanted, rtol=1e-4, atol=1e-5)
    assert torch.equal(again, found[1])


@pytest.mark.parametrize("error", [RuntimeError("no triton\nlong trace"), ValueError("no compiler")])
def test_where_compiling_fails_one_sentence_says_so_and_the_numbers_stay(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*inputs: Any, **options: Any) -> Any:
        raise error

    monkeypatch.setattr(torch, "compile", lambda function, **options: fails)
    unet, told = network(), []
    with torch.no_grad():
        expected = asked(unet)
        compile_network(unet, told.append)
        assert torch.equal(asked(unet), expected) and torch.equal(asked(unet), expected)
    (sentence,) = told
    assert sentence.startswith("The networks could not be compiled, so that they run as they are, which is slower: ")
    assert sentence.endswith(f"{type(error).__name__}: {str(error).splitlines()[0]}")


def test_memory_that_runs_out_is_no_failure_of_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*inputs: Any, **options: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "compile", lambda function, **options: full)
    unet, told = compile_network(network(), lambda sentence: None), []
    with torch.no_grad(), pytest.raises(torch.OutOfMemoryError):
        asked(unet)
    assert not told


def test_what_has_a_way_back_is_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*inputs: Any, **options: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(torch, "compile", lambda function, **options: never)
    unet = network()
    expected = asked(unet)
    told: list[str] = []
    assert torch.equal(asked(compile_network(unet, told.append)), expected) and not told
