"""What lies in a folder is opened, made, renamed and removed without following a link in it, on every system."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from addon import protocol
from addon.protocol import inside

SECRET = b"somebody else's"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")


@pytest.fixture(params=["by descriptor", "by path"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is reached through a link, beside one with a file that must stay as it is."""
    monkeypatch.setattr(inside, "HAS_DIR_FD", request.param == "by descriptor" and inside.HAS_DIR_FD)
    (tmp_path / "outside/sub").mkdir(parents=True)
    for name in ("victim", "sub/victim"):
        (tmp_path / "outside" / name).write_bytes(SECRET)
    (tmp_path / "elsewhere/job").mkdir(parents=True)
    (tmp_path / "jobs").symlink_to(tmp_path / "elsewhere")  # above the folder links are followed
    return tmp_path / "jobs/job"


def outside(folder: Path) -> Path:
    return folder.parent.parent / "outside"


def assert_untouched(folder: Path) -> None:
    found = {path.relative_to(outside(folder)).as_posix() for path in outside(folder).rglob("*")}
    assert found == {"victim", "sub", "sub/victim"}
    assert (outside(folder) / "victim").read_bytes() == (outside(folder) / "sub/victim").read_bytes() == SECRET


def test_files_are_made_read_listed_and_removed(folder: Path) -> None:
    protocol.write_whole(folder, "a/b/c", b"1", flush=True)
    protocol.write_whole(folder, "a/b/c", b"2")
    with protocol.open_file(folder, "a/b/c", "ab") as file:
        file.write(b"3")
    with protocol.open_file(folder, "a/b/c", "rb") as file:
        assert file.read() == b"23"
    protocol.write_whole(folder, "a/b.txt", b"")
    protocol.make_folder_in(folder, "x/y")
    assert protocol.files_inside(folder, "a") == ["a/b/c", "a/b.txt"]  # by the parts of the path
    assert protocol.files_inside(folder, "x") == protocol.files_inside(folder, "nowhere/at") == []
    assert protocol.file_size(folder, "a/b/c") == 2 and protocol.is_inside(folder, "a/b.txt")
    assert protocol.file_size(folder, "a/b") is None and protocol.file_size(folder, "a/d") is None
    with pytest.raises(protocol.LinkInside, match="c is not a folder"):
        protocol.file_size(folder, "a/b/c/d")
    assert protocol.is_folder_inside(folder, "x/y") and not protocol.is_folder_inside(folder, "x/z")
    assert protocol.path_inside(folder, "a/b/c") == folder / "a/b/c"
    assert protocol.remove_inside(folder, "a/b/c") and not protocol.remove_inside(folder, "a/b/c")
    assert not protocol.remove_inside(folder, "nowhere/at/all")
    with pytest.raises(FileNotFoundError, match="jobs/job/a/b/c"):  # the whole path
        protocol.open_file(folder, "a/b/c", "rb")


@pytest.mark.parametrize("name", ["../outside/victim", "a/../../outside/victim", "", "/etc/passwd", "a//b"])
def test_a_name_that_leads_out_is_refused(folder: Path, name: str) -> None:
    for act in (protocol.file_size, protocol.remove_inside, protocol.files_inside, protocol.make_folder_in):
        with pytest.raises(protocol.ProtocolError):
            act(folder, name)
    with pytest.raises(protocol.ProtocolError):
        protocol.write_whole(folder, name, b"x")
    assert not protocol.is_folder_inside(folder, name)
    assert_untouched(folder)


ACTS: dict[str, Callable[[Path, str], Any]] = {
    "read": lambda folder, name: protocol.open_file(folder, name, "rb"),
    "append": lambda folder, name: protocol.open_file(folder, name, "ab"),
    "lock": lambda folder, name: protocol.open_descriptor(folder, name, os.O_RDWR | os.O_CREAT),
    "truncate": lambda folder, name: protocol.open_descriptor(folder, name, os.O_WRONLY | os.O_TRUNC),
    "size": protocol.file_size,
    "path": protocol.path_inside,
    "check": protocol.check_writable,
    "list": protocol.files_inside,
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("target", ["victim", "sub", "nowhere"])
def test_a_link_is_refused_and_its_target_stays(folder: Path, act: str, target: str) -> None:
    (folder / "link").symlink_to(outside(folder) / target)
    with pytest.raises(protocol.LinkInside, match="link is a link"):
        ACTS[act](folder, "link")
    assert not protocol.is_inside(folder, "link")
    assert_untouched(folder)


@pytest.mark.parametrize("act", [*ACTS, "make", "write", "remove"])
def test_a_link_on_the_way_is_refused_and_nothing_changes_behind_it(folder: Path, act: str) -> None:
    (folder / "stages").symlink_to(outside(folder))
    acts = ACTS | {
        "make": protocol.make_folder_in,
        "write": lambda folder, name: protocol.write_whole(folder, name, b"x"),
        "remove": protocol.remove_inside,
    }
    with pytest.raises(protocol.LinkInside, match="stages is a link"):
        acts[act](folder, "stages/sub/victim")
    assert not protocol.is_inside(folder, "stages/victim") and not protocol.is_folder_inside(folder, "stages/sub")
    assert_untouched(folder)


def test_a_link_in_the_place_of_a_file_or_its_temporary_one_is_replaced_not_followed(folder: Path) -> None:
    for name in ("a", "a.tmp"):
        (folder / name).symlink_to(outside(folder) / "victim")
    protocol.write_whole(folder, "a", b"ours")
    assert (folder / "a").read_bytes() == b"ours" and not (folder / "a").is_symlink()
    assert [path.name for path in folder.iterdir()] == ["a"]
    (folder / "b").symlink_to(outside(folder) / "victim")
    assert protocol.remove_inside(folder, "b")
    assert_untouched(folder)


@pytest.mark.parametrize("act", ["append", "lock", "truncate", "check"])
def test_a_second_name_of_a_file_elsewhere_is_read_but_not_written(folder: Path, act: str) -> None:
    os.link(outside(folder) / "victim", folder / "a")
    with pytest.raises(protocol.LinkInside, match="one of 2 names of the same file"):
        ACTS[act](folder, "a")
    with protocol.open_file(folder, "a", "rb") as file:
        assert file.read() == SECRET  # as in a backup that shares files
    protocol.write_whole(folder, "a", b"ours")
    assert (folder / "a").read_bytes() == b"ours"
    assert_untouched(folder)


@pytest.mark.parametrize("act", ["read", "append", "lock"])
def test_a_pipe_keeps_nobody_waiting(folder: Path, act: str) -> None:
    os.mkfifo(folder / "a")
    with pytest.raises(protocol.LinkInside, match="is not a file"):
        ACTS[act](folder, "a")
    with pytest.raises(protocol.LinkInside):
        protocol.files_inside(folder.parent, "job")
    assert protocol.files_inside(folder.parent, "job", pass_over=True) == []


def test_what_is_listed_leads_nowhere(folder: Path) -> None:
    (folder / "inputs").mkdir()
    (folder / "inputs/00.png").write_bytes(b"x")
    for name, target in (("file", "victim"), ("folder", "sub")):
        (folder / "inputs" / name).symlink_to(outside(folder) / target)
    assert protocol.files_inside(folder, "inputs", pass_over=True) == ["inputs/00.png"]
    with pytest.raises(protocol.LinkInside):
        protocol.files_inside(folder, "inputs")


def test_a_new_file_has_the_modes_that_others_give_it(folder: Path) -> None:
    kept = os.umask(0o027)
    try:
        protocol.write_whole(folder, "new/file", b"x")
    finally:
        os.umask(kept)
    assert (folder / "new").stat().st_mode & 0o777 == 0o750 and (folder / "new/file").stat().st_mode & 0o777 == 0o640


# ---- renaming --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("system", "attempts"), [("win32", 3), ("linux", 1)])
def test_on_windows_a_file_that_is_read_is_replaced_a_moment_later(
    system: str, attempts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new").write_text("new")
    replace, tried = os.replace, []

    def held_open(source: str, target: str) -> None:
        tried.append(source)
        if len(tried) < 3:
            raise PermissionError(13, "used by another process")
        replace(source, target)

    monkeypatch.setattr(os, "replace", held_open)
    monkeypatch.setattr(sys, "platform", system)
    if system == "win32":
        protocol.rename_inside(tmp_path, "new", "old")
        assert (tmp_path / "old").read_text() == "new"
    else:
        with pytest.raises(PermissionError):
            protocol.rename_inside(tmp_path, "new", "old")
    assert len(tried) == attempts


def test_on_windows_replacing_gives_up_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def held_open(source: str, target: str) -> None:
        raise PermissionError(13, "used by another process")

    monkeypatch.setattr(os, "replace", held_open)
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(PermissionError):
        protocol.rename_inside(tmp_path, "new", "old", seconds=0.0)
