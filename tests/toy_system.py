"""A system of forty lines, as a new one is added: what it says of itself, and how it runs.

`python -m tests.toy_system run JOB` is the backend's command line with it in the table.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from addon import protocol
from addon.protocol.systems.system import Group, Picture, Stage, System, setting

if TYPE_CHECKING:
    from backend.runtime.job import Job

SHAPE = Group("shape", "Toy Shape")


@dataclass(frozen=True)
class ToySettings:
    """What a request can say of the ball."""

    steps: int = setting(SHAPE, 6, "Times", "How often the ball shrinks", 1, 100, bench=4)
    count: int = setting(SHAPE, 50, "Toy Points", "How many points the ball has", 8, 1_000)
    pause: float = setting(SHAPE, 0.0, "Pause", "How long a step waits", 0, 1, unit="seconds")


TOY = System(
    "toy",
    "Toy",
    "A ball of points that shrinks",
    ToySettings,
    stages=(
        Stage(
            "look", "Looking", 1.0, leaves=(Picture("seen.png", "Seen", "What was looked at"),), stop="Picture",
            comes=lambda roles, settings: "reconstruct" in roles,
        ),
        Stage("shrink", "Shrinking", 9.0),
    ),
    needs_prompt=False,
)  # fmt: skip


def run(job: Job) -> None:
    """Look at the image if there is one, shrink a ball of points, and leave it as the result."""
    import torch

    from backend.export import write_points_ply, write_result_json
    from backend.images import load_image, save_image
    from backend.representations.gaussians import Gaussians, ball_of_gaussians
    from backend.systems.overrides import chosen_settings

    settings = chosen_settings(TOY, job.request.preset, job.settings)

    def look() -> dict[str, Any]:
        rgb, _ = load_image(job.input_path(job.request.images[0]))
        save_image(job.stage_folder / "seen.png", rgb)
        return {"colour": rgb.mean(dim=(0, 1))}

    def shrink() -> dict[str, Any]:
        ball = ball_of_gaussians(settings.count, 0.5, job.generator, seen["colour"])
        for _ in job.steps(settings.steps, ball):
            ball.means.mul_(1 - 0.1 * torch.rand(1, generator=job.generator))
            time.sleep(settings.pause)
        return ball.parameters()

    seen = job.stage("look", look) if job.request.images else {"colour": 0.5}
    gaussians = Gaussians(**job.stage("shrink", shrink))
    result = job.folder / protocol.RESULT_FOLDER
    result.mkdir(exist_ok=True)
    write_points_ply(result / "points.ply", gaussians)
    write_result_json(result, points="gaussians", seed=job.request.seed, seconds={}, details={"system": TOY.name})


# ---- the test's part -------------------------------------------------------------------------------------------------


def add() -> Callable[[Job], None]:
    """Put it into this process's table, with its module where a folder in backend/systems would be."""
    from backend.cli.job_runner import run_system

    protocol.SYSTEMS[TOY.name] = TOY
    sys.modules[f"backend.systems.{TOY.name}"] = sys.modules[__name__]
    return run_system


class Added:
    """Stands for the backend's `run_system`; handing it to another process adds the system there."""

    def __reduce__(self) -> tuple[Callable[[], Callable[[Job], None]], tuple[()]]:
        return add, ()

    def __call__(self, job: Job) -> None:
        raise AssertionError("this process has no such system")


if __name__ == "__main__":
    from backend import __main__ as command_line

    sys.exit(command_line.main(run_system=add()))
