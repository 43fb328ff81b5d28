"""Prompts are completed by what they leave unsaid, where their prior says how."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from backend.diffusion.denoiser import LONGEST_VIEW, load_prior
from backend.diffusion.prompt_completion import FILE, completed, load_completion
from backend.embedded.objects.descriptions import (
    prompt_completion,
)


@pytest.mark.parametrize(
    ("prompt", "added"),
    [
        ("a red mug", ["plain", "matte", "white background", "soft light"]),
        ("a light blue mug", ["plain", "matte", "white background", "soft light"]),
        ("a Striped mug, neon", ["white background", "soft light"]),
        ("a mug on a plain background", ["plain", "matte", "soft light"]),
        ("a mug, albedo, white background, matte, plain", []),
        ("a mug in warm lighting", ["plain", "matte", "white background"]),
        ("depth map of a mug", []),
        ("", []),
    ],
)
def test_prompts_are_completed_by_what_they_leave_unsaid(prompt: str, added: list[str]):
    whole, told = completed(prompt, prompt_completion())
    assert told == added
    assert whole == (", ".join([prompt, *added]) if added else prompt)
    assert completed(whole, prompt_completion()) == (whole, [])  # nothing is left unsaid then


def test_the_background_is_called_what_it_is_unless_the_prompt_says_it():
    assert completed("a red mug", prompt_completion(), "gray")[1] == ["plain", "matte", "gray background", "soft light"]
    assert "gray" not in completed("a mug on a blue background", prompt_completion(), "gray")[0]


def test_a_long_prompt_keeps_as_many_clauses_as_are_read_before_the_view():
    prior = replace(load_prior("embedded"), completion=prompt_completion())
    assert prior.complete("a red mug") == "a red mug, plain, matte, white background, soft light"
    prompt = told = ""
    for words in range(2, 40):
        prompt = " ".join(["red"] * words)
        told = prior.complete(prompt, "gray")
        assert told.startswith(prompt)
        assert told == prompt or len(prior.tokenizer(told + LONGEST_VIEW).input_ids) <= prior.max_tokens
    assert told == prompt  # no clause is left


def test_a_prior_without_clauses_gets_prompts_as_they_are(tmp_path):
    assert completed("a red mug", load_completion(tmp_path)) == ("a red mug", [])
    (tmp_path / FILE).write_text(json.dumps(prompt_completion()))
    assert load_completion(tmp_path) == prompt_completion()
