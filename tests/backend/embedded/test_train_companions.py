"""What the trainer of the companions writes is what the product's loaders read, down to the numbers."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from backend import weights
from backend.diffusion import image_prompt
from backend.diffusion.denoiser import EMBEDDED, load_prior
from backend.diffusion.image_prompt import load_image_prompt
from backend.diffusion.zero123 import load_zero123
from backend.embedded.training import contrastive, zero123
from backend.embedded.training import image_prompt as train_image_prompt
from backend.embedded.training import perception as train_perception
from backend.vision import image_encoder
from backend.vision.features import load_features
from backend.vision.image_encoder import load_image_encoder, load_image_text
from backend.vision.perception import load_perception
from backend.vision.reward import load_reward

HALF: dict[str, Any] = {"atol": 5e-3, "rtol": 2e-2}  # they lie on the disk in fp16


@pytest.fixture(scope="module")
def prior():
    return load_prior("embedded")


@pytest.fixture(scope="module")
def trained(prior, tmp_path_factory) -> dict[str, Any]:
    """Export untrained companions into a copy of the shipped prior; keep them in fp32."""
    folder: Path = tmp_path_factory.mktemp("weights")
    for path in EMBEDDED.iterdir():
        if path.name in ("vae", "unet", "text_encoder", "tokenizer", "scheduler", "camera_encoder"):
            shutil.copytree(path, folder / path.name)
    shutil.copy(EMBEDDED / "model_index.json", folder)
    torch.manual_seed(0)
    perception = train_perception.new_perception()
    pair = contrastive.Pair(prior.text_encoder).eval()
    reward = contrastive.Reward(prior.tokenizer).eval()
    features = contrastive.Features().eval()
    adapted = train_image_prompt.with_image_prompt(copy.deepcopy(prior.unet), 160).eval()
    views = zero123.NovelView(copy.deepcopy(prior.unet), 160).eval()
    for name, parameter in views.named_parameters():
        if "lora_B" in name:  # zeros at first, which would hide that they were lost
            torch.nn.init.normal_(parameter, std=0.1)
    kept = {"perception": perception, "pair": pair, "reward": reward, "features": features}
    kept = {name: copy.deepcopy(network) for name, network in kept.items()} | {"adapted": adapted, "views": views}
    train_perception.export_perception(folder, perception)
    contrastive.export_image_encoder(folder, pair)
    with pytest.MonkeyPatch.context() as patch:  # which wants renders
        patch.setattr(contrastive, "standardise", lambda *given: {"mean": 0.5, "std": 0.25})
        contrastive.export_reward(folder, folder, reward, prior.tokenizer)
    contrastive.export_features(folder, features)
    train_image_prompt.export_image_prompt(folder, adapted)
    zero123.export_zero123(folder, views)
    return kept | {"folder": folder}


@pytest.fixture(autouse=True)
def embedded(trained, monkeypatch) -> None:
    for module in (weights, image_encoder, image_prompt):
        monkeypatch.setattr(module, "EMBEDDED", trained["folder"])
    monkeypatch.setattr("backend.diffusion.denoiser.EMBEDDED", trained["folder"])


@pytest.fixture()
def images() -> torch.Tensor:
    return torch.rand(2, 128, 128, 3, generator=torch.manual_seed(1))


def to_network(images: torch.Tensor) -> torch.Tensor:
    return images.permute(0, 3, 1, 2) * 2 - 1


@torch.no_grad()
def test_perception(trained, images):
    seen = load_perception("embedded")(images)
    mask, near, direction = train_perception.perceive(trained["perception"], to_network(images))
    torch.testing.assert_close(seen.mask[..., 0], mask[:, 0].sigmoid(), **HALF)
    torch.testing.assert_close(seen.depth[..., 0], near[:, 0], **HALF)
    assert torch.cosine_similarity(seen.normal, direction.permute(0, 2, 3, 1), dim=-1).quantile(0.05) > 0.99


@torch.no_grad()
def test_image_encoder_and_its_words(trained, images, prior):
    words = ["a red mug", "a blue chair"]
    tokens = contrastive.tokenize(prior.tokenizer, words)
    seen, said = trained["pair"](to_network(images), tokens)
    pair = load_image_text("embedded")
    torch.testing.assert_close(pair.images(images), seen, **HALF)
    torch.testing.assert_close(pair.texts(words), said, **HALF)
    assert pair.scale == pytest.approx(10.0, rel=0.01)


@torch.no_grad()
def test_reward_and_features(trained, images, prior):
    words = ["a red mug", "a blue chair"]
    seen, said = trained["reward"](to_network(images), contrastive.tokenize(prior.tokenizer, words))
    reward = load_reward("embedded")
    raw = trained["reward"].logit_scale.exp() * (seen * said).sum(-1)
    torch.testing.assert_close(reward(images, reward.read(words)), (raw - 0.5) / 0.25, atol=0.1, rtol=0.02)
    whole, patches = load_features("embedded")(images)
    stock = trained["features"].vit(to_network(images)).last_hidden_state
    torch.testing.assert_close(whole, stock[:, 0], atol=0.03, rtol=0.02)
    torch.testing.assert_close(patches, stock[:, 1:], atol=0.03, rtol=0.02)


@torch.no_grad()
def test_image_prompt(trained, images, prior):
    """The trainer's UNet is at full strength and projects the embedding itself."""
    prompt = load_image_prompt(prior, "embedded", 1.0)
    embeddings, text = load_image_encoder("embedded")(images), prior.embed(["a red mug", "a blue chair"])
    latents = torch.randn(2, 4, 16, 16)
    velocity = trained["adapted"](latents, 400, text, added_cond_kwargs={"image_embeds": [embeddings[:, None]]}).sample
    alpha = prior.alphas[400]
    noise = prompt.prior.predict_noise(latents, 400, prompt.attach(text, prompt.see(images)))
    torch.testing.assert_close(noise, alpha.sqrt() * velocity + (1 - alpha).sqrt() * latents, atol=0.02, rtol=0.02)


@torch.no_grad()
def test_novel_views(trained, images, prior):
    model, views = load_zero123("embedded"), trained["views"]
    source, target = {"elevation": 5, "azimuth": 170, "zoom": 1.0}, {"elevation": 25, "azimuth": -100, "zoom": 1.1}
    pose = torch.tensor([zero123.pose_between(source, target)])
    latents, reference = torch.randn(1, 4, 16, 16), images[:1]
    token = views.context(load_image_encoder("embedded")(reference), pose, torch.ones(1))
    velocity = views.unet(torch.cat([latents, prior.encode(reference)], 1), 400, token).sample
    conditional, _ = model.context(reference, torch.tensor([[20.0, 90.0, 0.1]]))
    noise = model.predict_noise(latents, 400, conditional)
    alpha = prior.alphas[400]
    expected = alpha.sqrt() * velocity + (1 - alpha).sqrt() * latents
    torch.testing.assert_close(noise, expected, atol=0.03, rtol=0.03)
    unchanged = views.unet(torch.cat([latents, prior.encode(reference)], 1), 400, torch.zeros_like(token)).sample
    assert (unchanged - velocity).abs().max() > 0.05  # the tolerance is well below what the pose does
