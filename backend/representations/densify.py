"""Grow and prune Gaussians while they are optimised; the optimiser's state follows every Gaussian.

Source: Kerbl et al., 3D Gaussian Splatting, 2023, section 5.2; thresholds have the units of gsplat 1.5.3's
DefaultStrategy. Cloning keeps the picture by the opacity of Rota Bulo et al., Revising Densification, 2024, section
3.4. Statistics come from all views of a batch: `observe` wants the screen gradients of the guidance alone, so call it
after back-propagating the guidance and before back-propagating the regularisers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from backend.errors import BackendError
from backend.representations.gaussians import Gaussians
from backend.schedules import log_linear

SPLIT_SHRINK = 1.6


class GaussianAdam:
    """Adam whose moments are rows that follow the Gaussians.

    Source: Kingma and Ba, Adam, 2015, algorithm 1; epsilon as in 3D Gaussian Splatting.
    """

    def __init__(self, gaussians: Gaussians, *, betas: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-15):
        self.gaussians = gaussians
        self.betas = betas
        self.epsilon = epsilon
        self.steps = 0
        self.first = {name: torch.zeros_like(value.detach()) for name, value in gaussians.parameters().items()}
        self.second = {name: torch.zeros_like(value.detach()) for name, value in gaussians.parameters().items()}

    @torch.no_grad()
    def step(self, rates: Mapping[str, float]) -> None:
        """Move the parameters named in rates against their gradients, and forget the gradients of all."""
        self.steps += 1
        beta1, beta2 = self.betas
        root = math.sqrt(1 - beta2**self.steps)
        for name, value in self.gaussians.parameters().items():
            if value.grad is not None and name in rates:
                first, second = self.first[name], self.second[name]
                first.lerp_(value.grad, 1 - beta1)
                second.mul_(beta2).addcmul_(value.grad, value.grad, value=1 - beta2)
                size = (second.sqrt() / root).add_(self.epsilon)
                value.addcdiv_(first, size, value=-rates[name] / (1 - beta1**self.steps))
            value.grad = None

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of the moments, and the number of steps, as a flat dict."""
        state = {"steps": torch.tensor(self.steps)}
        for name in self.first:
            state[f"first.{name}"] = self.first[name].clone()
            state[f"second.{name}"] = self.second[name].clone()
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over a state_dict; load the Gaussians' own first. Raises ValueError where the numbers differ."""
        for name, value in self.gaussians.parameters().items():
            first, second = state[f"first.{name}"], state[f"second.{name}"]
            if first.shape != value.shape:
                raise ValueError(f"The optimiser was saved with {len(first)} Gaussians, but there are {len(value)}.")
            self.first[name], self.second[name] = first.to(value, copy=True), second.to(value, copy=True)
        self.steps = int(state["steps"])

    @torch.no_grad()
    def rearrange(self, source: Tensor, fresh: Tensor) -> None:
        """Make row source[i] of the Gaussians and their moments row i; moments of fresh rows start at 0.

        source is [M] long and fresh [M] bool. The parameters become new leaves that collect gradients.
        """
        for name, value in self.gaussians.parameters().items():
            wanted = value.requires_grad
            setattr(self.gaussians, name, value.detach()[source].requires_grad_(wanted))
            for moments in (self.first, self.second):
                moments[name] = moments[name][source]
                moments[name][fresh] = 0


@dataclass(frozen=True)
class Rates:
    """Adam's learning rates at first, and the shares of them that are left in the end; settings have the same names."""

    mean_rate: float  # world units
    colour_rate: float
    mean_rate_end: float = 0.05
    colour_rate_end: float = 0.25
    size_rate: float = 1e-2
    size_rate_end: float = 1.0
    turn_rate: float = 1e-2
    turn_rate_end: float = 1.0
    opacity_rate: float = 4e-2


def learning_rates(step: int, steps: int, rates: Rates) -> dict[str, float]:
    """Return the rate of each parameter at a step; all but that of opacities fall log-linearly."""

    def falling(first: float, left: float) -> float:
        return log_linear(step, steps, first, first * left)

    return {
        "means": falling(rates.mean_rate, rates.mean_rate_end),
        "log_scales": falling(rates.size_rate, rates.size_rate_end),
        "quaternions": falling(rates.turn_rate, rates.turn_rate_end),
        "opacity_logits": rates.opacity_rate,
        "sh": falling(rates.colour_rate, rates.colour_rate_end),
    }


@dataclass(frozen=True)
class DensitySettings:
    """When Gaussians grow and when they go; lengths are in units of the scene's extent."""

    grow_gradient: float = 2e-4  # mean screen gradient, normalised device units; it scales with the loss
    grow_fraction: float = 0.25  # at most this share grows at a time, the highest gradients first
    clone_below: float = 0.01  # largest scale: smaller ones are cloned, larger ones split
    prune_opacity: float = 0.005
    prune_scale: float = 0.1
    prune_size: float = 0.0  # largest radius, as a share of the view's side; 0: any
    max_count: int = 20_000


@dataclass(frozen=True)
class DensityChange:
    """How many Gaussians one call of `adapt` touched."""

    cloned: int
    split: int
    pruned: int


class DensityControl:
    """Statistics of the Gaussians since the last `adapt`, and what follows from them."""

    def __init__(self, gaussians: Gaussians, settings: DensitySettings, *, extent: float = 1.0):
        self.settings = settings
        self.extent = extent
        self.gradient_sum = torch.zeros_like(gaussians.opacity_logits.detach())  # [N]
        self.views = torch.zeros_like(self.gradient_sum)  # [N], how many views saw it
        self.radius = torch.zeros_like(self.gradient_sum)  # [N], the largest, as a share of a view's side

    @torch.no_grad()
    def observe(self, screen_gradients: Tensor, visible: Tensor, radii: Tensor | None = None) -> None:
        """Add the screen gradients [B, N, 2] of one batch, wherever a view saw the Gaussian, visible [B, N].

        radii [B, N] are shares of the views' sides, for `prune_size`.
        """
        if radii is not None:
            self.radius = torch.maximum(self.radius, radii.amax(0).to(self.radius))
        size = screen_gradients.norm(dim=-1)
        self.gradient_sum += torch.where(visible, size, torch.zeros_like(size)).sum(0)
        self.views += visible.sum(0)

    @torch.no_grad()
    def adapt(self, gaussians: Gaussians, optimiser: GaussianAdam, generator: torch.Generator) -> DensityChange:
        """Prune what is transparent, huge or not finite; clone small and split large ones of high gradient.

        Never leaves more than max_count. Raises BackendError when nothing would be left.
        """
        settings, count = self.settings, len(gaussians)
        largest = gaussians.scales.amax(-1)  # [N]
        opacities = gaussians.opacities
        finite = torch.stack([v.reshape(count, -1).isfinite().all(1) for v in gaussians.parameters().values()]).all(0)
        kept = finite & (opacities >= settings.prune_opacity) & (largest <= settings.prune_scale * self.extent)
        if settings.prune_size:
            kept &= self.radius <= settings.prune_size
        if int(kept.sum()) > settings.max_count:
            kept &= _highest(torch.where(kept, opacities, -1), settings.max_count)
        if not kept.any():
            raise BackendError(
                f"All {count} Gaussians became transparent, too large or invalid.",
                "Lower the opacity learning rate or prune_opacity, or start from more points.",
            )
        mean = self.gradient_sum / self.views.clamp_min(1)
        grows = kept & (mean > settings.grow_gradient)
        room = min(settings.max_count - int(kept.sum()), int(settings.grow_fraction * count))
        grows &= _highest(torch.where(grows, mean, -1), room)
        clones, splits = grows & (largest <= settings.clone_below * self.extent), grows.clone()
        splits &= ~clones
        self._grow(gaussians, optimiser, kept, clones, splits, generator)
        self.gradient_sum = torch.zeros_like(gaussians.opacity_logits.detach())
        self.views, self.radius = torch.zeros_like(self.gradient_sum), torch.zeros_like(self.gradient_sum)
        return DensityChange(int(clones.sum()), int(splits.sum()), count - int(kept.sum()))

    def _grow(
        self,
        gaussians: Gaussians,
        optimiser: GaussianAdam,
        kept: Tensor,
        clones: Tensor,
        splits: Tensor,
        generator: torch.Generator,
    ) -> None:
        stay, twins, parents = ((kept & ~splits).nonzero()[:, 0], clones.nonzero()[:, 0], splits.nonzero()[:, 0])
        source = torch.cat([stay, twins, parents, parents])
        new = torch.arange(len(source), device=source.device) >= len(stay)
        optimiser.rearrange(source, new)
        # Two that lie in one place let through (1 - o')^2 of the light; make that 1 - o.
        halved = clones[source]
        opacities = gaussians.opacities[halved]
        gaussians.opacity_logits[halved] = torch.logit(1 - (1 - opacities).sqrt(), eps=1e-6)
        # Children are drawn from their parent's distribution.
        children = slice(len(stay) + len(twins), None)
        noise = torch.randn(2 * len(parents), 3, generator=generator).to(gaussians.means)
        offsets = gaussians.rotations[children] @ (gaussians.scales[children] * noise)[..., None]
        gaussians.means[children] += offsets[..., 0]
        gaussians.log_scales[children] -= math.log(SPLIT_SHRINK)

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of the statistics."""
        return {name: getattr(self, name).clone() for name in ("gradient_sum", "views", "radius")}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over a state_dict."""
        self.gradient_sum = state["gradient_sum"].to(self.gradient_sum, copy=True)
        self.views = state["views"].to(self.views, copy=True)
        self.radius = state["radius"].to(self.radius, copy=True)


@torch.no_grad()
def reset_opacities(gaussians: Gaussians, optimiser: GaussianAdam, most: float = 0.01) -> None:
    """Lower all opacities to at most `most`, and forget their moments.

    Source: Kerbl et al. 2023, section 5.2.
    """
    gaussians.opacity_logits.clamp_(max=math.log(most / (1 - most)))
    optimiser.first["opacity_logits"].zero_()
    optimiser.second["opacity_logits"].zero_()


def _highest(values: Tensor, count: int) -> Tensor:
    """Return a mask of the `count` highest values; equal ones in order of their index."""
    mask = torch.zeros_like(values, dtype=torch.bool)
    mask[values.argsort(descending=True, stable=True)[: max(count, 0)]] = True
    return mask
