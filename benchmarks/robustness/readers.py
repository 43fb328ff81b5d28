"""What reads files of strangers, each with a whole file to damage, and what it may say of a damaged one."""

from __future__ import annotations

import io
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from addon import protocol
from addon.jobs import png, store
from addon.scene.result_files import ImportFailed, check_mesh_file, read_metadata
from backend.errors import BackendError
from benchmarks.robustness.damage import damaged

REFUSALS: tuple[type[Exception], ...] = (protocol.ProtocolError, BackendError, ImportFailed)


@dataclass(frozen=True)
class Reader:
    """One reader: the name that the file has in a job folder, what a whole one holds, and how that is read."""

    name: str
    file: str
    whole: bytes
    read: Callable[[Path, Path], object]  # of the job folder and the file; raises REFUSALS


@dataclass
class Found:
    """What became of the inputs of one reader."""

    outcomes: Counter[str] = field(default_factory=Counter)  # read, refused, uncaught
    slowest: float = 0.0  # seconds of the processor: what a busy machine adds is not the reader's
    faults: list[str] = field(default_factory=list)  # the number of the input, and what was not caught


def readers(scratch: Path) -> list[Reader]:
    """Return every reader; `scratch` is a folder for making the whole files."""
    request = protocol.Request(
        system="tv3dg", prompt="a red mug", images=(protocol.InputImage(path="inputs/00.png", name="mug.png"),),
        settings={"steps": 40, "loss": "csm"}, seed=7,
    )  # fmt: skip
    events: list[protocol.Event] = [
        protocol.Hello(job="a", backend="0.1.0", pid=1),
        protocol.Stage(number=1, name="perceive", stages=3),
        protocol.Progress(step=3, steps=40, seconds_left=9.5, steps_per_second=4.0, memory_bytes=1 << 30),
        protocol.Warning(message="The prior does not know 'gargoyle'."),
        protocol.Finished(results=("result/model.glb",), seconds=80.5),
    ]
    lines = "".join(map(protocol.encode, events)).encode()
    metadata = b'{"seed": 7, "request": {"prompt": "a red mug"}, "versions": {"maquette": "0.1.0"}, "warnings": []}'
    return [
        Reader("request", protocol.REQUEST_FILE, protocol.encode_request(request).encode(), _request),
        Reader("event", "line", protocol.encode(events[2]).encode(), lambda job, path: _line(path)),
        Reader("events", protocol.EVENTS_FILE, lines, lambda job, path: (store.read_events(job), store.state(job))),
        Reader("metadata", protocol.RESULT_FILE, metadata, lambda job, path: read_metadata(job)),
        Reader("thumbnail", protocol.PREVIEW_FILE, _plain_png(), lambda job, path: png.read_plain_png(path)),
        *_pictures(),
        Reader("points", protocol.POINTS_FILE, _points(scratch), lambda job, path: _read_points(path)),
        Reader("mesh", protocol.MESH_FILE, _mesh(scratch), lambda job, path: check_mesh_file(path)),
        Reader("checkpoint", "stages/1-a/checkpoint-0.safetensors", _checkpoint(scratch), _read_checkpoint),
    ]


def try_out(reader: Reader, folder: Path, inputs: int, seed: int = 0) -> Found:
    """Let a reader read so many damaged files, one after the other in the same place of a job folder."""
    found = Found()
    path = folder / reader.file
    path.parent.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(contents(reader, inputs, seed)):
        path.write_bytes(content)
        begin = time.process_time()
        try:
            reader.read(folder, path)
            found.outcomes["read"] += 1
        except REFUSALS:
            found.outcomes["refused"] += 1
        except Exception as error:  # noqa: BLE001 - that there is none is what is measured
            found.outcomes["uncaught"] += 1
            found.faults.append(f"{number}: {type(error).__name__}: {str(error)[:200]}")
        found.slowest = max(found.slowest, time.process_time() - begin)
    return found


def contents(reader: Reader, inputs: int, seed: int = 0) -> Iterator[bytes]:
    """Yield the whole file, then damaged ones; each depends on the seed and its number only."""
    yield reader.whole
    for number in range(1, inputs):
        yield damaged(reader.whole, random.Random(f"{seed} {reader.name} {number}"))


# ---- how they are read -----------------------------------------------------------------------------------------------


def _request(job: Path, path: Path) -> object:
    return protocol.read_request(job), store.state(job)


def _line(path: Path) -> object:
    return protocol.decode(path.read_bytes())


def _picture(job: Path, path: Path) -> object:
    from backend.images import load_image, subject_mask

    return subject_mask(*load_image(path))


def _read_points(path: Path) -> object:
    from backend.export import read_points_ply
    from backend.representations.gaussians import check_start

    return check_start(read_points_ply(path), 10_000)


def _read_checkpoint(job: Path, path: Path) -> object:
    from backend.runtime.checkpoint import load_checkpoint

    return load_checkpoint(path, job)


# ---- whole files -----------------------------------------------------------------------------------------------------


def _plain_png() -> bytes:
    import torch

    from backend.images import plain_png

    return plain_png(torch.linspace(0, 1, 24 * 32 * 3).reshape(24, 32, 3))


def _pictures() -> list[Reader]:
    """Return readers of pictures of every kind, a disc on white, with the notes that cameras leave."""
    from PIL import Image

    picture = Image.new("RGB", (48, 40), "white")
    picture.paste("red", (12, 8, 36, 32))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    kinds: dict[str, dict[str, Any]] = {
        "png": {"exif": exif}, "jpeg": {"exif": exif}, "webp": {"exif": exif}, "tiff": {"compression": "tiff_lzw"},
        "bmp": {}, "gif": {},
    }  # fmt: skip
    made = []
    for kind, options in kinds.items():
        buffer = io.BytesIO()
        picture.save(buffer, kind.upper(), **options)
        made.append(Reader(kind, f"{protocol.INPUT_FOLDER}/00.{kind}", buffer.getvalue(), _picture))
    return made


def _points(scratch: Path) -> bytes:
    import torch

    from backend.export import write_points_ply
    from backend.representations.gaussians import ball_of_gaussians

    write_points_ply(scratch / "points.ply", ball_of_gaussians(40, 0.5, torch.Generator().manual_seed(0)))
    return (scratch / "points.ply").read_bytes()


def _mesh(scratch: Path) -> bytes:
    import torch

    from backend.export import write_glb
    from backend.meshes.mesh import Mesh

    corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    faces = torch.tensor([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    write_glb(scratch / "model.glb", Mesh(corners, faces, corners[:, :2], torch.full((8, 8, 3), 0.5)))
    return (scratch / "model.glb").read_bytes()


def _checkpoint(scratch: Path) -> bytes:
    import torch

    from backend.runtime.checkpoint import save_checkpoint

    content = {"step": 3, "state": {"moments": [torch.arange(12.0), torch.ones(2, 3)]}, "is_done": False, "note": "a"}
    save_checkpoint(scratch / "checkpoint.safetensors", content)
    return (scratch / "checkpoint.safetensors").read_bytes()
