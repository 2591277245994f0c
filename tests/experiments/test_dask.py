"""A sweep on a Dask cluster, with a worker killed in its middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.errors import EngineError, ScenarioError
from harness.experiments.pool import DaskWorkers
from harness.experiments.runner import Runner
from harness.experiments.store import Store
from harness.experiments.sweep import Sweep, run_sweep


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what Dask says of itself
def test_a_cluster_gives_the_rows_of_one_process_though_a_worker_is_killed(
    cluster: Any, crash: Sweep, tmp_path: Path
) -> None:
    with Runner() as here:
        expected = run_sweep(crash, here)
    distributed = pytest.importorskip("distributed")
    with distributed.Client(cluster) as client:
        pids = list(client.run(os.getpid).values())
    store = Store(tmp_path)
    keys = [trial.key for trial in crash.trials()]
    killed = threading.Event()

    def kill_one_in_the_middle() -> None:
        while store.count(keys) < 3:
            time.sleep(0.005)
        os.kill(pids[0], signal.SIGKILL)
        killed.set()

    killer = threading.Thread(target=kill_one_in_the_middle)
    killer.start()
    with Runner(DaskWorkers(cluster.scheduler_address), store) as runner:
        assert run_sweep(crash, runner) == expected
    killer.join()
    assert killed.is_set()
    assert store.count(keys) == len(keys)


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = DaskWorkers("tcp://127.0.0.1:9")
    with pytest.raises(ScenarioError, match="a Dask scheduler that answers"), workers.open():
        pass


def start(program: str, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """A scheduler or workers of a cluster that meets in a file of this folder."""
    file = str(folder / "scheduler.json")
    command = [sys.executable, "-m", f"distributed.cli.{program}", "--scheduler-file", file]
    return subprocess.Popen(
        [*command, "--no-dashboard", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(harness.__file__).parents[1])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what Dask says of itself
def test_what_a_killed_scheduler_leaves_is_gone_on_with(crash: Sweep, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    scheduler = start("dask_scheduler", tmp_path, "--host", "127.0.0.1", "--port", "0")
    while not (tmp_path / "scheduler.json").exists():
        time.sleep(0.05)
    workers = start("dask_worker", tmp_path, "--nthreads", "1", "--death-timeout", "60")
    store, keys = Store(tmp_path / "trials"), [trial.key for trial in crash.trials()]

    def kill_it_in_the_middle() -> None:
        while store.count(keys) < 3:
            time.sleep(0.005)
        scheduler.kill()

    killer = threading.Thread(target=kill_it_in_the_middle)
    try:
        address = json.loads((tmp_path / "scheduler.json").read_text())["address"]
        with Runner(DaskWorkers(address), store) as runner:
            killer.start()
            with pytest.raises(EngineError, match="cannot be reached any more"):
                run_sweep(crash, runner)
    finally:
        scheduler.kill()
        workers.terminate()
        scheduler.wait()
        workers.wait()
    killer.join()
    assert 3 <= store.count(keys) < len(keys)
    with Runner() as alone:
        expected = run_sweep(crash, alone)
    with Runner(store=store) as here:
        assert run_sweep(crash, here) == expected
