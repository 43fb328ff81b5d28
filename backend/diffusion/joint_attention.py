"""Joins the self-attention of the views of one object, so that a stock UNet draws them as views of one thing.

No weights are added: tokens [G * V, N, C] are reshaped to [G, V * N, C] in each self-attention, and back.
Source: MVDream (arXiv 2308.16512), section 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


class JointSelfAttention:
    """Self-attention in which a row also sees the other rows of its group; of one view, it is the processor's own."""

    def __init__(self, attend: Any) -> None:
        self.attend, self.views = attend, 1  # a processor of diffusers

    def __call__(self, attn: Any, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return what each token [B, N, C] gathers; the V rows of a group follow each other in B."""
        if self.views == 1:
            return self.attend(attn, hidden_states, *args, **kwargs)
        rows, tokens, width = hidden_states.shape
        if rows % self.views:
            raise ValueError(f"{rows} rows are no groups of {self.views} views")
        together = hidden_states.reshape(rows // self.views, self.views * tokens, width)
        return self.attend(attn, together, *args, **kwargs).reshape(rows, tokens, width)


def make_joint(network: Any) -> None:
    """Let the views of each self-attention of a UNet be joined; what its processors do stays, as does the rest."""
    for module in _self_attentions(network):
        if not isinstance(module.processor, JointSelfAttention):
            module.set_processor(JointSelfAttention(module.processor))


def make_single(network: Any) -> None:
    """Undo `make_joint`: loaders of diffusers make new processors of the classes that they find."""
    for module in _self_attentions(network):
        if isinstance(module.processor, JointSelfAttention):
            module.set_processor(module.processor.attend)


def is_joint(network: Any) -> bool:
    """Say whether the views of a UNet can be joined."""
    return any(isinstance(module.processor, JointSelfAttention) for module in _self_attentions(network))


@contextmanager
def joined(network: Any, views: int) -> Iterator[None]:
    """Let each `views` rows that follow each other see each other for the length of the block.

    Raises ValueError if the UNet was not made joint and more than one view is to be joined.
    """
    processors = [m.processor for m in _self_attentions(network) if isinstance(m.processor, JointSelfAttention)]
    if views > 1 and not processors:
        raise ValueError("this network's views cannot be joined: call make_joint first")
    before = [processor.views for processor in processors]
    for processor in processors:
        processor.views = views
    try:
        yield
    finally:
        for processor, number in zip(processors, before, strict=True):
            processor.views = number


def _self_attentions(network: Any) -> list[Any]:
    return [module for name, module in network.named_modules() if name.endswith("attn1")]
