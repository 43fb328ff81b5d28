"""What the training stages share: the loop, a time budget, averaged weights, checkpoints, the log.

Only parameters that require gradients are trained, averaged and saved.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from backend.embedded.training.muon import Muon

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
        return min(1.0, (time.monotonic() - self.started) / self.seconds) if self.seconds else 1.0

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
        self.parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
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
            if name in self.average:
                parameter.copy_(self.average[name])


def fit(
    folder: Path,
    stage: str,
    module: torch.nn.Module,
    loss_of_batch: Callable[[random.Random], torch.Tensor],
    minutes: float,
    *,
    peak_rate: float,
    batch: int,
    decay: float = 0.999,
    seed: int = 1,
    muon: bool = False,
) -> None:
    """Train the module's parameters for `minutes` more, by AdamW or Muon, and leave their average in it.

    `loss_of_batch` draws a batch from the generator that it is given and returns its scalar loss. Training goes on from
    the checkpoint `folder/stage.safetensors`, where there is one; with 0 minutes that is only loaded.
    """
    checkpoint = folder / f"{stage}.safetensors"
    averaged = Averaged(module, decay)
    parameters = list(averaged.parameters.values())
    optimiser: torch.optim.Optimizer = Muon(parameters, peak_rate, weight_decay=0.01)
    if not muon:
        optimiser = torch.optim.AdamW(parameters, lr=peak_rate, betas=(0.9, 0.99), weight_decay=0.01)
    counts = load_training(checkpoint, averaged, optimiser) or {"step": 0, "images": 0}
    if not counts["step"] and not minutes:
        raise FileNotFoundError(f"{stage} has not been trained in {folder}: run `python -m backend.embedded.train`")
    rng = random.Random(seed + counts["step"])
    torch.manual_seed(seed + counts["step"])
    budget, first, smoothed = Budget(minutes), counts["step"], 0.0
    while budget.share < 1:
        step = counts["step"]
        loss = loss_of_batch(rng)
        optimiser.param_groups[0]["lr"] = budget.learning_rate(peak_rate, step - first)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        averaged.update(step)
        smoothed = loss.item() if step == first else 0.99 * smoothed + 0.01 * loss.item()
        counts = {"step": step + 1, "images": counts["images"] + batch}
        if step % 250 == 0:
            log(folder, stage=stage, **counts, share=budget.share, loss=smoothed)
        if budget.checkpoint_due():
            save_training(checkpoint, averaged, optimiser, counts)
    if minutes:
        save_training(checkpoint, averaged, optimiser, counts)
        log(folder, stage=stage, **counts, share=1.0, loss=smoothed)
    averaged.store_into(module)


def save_training(path: Path, averaged: Averaged, optimiser: torch.optim.Optimizer, counts: dict[str, int]) -> None:
    """Write parameters, their average, the optimiser's moments and the counters to one safetensors file."""
    tensors = {f"count.{name}": torch.tensor(value) for name, value in counts.items()}
    for name, parameter in averaged.parameters.items():
        tensors[f"module.{name}"] = parameter.detach().contiguous()
        tensors[f"average.{name}"] = averaged.average[name].contiguous()
        for key, value in optimiser.state.get(parameter, {}).items():
            tensors[f"{key}.{name}"] = value.contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(tensors, partial)
    partial.replace(path)


def load_training(path: Path, averaged: Averaged, optimiser: torch.optim.Optimizer) -> dict[str, int]:
    """Restore what save_training wrote and return the counters; empty where there is no checkpoint."""
    if not path.exists():
        return {}
    tensors = load_file(path)
    with torch.no_grad():
        for name, parameter in averaged.parameters.items():
            parameter.copy_(tensors[f"module.{name}"])
            averaged.average[name].copy_(tensors[f"average.{name}"])
            state = {
                key: tensors[f"{key}.{name}"].to("cpu" if key == "step" else parameter.device)
                for key in ("step", "exp_avg", "exp_avg_sq")  # Muon keeps the first moment alone
                if f"{key}.{name}" in tensors
            }
            if state:
                optimiser.state[parameter] = state
    return {name[6:]: int(value) for name, value in tensors.items() if name.startswith("count.")}


def log(folder: Path, **values) -> None:
    """Append one JSON line to the training log and show it."""
    line = json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in values.items()})
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "training_log.jsonl").open("a") as file:
        file.write(line + "\n")
    print(line, flush=True)
