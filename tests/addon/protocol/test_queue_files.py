"""The files of a queue: turns that are read back, damaged ones, and the Blender that a process is tied to."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from addon import protocol
from addon.protocol import queue_files

OWN = "import sys; from addon import protocol; from pathlib import Path; tie = protocol.Tie(Path(sys.argv[1])); "
OWN += "print(tie.take(), flush=True); sys.stdin.read()"


def test_turns_are_read_back_in_their_order_with_tickets_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / protocol.QUEUE_FILE
    assert protocol.read_turns(file) == []
    turns = [protocol.new_turn(name) for name in ("b", "a", "b")]
    protocol.write_turns(file, turns)
    assert protocol.read_turns(file) == turns and len({turn.ticket for turn in turns}) == 3
    protocol.write_turns(file, turns[1:])
    assert protocol.read_turns(file) == turns[1:] and list(tmp_path.iterdir()) == [file]
    assert file.read_text().startswith('{"type": "Turn", "job": "a", "ticket": "')  # as queues on disk have it


def test_lines_that_are_no_turns_are_passed_over(tmp_path: Path) -> None:
    turn, file = protocol.new_turn("a"), tmp_path / protocol.QUEUE_FILE
    lines = [b"\0\xff", b'{"type": "Turn", "job": "../x", "ticket": "1"}', protocol.encode(protocol.Cancel()).encode()]
    file.write_bytes(b"\n".join(lines) + b"\n" + protocol.encode(turn).encode() + b'{"type": "Turn", "jo')
    assert protocol.read_turns(file) == [turn]


def test_a_job_has_begun_when_it_has_said_something_since_its_turn(tmp_path: Path) -> None:
    turn = protocol.Turn(job="a", ticket="1", begin=3)
    assert not protocol.has_begun(tmp_path, turn)
    for text, begun in ((b"old", False), (b"old, new", True)):
        (tmp_path / protocol.EVENTS_FILE).write_bytes(text)
        assert protocol.has_begun(tmp_path, turn) is begun


def test_one_program_at_a_time_has_the_tie_until_it_cuts_it_or_dies(tmp_path: Path) -> None:
    ours = protocol.Tie(tmp_path)
    assert ours.take() and ours.take()
    command = [sys.executable, "-c", OWN, str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, input="").stdout == "False\n"
    ours.cut()
    ours.cut()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"True\n"
        assert not ours.take() and protocol.is_locked(tmp_path / protocol.OWNER_FILE)
        other.kill()
    assert ours.take()
    ours.cut()


def test_what_a_killed_program_has_left_of_a_file_of_turns_goes_and_another_s_does_not(tmp_path: Path) -> None:
    path = tmp_path / protocol.QUEUE_FILE
    left, begun, stranger = (tmp_path / name for name in ("queue.jsonl.7.tmp", "queue.jsonl.8.tmp", "other.7.tmp"))
    for each in (left, begun, stranger):
        each.write_text("{")
    long_ago = time.time() - 2 * queue_files.LEFT_SECONDS
    for each in (left, stranger):
        os.utime(each, (long_ago, long_ago))
    protocol.write_turns(path, [protocol.new_turn("a")])
    assert not left.exists() and begun.exists() and stranger.exists()
    assert [turn.job for turn in protocol.read_turns(path)] == ["a"]
