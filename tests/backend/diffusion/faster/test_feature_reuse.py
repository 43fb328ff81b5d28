"""Feature reuse: exact where nothing is reused, within stated bounds where it is, and cheaper by what is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from addon.protocol import preflight
from backend.cameras import orbit
from backend.diffusion.denoiser import Prior, load_prior
from backend.diffusion.faster.feature_reuse import FeatureReuse
from backend.diffusion.sampling import noise_for
from backend.diffusion.scores import csm
from backend.weights import EMBEDDED

LEVELS = (250, 450, 650)
# Least mean cosine to the gradient of csm at delta_t 50 that asks all layers at each step; measured are .9995, .997,
# .993, .93. The larger delta_t is the other lever, by the same measure.
BOUNDS = {(50, 2): 0.997, (50, 3): 0.985, (100, 1): 0.98, (200, 1): 0.85}


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior("embedded")


def gradients(prior: Prior, delta_t: int, every: int) -> list[torch.Tensor]:
    """Return csm's gradients at two views of a grey ball, by noise level."""
    cameras = orbit([0.0, 90.0], 15.0, size=prior.image_size)
    side = torch.linspace(-1, 1, prior.image_size)
    ball = ((side[:, None] ** 2 + side**2) < 0.4).float()[None, ..., None].expand(2, -1, -1, 3)
    latents, nothing = prior.encode(1 - 0.4 * ball), prior.embed([""] * 2)
    told = prior.embed(["a red mug, front view", "a red mug, right view"], cameras)
    return [
        csm(
            prior.predict_noise, latents, t, alphas=prior.alphas, conditional=told, unconditional=nothing, scale=7.5,
            delta_t=delta_t, difference=1.0, invert_with=FeatureReuse(prior, every).along_inversion(),
        )
        for t in LEVELS
    ]  # fmt: skip


def test_each_lever_stays_within_its_bound(prior: Prior) -> None:
    exact = gradients(prior, 50, 1)
    for (delta_t, every), least in BOUNDS.items():
        found = zip(gradients(prior, delta_t, every), exact, strict=True)
        pairs = [torch.nn.functional.cosine_similarity(a.flatten(1), b.flatten(1)).mean() for a, b in found]
        assert least < float(sum(pairs) / len(pairs)) < 0.99999, (delta_t, every)


def test_the_first_step_is_whole_and_once_in_one_is_exact(prior: Prior) -> None:
    latents, said = noise_for(prior, 2, torch.Generator().manual_seed(0)), prior.embed(["a red mug"] * 2)
    before = prior.predict_noise(latents, 500, said)
    always, seldom = (FeatureReuse(prior, every).along_inversion() for every in (1, 3))
    assert torch.equal(seldom(latents, 500, said), before)
    assert torch.equal(seldom(latents, 500, said), before)  # the deep layers would say the same
    changed = noise_for(prior, 2, torch.Generator().manual_seed(1))
    assert not torch.equal(seldom(changed, 400, said), prior.predict_noise(changed, 400, said))
    assert torch.equal(seldom(changed, 400, said), prior.predict_noise(changed, 400, said))  # the fourth
    for t in (500, 300):
        assert torch.equal(always(changed, t, said), prior.predict_noise(changed, t, said))
    assert torch.equal(prior.predict_noise(latents, 500, said), before)  # the prior itself stays
    with pytest.raises(ValueError, match="once in 0 steps"):
        FeatureReuse(prior, 0)


def test_where_pictures_go_in_parts_nothing_is_reused(prior: Prior) -> None:
    latents, said = noise_for(prior, 2, torch.Generator().manual_seed(0)), prior.embed(["a red mug"] * 2)
    spare = replace(prior, most_together=1)
    along = FeatureReuse(spare, 4).along_inversion()
    along(latents, 100, said)
    assert torch.equal(along(latents, 500, said), spare.predict_noise(latents, 500, said))


def test_a_step_that_reuses_goes_through_the_layers_that_the_forecast_counts(prior: Prior) -> None:
    """Of convolutions and linear layers, counted by hooks, whole and reusing."""
    along = FeatureReuse(prior, 2)
    counted = [0.0]

    def hook(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
        counted[0] += 2 * module.weight[0].numel() * out[0].numel()  # pyright: ignore

    for module in along._prior.unet.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.register_forward_hook(hook)
    latents, said, shares = noise_for(prior, 1, torch.Generator().manual_seed(0)), prior.embed(["a mug"]), []
    predict = along.along_inversion()
    for _ in range(2):
        counted[0] = 0.0
        predict(latents, 500, said)
        shares.append(counted[0])
    cost = preflight.read_base(EMBEDDED).gflop
    assert shares[1] / shares[0] == pytest.approx(cost["unet_outer"] / cost["unet"], rel=0.15)
