"""How a job fits into the memory that is free: with how many pictures at a time, and if not, with which preset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..phrases import Phrase
from ..request import Setting
from ..systems import PRESETS
from .base_networks import Base
from .forecast import GB, memory, settings_of
from .speed import Speed

# Pictures that networks are asked about at a time, the fastest first; 0: all of a step's.
TOGETHER = (0, 4, 1)


@dataclass(frozen=True)
class Fit:
    """The fastest way in which a job fits into so many bytes, or the most sparing one where none does."""

    together: int  # one of TOGETHER
    memory: int  # bytes that it takes so
    is_enough: bool
    preset: str  # the largest with which it fits, the asked one at most; empty where none does
    free: int

    @property
    def words(self) -> Phrase:
        """Return it in a few words, for a line beside what the job takes; empty where nothing is to be said."""
        if self.is_enough:
            return Phrase("It fits with fewer pictures at a time, slower" if self.together else "")
        free = self.free / GB
        if not self.preset:
            return Phrase("Too much for the {free:.1f} GB that are free", free=free)
        preset = Phrase(PRESETS[self.preset][0])
        return Phrase("Too much for the {free:.1f} GB that are free; {preset} fits", free=free, preset=preset)


def fitting(system: str, preset: str, own: Mapping[str, Setting], base: Base, speed: Speed, free: int) -> Fit:
    """Return how a job with a preset and settings of its own fits into so many bytes.

    Where nobody knows how many are free (0) it does. Raises WrongSetting.
    """
    found = _with_preset(system, preset, own, base, speed, free)
    names = list(PRESETS)
    for smaller in reversed([] if found.is_enough else names[: names.index(preset)]):
        if _with_preset(system, smaller, own, base, speed, free).is_enough:
            return Fit(found.together, found.memory, False, smaller, free)
    return found


def _with_preset(system: str, preset: str, own: Mapping[str, Setting], base: Base, speed: Speed, free: int) -> Fit:
    settings = settings_of(system, preset, own)
    together, needed = TOGETHER[0], 0
    for together in TOGETHER:
        needed = memory(system, settings, base, speed, together)
        if not free or needed <= free:
            return Fit(together, needed, True, preset, free)
    return Fit(together, needed, False, "", free)
