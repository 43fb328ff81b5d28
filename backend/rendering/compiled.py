"""Compile kernels with numba: how all of them treat floating point, threads and the cache on disk.

A cached kernel notices changes of its own file only: keep functions that it calls in the same file.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import numba
import torch
from numba import njit
from numba.core.event import Event, Listener, install_listener

# NaN keeps its meaning, so that a bad Gaussian is culled and never indexes outside of an array.
FASTMATH = {"reassoc", "nsz", "arcp", "contract"}
# Only explicit prange loops: array expressions inside them are small, and looking for parallelism there costs seconds.
ONLY_PRANGE = {"prange": True} | dict.fromkeys(
    ("comprehension", "reduction", "inplace_binop", "setitem", "numpy", "stencil", "fusion"), False
)


_kernels: list[Any] = []  # of all modules that were imported


def compiled(**options: Any) -> Callable[[Callable], Callable]:
    """Compile with numba on first use, cached on disk.

    Without any folder that can be written (neither beside the source nor the user's cache) compile in every process.
    """

    def decorate(function: Callable) -> Callable:
        try:
            kernel = njit(function, cache=True, error_model="numpy", fastmath=FASTMATH, **options)
        except RuntimeError as error:
            logging.getLogger(__name__).warning("The compiled rasteriser cannot be cached: %s", error)
            kernel = njit(function, error_model="numpy", fastmath=FASTMATH, **options)
        _kernels.append(kernel)
        return kernel

    return decorate


class _Compilation(Listener):
    """Counts kernels as numba compiles them; those from the cache on disk are none of them."""

    def __init__(self, tell: Callable[[int, int], object]) -> None:
        self._tell = tell
        self._done = 0

    def on_start(self, event: Event) -> None:
        """Tell when a kernel begins: the first may take half a minute."""
        if self._is_ours(event):
            self._say()

    def on_end(self, event: Event) -> None:
        """Count it."""
        if self._is_ours(event):
            self._done += 1
            self._say()

    def _is_ours(self, event: Event) -> bool:
        return isinstance(event.data, dict) and any(event.data.get("dispatcher") is each for each in _kernels)

    def _say(self) -> None:
        left = sum(not kernel.overloads for kernel in _kernels)  # some are for other jobs, and never come
        self._tell(self._done, self._done + left)


@contextlib.contextmanager
def telling_of_compilation(tell: Callable[[int, int], object]) -> Iterator[None]:
    """Call `tell` with how many kernels were compiled, and how many these are at most, whenever one begins or ends."""
    with install_listener("numba:compile", _Compilation(tell)):
        yield


def follow_torch_threads() -> int:
    """Let kernels use as many threads as torch does, and return how many these are."""
    threads = torch.get_num_threads()
    most = numba.config.NUMBA_NUM_THREADS  # pyright: ignore
    numba.set_num_threads(min(threads, most))
    if torch.get_num_threads() != threads:  # numba's first call sets the OpenMP default, which torch may share
        torch.set_num_threads(threads)
    return numba.get_num_threads()
