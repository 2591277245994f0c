"""A sweep on a Dask cluster, with a worker killed in its middle."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ScenarioError
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
