"""The scripts of SLURM, run by bash with a stand-in for `sbatch` and `scontrol`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from backend.farm import slurm
from backend.farm.plan import Plan
from tests.backend.farm.job_folders import made, recorder, write_jobs

BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None or os.name == "nt", reason="there is no bash, for which the scripts are")

# Runs each task of the array at once, as sbatch would on the cluster, and says what it was called with.
SBATCH = """#!/bin/bash
echo "sbatch $MAQUETTE_FIRST $*" >> "$RECORD"
range=${2#--array=}; range=${range%\\%*}
for index in $(seq ${range%-*} ${range#*-}); do SLURM_ARRAY_TASK_ID=$index bash "$3" || exit 1; done
"""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"sbatch": SBATCH, "scontrol": '#!/bin/sh\necho "scontrol $*" >> "$RECORD"\n'}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("RECORD", str(tmp_path / "record"))
    return tmp_path / "record"


def arranged(tmp_path: Path, count: int = 2, at_once: int = 0, **options: Any) -> Plan:
    jobs = write_jobs(tmp_path / "the jobs", [f"job {number}" for number in range(count)])
    plan = made(jobs, tmp_path / "out", python=str(recorder(tmp_path)), **options)
    assert slurm.made(plan, 600, at_once).command == ["sh", str(tmp_path / "out" / "submit.sh")]
    return plan


def test_every_line_is_a_task_and_the_needs_are_stated(tmp_path: Path, cluster: Path) -> None:
    arranged(tmp_path, at_once=1, gpus=1, memory_gib=8.0)
    script = tmp_path / "out" / "maquette.sbatch"
    for path in (script, tmp_path / "out" / "submit.sh"):
        subprocess.run(["bash", "-n", path], check=True)
    options = [line.removeprefix("#SBATCH ") for line in script.read_text().splitlines() if line.startswith("#SBATCH")]
    wanted = ["--requeue", "--signal=B:TERM@120", "--mem=8192M", "--gres=gpu:1", "--cpus-per-task=1", "--time=10"]
    assert set(wanted) < set(options)
    subprocess.run(["sh", tmp_path / "out" / "submit.sh"], check=True)
    start = Path(__file__).parents[3] / "backend" / "farm" / "start.py"
    said = f"-u {start} run {tmp_path / 'the jobs'}/job {{}} --progress text --patience 30"
    assert cluster.read_text().splitlines() == [
        "sbatch 0 --export=ALL --array=0-1%1 maquette.sbatch", said.format(0), said.format(1),
    ]  # fmt: skip


def test_a_folder_that_has_moved_is_told_by_variables(tmp_path: Path, cluster: Path, monkeypatch) -> None:
    arranged(tmp_path, count=1)
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    monkeypatch.setenv("MAQUETTE_JOBS", "/farm/jobs")
    monkeypatch.setenv("MAQUETTE_ROOT", "/farm/maquette")
    subprocess.run(["sh", tmp_path / "elsewhere" / "submit.sh"], check=True)
    assert "/farm/maquette/backend/farm/start.py run /farm/jobs/job 0" in cluster.read_text()


def test_more_jobs_than_an_array_takes_are_split(tmp_path: Path) -> None:
    text = slurm._submit(2 * slurm.TASKS + 1, 0)
    arrays = [line.split(" --")[0] + line.partition("--array")[2] for line in text.splitlines() if "sbatch" in line]
    assert arrays == [
        "MAQUETTE_FIRST=0 sbatch=0-999 maquette.sbatch",
        "MAQUETTE_FIRST=1000 sbatch=0-999 maquette.sbatch",
        "MAQUETTE_FIRST=2000 sbatch=0-0 maquette.sbatch",
    ]


def test_the_end_of_the_time_is_told_to_the_job_which_is_requeued(tmp_path: Path, cluster: Path) -> None:
    arranged(tmp_path, count=1)
    wait = Path(f"{cluster}.wait")
    wait.touch()
    environment = {"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_JOB_ID": "7", "MAQUETTE_FIRST": "0"}
    environment["MAQUETTE_FARM"] = str(tmp_path / "out")
    script = subprocess.Popen(["bash", tmp_path / "out" / "maquette.sbatch"], env=os.environ | environment)
    try:
        while not cluster.exists():
            assert script.poll() is None
            time.sleep(0.01)
        script.send_signal(signal.SIGTERM)
        assert script.wait(60) == 4
    finally:
        wait.unlink()
        script.kill()
    assert cluster.read_text().splitlines()[1:] == ["told", "scontrol requeue 7_0"]
