"""Numbers and sentences as the panels show them. No bpy."""

from __future__ import annotations

import math
import textwrap

LETTER_PIXELS = 6.6  # mean width of a letter of Blender's interface font at a resolution scale of 1
MARGIN_PIXELS = 62  # of a sidebar: borders, the icon, the tabs
MIN_LETTERS = 16


def wrapped(text: str, width: float, scale: float = 1.0) -> list[str]:
    """Break a text into lines that fit a region `width` pixels wide; words that are too long are broken too."""
    letters = max(MIN_LETTERS, int((width / max(scale, 0.1) - MARGIN_PIXELS) / LETTER_PIXELS))
    return [line for part in text.splitlines() for line in textwrap.wrap(part, letters)]


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


def time_left(seconds: float) -> str:
    """Say how long it will take still, as exactly as a measured speed allows."""
    if seconds >= 120 and math.isfinite(seconds):
        seconds = 60 * round(seconds / 60)
        return f"About {seconds // 60} min left" if seconds < 3600 else f"About {duration(seconds)} left"
    return f"About {duration(5 * math.ceil(seconds / 5))} left" if math.isfinite(seconds) else "Time left unknown"


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
