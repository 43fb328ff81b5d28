"""Compile kernels with numba: how all of them treat floating point, threads and the cache on disk.

A cached kernel notices changes of its own file only: keep functions that it calls in the same file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numba
import torch
from numba import njit

# NaN keeps its meaning, so that a bad Gaussian is culled and never indexes outside of an array.
FASTMATH = {"reassoc", "nsz", "arcp", "contract"}
# Only explicit prange loops: array expressions inside them are small, and looking for parallelism there costs seconds.
ONLY_PRANGE = {"prange": True} | dict.fromkeys(
    ("comprehension", "reduction", "inplace_binop", "setitem", "numpy", "stencil", "fusion"), False
)


def compiled(**options: Any) -> Callable[[Callable], Callable]:
    """Compile with numba on first use, cached on disk.

    Without any folder that can be written (neither beside the source nor the user's cache) compile in every process.
    """

    def decorate(function: Callable) -> Callable:
        try:
            return njit(function, cache=True, error_model="numpy", fastmath=FASTMATH, **options)
        except RuntimeError as error:
            logging.getLogger(__name__).warning("The compiled rasteriser cannot be cached: %s", error)
            return njit(function, error_model="numpy", fastmath=FASTMATH, **options)

    return decorate


def follow_torch_threads() -> int:
    """Let kernels use as many threads as torch does, and return how many these are."""
    threads = torch.get_num_threads()
    most = numba.config.NUMBA_NUM_THREADS  # pyright: ignore
    numba.set_num_threads(min(threads, most))
    if torch.get_num_threads() != threads:  # numba's first call sets the OpenMP default, which torch may share
        torch.set_num_threads(threads)
    return numba.get_num_threads()
