"""On which device networks are computed, and what is asked of it: torch's names of devices are known here.

NVIDIA's and AMD's cards are both `cuda` to torch. Apple's GPU, `mps`, is used only where MAQUETTE_DEVICE names it:
nobody has run Maquette on it, nor on AMD's. Importing this imports nothing heavy.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from backend.errors import BadInput

if TYPE_CHECKING:
    import torch

VARIABLE = "MAQUETTE_DEVICE"
PROCESSOR, CARD, METAL = "cpu", "cuda", "mps"
CHOICES = ("auto", PROCESSOR, CARD, METAL)
UNTRIED = "Maquette never ran there"


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
