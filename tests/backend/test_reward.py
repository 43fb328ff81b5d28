"""Features, reward and names: what an image is like, how well it fits a prompt, what to call it."""

from __future__ import annotations

import json

import pytest
import torch

from backend.diffusion.denoiser import EMBEDDED
from backend.errors import MissingModel
from backend.vision.features import load_features
from backend.vision.image_encoder import ImageText
from backend.vision.naming import COLOURS, OBJECTS, known_words, propose_names
from backend.vision.pixels import read_pixels
from backend.vision.reward import PICKSCORE, Reward, load_reward
from tests.backend.tiny_networks import SIZE, write_clip, write_features


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(EMBEDDED, subfolder="tokenizer", local_files_only=True)


class Meaning(ImageText):
    """Encoders that know red mugs: the first axis is how red, the second how much of a mug, the third the rest."""

    def images(self, images: torch.Tensor) -> torch.Tensor:
        red = images[..., 0].mean(dim=(1, 2)) - images[..., 2].mean(dim=(1, 2))
        vectors = torch.stack([red, torch.ones_like(red), 0.1 * torch.ones_like(red)], dim=-1)
        return torch.nn.functional.normalize(vectors, dim=-1)

    def texts(self, prompts) -> torch.Tensor:
        vectors = [[1.0 * ("red" in p), 1.0 * ("mug" in p), 0.1] for p in prompts]
        return torch.nn.functional.normalize(torch.tensor(vectors), dim=-1)


def test_features_are_the_class_token_and_the_patches_in_reading_order(tmp_path):
    network = write_features(tmp_path)
    features = load_features(str(tmp_path))
    images = torch.rand(2, SIZE, SIZE, 3, requires_grad=True)
    whole, patches = features(images)
    out = network(read_pixels(tmp_path)(images)).last_hidden_state
    torch.testing.assert_close(whole, out[:, 0])
    torch.testing.assert_close(patches, out[:, 1:])
    assert patches.shape == (2, 16, 32)
    for part in (whole, patches):
        (gradient,) = torch.autograd.grad(part.square().sum(), images, retain_graph=True)
        assert gradient.abs().max() > 0


def test_the_reward_is_the_librarys_score_in_deviations(tmp_path, tokenizer):
    network = write_clip(tmp_path, tokenizer)
    (tmp_path / "reward.json").write_text(json.dumps({"mean": 0.5, "std": 0.25}))
    reward = load_reward(str(tmp_path))
    images = torch.rand(3, SIZE, SIZE, 3, requires_grad=True)
    prompts = ["a red mug", "a chair", "a dog"]
    tokens = tokenizer(prompts, padding="max_length", return_tensors="pt").input_ids
    raw = network(input_ids=tokens, pixel_values=read_pixels(tmp_path)(images)).logits_per_image.diagonal()
    got = reward(images, reward.read(prompts))
    torch.testing.assert_close(got, (raw - 0.5) / 0.25, atol=1e-4, rtol=1e-4)
    (gradient,) = torch.autograd.grad(got.sum(), images)
    assert gradient.abs().max() > 0
    torch.testing.assert_close(reward(images, reward.read(prompts[:1]))[0], got[0])  # one prompt for all


def test_without_a_file_pickscores_scale_is_taken_and_nonsense_is_refused(tmp_path, tokenizer):
    write_clip(tmp_path, tokenizer)
    reward = load_reward(str(tmp_path))
    assert (reward.mean, reward.std) == (PICKSCORE["mean"], PICKSCORE["std"])
    for text in ('{"mean": 1.0}', '{"mean": 1.0, "std": 0}', '{"mean": NaN, "std": 1}'):
        (tmp_path / "reward.json").write_text(text)
        with pytest.raises(MissingModel, match=r"reward\.json holds") as caught:
            load_reward(str(tmp_path))
        assert "std above 0" in caught.value.hint
    with pytest.raises(MissingModel, match="role reward"):
        load_reward(str(tmp_path / "nowhere"))


def test_a_better_fit_is_a_higher_reward(tokenizer):
    pair = Meaning(None, None, tokenizer, torch.zeros(1), 10.0)  # pyright: ignore[reportArgumentType]
    reward = Reward(pair, mean=5.0, std=2.0)
    red, blue = torch.tensor([0.9, 0.1, 0.1]), torch.tensor([0.1, 0.1, 0.9])
    images = torch.stack([red.expand(4, 4, 3), blue.expand(4, 4, 3)])
    better, worse = reward(images, reward.read(["a red mug"]))
    assert better > worse


def test_names_come_from_the_words_that_the_encoder_knows(tokenizer):
    pair = Meaning(None, None, tokenizer, torch.zeros(1), 10.0)  # pyright: ignore[reportArgumentType]
    image = torch.tensor([0.9, 0.1, 0.1]).expand(4, 4, 3)
    first, second = propose_names(pair, image, ["submarine", "chair", "mug", "dog"], count=2)
    assert (first.word, first.caption) == ("mug", "a red mug")
    assert first.share > 0.5 > second.share and second.word in ("chair", "dog")
    assert known_words(pair, ["mug", "submarine", "mug"]) == ["mug"]
    with pytest.raises(ValueError, match="knows none of the 1 words"):
        propose_names(pair, image, ["submarine"])


def test_the_list_of_objects_covers_what_the_embedded_prior_draws(tokenizer):
    from backend.embedded.shapes import COLOURS as TRAINED_COLOURS
    from backend.embedded.shapes import TRAINED_CATEGORIES

    assert set(TRAINED_CATEGORIES) <= set(OBJECTS) and set(TRAINED_COLOURS) <= set(COLOURS)
    assert len(OBJECTS) == len(set(OBJECTS))
    pair = Meaning(None, None, tokenizer, torch.zeros(1), 10.0)  # pyright: ignore[reportArgumentType]
    assert set(known_words(pair, OBJECTS)) >= set(TRAINED_CATEGORIES)
