"""A hub on this machine for huggingface_hub's own client to talk to, which can misbehave as networks do."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = 1 << 10  # bytes from which a file is stored apart, with a SHA-256


@dataclass
class Hub:
    """What it has, how it misbehaves, and what it was asked."""

    files: dict[str, dict[str, bytes]]  # "OWNER/NAME" -> name -> content
    licence: str = "test-licence"
    commit: str = "1" * 40
    cut_after: list[int] = field(default_factory=list)  # of the next answers with large content: bytes, then the cut
    lie: bytes = b""  # sent in the place of large content, cut or repeated to its length
    status: int = 0  # of every answer
    token: str = ""  # that is wanted
    drip_seconds: float = 0.0  # between two thousand bytes
    ranges_are_ignored: bool = False
    elsewhere: str = ""  # the address of another server that large content is sent to
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)  # method, path, range, authorization
    url: str = ""

    @property
    def gets(self) -> list[tuple[str, str]]:
        """Return (name, range) of what was fetched of large content."""
        found = [(path.split("/resolve/")[-1].partition("/")[2], ranged) for method, path, ranged, _ in self.asked
                 if method == "GET" and "/resolve/" in path]  # fmt: skip
        return [(name, ranged) for name, ranged in found if name.endswith(".safetensors")]


@contextlib.contextmanager
def serving(files: dict[str, dict[str, bytes]], **options: Any) -> Iterator[Hub]:
    """Serve a hub on a free port until the block ends."""
    hub = Hub(files, **options)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder as a repository has them."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _blob(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


def _sibling(name: str, content: bytes) -> dict[str, Any]:
    large = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "pointerSize": 130}
    fields = {"rfilename": name, "size": len(content), "blobId": _blob(content)}
    return fields | ({"lfs": large} if len(content) >= LARGE else {})


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def do_HEAD(self) -> None:
            self._answer(with_content=False)

        def do_GET(self) -> None:
            self._answer(with_content=True)

        def _answer(self, with_content: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            given = self.headers.get("authorization", "")
            hub.asked.append((self.command, path, self.headers.get("range", ""), given))
            if hub.status:
                return self._refuse(hub.status, "")
            if hub.token and given != f"Bearer {hub.token}":
                return self._refuse(401, "GatedRepo" if "/api/" in path else "")
            if path.startswith("/api/models/"):
                source = "/".join(path.split("/")[3:5])
                if source not in hub.files:
                    return self._refuse(404, "RepoNotFound")
                siblings = [_sibling(name, content) for name, content in hub.files[source].items()]
                said = {"_id": "0", "id": source, "sha": hub.commit, "private": False, "downloads": 0, "likes": 0,
                        "tags": [], "siblings": siblings, "cardData": {"license": hub.licence}}  # fmt: skip
                return self._send(200, json.dumps(said).encode(), {"Content-Type": "application/json"}, with_content)
            source, _, rest = path[1:].partition("/resolve/")
            content = hub.files.get(source, {}).get(rest.partition("/")[2])
            if content is None:
                return self._refuse(404, "EntryNotFound")
            self._file(path, content, with_content)

        def _file(self, path: str, content: bytes, with_content: bool) -> None:
            large = len(content) >= LARGE
            tag = hashlib.sha256(content).hexdigest() if large else _blob(content)
            headers = {"X-Repo-Commit": hub.commit, "ETag": f'"{tag}"', "Accept-Ranges": "bytes",
                       "X-Linked-ETag": f'"{tag}"', "X-Linked-Size": str(len(content))}  # fmt: skip
            if large and hub.elsewhere:
                return self._send(302, b"", headers | {"Location": hub.elsewhere + path}, with_content)
            sent, status = content, 200
            if large and hub.lie:
                sent = (hub.lie * (len(content) // len(hub.lie) + 1))[: len(content)]
            if (ranged := self.headers.get("range")) and not hub.ranges_are_ignored:
                start = int(ranged.removeprefix("bytes=").split("-")[0])
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
                sent, status = sent[start:], 206
            self._send(status, sent, headers, with_content, large=large)

        def _send(
            self, status: int, content: bytes, headers: dict[str, str], with_content: bool, large: bool = False
        ) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            if not with_content:
                return
            cut = hub.cut_after.pop(0) if large and hub.cut_after else None
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for start in range(0, len(content[:cut]), 1000):
                    self.wfile.write(content[:cut][start : start + 1000])
                    if large and hub.drip_seconds:
                        self.wfile.flush()
                        threading.Event().wait(hub.drip_seconds)  # tests let time.sleep do nothing
            if cut is not None:
                self.wfile.flush()
                self.close_connection = True

        def _refuse(self, status: int, code: str) -> None:
            self._send(status, b"{}", {"X-Error-Code": code} if code else {}, self.command == "GET")

    return Handler
