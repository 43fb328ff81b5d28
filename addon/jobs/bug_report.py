"""The text of a bug report about one job: what runs where, what went wrong, the end of the log. No bpy.

It holds no prompt, and no path below the user's home folder.
"""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Mapping
from pathlib import Path

from .. import protocol
from . import store

LOG_LINES = 60
LOG_BYTES = 64_000


def report(job: Path, programs: Mapping[str, str]) -> str:
    """Return the report on a job; `programs` are names and versions of what it ran in."""
    lines = [f"{name}: {version}" for name, version in {**programs, "System": platform.platform()}.items()]
    secrets = {str(Path.home()): "~"}  # -> what is written instead
    try:
        request = protocol.read_request(job)
        secrets |= {image.name: "(image)" for image in request.images if image.name.strip()}
        secrets |= {text: "(prompt)" for text in (request.prompt, request.negative_prompt) if text.strip()}
        fields = dataclasses.asdict(request)
        for name in ("prompt", "negative_prompt", "version"):
            del fields[name]
        fields["images"] = len(request.images)
        lines.append("Request: " + json.dumps(fields, sort_keys=True))
    except (protocol.ProtocolError, OSError) as error:
        lines.append(f"Request: {error}")
    lines += _events(job)
    lines += ["", f"End of {protocol.LOG_FILE}:", *_log_tail(job)]
    text = "\n".join(lines)
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, secrets[secret])
    return text + "\n"


def _events(job: Path) -> list[str]:
    """Return the stages, the warnings and the end of the latest run."""
    try:
        events, _ = store.read_events(job)
    except (protocol.ProtocolError, OSError) as error:
        return [f"Events: {error}"]
    start = max((number for number, event in enumerate(events) if isinstance(event, protocol.Hello)), default=0)
    kept = [event for event in events[start:] if not isinstance(event, protocol.Progress | protocol.Preview)]
    return [protocol.encode(event).strip() for event in kept] or ["Events: none; the backend has not begun."]


def _log_tail(job: Path) -> list[str]:
    try:
        with protocol.open_file(job, protocol.LOG_FILE, "rb") as file:
            file.seek(max(0, file.seek(0, 2) - LOG_BYTES))
            text = file.read(LOG_BYTES).decode("utf-8", "replace")
    except OSError as error:
        return [f"({error.strerror})"]
    except protocol.LinkInside:  # whose sentence names the folder
        return ["(a link)"]
    return text.splitlines()[-LOG_LINES:] or ["(empty)"]
