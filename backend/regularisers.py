"""What keeps a radiance field from fog, pure: tensors in, a scalar or a value per ray out. The caller weights them.

The renderers of `backend.rendering.volume` return the values per ray without storing samples; these define them.
`losses.opacity_entropy` belongs here, too.
"""

from __future__ import annotations

import torch
from torch import Tensor


def sparsity(alpha: Tensor) -> Tensor:
    """Return the mean of sqrt(alpha^2 + 0.01): what is there costs. Source: DreamFusion, appendix A.2."""
    return (alpha.square() + 0.01).sqrt().mean()


def mean_square_opacity(alpha: Tensor) -> Tensor:
    """Return the mean of alpha^2. Source: Customize-It-3D's `lambda_opacity`."""
    return alpha.square().mean()


def distortion(weights: Tensor, edges: Tensor) -> Tensor:
    """Return how far a ray's weights [..., S] are spread over its stretches between edges [..., S + 1]: [...].

    sum_ij w_i w_j |m_i - m_j| + 1/3 sum_i w_i^2 (s_i+1 - s_i), in O(S); m are the middles. Edges ascend, and are
    distances divided by one length, so that the scale of the scene does not count. To split a stretch, its weight with
    it, changes nothing. Source: Barron et al., Mip-NeRF 360, 2022, eq. 15.
    """
    middles = (edges[..., 1:] + edges[..., :-1]) / 2
    before = weights.cumsum(-1) - weights
    moment = (weights * middles).cumsum(-1) - weights * middles
    between = 2 * (weights * (middles * before - moment)).sum(-1)
    return between + (weights.square() * edges.diff(dim=-1)).sum(-1) / 3


def orientation(weights: Tensor, facing: Tensor) -> Tensor:
    """Return sum stop_gradient(w) max(0, n . d)^2 of samples [..., S]: what is seen of surfaces that face away.

    facing: normals times ray directions. Source: Verbin et al., Ref-NeRF, 2022, eq. 11; DreamFusion stops the gradient.
    """
    return (weights.detach() * facing.clamp_min(0).square()).sum(-1)


def depth_variance(weights: Tensor, depths: Tensor) -> Tensor:
    """Return sum w (z - mean z)^2 of samples [..., S], the mean that of the weights. Source: HiFA, 2023, eq. 9."""
    total = weights.sum(-1, keepdim=True)
    mean = (weights * depths).sum(-1, keepdim=True) / torch.where(total > 0, total, torch.ones_like(total))
    return (weights * (depths - mean).square()).sum(-1)


def over_rays(values: Tensor, alpha: Tensor, least: float = 0.0) -> Tensor:
    """Return the mean of values over the rays whose alpha is above `least`, both [B, H, W, 1]; 0 where none is.

    Orientation counts rays above 0 (threestudio), the variance of depths those above 0.5 (HiFA).
    """
    seen = (alpha.detach() > least).to(values)
    return (values * seen).sum() / seen.sum().clamp_min(1.0)


def normal_image_smoothness(normals: Tensor) -> Tensor:
    """Return the mean squared difference of neighbouring pixels' normals [B, H, W, 3], rows and columns added.

    Source: threestudio's `lambda_normal_smooth`.
    """
    return normals.diff(dim=1).square().mean() + normals.diff(dim=2).square().mean()


def normal_smoothness(normals: Tensor, nearby: Tensor) -> Tensor:
    """Return the mean absolute difference of normals [M, 3] at points and at points close by.

    Source: threestudio's `lambda_3d_normal_smooth`.
    """
    return (normals - nearby).abs().mean()


def grid_variation(values: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbouring nodes of [X, Y, Z, C], added over the three axes.

    Source: Fridovich-Keil et al., Plenoxels, 2022, section 3.4, with absolute values in place of a root.
    """
    return values.diff(dim=0).abs().mean() + values.diff(dim=1).abs().mean() + values.diff(dim=2).abs().mean()
