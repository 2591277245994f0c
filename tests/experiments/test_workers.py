"""The conformance kit on every kind of workers, and on the smallest one there can be."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from harness.experiments.pool import DaskWorkers, LocalWorkers, Pool
from harness.testing.workers_conformance import MakeWorkers, WorkersConformance


class Threads:
    """Threads of this process: each keeps an engine of its own."""

    @contextmanager
    def open(self) -> Iterator[Pool]:
        with ThreadPoolExecutor(2) as pool:
            yield Pool(pool, 3)


class TestThreads(WorkersConformance):
    @pytest.fixture
    def make_workers(self) -> MakeWorkers:
        return Threads


@pytest.mark.slow
class TestProcesses(WorkersConformance):
    @pytest.fixture
    def make_workers(self) -> MakeWorkers:
        return lambda: LocalWorkers(2)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what Dask says of itself
class TestDask(WorkersConformance):
    @pytest.fixture
    def make_workers(self, cluster: Any) -> MakeWorkers:
        return lambda: DaskWorkers(cluster.scheduler_address)


@pytest.mark.slow
def test_what_goes_wrong_ends_processes_in_mid_task() -> None:
    tasks: list[Future[None]] = []

    def begin_and_fail() -> None:
        with LocalWorkers(2).open() as pool:
            assert pool is not None
            tasks.extend(pool.executor.submit(time.sleep, 30) for _ in range(8))
            while sum(task.running() for task in tasks) < 2:
                time.sleep(0.01)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin_and_fail()
    assert all(isinstance(task.exception(), BrokenExecutor) for task in tasks)
    assert not multiprocessing.active_children()
