"""In which precision networks are computed: half where the device is fit for it and the network is large, else full.

MAQUETTE_PRECISION says otherwise: `full`, or `half`, which on a processor is bfloat16. Importing this imports nothing
heavy.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from backend.errors import BadInput
from backend.runtime.devices import is_rocm

if TYPE_CHECKING:
    import torch

VARIABLE = "MAQUETTE_PRECISION"
CHOICES = ("auto", "full", "half")
LARGE = 256 << 20  # bytes of weights; below, half precision saves nothing that matters
BFLOAT_FROM, HALF_FROM = (8, 0), (7, 0)  # compute capabilities that compute so at full speed


def chosen_precision() -> str:
    """Return what MAQUETTE_PRECISION says, `auto` where it says nothing. Raises BadInput."""
    chosen = os.environ.get(VARIABLE, "").strip().lower() or CHOICES[0]
    if chosen not in CHOICES:
        raise BadInput(f"{VARIABLE} is {chosen[:40]!r}; it can be {', '.join(CHOICES)}.", "Change it, or take it out.")
    return chosen


def why_unfit_for_half(name: str, capability: tuple[int, int]) -> str:
    """Return why a GPU of a name and compute capability does not compute in half precision; nothing where it does.

    The GTX 16 series counts as 7.5 but has no tensor cores, and gives black or green pictures in half precision.
    """
    if re.search(r"\bGTX 16\d\d", name):
        return f"{name} is known for wrong pictures in half precision, so networks run in full: twice the memory"
    if capability < HALF_FROM:
        major, minor = capability
        return f"{name} has compute capability {major}.{minor}, and half precision wants 7.0: networks run in full"
    return ""


def half_of(device: str, name: str = "", capability: tuple[int, int] = (0, 0), *, is_amd: bool = False) -> str:
    """Return the half precision that suits a device by torch's name for it, empty where none does or is known to.

    AMD's cards count their generations otherwise; all that ROCm drives compute in float16.
    """
    if device == "cuda" and is_amd:
        return "float16"
    if device != "cuda" or why_unfit_for_half(name, capability):
        return ""
    return "bfloat16" if capability >= BFLOAT_FROM else "float16"


def network_dtype(device: str, weights: int) -> torch.dtype:
    """Return what a frozen network of so many bytes of weights is loaded as. Raises BadInput."""
    import torch

    chosen = chosen_precision()
    kind = torch.device(device).type
    if chosen == "full" or (chosen == "auto" and weights < LARGE):
        return torch.float32
    gpu = (torch.cuda.get_device_name(), torch.cuda.get_device_capability()) if kind == "cuda" else ("", (0, 0))
    half = half_of(kind, *gpu, is_amd=is_rocm())
    if not half and chosen == "half":
        half = "bfloat16" if kind == "cpu" else "float16"
    return getattr(torch, half) if half else torch.float32
