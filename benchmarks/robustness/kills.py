"""Kills small jobs, lets them go on, and says what became of them: lost, different or left over, each with a sentence.

A job that dies may cost what it did since its last checkpoint and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from addon import protocol
from addon.jobs import store
from addon.jobs.queue import Queue
from backend.errors import BackendError
from backend.runtime.checkpoint import load_checkpoint
from backend.runtime.job import Job
from benchmarks.robustness.killing import Ended, Kill, run_and_kill
from benchmarks.robustness.small_jobs import QUEUED

AGAIN = 0.35  # of the runs that go on after a kill are killed, too
MOST_AGAIN = 3  # kills of one job
MOST_MILLISECONDS = 1_500  # after an operation; longer than anything that a small job does without another one
UNLIKE = (protocol.RECORD_FILE, protocol.EVENTS_FILE, protocol.LOG_FILE, protocol.LOCK_FILE)  # names, numbers, times
PREVIEWS = protocol.PREVIEW_FILE.partition("/")[0]

Run = Callable[[list[str], Path, Kill | None], Ended]


@dataclass
class Found:
    """What became of the jobs of one kind; each list has a sentence for each fault, beginning with the attempt."""

    kills: int = 0
    jobs: int = 0
    at: list[str] = field(default_factory=list)  # attempt, and operation and milliseconds of each of its kills
    lost: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """Return all sentences."""
        return [*self.lost, *self.different, *self.leftovers]


@dataclass(frozen=True)
class Case:
    """One kind of job: a folder as it is before anybody ran it, and the same one when nobody disturbed that."""

    kind: str
    fresh: Path
    whole: Path
    operations: int  # of the undisturbed run


def backend(run_system: Callable[[Job], None]) -> Run:
    """Return what runs the command line with a system, or with whatever stands for one."""
    return lambda arguments, root, kill: run_and_kill(run_system, arguments, root, kill)


def prepare(kind: str, write: Callable[[str, Path], None], scratch: Path, run: Run) -> Case:
    """Write a job of a kind and let it come to its end. Raises RuntimeError where it does not."""
    fresh, whole = scratch / f"{kind}-fresh", scratch / f"{kind}-whole"
    write(kind, fresh)
    shutil.copytree(fresh, whole)
    ended = run(_arguments(kind, whole), whole, None)
    if ended.code:
        raise RuntimeError(f"the undisturbed {kind} job ended with {ended.code}; {whole}/log.txt says why")
    return Case(kind, fresh, whole, ended.operations)


def planned(case: Case, seed: int, attempt: int) -> list[Kill]:
    """Return the kills of one job: one, and perhaps more of the runs that go on, at operations or after them."""
    rng = random.Random(f"{seed} {case.kind} {attempt}")
    kills = []
    while not kills or (len(kills) < MOST_AGAIN and rng.random() < AGAIN):
        milliseconds = rng.choice((0, rng.randint(1, MOST_MILLISECONDS)))
        kills.append(Kill(1 + int(rng.random() * case.operations), milliseconds))
    return kills


def kill_and_resume(case: Case, number: int, kills: list[Kill], scratch: Path, run: Run, found: Found) -> None:
    """Let a job die of each kill in turn, go on to its end, and write down what is not as it should be."""
    root = scratch / f"{case.kind}-{number}"
    shutil.copytree(case.fresh, root)
    name = f"{case.kind} {number}"
    died: list[Kill] = []
    for kill in [*kills, None]:
        before = {job: Standing.of(job) for job in _jobs(root)}
        ended = run(_arguments(case.kind, root), root, kill)
        found.lost += [f"{name}: {fault}" for job in before for fault in before[job].lost_since(job)]
        found.leftovers += [f"{name}: process {stray} goes on" for stray in ended.strays]
        found.leftovers += [
            f"{name}: {held.name} is locked" for held in (root, *_jobs(root)) if protocol.is_running(held)
        ]
        if not ended.was_killed:
            if ended.code:
                found.lost.append(f"{name}: the job that went on ended with {ended.code}: {_last_words(root)}")
            break
        died += [kill] if kill else []
        if case.kind == "queue":  # as Blender does when it is started again
            Queue(root, ["python"])
    found.jobs += 1
    found.kills += len(died)
    found.at.append(f"{number}: " + ", ".join(f"{kill.operation}+{kill.milliseconds} ms" for kill in died))
    found.different += [f"{name}: {fault}" for fault in differences(root, case.whole)]
    found.leftovers += [f"{name}: {left}" for left in sorted(_files(root) - _files(case.whole))]
    shutil.rmtree(root)


def campaign(case: Case, kills: int, seed: int, scratch: Path, run: Run) -> Found:
    """Kill jobs of a kind until so many kills have been done: the same ones for a seed."""
    found, attempt = Found(), 0
    while found.kills < kills and attempt < 2 * kills:
        kill_and_resume(case, attempt, planned(case, seed, attempt)[: kills - found.kills], scratch, run, found)
        attempt += 1
    return found


# ---- judgement -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """How far a job has come: what a run that goes on must not do again."""

    size: int  # of its events
    state: str
    stages: frozenset[int]  # that are done
    steps: dict[int, int]  # of the others, what the last checkpoint of an unfinished loop has

    @classmethod
    def of(cls, job: Path) -> Standing:
        """Look at a job that nobody runs."""
        size = protocol.file_size(job, protocol.EVENTS_FILE) or 0
        folders = {int(path.name.partition("-")[0]): path for path in (job / protocol.STAGES_FOLDER).glob("*")}
        done = frozenset(number for number, folder in folders.items() if (folder / protocol.RECORD_FILE).exists())
        steps = {number: _steps(folder) for number, folder in folders.items() if number not in done}
        return cls(size, store.state(job), done, steps)

    def lost_since(self, job: Path) -> list[str]:
        """Return a sentence for each stage, or step, that a run has made again since."""
        events = store.read_events(job, self.size)[0]
        if self.state == store.FINISHED:
            return [f"{job.name} was done and was run again"] if events else []
        faults, stage, called, is_first = [], 0, "", True
        for event in events:
            match event:
                case protocol.Stage(number=number, name=name, loaded=loaded):
                    stage, called, is_first = number, name, True
                    if stage in self.stages and not loaded:
                        faults.append(f"the stage {name} was done and was made again")
                case protocol.Progress(step=step) if is_first:
                    is_first = False
                    if step <= self.steps.get(stage, 0):
                        faults.append(f"step {step} of {called} was made again, {self.steps[stage]} were kept")
                case _:
                    continue
        return faults


def differences(root: Path, whole: Path) -> list[str]:
    """Return the files of stages and results that are not what they are where nobody disturbed the job."""
    names = [name for name in sorted(_files(whole)) if _is_compared(name)]
    return [name for name in names if _content(root / name) != _content(whole / name)]


def _is_compared(name: str) -> bool:
    *folders, last = name.split("/")
    return (protocol.RESULT_FOLDER in folders or protocol.STAGES_FOLDER in folders) and last not in UNLIKE


def _content(path: Path) -> str:
    """Return the hash of a file, of result.json without how long things took; nothing where there is no file."""
    if not path.is_file():
        return ""
    content = path.read_bytes()
    if path.name == protocol.RESULT_FILE.rpartition("/")[2]:
        content = json.dumps(json.loads(content) | {"seconds": 0}, sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def _steps(stage: Path) -> int:
    """Return the step of the last loop that a stage has a checkpoint of, 0 where that was done or cannot be read."""
    checkpoints = sorted(stage.glob("checkpoint-*.safetensors"))
    try:
        content = load_checkpoint(checkpoints[-1]) if checkpoints else {"is_done": True}
    except BackendError:
        return 0
    return 0 if content["is_done"] else content["step"]


def _files(root: Path) -> set[str]:
    """Return all files of a job, but previews, which come as time passes."""
    names = {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}
    return {name for name in names if name.rpartition("/")[2] != "latest.png" or PREVIEWS not in name}


def _jobs(root: Path) -> list[Path]:
    """Return the job folders: the one, or those of a queue."""
    inner = [root / name for name in QUEUED if (root / name).is_dir()]
    return inner or [root]


def _arguments(kind: str, root: Path) -> list[str]:
    return ["queue" if kind == "queue" else "run", str(root)]


def _last_words(root: Path) -> str:
    last = [store.last_message(job) for job in _jobs(root)]
    return " ".join(each.message for each in last if isinstance(each, protocol.Failed))
