"""What a pretended doctor answers, and a pretended backend that is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def finding(name: str, is_ok: bool | None, text: str = "") -> dict[str, Any]:
    return {"name": name, "is_ok": is_ok, "text": text}


HEALTHY = [
    finding("python", True, "3.11.7"),
    finding("memory", True, "32.0 GiB"),
    finding("free disk", True, "90.0 GiB"),
    finding("gpu", True, "NVIDIA H100, 80 GiB, CUDA 13.0, 1 in all"),
    finding("torch", True, "2.13.0"),
    finding("tinycudann", None, "only used with a GPU"),
    finding("embedded prior", True, "17.2 MiB"),
]


def answer(*changed: dict[str, Any]) -> dict[str, Any]:
    """What the doctor says of a machine that is healthy but for this."""
    names = {item["name"] for item in changed}
    return {"findings": [*(i for i in HEALTHY if i["name"] not in names), *changed], "gpus": ["NVIDIA H100"]}


def backend(folder: Path, script: str) -> Path:
    """A Python that answers whatever it is asked with a shell script."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program
