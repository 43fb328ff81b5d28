"""Every metric against values computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from backend.representations.mesh import Mesh
from benchmarks.metrics import features, intervals, janus, pictures, surfaces, words


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Mesh:
    """A closed box of twelve triangles, wound outwards."""
    corner = [[(low, high)[(i >> axis) & 1][axis] for axis in range(3)] for i in range(8)]
    quads = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
    faces = [triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))]
    return Mesh(torch.tensor(corner, dtype=torch.float32), torch.tensor(faces))


# ---- surfaces --------------------------------------------------------------------------------------------------------


def test_chamfer_and_f_score_of_points_on_a_line() -> None:
    true = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])  # largest side 2
    made = np.array([[0.0, 0, 0], [1, 0, 0.08], [2, 0, 1]])
    assert surfaces.chamfer_l1(true, true) == 0 and surfaces.f_score(true, true) == 1
    to_true, to_made = (0 + 0.08 + 1) / 3, (0 + 0.08 + 1) / 3
    assert surfaces.chamfer_l1(made, true) == pytest.approx(0.5 * (to_true + to_made) / 2)
    assert surfaces.f_score(made, true) == pytest.approx(2 / 3)  # 0.08 / 2 is within 0.05; 1 / 2 is not
    assert surfaces.f_score(made[:1], true) == pytest.approx(2 * 1 * (1 / 3) / (1 + 1 / 3))
    assert surfaces.f_score(made + 9, true) == 0


def test_volume_iou_of_boxes() -> None:
    one = box((0, 0, 0), (1, 1, 1))
    assert surfaces.volume_iou(one, one) == 1
    assert surfaces.volume_iou(one, box((0, 0, 0), (1, 1, 0.5))) == pytest.approx(0.5, abs=0.02)
    assert surfaces.volume_iou(one, box((0.5, 0, 0), (1.5, 1, 1))) == pytest.approx(1 / 3, abs=0.02)
    assert surfaces.volume_iou(one, box((2, 2, 2), (3, 3, 3))) == 0


def test_voxels_know_a_hollow() -> None:
    outer, inner = box((0, 0, 0), (1, 1, 1)), box((0.25, 0.25, 0.25), (0.75, 0.75, 0.75))
    both = Mesh(torch.cat([outer.vertices, inner.vertices]), torch.cat([outer.faces, inner.faces.flip(1) + 8]))
    filled = surfaces.voxels(both, np.zeros(3), 1.0, 32)
    assert filled.mean() == pytest.approx(1 - 0.125, abs=0.02)
    assert not filled[16, 16, 16] and filled[2, 16, 16]


def test_a_similarity_is_found_again() -> None:
    rng = np.random.default_rng(0)
    true = rng.random((2000, 3)) * [1.0, 0.3, 0.6] + np.where(rng.random((2000, 1)) < 0.3, [0.8, 0.2, 0.0], 0.0)
    inverse = surfaces.turn(-40.0)
    made = ((true - [0.3, -0.2, 0.1]) / 1.7) @ inverse.T
    turned = surfaces.fit_similarity(made, true, turning=True)
    assert turned.azimuth_degrees == pytest.approx(40.0)
    assert surfaces.chamfer_l1(turned(made), true) < 0.01
    still = surfaces.fit_similarity(made, true)
    assert still.azimuth_degrees == 0 and surfaces.chamfer_l1(still(made), true) > 0.03
    mesh = surfaces.place(box((0, 0, 0), (1, 1, 1)), surfaces.Similarity(2.0, np.array([1.0, 0, 0]), 90.0))
    assert torch.allclose(mesh.vertices.amin(0), torch.tensor([-1.0, 0, 0]), atol=1e-6)


def test_best_of_family_takes_the_nearest_member() -> None:
    rng = np.random.default_rng(0)
    cloud = rng.random((400, 3)) - 0.5
    family = [cloud * [1, 1, z] for z in (0.5, 1.0, 3.0)]
    assert surfaces.best_of_family(2.5 * family[1] + 4, family) < 0.005 < surfaces.family_distance(family)
    with pytest.raises(ValueError, match="at least 2"):
        surfaces.family_distance([cloud])


# ---- images ----------------------------------------------------------------------------------------------------------


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


# ---- features --------------------------------------------------------------------------------------------------------


def test_lpips_like_of_known_maps() -> None:
    one = [torch.tensor([1.0, 0]).reshape(1, 2, 1, 1).expand(1, 2, 2, 2), torch.ones(1, 4, 1, 1)]
    other = [torch.tensor([0.0, 3]).reshape(1, 2, 1, 1).expand(1, 2, 2, 2), 5 * torch.ones(1, 4, 1, 1)]
    assert features.lpips_like(one, one).item() == 0
    assert features.lpips_like(one, other).item() == pytest.approx((2 + 0) / 2)  # orthogonal; a multiple
    with pytest.raises(ValueError, match="1 layers against 2"):
        features.lpips_like(one[:1], other)


def test_consistency_closes_the_ring_and_is_zero_for_equal_views() -> None:
    def apart(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return features.lpips_like([one.permute(0, 3, 1, 2)], [other.permute(0, 3, 1, 2)])

    red, green = torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 0])
    views = torch.stack([red, red, green]).reshape(3, 1, 1, 3)
    assert features.adjacent_distance(views[:2], apart) == 0
    assert features.adjacent_distance(views, apart) == pytest.approx((0 + 2 + 2) / 3)


def test_frechet_distance_of_two_gaussians() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(40_000, 3, generator=generator)
    noise = (noise - noise.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(noise.T.cov())).T  # exactly white
    scale, shift = torch.tensor([1.0, 2, 3]), torch.tensor([1.0, -2, 0])
    exact = float(shift.square().sum() + ((scale - 1) ** 2).sum())
    assert features.frechet_distance(noise, noise) == pytest.approx(0, abs=1e-6)
    assert features.frechet_distance(noise * scale + shift, noise) == pytest.approx(exact, rel=1e-4)
    with pytest.raises(ValueError, match="at least 2"):
        features.frechet_distance(noise[:1], noise)


def test_identity_is_the_mean_cosine() -> None:
    renders = torch.tensor([[2.0, 0], [0, 1]])
    assert features.identity(renders, torch.tensor([[1.0, 0]])) == pytest.approx(0.5)


# ---- words -----------------------------------------------------------------------------------------------------------


def test_r_precision_of_orthogonal_and_permuted_features() -> None:
    captions = torch.eye(4)
    assert words.r_precision(3 * captions, captions, torch.arange(4)) == 1
    assert words.r_precision(captions.roll(1, 0), captions, torch.arange(4)) == 0
    assert words.r_precision(captions, captions, 2) == 0.25
    assert words.r_precision(torch.ones(2, 4), captions, 0) == 0  # ties


def test_clip_score_is_a_mean_cosine() -> None:
    images = torch.tensor([[1.0, 0], [0, 5], [-1, 0]])
    assert words.clip_score(images, torch.tensor([2.0, 0])) == pytest.approx(0.0)
    assert words.clip_score(images[:2], torch.tensor([1.0, 1])) == pytest.approx(math.sqrt(0.5))


def test_a_readers_answers_are_counted() -> None:
    said = {"colour": torch.tensor([3, 3, 1, 3]), "hat": torch.tensor([True, False, False, False])}
    assert words.read_right(said, {"colour": 3, "hat": False}) == {"colour": 0.75, "hat": 0.75}


# ---- Janus -----------------------------------------------------------------------------------------------------------


def test_one_front_is_no_janus_and_two_are() -> None:
    ring = [i * 15.0 for i in range(24)]
    assert janus.front_clusters(ring) == pytest.approx([0.0])  # across the seam of the ring
    assert not janus.is_janus(ring)
    two = [2 * angle for angle in ring]  # a face on either side
    assert janus.front_clusters(two) == pytest.approx([180.0, 0.0])
    assert janus.is_janus(two)
    assert janus.is_janus([0.0] * 24) and not janus.is_janus([180.0] * 24)


def test_one_misread_view_is_no_face() -> None:
    ring = [i * 15.0 for i in range(24)]
    ring[12] = 0.0
    assert not janus.is_janus(ring)
    ring[13] = 10.0
    assert janus.is_janus(ring)


# ---- intervals -------------------------------------------------------------------------------------------------------


def test_an_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        interval = intervals.bootstrap(rng.normal(3.0, 1.0, 40).tolist())
        hits += interval.low <= 3.0 <= interval.high
    assert 175 <= hits <= 199 and interval.n == 40


def test_pairs_are_surer_than_means_and_seeds_are_no_cases() -> None:
    rng = np.random.default_rng(1)
    hard = rng.normal(0, 5, 20)
    one, other = (hard + 1 + rng.normal(0, 0.1, 20)).tolist(), (hard + rng.normal(0, 0.1, 20)).tolist()
    difference = intervals.paired_bootstrap(one, other)
    assert 0.9 < difference.low <= difference.mean <= difference.high < 1.1
    assert intervals.bootstrap(one).high - intervals.bootstrap(one).low > 2
    grouped = intervals.bootstrap([1.0, 3.0, 10.0], ["a", "a", "b"])
    assert grouped.n == 2 and grouped.mean == 6.0
    with pytest.raises(ValueError, match="2 scores against 1"):
        intervals.paired_bootstrap([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="no scores"):
        intervals.bootstrap([])
