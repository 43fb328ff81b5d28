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
from typing import Any

import torch

from addon.protocol import (
    INPUT_BYTES,
    INPUT_FOLDER,
    LINK_HINT,
    PREVIEW_FILE,
    RECORD_FILE,
    RESULT_FOLDER,
    STAGES_FOLDER,
    SYSTEMS,
    Event,
    InputImage,
    LinkInside,
    Preview,
    Request,
    Setting,
    Stage,
    file_size,
    files_inside,
    is_inside,
    make_folder_in,
    plain,
    remove_inside,
    write_whole,
)
from addon.protocol import Warning as WarningEvent
from backend.errors import BadInput, FolderGone, JobCancelled, JobInterrupted, JobLeft, JobStopped
from backend.images import plain_png
from backend.runtime.checkpoint import (
    Stateful,
    load_checkpoint,
    load_values,
    read_whole,
    save_checkpoint,
    save_values,
    sha256,
)
from backend.runtime.control import Control
from backend.runtime.folder_lock import identity
from backend.runtime.measuring import measured, part
from backend.runtime.notes import REDO_STAGE, REDO_WORK, checked_loop, checked_stage, named_if_damaged, replaced_words

RANDOMNESS_FILE = "randomness.safetensors"
PROGRESS_SECONDS = 0.5
PREVIEW_SECONDS = 1.0
# Fields of the request without influence on what a stage makes; the one that writes `outputs` says so (`depends_on`).
NEUTRAL = ("stop_after", "outputs", "threads")


class Job:
    """Run one job folder. `settings` are the request's, less `checkpoint_seconds` (30) and `checkpoint_steps` (0: off).

    `generator` (CPU) is the randomness of the job, seeded from the request. torch's own is kept in the same way.
    Raises BadInput where these two settings are no numbers from 0, and for an input that is too large; LinkInside where
    a link lies in a folder of the job's own.
    """

    def __init__(self, folder: Path, request: Request, emit: Callable[[Event], None], control: Control) -> None:
        self.folder = folder
        self.request = request
        self.settings: dict[str, Setting] = dict(request.settings)
        self._checkpoint_seconds = self._take_number("checkpoint_seconds", 30.0)
        self._checkpoint_steps = self._take_number("checkpoint_steps", 0)
        self.mesh_settings = SYSTEMS[request.system].mesh_settings
        self.emit, self._control = emit, control
        torch.manual_seed(request.seed)
        self.generator = torch.Generator().manual_seed(request.seed)
        self.stage_folder = folder / STAGES_FOLDER  # of the running stage, while one runs
        self.total_stages = 0  # how many the system has for this request, if it says so; for the bar
        self.stages: list[dict[str, Any]] = []  # name, number, seconds, files (path -> SHA-256), made_from, ...
        self.warnings: list[str] = []  # of this run
        self.seconds_before = 0.0  # what earlier runs have put into stages
        for name in (STAGES_FOLDER, RESULT_FOLDER, PREVIEW_FILE.partition("/")[0]):
            # Before anything is done: libraries open files in there by their paths.
            for path in files_inside(folder, name):
                if path.endswith(".tmp"):  # of a run that was killed while it wrote
                    remove_inside(folder, path)
        self._inputs = {path: _input_hash(folder, path) for path in _files(folder, INPUT_FOLDER, pass_over=True)}
        self._identity = identity(folder)
        self._is_finishing = False
        self._loop = 0
        self._made_from = ""
        self._stage_started = 0.0
        self._next_preview = 0.0

    def _take_number(self, name: str, default: float) -> float:
        value = self.settings.pop(name, default)
        if isinstance(value, bool | str) or not 0 <= value <= sys.maxsize or (name.endswith("steps") and value % 1):
            kind = "a whole number" if name.endswith("steps") else "a number"
            said = f"The setting {name} is {str(value)[:80]!r}; it must be {kind} from 0."
            raise BadInput(said, "Correct or omit it.")
        return value

    @property
    def is_there(self) -> bool:
        """Say whether the job's folder is still there, and no other one in its place."""
        return identity(self.folder) == self._identity

    # ---- stages ------------------------------------------------------------------------------------------------------

    def stage(
        self, name: str, make: Callable[[], dict[str, Any]], depends_on: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what `make` returns: tensors (on the CPU) and JSON values, nested as you like.

        Finished stages come from disk. Either way the values are those read back, so that a resumed run computes with
        the same ones. Files that `make` writes into `stage_folder` stay there; `stage_path` finds them later. A stage
        is made again if the request, an input or a file of an earlier stage has changed since, or one of `depends_on`:
        JSON values or dataclasses of them, whatever else this stage is made from, such as the hashes of weights. The
        `mesh_settings` do not count, neither in the request nor in `depends_on["settings"]`: who needs them says so.
        """
        self._leave_if_told()
        number = len(self.stages) + 1
        slug = _slug(name)
        self.stage_folder = self.folder / STAGES_FOLDER / f"{number}-{slug}"
        self._made_from = self._digest(depends_on or {})
        record = self._finished_record()
        self.emit(Stage(number=number, name=name, loaded=record is not None, stages=self.total_stages))
        is_new = record is None
        if record is None:
            begun = time.monotonic()
            record = self._make(number, name, make)
            self.seconds_before += max(begun - self._stage_started, 0.0)  # a checkpoint has moved it
        else:
            self.seconds_before += record["seconds"]
        for path in files_inside(self.folder, self._stage):
            if path.startswith(f"{self._stage}/checkpoint-"):  # also of a run that was killed before it came to this
                remove_inside(self.folder, path)
        self._is_finishing |= record["finish"]
        self.stages.append(record)
        values = load_values(self.stage_folder, self.folder)
        randomness = self.stage_folder / RANDOMNESS_FILE
        with named_if_damaged(self.stage_folder, REDO_STAGE):
            self._restore_randomness(load_checkpoint(randomness, self.folder, REDO_STAGE.replace("this", "its")))
        if is_new and _slug(self.request.stop_after) == slug:
            raise JobStopped(name)
        return values

    def stage_path(self, name: str) -> Path:
        """Return the folder of a stage that is done."""
        number = next(record["number"] for record in self.stages if record["name"] == name)
        return self.folder / STAGES_FOLDER / f"{number}-{_slug(name)}"

    def check_stop_after(self) -> None:
        """Warn if the request wanted to stop after a stage that the job, which has come to its end, does not have."""
        names = [_slug(record["name"]) for record in self.stages]
        if self.request.stop_after and _slug(self.request.stop_after) not in names:
            said = f"The job did not stop, because it has no stage {self.request.stop_after[:80]!r}."
            self.warn(said, f"Its stages are {', '.join(names)}.")

    def _make(self, number: int, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        make_folder_in(self.folder, self._stage)
        for path in self._stage_files():  # half-made by a killed run
            remove_inside(self.folder, f"{self._stage}/{path}")
        self._loop = 0
        self._stage_started = time.monotonic()
        save_values(self.stage_folder, make(), self.folder)
        save_checkpoint(self.stage_folder / RANDOMNESS_FILE, self._randomness(), self.folder)
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
        return record

    def _finished_record(self) -> dict[str, Any] | None:
        """Return the record of the stage if it is done and nothing that it was made from has changed."""
        path = self.stage_folder / RECORD_FILE
        if not is_inside(self.folder, f"{self._stage}/{RECORD_FILE}"):
            return None
        with named_if_damaged(path, "Delete this file; the stage is done again."):
            record = checked_stage(json.loads(read_whole(path, self.folder)), len(self.stages) + 1)
        made_from, hashes = record["made_from"], record["files"]
        if made_from != self._made_from:
            self.warn(f"The stage {record['name']} is made again, because what it was made from has changed.")
            remove_inside(self.folder, f"{self._stage}/{RECORD_FILE}")
            return None
        present = self._stage_hashes()
        if replaced := sorted(name for name in present.keys() | hashes.keys() if present.get(name) != hashes.get(name)):
            self.warn(replaced_words(self.request.system, record["name"], replaced))
            record |= {"files": present, "replaced": sorted({*record["replaced"], *replaced})}
            self._write_record(record)
        return record

    def _write_record(self, record: dict[str, Any]) -> None:
        content = (json.dumps(record, indent=1) + "\n").encode()
        write_whole(self.folder, f"{self._stage}/{RECORD_FILE}", content, flush=True)

    @property
    def _stage(self) -> str:
        """Return the name of the running stage's folder in that of the job."""
        return self.stage_folder.relative_to(self.folder).as_posix()

    def _stage_files(self) -> list[str]:
        return [name.removeprefix(f"{self._stage}/") for name in _files(self.folder, self._stage)]

    def _stage_hashes(self) -> dict[str, str]:
        return {path: sha256(self.stage_folder / path, self.folder) for path in self._stage_files()}

    def _digest(self, more: Mapping[str, Any]) -> str:
        """Return the SHA-256 of what the next stage depends on: request, inputs, files of the stages before, more."""
        request: dict[str, Any] = {k: v for k, v in plain(self.request).items() if k not in NEUTRAL}
        request["settings"] = self._without_mesh(self.settings)
        more = {k: self._without_mesh(v) if k == "settings" and isinstance(v, Mapping) else v for k, v in more.items()}
        request["images"] = [{k: v for k, v in image.items() if k != "name"} for image in request["images"]]
        before = [[record["name"], record["files"]] for record in self.stages]
        parts = json.dumps([request, self._inputs, before, more], default=vars, sort_keys=True)
        return hashlib.sha256(parts.encode()).hexdigest()

    def _without_mesh(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in settings.items() if name not in self.mesh_settings}

    # ---- steps -------------------------------------------------------------------------------------------------------

    def steps(self, total: int, state: Stateful) -> Iterator[int]:
        """Yield the numbers of the steps that remain, from 0 or from the checkpoint, which is restored into `state`.

        Between steps: progress, a checkpoint when one is due, and the wishes of the outside. After Finish the steps
        end, also those of later loops. Several loops in one stage are told apart by their order.
        """
        path = self.stage_folder / f"checkpoint-{self._loop}.safetensors"
        self._loop += 1
        with self._control.undisturbed() as at_once:
            yield from self._steps(path, total, state, at_once)

    def _steps(self, path: Path, total: int, state: Stateful, at_once: bool) -> Iterator[int]:
        step, is_done = self._restore(path, total, state)
        saved_at = time.monotonic()
        progress = deque([(saved_at, step)], maxlen=64)
        while not is_done and step < total and not self._is_finishing:
            try:
                self._leave_if_told()
            except JobLeft as left:  # cancelled or interrupted: it may go on some day
                if not isinstance(left, FolderGone):
                    self._save(path, step, total, state, is_done=False)
                raise
            if self._control.is_finishing:
                self._is_finishing = True
                break
            with self._control.disturbed(at_once):
                yield step
            step, at_once = step + 1, False  # the first one compiles, and loses nothing that it has come from
            now = time.monotonic()
            if now - progress[-1][0] >= PROGRESS_SECONDS or step in (1, total):
                progress.append((now, step))
                self.emit(measured(progress, total))
            is_step = self._checkpoint_steps and step % self._checkpoint_steps == 0
            if step < total and (is_step or now - saved_at >= self._checkpoint_seconds):
                self._save(path, step, total, state, is_done=False)
                saved_at = time.monotonic()
        if not is_done:
            self._save(path, step, total, state, is_done=True)

    def part(self, done: int, count: int) -> None:
        """Tell that so many parts of the running stage are done, each of a length of its own; leave if that is wished.

        Raises as the steps do.
        """
        self._leave_if_told()
        self.emit(part(done, count))

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
        save_checkpoint(path, content, self.folder)

    def _restore(self, path: Path, total: int, state: Stateful) -> tuple[int, bool]:
        """Return the next step and whether the loop is done; (0, False) without a checkpoint of this very stage."""
        name = path.relative_to(self.folder).as_posix()
        if not is_inside(self.folder, name):
            return 0, False
        with named_if_damaged(path, REDO_WORK):
            content = checked_loop(load_checkpoint(path, self.folder))
            if content["made_from"] == self._made_from and content["total"] == total:
                state.load_state_dict(content["state"])
                self._restore_randomness(content["randomness"])
                self._stage_started = time.monotonic() - content["seconds"]
                self._is_finishing |= content["finish"]
                return content["step"], content["is_done"]
        self.warn(f"{content['step']} steps are made again, because what they were made from has changed.")
        remove_inside(self.folder, name)
        return 0, False

    def _leave_if_told(self) -> None:
        if not self.is_there:
            raise FolderGone
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
        write_whole(self.folder, PREVIEW_FILE, plain_png(image))
        self.emit(Preview())
        self._next_preview = time.monotonic() + PREVIEW_SECONDS

    def warn(self, message: str, hint: str = "") -> None:
        """Tell the artist something that does not end the job."""
        self.warnings.append(message)
        self.emit(WarningEvent(message=message, hint=hint))

    def input_path(self, named: InputImage | str) -> Path:
        """Return the file of an input. Raises BadInput if it is missing in the job folder, or a link."""
        name = named if isinstance(named, str) else named.path
        own = "" if isinstance(named, str) or not named.name else f" ({named.name})"
        try:
            is_there = file_size(self.folder, name) is not None
        except LinkInside as error:
            raise BadInput(f"The input {name}{own} leads out of the job folder: {error}", LINK_HINT) from error
        if not is_there:
            raise BadInput(f"The input {name}{own} is missing in the job folder.", "Put it back, or start a new job.")
        return self.folder / name

    def record(self) -> dict[str, Any]:
        """Return what result.json says of the run: seed, threads, warnings, hashes of inputs; of stages, too."""
        return {
            "seed": self.request.seed,
            "threads": torch.get_num_threads(),
            "inputs": self._inputs,
            "warnings": list(dict.fromkeys(self.warnings)),
            "stages": [{k: r[k] for k in ("number", "name", "seconds", "files", "replaced")} for r in self.stages],
        }


def _input_hash(folder: Path, path: str) -> str:
    size = file_size(folder, path) or 0
    if size > INPUT_BYTES:
        raise BadInput(f"The input {path} has {size} bytes; at most {INPUT_BYTES} are read.", "Use a smaller image.")
    return sha256(folder / path, folder)


def _slug(name: str) -> str:
    """Return the name of a stage as its folder has it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _files(job: Path, name: str, *, pass_over: bool = False) -> list[str]:
    """Return the files below a folder of a job, sorted, less hidden and temporary ones and our own books."""
    files = [(path, path.rpartition("/")[2]) for path in files_inside(job, name, pass_over=pass_over)]
    return [
        path
        for path, last in files
        if not last.startswith((".", "checkpoint-")) and not last.endswith(".tmp") and last != RECORD_FILE
    ]
