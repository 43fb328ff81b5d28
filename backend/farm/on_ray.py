"""Ray, for machines that have no farm: a list of tasks for `ray_driver.py`, which runs them on a cluster."""

from __future__ import annotations

import json

from backend.farm.plan import Order, Plan, write

PLAN_FILE = "ray.json"
NEEDS_RAY = "The command wants a Python that has ray (pip install ray); the jobs run with the backend's own."


def made(plan: Plan, address: str) -> Order:
    """Write the tasks and say what runs them."""
    tasks = {name: plan.command((plan.jobs / name).as_posix(), progress="events") for name in plan.names}
    content = {"tasks": tasks, "gpus": plan.needs.gpus, "threads": plan.needs.threads, "memory": plan.needs.memory}
    write(plan, {PLAN_FILE: json.dumps(content, indent=1) + "\n"})
    driver = f"{plan.root.as_posix()}/backend/farm/ray_driver.py"
    return Order(["python", driver, str(plan.out / PLAN_FILE), "--address", address], (NEEDS_RAY,))
