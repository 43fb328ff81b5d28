"""Networks that only draw, compiled by torch where a machine asks for it: on a card with CUDA graphs, as shapes stay.

The first pass of each shape compiles, for a minute or more. It needs a C++ compiler on a processor, triton on a card.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

CUDA_GRAPHS = "reduce-overhead"  # torch's name for it; on a processor it is the same as without
FAILED = "The networks could not be compiled, so that they run as they are, which is slower: {reason}"


def compile_network(network: Any, tell: Callable[[str], None]) -> Any:
    """Let a network of diffusers, that nobody else has and that is never copied, run compiled; return it.

    Where compiling fails, `tell` hears of it in one sentence, once, and the network runs as before. With a way back it
    always does. Raises what the network itself raises, and torch's errors of memory.
    """
    plain, fast, failed = network.forward, torch.compile(network.forward, dynamic=False, mode=CUDA_GRAPHS), False

    def forward(*inputs: Any, **options: Any) -> Any:
        nonlocal failed
        if not failed and not torch.is_grad_enabled():
            try:
                torch.compiler.cudagraph_mark_step_begin()
                said = fast(*inputs, **options)
                return type(said)(sample=said.sample.clone())  # the next pass writes over a graph's own
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - compilers fail in every way; what is the network's own comes again
                failed = True
                said = plain(*inputs, **options)
                tell(FAILED.format(reason=f"{type(error).__name__}: {str(error).strip().splitlines()[0][:160]}"))
                return said
        return plain(*inputs, **options)

    network.forward = forward
    return network
