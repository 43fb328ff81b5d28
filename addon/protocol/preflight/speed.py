"""How fast this machine is, as it was measured last: a small file in the backend's environment, which both sides read.

The one constant is how many gigaoperations a second a UNet gets done, of a small base and of a large one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

from ..typed_json import ProtocolError, build, parse

ANOTHER_THREAD = 0.6  # by how much one more speeds a small UNet up, as measured with two
SPEED_FILE = "maquette-speed.json"
MAX_BYTES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What was measured: gigaoperations a second on the device, and on the processor; 0 where that never was."""

    device: str  # cpu, or the name of the GPU
    threads: int
    processor: float  # with a small base, whatever the device
    small: float
    large: float = 0.0
    half: bool = False  # whether a large base is computed in half precision
    memory: int = 0  # bytes that a job could have had when that was measured; 0: nobody knows
    version: int = 1

    def __post_init__(self) -> None:
        values = (self.processor, self.small, self.large, self.memory)
        if self.version != 1 or not all(math.isfinite(value) and value >= 0 for value in values) or not self.small:
            raise ProtocolError("The measured speed is no number above 0.")

    def with_threads(self, count: int) -> Speed:
        """Return what is to be expected with another number of threads of the processor; a GPU has its own."""
        if self.device != "cpu":
            return self
        factor = gain(count) / gain(self.threads)
        rates = {name: factor * getattr(self, name) for name in ("processor", "small", "large")}
        return dataclasses.replace(self, threads=count, **rates)


def gain(threads: int) -> float:
    """Return how many times as fast so many threads are as one."""
    return 1 + ANOTHER_THREAD * (threads - 1)


def speed_folder(environment: str | Path) -> Path:
    """Return where the speed is kept: as MAQUETTE_SPEED says, for environments that nobody may write to, else there."""
    return Path(os.environ.get("MAQUETTE_SPEED") or environment)


def read_speed(environment: str | Path) -> Speed | None:
    """Return what was measured in an environment; None where nothing was, or nothing that can be read."""
    path = speed_folder(environment) / SPEED_FILE
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        return build(Speed, parse(path.read_text(encoding="utf-8"), SPEED_FILE))
    except (OSError, ValueError, ProtocolError):
        return None


def write_speed(environment: str | Path, speed: Speed) -> None:
    """Keep what was measured; an environment that cannot be written to keeps nothing."""
    with contextlib.suppress(OSError):
        path = speed_folder(environment) / SPEED_FILE
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(dataclasses.asdict(speed)) + "\n", encoding="utf-8")
        temporary.replace(path)
