"""Render radiance fields: one callable over the compiled marcher of dense grids on the CPU and packed samples.

Rays are cut to the box [-1, 1]^3 and into stretches of one length from where they enter it; the last is what is left. A
stretch's density and colour are those of one point: its middle, or with a generator one for all of a ray, drawn evenly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from backend.cameras import Cameras
from backend.rendering.volume_rendering import DIAGONAL, VolumeRendering
from backend.rendering.volume_shading import ALBEDO, Shading
from backend.representations.occupancy import OccupancyGrid
from backend.representations.radiance import RadianceField
from backend.representations.radiance_grid import RadianceGrid

SAMPLES = 96  # along the diagonal of the box


@dataclass(frozen=True)
class VolumeRenderer:
    """A `Renderer` of the field that it was made for, as it is when it is called."""

    field: RadianceField
    samples: int = SAMPLES  # along the diagonal of the box
    generator: torch.Generator | None = None  # of where in its stretch a ray's samples lie; None: in the middle
    shading: Shading = ALBEDO
    occupancy: OccupancyGrid | None = None  # of fields that are not dense grids, which know it themselves

    def __call__(self, cameras: Cameras, background: Tensor, *, geometry: bool = False) -> VolumeRendering:
        """Draw the field; see `Renderer`."""
        if not (torch.isfinite(cameras.camera_to_world).all() and torch.isfinite(cameras.intrinsics).all()):
            raise ValueError("A camera's numbers are not finite: it sees no rays.")
        if background.shape not in ((3,), (len(cameras), 3)):
            shape = tuple(background.shape)
            raise ValueError(f"The background has shape {shape}: give [3], or [{len(cameras)}, 3].")
        shape = (len(cameras), cameras.height, cameras.width)
        jitter = torch.full(shape, 0.5)
        if self.generator is not None:
            jitter = torch.rand(shape, generator=self.generator, device=self.generator.device)
        if isinstance(self.field, RadianceGrid) and self.field.values.device.type == "cpu":
            return self._march(self.field, cameras, background, jitter, geometry)
        from backend.rendering.volume_packed import render_packed

        return render_packed(
            self.field, cameras, background, jitter, self.step, self.shading, self.occupancy, geometry=geometry
        )

    @property
    def step(self) -> float:
        """Return the length of a stretch in world units."""
        return DIAGONAL / self.samples

    def _march(
        self, field: RadianceGrid, cameras: Cameras, background: Tensor, jitter: Tensor, geometry: bool
    ) -> VolumeRendering:
        from backend.rendering.volume_cpu import MarchRays  # here, because numba takes half a second to import

        values = field.values
        table, lights = camera_table(cameras).to(values), light_table(self.shading, len(cameras)).to(values)
        rgb, alpha, sums = MarchRays.apply(  # pyright: ignore[reportGeneralTypeIssues]
            values,
            background.expand(len(cameras), 3).to(values),
            table,
            lights,
            jitter.to(values),
            self.step,
            geometry or self.shading.kind != "albedo",
        )
        origin = table[:, 12].reshape(-1, 1, 1, 1)
        if not geometry:
            return VolumeRendering(rgb, alpha, None, None, origin)
        return VolumeRendering(rgb, alpha, sums[..., :4], sums[..., 4:], origin)


def volume_renderer(
    field: RadianceField,
    *,
    samples: int = SAMPLES,
    generator: torch.Generator | None = None,
    shading: Shading = ALBEDO,
    occupancy: OccupancyGrid | None = None,
) -> VolumeRenderer:
    """Return what draws a radiance field, by the engine of its kind and device; see `VolumeRenderer`."""
    return VolumeRenderer(field, samples, generator, shading, occupancy)


def camera_table(cameras: Cameras) -> Tensor:
    """Return for each camera what makes a ray of a pixel (x, y, 1), [B, 13] float64.

    A matrix, row by row, to the ray at camera z 1 in world space; the camera's position; the camera z of the origin.
    """
    poses = cameras.camera_to_world.double().cpu()
    turns = poses[:, :3, :3] @ torch.linalg.inv(cameras.intrinsics.double().cpu())  # [B, 3, 3]
    origin = -(poses[:, :3, 2] * poses[:, :3, 3]).sum(-1, keepdim=True)
    return torch.cat([turns.reshape(-1, 9), poses[:, :3, 3], origin], dim=1)


def light_table(shading: Shading, views: int) -> Tensor:
    """Return for each view its kind of shading, ambient, diffuse, the light's place, and whether it is near, [B, 7]."""
    from backend.rendering.volume_march import ALBEDO, LAMBERTIAN, TEXTURELESS

    kind = {"albedo": ALBEDO, "lambertian": LAMBERTIAN, "textureless": TEXTURELESS}[shading.kind]
    light = torch.zeros(3) if shading.light is None else shading.light
    if shading.is_far:
        light = torch.nn.functional.normalize(light, dim=-1)
    table = torch.tensor([kind, shading.ambient, shading.diffuse], dtype=torch.float64).expand(views, 3)
    near = torch.full((views, 1), 0.0 if shading.is_far else 1.0, dtype=torch.float64)
    return torch.cat([table, light.double().cpu().expand(views, 3), near], dim=1)
