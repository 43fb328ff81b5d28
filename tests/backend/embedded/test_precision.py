"""Networks are trained in bfloat16 only where the processor has units for it."""

from __future__ import annotations

import pytest
import torch

from backend.embedded import precision


@pytest.mark.parametrize("name", ["avx512_bf16", "amx_bf16", "bf16"])
def test_units_are_used_where_they_are(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, name: True})
    assert precision.working_dtype("cpu") is torch.bfloat16
    with precision.mixed("cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.bfloat16
    with precision.mixed("cpu", wanted=False):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32


def test_a_processor_without_units_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": False, "cpu_name": "x"})
    assert precision.working_dtype("cpu") is torch.float32 and precision.working_dtype("cuda") is torch.bfloat16
    with precision.mixed("cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32
