"""Run job folders on a Ray cluster: results as they come, another try when a process or a machine is lost.

`python ray_driver.py ray.json --address auto`, with a Python that has `ray`. The tasks are processes of the backend's
own Python, so that the cluster needs nothing but ray and folders that all machines see.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any

TRIES = 4  # of a task in all, when its process or its machine is lost


def run(plan_file: Path, address: str) -> int:
    """Run the tasks of a plan on a cluster and tell of each as it ends; return 0, or 1 if one was not done."""
    ray = importlib.import_module("ray")
    plan = json.loads(plan_file.read_text(encoding="utf-8"))
    try:
        ray.init(address=None if address == "local" else address, log_to_driver=False, configure_logging=False)
    except Exception as error:  # noqa: BLE001 - Ray raises bare ones, as where a machine is too busy to begin
        reason = str(error).splitlines()[0].rstrip(".")
        print(f"No Ray cluster answers at {address}: {reason}. Start one: ray start --head", file=sys.stderr)
        return 3
    needs = {"GPU": plan["gpus"], "CPU": plan["threads"] or 1, "memory": plan["memory"] << 20}
    if not any(all(node["Resources"].get(name, 0) >= value for name, value in needs.items()) for node in ray.nodes()):
        asked = f"{needs['GPU']} GPUs, {needs['CPU']} cores and {plan['memory'] / 1024:g} GiB"
        print(f"No machine of the cluster has {asked} for a job: they would wait for ever.", file=sys.stderr)
        return 3
    options: dict[str, Any] = {"num_gpus": plan["gpus"], "num_cpus": plan["threads"] or 1}
    # In bytes. A job that was interrupted, as by a machine that is shut down, raises and is tried again as well.
    options |= {"memory": plan["memory"] << 20, "max_retries": TRIES - 1, "retry_exceptions": True}
    task = ray.remote(**options)(run_job)
    waiting = {task.remote(words): name for name, words in plan["tasks"].items()}
    code, total = 0, len(waiting)
    while waiting:
        (done, *_), _ = ray.wait(list(waiting))
        name = waiting.pop(done)
        try:
            ended, text = ray.get(done)
        except ray.exceptions.RayError as error:
            ended, text = 1, f"lost {TRIES} times, at last by {type(error).__name__}"
        code = code or int(ended != 0)
        words = f"{name}: {'done' if ended == 0 else f'failed with code {ended}: {text}'}"
        print(f"{words} ({total - len(waiting)} of {total})", flush=True)
    ray.shutdown()
    return code


def run_job(words: list[str]) -> tuple[int, str]:
    """Run one job in a process that ends with this one; return its exit code and its last line.

    Sent to the machines as it stands: it uses nothing but the standard library. Raises RuntimeError if the job was
    interrupted, so that it is tried again.
    """
    import subprocess

    # Its stdin is a pipe: when this process is killed, the job hears of it and leaves, and the next try goes on.
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen([*words, "--supervised"], text=True, **pipes) as process:
        last = ""
        for line in process.stdout or ():
            last = line.strip() or last
        code = process.wait()
    if code == 4:  # cancelled or interrupted
        raise RuntimeError(last)
    return code, last[-500:]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="ray_driver.py", description="Run the job folders of a plan on a Ray cluster."
    )
    parser.add_argument("plan", type=Path, metavar="PLAN.json")
    parser.add_argument(
        "--address", default="auto", help="of the cluster; auto: the running one, local: a new one here"
    )
    given = parser.parse_args()
    try:
        sys.exit(run(given.plan, given.address))
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        print(f"{sys.executable} has no ray. Install it: pip install ray", file=sys.stderr)
        sys.exit(3)
