"""Camera tokens: what they describe, what they change, and that their encoder survives the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from backend.cameras import orbit
from backend.diffusion.camera_tokens import CameraEncoder, camera_features, load_camera_encoder, save_camera_encoder
from backend.diffusion.denoiser import load_prior
from backend.diffusion.sampling import noise_for


@pytest.fixture(scope="module")
def prior():
    return load_prior("embedded")


def test_cameras_move_the_context_and_change_the_noise(prior):
    cameras = orbit([0.0, 180.0], 10.0)
    words = ["a red robot"] * 2
    plain, told, untold = (
        prior.embed(words),
        prior.embed(words, cameras),
        prior.embed(words, cameras, camera_known=False),
    )
    assert plain.shape[1] + 2 == told.shape[1] == untold.shape[1]
    torch.testing.assert_close(untold[:, : plain.shape[1]], plain)
    torch.testing.assert_close(untold[0], untold[1])
    assert not torch.allclose(told[0, : plain.shape[1]], told[1, : plain.shape[1]])
    assert not torch.allclose(told[0, plain.shape[1] :], told[1, plain.shape[1] :])
    latents = noise_for(prior, 1, torch.manual_seed(0))
    front, back = (prior.predict_noise(latents, 700, told[i : i + 1]) for i in range(2))
    assert (front - back).abs().mean() > 1e-3


def test_camera_features_describe_angles_field_of_view_and_distance():
    features = camera_features(orbit([90.0], 30.0, fov_degrees=40.0))[0]
    expected = [1, 0, 0, -1, 0.5, 0.75**0.5, 4 * (0.36397 - 0.36), 0]
    assert features.tolist() == pytest.approx(expected, abs=1e-4)


def test_a_camera_encoder_survives_the_disk(tmp_path: Path):
    encoder = CameraEncoder(32)
    torch.nn.init.normal_(encoder.move.weight, std=0.1)
    save_camera_encoder(tmp_path, encoder)
    loaded = load_camera_encoder(tmp_path)
    assert loaded is not None
    context, features = torch.randn(3, 5, 32), torch.randn(3, 8)
    expected = encoder(context, features)
    torch.testing.assert_close(loaded(context, features), expected, atol=5e-3, rtol=5e-3)  # fp16 on disk
    assert load_camera_encoder(tmp_path / "elsewhere") is None
