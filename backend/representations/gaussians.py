"""3D Gaussians: the parameters that are optimised, what they mean, and how to start them from points.

Source: Kerbl et al., 3D Gaussian Splatting, 2023, sections 4-5; conventions of gsplat and of the 3DGS PLY files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from backend.errors import BadInput

BODY_POINTS = 6_000  # of a body that are looked at for its surface
FLATNESS = 0.7  # thickness of Gaussians that begin on a surface, in their width
MIN_COUNT, MAX_DISTANCE, MAX_SCALE, MAX_NUMBER = 8, 10.0, 1.0, 1e4  # of Gaussians that are started from

# Real spherical harmonics, degrees 0 to 3, with the signs of 3DGS (Condon-Shortley phase included).
_SH0 = 0.5 * math.sqrt(1 / math.pi)
_SH1 = math.sqrt(3 / (4 * math.pi))
_SH2 = (0.5 * math.sqrt(15 / math.pi), 0.25 * math.sqrt(5 / math.pi), 0.25 * math.sqrt(15 / math.pi))
_SH3 = (
    0.25 * math.sqrt(35 / (2 * math.pi)),
    0.5 * math.sqrt(105 / math.pi),
    0.25 * math.sqrt(21 / (2 * math.pi)),
    0.25 * math.sqrt(7 / math.pi),
    0.25 * math.sqrt(105 / math.pi),
)


@dataclass
class Gaussians:
    """N Gaussians in world space, stored before their activations, so that every value is allowed."""

    means: Tensor  # [N, 3]
    log_scales: Tensor  # [N, 3], natural logarithm of the standard deviations
    quaternions: Tensor  # [N, 4], w x y z, of any length
    opacity_logits: Tensor  # [N]
    sh: Tensor  # [N, K, 3], K = 1, 4, 9 or 16; rgb = max(0, 0.5 + SH)

    def __post_init__(self) -> None:
        count = len(self.means)
        shapes = [tuple(value.shape) for value in self.parameters().values()]
        assert shapes[:4] == [(count, 3), (count, 3), (count, 4), (count,)], shapes
        assert self.sh.ndim == 3 and self.sh.shape[::2] == (count, 3) and self.sh.shape[1] in (1, 4, 9, 16), shapes[4]

    def __len__(self) -> int:
        return len(self.means)

    @property
    def scales(self) -> Tensor:
        """Return the standard deviations along the own axes, [N, 3]."""
        return self.log_scales.exp()

    @property
    def opacities(self) -> Tensor:
        """Return the opacities in (0, 1), [N]."""
        return self.opacity_logits.sigmoid()

    @property
    def rotations(self) -> Tensor:
        """Return the rotation matrices, [N, 3, 3]; their columns are the own axes in world space."""
        return rotations_from_quaternions(self.quaternions)

    @property
    def base_colours(self) -> Tensor:
        """Return the rgb without its view-dependent part, [N, 3], at least 0."""
        return (0.5 + _SH0 * self.sh[:, 0]).clamp_min(0.0)

    def colours(self, camera_positions: Tensor) -> Tensor:
        """Return rgb as seen from camera positions [B, 3]: [B, N, 3], or [1, N, 3] where the view does not matter."""
        if self.sh.shape[1] == 1:
            return self.base_colours[None]
        directions = self.means - camera_positions[:, None]  # [B, N, 3]
        return (0.5 + spherical_harmonics(directions, self.sh)).clamp_min(0.0)

    def parameters(self) -> dict[str, Tensor]:
        """Return the tensors by name, not copied."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def requires_grad_(self, wanted: bool = True) -> Gaussians:
        """Make the parameters leaves that collect gradients (or not); return self."""
        for name, value in self.parameters().items():
            setattr(self, name, value.detach().requires_grad_(wanted))
        return self

    def with_fixed_shape(self) -> Gaussians:
        """Return the same Gaussians, of which only the colours pass gradients on."""
        return Gaussians(**{n: v if n == "sh" else v.detach() for n, v in self.parameters().items()})

    def to(self, device: torch.device | str) -> Gaussians:
        """Return the Gaussians on another device, detached from any graph."""
        return Gaussians(**{name: value.detach().to(device) for name, value in self.parameters().items()})

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of the parameters by name."""
        return {name: value.detach().clone() for name, value in self.parameters().items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over the parameters of a state_dict, whatever their number N; raises ValueError for missing names."""
        missing = [name for name in self.parameters() if name not in state]
        if missing:
            raise ValueError(f"The saved Gaussians lack {', '.join(missing)}: the checkpoint is of something else.")
        for name, value in self.parameters().items():
            loaded = state[name].to(device=value.device, dtype=value.dtype, copy=True)
            setattr(self, name, loaded.requires_grad_(value.requires_grad))
        self.__post_init__()


def gaussians_from_points(
    points: Tensor,
    colours: Tensor,
    normals: Tensor | None = None,
    *,
    opacity: float = 0.1,
    scale: float = 1.0,
    sh_degree: int = 0,
) -> Gaussians:
    """Start Gaussians at points [N, 3] with rgb colours [N, 3] in [0, 1], round, or flatter along unit normals [N, 3].

    Their size is the mean distance to the three nearest points, times `scale`. Without normals it is chance where their
    shortest axes point, which are the normals that are rendered.
    Source: Kerbl et al. 2023, section 5.1; flattening along normals is ours.
    """
    if len(points) < 4:
        raise ValueError(f"{len(points)} points are too few to start from: at least 4 are needed.")
    size = scale * mean_neighbour_distance(points)
    sh = torch.zeros(len(points), (sh_degree + 1) ** 2, 3, dtype=points.dtype, device=points.device)
    sh[:, 0] = (colours - 0.5) / _SH0
    quaternions = torch.zeros(len(points), 4, dtype=points.dtype, device=points.device)
    quaternions[:, 0] = 1.0
    logit = math.log(opacity / (1.0 - opacity))
    log_scales = size.log()[:, None].repeat(1, 3)
    if normals is not None:
        log_scales[:, 2] += math.log(FLATNESS)
        quaternions = quaternions_towards(normals)
    return Gaussians(
        means=points.clone(),
        log_scales=log_scales,
        quaternions=quaternions,
        opacity_logits=torch.full_like(size, logit),
        sh=sh,
    )


def ball_of_gaussians(count: int, radius: float, generator: torch.Generator, colour: Tensor | float = 0.5) -> Gaussians:
    """Draw Gaussians of a colour [3], or grey, each a little different, from a ball, facing away from its centre."""
    points = ball_of_points(count, radius, generator)
    colours = colour + 0.1 * torch.randn(points.shape, generator=generator).clamp(-2, 2)
    return gaussians_from_points(points, colours, torch.nn.functional.normalize(points, dim=-1))


def check_start(gaussians: Gaussians, most: int) -> Gaussians:
    """Return Gaussians that an optimisation can begin with, their colours the same from all sides: [N, 1, 3].

    They come from a file that anybody may have made. Raises BadInput where there are fewer than MIN_COUNT or more
    than `most`, or where a number is not finite, or of a size that no object in the unit sphere has.
    """
    count = len(gaussians)
    if not MIN_COUNT <= count <= most:
        raise BadInput(
            f"The start has {count} Gaussians; it needs {MIN_COUNT} at least and {most} at most.",
            "Raise the setting `max_count`." if count > most else "Start from the points of another result.",
        )
    values = torch.cat([value.reshape(count, -1) for value in gaussians.parameters().values()], dim=1)  # [N, 11 + 3 K]
    far = gaussians.means.norm(dim=-1) > MAX_DISTANCE
    large = gaussians.log_scales.amax(-1) > math.log(MAX_SCALE)
    for broken, what in (
        (~torch.isfinite(values).all(1), "hold numbers that are not finite"),
        ((values.abs() > MAX_NUMBER).any(1), f"hold numbers beyond {MAX_NUMBER:g}"),
        (far, f"lie farther than {MAX_DISTANCE:g} from the origin"),
        (large, f"are larger than {MAX_SCALE:g}"),
    ):
        if broken.any():
            raise BadInput(
                f"{int(broken.sum())} of the {count} Gaussians of the start {what}.",
                "Start from the points of a result: an object inside the unit sphere.",
            )
    return replace(gaussians, sh=gaussians.sh[:, :1].contiguous())


def scaled(gaussians: Gaussians, factor: float) -> Gaussians:
    """Return copies of all Gaussians, the whole scaled about the origin."""
    state = gaussians.state_dict()
    return Gaussians(**state | {"means": factor * state["means"], "log_scales": state["log_scales"] + math.log(factor)})


def concatenate(one: Gaussians, other: Gaussians) -> Gaussians:
    """Concatenate copies of Gaussians of the same degree of harmonics."""
    state = other.state_dict()
    return Gaussians(**{name: torch.cat([value, state[name]]) for name, value in one.state_dict().items()})


def extent(gaussians: Gaussians, share: float = 0.99) -> float:
    """Return the radius about the origin that holds a share of the object, Gaussians weighted by opacity and size."""
    size = gaussians.scales.detach().amax(-1)
    distance, order = (gaussians.means.detach().norm(dim=-1) + size).sort()
    weight = (gaussians.opacities.detach() * size.square())[order].cumsum(0)
    return float(distance[int((weight < share * weight[-1]).sum())])


def mean_neighbour_distance(points: Tensor, neighbours: int = 3) -> Tensor:
    """Return the mean distance of each point [N, 3] to its nearest others, [N], at least 1e-6."""
    from scipy.spatial import KDTree  # here, because the import takes a quarter of a second

    flat = points.detach().cpu().double().numpy()
    distances, _ = KDTree(flat).query(flat, k=neighbours + 1)
    return torch.as_tensor(distances[:, 1:].mean(1)).clamp_min(1e-6).to(points)


def ball_of_points(count: int, radius: float, generator: torch.Generator) -> Tensor:
    """Draw points uniformly from a ball about the origin, [N, 3]."""
    directions = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)
    return radius * torch.rand(count, 1, generator=generator) ** (1 / 3) * directions


def rotations_from_quaternions(quaternions: Tensor) -> Tensor:
    """Return the rotation matrices of quaternions [..., 4] (w, x, y, z, of any length), [..., 3, 3]."""
    w, x, y, z = torch.nn.functional.normalize(quaternions, dim=-1).unbind(-1)
    entries = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(entries, dim=-1).unflatten(-1, (3, 3))


def quaternions_towards(normals: Tensor) -> Tensor:
    """Return quaternions [N, 4] (w, x, y, z, not of unit length) that turn the z axis onto unit normals [N, 3].

    Or onto what is opposite to them, whichever is nearer: an axis has no sign. Source: half-way between two vectors,
    q = (1 + a . b, a x b).
    """
    x, y, z = torch.where(normals[:, 2:] < 0, -normals, normals).unbind(-1)
    return torch.stack([1 + z, -y, x, torch.zeros_like(z)], dim=-1)


def outward_directions(points: Tensor, inside: Tensor) -> Tensor:
    """Return unit vectors [N, 3] that lead out of a body, at points [N, 3] of it; `inside` [M, 3] fills it evenly.

    What surrounds a point near the surface lies to its inner side: the direction is that from the mean of its
    neighbours. Deep inside, where it meets no surface, it is chance.
    """
    from scipy.spatial import KDTree  # here, because the import takes a quarter of a second

    body = inside[:BODY_POINTS].detach().cpu().double().numpy()
    flat = points.detach().cpu().double().numpy()
    _, nearest = KDTree(body).query(flat, k=min(len(body), max(16, len(body) // 40)))
    away = torch.as_tensor(flat - body[nearest].mean(1)).to(points)
    return torch.nn.functional.normalize(away, dim=-1)


def spherical_harmonics(directions: Tensor, coefficients: Tensor) -> Tensor:
    """Evaluate real spherical harmonics of coefficients [N, K, 3] in directions [..., N, 3]: [..., N, 3].

    The directions may have any length.
    Source: Green, Spherical Harmonic Lighting, 2003, appendix; signs as in 3DGS.
    """
    count = coefficients.shape[-2]
    x, y, z = torch.nn.functional.normalize(directions, dim=-1).unbind(-1)
    basis = [torch.full_like(x, _SH0)]
    if count > 1:
        basis += [-_SH1 * y, _SH1 * z, -_SH1 * x]
    if count > 4:
        a, b, c = _SH2
        basis += [a * x * y, -a * y * z, b * (3 * z * z - 1), -a * x * z, c * (x * x - y * y)]
    if count > 9:
        a, b, c, d, e = _SH3
        basis += [
            -a * y * (3 * x * x - y * y),
            b * x * y * z,
            -c * y * (5 * z * z - 1),
            d * z * (5 * z * z - 3),
            -c * x * (5 * z * z - 1),
            e * z * (x * x - y * y),
            -a * x * (x * x - 3 * y * y),
        ]
    return torch.einsum("...nk,nkc->...nc", torch.stack(basis, dim=-1), coefficients)
