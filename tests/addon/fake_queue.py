"""The real command line, `python -m tests.addon.fake_queue queue DIR`, with jobs that behave as their prompts say.

Nothing but the work itself is replaced, so that a queue can be tested in seconds and without torch.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from addon import protocol
from backend import __main__ as command_line
from backend.cli import job_runner


def act(run: Any, _: Callable[..., Any]) -> protocol.Last:
    """Run one job in the way that its prompt names; `run` is the command line's own object."""
    control = run._control
    run.emit(protocol.Stage(number=1, name="work", stages=1))
    match protocol.read_request(run.folder).prompt:
        case "ok":
            pass
        case "fails":
            return protocol.Failed(kind="BadInput", message="The mask is empty.", hint="Use another.", exit_code=2)
        case "tells":
            return protocol.Failed(kind="Told", message=os.environ.get("CUDA_VISIBLE_DEVICES", ""), hint="")
        case "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "waits":
            while not control.is_finishing:
                if control.is_cancelled:
                    return protocol.Cancelled(seconds=0.1)
                if control.interrupted:
                    return protocol.Interrupted(reason=control.interrupted, seconds=0.1)
                time.sleep(0.01)
        case "does not hear":
            time.sleep(600)
        case "holds Python":  # as native code does that takes minutes for one call
            ctypes.PyDLL(None).sleep(600)
    return protocol.Finished(results=(), seconds=0.1)


if __name__ == "__main__":
    job_runner._JobRun._execute = act  # pyright: ignore[reportAttributeAccessIssue]
    sys.exit(command_line.main())
