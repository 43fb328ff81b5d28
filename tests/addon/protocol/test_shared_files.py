"""Who holds a file: one process at a time, until it ends, however that happens."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from addon.protocol import LinkInside, shared_files

HOLD = "import sys; from addon.protocol import shared_files; from pathlib import Path; "
HOLD += "print(shared_files.take_lock(Path(sys.argv[1])), flush=True); sys.stdin.read()"


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "owner")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline().strip().isdigit()
        yield process
        process.kill()


def test_what_another_process_holds_is_locked_until_that_is_killed(tmp_path, holder):
    file = tmp_path / "owner"
    file.write_text("its text can be read meanwhile")
    assert shared_files.is_locked(file) and shared_files.take_lock(file) is None
    assert file.read_text() == "its text can be read meanwhile"
    holder.kill()
    holder.wait()
    assert not shared_files.is_locked(file)
    descriptor = shared_files.take_lock(file)
    assert descriptor is not None
    os.close(descriptor)


def test_nobody_holds_a_file_that_is_not_there_and_looking_makes_none(tmp_path):
    assert not shared_files.is_locked(tmp_path / "owner") and not shared_files.is_locked(tmp_path / "nowhere/owner")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_a_forked_child_that_outlives_the_holder_does_not_hold_on(tmp_path):
    file, (reader, writer) = tmp_path / "owner", os.pipe()
    holder = os.fork()
    if holder == 0:
        shared_files.take_lock(file)
        child = os.fork()
        if child == 0:
            time.sleep(600)
        os.write(writer, str(child).encode())
        os._exit(0)
    os.waitpid(holder, 0)
    child = int(os.read(reader, 16))
    try:
        os.kill(child, 0)  # it lives, with the file open
        assert not shared_files.is_locked(file)
    finally:
        os.kill(child, 9)


class Msvcrt(SimpleNamespace):
    """Windows' module, with one process that has the lock, or none."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self) -> None:
        super().__init__(calls=[], taken=False)

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        self.calls.append((mode, os.lseek(descriptor, 0, os.SEEK_CUR), count))
        if self.taken:
            raise PermissionError("Permission denied")


def test_windows_locks_a_byte_behind_the_text_and_gives_back_what_it_only_tried(tmp_path, monkeypatch):
    msvcrt: Any = Msvcrt()
    monkeypatch.setitem(sys.modules, "msvcrt", msvcrt)
    monkeypatch.setattr(sys, "platform", "win32")
    name = "addon.protocol.shared_files_of_windows"
    spec = importlib.util.spec_from_file_location(name, shared_files.__file__)
    assert spec is not None and spec.loader is not None
    windows = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(windows)

    file = tmp_path / "owner"
    descriptor = windows.take_lock(file)
    assert msvcrt.calls == [(msvcrt.LK_NBLCK, 1 << 20, 1)]
    assert os.lseek(descriptor, 0, os.SEEK_CUR) == 0  # where the holder's number is written, and read
    os.close(descriptor)
    assert not windows.is_locked(file)
    assert msvcrt.calls[1:] == [(msvcrt.LK_NBLCK, 1 << 20, 1), (msvcrt.LK_UNLCK, 1 << 20, 1)]
    msvcrt.taken = True
    assert windows.is_locked(file) and windows.take_lock(file) is None


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize("link", ["symlink", "hard link"])
def test_looking_at_a_link_gives_up_no_lock_of_ours_on_what_it_leads_to(tmp_path, link):
    (tmp_path / "job").mkdir()
    descriptor = shared_files.take_lock(tmp_path / "owner")
    assert descriptor is not None
    if link == "symlink":
        (tmp_path / "job/.lock").symlink_to("../owner")
    else:
        os.link(tmp_path / "owner", tmp_path / "job/.lock")
    assert not shared_files.is_locked(tmp_path / "job/.lock")
    with pytest.raises(LinkInside):
        shared_files.take_lock(tmp_path / "job/.lock")
    (tmp_path / "job/.lock").unlink()  # or a hard link would keep the other process from it, too
    command = [sys.executable, "-c", HOLD, str(tmp_path / "owner")]
    other = subprocess.run(command, capture_output=True, text=True, input="")
    os.close(descriptor)
    assert other.stdout == "None\n"  # the other process still does not get it
