"""The builds of torch that PyTorch's own index has: for the processor, and for each CUDA of NVIDIA's drivers."""

from __future__ import annotations

import re

from .phrases import Phrase

INDEX = "https://download.pytorch.org/whl"
PROCESSOR = "cpu"
# The newest first. Which of them there are for a version of torch, its index knows; others can be named, such as cu132.
CUDA_BUILDS = ("cu130", "cu128", "cu126")
# By the major version of the CUDA that torch was built with: the oldest cards that it has kernels for.
LOWEST_CAPABILITY = {12: (5, 0), 13: (7, 5)}


def cuda_of(build: str) -> tuple[int, int] | None:
    """Return the CUDA of a build, (13, 0) of cu130; None of that for the processor. Raises ValueError for others."""
    if build == PROCESSOR:
        return None
    found = re.fullmatch(r"cu(\d{2})(\d)", build)
    if not found:
        known = ", ".join((PROCESSOR, *CUDA_BUILDS))
        raise ValueError(f"{build[:20]!r} is no build of torch; they are called {known}.")
    return int(found[1]), int(found[2])


def index_of(build: str) -> str:
    """Return the address of the index that has a build. Raises ValueError as `cuda_of` does."""
    cuda_of(build)
    return f"{INDEX}/{build}"


def why_too_old(
    cuda: tuple[int, int], driver: str, driver_cuda: tuple[int, int], card: str, capability: tuple[int, int] | None
) -> dict[str, Phrase]:
    """Return what keeps torch, built with a CUDA, from a card: "driver" or "card" -> what is so, with the numbers.

    A driver runs what was built with any CUDA of its own major version.
    """
    found = {}
    if driver_cuda[0] < cuda[0]:
        known, needed = dotted(driver_cuda), dotted(cuda)
        told = "the driver {version} knows CUDA {known}, and torch needs {needed}"
        if not driver:
            told = "the driver knows CUDA {known}, and torch needs {needed}"
        found["driver"] = Phrase(told, version=driver, known=known, needed=needed)
    lowest = LOWEST_CAPABILITY.get(cuda[0], (0, 0))
    if capability is not None and capability < lowest:
        told = "{card} has compute capability {capability}, and this torch starts at {lowest}"
        found["card"] = Phrase(told, card=card, capability=dotted(capability), lowest=dotted(lowest))
    return found


def dotted(version: tuple[int, int]) -> str:
    """Return a version as people write it."""
    return f"{version[0]}.{version[1]}"
