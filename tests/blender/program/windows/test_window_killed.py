"""A real Blender with a window and the real backend: killed, or closed, in the middle of a job, and started again."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import build
from addon import protocol
from addon.jobs import store
from tests.addon.jobs.test_client import is_alive
from tests.blender.program.real import CHECKOUT, Window, install, window

pytestmark = [pytest.mark.blender, pytest.mark.slow]

GENERATE = """
scene = bpy.context.scene
scene.maquette.prompt, scene.maquette.preset, scene.maquette.seed = "a red mug", "draft", 3
small = {"steps": 3_000, "views": 1, "count": 500, "start": "ball", "mesh_resolution": 32, "max_faces": 1_000}
for name, value in (small | {"texture_size": 64}).items():  # many short steps, and a short way from there to the result
    setattr(scene.maquette.tv3dg, name, value)
bpy.ops.maquette.generate()
answer = None
"""
QUEUE = """
from bl_ext.user_default.maquette.addon.ui import session
session.queue(bpy.context)
answer = [session.is_held(), [job.name for job in session.waiting()], session.running() and session.running().name]
"""
HISTORY = """
from bl_ext.user_default.maquette.addon.ui import history
bpy.ops.maquette.refresh_history()
answer = [[entry.job.name, history.state_of(entry)] for entry in history.catalogue(bpy.context).entries]
"""
MADE = "[o.name for o in bpy.data.objects if o.type == 'MESH' and 'maquette_prompt' in o]"
DETACH = """
from bl_ext.user_default.maquette.addon import preferences
preferences.of(bpy.context).keep_running = True
bpy.ops.wm.save_userpref()
answer = None
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension, packed out of the reach of who is editing it."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("LICENSE", "blender_manifest.toml"):
        shutil.copy2(CHECKOUT / name, copy)
    for name in ("addon", "backend"):
        shutil.copytree(CHECKOUT / name, copy / name)
    return build.make_zip(copy)


class Desk:
    """An artist's Blender: the same preferences and jobs each time that it is opened."""

    def __init__(self, blender: Path, folder: Path, archive: Path) -> None:
        self._blender, self._folder = blender, folder
        self._resources = folder / "resources"
        self._times = 0
        install(blender, self._resources, archive)

    @contextmanager
    def open(self) -> Iterator[Window]:
        """Start Blender."""
        self._times += 1
        place = self._folder / f"questions{self._times}"
        python = sys.executable
        with window(self._blender, self._resources, place, MAQUETTE_PYTHON=python, OMP_NUM_THREADS="1") as shown:
            yield shown

    def job(self) -> Path:
        """Return the newest job."""
        folders = {request.parent.parent for request in self._resources.rglob(f"jobs/*/{protocol.REQUEST_FILE}")}
        return store.list_jobs(folders.pop())[0]

    def begin(self, shown: Window) -> tuple[Path, int]:
        """Start a job; return it, and the number of its process, when it has made steps, the slow first ones."""
        shown.ask(GENERATE)
        job = self.job()

        def pid() -> int:
            events = store.read_events(job)[0]
            if not any(isinstance(event, protocol.Progress) and event.step >= 3 for event in events):
                return 0
            return next(event.pid for event in events if isinstance(event, protocol.Hello))

        return job, shown.wait(pid, "the first step", 300.0)


@pytest.fixture
def desk(blender: Path, tmp_path: Path, archive: Path) -> Desk:
    return Desk(blender, tmp_path, archive)


def ends(pid: int, most: float = 60.0) -> bool:
    """Wait until a process is gone; return whether that came. It takes five seconds, and more on a busy machine."""
    begin = time.monotonic()
    while is_alive(pid) and time.monotonic() < begin + most:
        time.sleep(0.02)
    return not is_alive(pid)


def test_killed_blender_takes_its_backend_along_and_the_job_waits_for_the_next_start(desk: Desk) -> None:
    with desk.open() as shown:
        job, pid = desk.begin(shown)
        os.kill(shown.process.pid, signal.SIGKILL)
        assert ends(pid)
    assert store.state(job) == store.INTERRUPTED and list(job.glob("stages/*/checkpoint-*"))
    with desk.open() as shown:
        assert shown.ask(QUEUE) == [True, [job.name], None]
        assert shown.ask(HISTORY) == [[job.name, "queued"]]
        shown.ask("bpy.ops.maquette.hold_queue(hold=False); answer = None")
        before = (job / protocol.EVENTS_FILE).stat().st_size
        shown.wait(lambda: "Progress" in (job / protocol.EVENTS_FILE).read_text()[before:], "the next step", 300.0)
        steps = [event.step for event in store.read_events(job, before)[0] if isinstance(event, protocol.Progress)]
        assert steps[0] > 1  # it went on from the checkpoint
        hello = next(event for event in store.read_events(job, before)[0] if isinstance(event, protocol.Hello))
        shown.process.send_signal(signal.SIGTERM)
        shown.process.wait(30)
        assert ends(hello.pid)  # and so it is when Blender is closed
    assert store.state(job) == store.INTERRUPTED


def test_detached_queue_outlives_blender_and_the_next_one_shows_it(desk: Desk) -> None:
    with desk.open() as shown:
        shown.ask(DETACH)
        job, pid = desk.begin(shown)
        os.kill(shown.process.pid, signal.SIGKILL)
    time.sleep(6.0)
    assert is_alive(pid) and store.state(job) == store.RUNNING
    with desk.open() as shown:
        shown.ask(QUEUE)
        shown.wait(lambda: shown.ask(QUEUE)[2] == job.name, "the running job", 180.0)
        assert shown.ask(HISTORY) == [[job.name, "running"]]
        shown.ask("bpy.ops.maquette.cancel(); answer = None")
        shown.wait(lambda: store.state(job) == store.CANCELLED, "the end of the job", 180.0)
        shown.wait(lambda: shown.ask(HISTORY) == [[job.name, "cancelled"]], "its end in the history", 180.0)
    assert ends(pid)


def test_the_next_blender_ends_a_detached_job_early_and_imports_what_was_asked_for(desk: Desk) -> None:
    with desk.open() as shown:
        shown.ask(DETACH)
        job, pid = desk.begin(shown)
        os.kill(shown.process.pid, signal.SIGKILL)
    with desk.open() as shown:
        shown.wait(lambda: shown.ask(QUEUE)[2] == job.name, "the running job", 180.0)
        shown.ask("bpy.ops.maquette.finish(); answer = None")
        shown.wait(lambda: shown.value(MADE), "the object in the scene", 600.0)
        assert store.state(job) == store.FINISHED
    assert ends(pid)


def test_a_detached_queue_ends_with_the_next_blender_when_that_does_not_keep_it(desk: Desk) -> None:
    with desk.open() as shown:
        shown.ask(DETACH)
        job, pid = desk.begin(shown)
        os.kill(shown.process.pid, signal.SIGKILL)
    with desk.open() as shown:
        shown.wait(lambda: shown.ask(QUEUE)[2] == job.name, "the running job", 180.0)
        shown.ask(DETACH.replace("True", "False"))
        time.sleep(2.0)
        assert is_alive(pid)  # Blender is there
        os.kill(shown.process.pid, signal.SIGKILL)
        assert ends(pid)
    assert store.state(job) == store.INTERRUPTED
