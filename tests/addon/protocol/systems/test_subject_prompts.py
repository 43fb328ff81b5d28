"""Which word of a prompt is the subject, and recipes that fill a prompt with a subject and its token."""

from __future__ import annotations

import pytest

from addon.protocol.systems.subject_prompts import RECIPES, class_word, says_more


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        ("a red bear", "bear"),
        ("a bear sitting on a chair", "bear"),
        ("a photo of a sks teddy bear", "teddy bear"),
        ("a 3D model of a sks bear", "bear"),
        ("on a table, a sks teddy bear, red", "teddy bear"),
        ("A Robot, made of wood", "robot"),
        ("a robot made of wood", "robot"),
        ("a model of a robot", "robot"),
        ("sks", "sks"),
        ("in a bear", "bear"),
        ("a red and gray robot", "robot"),
        ("a red and gray robot on a table", "robot"),
        ("a bear and a dog", "bear"),
        ("a bear and dog", "bear"),
        ("a bear and dog in a house", "bear"),
        ("a bear and dog, red", "bear"),
    ],
)
def test_the_class_is_the_word_before_what_is_said_of_it(prompt: str, word: str) -> None:
    assert class_word(prompt, "sks") == word
    assert class_word(prompt, "sks", " Dog ") == "dog"


def test_recipes_name_the_subject_with_its_token_and_keep_its_class() -> None:
    made = {name: recipe.prompt("teddy bear", "sks") for name, recipe in RECIPES.items()}
    assert made["colour"] == "a blue sks teddy bear" and made["pose"] == "a sks teddy bear sitting"
    assert made["accessory"] == "a sks teddy bear wearing a hat" and made["drawing"] == "a 3D model of a sks teddy bear"
    assert RECIPES["material"].prompt("bear", "sks", " glass ") == "a sks bear made of glass"
    assert set(made) == {"context", "colour", "material", "accessory", "style", "pose", "drawing"}
    assert {class_word(prompt, "sks") for prompt in made.values()} == {"teddy bear"}


@pytest.mark.parametrize(
    ("prompt", "more"),
    [
        ("a bear", False), ("a sks bear", False), ("A photo of a sks bear.", False), ("bear", False),
        ("the bear", False), ("a red bear", True),
        ("a sks bear wearing a hat", True), ("a drawing of a red sks bear", True),
        ("a bear and a bear", True),
    ],
)  # fmt: skip
def test_a_prompt_that_changes_the_subject_says_more_than_its_class(prompt: str, more: bool) -> None:
    assert says_more(prompt, "sks", "bear") is more
