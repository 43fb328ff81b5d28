"""What a verification finds becomes one sentence."""

from __future__ import annotations

from addon.install import verification


def test_many_findings_make_one_sentence() -> None:
    assert verification.sentence(["a.", "b."]) == "a. b."
    assert verification.sentence(["a.", "b.", "c.", "d.", "e."]) == "a. b. c. So are 2 more packages."
