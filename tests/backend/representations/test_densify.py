"""Density control: who grows, who goes, and that the optimiser's state follows."""

from __future__ import annotations

import pytest
import torch

from addon.protocol.systems.tv3dg import TV3DG
from backend.cameras import orbit
from backend.errors import BackendError
from backend.rendering.splats import render_with_numba, screen_gradients
from backend.representations.densify import (
    SPLIT_SHRINK,
    DensityControl,
    DensitySettings,
    GaussianAdam,
    Rates,
    learning_rates,
    reset_opacities,
)
from backend.representations.gaussians import Gaussians, ball_of_points, gaussians_from_points
from backend.systems.overrides import options_of

RATES = {"means": 1e-3, "log_scales": 5e-3, "quaternions": 1e-3, "opacity_logits": 5e-2, "sh": 1e-2}


def start(count: int = 40, *, scale: float = 0.02, opacity: float = 0.2) -> tuple[Gaussians, GaussianAdam]:
    generator = torch.Generator().manual_seed(count)
    points = ball_of_points(count, 0.7, generator)
    gaussians = gaussians_from_points(points, torch.rand(count, 3, generator=generator), opacity=opacity)
    gaussians.log_scales = torch.full_like(gaussians.log_scales, scale).log()
    gaussians.quaternions = torch.randn(count, 4, generator=generator)
    gaussians.requires_grad_()
    return gaussians, GaussianAdam(gaussians)


def control(gaussians: Gaussians, gradients: torch.Tensor, **settings: float) -> DensityControl:
    """Return a control that saw every Gaussian once, with these screen gradients [N]."""
    chosen = DensitySettings(grow_gradient=0.5, grow_fraction=1.0, **settings)  # pyright: ignore[reportArgumentType]
    result = DensityControl(gaussians, chosen)
    result.observe(torch.stack([gradients, torch.zeros_like(gradients)], -1)[None], torch.ones(1, len(gradients)) > 0)
    return result


def step(gaussians: Gaussians, optimiser: GaussianAdam, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for value in gaussians.parameters().values():
        value.grad = torch.randn(value.shape, generator=generator)
    optimiser.step(RATES)


def test_adam_agrees_with_torch() -> None:
    gaussians, optimiser = start()
    copies = {name: value.detach().clone().requires_grad_() for name, value in gaussians.parameters().items()}
    groups = [{"params": [copies[name]], "lr": rate} for name, rate in RATES.items()]
    reference = torch.optim.Adam(groups, betas=(0.9, 0.999), eps=1e-15)
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        for value in copies.values():
            value.grad = torch.randn(value.shape, generator=generator)
        reference.step()
        step(gaussians, optimiser, seed)
    for name, value in gaussians.parameters().items():
        torch.testing.assert_close(value, copies[name])
        assert value.grad is None


def test_a_parameter_without_rate_or_gradient_stays() -> None:
    gaussians, optimiser = start()
    before = gaussians.state_dict()
    gaussians.means.grad = torch.ones_like(gaussians.means)
    gaussians.sh.grad = torch.ones_like(gaussians.sh)
    optimiser.step({"means": 1e-3, "log_scales": 1e-3})
    changed = [name for name, value in gaussians.parameters().items() if not torch.equal(value, before[name])]
    assert changed == ["means"]


def test_small_ones_are_cloned_and_large_ones_split_where_the_gradient_is_high() -> None:
    gaussians, optimiser = start()
    with torch.no_grad():
        gaussians.log_scales[:4] = torch.tensor(0.005).log()
    step(gaussians, optimiser)
    before, first = gaussians.state_dict(), optimiser.first["means"].clone()
    gradients = torch.zeros(40)
    gradients[[1, 3, 20]] = 1.0
    change = control(gaussians, gradients).adapt(gaussians, optimiser, torch.Generator().manual_seed(0))
    assert (change.cloned, change.split, change.pruned) == (2, 1, 0)
    stay = [i for i in range(40) if i != 20]
    assert len(gaussians) == 43
    assert torch.equal(gaussians.means[:39], before["means"][stay])
    assert torch.equal(gaussians.means[39:41], before["means"][[1, 3]])
    assert torch.equal(gaussians.log_scales[39:41], before["log_scales"][[1, 3]])
    child_scales = before["log_scales"][20].exp() / SPLIT_SHRINK
    torch.testing.assert_close(gaussians.scales[41:], child_scales.expand(2, 3))
    assert not torch.equal(gaussians.means[41], gaussians.means[42])
    assert torch.equal(optimiser.first["means"][:39], first[stay])
    assert (optimiser.first["means"][39:] == 0).all() and (optimiser.second["means"][39:] == 0).all()


def test_children_are_spread_like_their_parent() -> None:
    count = 4000
    gaussians, optimiser = start(count)
    with torch.no_grad():
        gaussians.means[:] = 0.0
        gaussians.quaternions[:] = torch.tensor([0.5, 0.5, 0.5, 0.5])  # x -> y -> z -> x
        gaussians.log_scales[:] = torch.tensor([0.02, 0.04, 0.08]).log()
    control(gaussians, torch.ones(count)).adapt(gaussians, optimiser, torch.Generator().manual_seed(0))
    assert len(gaussians) == 2 * count
    # The parent's axes land on world axes y, z, x. Standard error of a deviation over 8,000 draws: 0.8 %.
    torch.testing.assert_close(gaussians.means.std(0), torch.tensor([0.08, 0.02, 0.04]), rtol=0.04, atol=0)


def test_a_clone_keeps_the_picture_to_first_order() -> None:
    gaussians, optimiser = start(30, scale=0.05, opacity=0.1)
    cameras, black = orbit([0.0, 90.0], 10.0, size=32), torch.zeros(3)
    before = render_with_numba(gaussians, cameras, black).alpha.detach()
    density = control(gaussians, torch.ones(30), clone_below=1.0)
    assert density.adapt(gaussians, optimiser, torch.Generator()).cloned == 30
    after = render_with_numba(gaussians, cameras, black).alpha.detach()
    # Two halves compose to o at the centre; off it they differ by at most o^2 / 16 each, and by cuts at 1/255 each.
    doubled = 1 - (1 - before) ** 2
    assert (after - before).abs().max() < 0.2 * (doubled - before).abs().max()
    centre = 1 - (1 - gaussians.opacities.detach()[0]) ** 2
    torch.testing.assert_close(centre, torch.tensor(0.1))


def test_transparent_huge_and_invalid_ones_are_pruned_with_their_moments() -> None:
    gaussians, optimiser = start()
    step(gaussians, optimiser)
    with torch.no_grad():
        gaussians.opacity_logits[0] = -8.0
        gaussians.log_scales[1, 2] = 0.0
        gaussians.means[2, 1] = float("nan")
    second = optimiser.second["sh"][3:].clone()
    change = control(gaussians, torch.full((40,), 9.0), max_count=37).adapt(gaussians, optimiser, torch.Generator())
    assert (change.cloned, change.split, change.pruned) == (0, 0, 3)
    assert len(gaussians) == 37
    assert torch.equal(optimiser.second["sh"], second)
    assert all(value.isfinite().all() for value in gaussians.parameters().values())


def test_the_cap_is_never_exceeded_and_the_highest_gradients_grow_first() -> None:
    gaussians, optimiser = start()
    means = gaussians.means.detach().clone()
    density = control(gaussians, torch.linspace(1.0, 2.0, 40), max_count=43, clone_below=1.0)
    change = density.adapt(gaussians, optimiser, torch.Generator())
    assert (change.cloned, len(gaussians)) == (3, 43)
    assert torch.equal(gaussians.means[40:].sort(0).values, means[37:].sort(0).values)
    density = control(gaussians, torch.ones(43), max_count=10)
    assert density.adapt(gaussians, optimiser, torch.Generator()).pruned == 33
    assert len(gaussians) == 10


@pytest.mark.parametrize("rounds", [6])
def test_lengths_agree_and_mass_is_bounded_over_many_rounds(rounds: int) -> None:
    gaussians, optimiser = start(50, scale=0.009)
    for round_ in range(rounds):
        step(gaussians, optimiser, round_)
        density = control(gaussians, torch.ones(len(gaussians)), max_count=200)
        mass = (gaussians.opacities * gaussians.scales.prod(-1)).sum()
        density.adapt(gaussians, optimiser, torch.Generator().manual_seed(round_))
        # Clones carry 2 (1 - sqrt(1 - o)) <= 1.12 o for o <= 0.4 each; splits lose mass: 2 / 1.6^3 < 1.
        assert (gaussians.opacities * gaussians.scales.prod(-1)).sum() <= 1.12 * mass
        for name, value in gaussians.parameters().items():
            assert optimiser.first[name].shape == optimiser.second[name].shape == value.shape
            assert value.is_leaf and value.requires_grad
        assert len(density.gradient_sum) == len(density.views) == len(gaussians) <= 200
    assert len(gaussians) == 200


def test_losing_everything_is_an_error_with_a_remedy() -> None:
    gaussians, optimiser = start(opacity=0.001)
    with pytest.raises(BackendError, match="All 40") as caught:
        control(gaussians, torch.zeros(40)).adapt(gaussians, optimiser, torch.Generator())
    assert caught.value.hint


def test_statistics_count_every_view_that_sees_a_gaussian_and_no_other() -> None:
    gaussians, _ = start()
    density = DensityControl(gaussians, DensitySettings())
    gradients = torch.zeros(3, 40, 2)
    gradients[:, 0] = torch.tensor([[3.0, 4.0], [6.0, 8.0], [100.0, 0.0]])
    visible = torch.ones(3, 40, dtype=torch.bool)
    visible[2, 0] = False
    density.observe(gradients, visible)
    assert (density.gradient_sum[0], density.views[0]) == (15.0, 2.0)


def test_statistics_of_a_batch_are_those_of_its_views() -> None:
    gaussians, _ = start(scale=0.06)
    cameras, background = orbit([0.0, 120.0, 240.0], 15.0, size=24), torch.zeros(3)
    weights = torch.rand(3, 24, 24, 3, generator=torch.Generator().manual_seed(0))
    together, apart = DensityControl(gaussians, DensitySettings()), DensityControl(gaussians, DensitySettings())
    rendering = render_with_numba(gaussians, cameras, background)
    ((rendering.rgb * weights).sum() / 3).backward()
    together.observe(screen_gradients(rendering, cameras), rendering.visible)
    for view, camera in enumerate(cameras):
        rendering = render_with_numba(gaussians, camera, background)
        (rendering.rgb * weights[view]).sum().backward()
        apart.observe(screen_gradients(rendering, camera), rendering.visible)
    torch.testing.assert_close(together.gradient_sum, apart.gradient_sum, rtol=1e-5, atol=1e-7)
    assert torch.equal(together.views, apart.views)


def test_a_regulariser_after_observe_does_not_enter_the_statistics() -> None:
    gaussians, _ = start(scale=0.06)
    cameras = orbit([0.0], 15.0, size=24)
    rendering = render_with_numba(gaussians, cameras, torch.zeros(3))
    rendering.rgb.mean().backward(retain_graph=True)
    seen = screen_gradients(rendering, cameras)
    rendering.alpha.sum().backward()
    assert (screen_gradients(rendering, cameras) - seen).abs().max() > 10 * seen.abs().max()


def test_reset_lowers_opacities_and_forgets_only_their_moments() -> None:
    gaussians, optimiser = start()
    step(gaussians, optimiser)
    means = optimiser.first["means"].clone()
    reset_opacities(gaussians, optimiser, 0.01)
    assert gaussians.opacities.max() <= 0.01 + 1e-6
    assert (optimiser.first["opacity_logits"] == 0).all() and (optimiser.second["opacity_logits"] == 0).all()
    assert torch.equal(optimiser.first["means"], means)


def test_resuming_from_states_goes_on_with_the_same_bytes() -> None:
    def advance(gaussians: Gaussians, optimiser: GaussianAdam, density: DensityControl) -> None:
        for seed in range(3):
            step(gaussians, optimiser, seed)
            density.observe(torch.ones(1, len(gaussians), 2), torch.ones(1, len(gaussians), dtype=torch.bool))
            density.adapt(gaussians, optimiser, torch.Generator().manual_seed(seed))

    gaussians, optimiser = start()
    density = control(gaussians, torch.ones(40))
    advance(gaussians, optimiser, density)
    saved = [part.state_dict() for part in (gaussians, optimiser, density)]
    others = start(7)
    resumed = (*others, control(others[0], torch.ones(7)))
    for part, state in zip(resumed, saved, strict=True):
        part.load_state_dict(state)
    advance(gaussians, optimiser, density)
    advance(*resumed)
    for part, other in zip((gaussians, optimiser, density), resumed, strict=True):
        wanted, found = part.state_dict(), other.state_dict()
        assert wanted.keys() == found.keys()
        assert all(torch.equal(wanted[name], found[name]) for name in wanted)


def test_a_state_of_another_number_of_gaussians_is_refused() -> None:
    state = start(7)[1].state_dict()
    with pytest.raises(ValueError, match="7 Gaussians, but there are 40"):
        start(40)[1].load_state_dict(state)


def test_positions_and_colours_calm_down_and_the_other_rates_stay() -> None:
    first, middle, last = (learning_rates(step, 11, Rates(8e-3, 2e-2)) for step in (0, 5, 10))
    assert [first["means"], middle["means"], last["means"]] == pytest.approx([8e-3, 8e-3 / 20**0.5, 8e-3 / 20])
    assert [first["sh"], middle["sh"], last["sh"]] == pytest.approx([2e-2, 1e-2, 5e-3])
    for rates in (first, middle, last):
        assert (rates["log_scales"], rates["quaternions"], rates["opacity_logits"]) == (1e-2, 1e-2, 4e-2)
        assert rates.keys() == start()[0].parameters().keys()  # each parameter has one, by the name that Adam knows


def test_the_papers_rates_are_those_of_the_code_that_it_builds_on() -> None:
    """LucidDreamer's arguments/__init__.py; its positions have rates in units of its extent, 3.5."""
    rates = options_of(Rates, TV3DG.presets["paper"])
    first, last = learning_rates(0, 4000, rates), learning_rates(3999, 4000, rates)
    wanted = {
        "means": (0.00016 * 3.5, 0.0000016 * 3.5), "sh": (0.005, 0.003), "opacity_logits": (0.05, 0.05),
        "log_scales": (0.005, 0.001), "quaternions": (0.001, 0.0002),
    }  # fmt: skip
    assert {name: (first[name], last[name]) for name in first} == {n: pytest.approx(v) for n, v in wanted.items()}


def test_what_covers_too_much_of_a_view_is_taken_away() -> None:
    gaussians, optimiser = start(4)
    density = DensityControl(gaussians, DensitySettings(grow_gradient=1.0, prune_size=0.1))
    still, seen = torch.zeros(2, 4, 2), torch.ones(2, 4, dtype=torch.bool)
    density.observe(still, seen, torch.tensor([[0.01, 0.2, 0.1, 0.05], [0.01, 0.0, 0.1, 0.3]]))
    density.observe(still, seen, torch.zeros(2, 4))  # it was large once
    kept = gaussians.means.detach()[[0, 2]]
    assert density.adapt(gaussians, optimiser, torch.Generator()).pruned == 2
    assert torch.equal(gaussians.means.detach(), kept)
    density.observe(still[:, :2], seen[:, :2], torch.full((2, 2), 0.05))
    assert density.adapt(gaussians, optimiser, torch.Generator()).pruned == 0  # what was is forgotten
