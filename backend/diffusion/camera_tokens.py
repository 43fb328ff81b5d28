"""Tells cameras to priors that were trained with them, by way of the text tokens that the cross-attention reads.

A plain pipeline, which tells no camera, works as well.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from backend.cameras import Cameras, azimuth_elevation, framing_distance

FEATURES = 8
FOLDER = "camera_encoder"


class CameraEncoder(torch.nn.Module):
    """Tells a prompt's context from where the object is seen; cameras that are not told leave it as it is.

    Two tokens for the camera alone were hardly heard among the thirty of the text: what "a chair" looks like from the
    left is a matter of both. So each text token is also moved, by a layer that sees it together with the camera.
    """

    def __init__(self, width: int, tokens: int = 2) -> None:
        super().__init__()
        self.tokens = tokens
        self.hidden = torch.nn.Linear(FEATURES, width)
        self.out = torch.nn.Linear(width, tokens * width)
        self.norm = torch.nn.LayerNorm(width)  # as loud as text tokens, which have passed one too
        self.null = torch.nn.Parameter(torch.zeros(tokens, width))
        self.text = torch.nn.Linear(width, 2 * width)
        self.camera = torch.nn.Linear(width, 2 * width)
        self.move = torch.nn.Linear(2 * width, width)
        torch.nn.init.zeros_(self.move.weight)
        torch.nn.init.zeros_(self.move.bias)

    def forward(self, context: torch.Tensor, features: torch.Tensor, known: torch.Tensor | None = None) -> torch.Tensor:
        """Return [B, T + tokens, width] for a context [B, T, width] and features [B, 8].

        Where `known` [B] is false the context stays, and the tokens are the null camera's.
        """
        hidden = torch.nn.functional.silu(self.hidden(features))  # [B, width]
        tokens = self.norm(self.out(hidden).unflatten(-1, (self.tokens, -1)))
        both = torch.nn.functional.silu(self.text(context) + self.camera(hidden)[:, None])
        moved = context + self.move(both)
        if known is not None:
            tokens = torch.where(known[:, None, None], tokens, self.null)
            moved = torch.where(known[:, None, None], moved, context)
        return torch.cat([moved, tokens], dim=1)


def camera_features(cameras: Cameras) -> torch.Tensor:
    """Return [B, 8] numbers that describe cameras that look at the origin: angles, field of view, distance."""
    azimuth, elevation = (torch.deg2rad(angle) for angle in azimuth_elevation(cameras))
    tangent = 0.5 * cameras.width / cameras.intrinsics[:, 0, 0]
    fov = torch.rad2deg(2 * torch.atan(tangent))
    zoom = cameras.position.norm(dim=-1) / framing_distance(fov)
    return angle_features(azimuth, elevation, tangent, zoom)


def angle_features(
    azimuth: torch.Tensor, elevation: torch.Tensor, tangent: torch.Tensor, zoom: torch.Tensor
) -> torch.Tensor:
    """Return the features [B, 8] of angles in radians, tan(fov / 2) and distance over framing distance, each [B]."""
    return torch.stack(
        [
            azimuth.sin(), azimuth.cos(), (2 * azimuth).sin(), (2 * azimuth).cos(),
            elevation.sin(), elevation.cos(), 4 * (tangent - 0.36), 5 * (zoom - 1.0),
        ],
        dim=-1,
    )  # fmt: skip


def save_camera_encoder(folder: Path, encoder: CameraEncoder) -> None:
    """Write the weights (fp16) into a prior's folder."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    state = {name: value.half().contiguous() for name, value in encoder.state_dict().items()}
    save_file(state, folder / FOLDER / "model.safetensors")


def load_camera_encoder(folder: Path) -> CameraEncoder | None:
    """Return a prior's camera encoder in fp32, or None where the prior takes no cameras."""
    path = folder / FOLDER / "model.safetensors"
    if not path.exists():
        return None
    state = {name: value.float() for name, value in load_file(path).items()}
    tokens, width = state["null"].shape
    encoder = CameraEncoder(width, tokens)
    encoder.load_state_dict(state)
    return encoder.eval()
