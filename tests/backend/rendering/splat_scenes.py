"""Small scenes of Gaussians for the rasteriser's tests, and all that can be compared of a rendering."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from backend.cameras import Cameras
from backend.rendering.renderer import Rendering
from backend.representations.gaussians import Gaussians, ball_of_points, gaussians_from_points

BLACK = torch.zeros(3)


def cloud(
    count: int = 60, *, opacity: float = 0.4, degree: int = 0, stretch: float = 0.5, dtype: torch.dtype = torch.float32
) -> Gaussians:
    """Return Gaussians of many shapes and directions in the unit ball."""
    generator = torch.Generator().manual_seed(count)
    points, colours = ball_of_points(count, 0.8, generator), torch.rand(count, 3, generator=generator)
    gaussians = gaussians_from_points(points, colours, opacity=opacity, sh_degree=degree)
    gaussians.quaternions = torch.randn(count, 4, generator=generator)
    gaussians.log_scales = gaussians.log_scales - 0.5 + stretch * torch.randn(count, 3, generator=generator)
    gaussians.opacity_logits = gaussians.opacity_logits + torch.randn(count, generator=generator)
    gaussians.sh = gaussians.sh + 0.1 * torch.randn(gaussians.sh.shape, generator=generator)
    return Gaussians(**{name: value.to(dtype) for name, value in gaussians.parameters().items()}).requires_grad_()


def single(mean: tuple, scale: float, opacity: float, colour: tuple = (1.0, 0.5, 0.25)) -> Gaussians:
    """Return one round Gaussian."""
    return Gaussians(
        means=torch.tensor([mean]),
        log_scales=torch.full((1, 3), math.log(scale)),
        quaternions=torch.tensor([[1.0, 0, 0, 0]]),
        opacity_logits=torch.logit(torch.tensor([opacity])),
        sh=((torch.tensor(colour) - 0.5) / 0.28209479177387814).reshape(1, 1, 3),
    )


def joined(*parts: Gaussians) -> Gaussians:
    names = parts[0].parameters()
    return Gaussians(**{name: torch.cat([part.parameters()[name] for part in parts]) for name in names})


def looking_along_z(size: int = 17, focal: float = 20.0, width: int | None = None) -> Cameras:
    """Return a camera at the origin that looks along +z, its axis through the centre of the middle pixel."""
    width = width or size
    intrinsics = torch.tensor([[[focal, 0, width / 2], [0, focal, size / 2], [0, 0, 1.0]]])
    return Cameras(torch.eye(4)[None], intrinsics, width, size)


def everything(
    render: Callable, gaussians: Gaussians, cameras: Cameras, geometry: bool, **options: bool
) -> dict[str, torch.Tensor]:
    """Return images, and all gradients of a random weighting of the images."""
    background = torch.linspace(0, 1, 3 * len(cameras), dtype=gaussians.means.dtype).reshape(-1, 3).requires_grad_()
    result = render(gaussians, cameras, background, geometry=geometry, **options)
    rgb, alpha, sums = (result.rgb, result.alpha, result.sums) if isinstance(result, Rendering) else result
    images = {"rgb": rgb, "alpha": alpha, **({"sums": sums} if geometry else {})}
    generator = torch.Generator().manual_seed(1)
    weights = [torch.randn(image.shape, generator=generator).to(image) for image in images.values()]
    torch.autograd.backward(list(images.values()), weights)
    gradients = {f"d {name}": slope(value) for name, value in gaussians.parameters().items()}
    images = {name: value.detach() for name, value in images.items()}
    return {**images, **gradients, "d background": slope(background)}


def slope(value: torch.Tensor) -> torch.Tensor:
    assert value.grad is not None, "nothing was back-propagated to this tensor"
    return value.grad
