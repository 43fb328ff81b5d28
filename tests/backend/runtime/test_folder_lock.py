"""A folder is run by one process at a time."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from addon import protocol
from backend.errors import BackendError
from backend.runtime.folder_lock import folder_lock


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_a_folder_is_locked_by_one_process_and_free_when_that_dies(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # holds the lock until it is killed
        with folder_lock(tmp_path):
            os.write(writer, b"x")
            time.sleep(600)
        os._exit(0)
    assert os.read(reader, 1) == b"x"
    assert protocol.is_running(tmp_path)
    with pytest.raises(BackendError, match=rf"Another process \(number {child}\)"), folder_lock(tmp_path, 0.1):
        pass
    with pytest.raises(BackendError, match="is running"), folder_lock(tmp_path, 600.0, is_over=lambda: True):
        pass  # whoever is asked to leave waits no longer
    os.kill(child, 9)
    os.waitpid(child, 0)
    assert not protocol.is_running(tmp_path)
    with folder_lock(tmp_path, 0.1):
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"
