"""One job folder while it is being run: stages that are made once, steps that can be interrupted, previews, warnings.

Running the same folder again returns finished stages from disk and continues the running one from its checkpoint, with
the same random numbers, so that the results are the same to the byte (same machine, versions and number of threads).
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from addon.protocol import (
    INPUT_FOLDER,
    PREVIEW_FILE,
    Event,
    InputImage,
    Preview,
    Progress,
    Request,
    Setting,
    Stage,
    plain,
)
from addon.protocol import Warning as WarningEvent
from backend.checkpoint import load_checkpoint, load_values, save_checkpoint, save_values, sha256, write_whole
from backend.errors import BadInput, JobCancelled, JobInterrupted, JobLeft, JobStopped
from backend.images import save_preview
from backend.machine import peak_memory_bytes, replace_file
from backend.supervision import Control

RECORD_FILE = "stage.json"
RANDOMNESS_FILE = "randomness.safetensors"
INPUT_BYTES = 256 << 20  # of one file; the add-on copies none that is larger
PROGRESS_SECONDS = 0.5
PREVIEW_SECONDS = 1.0
# Fields of the request without influence on what a stage makes; the one that writes `outputs` says so (`depends_on`).
NEUTRAL = ("stop_after", "outputs", "threads")


class Stateful(Protocol):
    """What `steps` keeps and restores: everything that the steps change, the generator of the job apart."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any], /) -> Any: ...


class Job:
    """Run one job folder. `settings` are the request's, less `checkpoint_seconds` (30) and `checkpoint_steps` (0: off).

    `generator` (CPU) is the randomness of the job, seeded from the request. torch's own is kept in the same way.
    Raises BadInput where these two settings are no numbers from 0, and for an input that is too large.
    """

    def __init__(self, folder: Path, request: Request, emit: Callable[[Event], None], control: Control) -> None:
        self.folder = folder
        self.request = request
        self.settings: dict[str, Setting] = dict(request.settings)
        self._checkpoint_seconds = self._take_number("checkpoint_seconds", 30.0)
        self._checkpoint_steps = self._take_number("checkpoint_steps", 0)
        self._emit = emit
        self._control = control
        torch.manual_seed(request.seed)
        self.generator = torch.Generator().manual_seed(request.seed)
        self.stage_folder = folder / "stages"  # of the running stage, while one runs
        self.total_stages = 0  # how many the system has for this request, if it says so; for the bar
        self.stages: list[dict[str, Any]] = []  # name, number, seconds, files (path -> SHA-256), made_from, ...
        self._inputs = {path: _input_hash(folder, path) for path in _files(folder / INPUT_FOLDER, folder)}
        self._is_finishing = False
        self._loop = 0
        self._made_from = ""
        self._stage_started = 0.0
        self._next_preview = 0.0

    def _take_number(self, name: str, default: float) -> float:
        value = self.settings.pop(name, default)
        if isinstance(value, bool | str) or not 0 <= value <= sys.maxsize or (name.endswith("steps") and value % 1):
            kind = "a whole number" if name.endswith("steps") else "a number"
            raise BadInput(
                f"The setting {name} is {str(value)[:80]!r}; it must be {kind} from 0.", "Correct or omit it."
            )
        return value

    # ---- stages ------------------------------------------------------------------------------------------------------

    def stage(
        self, name: str, make: Callable[[], dict[str, Any]], depends_on: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what `make` returns: tensors (on the CPU) and JSON values, nested as you like.

        Finished stages come from disk. Either way the values are those read back, so that a resumed run computes with
        the same ones. Files that `make` writes into `stage_folder` stay there; `stage_path` finds them later. A stage
        is made again if the request, an input or a file of an earlier stage has changed since, or one of `depends_on`:
        JSON values or dataclasses of them, whatever else this stage is made from, such as the hashes of weights.
        """
        self._leave_if_told()
        number = len(self.stages) + 1
        slug = _slug(name)
        self.stage_folder = self.folder / "stages" / f"{number}-{slug}"
        self._made_from = self._digest(depends_on or {})
        record = self._finished_record()
        self._emit(Stage(number=number, name=name, loaded=record is not None, stages=self.total_stages))
        is_new = record is None
        if record is None:
            record = self._make(number, name, make)
        self._is_finishing |= record["finish"]
        self.stages.append(record)
        values = load_values(self.stage_folder)
        self._restore_randomness(load_checkpoint(self.stage_folder / RANDOMNESS_FILE))
        if is_new and _slug(self.request.stop_after) == slug:
            raise JobStopped(name)
        return values

    def stage_path(self, name: str) -> Path:
        """Return the folder of a stage that is done."""
        number = next(record["number"] for record in self.stages if record["name"] == name)
        return next((self.folder / "stages").glob(f"{number}-*"))

    def check_stop_after(self) -> None:
        """Warn if the request wanted to stop after a stage that the job, which has come to its end, does not have."""
        names = [_slug(record["name"]) for record in self.stages]
        if self.request.stop_after and _slug(self.request.stop_after) not in names:
            self.warn(
                f"The job did not stop, because it has no stage {self.request.stop_after[:80]!r}.",
                f"Its stages are {', '.join(names)}.",
            )

    def _make(self, number: int, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        self.stage_folder.mkdir(parents=True, exist_ok=True)
        for path in _files(self.stage_folder, self.stage_folder):  # half-made by a killed run
            (self.stage_folder / path).unlink()
        self._loop = 0
        self._stage_started = time.monotonic()
        save_values(self.stage_folder, make())
        save_checkpoint(self.stage_folder / RANDOMNESS_FILE, self._randomness())
        record = {
            "number": number,
            "name": name,
            "seconds": round(time.monotonic() - self._stage_started, 3),
            "finish": self._is_finishing,
            "made_from": self._made_from,
            "files": self._stage_hashes(),
            "replaced": [],
        }
        self._write_record(record)
        for path in self.stage_folder.glob("checkpoint-*"):
            path.unlink()
        return record

    def _finished_record(self) -> dict[str, Any] | None:
        """Return the record of the stage if it is done and nothing that it was made from has changed."""
        path = self.stage_folder / RECORD_FILE
        if not path.exists():
            return None
        try:
            record = json.loads(path.read_bytes())
            made_from, hashes = record["made_from"], record["files"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{path} is damaged ({error}).", "Delete this file; the stage is done again.") from error
        if made_from != self._made_from:
            self.warn(f"The stage {record['name']} is made again, because what it was made from has changed.")
            path.unlink()
            return None
        present = self._stage_hashes()
        if replaced := sorted(name for name in present.keys() | hashes.keys() if present.get(name) != hashes.get(name)):
            self.warn(f"In the stage {record['name']}, {', '.join(replaced)} was replaced; the job goes on with that.")
            record |= {"files": present, "replaced": sorted({*record["replaced"], *replaced})}
            self._write_record(record)
        return record

    def _write_record(self, record: dict[str, Any]) -> None:
        write_whole(self.stage_folder / RECORD_FILE, (json.dumps(record, indent=1) + "\n").encode())

    def _stage_hashes(self) -> dict[str, str]:
        return {path: sha256(self.stage_folder / path) for path in _files(self.stage_folder, self.stage_folder)}

    def _digest(self, more: Mapping[str, Any]) -> str:
        """Return the SHA-256 of what the next stage depends on: request, inputs, files of the stages before, more."""
        request = {k: v for k, v in plain(self.request).items() if k not in NEUTRAL} | {"settings": self.settings}
        before = [[record["name"], record["files"]] for record in self.stages]
        parts = json.dumps([request, self._inputs, before, dict(more)], default=vars, sort_keys=True)
        return hashlib.sha256(parts.encode()).hexdigest()

    # ---- steps -------------------------------------------------------------------------------------------------------

    def steps(self, total: int, state: Stateful) -> Iterator[int]:
        """Yield the numbers of the steps that remain, from 0 or from the checkpoint, which is restored into `state`.

        Between steps: progress, a checkpoint when one is due, and the wishes of the outside. After Finish the steps
        end, also those of later loops. Several loops in one stage are told apart by their order.
        """
        path = self.stage_folder / f"checkpoint-{self._loop}.safetensors"
        self._loop += 1
        step, is_done = self._restore(path, total, state)
        saved_at = time.monotonic()
        progress = deque([(saved_at, step)], maxlen=64)
        while not is_done and step < total and not self._is_finishing:
            try:
                self._leave_if_told()
            except JobLeft:  # cancelled or interrupted: it may go on some day
                self._save(path, step, total, state, is_done=False)
                raise
            if self._control.is_finishing:
                self._is_finishing = True
                break
            yield step
            step += 1
            now = time.monotonic()
            if now - progress[-1][0] >= PROGRESS_SECONDS or step in (1, total):
                progress.append((now, step))
                self._report(progress, total)
            is_step = self._checkpoint_steps and step % self._checkpoint_steps == 0
            if step < total and (is_step or now - saved_at >= self._checkpoint_seconds):
                self._save(path, step, total, state, is_done=False)
                saved_at = time.monotonic()
        if not is_done:
            self._save(path, step, total, state, is_done=True)

    def _report(self, progress: deque[tuple[float, int]], total: int) -> None:
        (begin, first), (now, step) = progress[0], progress[-1]
        rate = (step - first) / max(now - begin, 1e-9)
        if first == 0 and len(progress) > 2:  # the first step compiles kernels and says nothing about the others
            begin, first = progress[1]
            rate = (step - first) / max(now - begin, 1e-9)
        self._emit(
            Progress(
                step=step,
                steps=total,
                seconds_left=round((total - step) / max(rate, 1e-9), 1),
                steps_per_second=round(rate, 3),
                memory_bytes=peak_memory_bytes(),
            )
        )

    def _save(self, path: Path, step: int, total: int, state: Stateful, *, is_done: bool) -> None:
        content = {
            "made_from": self._made_from,
            "step": step,
            "total": total,
            "is_done": is_done,
            "finish": self._is_finishing,
            "seconds": time.monotonic() - self._stage_started,
            "randomness": self._randomness(),
            "state": state.state_dict(),
        }
        save_checkpoint(path, content)

    def _restore(self, path: Path, total: int, state: Stateful) -> tuple[int, bool]:
        """Return the next step and whether the loop is done; (0, False) without a checkpoint of this very stage."""
        if not path.exists():
            return 0, False
        content = load_checkpoint(path)
        if content["made_from"] != self._made_from or content["total"] != total:
            self.warn(f"{content['step']} steps are made again, because what they were made from has changed.")
            path.unlink()
            return 0, False
        state.load_state_dict(content["state"])
        self._restore_randomness(content["randomness"])
        self._stage_started = time.monotonic() - content["seconds"]
        self._is_finishing |= content["finish"]
        return content["step"], content["is_done"]

    def _leave_if_told(self) -> None:
        if self._control.is_cancelled:
            raise JobCancelled
        if self._control.interrupted:
            raise JobInterrupted(self._control.interrupted)

    # ---- randomness --------------------------------------------------------------------------------------------------

    def _randomness(self) -> dict[str, Any]:
        states = {"job": self.generator.get_state(), "torch": torch.get_rng_state()}
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            states["cuda"] = torch.cuda.get_rng_state()
        return states

    def _restore_randomness(self, states: dict[str, Any]) -> None:
        self.generator.set_state(states["job"])
        torch.set_rng_state(states["torch"])
        if "cuda" in states and torch.cuda.is_available():
            torch.cuda.set_rng_state(states["cuda"])

    # ---- the outside -------------------------------------------------------------------------------------------------

    @property
    def preview_due(self) -> bool:
        """Say whether `preview` would do something now. It is a clock: draw no random numbers because of it."""
        return time.monotonic() >= self._next_preview

    def preview(self, image: torch.Tensor) -> None:
        """Show a picture [H, W, 3] in [0, 1] of how it stands, at most one a second."""
        if not self.preview_due:
            return
        path = self.folder / PREVIEW_FILE
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_suffix(".tmp.png")
        save_preview(temporary, image)
        replace_file(temporary, path)
        self._emit(Preview())
        self._next_preview = time.monotonic() + PREVIEW_SECONDS

    def warn(self, message: str, hint: str = "") -> None:
        """Tell the artist something that does not end the job."""
        self._emit(WarningEvent(message=message, hint=hint))

    def input_path(self, named: InputImage | str) -> Path:
        """Return the file of an input. Raises BadInput if it is missing or, through a link, outside the job folder."""
        name = named if isinstance(named, str) else named.path
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise BadInput(f"The input {name} leads out of the job folder.", "Copy the file into the folder.")
        if not path.is_file():
            raise BadInput(f"The input {name} is missing in the job folder.", "Put it back, or start a new job.")
        return path

    def record(self) -> dict[str, Any]:
        """Return what result.json says of the run: seed, threads, input hashes; seconds and hashes per stage."""
        return {
            "seed": self.request.seed,
            "threads": torch.get_num_threads(),
            "inputs": self._inputs,
            "stages": [{k: r[k] for k in ("number", "name", "seconds", "files", "replaced")} for r in self.stages],
        }


def _input_hash(folder: Path, path: str) -> str:
    size = (folder / path).stat().st_size
    if size > INPUT_BYTES:
        raise BadInput(f"The input {path} has {size} bytes; at most {INPUT_BYTES} are read.", "Use a smaller image.")
    return sha256(folder / path)


def _slug(name: str) -> str:
    """Return the name of a stage as its folder has it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _files(folder: Path, base: Path) -> list[str]:
    """Return the files below a folder relative to `base`, sorted, less hidden and temporary ones and our own books."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [
        path.relative_to(base).as_posix()
        for path in paths
        if not path.name.startswith((".", "checkpoint-")) and path.suffix != ".tmp" and path.name != RECORD_FILE
    ]
