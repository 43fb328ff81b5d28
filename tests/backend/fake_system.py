"""A backend whose systems are small: `python -m tests.backend.fake_system run JOB` is the real command line around."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch

from backend import __main__ as command_line
from backend.errors import EmptyMask, UnfitEnvironment
from backend.meshes.unwrapping import charts
from backend.runtime import thrift
from backend.runtime.job import Job


class Fit:
    """A linear model whose number of parameters grows, with Adam and noise: what a real optimisation has in small."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.weights = torch.nn.Parameter(torch.randn(4, generator=job.generator))  # [N]
        self.optimizer = torch.optim.Adam([self.weights], lr=0.05)
        self.losses: list[float] = []

    def step(self, number: int) -> None:
        if number % 7 == 6:
            self._replace(torch.cat([self.weights.detach(), torch.randn(1, generator=self.job.generator)]))
        noise = torch.randn(len(self.weights), generator=self.job.generator)
        dropped = torch.nn.functional.dropout(self.weights, 0.3)  # torch's own randomness
        loss = ((dropped - noise) ** 2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss.item())

    def _replace(self, weights: torch.Tensor) -> None:
        self.weights = torch.nn.Parameter(weights)
        self.optimizer = torch.optim.Adam([self.weights], lr=0.05)

    def state_dict(self) -> dict[str, Any]:
        return {"weights": self.weights, "optimizer": self.optimizer.state_dict(), "losses": self.losses}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._replace(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.losses = state["losses"]


def fit(job: Job) -> None:
    """Three stages, the second with two loops; `pause` seconds a step; bytes that depend on every random number."""
    steps, pause = int(job.settings.get("steps", 40)), float(job.settings.get("pause", 0.0))

    def prepare() -> dict[str, Any]:
        (job.stage_folder / "note.txt").write_text("made by the first stage")
        return {"offset": torch.randn(3, generator=job.generator), "scale": 1 / 3}

    def optimise() -> dict[str, Any]:
        model = Fit(job)
        for number in job.steps(steps, model):
            model.step(number)
            if job.request.prompt == "memory later" and number == steps // 2 and not thrift.most_together():
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
            job.preview(torch.full((4, 4, 3), number / steps))
            time.sleep(pause)
        for number in job.steps(steps // 2, model):
            model.step(number)
            time.sleep(pause)
        return {"weights": model.weights, "losses": model.losses}

    def export() -> dict[str, Any]:
        return {"noise": torch.randn(2, generator=job.generator) + torch.randn(2)}

    prepared = job.stage("prepare", prepare)
    fitted = job.stage("Fit weights", optimise)
    exported = job.stage("export", export)
    result = job.folder / "result"
    result.mkdir(exist_ok=True)
    parts = [
        prepared["offset"] * prepared["scale"],
        fitted["weights"],
        torch.tensor(fitted["losses"]),
        exported["noise"],
    ]
    (result / "points.bin").write_bytes(torch.cat([part.detach() for part in parts]).numpy().tobytes())


def cut_out(job: Job) -> dict[str, Any]:
    """Leave a file and find no subject."""
    (job.stage_folder / "rgb.png").write_bytes(b"half of it")
    raise EmptyMask("The mask is empty: 0 of 4 pixels are opaque.", "Check the image's alpha channel.")


def unwrap() -> dict[str, Any]:
    """Lay out triangles that share no edge."""
    corners = torch.rand(300_000, 3, generator=torch.Generator().manual_seed(0)).numpy()
    faces = torch.arange(300_000).reshape(-1, 3).numpy().astype("uint32")
    return {"charts": len(charts(corners, faces, corners, 4096)[0])}


def run_fake(job: Job) -> None:
    """Do what the prompt says."""
    match job.request.prompt.split():
        case ["print"]:
            sys.stdout.write("a library prints to stdout\n")
            os.system("echo a child process prints to stdout")
            os.write(1, b"C++ prints to stdout\n")
            fit(job)
        case ["raise"]:
            raise ZeroDivisionError("division by zero in a system")
        case ["gpu"]:
            raise UnfitEnvironment("There is no GPU.", "Use the preset draft.")
        case ["prepared"]:
            job.stage("prepare", dict)
            raise UnfitEnvironment("There is no GPU.", "Use the preset draft.")
        case ["memory", "later"]:
            fit(job)
        case ["memory"]:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        case ["images"]:
            from backend.images import load_image, subject_mask

            for image in job.request.images:
                subject_mask(*load_image(job.input_path(image)))
        case ["mesh"]:
            job.stage("mesh", lambda: time.sleep(60) or {})
        case ["unwrap"]:  # which takes minutes
            job.stage("mesh", unwrap)
        case ["native"]:  # which no signal reaches
            job.stage("mesh", lambda: {"hash": hashlib.pbkdf2_hmac("sha256", b"a", b"b", 200_000_000).hex()})
        case ["late"]:  # a signal that comes when only the last message is missing
            fit(job)
            job._control.interrupt("the process received SIGINT")
        case ["empty"]:
            job.stage("perceive", lambda: cut_out(job))
        case ["deaf"]:
            time.sleep(600)
        case _:
            fit(job)


def write_job(folder: Path, **fields: Any) -> Path:
    """Write a job folder that asks for a fake system and return it."""
    from addon.protocol import Request, write_request

    folder.mkdir(parents=True)
    write_request(folder, Request(**{"system": "tv3dg", "prompt": "fit", "seed": 3, "threads": 1, **fields}))
    return folder


if __name__ == "__main__":
    sys.exit(command_line.main(run_system=run_fake))
