"""On which device networks are computed, and in which precision: torch's names of devices are known here.

NVIDIA's and AMD's cards are both `cuda` to torch. Apple's GPU, `mps`, is used only where MAQUETTE_DEVICE names it:
nobody has run Maquette on it, nor on AMD's. Precision is half where the device is fit for it and the network is large,
else full; MAQUETTE_PRECISION says otherwise: `full`, or `half`, which on a processor is bfloat16. Importing this
imports nothing heavy.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from backend.errors import BadInput

if TYPE_CHECKING:
    import torch

VARIABLE = "MAQUETTE_DEVICE"
PROCESSOR, CARD, METAL = "cpu", "cuda", "mps"
CHOICES = ("auto", PROCESSOR, CARD, METAL)
UNTRIED = "Maquette never ran there"
COMPILE, SWITCH = "MAQUETTE_COMPILE", ("off", "on")
PRECISION = "MAQUETTE_PRECISION"
PRECISIONS = ("auto", "full", "half")
LARGE = 256 << 20  # bytes of weights; below, half precision saves nothing that matters
BFLOAT_FROM, HALF_FROM = (8, 0), (7, 0)  # compute capabilities that compute so at full speed


class Seen(NamedTuple):
    """What the installed torch finds: a card, whether that is AMD's, and Apple's GPU."""

    card: bool = False
    is_amd: bool = False
    metal: bool = False


def seen() -> Seen:
    """Ask torch."""
    import torch

    return Seen(torch.cuda.is_available(), is_rocm(), torch.backends.mps.is_available())


def is_rocm() -> bool:
    """Say whether this torch is built for AMD's cards, which it calls cuda, too."""
    import torch

    return bool(getattr(torch.version, "hip", None))


def compute_device(found: Seen | None = None) -> str:
    """Return where networks are computed, by torch's name: a card where torch finds one, else the processor.

    MAQUETTE_DEVICE says otherwise. Raises BadInput where it names what is not there.
    """
    asked = os.environ.get(VARIABLE, "").strip().lower() or CHOICES[0]
    if asked not in CHOICES:
        raise BadInput(f"{VARIABLE} is {asked[:40]!r}; it can be {', '.join(CHOICES)}.", "Change it, or take it out.")
    if asked == PROCESSOR:
        return PROCESSOR
    found = found or seen()
    if asked == CHOICES[0]:
        return CARD if found.card else PROCESSOR
    if not (found.card if asked == CARD else found.metal):
        raise BadInput(
            f"{VARIABLE} is {asked}, and this torch finds no such device.", "Take it out; see doctor --deep."
        )
    return asked


def why_no_card(found: Seen | None = None) -> str:
    """Return in a sentence why nothing can be measured on a graphics card here, nothing where it can."""
    if compute_device(found) != PROCESSOR:
        return ""
    return "This needs a graphics card, and torch finds or uses none here: `python -m backend doctor` says why."


def name_of(device: torch.device | str) -> str:
    """Return what people call a device."""
    import torch

    kind = torch.device(device).type
    if kind == CARD:
        return torch.cuda.get_device_name()
    return "Apple's GPU" if kind == METAL else kind


def synchronise(device: torch.device | str) -> None:
    """Wait until the device has done what it was asked for."""
    import torch

    match torch.device(device).type:
        case "cuda":
            torch.cuda.synchronize()
        case "mps":
            torch.mps.synchronize()


def release_memory() -> None:
    """Let go of the memory that torch keeps for later on every device."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def reset_peak(device: torch.device | str) -> None:
    """Count the most memory of a device from here on; a processor's cannot be reset."""
    import torch

    if torch.device(device).type == CARD:
        torch.cuda.reset_peak_memory_stats()


def wants_compiling() -> bool:
    """Say whether MAQUETTE_COMPILE asks torch to compile the networks that draw; never by itself, since that never ran
    on a card, and on a processor each job would wait for the compiler. Raises BadInput.
    """
    chosen = os.environ.get(COMPILE, "").strip().lower() or SWITCH[0]
    if chosen not in SWITCH:
        raise BadInput(f"{COMPILE} is {chosen[:40]!r}; it can be {', '.join(SWITCH)}.", "Change it, or take it out.")
    return chosen == SWITCH[1]


# ---- precision -------------------------------------------------------------------------------------------------------


def chosen_precision() -> str:
    """Return what MAQUETTE_PRECISION says, `auto` where it says nothing. Raises BadInput."""
    chosen = os.environ.get(PRECISION, "").strip().lower() or PRECISIONS[0]
    if chosen not in PRECISIONS:
        raise BadInput(
            f"{PRECISION} is {chosen[:40]!r}; it can be {', '.join(PRECISIONS)}.", "Change it, or take it out."
        )
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
