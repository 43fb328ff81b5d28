"""3D Gaussians as glTF: a point primitive with KHR_gaussian_splatting, Y up, for viewers that do not read PLY.

Source: Khronos, KHR_gaussian_splatting, release candidate of 2026; names and units are those of its ellipse kernel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backend.cameras import blender_to_gltf
from backend.gltf.glb import ARRAY_BUFFER, Binary, one_mesh, write_document
from backend.representations.gaussians import Gaussians, spherical_harmonics

EXTENSION = "KHR_gaussian_splatting"
KIND = {
    "kernel": "ellipse",
    "colorSpace": "srgb_rec709_display",  # what the colours were optimised in
    "projection": "perspective",
    "sortingMethod": "cameraDistance",
}
DIRECTIONS = 64  # that harmonics are compared in; 16 would do
_HALF = math.sqrt(0.5)
TURN = (_HALF, -_HALF, 0.0, 0.0)  # w x y z: from Z up to Y up, a quarter about X, as `blender_to_gltf` turns points


def write_splats_glb(
    path: Path, gaussians: Gaussians, *, name: str = "Maquette", extras: Mapping[str, str | int | float] | None = None
) -> None:
    """Write Gaussians as binary glTF 2.0; programs that do not know the extension show coloured points.

    Scales are linear, opacities in [0, 1], quaternions x y z w of unit length; positions, quaternions and the
    harmonics of view-dependent colours are turned to Y up. `extras` go to the node. Raises ValueError when a number is
    not finite.
    """
    harmonics = turned_harmonics(gaussians.sh.detach().cpu().double())
    opacities = gaussians.opacities.detach().cpu().double()[:, None]
    base = _linear(gaussians.base_colours.detach().cpu().double().clamp(0, 1))
    splats = {"ROTATION": _turned(gaussians.quaternions.detach().cpu().double())[:, [1, 2, 3, 0]]}
    splats |= {"SCALE": gaussians.scales.detach().cpu().double(), "OPACITY": opacities}
    bands = range(harmonics.shape[1])
    splats |= {f"SH_DEGREE_{_degree(band)}_COEF_{band - _degree(band) ** 2}": harmonics[:, band] for band in bands}
    columns = {"POSITION": blender_to_gltf(gaussians.means.detach().cpu().double())}
    columns |= {f"{EXTENSION}:{attribute}": values for attribute, values in splats.items()}
    columns["COLOR_0"] = torch.cat([base, opacities], dim=1)
    arrays = {attribute: values.float().numpy() for attribute, values in columns.items()}
    broken = ~np.logical_and.reduce([np.isfinite(values).all(axis=1) for values in arrays.values()])
    if broken.any():
        raise ValueError(f"{int(broken.sum())} of {len(broken)} Gaussians hold numbers that are not finite")

    binary, positions = Binary(), arrays["POSITION"]
    bounds = {"min": positions.min(axis=0).tolist(), "max": positions.max(axis=0).tolist()}
    shapes = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}
    attributes = {
        attribute: binary.accessor(
            values, shapes[values.shape[1]], ARRAY_BUFFER, bounds if attribute == "POSITION" else None
        )
        for attribute, values in arrays.items()
    }
    primitive = {"attributes": attributes, "mode": 0, "extensions": {EXTENSION: KIND}}
    write_document(path, {"extensionsUsed": [EXTENSION]} | one_mesh(primitive, name, extras), binary)


def turned_harmonics(coefficients: Tensor) -> Tensor:
    """Return harmonics [N, K, 3] of colours seen in directions that are turned from Z up to Y up.

    Each degree turns within itself: its values in many directions say how.
    """
    bands = coefficients.shape[1]
    if bands == 1:
        return coefficients
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(DIRECTIONS, 3, generator=generator, dtype=torch.float64)
    before, after = _basis(directions, bands), _basis(blender_to_gltf(directions), bands)
    parts = [coefficients[:, :1]]
    for degree in range(1, math.isqrt(bands)):
        own = slice(degree**2, (degree + 1) ** 2)
        matrix = torch.linalg.lstsq(after[:, own], before[:, own]).solution  # [2 degree + 1, 2 degree + 1]
        parts.append(torch.einsum("mk,nkc->nmc", matrix, coefficients[:, own]))
    return torch.cat(parts, dim=1)


def _basis(directions: Tensor, bands: int) -> Tensor:
    """Return the value of each harmonic in each direction [S, 3]: [S, K]."""
    each = torch.eye(bands, dtype=directions.dtype)[:, :, None].expand(-1, -1, 3)
    return spherical_harmonics(directions[:, None].expand(-1, bands, -1), each)[..., 0]


def _turned(quaternions: Tensor) -> Tensor:
    """Return quaternions [N, 4], w x y z, after the turn to Y up, of unit length."""
    w, x, y, z = torch.nn.functional.normalize(quaternions, dim=-1).unbind(-1)
    a, b, _, _ = TURN
    return torch.stack([a * w - b * x, a * x + b * w, a * y - b * z, a * z + b * y], dim=-1)


def _degree(band: int) -> int:
    return math.isqrt(band)


def _linear(srgb: Tensor) -> Tensor:
    """Return the light of sRGB colours, which glTF's own attribute of colours holds. Source: IEC 61966-2-1."""
    return torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
