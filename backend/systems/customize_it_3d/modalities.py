"""The four images of an object, colours, depth, normals and mask, in one coding for teaching and for guidance.

Normals are coded (n + 1) / 2 in camera axes, +x right, +y up, +z to the viewer, on white; depth is white where it is
nearest and black where it is furthest and outside; the mask is white on black.
Source: Customize-It-3D (arXiv 2312.11535), section 3.2. Its code judges normals in world axes, which it never taught.
"""

from __future__ import annotations

import torch
from torch import Tensor

from addon.protocol.systems.customize_it_3d import CustomizeIt3DSettings
from backend.cameras import Cameras
from backend.diffusion.finetune import with_token
from backend.rendering.renderer import Rendering
from backend.vision.calibration import SOLID, in_camera_axes

KINDS = ("mask", "depth", "normal", "rgb")  # in the order in which the paper's authors teach them


def steps_of(settings: CustomizeIt3DSettings) -> dict[str, int]:
    """Return how often each kind of image is learnt from; without those that are not."""
    steps = {kind: getattr(settings, f"{kind}_steps") for kind in KINDS}
    return {kind: n for kind, n in steps.items() if n and (kind == "rgb" or settings.modalities == "all")}


def words_for(kind: str, settings: CustomizeIt3DSettings, subject: str, prompt: str = "") -> str:
    """Return what the prior is told of a kind of image of an object, in teaching as in guidance: `a sks chair`.

    Of its colours the whole prompt is said, where there is one and the settings want that: `a red sks chair`.
    """
    template: str = getattr(settings, f"{kind}_prompt")
    named = f"{settings.token} {subject}"
    if kind == "rgb" and prompt and settings.whole_prompt:
        named = prompt if named in prompt else with_token(prompt, settings.token, subject)
    return template.replace("{subject}", named) if "{subject}" in template else f"{template} {named}"


def depth_picture(nearness: Tensor, mask: Tensor) -> Tensor:
    """Return nearness [B, H, W, 1] of any scale and offset as a picture [B, H, W, 3], from 0 to 1 inside the mask."""
    inside = (mask > SOLID) & torch.isfinite(nearness)
    low = torch.where(inside, nearness, torch.inf).detach().amin((1, 2, 3), keepdim=True)
    high = torch.where(inside, nearness, -torch.inf).detach().amax((1, 2, 3), keepdim=True)
    spread = torch.where(high > low, high - low, torch.ones_like(high))
    return (((nearness - torch.where(inside.any(), low, 0.0)) / spread).clamp(0, 1) * mask).expand(-1, -1, -1, 3)


def normal_picture(normal: Tensor, mask: Tensor) -> Tensor:
    """Return unit normals [B, H, W, 3] in camera axes as a picture on white."""
    return (normal + 1) / 2 * mask + 1 - mask


def normals_of(picture: Tensor) -> Tensor:
    """Return the unit normals [B, H, W, 3] that a picture shows, the way back of `normal_picture` inside the mask."""
    return torch.nn.functional.normalize(picture * 2 - 1, dim=-1, eps=1e-6)


def mask_picture(mask: Tensor) -> Tensor:
    """Return a mask [B, H, W, 1] as a picture."""
    return mask.expand(-1, -1, -1, 3)


def rendered_picture(kind: str, rendering: Rendering, cameras: Cameras, *, world_axes: bool = False) -> Tensor:
    """Return what a rendering [B, H, W, ...] with geometry shows of a kind of image, coded as it was taught.

    With `world_axes` normals are coded as the paper's code does, which is right from one side only.
    """
    match kind:
        case "rgb":
            return rendering.rgb
        case "normal":
            normal = rendering.normal if world_axes else in_camera_axes(rendering.normal, cameras)
            return normal_picture(normal, rendering.alpha)
        case "depth":
            return depth_picture(-rendering.depth, rendering.alpha)
        case "mask":
            return mask_picture(rendering.alpha)
    raise ValueError(f"unknown kind of image {kind!r}: {', '.join(KINDS)}")
