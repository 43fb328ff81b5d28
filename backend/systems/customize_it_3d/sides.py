"""Three sides of the object, guessed or drawn by the taught prior: with the image they say what shape it begins as.

The original has none of this: it begins from a ball, which in few steps does not become legs or an aerial.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from addon.protocol.systems.customize_it_3d import CustomizeIt3DSettings
from backend.cameras import Cameras, azimuth_elevation, concatenate, orbit
from backend.diffusion.denoiser import Prior
from backend.diffusion.sampling import denoise, noise_for
from backend.errors import BadInput
from backend.images import load_image, save_image
from backend.rendering.volume import volume_renderer
from backend.representations.growing_grid import nodes_for
from backend.representations.hull import hull_grid
from backend.representations.radiance_grid import RadianceGrid
from backend.runtime.job import Job
from backend.systems.customize_it_3d.modalities import words_for
from backend.systems.customize_it_3d.perceived import Perceived
from backend.systems.customize_it_3d.teaching import sided
from backend.systems.guessed import guess_field, pictures_of
from backend.systems.palette import palette_of, recoloured
from backend.systems.reference import Target
from backend.vision.calibration import SOLID
from backend.vision.matting import load_matting
from backend.weights import network_name

NAMES = ("right", "back", "left")
TURNS = (90.0, 180.0, 270.0)  # degrees from the image's side
STEPS, SCALE = 25, 4.0  # of sampling
LOWEST, HIGHEST = -10.0, 45.0  # degrees, from where priors know things
LOOSE = 64  # a share of the picture, by which a drawn outline may be too narrow: two pixels of 128
THERE = 0.1  # alpha, from which something can become solid: a new field is thin along its edges
MOST_SCALED = 1.25  # how much larger or smaller a side may be drawn than the image
FINE_NODES = 64
LEAST_COVERED = 0.9  # of the image's mask by the hull, from which the sides are of the same object
NOTHING = (
    "Nothing solid is guessed behind the image, so the object begins from its outline.",
    "Look at the mask: stop after the four images, and replace it if it is too thin.",
)
MISFIT = (
    "The drawn sides do not fit to the image, so the object begins from its outline.",
    "Stop after the drawn sides and replace one, or say in the prompt what the thing is.",
)


@dataclass(frozen=True)
class Beginning:
    """Three sides as views, and the guessed field that they show, unless the prior or the artist drew one."""

    views: Target
    guessed: RadianceGrid | None = None


def draw_sides(
    job: Job, taught: Prior, seen: Perceived, settings: CustomizeIt3DSettings, made_with: dict
) -> Beginning | None:
    """Run the stage `sides`; None where the settings or the prior have none.

    They are those of the guessed volume. Or the taught prior draws them from one noise, so that they are of one object;
    what disagrees with the image's colours is carried over to them. It leaves right.png, back.png and left.png, which
    the artist may replace by squares.
    """
    if settings.start != "sides":
        return None
    guessed = None
    if settings.guessed_sides:
        guessed = guess_field(seen.target, settings.companions, first_nodes(settings))
        if guessed is None:
            job.warn(*NOTHING)
            return None
    size = taught.image_size
    middle, height = (float(angle[0]) for angle in azimuth_elevation(seen.target.camera))
    cameras = orbit([middle + turn for turn in TURNS], min(max(height, LOWEST), HIGHEST), size=size)
    matting = load_matting(network_name(settings.companions, "matting"), taught.device)
    views = pictures_of(guessed, cameras) if guessed is not None else None

    @torch.no_grad()
    def make() -> dict[str, Any]:
        if views is not None:
            return leave(job, views[0])
        if not taught.takes_cameras:
            return {}
        words = sided(words_for("rgb", settings, seen.subject, seen.prompt), cameras, settings)
        noise = noise_for(taught, 1, job.generator).expand(len(cameras), -1, -1, -1)
        told, untold = taught.embed(words, cameras), taught.embed([job.request.negative_prompt] * len(cameras))
        latents = denoise(taught.predict_noise, noise, taught.alphas, told, untold, steps=STEPS, scale=SCALE)
        pictures = taught.decode(latents).cpu()
        mask = matting(pictures.to(taught.device)).cpu()
        pictures, mask = as_high(pictures * mask + 1 - mask, mask, seen.target.mask)
        pictures = recoloured(pictures, (mask > SOLID).to(mask), cameras, palette_of(seen.target))
        return leave(job, pictures)

    job.stage("sides", make, depends_on=made_with)
    if views is not None and not job.stages[-1]["replaced"]:
        return Beginning(Target(cameras, *views), guessed)
    if not taught.takes_cameras and guessed is None:
        job.warn("This prior cannot be told where the camera is, so the object begins from its outline.")
        return None
    pictures = []
    for name in NAMES:
        rgb, alpha = load_image(job.stage_path("sides") / f"{name}.png")
        if rgb.shape[:2] != (size, size):
            raise BadInput(
                f"{name}.png has {rgb.shape[1]} x {rgb.shape[0]} pixels, not {size} x {size}.",
                "Replace it by a picture of the same size.",
            )
        pictures.append(rgb if alpha is None else rgb * alpha + 1 - alpha)
    rgb = torch.stack(pictures)
    with torch.no_grad():
        mask = (matting(rgb.to(taught.device)) > SOLID).to(rgb).cpu()
    return Beginning(Target(cameras, rgb, mask))


def leave(job: Job, pictures: Tensor) -> dict[str, Any]:
    """Write the three sides and show the back."""
    for name, picture in zip(NAMES, pictures, strict=True):
        save_image(job.stage_folder / f"{name}.png", picture)
    job.preview(pictures[1])
    return {}


def first_nodes(settings: CustomizeIt3DSettings) -> int:
    """Return the nodes along a side at first: what a picture says of thin parts would not fit on the coarsest grid."""
    return max(nodes_for(0, settings.coarse_steps, settings.nodes), min(settings.nodes, FINE_NODES))


def as_high(pictures: Tensor, masks: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Return pictures [B, S, S, 3] on white and masks [B, S, S, 1], moved and scaled to the rows of another mask.

    What a prior draws is a little higher or lower than the image, and of such silhouettes the ends have nothing in
    common. One that is empty, or of quite another size, stays.
    """
    middle, half = rows_of(wanted[0])
    moved = []
    for picture, mask in zip(pictures, masks, strict=True):
        layers = torch.cat([1 - picture, mask], dim=-1)  # outside of them there is nothing
        if bool((mask > SOLID).any()):
            own, own_half = rows_of(mask)
            scale = own_half / half
            if 1 / MOST_SCALED < scale < MOST_SCALED:
                matrix = torch.tensor([[[scale, 0.0, 0.0], [0.0, scale, own - scale * middle]]])
                grid = functional.affine_grid(matrix, [1, 4, *mask.shape[:2]], align_corners=False)
                found = functional.grid_sample(layers.permute(2, 0, 1)[None], grid, align_corners=False)
                layers = found[0].permute(1, 2, 0)
        moved.append(layers)
    both = torch.stack(moved)
    return 1 - both[..., :3], both[..., 3:]


def rows_of(mask: Tensor) -> tuple[float, float]:
    """Return the middle and half the height of what is solid in a mask [S, S, 1], from -1 to 1 over the picture."""
    rows = torch.nonzero((mask[..., 0] > SOLID).any(1)).flatten()
    low, high = 2 * float(rows[0]) / len(mask) - 1, 2 * float(rows[-1] + 1) / len(mask) - 1
    return (low + high) / 2, (high - low) / 2


@torch.no_grad()
def hull_of(nodes: int, seen: Perceived, sides: Target) -> RadianceGrid | None:
    """Return the field of what image and sides have in common; None where that covers too little of the image."""
    size = sides.camera.width
    assert seen.target.camera.width == size, (seen.target.camera.width, size)
    loose = max(1, size // LOOSE)
    wide = functional.max_pool2d(sides.mask.permute(0, 3, 1, 2), 2 * loose + 1, 1, loose).permute(0, 2, 3, 1)
    pictures, masks = torch.cat([seen.target.rgb, sides.rgb]), torch.cat([seen.target.mask, wide])
    field = hull_grid(nodes, pictures, masks, concatenate([seen.target.camera, *sides.camera]))
    return field if field is not None and covered(field, seen.target) >= LEAST_COVERED else None


def covered(field: RadianceGrid, target: Target) -> float:
    """Return the share of a target's mask in which its camera sees something of a field."""
    alpha = volume_renderer(field, samples=2 * len(field))(target.camera, torch.zeros(3)).alpha.cpu()
    solid = target.mask > SOLID
    return float(((alpha > THERE) & solid).sum() / solid.sum().clamp_min(1))


def one_side(sides: Target, generator: torch.Generator) -> tuple[Cameras, Tensor, Tensor]:
    """Return a side drawn at random: its camera, picture [1, S, S, 3] and mask [1, S, S, 1]."""
    chosen = int(torch.randint(len(sides.camera), (), generator=generator))
    return sides.camera[chosen], sides.rgb[chosen : chosen + 1], sides.mask[chosen : chosen + 1]
