"""A job folder that has learnt a subject, made by hand."""

from __future__ import annotations

from pathlib import Path

from addon import protocol

PHOTOS = tuple(protocol.InputImage(path=f"inputs/0{n}.png", role="subject") for n in range(2))


def write(path: Path, content: bytes = b"?") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def made_job(folder: Path, *, token: str = "sks", prompt: str = "a red bear") -> Path:
    """Make a job whose stages are those of a finished one, of a few bytes each."""
    (folder / "inputs").mkdir(parents=True)
    protocol.write_request(folder, protocol.Request(system="dreambooth3d", prompt=prompt, images=PHOTOS))
    for stage in ("1-cutouts", "2-classes", "3-teaching"):
        write(folder / f"stages/{stage}/stage.json", b"{}")
        write(folder / f"stages/{stage}/values.json", b"{}")
        write(folder / f"stages/{stage}/randomness.safetensors")
    for number in (1, 3):
        write(folder / f"stages/1-cutouts/photo-0{number}.png", f"photo {number}".encode())
    write(folder / "stages/2-classes/tensors.safetensors", b"latents")
    for name in ("partial", "full"):
        write(folder / f"stages/3-teaching/{name}/unet/config.json", b"{}")
        write(folder / f"stages/3-teaching/{name}/unet/diffusion_pytorch_model.safetensors", name.encode())
    taught = protocol.Taught(subject="bear", token=token, prior="f" * 64)
    write(folder / "stages/3-teaching/taught.json", protocol.encode_taught(taught))
    return folder
