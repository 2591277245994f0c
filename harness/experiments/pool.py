"""Where trials run: this process, or a pool of them behind ``concurrent.futures``.

Engines do not pickle and must not cross threads, so a trial opens its own and returns data only.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TypeVar

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


@contextmanager
def local_executor(tasks: int, workers: int | None = None) -> Iterator[Executor | None]:
    """A pool of processes, as many as there are cores by default; None if one would do."""
    count = min(tasks, workers or os.cpu_count() or 1)
    if count < 2:
        yield None
        return
    # spawn, because a forked child would share the parent's threads and engines
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def run_all(
    executor: Executor | None,
    function: Callable[[Task], Outcome],
    tasks: Sequence[Task],
    done: Callable[[int], None] | None = None,
) -> list[Outcome]:
    """The outcomes of all tasks in their order, whatever the order in which they finish.

    ``done`` is told how many have finished. What a task raises is raised here.
    """
    if executor is None:
        outcomes = []
        for count, task in enumerate(tasks, 1):
            outcomes.append(function(task))
            if done is not None:
                done(count)
        return outcomes
    futures = [executor.submit(function, task) for task in tasks]
    try:
        for count, future in enumerate(as_completed(futures), 1):
            future.result()
            if done is not None:
                done(count)
    except BaseException:
        for future in futures:
            future.cancel()
        raise
    return [future.result() for future in futures]
