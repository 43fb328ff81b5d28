"""Turns our images into what a public vision network was trained on, differentiably, and its maps back.

The libraries' own image processors go through 8-bit Pillow images, which no gradient passes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional

from backend.errors import MissingModel

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Pixels:
    """What `preprocessor_config.json` says: a size to scale to, what to cut out of it, colours to normalise."""

    size: tuple[int, int]  # rows, columns
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    keep_aspect: bool = False
    crop: tuple[int, int] | None = None  # rows, columns about the centre; the scaled image covers them
    multiple_of: int = 1  # of both sides

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Turn sRGB images [B, H, W, 3] in [0, 1] into normalised pixels [B, 3, h, w]."""
        pixels = resize(images.permute(0, 3, 1, 2), *self._scaled(images.shape[1], images.shape[2]))
        if self.crop:
            top, left = (pixels.shape[2] - self.crop[0]) // 2, (pixels.shape[3] - self.crop[1]) // 2
            pixels = pixels[..., top : top + self.crop[0], left : left + self.crop[1]]
        mean, std = (pixels.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        return (pixels - mean) / std

    def _scaled(self, height: int, width: int) -> tuple[int, int]:
        rows, columns = float(self.size[0]), float(self.size[1])
        if self.keep_aspect:
            by_height, by_width = rows / height, columns / width
            if self.crop:
                scale = max(by_height, by_width)
            else:  # as DPT's processor does: by the side that changes less
                scale = by_width if abs(1 - by_width) < abs(1 - by_height) else by_height
            rows, columns = scale * height, scale * width
        n = self.multiple_of
        return max(n, round(rows / n) * n), max(n, round(columns / n) * n)


def read_pixels(folder: Path) -> Pixels:
    """Read a folder's `preprocessor_config.json` as CLIP's, ViT's and DPT's processors write it.

    Raises MissingModel where it is missing or gives no size.
    """
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        raise MissingModel(f"{path.name} is missing in {folder}.", "Copy it from the network's public folder.")
    config = json.loads(path.read_text(encoding="utf-8"))
    size = _rows_columns(config.get("size"))
    if size is None:
        raise MissingModel(f"{path} gives no size of images.", "Copy it from the network's public folder.")
    crop = _rows_columns(config.get("crop_size")) if config.get("do_center_crop") else None
    return Pixels(
        size=size,
        mean=tuple(config.get("image_mean", Pixels.mean)),
        std=tuple(config.get("image_std", Pixels.std)),
        keep_aspect=config.get("keep_aspect_ratio", crop is not None),
        crop=crop,
        multiple_of=config.get("ensure_multiple_of") or 1,
    )


def _rows_columns(size: object) -> tuple[int, int] | None:
    match size:
        case int(side) | {"shortest_edge": int(side)}:
            return side, side
        case {"height": int(rows), "width": int(columns)}:
            return rows, columns
        case _:
            return None


def resize(maps: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Resample [B, C, H, W] bicubically, without aliasing, or return it as it is where the size fits."""
    if maps.shape[-2:] == (rows, columns):
        return maps
    return functional.interpolate(maps, (rows, columns), mode="bicubic", antialias=True, align_corners=False)


def to_maps(pixels: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Turn a network's maps [B, C, h, w] into [B, H, W, C] of the size of images [B, H, W, 3]."""
    pixels = pixels.float()
    if pixels.shape[-2:] != like.shape[1:3]:
        pixels = functional.interpolate(pixels, like.shape[1:3], mode="bilinear", align_corners=False)
    return pixels.permute(0, 2, 3, 1)
