"""The backend's environment is made whole or not at all, verified against its lock, and removed."""

from __future__ import annotations

import pytest

from addon import environment


@pytest.mark.parametrize(
    ("printed", "sentence"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("(Caused by SSLError(SSLCertVerificationError(...)))", "could not be reached"),
        ("socket.gaierror: Temporary failure in name resolution", "could not be reached"),
        ("fine\nERROR: first\nERROR: last\nmore", "last"),
        ("only this", "only this"),
        ("", "no reason was given."),
    ],
)
def test_what_failed_is_read_off_the_output(printed, sentence):
    assert sentence in environment.explain(printed)
