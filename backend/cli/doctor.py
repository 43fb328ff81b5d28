"""Say what this machine has and what is missing: at once without torch, or `--deep`, which tries every engine.

For programs `--json` says the same: {"findings": [{"name", "is_ok", "text"}], "gpus": [name]}.
Exit code 0 if jobs can run, 3 if something that every job needs is missing or broken.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import math
import platform
import shutil
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from addon.protocol import models
from backend.cli import gpus
from backend.errors import disturbing_variables
from backend.models import store
from backend.runtime import devices
from backend.runtime.machine import GIB, NEEDED_MEMORY, ROOT, available_threads, maquette_version, memory_bytes

NEEDED = (
    "torch diffusers transformers peft safetensors numpy scipy numba "
    "pillow scikit-image trimesh xatlas fast-simplification"
)
OPTIONAL = "gsplat nerfacc tinycudann"
WEIGHTS = ROOT / "backend" / "embedded" / "weights"
UNTRIED = "what Maquette does with it never ran on a GPU before its release"
WEIGHED = ("unet", "vae", "text_encoder")  # the parts of the prior that have weights


class Finding(NamedTuple):
    """One line of the answer. `is_ok` None: not needed by every job, and not there."""

    name: str
    is_ok: bool | None
    text: str


def report(*, deep: bool, as_json: bool = False) -> tuple[str, int]:
    """Return the findings as lines of text, or of JSON, and the exit code."""
    findings = [*machine(), *environment(), *packages(), prior(), own_models(), *(engines() if deep else [])]
    marks = {True: "ok", False: "MISSING", None: "-"}
    lines = [f"{finding.name:22} {marks[finding.is_ok]:8} {finding.text}".rstrip() for finding in findings]
    is_ok = all(finding.is_ok is not False for finding in findings)
    if as_json:
        content = {"findings": [finding._asdict() for finding in findings], "gpus": gpus.all_gpus()}
        return json.dumps(content), 0 if is_ok else 3
    lines.append("Jobs can run." if is_ok else "Jobs cannot run: install what is missing with `python build.py setup`.")
    return "\n".join(lines), 0 if is_ok else 3


def machine() -> list[Finding]:
    """Return versions, cores, memory, disk and the GPU as its driver sees it."""
    version = sys.version_info
    memory, free = memory_bytes(), shutil.disk_usage(ROOT).free
    return [
        Finding("maquette", True, maquette_version()),
        Finding("python", version >= (3, 11), f"{platform.python_version()} on {platform.platform()}"),
        Finding("cores", True, str(available_threads())),
        Finding("memory", memory == 0 or memory >= NEEDED_MEMORY, f"{memory / GIB:.1f} GiB" if memory else "unknown"),
        Finding("free disk", free >= GIB // 2, f"{free / GIB:.1f} GiB"),
        *gpu(),
    ]


def environment() -> list[Finding]:
    """Return the variables that may keep packages from being imported; the add-on starts the backend without them."""
    text = "may keep packages from being imported: it is"
    return [Finding(name, None, f"{text} {value[:80]!r}") for name, value in disturbing_variables().items()]


def packages() -> list[Finding]:
    """Return the installed versions of the packages, from their metadata alone."""
    findings = []
    for name in (NEEDED + " " + OPTIONAL).split():
        try:
            findings.append(Finding(name, True, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            is_needed = name in NEEDED.split()
            findings.append(Finding(name, False if is_needed else None, "" if is_needed else "only used with a GPU"))
    return findings


def gpu() -> list[Finding]:
    """Return the first GPU and whatever keeps torch from using it."""
    first = gpus.first_gpu()
    if isinstance(first, str):
        return [Finding("gpu", None, gpus.other_gpu() or first)]
    driver = f"CUDA {first.cuda[0]}.{first.cuda[1]}"
    found = [Finding("gpu", True, f"{first.name}, {first.memory / GIB:.0f} GiB, {driver}, {first.count} in all")]
    return found + [Finding(name, None, text) for name, text in gpus.hindrances(first, gpus.cuda_of_torch()).items()]


def prior(folder: Path = WEIGHTS) -> Finding:
    """Look whether the weights of the embedded prior are there and not cut off, without reading them."""
    files = {name: list((folder / name).glob("*.safetensors")) for name in WEIGHED}
    lacking = [name for name, found in files.items() if not found]
    broken = [str(path.relative_to(folder)) for found in files.values() for path in found if not _is_whole(path)]
    if lacking or broken:
        return Finding("embedded prior", False, f"no weights of {lacking[0]}" if lacking else f"{broken[0]} is cut off")
    size = sum(path.stat().st_size for found in files.values() for path in found)
    return Finding("embedded prior", True, f"{size / 2**20:.1f} MiB")


def own_models() -> Finding:
    """Name the models that were fetched or imported; what is wrong with a record is said."""
    folder = store.models_folder()
    found = models.list_installed(folder)
    if not found:
        return Finding("models", None, f"only the embedded prior; none is in {folder}")
    size = models.gigabytes(sum(each.size for each in found))
    names = ", ".join(each.problem or each.name for each in found)
    return Finding("models", None if any(each.problem for each in found) else True, f"{names}: {size} in {folder}")


def _is_whole(path: Path) -> bool:
    """Compare the size of a safetensors file with what its header says."""
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8:
            return False
        (length,) = struct.unpack("<Q", start)
        try:
            header = json.loads(file.read(min(length, 1 << 24)))
        except ValueError:
            return False
    ends = [item["data_offsets"][1] for name, item in header.items() if name != "__metadata__"]
    return path.stat().st_size == 8 + length + max(ends, default=0)


def engines() -> list[Finding]:
    """Import every package and run one operation on each; a minute where kernels must be compiled first."""
    tries: list[tuple[str, Callable[[], str]]] = [
        ("torch on the CPU", _torch_cpu),
        ("torch on the GPU", _torch_on_gpu),
        ("numba", _numba),
        ("diffusers", _diffusers),
        ("marching cubes", _marching_cubes),
        ("decimation", _decimation),
        ("unwrapping", _unwrapping),
        ("radiance field", _radiance_field),
        ("speed", _speed),
        ("gsplat", _gsplat),
        ("nerfacc", _nerfacc),
        ("tinycudann", _tinycudann),
    ]
    return [_attempt(name, run) for name, run in tries]


class _NotHere(Exception):
    """The engine is not for this machine."""


def _attempt(name: str, run: Callable[[], str]) -> Finding:
    started = time.monotonic()
    try:
        text = run()
    except _NotHere as reason:
        return Finding(name, None, str(reason))
    except Exception as error:  # noqa: BLE001 - any failure of a foreign library is what is being asked for
        return Finding(name, False, f"{type(error).__name__}: {error}")
    return Finding(name, True, f"{text} ({time.monotonic() - started:.1f} s)")


def _torch_cpu() -> str:
    torch = _load("torch")
    ones = torch.ones(64, 64)
    _check((ones @ ones).sum().item(), 64.0**3)
    return f"{torch.get_num_threads()} threads"


def _torch_on_gpu() -> str:
    torch, seen, device = _load("torch"), devices.seen(), _device()
    if device == devices.PROCESSOR:
        if seen.metal:
            raise _NotHere(f"Apple's GPU is used with {devices.VARIABLE}=mps alone; {devices.UNTRIED}")
        raise _NotHere(f"{devices.VARIABLE} leaves the GPU alone" if seen.card else "torch sees no GPU")
    ones = torch.ones(64, 64, device=device)
    _check((ones @ ones).sum().item(), 64.0**3)
    return devices.name_of(device) + (f"; {devices.UNTRIED}" if seen.is_amd or device == devices.METAL else "")


def _numba() -> str:
    numba = _load("numba")
    _check(numba.njit(lambda x: x + 1)(1), 2)
    return f"{numba.config.NUMBA_NUM_THREADS} threads"


def _diffusers() -> str:
    diffusers = _load("diffusers")
    _load("transformers")
    _load("peft")
    _check(len(diffusers.DDIMScheduler().alphas_cumprod), 1000)
    return diffusers.__version__


def _ball() -> tuple[Any, Any]:
    numpy, measure = _load("numpy"), _load("skimage.measure")
    axis = numpy.linspace(-1.0, 1.0, 24)
    x, y, z = numpy.meshgrid(axis, axis, axis, indexing="ij")
    vertices, faces, _, _ = measure.marching_cubes(0.7 - numpy.sqrt(x * x + y * y + z * z), 0.0)
    return vertices.astype(numpy.float32), faces.astype(numpy.uint32)


def _marching_cubes() -> str:
    vertices, faces = _ball()
    mesh = _load("trimesh").Trimesh(vertices, faces, process=False)
    _check(mesh.is_watertight, True)
    return f"{len(faces)} faces"


def _decimation() -> str:
    _, faces = _load("fast_simplification").simplify(*_ball(), target_count=300)
    _check(0 < len(faces) <= 300, True)
    return f"{len(faces)} faces"


def _unwrapping() -> str:
    vertices, faces = _load("fast_simplification").simplify(*_ball(), target_count=200)
    _, _, uv = _load("xatlas").parametrize(vertices, faces)
    _check(bool((uv >= 0).all() and (uv <= 1).all()), True)
    return f"{len(uv)} corners"


def _gsplat() -> str:
    torch = _load("torch")
    if not torch.cuda.is_available():
        raise _NotHere("only used with a GPU")
    if reason := _load("backend.rendering.splats").why_no_gsplat():
        raise _NotHere(f"splats are drawn on the processor: {reason}")
    one = torch.ones(1, device="cuda")
    eye = torch.eye(4, device="cuda")
    camera = torch.tensor([[8.0, 0.0, 8.0], [0.0, 8.0, 8.0], [0.0, 0.0, 1.0]], device="cuda")
    rgb, alpha, _ = _load("gsplat").rasterization(
        one * torch.tensor([[0.0, 0.0, 2.0]], device="cuda"),
        torch.tensor([[1.0, 0.0, 0.0, 0.0]], device="cuda"),
        one.expand(1, 3),
        one * 0.9,
        one.expand(1, 3),
        eye[None],
        camera[None],
        16,
        16,
    )
    _check(bool(alpha.max() > 0.5), True)
    return f"{tuple(rgb.shape[1:3])} pixels"


def _radiance_field() -> str:
    """Draw a box full of fog, in compiled code: through the middle its opacity is 1 - exp(-density * 2)."""
    torch, radiance = _load("torch"), _load("backend.representations.radiance")
    values = radiance.raw_of(torch.full((5, 5, 5, 4), 1.5))
    field = _load("backend.representations.radiance_grid").RadianceGrid(values, torch.zeros(3))
    camera = _load("backend.cameras").orbit([0.0], 0.0, fov_degrees=2.0, size=3)
    drawn = _load("backend.rendering.volume").volume_renderer(field)(camera, torch.ones(3))
    _check(round(drawn.alpha[0, 1, 1, 0].item(), 4), round(1 - math.exp(-3), 4))
    return "compiled for the CPU"


def _speed() -> str:
    """Measure what tells how long jobs take, and keep it for the panel."""
    forecasts = _load("backend.systems.preflight")
    speed = forecasts.keep_speed(_load("backend.diffusion.denoiser").kept_prior("embedded", _device()), WEIGHTS)
    return f"{speed.small:.0f} gigaoperations a second with the embedded prior, {speed.threads} threads"


def _device() -> str:
    return devices.compute_device()


def _nerfacc() -> str:
    torch = _load("torch")
    if not torch.cuda.is_available():
        raise _NotHere(f"only used with a GPU; {UNTRIED}")
    occupancy = _load("backend.representations.occupancy").OccupancyGrid(8, step=0.1, device="cuda")
    fast = _load("backend.rendering.volume_nerfacc").Nerfacc(_load("nerfacc"))
    one = torch.ones(1, device="cuda")
    origin, direction = (one * torch.tensor([[0.0, y, 0.0]], device="cuda") for y in (-3.0, 1.0))
    samples = fast.samples(origin, direction, 2 * one, 4 * one, 0.1, occupancy)
    weights = fast.weights(*samples, torch.full_like(samples[1], 1.5), 1)
    _check(abs(weights.sum().item() - (1 - math.exp(-3))) < 1e-2, True)
    return f"{len(weights)} samples of a ray; {UNTRIED}"


def _tinycudann() -> str:
    torch = _load("torch")
    if not torch.cuda.is_available():
        raise _NotHere(f"only used with a GPU; {UNTRIED}")
    hash_grid = _load("backend.representations.hash_grid")
    grid = hash_grid.HashGrid(levels=4)
    encoder = hash_grid.tinycudann_encoder(grid)
    if encoder is None:
        raise _NotHere("not installed: the hash grid runs in torch, several times slower")
    table = torch.rand(grid.size, device="cuda")
    points = torch.rand(64, 3, device="cuda")
    _check(torch.allclose(encoder(table, points), hash_grid.encode(grid, table, points), atol=5e-3), True)
    return f"agrees with the hash grid in torch; {UNTRIED}"


def _load(name: str) -> Any:
    """Import by name: this file belongs to no engine and must not need any of them to be read."""
    return importlib.import_module(name)


def _check(value: object, expected: object) -> None:
    if value != expected:
        raise ValueError(f"the result is {value}, expected {expected}")
