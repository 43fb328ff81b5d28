"""Files of a result, read without Blender."""

from __future__ import annotations

import struct

import pytest

from addon.scene import result_files
from tests.blender.made_results import two_colours


def test_a_jpeg_says_how_large_it_is() -> None:
    app0 = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF" + b"\0" * 10
    frame = b"\xff\xc2" + struct.pack(">HBHH", 17, 8, 300, 400) + b"\0" * 10
    assert result_files.check_picture(b"\xff\xd8" + app0 + frame, "it") == (400, 300)
    with pytest.raises(result_files.ImportFailed, match="it is neither PNG nor JPEG"):
        result_files.check_picture(b"\xff\xd8" + app0, "it")
    assert result_files.check_picture(two_colours(16), "it") == (16, 16)
