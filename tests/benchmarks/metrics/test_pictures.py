"""PSNR, SSIM and the rest of what two pictures tell, against values computed by hand and by another program."""

from __future__ import annotations

import math

import pytest
import torch

from benchmarks.metrics import pictures


def test_psnr_of_known_noise() -> None:
    true = torch.full((2, 16, 16, 3), 0.5)
    made = true.clone()
    made[0] += 0.1
    made[1, :8] += 0.1
    assert pictures.psnr(made, true).tolist() == pytest.approx([20.0, 10 * math.log10(200)], abs=1e-3)
    mask = torch.zeros(2, 16, 16, 1)
    mask[:, :8] = 1
    assert pictures.psnr(made, true, mask).tolist() == pytest.approx([20.0, 20.0], abs=1e-3)
    noisy = true + 0.05 * torch.randn(2, 16, 16, 3, generator=torch.Generator().manual_seed(0))
    assert pictures.psnr(noisy, true).mean() == pytest.approx(-20 * math.log10(0.05), abs=0.3)
    assert pictures.psnr(true, true).isinf().all()


def test_ssim_agrees_with_another_program() -> None:
    from skimage.metrics import structural_similarity

    generator = torch.Generator().manual_seed(0)
    true = torch.nn.functional.avg_pool2d(torch.rand(1, 3, 72, 72, generator=generator), 9, 1).permute(0, 2, 3, 1)
    made = (true + 0.05 * torch.randn(true.shape, generator=generator)).clamp(0, 1)
    theirs = structural_similarity(
        true[0].numpy(), made[0].numpy(), channel_axis=-1, data_range=1.0, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False,
    )  # fmt: skip
    assert pictures.ssim(true, true).item() == pytest.approx(1.0, abs=1e-5)
    assert pictures.ssim(made, true).item() == pytest.approx(theirs, abs=0.01)


def test_normals_are_compared_where_both_are() -> None:
    true, made = torch.zeros(1, 2, 2, 3), torch.zeros(1, 2, 2, 3)
    true[0, 0] = torch.tensor([0.0, 0, 1])
    made[0, 0, 0], made[0, 0, 1] = torch.tensor([0.0, 0, 2]), torch.tensor([0.0, 1, 1])
    made[0, 1] = torch.tensor([1.0, 0, 0])  # where the true object is not
    assert pictures.normal_error(made, true).item() == pytest.approx(22.5, abs=1e-3)
    assert pictures.normal_error(0 * made, true).isnan().all()


def test_saturation_inside_the_mask() -> None:
    image = torch.ones(1, 2, 2, 3)
    image[0, 0, 0] = torch.tensor([1.0, 0, 0])
    image[0, 0, 1] = torch.tensor([0.5, 0.25, 0.5])
    image[0, 1, 0] = 0
    mask = torch.tensor([1.0, 1, 1, 0]).reshape(1, 2, 2, 1)
    assert pictures.saturation(image, mask).item() == pytest.approx((1 + 0.5 + 0) / 3)
