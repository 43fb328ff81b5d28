"""What the training stages share: a time budget with its learning rate, averaged weights, checkpoints, the log."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

CHECKPOINT_SECONDS = 120.0


class Budget:
    """A stage's minutes: its share used so far, and the learning rate that falls with it."""

    def __init__(self, minutes: float) -> None:
        self.seconds = minutes * 60
        self.started = time.monotonic()
        self.saved = self.started

    @property
    def share(self) -> float:
        """Return how much of the time is used, in [0, 1]."""
        return min(1.0, (time.monotonic() - self.started) / self.seconds)

    def learning_rate(self, peak: float, step: int, warmup: int = 200) -> float:
        """Return a rate that warms up over steps and falls as a half cosine over the time, to 2 % of its peak."""
        return peak * min(1.0, (step + 1) / warmup) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.share)))

    def checkpoint_due(self) -> bool:
        """Say, once every two minutes, that it is time to save."""
        if time.monotonic() - self.saved < CHECKPOINT_SECONDS:
            return False
        self.saved = time.monotonic()
        return True


class Averaged:
    """An exponential moving average of a module's parameters."""

    def __init__(self, module: torch.nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters = dict(module.named_parameters())
        self.average = {name: p.detach().clone() for name, p in self.parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the parameters; early steps count more."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.average.values()), [p.detach() for p in self.parameters.values()], 1 - decay)

    @torch.no_grad()
    def store_into(self, module: torch.nn.Module) -> None:
        """Overwrite a module's parameters with the average."""
        for name, parameter in module.named_parameters():
            parameter.copy_(self.average[name])


def save_training(
    path: Path, module: torch.nn.Module, averaged: Averaged, optimiser: torch.optim.Optimizer, counts: dict[str, int]
) -> None:
    """Write parameters, their average, the optimiser's moments and the counters to one safetensors file."""
    tensors = {f"count.{name}": torch.tensor(value) for name, value in counts.items()}
    for name, parameter in module.named_parameters():
        tensors[f"module.{name}"] = parameter.detach().contiguous()
        tensors[f"average.{name}"] = averaged.average[name].contiguous()
        for key, value in optimiser.state.get(parameter, {}).items():
            tensors[f"{key}.{name}"] = value.contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(tensors, partial)
    partial.replace(path)


def load_training(
    path: Path, module: torch.nn.Module, averaged: Averaged, optimiser: torch.optim.Optimizer
) -> dict[str, int]:
    """Restore what save_training wrote and return the counters; empty where there is no checkpoint."""
    if not path.exists():
        return {}
    tensors = load_file(path)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(tensors[f"module.{name}"])
            averaged.average[name].copy_(tensors[f"average.{name}"])
            if f"exp_avg.{name}" in tensors:
                optimiser.state[parameter] = {
                    key: tensors[f"{key}.{name}"].to("cpu" if key == "step" else parameter.device)
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }
    return {name[6:]: int(value) for name, value in tensors.items() if name.startswith("count.")}


def log(folder: Path, **values) -> None:
    """Append one JSON line to the training log and show it."""
    line = json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in values.items()})
    with (folder / "training_log.jsonl").open("a") as file:
        file.write(line + "\n")
    print(line, flush=True)
