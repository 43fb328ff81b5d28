"""Divide the light out of a picture of a mesh, as far as the mesh's own shading explains the picture's brightness.

Source: Ramamoorthi and Hanrahan, An Efficient Representation for Irradiance Environment Maps, 2001, section 3: what a
matte surface receives from afar is all but a quadratic function of its normal.
"""

from __future__ import annotations

import torch

from backend.cameras import Cameras
from backend.meshes.mesh import Mesh, vertex_normals
from backend.meshes.rasteriser import interpolate, rasterise

COLOURS = 8  # kinds of paint that are told apart
ROUNDS = 12  # of telling them apart, and of weighing outliers down
RIDGE = 0.02  # pull of the light towards an even one, for each pixel
OUTLIER = 0.5  # of the logarithm of brightness: pixels that are further off count less, such as black lines
MOST = 1.6  # by how much a pixel becomes brighter or darker at most
DARKEST = 0.04  # brightness below which nothing can be told
MIN_PIXELS = 64


def without_light(mesh: Mesh, camera: Cameras, rgb: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return a picture [H, W, 3] in [0, 1] with its low-order light divided out, where the camera sees the mesh.

    mask [H, W, 1] tells where the picture shows it. The mean brightness stays. What only position explains, shadows
    and occlusion, stays as well; so does a picture of which too little is seen.
    """
    fragments = rasterise(mesh, camera)
    covered = torch.from_numpy(fragments.face >= 0)  # [H, W]
    normals = torch.zeros(*covered.shape, 3)
    normals[covered] = torch.nn.functional.normalize(interpolate(fragments, mesh.faces, vertex_normals(mesh)), dim=-1)
    shown = covered & (mask[..., 0] > 0.5)
    told = shown & (rgb.mean(-1) > DARKEST)
    if int(told.sum()) < MIN_PIXELS:
        return rgb
    light = log_light(rgb[told], normals[told])
    factor = quadratic(normals[shown]) @ light  # [P], logarithm of the light
    factor = (factor - factor.mean()).exp().clamp(1 / MOST, MOST)
    picture = rgb.clone()
    picture[shown] = (rgb[shown] / factor[:, None]).clamp(0, 1)
    return picture


def log_light(colours: torch.Tensor, normals: torch.Tensor) -> torch.Tensor:
    """Return the coefficients [8] of `quadratic` that explain the logarithm of brightness of colours [P, 3].

    Each kind of paint has a brightness of its own, which is fitted beside the light: white light does not change the
    hue, so what differs in hue is another paint, and not another light. Robust least squares with a small ridge.
    """
    brightness = colours.mean(-1).clamp_min(DARKEST).log()  # [P]
    paints = kinds(colours / colours.sum(-1, keepdim=True).clamp_min(1e-6))  # [P, K]
    basis = torch.cat([paints, quadratic(normals)], dim=-1).double()
    ridge = torch.zeros(basis.shape[1], dtype=torch.float64)
    ridge[paints.shape[1] :] = RIDGE * len(colours)
    ridge[: paints.shape[1]] = 1e-6 * len(colours)  # a kind of which there is none
    weight, found = torch.ones(len(colours), 1, dtype=torch.float64), torch.zeros(basis.shape[1], 1).double()
    for _ in range(ROUNDS):
        found = torch.linalg.solve(
            basis.T @ (weight * basis) + torch.diag(ridge), basis.T @ (weight * brightness[:, None].double())
        )
        off = (brightness[:, None] - basis @ found).abs()
        weight = OUTLIER / off.clamp_min(OUTLIER)  # Huber's
    return found[paints.shape[1] :, 0].float()


def quadratic(normals: torch.Tensor) -> torch.Tensor:
    """Return the real spherical harmonics of degrees 1 and 2, unnormalised, of unit normals [P, 3]: [P, 8]."""
    x, y, z = normals.unbind(-1)
    return torch.stack([x, y, z, x * y, y * z, z * x, x * x - y * y, 3 * z * z - 1], dim=-1)


def kinds(chromaticities: torch.Tensor) -> torch.Tensor:
    """Return to which of COLOURS kinds each of chromaticities [P, 3] belongs, one-hot [P, K], by k-means."""
    centres = chromaticities.mean(0, keepdim=True)
    for _ in range(COLOURS - 1):
        apart = torch.cdist(chromaticities, centres).amin(1)
        centres = torch.cat([centres, chromaticities[apart.argmax()][None]])
    for _ in range(ROUNDS):
        member = torch.nn.functional.one_hot(torch.cdist(chromaticities, centres).argmin(1), COLOURS).float()
        count = member.sum(0)[:, None]
        centres = torch.where(count > 0, member.T @ chromaticities / count.clamp_min(1), centres)
    return member
