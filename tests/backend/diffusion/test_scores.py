"""The distillation gradients against toy denoisers whose scores are known in closed form."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from backend.diffusion.scores import (
    classifier_free_guidance,
    csd,
    csm,
    ddim_step,
    distillation_loss,
    inversion_nodes,
    invert,
    ism,
    predict_pair,
    sds,
    timestep_weight,
    vpcsm,
    vsd,
)
from backend.schedules import draw_timestep

ALPHAS = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2, dim=0)
MEANS = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
DEVIATION = 0.3
CLASS, ANY = torch.ones(1, 1, 1), torch.zeros(1, 1, 1)  # the toys' contexts: the first component alone, or all


def mixture_noise(x: torch.Tensor, t: int, context: torch.Tensor) -> torch.Tensor:
    """Return the exact noise prediction for a mixture of three Gaussians in the plane; x is [B, 2, 1, 1]."""
    points, alpha = x[:, :, 0, 0], ALPHAS[t]
    variance = alpha * DEVIATION**2 + 1 - alpha
    apart = points[:, None] - alpha.sqrt() * MEANS  # [B, 3, 2]
    logits = -0.5 * apart.square().sum(-1) / variance
    only_first = torch.tensor([0.0, -torch.inf, -torch.inf], dtype=torch.float64)
    is_class = context.expand(len(x), 1, 1)[:, 0]  # [B, 1]
    share = torch.where(is_class > 0, logits + only_first, logits).softmax(-1)
    score = -(share[..., None] * apart).sum(1) / variance
    return (-(1 - alpha).sqrt() * score)[:, :, None, None]


def gaussian_noise(x: torch.Tensor, t: int, context: torch.Tensor) -> torch.Tensor:
    """Return the exact noise prediction for one Gaussian of mean 1 and deviation 0.5 in each dimension."""
    alpha = ALPHAS[t]
    return (1 - alpha).sqrt() * (x - alpha.sqrt()) / (alpha * 0.25 + 1 - alpha)


def points(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    centre = MEANS[torch.randint(0, 3, (count,), generator=generator)]
    noise = torch.randn(count, 2, generator=generator, dtype=torch.float64)
    return (centre + DEVIATION * noise)[:, :, None, None]


def contexts(count: int) -> dict[str, Any]:
    return {"conditional": CLASS.repeat(count, 1, 1), "unconditional": ANY.repeat(count, 1, 1)}


def test_the_two_conventions_of_guidance_differ_by_one():
    cond, uncond = torch.randn(2, 4, 4, 8, 8, dtype=torch.float64).unbind()
    from_text = cond + 7.5 * (cond - uncond)
    torch.testing.assert_close(classifier_free_guidance(cond, uncond, 8.5), from_text, rtol=1e-12, atol=1e-12)
    assert torch.equal(classifier_free_guidance(cond, uncond, 0.0), uncond)


def fixed_noise(x: torch.Tensor, t: int, context: torch.Tensor) -> torch.Tensor:
    return context.expand(len(x), 1, 1)[..., None] * 0.5 + 0.25 + torch.zeros_like(x)


def test_sds_and_csm_are_the_printed_formulas():
    x, noise = torch.randn(2, 3, 4, 8, 8, dtype=torch.float64).unbind()
    common: dict[str, Any] = {"alphas": ALPHAS, **contexts(3)}
    got = sds(fixed_noise, x, 400, noise, scale=7.5, weight="sds", **common)
    torch.testing.assert_close(got, (1 - ALPHAS[400]) * (0.25 + 7.5 * 0.5 - noise))
    got = csm(fixed_noise, x, 400, scale=7.5, delta_t=50, weight="ism", **common)
    expected = ((1 - ALPHAS[400]) / ALPHAS[400]).sqrt() * 7.5 * 0.5
    torch.testing.assert_close(got, expected * torch.ones_like(x))
    got = csm(fixed_noise, x, 400, scale=7.5, delta_t=50, weight="uniform", difference=2.0, **common)
    torch.testing.assert_close(got, (7.5 * 0.5 + 2.0 * 0.5) * torch.ones_like(x))


def without_structure(x: torch.Tensor, t: int, context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return fixed_noise(x, t, context), fixed_noise(x, t, context) - 0.125


def test_the_other_losses_are_the_printed_formulas():
    x, noise = torch.randn(2, 3, 4, 8, 8, dtype=torch.float64).unbind()
    common: dict[str, Any] = {"alphas": ALPHAS, "weight": "uniform", "scale": 7.5, **contexts(3)}
    ones = torch.ones_like(x)
    torch.testing.assert_close(csd(fixed_noise, x, 400, noise, **common), 7.5 * 0.5 * ones)
    got = vsd(fixed_noise, lambda x, t, context: torch.full_like(x, 0.5), x, 400, noise, **common)
    torch.testing.assert_close(got, (0.25 + 7.5 * 0.5 - 0.5) * ones)
    torch.testing.assert_close(ism(fixed_noise, x, 400, delta_t=50, **common), 7.5 * 0.5 * ones)
    got = vpcsm(fixed_noise, without_structure, x, 400, delta_t=50, perturbation=2.0, difference=4.0, **common)
    torch.testing.assert_close(got, (7.5 * 0.5 + 2.0 * 0.125 + 4.0 * 0.5) * ones)


def test_as_printed_the_perturbed_term_pushes_the_other_way():
    """Eq. 18 with the eps_hat of eq. 17: s (eps - (eps + s (eps - perturbed))) = -s^2 (eps - perturbed)."""
    x = torch.randn(3, 4, 8, 8, dtype=torch.float64)
    common: dict[str, Any] = {"alphas": ALPHAS, "weight": "uniform", "scale": 7.5, "delta_t": 50, **contexts(3)}
    got = vpcsm(fixed_noise, without_structure, x, 400, perturbation=3.0, printed=True, **common)
    torch.testing.assert_close(got, (7.5 * 0.5 - 9.0 * 0.125) * torch.ones_like(x))
    meant = vpcsm(fixed_noise, without_structure, x, 400, perturbation=3.0, **common)
    torch.testing.assert_close(meant, (7.5 * 0.5 + 3.0 * 0.125) * torch.ones_like(x))


@pytest.mark.parametrize("delta_t", [25, 50, 100])
def test_algorithm_1_cannot_be_run_as_printed(delta_t: int):
    """Its lines 5-17: the first step starts at r, and only latents at 0 are there; the last rarely ends at t."""
    ends_at_t = 0
    for t in range(20, 980):
        rest = t % delta_t or delta_t
        steps: list[tuple[int, int]] = []
        source = 0
        for i in range(1, -(-t // delta_t) + 1):
            source = rest if i == 1 else (i - 1) * source
            steps.append((source, source + (delta_t if i == 1 else rest)))
        assert steps[0][0] == rest > 0
        ends_at_t += steps[-1][1] == t
        assert inversion_nodes(t, delta_t)[0] == 0 and inversion_nodes(t, delta_t)[-1] == t  # our reading
    assert ends_at_t < 0.1 * 960


def test_vpcsm_without_perturbation_is_csm_to_the_bit_and_never_asks_for_it():
    x = points(8)
    common: dict[str, Any] = {"alphas": ALPHAS, "scale": 7.5, "delta_t": 50, "difference": 1.0, **contexts(8)}

    def never(x: torch.Tensor, t: int, context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        raise AssertionError("a perturbed prediction costs an evaluation")

    got = vpcsm(mixture_noise, never, x, 500, perturbation=0.0, **common)
    assert torch.equal(got, csm(mixture_noise, x, 500, **common))


def test_vsd_and_sds_rest_where_their_other_noise_is_the_guided_one():
    x, noise = points(16), torch.randn(16, 2, 1, 1, dtype=torch.float64)
    common: dict[str, Any] = {"alphas": ALPHAS, "scale": 1.0, **contexts(16)}
    rest = vsd(mixture_noise, mixture_noise, x, 500, noise, **common)
    torch.testing.assert_close(rest, torch.zeros_like(rest), atol=1e-12, rtol=0)
    moved = vsd(mixture_noise, lambda x, t, context: noise, x, 500, noise, **common)
    torch.testing.assert_close(moved, sds(mixture_noise, x, 500, noise, **common))


def test_ism_inverts_in_strides_and_takes_the_noise_of_its_last_step():
    asked: list[int] = []

    def counted(x: torch.Tensor, t: int, context: torch.Tensor) -> torch.Tensor:
        asked.append(t)
        return mixture_noise(x, t, context)

    x = points(8)
    common: dict[str, Any] = {"alphas": ALPHAS, "weight": "uniform", "scale": 1.0, "delta_t": 50, **contexts(8)}
    got = ism(counted, x, 500, **common)
    assert asked == [0, 50, 250, 450, 500]
    at_450, _ = invert(mixture_noise, x, [0, 50, 250, 450], ALPHAS, ANY)
    before = mixture_noise(at_450, 450, ANY)
    at_500 = ddim_step(at_450, before, 450, 500, ALPHAS)
    torch.testing.assert_close(got, mixture_noise(at_500, 500, CLASS) - before)
    asked.clear()
    ism(counted, x, 30, **common)
    assert asked == [0, 30]


def test_the_surrogate_loss_hands_the_gradient_through():
    x, gradient = torch.randn(2, 3, 4, 8, 8, dtype=torch.float64).unbind()
    through_loss, through_product, direct = (x.clone().requires_grad_() for _ in range(3))
    distillation_loss(through_loss, gradient).backward()
    (through_product * gradient).sum().backward()
    direct.backward(gradient)
    torch.testing.assert_close(through_loss.grad, direct.grad, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(through_product.grad, direct.grad)


def test_csm_has_no_randomness_and_sds_has():
    x = points(16)
    common: dict[str, Any] = {"alphas": ALPHAS, "scale": 7.5, **contexts(16)}
    torch.manual_seed(1)
    first = csm(mixture_noise, x, 500, delta_t=50, **common)
    torch.manual_seed(2)
    assert torch.equal(first, csm(mixture_noise, x, 500, delta_t=50, **common))
    one, other = (sds(mixture_noise, x, 500, torch.randn_like(x), **common) for _ in range(2))
    assert not torch.allclose(one, other)


@pytest.mark.parametrize("delta_t", [1, 25, 50, 100])
def test_inversion_nodes_step_evenly_after_the_first(delta_t: int):
    for t in range(1, 1000):
        nodes = inversion_nodes(t, delta_t)
        gaps = [b - a for a, b in zip(nodes[:-1], nodes[1:], strict=True)]
        assert nodes[0] == 0 and nodes[-1] == t and 0 < gaps[0] <= delta_t
        assert all(gap == delta_t for gap in gaps[1:])
        assert len(nodes) == -(-t // delta_t) + 1


def test_inversion_nodes_cost_what_the_reference_counts():
    steps = [len(inversion_nodes(t, 50)) - 1 for t in range(20, 980)]
    assert sum(steps) / len(steps) == pytest.approx(10.48, abs=0.02)
    with pytest.raises(ValueError, match="at least 1"):
        inversion_nodes(0, 50)


def test_a_ddim_step_keeps_what_is_clean_and_its_noise_and_changes_their_shares():
    alphas = torch.tensor([0.64, 0.36], dtype=torch.float64)  # roots 0.8 and 0.6, either way
    clean, noise = torch.tensor([3.0, -1.0]).double(), torch.tensor([0.5, 2.0]).double()
    at_0, at_1 = 0.8 * clean + 0.6 * noise, 0.6 * clean + 0.8 * noise
    torch.testing.assert_close(ddim_step(at_0, noise, 0, 1, alphas), at_1)
    torch.testing.assert_close(ddim_step(at_1, noise, 1, 0, alphas), at_0)


def test_a_pair_is_predicted_in_one_batch_where_the_contexts_are_equally_long():
    asked: list[int] = []

    def first_token(x: torch.Tensor, t: int, context: torch.Tensor) -> torch.Tensor:
        asked.append(len(x))
        return t * x + context[:, 0, 0, None, None, None]

    x = torch.ones(2, 1, 1, 1)
    conditional, unconditional = torch.tensor([[[1.0]], [[2.0]]]), torch.tensor([[[0.25]], [[0.5]]])
    for refused, calls in ((unconditional, [4]), (unconditional.expand(2, 3, 1), [2, 2])):
        cond, uncond = predict_pair(first_token, x, 7, conditional, refused)
        assert (cond.flatten().tolist(), uncond.flatten().tolist()) == ([8.0, 9.0], [7.25, 7.5])
        assert asked == calls
        asked.clear()
    corrected = predict_pair(first_token, x, 7, conditional, unconditional, lambda p, x, t, cond, uncond: cond - uncond)
    assert (corrected[0].flatten().tolist(), corrected[1].flatten().tolist()) == ([0.75, 1.5], [7.25, 7.5])


def round_trip_error(delta_t: int, t: int = 500) -> float:
    x = points(256)
    nodes = inversion_nodes(t, delta_t)
    back, _ = invert(mixture_noise, x, nodes, ALPHAS, ANY)
    for source, target in zip(nodes[:0:-1], nodes[-2::-1], strict=True):
        back = ddim_step(back, mixture_noise(back, source, ANY), source, target, ALPHAS)
    return float((back - x).abs().mean())


def test_inversion_and_sampling_undo_each_other_to_first_order():
    fine, coarse = round_trip_error(1), round_trip_error(5)
    assert fine < 0.01
    assert 4 < coarse / fine < 6


def test_inversion_of_a_gaussian_is_the_product_of_its_linear_maps():
    x = torch.linspace(-2, 3, 11, dtype=torch.float64)[:, None, None, None]
    nodes = inversion_nodes(730, 50)
    scale, shift = 1.0, 0.0
    for source, target in zip(nodes[:-1], nodes[1:], strict=True):
        a, s = float(ALPHAS[source].sqrt()), float((1 - ALPHAS[source]).sqrt())
        b, q = float(ALPHAS[target].sqrt()), float((1 - ALPHAS[target]).sqrt())
        k = s / (a * a * 0.25 + s * s)  # noise = k (x - a), taken at the source
        slope, offset = b / a * (1 - s * k) + q * k, b * s * k - q * k * a
        scale, shift = slope * scale, slope * shift + offset
    inverted, _ = invert(gaussian_noise, x, nodes, ALPHAS, ANY)
    torch.testing.assert_close(inverted, scale * x + shift, rtol=1e-6, atol=1e-6)

    def at_the_target(x: torch.Tensor, t: int, context: torch.Tensor) -> torch.Tensor:  # what diffusers' loop does
        return gaussian_noise(x, nodes[nodes.index(t) + 1], context)

    mislabelled, _ = invert(at_the_target, x, nodes, ALPHAS, ANY)
    assert (mislabelled - inverted).abs().max() > 1e-3


def descend(gradient, steps: int = 1500) -> torch.Tensor:
    """Run Adam on 64 points and return them, [64, 2]."""
    x = points(64, seed=3).requires_grad_()
    optimiser = torch.optim.Adam([x], lr=0.02)
    generator = torch.Generator().manual_seed(5)
    for step in range(steps):
        t = draw_timestep((0.02, 0.98), 1000, generator)
        x.grad = gradient(x.detach(), t, step, generator)
        optimiser.step()
    return x.detach()[:, :, 0, 0]


def test_sds_without_guidance_finds_the_mode():
    def gradient(x, t, step, generator):
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        return sds(mixture_noise, x, t, noise, alphas=ALPHAS, scale=1.0, **contexts(64))

    found = descend(gradient)
    assert float((found - MEANS[0]).norm(dim=-1).mean()) < 0.15
    assert float(found.std(0).max()) < 0.15  # mode seeking: far below the data's 0.3


def test_csm_reaches_the_class_and_drifts_unless_anchored():
    def csm_with(difference: float):
        def gradient(x, t, step, generator):
            options: dict[str, Any] = {
                "alphas": ALPHAS,
                "scale": 7.5,
                "delta_t": 100,
                "weight": "uniform",
                "difference": difference,
            }
            return csm(mixture_noise, x, t, **options, **contexts(64))

        return gradient

    half, whole = descend(csm_with(0.0), 400), descend(csm_with(0.0), 800)
    held_half, held = descend(csm_with(1.0), 400), descend(csm_with(1.0), 800)
    logits = -0.5 * (whole[:, None] - MEANS).square().sum(-1) / DEVIATION**2
    assert float(logits.softmax(-1)[:, 0].min()) > 0.99
    away = [float((x - MEANS[0]).norm(dim=-1).mean()) for x in (half, whole, held_half, held)]
    assert away[1] > 1.4 * away[0]  # nothing ends the drift ...
    assert away[3] < 1.2 * away[2] and away[3] < 0.5 * away[1]  # ... but the pull to what is likely


def test_weights_at_known_alphas():
    alpha = torch.tensor(0.2)
    assert float(timestep_weight(alpha, "uniform")) == 1.0
    assert float(timestep_weight(alpha, "sds")) == pytest.approx(0.8)
    assert float(timestep_weight(alpha, "ism")) == pytest.approx(2.0)
    with pytest.raises(ValueError, match="unknown weight"):
        timestep_weight(alpha, "fantasia")  # type: ignore[arg-type]
