"""The real client of hubs against a hub on this machine: cut off, lied to, refused, dripped on, out of room, twice."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from addon.protocol import models
from backend.errors import BackendError, BadInput, UnfitEnvironment
from backend.models import store
from backend.models.checking import check, problems
from backend.models.fetching import fetch, look_up
from backend.runtime.machine import ROOT
from tests.backend.models.hub_server import Hub, serving

SOURCE = "depth-anything/Depth-Anything-V2-Small-hf"
WEIGHTS = b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(20_000))  # 640 kB
FILES = {
    "config.json": b'{"model_type": "depth_anything"}', "preprocessor_config.json": b"{}", "model.safetensors": WEIGHTS,
    "pytorch_model.bin": b"pickle" * 500, "remote_code.py": b"import os", "README.md": b"# Depth",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token, mirror or proxy of whoever runs the tests; the client tries again at once."""
    for name in ("HF_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 1)


def offered(hub: Hub, name: str = "depth", **options: Any) -> Any:
    return look_up(models.known_model(name), endpoint=hub.url, **options)


def test_a_model_comes_whole_with_its_commit_licence_and_hashes(tmp_path: Path) -> None:
    heard: list[tuple[int, int, float]] = []
    with serving({SOURCE: FILES}) as hub:
        offer = offered(hub)
        assert offer.size == sum(map(len, (FILES["config.json"], FILES["preprocessor_config.json"], WEIGHTS)))
        assert offer.licence == "test-licence"
        made = fetch(offer, tmp_path, lambda *told: heard.append(told), hub.url)
    assert made.folder == tmp_path / "companions" / "depth"
    assert made.record is not None and made.record.commit == "1" * 40 and made.record.source == SOURCE
    assert made.record.files["model.safetensors"] == hashlib.sha256(WEIGHTS).hexdigest()
    assert {path.name for path in made.folder.iterdir()} == {*made.record.files, models.MODEL_RECORD}  # and no code
    assert heard[0][0] == 0 and heard[-1][:2] == (offer.size, offer.size) and heard[-1][2] == 0
    assert problems(made) == [] and models.list_installed(tmp_path) == [made]
    assert not any((tmp_path / store.UNFINISHED).glob("*/*"))


def test_a_connection_that_is_cut_is_taken_up_where_it_was(tmp_path: Path) -> None:
    with serving({SOURCE: FILES}, cut_after=[200_000, 100_000]) as hub:
        made = fetch(offered(hub), tmp_path, endpoint=hub.url)
    starts = [int(ranged.removeprefix("bytes=").split("-")[0]) for _, ranged in hub.gets if ranged]
    assert len(hub.gets) == 3 and 0 < starts[0] <= 200_000 < starts[1] <= 300_000
    assert (made.folder / "model.safetensors").read_bytes() == WEIGHTS


def test_what_was_fetched_by_a_process_that_died_is_not_fetched_again(tmp_path: Path) -> None:
    with serving({SOURCE: FILES}, cut_after=[300_000] * 20) as hub:
        hub.ranges_are_ignored = False
        with pytest.raises(UnfitEnvironment, match="could not be reached, or fell silent"):
            hub.files[SOURCE] = FILES
            hub.cut_after[1:] = [0] * 19  # after the first piece nothing comes any more
            fetch(offered(hub), tmp_path, endpoint=hub.url)
        assert models.list_installed(tmp_path) == []
        (part,) = (tmp_path / store.UNFINISHED).rglob("*.part")
        there = part.stat().st_size
        assert there > 0
        hub.cut_after.clear()
        hub.asked.clear()
        made = fetch(offered(hub), tmp_path, endpoint=hub.url)
    assert hub.gets == [("model.safetensors", f"bytes={there}-")]
    assert problems(made) == []


def test_a_server_that_knows_no_ranges_begins_again(tmp_path: Path) -> None:
    with serving({SOURCE: FILES}, cut_after=[200_000], ranges_are_ignored=True) as hub:
        made = fetch(offered(hub), tmp_path, endpoint=hub.url)
    assert (made.folder / "model.safetensors").read_bytes() == WEIGHTS


def test_a_file_with_another_hash_is_thrown_away(tmp_path: Path) -> None:
    with serving({SOURCE: FILES}, lie=b"not these") as hub:
        with pytest.raises(BackendError, match="its hash differs") as caught:
            fetch(offered(hub), tmp_path, endpoint=hub.url)
        assert "mirror" in caught.value.hint
        assert not list(tmp_path.rglob("*.part")) and not list(tmp_path.rglob("model.safetensors"))
        hub.lie = b""
        assert problems(fetch(offered(hub), tmp_path, endpoint=hub.url)) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"status": 404}, "answers 404"),
        ({"status": 403}, "403"),
        ({"token": "secret"}, "accept its terms"),
    ],
)
def test_refusals_are_sentences_of_the_environment(options: dict[str, Any], words: str) -> None:
    with serving({SOURCE: FILES}, **options) as hub, pytest.raises(UnfitEnvironment, match=words) as caught:
        offered(hub)
    assert caught.value.exit_code == 3 and caught.value.hint


def test_a_token_opens_what_is_closed_and_no_other_host_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    with serving({SOURCE: FILES}) as elsewhere, serving({SOURCE: FILES}, token="secret") as hub:
        hub.elsewhere = elsewhere.url.replace("127.0.0.1", "localhost")
        made = fetch(offered(hub), tmp_path, endpoint=hub.url)
    assert problems(made) == [] and elsewhere.gets == [("model.safetensors", "")]
    assert {given for *_, given in hub.asked} == {"Bearer secret"}
    assert {given for *_, given in elsewhere.asked} == {""}


def test_another_endpoint_never_gets_the_saved_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.utils._headers.get_token", lambda: "saved")
    with serving({SOURCE: FILES}) as hub:
        offered(hub)
    assert {given for *_, given in hub.asked} == {""}


def test_nothing_at_an_address_is_said() -> None:
    with pytest.raises(UnfitEnvironment, match="127.0.0.1:9 could not be reached"):
        look_up(models.known_model("depth"), endpoint="http://127.0.0.1:9")


def test_a_source_without_safetensors_is_refused() -> None:
    with serving({SOURCE: {"config.json": b"{}", "pytorch_model.bin": b"pickle"}}) as hub:
        with pytest.raises(BadInput, match="holds no safetensors file"):
            offered(hub)


def test_a_model_without_a_source_wants_one_by_name() -> None:
    with pytest.raises(BadInput, match="withdrawn") as caught:
        look_up(models.known_model("sd2"))
    assert "--from OWNER/NAME" in caught.value.hint
    files = {"model_index.json": b"{}", "unet/config.json": b"{}", "unet/a.safetensors": WEIGHTS}
    with serving({"someone/mirror": files}) as hub:
        assert [file.name for file in offered(hub, "sd2", source="someone/mirror").files] == sorted(files)


def test_of_two_precisions_the_half_is_taken_and_no_name_leads_out(tmp_path: Path) -> None:
    files = {
        "model_index.json": b"{}", "unet/m.safetensors": WEIGHTS, "unet/m.fp16.safetensors": WEIGHTS[:5000],
        "unet/m.non_ema.safetensors": WEIGHTS, "unet/deep/x.json": b"{}", "vae/../../escape.json": b"{}",
        "safety_checker/m.safetensors": WEIGHTS, "v1-5-pruned.safetensors": WEIGHTS,
    }  # fmt: skip
    with serving({"stable-diffusion-v1-5/stable-diffusion-v1-5": files}) as hub:
        names = [file.name for file in offered(hub, "sd15").files]
    assert names == ["model_index.json", "unet/m.fp16.safetensors"]


def test_a_slow_line_is_shown_and_its_silence_ends(tmp_path: Path) -> None:
    heard: list[float] = []
    with serving({SOURCE: FILES}, drip_seconds=0.002) as hub:
        made = fetch(offered(hub), tmp_path, lambda done, total, left: heard.append(left), hub.url)
        assert problems(made) == [] and len(heard) >= 3
        assert heard[-1] == 0 and 0 < heard[-2] < float("inf")
        hub.files[SOURCE] = FILES | {"model.safetensors": WEIGHTS[:5000]}
        hub.drip_seconds = 8.0  # longer than the client waits
        with pytest.raises(UnfitEnvironment, match="fell silent"):
            store.remove(tmp_path, "depth")
            fetch(offered(hub), tmp_path, endpoint=hub.url)


def test_too_little_room_is_said_before_anything_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 100_000_000})())
    with serving({SOURCE: FILES}) as hub:
        offer = offered(hub)
        with pytest.raises(UnfitEnvironment, match="Small needs 640 kB, and 100 MB are free"):
            fetch(offer, tmp_path, endpoint=hub.url)
        assert hub.gets == []


FETCH = """
    import resource, sys
    from pathlib import Path
    from addon.protocol import models
    from backend.errors import BackendError, explain
    from backend.models.fetching import fetch, look_up
    limit, seconds = int(sys.argv[3]), 0
    if limit:
        import signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        fetch(look_up(models.known_model("depth"), endpoint=sys.argv[1]), Path(sys.argv[2]), endpoint=sys.argv[1])
    except Exception as error:
        print(explain(error).message)
"""


def start(hub: Hub, folder: Path, limit: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(FETCH), hub.url, str(folder), str(limit)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ | {"NO_PROXY": "*"})


@pytest.mark.skipif(sys.platform == "win32", reason="the size of files is limited by rlimit, which Windows lacks")
def test_a_disk_that_fills_up_is_said_and_fetching_goes_on_later(tmp_path: Path) -> None:
    with serving({SOURCE: FILES}) as hub:
        child = start(hub, tmp_path, limit=400_000)
        assert "The disk is full" in child.communicate(timeout=60)[0]
        hub.asked.clear()
        made = fetch(offered(hub), tmp_path, endpoint=hub.url)
    ((_, ranged),) = hub.gets
    assert ranged and problems(made) == []


def test_two_processes_do_not_fetch_the_same_model(tmp_path: Path) -> None:
    with serving({SOURCE: FILES}, drip_seconds=0.02) as hub:
        child = start(hub, tmp_path)
        end = time.monotonic() + 60
        while not list((tmp_path / store.UNFINISHED).rglob("*.part")) and time.monotonic() < end:
            time.sleep(0.05)
        with pytest.raises(BackendError, match="Another process is fetching or importing depth"):
            fetch(offered(hub), tmp_path, endpoint=hub.url)
        hub.drip_seconds = 0
        assert child.communicate(timeout=60)[0] == ""
    assert len(hub.gets) == 1 and problems(models.find_installed(tmp_path, "depth")) == []


def test_a_changed_file_is_found_before_it_is_loaded(tmp_path: Path) -> None:
    from backend.errors import MissingModel

    with serving({SOURCE: FILES}) as hub:
        made = fetch(offered(hub), tmp_path, endpoint=hub.url)
    check(made)
    file = made.folder / "model.safetensors"
    file.write_bytes(WEIGHTS[:-1] + b"x")
    with pytest.raises(MissingModel, match="model.safetensors has changed since"):
        check(made)
    file.write_bytes(WEIGHTS[:-1])
    assert problems(made) == [f"model.safetensors has {len(WEIGHTS) - 1} bytes, and had {len(WEIGHTS)}"]
    file.unlink()
    (made.folder / "adapter.safetensors").write_bytes(b"")
    assert problems(made) == ["model.safetensors is missing", "adapter.safetensors is not in the record"]
