"""Semantic-geometry calibration: four sides of an object are held to four pictures of it, and to the prompt.

Source: Yang et al., TV-3DG (arXiv 2410.21299), section III-D.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from backend.cameras import Cameras, azimuth_elevation, orbit
from backend.losses import feature_distance, normal_alignment, pearson_depth, reward_shortfall, two_by_two
from backend.vision.features import Features, load_features
from backend.vision.matting import Matting
from backend.vision.normals import Geometry, load_geometry
from backend.vision.reward import Reward, load_reward
from backend.weights import network_name

AZIMUTHS = (0.0, 90.0, 180.0, 270.0)  # degrees: front, right, back, left, as `two_by_two` wants them
ELEVATION = 15.0
SOLID = 0.5  # the alpha from which a pixel's depth and normal count


def calibration_cameras(size: int, turn_degrees: float = 0.0) -> Cameras:
    """Return the four cameras that calibration looks through, all turned so far; pictures have `size` pixels."""
    return orbit([azimuth + turn_degrees for azimuth in AZIMUTHS], ELEVATION, size=size)


@dataclass(frozen=True)
class Sides:
    """Four pictures of one object, cut out."""

    cameras: Cameras
    pictures: torch.Tensor  # [4, H, W, 3], sRGB in [0, 1], before white
    mask: torch.Tensor  # [4, H, W, 1], 0 or 1


@torch.no_grad()
def cut_sides(pictures: torch.Tensor, matting: Matting, turn_degrees: float = 0.0) -> Sides:
    """Cut the object out of four pictures [4, S, S, 3]: front, right, back, left, as turned cameras see them."""
    mask = (matting(pictures) > SOLID).to(pictures)
    cameras = calibration_cameras(pictures.shape[1], turn_degrees).to(pictures.device)
    return Sides(cameras, pictures * mask + 1 - mask, mask)


@dataclass(frozen=True)
class ViewTargets:
    """Depth, normals and features of four pictures, as targets for renderings of the same four sides."""

    mask: torch.Tensor  # [4, H, W, 1], 0 or 1
    nearness: torch.Tensor  # [4, H, W, 1]
    normal: torch.Tensor  # [4, H, W, 3], camera axes: +x right, +y up, +z to the viewer
    vectors: torch.Tensor | None  # [4, C]
    geometry: Geometry | None  # looks at the renderings, too; without it their own depth and normal are compared
    features: Features | None
    printed: bool = False  # the depth loss as eq. 12 has it, with variances

    def geometry_loss(
        self, rgb: torch.Tensor, alpha: torch.Tensor, depth: torch.Tensor, normal: torch.Tensor, cameras: Cameras
    ) -> torch.Tensor:
        """Return depth's 1 - correlation and minus the normals' mean cosine, summed: -1 alike, 3 opposite.

        rgb, alpha, depth (camera z) and normal (world axes) of the four renderings, [4, H, W, 3 | 1 | 1 | 3]. What only
        one of picture and rendering shows does not count. Source: TV-3DG, eq. 12.
        """
        if self.geometry is not None:
            nearness, direction = self.geometry(rgb)
        else:
            nearness, direction = 1 / depth.clamp_min(1e-3), in_camera_axes(normal, cameras)
        both = self.mask * (alpha.detach() > SOLID)
        depth_loss = pearson_depth(nearness, self.nearness, both, printed=self.printed)
        return depth_loss + normal_alignment(direction, self.normal, both)

    def semantic_loss(self, rgb: torch.Tensor) -> torch.Tensor:
        """Return how far the features of the renderings [4, H, W, 3] are from the pictures'. Source: TV-3DG, eq. 11."""
        if self.features is None or self.vectors is None:
            raise ValueError("No features were asked for.")
        return feature_distance(self.features(rgb)[0], self.vectors)


@torch.no_grad()
def view_targets(
    sides: Sides,
    geometry: Geometry,
    features: Features | None = None,
    *,
    look_at_renderings: bool = True,
    printed: bool = False,
) -> ViewTargets:
    """Return what four sides show; without `look_at_renderings` the geometry network is asked about them alone."""
    nearness, normal = geometry(sides.pictures)
    vectors = features(sides.pictures)[0] if features is not None else None
    return ViewTargets(
        sides.mask, nearness, normal, vectors, geometry if look_at_renderings else None, features, printed
    )


@dataclass(frozen=True)
class Calibration:
    """The weighted sum of all terms; those with weight 0 need neither targets nor reward."""

    cameras: Cameras  # the four that the renderings are to be made with
    geometry_weight: float  # lambda_1
    semantic_weight: float  # lambda_2
    reward_weight: float  # lambda_i
    targets: ViewTargets | None = None
    reward: Reward | None = None
    words: torch.Tensor | None = None  # [1, C], what `reward.read` returned of the prompt

    def loss(
        self,
        rgb: torch.Tensor,
        alpha: torch.Tensor,
        depth: torch.Tensor,
        normal: torch.Tensor,
        judged: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return a scalar of four renderings before white: rgb, alpha, depth (camera z), normal (world axes).

        The reward is asked about all four in one picture: of `judged`, where the same renderings with another graph are
        given, else of rgb. Source: TV-3DG, eq. 10 and 13.
        """
        total = rgb.new_zeros(())
        if self.targets is not None and self.geometry_weight:
            geometry = self.targets.geometry_loss(rgb, alpha, depth, normal, self.cameras)
            total = total + self.geometry_weight * geometry
        if self.targets is not None and self.semantic_weight:
            total = total + self.semantic_weight * self.targets.semantic_loss(rgb)
        if self.reward is not None and self.words is not None and self.reward_weight:
            shown = two_by_two(rgb if judged is None else judged)
            shortfall = reward_shortfall(self.reward(shown, self.words))
            total = total + self.reward_weight * shortfall
        return total


def load_calibration(
    sides: Sides | None,
    prompt: str,
    *,
    geometry: float,
    semantics: float,
    reward: float,
    companions: str = "",
    look_at_renderings: bool = True,
    printed: bool = False,
    size: int,
    device: torch.device | str = "cpu",
) -> Calibration:
    """Return the calibration towards four sides and a prompt, with weights lambda_1, lambda_2 and lambda_i.

    `companions` is a folder with one folder for each role (depth, normals, features, reward), nothing for the embedded
    networks; renderings will have `size` pixels. A network whose weight is 0 is not loaded, and normals that
    let no gradient through are compared with the renderings' own. Raises MissingModel.
    """
    targets = judge = words = None
    if sides is not None and (geometry or semantics):
        look = load_geometry(network_name(companions, "depth"), network_name(companions, "normals"), device)
        targets = view_targets(
            sides,
            look,
            load_features(network_name(companions, "features"), device) if semantics else None,
            look_at_renderings=look_at_renderings and look.differentiable,
            printed=printed,
        )
    if reward:
        judge = load_reward(network_name(companions, "reward"), device)
        words = judge.read([prompt])
    turn = float(azimuth_elevation(sides.cameras)[0][0]) if sides is not None else 0.0
    return Calibration(calibration_cameras(size, turn).to(device), geometry, semantics, reward, targets, judge, words)


def in_camera_axes(normal: torch.Tensor, cameras: Cameras) -> torch.Tensor:
    """Turn normals [B, H, W, 3] from world axes into each camera's: +x right, +y up, +z to the viewer."""
    to_camera = cameras.camera_to_world[:, None, :3, :3] * torch.tensor([1.0, -1.0, -1.0])  # from OpenCV's axes
    return normal @ to_camera.to(normal)
