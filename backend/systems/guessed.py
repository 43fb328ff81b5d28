"""What a network guesses of the space behind the reference image, as what an optimisation begins from.

None of the three papers has it. Theirs is a ball, or with LucidDreamer, which TV-3DG builds on, Point-E's cloud.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from backend.cameras import Cameras
from backend.rendering.renderer import Renderer
from backend.rendering.volume import volume_renderer
from backend.representations.gaussians import ball_of_points, outward_directions
from backend.representations.hull import CANDIDATES, SHELL, HullPoints, look_up, project
from backend.representations.inflated import STRENGTH
from backend.representations.radiance import EMPTY_RAW, START_DENSITY, logit, raw_of
from backend.representations.radiance_grid import RadianceGrid, grid_points
from backend.systems.palette import CELLS
from backend.systems.reference import Target
from backend.vision.calibration import SOLID
from backend.vision.volume import Volume, load_volume, look_into
from backend.weights import network_name

NODES = 64
THICK = 0.15  # world units behind the first surface, which still have the image's colours
STEEP = 3.0  # from an occupancy of 2 / 3 on, the field is as dense as it gets
DENSE = 40.0  # density inside: a surface is solid within two nodes
LEAST_NODES = 30  # that are inside, from which there is an object


@torch.no_grad()
def guess_field(target: Target, companions: str, nodes: int = NODES, *, background: float = 0.9) -> RadianceGrid | None:
    """Return a field of what may fill the space behind a reference, in its colours where it sees; None if nothing does.

    Nothing is where the image shows nothing. On the CPU. Raises MissingModel.
    """
    network = load_volume(network_of(companions))
    volume = network(target.rgb.cpu(), target.mask.cpu(), target.camera)
    points = grid_points(nodes)
    occupancy, colours = look_into(volume, target.camera, points)
    places, _ = project(points, target.camera)
    layers = torch.cat([target.rgb * target.mask, target.mask], -1).cpu().permute(0, 3, 1, 2)
    width = max(1, round(target.camera.width / nodes))  # pixels between nodes: what is thinner must meet one
    wide = functional.avg_pool2d(layers, 2 * width + 1, 1, width)
    shown = look_up(torch.where(layers[:, 3:] > SOLID, layers, wide).permute(0, 2, 3, 1), places)[0]  # [N, 4]
    thick = functional.max_pool2d(layers[:, 3:], 2 * width - 1, 1, width - 1)
    meets = look_up(thick.permute(0, 2, 3, 1), places)[0, :, 0]  # [N]
    inside = (occupancy > 0.5) & (meets > SOLID)
    if int(inside.sum()) < LEAST_NODES:
        return None
    seen = first_met(volume, target.camera, points)[:, None]
    own = shown[:, :3] / shown[:, 3:].clamp_min(1e-3)
    colours = torch.where(shown[:, 3:] > 1e-3, colours + seen * (own - colours), colours)
    surely = (STEEP * (2 * torch.minimum(occupancy, meets) - 1)).clamp(-1, 1)
    dense = (DENSE / STRENGTH * functional.softplus(STRENGTH * surely)).clamp_min(START_DENSITY)
    raw = torch.where(points.norm(dim=1) <= 1, raw_of(dense), EMPTY_RAW - 1)
    values = torch.cat([raw[:, None], torch.logit(colours.clamp(0.02, 0.98))], dim=1)
    return RadianceGrid(values.reshape(nodes, nodes, nodes, 4), torch.full((3,), logit(background)))


def network_of(companions: str) -> str:
    """Return what to load the network by: it looks at images alone, so that ours serves beside any prior's others."""
    return network_name(companions, "volume") if (Path(companions) / "volume").is_dir() else "embedded"


def first_met(volume: Volume, camera: Cameras, points: Tensor) -> Tensor:
    """Return whether points [N, 3] lie before the first surface that the camera meets, or THICK behind: [N], 0 to 1."""
    free = 1 - (volume.occupancy[:1] > 0.5).float().cummax(dim=1).values  # behind each cell
    step = round(THICK / (2 / volume.occupancy.shape[1]))
    before = functional.pad(free, (0, 0, 0, 0, 1 + step, 0), value=1.0)[:, : free.shape[1]]
    return look_into(Volume(before, volume.colours[:1]), camera, points)[0]


@torch.no_grad()
def pictures_of(field: RadianceGrid, cameras: Cameras) -> tuple[Tensor, Tensor]:
    """Return what cameras see of a field before white [V, S, S, 3], and where it is solid [V, S, S, 1], 0 or 1."""
    found = volume_renderer(field, samples=2 * len(field))(cameras, torch.ones(3))
    return found.rgb.clamp(0, 1), (found.alpha > SOLID).to(found.alpha)


def guess_loss(field: RadianceGrid, rgb: Tensor, cameras: Cameras, background: Tensor) -> Tensor:
    """Return how far renderings [B, S, S, 3] before a background [3] are from a guessed field as cameras [B] see it.

    A scalar: the mean absolute difference of the mean colours of CELLS x CELLS cells, counted by those that the guess
    fills, and the mean over views. So outlines count as colours do.
    """
    cells = min(CELLS, cameras.width)
    coarse = cameras.with_width(min(2 * CELLS, cameras.width))  # as many pixels as it has nodes
    with torch.no_grad():
        seen = volume_renderer(field, samples=3 * len(field) // 2)(coarse, background.to(field.values))
        wanted = functional.adaptive_avg_pool2d(torch.cat([seen.rgb, seen.alpha], -1).permute(0, 3, 1, 2), cells).to(
            rgb
        )
    off = functional.adaptive_avg_pool2d(rgb.permute(0, 3, 1, 2), cells) - wanted[:, :3]
    return (off.abs().mean(1).sum((1, 2)) / wanted[:, 3].sum((1, 2)).clamp_min(1)).mean()


def one_view_loss(
    guess: RadianceGrid, render: Renderer, cameras: Cameras, background: Tensor, generator: torch.Generator
) -> Tensor:
    """Return `guess_loss` of what a renderer shows to one of the cameras, drawn at random."""
    camera = cameras[int(torch.randint(len(cameras), (), generator=generator))]
    return guess_loss(guess, render(camera, background).rgb, camera, background)


@torch.no_grad()
def points_of(field: RadianceGrid, count: int, generator: torch.Generator) -> HullPoints | None:
    """Draw points inside a field, most of them near its surface; None where there are less than `count`."""
    candidates = ball_of_points(CANDIDATES * count, 1.0, generator)
    raw, colours = field(candidates)
    inside = raw > edge_of()
    if int(inside.sum()) < count:
        return None
    candidates, colours = candidates[inside], colours[inside]
    chosen = slice(0, SHELL * count)
    deep = distance_inside(field.values[..., 0] > edge_of())
    places = candidates[chosen].flip(-1).reshape(1, -1, 1, 1, 3)
    found = functional.grid_sample(deep[None, None], places, align_corners=True)[0, 0, :, 0, 0]
    nearest = found.argsort()[:count]
    points = candidates[chosen][nearest]
    return HullPoints(points, colours[chosen][nearest], outward_directions(points, candidates))


def edge_of() -> Tensor:
    """Return the raw density of what is as likely inside as outside."""
    return raw_of(DENSE / STRENGTH * functional.softplus(torch.zeros(())))


def distance_inside(solid: Tensor) -> Tensor:
    """Return how far each node inside [R, R, R] is from the outside, in nodes."""
    from scipy.ndimage import distance_transform_edt  # here, because the import takes a tenth of a second

    return torch.from_numpy(distance_transform_edt(solid.numpy())).float()
