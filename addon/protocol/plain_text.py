"""Text of a stranger as it may be written to a terminal."""

from __future__ import annotations

import re

# What moves the cursor, changes colours, titles and the clipboard, turns the direction of reading round, or is half a
# character, which no program can write.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain_text(text: str) -> str:
    """Return a text whose control characters and halves are shown as in source code, but line ends and tabs."""
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)
