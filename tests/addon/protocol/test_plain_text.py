"""Control characters are shown, not obeyed."""

from __future__ import annotations

import pytest

from addon import protocol


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07\x1b[31mred", "\\x1b]0;title\\x07\\x1b[31mred"),
        ("\x9b2J\x7f", "\\x9b2J\\x7f"),  # one byte stands for ESC [
        ("done\rerror: none", "done\\rerror: none"),
        ("gnp.\u202eexe", "gnp.\\u202eexe"),
        ("zwei\n\tZeilen äöü 日本語 🫖", "zwei\n\tZeilen äöü 日本語 🫖"),
    ],
)
def test_controls_are_shown_as_text(text: str, shown: str) -> None:
    assert protocol.plain_text(text) == shown
