"""Numbers and sentences as the panels show them. No bpy."""

from __future__ import annotations

import math
import textwrap
import unicodedata
from collections.abc import Iterator

from .protocol import Phrase

LETTER_PIXELS = 6.6  # mean width of a letter of Blender's interface font at a resolution scale of 1
MARGIN_PIXELS = 62  # of a sidebar: borders, the icon, the tabs
MIN_LETTERS = 16
NEVER_FIRST = set("、。，．！？：；）」』】")  # of a line


def wrapped(text: str, width: float, scale: float = 1.0) -> list[str]:
    """Break a text into lines that fit a region `width` pixels wide; words that are too long are broken too."""
    letters = max(MIN_LETTERS, int((width / max(scale, 0.1) - MARGIN_PIXELS) / LETTER_PIXELS))
    return [line for part in text.splitlines() for line in _lines(part, letters)]


def _lines(text: str, letters: int) -> list[str]:
    """Break a text into lines as wide as so many letters; characters of the East have no spaces and twice the width."""
    if not any(map(_is_wide, text)):
        return textwrap.wrap(text, letters)
    lines, line, taken = [], "", 0
    for piece in _pieces(text, letters):
        room = sum(2 if _is_wide(letter) else 1 for letter in piece)
        if taken + room > letters and line.strip() and piece[0] not in NEVER_FIRST:
            lines.append(line.strip())
            line, taken = "", 0
        line, taken = line + piece, taken + room
    return [*lines, line.strip()] if line.strip() else lines


def _pieces(text: str, letters: int) -> Iterator[str]:
    """Yield what is not broken: each wide character, each word between them, of a long word as much as fits."""
    word = ""
    for letter in text:
        if _is_wide(letter) or letter == " " or len(word) == letters:
            if word:
                yield word
            word = ""
        if _is_wide(letter) or letter == " ":
            yield letter
        else:
            word += letter
    if word:
        yield word


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"


def duration(seconds: float) -> str:
    """Say how long something takes: 40 s, 3 min 20 s, 2 h 5 min."""
    if not math.isfinite(seconds):
        return "unknown"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole < 600 else f"{round(whole / 60)} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def time_left(seconds: float) -> Phrase:
    """Say how long it will take still, as exactly as a measured speed allows."""
    if seconds >= 120 and math.isfinite(seconds):
        seconds = 60 * round(seconds / 60)
        return Phrase("About {time} left", time=f"{seconds // 60} min" if seconds < 3600 else duration(seconds))
    if not math.isfinite(seconds):
        return Phrase("Time left unknown")
    return Phrase("About {time} left", time=duration(5 * math.ceil(seconds / 5)))


def size(number: float) -> str:
    """Say how many bytes: 512 B, 14 KB, 1.3 GB."""
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.1f} {unit}" if unit == "GB" or (unit == "MB" and number < 10) else f"{number:.0f} {unit}"
        number /= 1024
    raise AssertionError(number)


def first_line(text: str, most: int = 400) -> str:
    """Return what a message says, without the end of the log that may follow it."""
    line = next(iter(text.splitlines()), "").strip()
    sentence, _, introduction = line.rpartition(". ")
    return shortened(f"{sentence}." if sentence and introduction.endswith(":") else line, most)


def shortened(text: str, letters: int) -> str:
    """Cut a text to one line of so many letters."""
    line = " ".join(text.split())
    return line if len(line) <= letters else line[: letters - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
