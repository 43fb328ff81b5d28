"""Settings of every system that shapes a radiance field: its grid and rates, its guidance, what keeps it smooth."""

from __future__ import annotations

from typing import Any

from .guidance_choices import LOSSES, NOISE_WEIGHTS
from .system import Group, setting


# fmt: off
def nodes(group: Group) -> int:
    """Declare how fine the field's grid is in the end."""
    return setting(
        group, 96, "Nodes", "Points along a side of the grid in the end; it begins with a third of them", 6, 192,
        bench=48,
    )


def view_size(group: Group, **presets: Any) -> int:
    """Declare how many pixels a view of the field has."""
    return setting(
        group, 64, "View Size", "Pixels of a view of the field, scaled for the prior; more is sharper and slower",
        8, 512, unit="pixels", **presets,
    )


def field_rate(group: Group) -> float:
    """Declare how fast the field changes at first."""
    return setting(group, 0.2, "Rate", "How fast density and colour change at first", 1e-9, 1, paper=0.05)


def field_rate_end(group: Group) -> float:
    """Declare how much of that is left in the end."""
    return setting(group, 0.2, "Rate Left", "Share of that rate that is left in the end", 1e-9, 1)


def field_memory(group: Group) -> float:
    """Declare Adam's beta_2."""
    return setting(
        group, 0.99, "Memory", "How long the usual size of a change is remembered; 0.99 is a hundred steps", 0, 0.9999,
    )


def unlit(group: Group, value: float, **presets: Any) -> float:
    """Declare for how long colours are seen without light."""
    return setting(
        group, value, "Unlit Share", "Share of the steps at first in which colours are seen without any light", 0, 1,
        **presets,
    )


def lit(group: Group, **presets: Any) -> float:
    """Declare how often a light shows the shape afterwards."""
    return setting(
        group, 0.25, "Lit Views", "Share of the steps after that in which a light shows the shape", 0, 1, **presets,
    )


def textureless(group: Group, **presets: Any) -> float:
    """Declare how often the shape is then without its colours."""
    return setting(
        group, 0.2, "White Shape", "Share of those in which the shape is lit without its colours", 0, 1, **presets,
    )


def loss(group: Group) -> str:
    """Declare the loss of the guidance."""
    return setting(
        group, "sds", "Loss", "What turns the prior's opinion of the views into changes of the object", choices=LOSSES,
    )


def weight(group: Group) -> str:
    """Declare how much guidance counts at each noise level; DreamFusion's, for every loss."""
    return setting(
        group, "sds", "Weight by Noise", "How much the opinion counts at each noise level, whichever the loss",
        choices=NOISE_WEIGHTS,
    )


def delta_t(group: Group) -> int:
    """Declare how far apart the noise levels are that ISM and CSM compare."""
    return setting(
        group, 100, "Noise Stride", "Distance between two noise levels of ISM and CSM; shorter takes longer", 1, 400,
    )


def camera_tokens(group: Group) -> bool:
    """Declare whether the prior is told where the camera is; Stable Diffusion takes none."""
    return setting(
        group, True, "Tell Camera",
        "Tell the prior where the camera is, if it can take that; otherwise it is told in words", paper=False,
    )


def perp_neg(group: Group) -> float:
    """Declare how strongly guidance goes against other sides than the one in view."""
    return setting(
        group, 0.0, "Against Other Sides",
        "Weight against the front and side where another side is in view (Perp-Neg); takes longer", 0, 4,
    )


def low_elevation(group: Group, **presets: Any) -> float:
    """Declare from how low the object is seen."""
    return setting(
        group, -10.0, "Lowest View", "Least height of the views around the object", -90, 90, unit="degrees", **presets,
    )


def high_elevation(group: Group, value: float, **presets: Any) -> float:
    """Declare from how high the object is seen."""
    return setting(
        group, value, "Highest View", "Greatest height of the views around the object", -90, 90, unit="degrees",
        **presets,
    )


def sparsity(group: Group) -> float:
    """Declare the weight against anything being there."""
    return setting(group, 0.02, "Emptiness", "Weight against anything being there at all", 0, 10)


def entropy(group: Group) -> float:
    """Declare the weight against fog."""
    return setting(group, 0.02, "Solidity", "Weight against half-transparent parts; less leaves fog", 0, 4)


def orientation(group: Group) -> float:
    """Declare the weight against surfaces that face away."""
    return setting(group, 0.02, "Facing", "Weight against surfaces that face away but are seen", 0, 10)


def distortion(group: Group) -> float:
    """Declare the weight of mip-NeRF 360's distortion loss, whose own is 0.01."""
    return setting(group, 0.1, "Thin Surfaces", "Weight against density spread along a ray", 0, 10)


def smoothness(group: Group) -> float:
    """Declare the weight against rough surfaces."""
    return setting(group, 0.02, "Surface Evenness", "Weight against noise in its direction", 0, 10)


def variation(group: Group) -> float:
    """Declare the weight against noise in the grid."""
    return setting(group, 1e-3, "Grid Evenness", "Weight against noise in density and colour", 0, 1)
# fmt: on
