"""Neural points: each has a colour and features, which a network turns into the picture that a camera sees.

Source: Customize-It-3D (arXiv 2312.11535), section 3.4. Ours begins as the points' own colours, and the surface, not
the points' discs, says where the object ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from backend.cameras import Cameras
from backend.rendering.points.network import WIDTH, PointNetwork, new_network
from backend.rendering.points.splatter import blend, splat
from backend.rendering.renderer import Rendering

FEATURES = 16
LEVELS = 3  # scales, each half of the one before
DARK, BRIGHT = 0.01, 0.99  # colours beyond have no logit


class NeuralPoints:
    """Points [N, 3] that stay where they are, their colours [N, 3] and features [N, 16], and the network.

    `width` is the number of filters of its finest level, in which most of the time goes.
    """

    def __init__(self, points: Tensor, colours: Tensor, generator: torch.Generator, width: int = WIDTH) -> None:
        self.points = points
        self.colours = colours.clone().requires_grad_()
        self.features = torch.randn(len(points), FEATURES, generator=generator).to(points).requires_grad_()
        self.network: PointNetwork = new_network(3 + FEATURES, width=width).to(points.device)

    def parameters(self) -> dict[str, Tensor]:
        """Return what learns, by name."""
        weights = {f"network.{name}": value for name, value in self.network.named_parameters()}
        return {"colours": self.colours, "features": self.features} | weights

    def state_dict(self) -> dict[str, Any]:
        """Return copies of what learns; the points are whose they were."""
        return {name: value.detach().clone() for name, value in self.parameters().items()}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state. Raises ValueError where it is of other points."""
        for name, value in self.parameters().items():
            if name not in state or state[name].shape != value.shape:
                raise ValueError(f"The saved points do not fit: {name}.")
            value.copy_(state[name])


@dataclass(frozen=True)
class DeferredRenderer:
    """A `Renderer` of neural points; `covered` says how much of each pixel the surface covers, [B, H, W, 1]."""

    neural: NeuralPoints
    covered: Callable[[Cameras], Tensor]
    radius: float = 2.0  # pixels of a disc, at each scale

    def __call__(self, cameras: Cameras, background: Tensor, *, geometry: bool = False) -> Rendering:
        """Draw the points; see `Renderer`. They have no geometry to show: raises ValueError where that is wanted."""
        if geometry:
            raise ValueError("Neural points have no depth and no normals: render their surface.")
        carried = torch.cat([self.neural.colours, self.neural.features], dim=1)
        splats = splat(self.neural.points, cameras, radius=self.radius, scales=LEVELS)
        # Channels first, also in memory: the network's gates take a third less of the processor.
        scales = [pixels.permute(0, 3, 1, 2).contiguous() for pixels in blend(carried, splats.means)]
        own = scales[0][:, :3].clamp(DARK, BRIGHT)
        rgb = torch.sigmoid(torch.logit(own) + self.neural.network(scales)).permute(0, 2, 3, 1)
        alpha = self.covered(cameras).to(rgb)
        behind = background.reshape(-1, 1, 1, 3).to(rgb)
        return Rendering(rgb * alpha + behind * (1 - alpha), alpha, None)
