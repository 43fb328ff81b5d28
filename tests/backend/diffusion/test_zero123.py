"""The Zero-1-to-3 role: the embedded layout (changes to the base) and the public one give the same interface."""

# pyright: reportArgumentType=false
# diffusers annotates its defaults, not what it takes.
from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.cameras import framing_distance, orbit
from backend.diffusion.denoiser import load_prior
from backend.diffusion.scores import csm, sds
from backend.diffusion.zero123 import load_zero123, merge_zero123, novel_views, pose_numbers, relative_poses
from backend.errors import MissingModel
from backend.vision.image_encoder import load_image_encoder
from tests.backend.tiny_networks import SIZE, write_image_encoder, write_zero123_changes

POSES = torch.tensor([[0.0, 90.0, 0.0], [20.0, 180.0, 0.1]])


@pytest.fixture(scope="module")
def prior():
    return load_prior("embedded")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")
    write_image_encoder(folder)
    return load_image_encoder(str(folder))


def write_public(folder: Path) -> dict[str, Any]:
    """Write a quarter-size Zero-1-to-3 in the layout of its conversions to diffusers."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=8, out_channels=4, layers_per_block=1, block_out_channels=(16, 32),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=32, attention_head_dim=8, norm_num_groups=8,
    ).eval()  # fmt: skip
    autoencoder = AutoencoderKL(
        block_out_channels=(8, 8, 8), down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3, norm_num_groups=4, latent_channels=4, sample_size=SIZE,
        scaling_factor=0.18215,
    ).eval()  # fmt: skip
    unet.save_pretrained(folder / "unet")
    autoencoder.save_pretrained(folder / "vae")
    DDIMScheduler(beta_schedule="scaled_linear").save_pretrained(folder / "scheduler")
    encoder = write_image_encoder(folder / "image_encoder", projection=32)
    projection = torch.nn.Linear(36, 32)
    (folder / "clip_camera_projection").mkdir()
    state = {f"proj.{key}": value for key, value in projection.state_dict().items()}
    save_file(state, folder / "clip_camera_projection" / "diffusion_pytorch_model.safetensors")
    return {"unet": unet, "autoencoder": autoencoder, "encoder": encoder, "projection": projection}


def test_poses_say_higher_anticlockwise_and_further():
    """90 degrees anticlockwise from the front is the side that faces +X: orbit's convention, and the papers'."""
    front = orbit([10.0], 5.0, fov_degrees=40.0)
    distance = framing_distance(40.0) * torch.tensor([1.0, 1.0, 1.2])
    targets = orbit([100.0, 10.0, 10.0], [5.0, 35.0, 5.0], fov_degrees=40.0, distance=distance)
    expected = torch.tensor([[0, 90, 0], [30, 0, 0], [0, 0, 0.2]])
    torch.testing.assert_close(relative_poses(front, targets), expected, atol=1e-3, rtol=0)
    numbers = pose_numbers(torch.tensor([[30.0, 90.0, 0.2]]), 1.0, 1.0)[0].tolist()
    assert numbers == pytest.approx([math.pi / 6, 1, 0, 0.2], abs=1e-6)
    polar = pose_numbers(torch.tensor([[30.0, -90.0, 0.2]]), -1.0, 1.85)[0].tolist()
    assert polar == pytest.approx([-math.pi / 6, -1, 0, 0.37], abs=1e-6)  # a polar angle counts from the zenith


@pytest.mark.parametrize("prefixed", [True, False])
def test_the_embedded_layout_is_the_base_with_its_changes(prior, encoder, tmp_path, prefixed):
    expected = write_zero123_changes(tmp_path, prior.unet, prefixed=prefixed)
    model = merge_zero123(prior, str(tmp_path), encoder)
    assert model.unet.config.in_channels == 8 and model.unet.config.out_channels == 4
    noisy, token = torch.randn(2, 8, 16, 16), torch.randn(2, 1, 160)
    with torch.no_grad():
        wanted = expected(noisy, 400, encoder_hidden_states=token).sample
        got = model.unet(noisy, 400, encoder_hidden_states=token).sample
        base = prior.unet(noisy[:, :4], 400, encoder_hidden_states=token).sample
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)
    assert (got - base).abs().max() > 1e-2
    assert prior.unet.config.in_channels == 4  # untouched


def test_what_the_unet_is_told(prior, encoder, tmp_path):
    """Channels 4 to 7 are the reference's latents, the context is one token of image and pose; without: zeros."""
    write_zero123_changes(tmp_path, prior.unet)
    model = merge_zero123(prior, str(tmp_path), encoder)
    reference = torch.rand(1, 128, 128, 3, generator=torch.manual_seed(1))
    told: list[tuple[torch.Tensor, torch.Tensor]] = []
    model.unet.register_forward_pre_hook(
        lambda _, given, named: told.append((given[0], named["encoder_hidden_states"])), with_kwargs=True
    )
    latents = torch.randn(2, 4, 16, 16)
    conditional, unconditional = model.context(reference, POSES)
    model.predict_noise(latents, 300, conditional)
    model.predict_noise(latents, 300, unconditional)
    (both, token), (neither, empty) = told
    torch.testing.assert_close(both[:, :4], latents)
    torch.testing.assert_close(both[:, 4:], prior.encode(reference).expand(2, -1, -1, -1))
    layers = load_file(tmp_path / "conditioning.safetensors")
    pose = torch.tensor([[0, 1, 0, 0], [math.radians(20), 0, -1, 0.1]])
    wanted = torch.cat([encoder(reference).expand(2, -1), pose], -1) @ layers["cc_projection.weight"].T
    torch.testing.assert_close(token[:, 0], wanted + layers["cc_projection.bias"], atol=1e-5, rtol=1e-4)
    assert not neither[:, 4:].any() and not empty.any()


def test_scores_and_samples_take_it_as_it_is(prior, encoder, tmp_path):
    write_zero123_changes(tmp_path, prior.unet)
    model = merge_zero123(prior, str(tmp_path), encoder)
    reference = torch.rand(1, 128, 128, 3, generator=torch.manual_seed(1))
    conditional, unconditional = model.context(reference, POSES)
    latents = torch.randn(2, 4, 16, 16, generator=torch.manual_seed(2))
    options: dict[str, Any] = dict(alphas=model.alphas, conditional=conditional, unconditional=unconditional, scale=3.0)
    for gradient in (
        sds(model.predict_noise, latents, 400, torch.randn(2, 4, 16, 16), **options),
        csm(model.predict_noise, latents, 400, delta_t=200, **options),
    ):
        assert gradient.shape == latents.shape and torch.isfinite(gradient).all() and gradient.abs().max() > 0
    views = [novel_views(model, reference, POSES, 3, 3.0, generator=torch.manual_seed(4)) for _ in range(2)]
    assert views[0].shape == (2, 128, 128, 3) and views[0].min() >= 0 and views[0].max() <= 1
    assert torch.equal(views[0], views[1])
    assert (views[0][0] - views[0][1]).abs().mean() > 1e-3  # another pose, another picture


def test_the_public_layout_speaks_of_polar_angles_and_unscaled_latents(tmp_path):
    made = write_public(tmp_path)
    model = load_zero123(str(tmp_path))
    assert (model.image_size, model.unet.config.in_channels) == (SIZE, 8)
    reference = torch.rand(1, SIZE, SIZE, 3, generator=torch.manual_seed(1))
    context, _ = model.context(reference, torch.tensor([[30.0, 90.0, 0.2]]))
    with torch.no_grad():
        latents = made["autoencoder"].encode(reference.permute(0, 3, 1, 2) * 2 - 1).latent_dist.mode()
        embedding = model.image_encoder(reference)
        token = made["projection"](torch.cat([embedding, torch.tensor([[-math.pi / 6, 1, 0, 0.2 * 1.85]])], -1))
    torch.testing.assert_close(context[0, 0], torch.cat([token[0], latents.flatten()]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(model.encode(reference), 0.18215 * latents, atol=1e-6, rtol=1e-4)
    assert novel_views(model, reference, POSES, 2, generator=torch.manual_seed(0)).shape == (2, SIZE, SIZE, 3)
    (tmp_path / "clip_camera_projection").rename(tmp_path / "cc_projection")  # the other conversion's name
    assert load_zero123(str(tmp_path)).projection.out_features == 32


def test_what_is_missing_is_said(prior, encoder, tmp_path):
    with pytest.raises(MissingModel, match=r"unet/config\.json is missing"):
        load_zero123(str(tmp_path))
    with pytest.raises(MissingModel, match=r"adapter_config\.json is missing"):
        merge_zero123(prior, str(tmp_path), encoder)
    write_zero123_changes(tmp_path, prior.unet)
    changes = load_file(tmp_path / "adapter_model.safetensors")
    changes.pop(next(iter(changes)))
    save_file(changes, tmp_path / "adapter_model.safetensors")
    with pytest.raises(MissingModel, match="1 tensors are missing, 0 too many"):
        merge_zero123(prior, str(tmp_path), encoder)
