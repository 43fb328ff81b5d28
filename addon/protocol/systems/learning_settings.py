"""Settings of every system that teaches the prior one subject: what of it learns, and what keeps the class alive."""

from __future__ import annotations

from typing import Any

from .system import Group, setting


# fmt: off
def tuning_whole(group: Group) -> str:
    """Declare which of the prior's weights are taught."""
    return setting(
        group, "auto", "What Learns", "All of the prior's weights, or small changes beside them",
        choices=(
            ("auto", "By Its Size", "All weights of a small prior, small changes beside those of a large one"),
            ("all", "All Weights", "As in the paper; needs much memory with a large prior"),
            ("lora", "Small Changes", "A LoRA: little memory, small files"),
        ),
    )


def tuning_rate(group: Group, value: float = 0.0, **presets: Any) -> float:
    """Declare how fast the prior learns."""
    return setting(
        group, value, "Rate",
        "How fast the prior learns; too fast forgets what such things look like. 0 decides by what learns", 0, 0.01,
        **presets,
    )


def tuning_rank(group: Group) -> int:
    """Declare how large the small changes are."""
    return setting(group, 16, "Rank", "Size of the small changes, where those are taught", 1, 128)


def tuning_text_encoder(group: Group, value: bool = True, **presets: Any) -> bool:
    """Declare whether the network that reads the prompt learns, too."""
    return setting(
        group, value, "Teach Words",
        "Teach the network that reads the prompt, too; without, the embedded prior goes on to overhear the rare word",
        **presets,
    )


def class_pictures(group: Group, value: int, **presets: Any) -> int:
    """Declare how many pictures of the class the prior is reminded of."""
    return setting(
        group, value, "Class Pictures", "Pictures of the class that the prior draws beforehand, not to forget it",
        1, 400, **presets,
    )


def class_weight(group: Group) -> float:
    """Declare how much those pictures count."""
    return setting(
        group, 1.0, "Keep the Class", "Weight of those pictures; 0 draws none, and the sides may be forgotten", 0, 4,
    )
# fmt: on
