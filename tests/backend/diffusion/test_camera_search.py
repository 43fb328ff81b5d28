"""The camera of a picture is found by a prior that knows it, and the same noises are compared."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from backend.cameras import orbit
from backend.diffusion import camera_search
from backend.diffusion.camera_search import camera_errors, find_places
from backend.diffusion.denoiser import Prior, load_prior
from backend.embedded.objects.shapes import HELD_OUT, make_subject
from backend.embedded.objects.solids import photograph


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior("embedded")


def test_an_error_is_that_of_the_predicted_noise(prior: Prior) -> None:
    cameras, said = orbit([0.0, 100.0, 180.0], 15.0), ["front", "side", "back"]
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(1, prior.unet.config.in_channels, 16, 16, generator=generator)
    noise = torch.randn(latents.shape, generator=generator)
    errors = camera_errors(prior, latents, "a bear", cameras, [(0.5, noise), (0.8, noise)])
    assert errors.shape == (3, 2)
    t = round(0.8 * (len(prior.alphas) - 1))
    noisy = prior.alphas[t].sqrt() * latents + (1 - prior.alphas[t]).sqrt() * noise
    for row, word in enumerate(said):
        context = prior.embed([f"a bear, {word} view"], cameras[row])
        wanted = (prior.predict_noise(noisy, t, context) - noise).square().mean()
        assert float(errors[row, 1]) == pytest.approx(float(wanted), rel=1e-4)


def test_it_finds_from_where_a_held_out_object_is_seen(prior: Prior, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_search, "AZIMUTHS", 8)
    monkeypatch.setattr(camera_search, "LEVELS", (0.5, 0.65, 0.8))
    solid = make_subject(HELD_OUT.first_seed + 308, category="bear", colour="brown", unseen=False).solid
    turns = (0.0, 90.0, 180.0)
    pictures = photograph(solid, orbit(turns, 15.0, size=prior.image_size), torch.ones(3)).rgb
    found = find_places(prior, pictures, "a bear", torch.Generator().manual_seed(0))
    assert [place.azimuth_degrees for place in found] == list(turns)
    assert all(place.sureness > 1 for place in found)


def test_a_prior_without_cameras_is_not_asked(prior: Prior) -> None:
    blind = replace(prior, camera_encoder=None)
    with pytest.raises(ValueError, match="where the camera is"):
        find_places(blind, torch.zeros(1, 128, 128, 3), "a bear", torch.Generator())
