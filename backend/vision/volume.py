"""What fills the space behind one image: images and masks -> occupancy and colour in the cells of the camera's frustum.

A cell lies behind a pixel, at a depth: so outlines are the image's own, and what the network guesses is how deep
things are and what lies behind them. Source: Richter and Roth, Matryoshka Networks, 2018, section 3 (a network for
images whose channels are the cells along a ray); Shin et al., Pixels, Voxels, and Views, 2018 (in the viewer's frame).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from backend.cameras import Cameras, azimuth_elevation, fields_of_view, orbit, rays
from backend.errors import MissingModel
from backend.vision.pixels import resize
from backend.weights import load_frozen, network_folder

SIZE, DEPTHS = 64, 32  # pixels along a side, cells along a ray, of the occupancy
COARSE = 2  # of those along each axis make one cell of colour
TOUCHED = 0.1  # of a pixel, from which something is behind it: of thin parts none is whole
LIKELIEST = 0.6  # occupancy that the likeliest cells of a ray have at least
# Added to the logits of occupancy: where many shapes are possible their mean is less than any of them.
FULLER = 1.0
FOLD = 2  # pixels along a side that become channels
SEEN = 7  # channels: colours, mask, the rays' directions
CHANNELS = (DEPTHS * FOLD**2, 3 * DEPTHS // COARSE)  # that come out of each folded pixel: occupancy, colours


@dataclass(frozen=True)
class Volume:
    """Occupancy and colour behind each pixel of B images, near to far, from one unit before the origin to one behind.

    occupancy [B, DEPTHS, SIZE, SIZE] is a probability, colours [B, 3, D, H, W] are sRGB in [0, 1] in coarser cells.
    """

    occupancy: Tensor
    colours: Tensor


@dataclass(frozen=True)
class VolumeNetwork:
    """diffusers' UNet2DModel on images folded so that 2 x 2 pixels lie in channels."""

    network: Any

    def __call__(self, images: Tensor, masks: Tensor, cameras: Cameras) -> Volume:
        """Guess from square sRGB images [B, S, S, 3] and masks [B, S, S, 1] in [0, 1], seen by cameras [B].

        Mean of the guess and the mirrored guess of the mirrored image. Nothing is outside the masks, and something, two
        cells deep at least, on each ray inside them: where the network is unsure how deep it lies, at the likeliest.
        """
        weight = next(self.network.parameters())
        inputs = told(images, masks, cameras).to(weight)
        both = torch.cat([inputs, mirrored(inputs)])
        occupancy, colours = guess(self.network, both)
        straight, turned = (occupancy + FULLER).sigmoid().chunk(2)
        occupancy = somewhere((straight + turned.flip(-1)) / 2)
        straight, turned = colours.sigmoid().chunk(2)
        inside = (inputs[:, 3:4] + 1) / 2 > TOUCHED
        return Volume(occupancy * inside, (straight + turned.flip(-1)) / 2)


def somewhere(occupancy: Tensor) -> Tensor:
    """Return occupancy [B, D, H, W] with something on each ray: LIKELIEST at least in the likeliest two neighbours."""
    peak = occupancy.amax(1, keepdim=True)
    occupancy = occupancy * (LIKELIEST / peak.clamp_min(1e-4)).clamp_min(1)
    first = (occupancy[:, :-1] + occupancy[:, 1:]).argmax(1, keepdim=True)  # of two neighbours
    depths = torch.arange(occupancy.shape[1], device=occupancy.device)[:, None, None]
    likely = (depths == first) | (depths == first + 1)
    return torch.where(likely, occupancy.clamp_min(LIKELIEST), occupancy)


def told(images: Tensor, masks: Tensor, cameras: Cameras) -> Tensor:
    """Return what the network sees of images [B, S, S, 3], masks [B, S, S, 1] and cameras: [B, SEEN, SIZE, SIZE].

    Rays are given in a frame whose azimuth is the camera's, which is all that the image tells of it.
    """
    both = resize(torch.cat([images * masks, masks], -1).permute(0, 3, 1, 2), SIZE, SIZE)
    mask = both[:, 3:].clamp(0, 1)
    colours = torch.where(mask > 1e-3, both[:, :3] / mask.clamp_min(1e-3), 0.5).clamp(0, 1)
    height = azimuth_elevation(cameras)[1]
    facing = orbit(torch.zeros_like(height), height.cpu(), fov_degrees=fields_of_view(cameras).cpu(), size=SIZE)
    directions = rays(facing)[1].permute(0, 3, 1, 2).to(mask)
    return torch.cat([(2 * colours - 1) * mask, 2 * mask - 1, directions], dim=1)


def mirrored(inputs: Tensor) -> Tensor:
    """Return what the network would see of the mirrored object, [B, SEEN, SIZE, SIZE]."""
    flipped = inputs.flip(-1)
    sign = flipped.new_ones(SEEN)
    sign[4] = -1  # the rays' x
    return flipped * sign[:, None, None]


def guess(network: Any, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits of occupancy [B, DEPTHS, SIZE, SIZE] and of colours [B, 3, D, H, W] in coarser cells."""
    out = network(functional.pixel_unshuffle(inputs, FOLD), 0).sample  # no noise: t is 0
    occupancy, colours = out.split(CHANNELS, dim=1)
    return functional.pixel_shuffle(occupancy, FOLD), colours.unflatten(1, (3, DEPTHS // COARSE))


def cells(camera_to_world: Tensor, intrinsics: Tensor, near: float, far: float) -> Tensor:
    """Return the middles of the cells behind the pixels of one camera [4, 4], [3, 3]: world [DEPTHS, SIZE, SIZE, 3].

    The intrinsics are those of SIZE pixels; depths, from `near` to `far`, are along the camera's axis.
    """
    line = torch.arange(SIZE, dtype=torch.float32) + 0.5
    rows, columns = torch.meshgrid(line, line, indexing="ij")
    pixels = torch.stack([columns, rows, torch.ones_like(rows)], dim=-1)
    directions = pixels @ torch.linalg.inv(intrinsics).T @ camera_to_world[:3, :3].T  # of depth 1
    depths = near + (far - near) * (torch.arange(DEPTHS) + 0.5) / DEPTHS
    return camera_to_world[:3, 3] + depths[:, None, None, None] * directions


def look_into(volume: Volume, camera: Cameras, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return occupancy [N] and colours [N, 3] of the first volume at world points [N, 3]; nothing outside of it."""
    pose, intrinsics = camera.world_to_camera[0].to(points), camera.intrinsics[0].to(points)
    local = points @ pose[:3, :3].T + pose[:3, 3]
    pixels = local @ intrinsics.T
    sides = pixels.new_tensor([camera.width, camera.height])
    places = 2 * pixels[:, :2] / pixels[:, 2:].clamp_min(1e-6) / sides - 1
    deep = local[:, 2:] - camera.position[0].to(points).norm()  # from -1 to 1
    grid = torch.cat([places, deep], dim=-1)[None, None, None]  # [1, 1, 1, N, 3]
    occupancy = functional.grid_sample(volume.occupancy[:1, None].to(points), grid, align_corners=False)
    colours = functional.grid_sample(
        volume.colours[:1].to(points), grid, padding_mode="border", align_corners=False
    )  # fmt: skip
    return occupancy.flatten(), colours[0, :, 0, 0].T


def load_volume(name: str, device: torch.device | str = "cpu") -> VolumeNetwork:
    """Load the embedded network, or one of its layout from a local folder. Raises MissingModel."""
    from diffusers import UNet2DModel

    folder = network_folder(name, "volume", ("config.json", "diffusion_pytorch_model.safetensors"))
    network = load_frozen(UNet2DModel, folder, device)
    config = network.config
    wanted = (SEEN * FOLD**2, sum(CHANNELS))
    if (config.in_channels, config.out_channels) != wanted:
        raise MissingModel(
            f"The network in {folder} has {config.in_channels} channels in and {config.out_channels} out.",
            f"It must have {wanted[0]} and {wanted[1]}.",
        )
    return VolumeNetwork(network)
