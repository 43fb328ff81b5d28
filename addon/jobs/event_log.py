"""The events of a job as its folder keeps them, in events.jsonl: read on from where one was, or summed up. No bpy.

The file may come from anywhere and be of any length: no call reads more than a bounded part of it, in bounded time.
"""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path

from .. import protocol

READ_BYTES = 4 << 20  # of one call of read_events; four times the longest line
RUN_BYTES = 64 << 20  # at the end of the file, in which the latest run is looked for
MAX_LINES = 64  # of a kind, of the latest run
MAX_TORN = 1_000  # lines in one part; a power failure tears one

LINE_OF = {name: f'{{"type": "{name}"'.encode() for name in ("Hello", "Stage", "Progress", "Preview", "Warning")}


def read_events(job: Path, offset: int = 0) -> tuple[list[protocol.Event], int]:
    """Return the events from a byte of events.jsonl on, and the byte to go on from: so a running job is watched again.

    At most READ_BYTES are read; the next call goes on. A line that is not complete yet is left for that; one that was
    torn by a power failure is passed over, and any other that is no event raises ProtocolError.
    """
    path = job / protocol.EVENTS_FILE
    if protocol.file_size(job, protocol.EVENTS_FILE) is None:
        return [], 0
    with protocol.open_file(job, protocol.EVENTS_FILE, "rb") as file:
        file.seek(offset)
        content = file.read(READ_BYTES)
    end = content.rfind(b"\n") + 1
    if end == 0 and len(content) == READ_BYTES:
        raise protocol.ProtocolError(f"{path} has a line of more than {READ_BYTES} bytes; it is not of a backend.")
    messages, torn = [], 0
    for line in filter(bytes.strip, content[:end].splitlines()):
        try:
            messages.append(protocol.decode(line))
        except protocol.NotJson as error:  # torn: whoever wrote it was gone in the same moment
            torn += 1
            if torn > MAX_TORN:
                raise protocol.ProtocolError(
                    f"{path} has {torn} lines that are no JSON; it is not of a backend."
                ) from error
    return [message for message in messages if isinstance(message, protocol.Event)], offset + end


def last_message(job: Path) -> protocol.Last | None:
    """Return how the latest run of a job ended, None if it has not, or was killed, or never began.

    Raises ProtocolError where the last line is whole, and no event.
    """
    if protocol.file_size(job, protocol.EVENTS_FILE) is None:
        return None
    with protocol.open_file(job, protocol.EVENTS_FILE, "rb") as file:
        size = file.seek(0, 2)
        content = b""
        for length in (1 << 12, protocol.LINE_BYTES + (1 << 12)):  # few last lines are long
            file.seek(max(size - length, 0))
            content = file.read(length)
            if content.count(b"\n") > 1 or length >= size:
                break
    lines = list(filter(bytes.strip, content[: content.rfind(b"\n") + 1].splitlines()))
    for line in lines[: -MAX_TORN - 1 : -1]:
        with contextlib.suppress(protocol.NotJson):
            match protocol.decode(line):
                case protocol.Finished() | protocol.Cancelled() | protocol.Failed() | protocol.Interrupted() as last:
                    return last
                case _:
                    return None
    return None


def latest_run(job: Path) -> tuple[list[protocol.Event], int]:
    """Return what of the latest run says where it stands, and the byte of events.jsonl to go on from.

    These are the Hello, the stages, of each the last Progress, the latest warnings, the last Preview and the last
    message; of files without end only what is near their end. Lines that are no events are passed over.
    """
    size = protocol.file_size(job, protocol.EVENTS_FILE) or 0
    if size == 0:
        return [], 0
    base = max(size - RUN_BYTES, 0) // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
    with (
        protocol.open_file(job, protocol.EVENTS_FILE, "rb") as file,
        mmap.mmap(file.fileno(), size - base, access=mmap.ACCESS_READ, offset=base) as lines,
    ):
        end = lines.rfind(b"\n") + 1
        begin = max(_before(lines, LINE_OF["Hello"], 0, end), 0)
        stages = list(_last_ones(lines, LINE_OF["Stage"], begin, end))
        wanted = {begin, *stages, *_last_ones(lines, LINE_OF["Warning"], begin, end)}
        for stop in [*stages, end]:
            wanted.add(_before(lines, LINE_OF["Progress"], begin, stop))
        wanted.add(_before(lines, LINE_OF["Preview"], begin, end))
        wanted.add(lines.rfind(b"\n", 0, max(end - 1, 0)) + 1)
        found = [
            lines[start : min(lines.find(b"\n", start), start + protocol.LINE_BYTES)]
            for start in sorted(wanted)
            if begin <= start < end
        ]
    events = []
    for line in found:
        with contextlib.suppress(protocol.ProtocolError):
            events.append(protocol.decode(line))
    return [event for event in events if isinstance(event, protocol.Event)], base + end


def _last_ones(lines: mmap.mmap, start: bytes, begin: int, end: int) -> Iterator[int]:
    """Yield where the last lines of a kind begin, the latest first."""
    for _ in range(MAX_LINES):
        end = _before(lines, start, begin, end)
        if end < 0:
            return
        yield end


def _before(lines: mmap.mmap, start: bytes, begin: int, end: int) -> int:
    """Return where the last line of a kind before `end` begins, -1 if there is none."""
    found = lines.rfind(b"\n" + start, max(begin - 1, 0), end)
    if found >= 0:
        return found + 1
    return begin if lines[begin : begin + len(start)] == start and begin + len(start) <= end else -1
