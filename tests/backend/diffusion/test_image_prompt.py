"""Image prompts and perturbed attention: diffusers' layers, on twins that leave the prior as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from backend.cameras import orbit
from backend.diffusion import image_prompt
from backend.diffusion.denoiser import EMBEDDED, load_prior
from backend.diffusion.image_prompt import load_image_prompt, perturb, sample_with_image, twin
from backend.diffusion.sampling import noise_for, sample
from backend.errors import BadInput, MissingModel
from tests.backend.tiny_networks import SIZE, write_image_encoder, write_ip_adapter

PROMPTS = ["a red mug", "a blue chair"]


@pytest.fixture(scope="module")
def prior():
    return load_prior("embedded")


@pytest.fixture(scope="module")
def folder(prior, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    write_image_encoder(folder / "image_encoder")
    write_ip_adapter(folder / "ip_adapter" / "ip_adapter.safetensors", prior.unet)
    return folder


@pytest.fixture(scope="module")
def prompt(prior, folder):
    return load_image_prompt(prior, str(folder / "ip_adapter"), 1.0)


@pytest.fixture()
def latents(prior) -> torch.Tensor:
    return noise_for(prior, 2, torch.manual_seed(5))


def seen(prompt) -> torch.Tensor:
    return prompt.see(torch.rand(2, SIZE, SIZE, 3, generator=torch.manual_seed(6)))


def test_strength_zero_is_text_only_to_the_bit(prior, prompt, latents):
    context = prior.embed(PROMPTS)
    without = prior.predict_noise(latents, 500, context)
    silent = prompt.with_strength(0.0)
    assert torch.equal(silent.prior.predict_noise(latents, 500, silent.attach(context, seen(prompt))), without)
    loud = prompt.prior.predict_noise(latents, 500, prompt.attach(context, seen(prompt)))
    assert (loud - without).abs().max() > 1e-3  # and this would fail if the image was never looked at
    assert torch.equal(prior.predict_noise(latents, 500, context), without)  # the prior itself is as it was


def test_the_branch_of_the_image_is_linear_in_the_strength(prior, prompt):
    """F(tau) - F(0) = tau (F(1) - F(0)) in one layer; TV-3DG, eq. 15."""
    name = next(n for n, _ in prior.unet.named_modules() if n.endswith("attn2"))
    hidden = torch.randn(2, 9, prior.unet.get_submodule(name).to_q.in_features)
    context = prior.embed(PROMPTS)

    def at(strength: float) -> torch.Tensor:
        layer = prompt.with_strength(strength).prior.unet.unet.get_submodule(name)
        return layer(hidden, encoder_hidden_states=(context, [seen(prompt)]))

    torch.testing.assert_close(at(0.3) - at(0.0), 0.3 * (at(1.0) - at(0.0)), atol=1e-5, rtol=0)
    assert (at(1.0) - at(0.0)).abs().max() > 1e-2


def test_the_same_noise_as_in_diffusers_own_pipeline(prior, prompt, folder, latents):
    """diffusers' loader and the call with embeddings; no image is the projection of an embedding of zeros."""
    from diffusers import StableDiffusionPipeline

    pipe: Any = StableDiffusionPipeline.from_pretrained(EMBEDDED, local_files_only=True, safety_checker=None)
    pipe.to(torch.float32)
    place = dict(subfolder="ip_adapter", weight_name="ip_adapter.safetensors", image_encoder_folder="./image_encoder")
    pipe.load_ip_adapter(str(folder), local_files_only=True, **place)
    pipe.set_ip_adapter_scale(0.7)
    context = prior.embed(PROMPTS)
    images = torch.rand(2, SIZE, SIZE, 3, generator=torch.manual_seed(6))
    embeddings = prompt.encoder(images)
    ours = prompt.with_strength(0.7)
    for tokens, embeds in ((seen(prompt), embeddings), (None, torch.zeros_like(embeddings))):
        with torch.no_grad():
            stock = pipe.unet(
                latents, 321, encoder_hidden_states=context, added_cond_kwargs={"image_embeds": [embeds[:, None]]}
            ).sample
        noise = ours.prior.predict_noise(latents, 321, ours.attach(context, tokens))
        alpha = prior.alphas[321]
        torch.testing.assert_close(noise, alpha.sqrt() * stock + (1 - alpha).sqrt() * latents, atol=1e-4, rtol=1e-3)


def test_samples_follow_the_image_only_where_it_has_strength(prior, prompt):
    words = ["a red mug"]
    draws = [torch.manual_seed(7) for _ in range(3)]
    plain = sample(prior, words, steps=3, generator=draws[0])
    image = torch.rand(1, SIZE, SIZE, 3)
    silent = sample_with_image(prompt.with_strength(0.0), words, image, steps=3, generator=torch.manual_seed(7))
    loud = sample_with_image(prompt, words, image, steps=3, generator=torch.manual_seed(7))
    torch.testing.assert_close(silent, plain, atol=1e-4, rtol=0)
    assert (loud - plain).abs().mean() > 1e-3


def test_perturbed_self_attention_looks_at_each_place_alone(prior, monkeypatch):
    """In the chosen layers the second half of a batch goes through to_out(to_v(x)), the first through attention."""
    twins: list[Any] = []
    monkeypatch.setattr(image_prompt, "twin", lambda unet: twins.append(twin(unet)) or twins[-1])
    predict = perturb(prior, ["mid_block"])
    name = "mid_block.attentions.0.transformer_blocks.0.attn1"
    calls: list[tuple[torch.Tensor, torch.Tensor]] = []
    twins[0].get_submodule(name).register_forward_hook(lambda _, given, out: calls.append((given[0], out)))
    predict(noise_for(prior, 1, torch.manual_seed(0)), 500, prior.embed(["a red mug"]))
    [(given, out)] = calls
    usual, alone = given.chunk(2)
    layer = prior.unet.get_submodule(name)
    torch.testing.assert_close(out[:1], layer(usual), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(out[1:], layer.to_out[0](layer.to_v(alone)), atol=1e-5, rtol=1e-5)
    assert (out[:1] - out[1:]).abs().max() > 1e-3


def test_with_one_place_perturbed_attention_is_attention(prior):
    from diffusers.models.attention_processor import PAGIdentitySelfAttnProcessor2_0

    layer = twin(prior.unet).mid_block.attentions[0].transformer_blocks[0].attn1
    one = torch.randn(2, 1, layer.to_q.in_features)
    usual = layer(one)
    layer.set_processor(PAGIdentitySelfAttnProcessor2_0())
    torch.testing.assert_close(layer(one), usual, atol=1e-6, rtol=1e-6)


def test_no_layer_perturbs_nothing_and_more_layers_perturb_more(prior, latents):
    context = prior.embed(PROMPTS)

    def change(*layers: str) -> float:
        noise, perturbed = perturb(prior, layers)(latents, 600, context)
        torch.testing.assert_close(noise, prior.predict_noise(latents, 600, context), atol=1e-5, rtol=1e-4)
        return float((noise - perturbed).abs().mean())

    assert change() == 0.0
    assert 0 < change("mid_block") < change("mid_block", "up_blocks.1", "down_blocks.1")
    with pytest.raises(ValueError, match="no self-attention lies in 'mid'"):
        perturb(prior, ["mid"])


def test_structure_lies_where_attention_sees_eight_places(prior):
    assert prior.structure_layers == ("up_blocks.1",)  # of 16 x 16 latents, whose middle block has 4 x 4
    known = {(64, 4): "mid_block", (96, 4): "mid_block", (32, 4): "up_blocks.1", (8, 2): "up_blocks.1"}
    for (side, depth), layer in known.items():
        config = SimpleNamespace(sample_size=side, block_out_channels=(8,) * depth)
        assert replace(prior, unet=SimpleNamespace(config=config)).structure_layers == (layer,)


def test_the_perturbed_term_of_the_embedded_prior_is_more_than_a_fiftieth_of_guidance(prior):
    """In the paper's proportion, s = 1 and lambda = 7.5; in the middle block it is a thousandth."""
    views = orbit([0.0, 90.0], 15.0, size=128)
    words = ["a red mug, front view", "a red mug, side view"]
    conditional, unconditional = prior.embed(words, views), prior.embed(["", ""])
    clean = prior.encode(sample(prior, words, cameras=views, steps=8, generator=torch.manual_seed(5)))
    noise_of_it = torch.randn(clean.shape, generator=torch.manual_seed(6))

    def share(layers: Sequence[str], t: int) -> float:
        noisy = prior.alphas[t].sqrt() * clean + (1 - prior.alphas[t]).sqrt() * noise_of_it
        noise, perturbed = perturb(prior, layers)(noisy, t, conditional)
        return float((noise - perturbed).norm() / (7.5 * (noise - prior.predict_noise(noisy, t, unconditional)).norm()))

    for t in (100, 300, 600, 900):
        assert 0.02 < share(prior.structure_layers, t) < 0.5, t
        assert share(["mid_block"], t) < 0.01


def test_both_work_together(prior, prompt, latents):
    """diffusers once let a loaded adapter undo the perturbation, and gave the image to one part of the batch."""
    context = prompt.attach(prior.embed(PROMPTS), seen(prompt))
    noise, perturbed = perturb(prompt.prior, ["mid_block"])(latents, 600, context)
    torch.testing.assert_close(noise, prompt.prior.predict_noise(latents, 600, context), atol=1e-5, rtol=1e-4)
    silent = prompt.with_strength(0.0)
    _, without_image = perturb(silent.prior, ["mid_block"])(latents, 600, context)
    assert (noise - perturbed).abs().max() > 1e-4  # perturbed
    assert (perturbed - without_image).abs().max() > 1e-3  # and it sees the image


def test_stable_diffusions_layout_takes_both(prior, tmp_path):
    """A quarter of the channels of version 1.5, random: 16 cross-attentions see the image, one place is perturbed."""
    from diffusers import UNet2DConditionModel

    torch.manual_seed(0)
    unet: Any = UNet2DConditionModel(
        sample_size=32, in_channels=4, out_channels=4, block_out_channels=(80, 160, 320, 320),  # pyright: ignore
        cross_attention_dim=192, attention_head_dim=8, norm_num_groups=16,
    ).requires_grad_(False).eval()  # fmt: skip
    sd15 = replace(prior, unet=unet, predicts_velocity=False)
    write_image_encoder(tmp_path / "models" / "image_encoder", projection=96)
    for name in ("ip-adapter_sd15.safetensors", "ip-adapter-plus_sd15.safetensors"):  # the first is taken
        write_ip_adapter(tmp_path / "models" / name, unet, embedding=96)
    seeing = load_image_prompt(sd15, str(tmp_path / "models"), 0.5)
    adapted = [module for module in seeing.prior.unet.modules() if hasattr(module, "to_k_ip")]
    assert len(adapted) == 16 and all(module.scale == [0.5] for module in adapted)
    latents, text = torch.randn(1, 4, 32, 32), torch.randn(1, 77, 192)
    context = seeing.attach(text, seeing.see(torch.rand(1, SIZE, SIZE, 3)))
    noise, perturbed = perturb(seeing.prior, seeing.prior.structure_layers)(latents, 500, context)
    assert torch.isfinite(noise).all() and (noise - perturbed).abs().max() > 0
    silent = seeing.with_strength(0.0).prior
    assert torch.equal(silent.predict_noise(latents, 500, context), sd15.predict_noise(latents, 500, text))
    assert (noise - sd15.predict_noise(latents, 500, text)).abs().max() > 1e-4


def test_a_twin_shares_its_tensors(prior):
    network = twin(prior.unet)
    pairs = zip(network.parameters(), prior.unet.parameters(), strict=True)
    assert all(one is other for one, other in pairs)
    assert network.mid_block is not prior.unet.mid_block


def test_what_does_not_fit_is_said(prior, tmp_path):
    with pytest.raises(MissingModel, match="is missing"):
        load_image_prompt(prior, str(tmp_path / "nowhere"))
    tensors = write_ip_adapter(tmp_path / "a" / "ip.safetensors", prior.unet, embedding=160)
    write_image_encoder(tmp_path / "image_encoder", projection=48)
    with pytest.raises(BadInput, match="takes embeddings of 160 numbers, and the image encoder gives 48"):
        load_image_prompt(prior, str(tmp_path / "a"))
    from safetensors.torch import save_file

    wide = {k: v.repeat(1, 2) if "_ip." in k else v for k, v in tensors.items()}
    save_file(wide, tmp_path / "a" / "ip.safetensors")
    with pytest.raises(BadInput, match="text of width 320, and this prior's has 160"):
        load_image_prompt(prior, str(tmp_path / "a"))
    save_file({"image_proj.latents": torch.zeros(1, 16, 8)}, tmp_path / "a" / "ip.safetensors")
    with pytest.raises(BadInput, match="no plain IP-Adapter"):
        load_image_prompt(prior, str(tmp_path / "a"))
