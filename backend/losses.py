"""Losses on renders, pure: tensors in, a scalar out. The caller weights them on the line that sums."""

from __future__ import annotations

import torch


def total_variation(images: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute difference of neighbouring pixels, [B, H, W, C] -> []."""
    rows = (images[:, 1:] - images[:, :-1]).abs().mean()
    columns = (images[:, :, 1:] - images[:, :, :-1]).abs().mean()
    return rows + columns


def masked_total_variation(images: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Return the total variation of [B, H, W, C] where both neighbours are solid, by alpha [B, H, W, 1]."""
    solid = alpha.detach()
    rows = (images[:, 1:] - images[:, :-1]).abs() * solid[:, 1:] * solid[:, :-1]
    columns = (images[:, :, 1:] - images[:, :, :-1]).abs() * solid[:, :, 1:] * solid[:, :, :-1]
    return (rows.sum() + columns.sum()) / (solid.sum() * images.shape[-1]).clamp_min(1.0)


def photometric(rgb: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute colour difference of [B, H, W, 3] inside a mask [B, H, W, 1]."""
    return ((rgb - target).abs() * mask).sum() / (mask.sum() * rgb.shape[-1]).clamp_min(1.0)


def silhouette(alpha: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean squared difference of alpha and mask, both [B, H, W, 1]."""
    return (alpha - mask).square().mean()


def opacity_entropy(alpha: torch.Tensor, epsilon: float = 1e-3) -> torch.Tensor:
    """Return the mean binary entropy in nats: 0 where alpha is 0 or 1, so it makes surfaces decide."""
    alpha = alpha.clamp(epsilon, 1 - epsilon)
    return -(alpha * alpha.log() + (1 - alpha) * (1 - alpha).log()).mean()


def out_of_range(values: torch.Tensor) -> torch.Tensor:
    """Return the mean squared excess over [0, 1]: colours that no screen shows have no other way back."""
    return (values - values.clamp(0, 1)).square().mean()


def pearson_depth(
    depth: torch.Tensor, target: torch.Tensor, mask: torch.Tensor, epsilon: float = 1e-8, *, printed: bool = False
) -> torch.Tensor:
    """Return the mean of 1 - correlation of depths [B, H, W, 1] inside masks of that shape: 0 alike, 2 opposite.

    Neither scale nor offset of a depth counts. A constant depth correlates with nothing: 1, with a finite gradient.
    Source: TV-3DG (arXiv 2410.21299), eq. 12, with the deviations that it means where it prints variances. `printed`
    divides by the variances: then scale counts, and to flatten both depths is what lowers the loss without end.
    """
    count = mask.sum(dim=(1, 2, 3), keepdim=True).clamp_min(1.0)

    def centred(values: torch.Tensor) -> torch.Tensor:
        return (values - (values * mask).sum(dim=(1, 2, 3), keepdim=True) / count) * mask

    def mean(values: torch.Tensor) -> torch.Tensor:
        return (values / count).sum(dim=(1, 2, 3))  # [B]

    one, other = centred(depth), centred(target)
    deviations = (mean(one.square()) + epsilon).sqrt() * (mean(other.square()) + epsilon).sqrt()
    return (1 - mean(one * other) / (deviations.square() if printed else deviations)).mean()


def normal_alignment(normal: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return minus the mean cosine between normals [B, H, W, 3] inside a mask [B, H, W, 1]: -1 alike, 1 opposite.

    Lengths do not count. Source: TV-3DG, eq. 12.
    """
    cosine = torch.nn.functional.cosine_similarity(normal, target, dim=-1, eps=1e-6)[..., None]
    return -(cosine * mask).sum() / mask.sum().clamp_min(1.0)


def feature_distance(features: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean squared distance of vectors [..., C], scaled to unit length: 0 alike, 4 opposite.

    Source: TV-3DG, eq. 11; whether it scales them, and which layer it takes, is not said.
    """
    one, other = (torch.nn.functional.normalize(vectors, dim=-1, eps=1e-6) for vectors in (features, target))
    return (one - other).square().sum(dim=-1).mean()


def contextual(features: torch.Tensor, target: torch.Tensor, bandwidth: float = 0.5) -> torch.Tensor:
    """Return how unlike two sets of vectors [B, N, C] and [B, M, C] are, wherever in the pictures each one stands.

    Cosines about the targets' mean; each vector is compared with its own nearest one, so that 0 says that every target
    has one that no other is near to. Source: Mechrez et al., The Contextual Loss for Image Transformation, 2018,
    eq. 2-5.
    """
    mean = target.mean(dim=1, keepdim=True)
    one, other = (torch.nn.functional.normalize(each - mean, dim=-1, eps=1e-6) for each in (features, target))
    apart = 1 - one @ other.transpose(1, 2)  # [B, N, M]
    relative = apart / (apart.amin(dim=2, keepdim=True) + 1e-5)
    similarity = ((1 - relative) / bandwidth).softmax(dim=2)
    return -similarity.amax(dim=1).mean(dim=1).log().mean()


def reward_shortfall(reward: torch.Tensor) -> torch.Tensor:
    """Return the mean of relu(2 - r): rewards [B] above two deviations are good enough.

    Source: Xu et al., ImageReward, 2023, ReFL; TV-3DG calls it phi and does not say what it is.
    """
    return torch.relu(2 - reward).mean()


def two_by_two(views: torch.Tensor) -> torch.Tensor:
    """Put views [4, H, W, C] from azimuths 0, 90, 180, 270 into one picture [1, 2 H, 2 W, C]: 0, 90 above 270, 180.

    So front and right stand above left and back. Source: TV-3DG, eq. 10.
    """
    front, right, back, left = views
    return torch.cat([torch.cat([front, right], dim=1), torch.cat([left, back], dim=1)], dim=0)[None]


def untouched(gradient: torch.Tensor, size: int, low: float = 0.2, high: float = 0.7) -> torch.Tensor:
    """Return where a gradient of latents [B, C, h, w] leaves a picture alone, [B, size, size, 1] from 0 to 1.

    1 where it is shorter than `low` of its longest vector in that picture, 0 where it is longer than `high` of that.
    """
    strength = gradient.norm(dim=1, keepdim=True)  # [B, 1, h, w]
    strength = strength / strength.amax((2, 3), keepdim=True).clamp_min(1e-12)
    strength = torch.nn.functional.interpolate(strength, (size, size), mode="bilinear").permute(0, 2, 3, 1)
    return 1 - ((strength - low) / (high - low)).clamp(0, 1)
