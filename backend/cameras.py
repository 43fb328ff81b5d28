"""Cameras around the object: where they stand, how they project, and every conversion between conventions.

World: right-handed, Z up, the object inside the unit sphere, its front facing -Y (as in Blender). Camera axes are
OpenCV's: x right, y down, z forward. A pixel's centre lies at (column + 0.5, row + 0.5).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

# x right, y down, z forward  ->  x right, y up, z backward (OpenGL and Blender camera objects). Its own inverse.
OPENCV_TO_OPENGL = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))


@dataclass(frozen=True)
class Cameras:
    """A batch of pinhole cameras that share an image size."""

    camera_to_world: torch.Tensor  # [B, 4, 4], OpenCV axes
    intrinsics: torch.Tensor  # [B, 3, 3], pixels
    width: int
    height: int

    def __len__(self) -> int:
        return len(self.camera_to_world)

    def __getitem__(self, index: int | slice) -> Cameras:
        """Return the chosen cameras, still as a batch."""
        if isinstance(index, int):
            index = slice(index, index + 1 or None)
        return Cameras(self.camera_to_world[index], self.intrinsics[index], self.width, self.height)

    def __iter__(self) -> Iterator[Cameras]:
        return (self[i] for i in range(len(self)))

    @property
    def world_to_camera(self) -> torch.Tensor:
        """Return the inverse poses, [B, 4, 4]."""
        rotation = self.camera_to_world[:, :3, :3].transpose(1, 2)  # [B, 3, 3]
        inverse = torch.eye(4, dtype=rotation.dtype, device=rotation.device).repeat(len(self), 1, 1)
        inverse[:, :3, :3] = rotation
        inverse[:, :3, 3:] = -rotation @ self.camera_to_world[:, :3, 3:]
        return inverse

    @property
    def position(self) -> torch.Tensor:
        """Return the camera centres in world space, [B, 3]."""
        return self.camera_to_world[:, :3, 3]

    def with_width(self, width: int) -> Cameras:
        """Return the same cameras whose pictures are as wide as that, in pixels, and as high in proportion.

        Raises ValueError where the height would be no whole number.
        """
        if self.height * width % self.width:
            raise ValueError(f"an image of {self.width} x {self.height} pixels cannot become {width} wide")
        intrinsics = self.intrinsics.clone()
        intrinsics[:, :2] *= width / self.width
        return Cameras(self.camera_to_world, intrinsics, width, self.height * width // self.width)

    def to(self, device: torch.device | str) -> Cameras:
        """Move the tensors to a device."""
        return Cameras(self.camera_to_world.to(device), self.intrinsics.to(device), self.width, self.height)


def orbit(
    azimuth_degrees: Sequence[float] | torch.Tensor,
    elevation_degrees: Sequence[float] | torch.Tensor | float,
    *,
    distance: Sequence[float] | torch.Tensor | float | None = None,
    fov_degrees: Sequence[float] | torch.Tensor | float = 40.0,
    size: int = 128,
) -> Cameras:
    """Place square cameras on a sphere about the origin, looking at it.

    Azimuth 0 stands in front of the object (on -Y) and grows anticlockwise seen from above: 90 looks at the side that
    faces +X, 180 at the back. Elevation 90 looks straight down. Without a distance the unit sphere fills the image.
    """
    azimuth = torch.deg2rad(torch.as_tensor(azimuth_degrees, dtype=torch.float32).reshape(-1))
    count = len(azimuth)
    elevation = torch.deg2rad(_per_camera(elevation_degrees, count))
    fov = _per_camera(fov_degrees, count)
    radius = framing_distance(fov) if distance is None else _per_camera(distance, count)
    direction = torch.stack(
        [elevation.cos() * azimuth.sin(), -elevation.cos() * azimuth.cos(), elevation.sin()], dim=-1
    )  # [B, 3], from the origin to the camera
    right = torch.stack([azimuth.cos(), azimuth.sin(), torch.zeros_like(azimuth)], dim=-1)  # defined at the poles too
    forward = -direction
    down = torch.linalg.cross(forward, right)
    pose = torch.eye(4).repeat(count, 1, 1)
    pose[:, :3, 0], pose[:, :3, 1], pose[:, :3, 2] = right, down, forward
    pose[:, :3, 3] = radius[:, None] * direction
    return Cameras(pose, intrinsics_from_fov(fov, size), size, size)


def concatenate(batches: Sequence[Cameras]) -> Cameras:
    """Concatenate batches of cameras of one image size, on the device of the first."""
    first = batches[0]
    poses = [cameras.camera_to_world.to(first.camera_to_world) for cameras in batches]
    intrinsics = [cameras.intrinsics.to(first.intrinsics) for cameras in batches]
    return Cameras(torch.cat(poses), torch.cat(intrinsics), first.width, first.height)


def draw_around(
    count: int, elevations: tuple[float, float], *, size: int, generator: torch.Generator,
    fov_degrees: float | None = None,
) -> Cameras:  # fmt: skip
    """Draw cameras evenly around the object: a random start, one field of view for all, 30 to 50 degrees if not given.

    Each has a height of its own between the two elevations (degrees).
    """
    start = 360 * torch.rand(1, generator=generator)
    azimuths = start + torch.arange(count) * 360 / count
    drawn = float(30 + 20 * torch.rand(1, generator=generator))
    low, high = elevations
    heights = low + (high - low) * torch.rand(count, generator=generator)
    return orbit(azimuths, heights, fov_degrees=drawn if fov_degrees is None else fov_degrees, size=size)


def framing_distance(fov_degrees: torch.Tensor | float) -> torch.Tensor:
    """Return the distance from which the unit sphere just fits into a square image."""
    return 1.0 / torch.sin(torch.deg2rad(torch.as_tensor(fov_degrees, dtype=torch.float32)) / 2)


def intrinsics_from_fov(fov_degrees: torch.Tensor, size: int) -> torch.Tensor:
    """Return [B, 3, 3] intrinsics of square images of `size` pixels."""
    focal = 0.5 * size / torch.tan(torch.deg2rad(fov_degrees.reshape(-1)) / 2)
    matrix = torch.zeros(len(focal), 3, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = focal
    matrix[:, 0, 2] = matrix[:, 1, 2] = size / 2
    matrix[:, 2, 2] = 1.0
    return matrix


def fields_of_view(cameras: Cameras) -> torch.Tensor:
    """Return the horizontal field of view of each camera, [B], in degrees."""
    return torch.rad2deg(2 * torch.atan(0.5 * cameras.width / cameras.intrinsics[:, 0, 0]))


def azimuth_elevation(cameras: Cameras) -> tuple[torch.Tensor, torch.Tensor]:
    """Return degrees ([B], [B]) of cameras that look at the origin: azimuth in (-180, 180], elevation in [-90, 90]."""
    x, y, z = cameras.position.unbind(-1)
    return torch.rad2deg(torch.atan2(x, -y)), torch.rad2deg(torch.asin(z / cameras.position.norm(dim=-1)))


def rays(cameras: Cameras) -> tuple[torch.Tensor, torch.Tensor]:
    """Return origins and unit directions of all pixel centres in world space, each [B, H, W, 3]."""
    rows, columns = torch.meshgrid(
        torch.arange(cameras.height, dtype=torch.float32) + 0.5,
        torch.arange(cameras.width, dtype=torch.float32) + 0.5,
        indexing="ij",
    )
    pixels = torch.stack([columns, rows, torch.ones_like(rows)], dim=-1).to(cameras.intrinsics.device)  # [H, W, 3]
    directions = torch.einsum("bij,hwj->bhwi", torch.linalg.inv(cameras.intrinsics), pixels)
    directions = torch.einsum("bij,bhwj->bhwi", cameras.camera_to_world[:, :3, :3], directions)
    origins = cameras.position[:, None, None].expand_as(directions)
    return origins, torch.nn.functional.normalize(directions, dim=-1)


def opencv_to_opengl(camera_to_world: torch.Tensor) -> torch.Tensor:
    """Turn OpenCV poses into OpenGL ones (Blender's camera objects), [..., 4, 4]; the same call turns them back."""
    return camera_to_world @ OPENCV_TO_OPENGL.to(camera_to_world)


def blender_to_gltf(points: torch.Tensor) -> torch.Tensor:
    """Turn Z-up points [..., 3] into glTF's Y-up ones: (x, y, z) -> (x, z, -y)."""
    x, y, z = points.unbind(-1)
    return torch.stack([x, z, -y], dim=-1)


def gltf_to_blender(points: torch.Tensor) -> torch.Tensor:
    """Turn glTF's Y-up points [..., 3] into Z-up ones: (x, y, z) -> (x, -z, y)."""
    x, y, z = points.unbind(-1)
    return torch.stack([x, -z, y], dim=-1)


def view_word(azimuth_degrees: float, elevation_degrees: float) -> str:
    """Name the direction a camera looks from: front | side | back | overhead.

    Source: threestudio's prompt processor (front and back within 45 degrees, overhead above 60).
    """
    if elevation_degrees > 60:
        return "overhead"
    away = abs((azimuth_degrees + 180.0) % 360.0 - 180.0)
    return "front" if away < 45 else "back" if away > 135 else "side"


def view_words(cameras: Cameras) -> list[str]:
    """Return front, side, back or overhead for each camera."""
    azimuths, elevations = azimuth_elevation(cameras)
    return [view_word(a, e) for a, e in zip(azimuths.tolist(), elevations.tolist(), strict=True)]


def _per_camera(value: Sequence[float] | torch.Tensor | float, count: int) -> torch.Tensor:
    value = torch.as_tensor(value, dtype=torch.float32).reshape(-1)
    if len(value) not in (1, count):
        raise ValueError(f"{len(value)} values for {count} cameras: give one value, or one for each camera")
    return value.expand(count)
