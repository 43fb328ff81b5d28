"""Trains the network that sees mask, depth and normals in one image, on renders that know them."""

from __future__ import annotations

import json
import random
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DModel

from backend.embedded.objects.data import (
    SIZE,
    STYLE_WEIGHTS,
    background_colour,
    cameras_of,
    sun_direction,
    view_parameters,
)
from backend.embedded.objects.shapes import HELD_OUT, STYLES, make_subject
from backend.embedded.objects.solids import photograph
from backend.embedded.training.loop import fit

PEAK_RATE = 1e-3
BATCH = 16
VIEWS = 4
FOLD = 4  # pixels of a side that become channels: what a convolution costs falls with the area
SHARD_OBJECTS = 100
FIRST_SEED = 100_000  # objects that the base has not seen either, and below those that are held out


def new_perception() -> UNet2DModel:
    """Return the network: 128 px folded to 32 px by 48 channels -> 80 channels that unfold to [5, 128, 128]."""
    return UNet2DModel(
        sample_size=SIZE // FOLD, in_channels=3 * FOLD**2, out_channels=5 * FOLD**2, layers_per_block=1,
        block_out_channels=(48, 64, 96), down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"), attention_head_dim=16, norm_num_groups=16,
    )  # fmt: skip


def perceive(network: UNet2DModel, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return mask logits, nearness and normals (camera axes, any length), [B, 1 | 1 | 3, H, W], of [B, 3, H, W].

    Images are in [-1, 1].
    """
    folded = torch.nn.functional.pixel_unshuffle(images, FOLD)
    out = torch.nn.functional.pixel_shuffle(network(folded, 0).sample, FOLD)
    return out[:, :1], out[:, 1:2], out[:, 2:]


def render_maps(seed: int, views: int = VIEWS, **subject_arguments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rgb (uint8 [V, H, W, 3]), depth (fp16 [V, H, W], 0 outside) and camera normals (int8 [V, H, W, 3])."""
    rng = random.Random(seed * 7919 + 29)
    subject = make_subject(seed, **subject_arguments)
    style = rng.choices(STYLES, STYLE_WEIGHTS)[0]
    parameters = view_parameters(rng, views)
    cameras = cameras_of(parameters)
    background = background_colour(rng, style)
    picture = photograph(subject.solid, cameras, background, light=sun_direction(rng), style=style)
    to_camera = cameras.camera_to_world[:, None, :3, :3] * torch.tensor([1.0, -1.0, -1.0])  # y up, z to the viewer
    normal = (picture.normal @ to_camera) * picture.mask  # [V, H, W, 3]
    depth = picture.depth * picture.mask
    return (
        (255 * picture.rgb).round().byte().numpy(),
        depth[..., 0].half().numpy(),
        (127 * normal).round().to(torch.int8).numpy(),
    )


def _render_shard(arguments: tuple[int, Path]) -> int:
    shard, folder = arguments
    if not (folder / f"{shard:04d}.json").exists():
        torch.set_num_threads(1)
        first = FIRST_SEED + shard * SHARD_OBJECTS
        assert first + SHARD_OBJECTS <= HELD_OUT.first_seed
        maps = [render_maps(seed) for seed in range(first, first + SHARD_OBJECTS)]
        for name, arrays in zip(("rgb", "depth", "normal"), zip(*maps, strict=True), strict=True):
            np.save(folder / f"{shard:04d}-{name}.npy", np.concatenate(arrays))
        (folder / f"{shard:04d}.json").write_text(json.dumps({"first_seed": first, "objects": SHARD_OBJECTS}))
    return shard


def render_all_maps(folder: Path, objects: int, processes: int = 2) -> None:
    """Render whole shards until at least `objects` objects are on disk; shards already there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    with get_context("spawn").Pool(processes) as pool:
        for done in pool.imap_unordered(_render_shard, [(i, folder) for i in range(-(-objects // SHARD_OBJECTS))]):
            print(f"maps {done}", flush=True)


def train_perception(folder: Path, maps: Path, minutes: float) -> UNet2DModel:
    """Train on renders before backgrounds of every kind; depth counts up to scale and shift of its nearness."""
    names = sorted(path.stem for path in maps.glob("[0-9][0-9][0-9][0-9].json"))
    shards = [[np.load(maps / f"{n}-{kind}.npy", mmap_mode="r") for kind in ("rgb", "depth", "normal")] for n in names]
    network = new_perception()

    def loss_of_batch(rng: random.Random) -> torch.Tensor:
        chosen = [(rng.choice(shards), rng.randrange(SHARD_OBJECTS * VIEWS)) for _ in range(BATCH)]
        rgb, depth, normal = (np.stack([shard[k][i] for shard, i in chosen]) for k in range(3))
        images = torch.from_numpy(rgb).permute(0, 3, 1, 2).float() / 127.5 - 1
        depth = torch.from_numpy(depth).float()[:, None]
        normal = torch.from_numpy(normal).float().permute(0, 3, 1, 2) / 127
        mask = (depth > 0).float()
        images = before_anything(images, mask, rng)
        logits, near, direction = perceive(network, images)
        return (
            torch.nn.functional.binary_cross_entropy_with_logits(logits, mask)
            + affine_error(near, nearness(depth, mask), mask)
            + angular_error(direction, normal, mask)
        )

    fit(folder, "perception", network, loss_of_batch, minutes, peak_rate=PEAK_RATE, batch=BATCH)
    return network.eval()


def nearness(depth: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return disparity [B, 1, H, W] with mean 0 and deviation 1 inside each mask; larger is nearer."""
    disparity = torch.where(mask > 0, 1 / depth.clamp_min(1e-3), 0.0)
    count = mask.sum(dim=(1, 2, 3), keepdim=True).clamp_min(1)
    mean = disparity.sum(dim=(1, 2, 3), keepdim=True) / count
    centred = (disparity - mean) * mask
    return centred / (centred.square().sum(dim=(1, 2, 3), keepdim=True) / count).sqrt().clamp_min(1e-4)


def affine_error(near: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute error inside the masks after both have been centred."""
    count = mask.sum(dim=(1, 2, 3), keepdim=True).clamp_min(1)
    centred = near - (near * mask).sum(dim=(1, 2, 3), keepdim=True) / count
    return ((centred - target).abs() * mask / count).sum() / len(mask)


def angular_error(direction: torch.Tensor, normal: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return 1 - cos of the angle between directions and normals [B, 3, H, W], averaged inside the masks."""
    cosine = torch.nn.functional.cosine_similarity(direction, normal, dim=1)[:, None]
    return ((1 - cosine) * mask).sum() / mask.sum().clamp_min(1)


def before_anything(images: torch.Tensor, mask: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Return images [B, 3, H, W] in [-1, 1]: a third as they are, the others before colours, gradients or noise."""
    draw = torch.Generator().manual_seed(rng.getrandbits(32))
    count, side = len(images), images.shape[-1]
    coarse = torch.cat(
        [
            torch.nn.functional.interpolate(
                2 * torch.rand(1, 3, cells, cells, generator=draw) - 1, size=(side, side), mode="bilinear"
            )
            for cells in (rng.choice((1, 2, 3, 6, 16, 48)) for _ in range(count))
        ]
    )
    behind = (coarse * rng.uniform(0.3, 1.0)).clamp(-1, 1)
    soft = torch.nn.functional.avg_pool2d(mask, 3, stride=1, padding=1)  # as anti-aliased as the renders are
    inside = torch.minimum(mask, soft)
    replaced = images * inside + behind * (1 - inside)
    kept = (torch.rand(count, 1, 1, 1, generator=draw) < 1 / 3).float()
    noise = 0.06 * torch.randn(images.shape, generator=draw) * torch.rand(count, 1, 1, 1, generator=draw)
    return (images * kept + replaced * (1 - kept) + noise).clamp(-1, 1)


def export_perception(weights: Path, network: UNet2DModel) -> None:
    """Write the network in diffusers' format, in fp16."""
    network.half().save_pretrained(weights / "perception")
