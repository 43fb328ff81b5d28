"""The reward: how well an image fits a prompt."""

from __future__ import annotations

import json

import pytest
import torch

from backend.errors import MissingModel
from backend.vision.pixels import read_pixels
from backend.vision.reward import PICKSCORE, Reward, load_reward
from tests.backend.tiny_networks import SIZE, write_clip


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


def test_a_better_fit_is_a_higher_reward(red_mugs):
    reward = Reward(red_mugs, mean=5.0, std=2.0)
    red, blue = torch.tensor([0.9, 0.1, 0.1]), torch.tensor([0.1, 0.1, 0.9])
    images = torch.stack([red.expand(4, 4, 3), blue.expand(4, 4, 3)])
    better, worse = reward(images, reward.read(["a red mug"]))
    assert better > worse
