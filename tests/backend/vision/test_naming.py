"""Names: what to call what an image shows."""

from __future__ import annotations

import pytest
import torch

from backend.vision.naming import COLOURS, OBJECTS, known_words, propose_names


def test_names_come_from_the_words_that_the_encoder_knows(red_mugs):
    image = torch.tensor([0.9, 0.1, 0.1]).expand(4, 4, 3)
    first, second = propose_names(red_mugs, image, ["submarine", "chair", "mug", "dog"], count=2)
    assert (first.word, first.caption) == ("mug", "a red mug")
    assert first.share > 0.5 > second.share and second.word in ("chair", "dog")
    assert known_words(red_mugs, ["mug", "submarine", "mug"]) == ["mug"]
    with pytest.raises(ValueError, match="knows none of the 1 words"):
        propose_names(red_mugs, image, ["submarine"])


def test_the_list_of_objects_covers_what_the_embedded_prior_draws(red_mugs):
    from backend.embedded.objects.shapes import COLOURS as TRAINED_COLOURS
    from backend.embedded.objects.shapes import TRAINED_CATEGORIES

    assert set(TRAINED_CATEGORIES) <= set(OBJECTS) and set(TRAINED_COLOURS) <= set(COLOURS)
    assert len(OBJECTS) == len(set(OBJECTS))
    assert set(known_words(red_mugs, OBJECTS)) >= set(TRAINED_CATEGORIES)
