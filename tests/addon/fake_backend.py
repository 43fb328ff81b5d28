"""A backend of the standard library that behaves as its prompt says: `python -m tests.addon.fake_backend run JOB`.

It stands for every way in which a process can go wrong, so that the client's tests need no torch.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from addon import protocol


def say(message: protocol.Event) -> None:
    """Send one event."""
    sys.stdout.write(protocol.encode(message))
    sys.stdout.flush()


def hello(job: Path) -> None:
    """Open the job."""
    say(protocol.Hello(job=job.name, backend="0", pid=os.getpid()))


def finish() -> None:
    """Close the job well."""
    say(protocol.Finished(results=("result/model.glb",), seconds=0.1))


def obey() -> None:
    """Work until a command comes, or the end of stdin."""
    line = sys.stdin.buffer.readline()
    if not line:
        say(protocol.Interrupted(reason="the parent is gone", seconds=0.1))
    elif isinstance(protocol.decode(line), protocol.Cancel):
        say(protocol.Cancelled(seconds=0.1))
    else:
        finish()


def behave(job: Path) -> None:
    """Run one job in the way that its prompt names."""
    manner = protocol.read_request(job).prompt
    if manner == "mute":
        time.sleep(600)
    if manner == "never started":
        raise ModuleNotFoundError("No module named 'torch'")
    if manner == "newer version":
        sys.stdout.write('{"type": "Hello", "version": 2, "job": "x", "greeting": "new field"}\n')
        sys.stdout.flush()
        time.sleep(600)
    hello(job)
    match manner:
        case "ok":
            say(protocol.Stage(number=1, name="work"))
            finish()
        case "slow":
            for step in range(5):
                time.sleep(0.1)
                say(protocol.Progress(step=step, steps=5, seconds_left=1, steps_per_second=1, memory_bytes=0))
            finish()
        case "fails":
            say(protocol.Failed(kind="BadInput", message="The mask is empty.", hint="Use another.", exit_code=2))
        case "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "is signalled":
            os.kill(os.getpid(), 35)  # a signal for programs' own use, without a name
        case "raises":
            raise ZeroDivisionError("division by zero in the backend")
        case "hangs":
            time.sleep(600)
        case "hangs and ignores":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            time.sleep(600)
        case "hangs at the end":
            finish()
            time.sleep(600)
        case "closes":
            os.close(1)
            time.sleep(600)
        case "garbage":
            sys.stdout.write("Loading pipeline components...: 100%|##########| 7/7\n")
            sys.stdout.flush()
            time.sleep(600)
        case "binary":
            os.write(1, bytes(range(256)) + b"\n")
            time.sleep(600)
        case "long line":
            block = b"x" * (1 << 20)
            for _ in range(100):
                os.write(1, block)
            os.write(1, b"\n")
            time.sleep(600)
        case "dies":
            os._exit(0)
        case "says too much":
            finish()
            say(protocol.Stage(number=2, name="after the end"))
            time.sleep(600)
        case "two ends":
            finish()
            finish()
            time.sleep(600)
        case "has children":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            (job / "child").write_text(str(child.pid))
            os._exit(1)
        case "listens":
            obey()
        case _:
            raise ValueError(manner)


def behave_as_queue(folder: Path) -> None:
    """Run a queue in the way that the file `manner` in it names."""
    match (folder / "manner").read_text():
        case "idle":
            say(protocol.Idle(seconds=0.1))
        case "idle for ever":
            say(protocol.Idle(seconds=0.1))
            time.sleep(600)
        case "idle and dead":
            say(protocol.Idle(seconds=60.0))
            os.kill(os.getpid(), signal.SIGSEGV)
        case "idle out of turn":
            hello(folder)
            say(protocol.Idle(seconds=60.0))
            time.sleep(600)
        case "dies between":
            hello(folder)
            finish()
        case manner:
            raise ValueError(manner)


if __name__ == "__main__":
    if sys.argv[1] == "queue":
        behave_as_queue(Path(sys.argv[2]))
        sys.exit(0)
    for name in sys.argv[2:-1]:
        behave(Path(name))
