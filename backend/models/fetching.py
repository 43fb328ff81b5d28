"""Fetches a model from a hub: what it is and weighs first, then file by file, going on where it was cut off.

The only place of the backend that opens connections, and only when somebody asks. huggingface_hub does the talking: its
client, its mirrors (HF_ENDPOINT), its proxies and its tokens (HF_TOKEN, else the saved login, which another endpoint
never gets). What is fetched has a commit, and each file is compared with the hash that the hub has for it.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from addon.protocol import models
from backend.errors import BackendError, BadInput, UnfitEnvironment
from backend.models import store
from backend.models.checking import HASHED_BYTES, sha256_of

TAKEN = (".safetensors", ".json", ".txt")  # nothing that could hold code
HALF = ".fp16.safetensors"
SOURCE = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")
SHOWN_SECONDS = 0.2  # between two reports
AGAIN = "The same command goes on where it is."


@dataclass(frozen=True)
class RemoteFile:
    """A file at a hub. Its hash: SHA-256 of the content, or git's of a small file."""

    name: str  # in the repository
    target: str  # in the model's folder
    size: int
    sha256: str = ""
    blob: str = ""


@dataclass(frozen=True)
class Offer:
    """What a hub has of a model at a commit."""

    model: models.Model
    source: str
    commit: str
    licence: str
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(file.size for file in self.files)


def look_up(model: models.Model, source: str = "", revision: str = "main", endpoint: str = "") -> Offer:
    """Ask a hub what it has of a model. Raises BadInput, UnfitEnvironment."""
    source = source or model.source
    if not SOURCE.fullmatch(source):
        what = f"{source[:80]!r} is no source" if source else f"{model.title} has no public source"
        raise BadInput(f"{what}: {model.note or 'a source is OWNER/NAME'}.", "Name one: --from OWNER/NAME.")
    hub = _hub()
    with _explained(source, endpoint):
        api = hub.HfApi(endpoint=endpoint or None, token=_token(endpoint))
        info = api.model_info(source, revision=revision, files_metadata=True)
    files = _chosen(model, info.siblings or [])
    if not any(file.name.endswith(".safetensors") for file in files):
        raise BadInput(
            f"{source} holds no safetensors file that {model.title} needs.",
            "Other formats can run foreign code; name another source: --from OWNER/NAME.",
        )
    card = info.card_data.to_dict() if info.card_data else {}
    tags = [tag.removeprefix("license:") for tag in info.tags or () if tag.startswith("license:")]
    licence = str(card.get("license_name") or card.get("license") or (tags[0] if tags else "named nowhere on its page"))
    return Offer(model, source, str(info.sha), licence, tuple(files))


def fetch(
    offer: Offer, folder: Path, report: Callable[[int, int, float], None] = lambda *_: None, endpoint: str = ""
) -> models.Installed:
    """Fetch what a hub offers into the folder of models, and return it.

    `report` hears how many bytes are there, of how many, and the seconds left. Raises UnfitEnvironment for the network
    and the disk, BackendError for a file that is not what the hub has said, or while another process fetches it.
    """
    with store.changing(folder, offer.model.role, offer.model.name) as place:
        missing = [file for file in offer.files if not _is_there(place, file)]
        started = sum(_part(place, file).stat().st_size for file in missing if _part(place, file).exists())
        store.check_room(place, sum(file.size for file in missing) - started, offer.model.title)
        have = offer.size - sum(file.size for file in missing)
        progress = _Progress(have + started, offer.size, report)
        for file in missing:
            with _explained(offer.source, endpoint):
                _fetch_file(offer, file, place, endpoint, progress)
        for path in sorted(place.rglob("*"), reverse=True):  # what an older commit had
            if path.is_file() and path.relative_to(place).as_posix() not in {file.target for file in offer.files}:
                path.unlink()
        record = models.ModelRecord(
            name=offer.model.name, role=offer.model.role, title=offer.model.title, source=offer.source,
            commit=offer.commit, licence=offer.licence,
            files={file.target: sha256_of(place / file.target) for file in offer.files},
            sizes={file.target: file.size for file in offer.files},
        )  # fmt: skip
        return store.take_place(place, folder, record)


class _Progress:
    """Bytes that came, and how long the rest will take at the speed of this call."""

    def __init__(self, there: int, total: int, report: Callable[[int, int, float], None]) -> None:
        self.there, self.total, self._report = there, total, report
        self._first, self._started, self._shown = there, time.monotonic(), 0.0
        report(there, total, float("inf"))

    def add(self, count: int) -> None:
        """Count bytes, fewer than none where a server began a file anew."""
        self.there += count
        now = time.monotonic()
        if now - self._shown >= SHOWN_SECONDS or self.there >= self.total:
            self._shown, speed = now, (self.there - self._first) / max(now - self._started, 1e-3)
            self._report(self.there, self.total, (self.total - self.there) / speed if speed > 0 else float("inf"))


def _fetch_file(offer: Offer, file: RemoteFile, place: Path, endpoint: str, progress: _Progress) -> None:
    """Fetch a file or the rest of it, compare it, and give it its name."""
    hub, part = _hub(), _part(place, file)
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    part.parent.mkdir(parents=True, exist_ok=True)
    url = hub.hf_hub_url(offer.source, file.name, revision=offer.commit, endpoint=endpoint or None)
    token = _token(endpoint)
    seen = hub.get_hf_file_metadata(url, token=token, endpoint=endpoint or None)
    same_host = urlsplit(seen.location).netloc == urlsplit(url).netloc
    headers = build_hf_headers(token=token if same_host else False)  # a signed address elsewhere gets no token
    if part.exists() and part.stat().st_size > file.size:
        progress.add(-part.stat().st_size)
        part.unlink()
    with part.open("ab") as opened:
        http_get(
            seen.location, opened, resume_size=opened.tell(), headers=headers, expected_size=file.size,
            displayed_filename=file.name, tqdm_class=_listener(progress.add),
        )  # fmt: skip
    if not _is_whole(part, file):
        size = part.stat().st_size
        part.unlink()
        raise BackendError(
            f"{file.name} ({models.gigabytes(size)}) is not the file that {offer.source} has: its hash differs.",
            "It was thrown away. Fetch again; if that says the same, the mirror or a proxy changes files.",
        )
    os.replace(part, place / file.target)


def _chosen(model: models.Model, siblings: list[Any]) -> list[RemoteFile]:
    """Return the files of a repository that a model needs: of full and half precision, the half."""
    start = f"{model.below}/" if model.below else ""
    found: dict[str, RemoteFile] = {}
    for each in siblings:
        name = str(each.rfilename)
        target = name.removeprefix(start)
        parts = PurePosixPath(target).parts
        if not name.startswith(start) or not target.endswith(TAKEN) or ".." in parts or "\\" in target or ":" in target:
            continue
        wanted = any(fnmatch.fnmatchcase(target, pattern) and len(parts) == pattern.count("/") + 1
                     for pattern in model.files)  # fmt: skip
        if wanted and "non_ema" not in target and not PurePosixPath(target).is_absolute():
            sha256 = str(each.lfs.sha256) if each.lfs else ""
            found[target] = RemoteFile(name, target, int(each.size or 0), sha256, str(each.blob_id or ""))
    halves = {name.removesuffix(HALF) for name in found if name.endswith(HALF)}
    return [file for name, file in sorted(found.items())
            if name.endswith(HALF) or name.removesuffix(".safetensors") not in halves]  # fmt: skip


def _part(place: Path, file: RemoteFile) -> Path:
    """Return where a file grows; another content of the same name grows elsewhere."""
    return place / f"{file.target}.{(file.sha256 or file.blob)[:12]}.part"


def _is_there(place: Path, file: RemoteFile) -> bool:
    path = place / file.target
    return path.is_file() and path.stat().st_size == file.size and _is_whole(path, file)


def _is_whole(path: Path, file: RemoteFile) -> bool:
    """Compare a file with the hub's hash: git's own where it has no other."""
    if file.sha256:
        return sha256_of(path) == file.sha256
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as opened:
        while some := opened.read(HASHED_BYTES):
            digest.update(some)
    return digest.hexdigest() == file.blob


def _hub() -> Any:
    """Return the library, told to count nobody and to report small pieces."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import huggingface_hub
    from huggingface_hub import constants
    from huggingface_hub.utils import logging

    constants.DOWNLOAD_CHUNK_SIZE = 1 << 16  # its 10 MB are minutes of silence on a slow line, and lost when it is cut
    logging.set_verbosity_error()  # what goes wrong is said once, by us
    return huggingface_hub


def _token(endpoint: str) -> str | bool | None:
    """Return what is sent: HF_TOKEN; else for its own hub the saved login, for another endpoint nothing."""
    own = os.environ.get("HF_TOKEN")
    foreign = endpoint or os.environ.get("HF_ENDPOINT")
    return own or (False if foreign else None)


def _listener(heard: Callable[[int], None]) -> Any:
    """Return a class that stands where a bar of progress is expected."""
    from tqdm import tqdm

    class Listener(tqdm):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **(options | {"disable": True}))

        def update(self, n: float | None = 1) -> None:
            heard(int(n or 0))

    return Listener


@contextlib.contextmanager
def _explained(source: str, endpoint: str) -> Iterator[None]:
    """Turn what the library raises into a sentence and what to do."""
    import httpx2
    from huggingface_hub import errors

    hub = urlsplit(endpoint or os.environ.get("HF_ENDPOINT") or "https://huggingface.co").netloc
    name_token = (
        "Put a token of yours into HF_TOKEN, or into Token in the preferences, and accept the terms on its page."
    )
    try:
        yield
    except errors.GatedRepoError as error:
        raise UnfitEnvironment(f"{source} is given to those only who accept its terms at {hub}.", name_token) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.RemoteEntryNotFoundError) as error:
        code = error.response.status_code
        hint = name_token if code in (401, 403) else "Check the name; another source: --from OWNER/NAME."
        raise UnfitEnvironment(f"{hub} has no {source} for us (it answers {code}).", hint) from error
    except errors.OfflineModeIsEnabled as error:
        raise UnfitEnvironment(
            "HF_HUB_OFFLINE keeps the hub from being asked.", "Take it out of the environment."
        ) from error
    except errors.HfHubHTTPError as error:
        code = error.response.status_code
        hint = name_token if code in (401, 403) else f"Try again later. {AGAIN}"
        raise UnfitEnvironment(f"{hub} answers {code} for {source}.", hint) from error
    except (httpx2.HTTPError, ConnectionError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnfitEnvironment(
            f"{hub} could not be reached, or fell silent: {said}.", f"Check network, proxy and certificates. {AGAIN}"
        ) from error
    except OSError as error:
        if "Consistency check failed" in str(error):
            raise UnfitEnvironment(f"{hub} sent another number of bytes than it had said.", AGAIN) from error
        raise
