"""What the panels say fits, and can be read."""

from __future__ import annotations

import math

import pytest

from addon import wording


def test_lines_fit_the_region() -> None:
    text = "The mask is empty: 0 of 262144 pixels are foreground. Use an image with a plain background."
    narrow, wide = wording.wrapped(text, 220), wording.wrapped(text, 600)
    assert " ".join(narrow) == " ".join(wide) == text
    assert len(narrow) > len(wide)
    assert max(map(len, narrow)) * wording.LETTER_PIXELS <= 220 - wording.MARGIN_PIXELS
    assert wording.wrapped(text, 440, scale=2.0) == narrow


def test_a_path_without_spaces_is_broken_and_lines_are_kept() -> None:
    lines = wording.wrapped("first\n" + "/deep" * 40, 220)
    assert lines[0] == "first" and "".join(lines[1:]) == "/deep" * 40
    assert wording.wrapped("word " * 8, 1) == ["word word word"] * 2 + ["word word"]
    assert wording.wrapped("", 300) == []


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (900, "15 min"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, said: str) -> None:
    assert wording.duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (3, "About 5 s left"),
        (61, "About 1 min 5 s left"),
        (170, "About 3 min left"),
        (5000, "About 1 h 23 min left"),
        (math.inf, "Time left unknown"),
    ],
)
def test_time_left_is_no_more_exact_than_it_is_known(seconds: float, said: str) -> None:
    assert wording.time_left(seconds) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (14_400, "14 KB"),
        (5_000_000, "4.8 MB"),
        (1.4 * 2**30, "1.4 GB"),
        (2**41, "2048.0 GB"),
    ],
)
def test_sizes(number: float, said: str) -> None:
    assert wording.size(number) == said


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("The mask is empty: 0 of 9 pixels. Use another.", "The mask is empty: 0 of 9 pixels. Use another."),
        ("It was ended by SIGKILL. The end of log.txt:\nTraceback\n  line 3", "It was ended by SIGKILL."),
        ("x" * 500, "x" * 399 + "\N{HORIZONTAL ELLIPSIS}"),
        ("Only this:", "Only this:"),
        ("", ""),
    ],
)
def test_a_failure_is_shown_without_the_end_of_the_log(message: str, said: str) -> None:
    assert wording.first_line(message) == said


def test_titles_are_one_short_line() -> None:
    assert wording.shortened("a red\n mug", 20) == "a red mug"
    assert wording.shortened("a red mug with a very long handle", 12) == "a red mug w\N{HORIZONTAL ELLIPSIS}"


def test_characters_of_the_east_are_twice_as_wide_and_break_anywhere() -> None:
    text = "プリセット「下書き」を使うか、他のプログラムを終了してください。"
    lines = wording.wrapped(text, 200)
    letters = int((200 - wording.MARGIN_PIXELS) / wording.LETTER_PIXELS)
    assert "".join(lines) == text and len(lines) == 4
    assert all(2 * len(line) <= letters + 2 for line in lines)  # a full stop may stand over
    assert not any(line[0] in wording.NEVER_FIRST for line in lines)


def test_words_between_such_characters_stay_whole() -> None:
    text = "请安装 Python 3.11 或 /a/very/long/path/to/some/place/that/does/not/fit 然后重试"
    lines = wording.wrapped(text, 200)
    assert "Python 3.11" in " ".join(lines) and all(len(line) <= 20 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
