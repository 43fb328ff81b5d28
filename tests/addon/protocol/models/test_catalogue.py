"""The catalogue names every role, and says what is not known instead of a number."""

from __future__ import annotations

import pytest

from addon import protocol
from addon.protocol import models


def test_every_role_has_an_entry_and_every_entry_a_role() -> None:
    assert {model.role for model in models.CATALOGUE.values()} == set(models.ROLES)
    for name, model in models.CATALOGUE.items():
        assert model.name == name == models.check_name(name)
        assert model.line and set(model.systems) <= set(protocol.SYSTEMS)
        assert model.source or model.note, f"{name} can be had from nowhere, and nothing says why"


def test_what_was_not_looked_up_is_unknown_until_fetched() -> None:
    assert models.size_words(models.CATALOGUE["normals"]) == "size unknown until fetched"
    assert models.CATALOGUE["reward"].licence == models.UNKNOWN
    assert models.size_words(models.CATALOGUE["depth"]) == "about 99 MB"


def test_companions_have_the_names_of_their_roles() -> None:
    """The systems look for them by role, in one folder."""
    several = (models.BASE, models.EVALUATION)
    assert all(model.name == model.role for model in models.CATALOGUE.values() if model.role not in several)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(protocol.ProtocolError, match="no model 'sd9'; known are sd15, sd2, "):
        models.known_model("sd9")


@pytest.mark.parametrize(
    ("size", "words"), [(2_133_000_000, "2.13 GB"), (99_000_000, "99 MB"), (12_345, "12.3 kB"), (7, "7 bytes")]
)
def test_sizes_are_written_as_hubs_do(size: int, words: str) -> None:
    assert models.gigabytes(size) == words
