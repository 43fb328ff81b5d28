"""A budget of steps in the place of minutes: what is learned does not depend on how busy the machine is."""

from __future__ import annotations

from backend.embedded.training.loop import Budget


def steps(total: int) -> type[Budget]:
    """Return what takes the place of `Budget` in a trainer, for as many steps whatever the minutes are."""

    class Steps(Budget):
        def __init__(self, minutes: float) -> None:
            super().__init__(minutes)
            self.done = 0

        @property
        def share(self) -> float:
            return self.done / total

        def learning_rate(self, peak: float, step: int, warmup: int = 200) -> float:
            self.done = step + 1
            return super().learning_rate(peak, step, warmup)

    return Steps
