"""Says in which precision networks are trained: bfloat16 where the processor has units for it, else float32.

Without units torch computes bfloat16 all the same, an order of magnitude slower than float32.
"""

from __future__ import annotations

from typing import Any

import torch

UNITS = ("avx512_bf16", "amx_bf16", "bf16")  # as x86 and Arm call them


def working_dtype(device: str) -> torch.dtype:
    """Return the dtype in which matrices are multiplied in training on "cpu" or another kind of device."""
    if device != "cpu":
        return torch.bfloat16
    there = torch.cpu.get_capabilities()
    return torch.bfloat16 if any(there.get(name, False) for name in UNITS) else torch.float32


def mixed(device: str, wanted: bool = True) -> Any:
    """Return a context in which networks compute in `working_dtype`; float32 where that is not `wanted`."""
    return torch.autocast(device, torch.bfloat16, enabled=wanted and working_dtype(device) is torch.bfloat16)
