"""Where trials run: this process, a pool of them, or a Dask cluster, all of them behind
``concurrent.futures``.

Engines do not pickle and must not cross threads, so a trial opens its own and returns data only.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

from harness.errors import ScenarioError

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")
P = ParamSpec("P")

DASK = "dask:"


class Pool(NamedTuple):
    """An executor, and how many tasks to give it at a time: a few more than it has workers, so
    that none of them waits for whoever submits."""

    executor: Executor
    window: int


class Workers(Protocol):
    """Where trials may run."""

    def open(self) -> AbstractContextManager[Pool | None]:
        """A pool to submit to while the context lasts; None: this process.

        It may be opened again after it broke. Raises ScenarioError if it cannot be reached.
        """


@dataclass(frozen=True, slots=True)
class LocalWorkers:
    """Processes on this machine; one of them is this process."""

    count: int

    def open(self) -> AbstractContextManager[Pool | None]:
        """See `Workers.open`."""
        return _local(self.count) if self.count > 1 else nullcontext()


@contextmanager
def _local(count: int) -> Iterator[Pool]:
    # spawn, because a forked child would share the parent's threads and engines
    context = multiprocessing.get_context("spawn")
    leash, held = context.Pipe(duplex=False)
    pool = _Processes(count, mp_context=context, initializer=_follow, initargs=(leash,))
    with leash, held:
        try:
            yield Pool(pool, 2 * count)
        except BaseException:
            held.close()  # nobody wants what is under way, perhaps for minutes
            raise
        finally:
            pool.shutdown()


class _Processes(ProcessPoolExecutor):
    """Processes that never see an interrupt: it is the parent's to answer.

    A process is started with the signals held back that are held back where it is started, so that
    none ends by an interrupt before it can ignore them.
    """

    def submit(
        self, fn: Callable[P, Outcome], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[Outcome]:
        with _interrupts_held_back():
            return super().submit(fn, *args, **kwargs)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    if sys.platform == "win32":  # has no such thing
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _follow(leash: connection.Connection) -> None:
    """Leaves it to the parent when a worker ends: it has the other end of the leash, and lets go
    when it wants no more rows, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_wait_and_end, args=(leash,), daemon=True).start()


def _wait_and_end(leash: connection.Connection) -> None:
    connection.wait([leash])
    os._exit(1)


@dataclass(frozen=True, slots=True)
class DaskWorkers:
    """A Dask cluster by its scheduler's address; the cluster says how many workers there are.

    Give its workers a thread each: an engine holds Python's lock. Dask runs a trial again whose
    worker died.
    """

    address: str

    @contextmanager
    def open(self) -> Iterator[Pool]:
        """See `Workers.open`."""
        try:
            import distributed
        except ImportError as error:
            allowed = "local; Dask needs `pip install 'liquidation-harness[dask]'`"
            raise ScenarioError("--executor", DASK + self.address, allowed) from error
        connect: Any = distributed.Client
        # it logs what it raises as well, with a traceback
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        try:
            client = connect(self.address, timeout=10)
        except (OSError, ValueError) as error:
            allowed = f"the address of a Dask scheduler that answers ({_line(error)})"
            raise ScenarioError("--executor", DASK + self.address, allowed) from error
        try:
            try:
                client.wait_for_workers(1, timeout=10)
            except TimeoutError as error:
                allowed = "a Dask cluster with workers (none came within 10 s)"
                raise ScenarioError("--executor", DASK + self.address, allowed) from error
            threads = sum(client.nthreads().values())
            yield Pool(client.get_executor(), max(16, 4 * threads))
        finally:
            client.close()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def choose_workers(executor: str = "local", count: int | None = None) -> Workers:
    """Workers by the text of ``--executor`` and the number of ``--workers``.

    Raises ScenarioError for an executor there is not.
    """
    if executor == "local":
        return LocalWorkers(count or os.cpu_count() or 1)
    if executor.startswith(DASK) and len(executor) > len(DASK):
        if count is not None:
            raise ScenarioError("--workers", count, "left out: the Dask cluster has its workers")
        return DaskWorkers(executor.removeprefix(DASK))
    raise ScenarioError("--executor", executor, "local, or dask:ADDRESS of a scheduler")


@contextmanager
def local_executor(tasks: int, workers: int | None = None) -> Iterator[Executor | None]:
    """A pool of processes, as many as there are cores by default; None if one would do."""
    with LocalWorkers(min(tasks, workers or os.cpu_count() or 1)).open() as pool:
        yield pool and pool.executor


def run_all(
    executor: Executor | None,
    function: Callable[[Task], Outcome],
    tasks: Sequence[Task],
    done: Callable[[int], None] | None = None,
) -> list[Outcome]:
    """The outcomes of all tasks in their order, whatever the order in which they finish.

    ``done`` is told how many have finished. What a task raises is raised here; the tasks that have
    not finished by then are left to whoever opened the executor. None is cancelled: a process pool
    that breaks while it holds cancelled tasks forgets to end its processes (Python 3.11 and 3.12).
    """
    if executor is None:
        outcomes = []
        for count, task in enumerate(tasks, 1):
            outcomes.append(function(task))
            if done is not None:
                done(count)
        return outcomes
    futures = [executor.submit(function, task) for task in tasks]
    for count, future in enumerate(as_completed(futures), 1):
        future.result()
        if done is not None:
            done(count)
    return [future.result() for future in futures]
