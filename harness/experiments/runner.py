"""Runs trials on workers, keeps what is finished, and goes on when a worker dies."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from harness.errors import EngineError
from harness.experiments.pool import Pool, Workers
from harness.experiments.store import Store
from harness.experiments.trial import Trial, TrialRow, failed, run_trial

Done = Callable[[int], None]
Finish = Callable[[TrialRow, bool], None]


class Runner:
    """Runs lists of trials; a context manager, because it may hold a pool of processes.

    workers: where trials run; by default in this process
    store: keeps finished rows, and has those that need not run again

    A worker that dies takes no other trial with it: the pool is opened again, and the trials that
    were under way run one at a time; one whose worker dies again is a row that says so, and is not
    kept, so that the next call tries it again.
    """

    def __init__(self, workers: Workers | None = None, store: Store | None = None) -> None:
        self._workers = workers
        self.store = store
        self._stack = ExitStack()
        self._pool: Pool | None = None

    def __enter__(self) -> Self:
        self._pool = self._stack.enter_context(self._workers.open()) if self._workers else None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, exception, traceback)

    def _reopen(self) -> Pool:
        self._stack.close()
        self.__enter__()
        if self._pool is None:
            raise EngineError("the workers cannot be reached any more")
        return self._pool

    def run(self, trials: Sequence[Trial], done: Done | None = None) -> list[TrialRow]:
        """The rows of these trials, in their order, whatever the order in which they finish.

        done: told after each trial how many rows there are

        Raises EngineError if a worker runs other code, or workers cannot be reached any more.
        """
        rows: dict[str, TrialRow] = {}
        waiting: deque[Trial] = deque()
        unique = {trial.key: trial for trial in trials}.values()
        # seed by seed: trials of one seed have most of their set-up in common, which workers keep
        for trial in sorted(unique, key=lambda trial: trial.seed):
            row = self.store.get(trial.key) if self.store else None
            if row is None:
                waiting.append(trial)
            else:
                rows[trial.key] = row

        def finish(row: TrialRow, keep: bool) -> None:
            if keep and self.store:
                self.store.put(row)
            rows[row.key] = row
            if done is not None:
                done(len(rows))

        if self._pool is None:
            for trial in waiting:
                finish(run_trial(trial), True)
        else:
            self._run_on(self._pool, waiting, finish)
        return [rows[trial.key] for trial in trials]

    def _run_on(self, pool: Pool, waiting: deque[Trial], finish: Finish) -> None:
        under_way: dict[Future[TrialRow], Trial] = {}
        while waiting or under_way:
            while waiting and len(under_way) < pool.window:
                trial = waiting.popleft()
                under_way[_submit(pool, trial)] = trial
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                if not _broken(future):
                    _take(under_way.pop(future), future, finish)
            if any(_broken(future) for future in under_way if future.done()):
                pool = self._one_by_one(list(under_way.values()), finish)
                under_way.clear()

    def _one_by_one(self, suspects: Sequence[Trial], finish: Finish) -> Pool:
        """Runs each trial alone, on a pool opened again; returns the pool to go on with."""
        pool = self._reopen()
        for trial in suspects:
            future = _submit(pool, trial)
            wait([future])
            if _broken(future):
                finish(failed(trial, "its worker process died, twice"), False)
                pool = self._reopen()
            else:
                _take(trial, future, finish)
        return pool


def _submit(pool: Pool, trial: Trial) -> Future[TrialRow]:
    try:
        return pool.executor.submit(run_trial, trial)
    except BrokenExecutor as error:  # told to whoever waits for the trial
        future: Future[TrialRow] = Future()
        future.set_exception(error)
        return future


def _broken(future: Future[TrialRow]) -> bool:
    return not future.cancelled() and isinstance(future.exception(), BrokenExecutor)


def _take(trial: Trial, future: Future[TrialRow], finish: Finish) -> None:
    """Takes in a finished trial; what a worker could not even say is a row too."""
    try:
        row = future.result()
    except EngineError:
        raise
    except CancelledError as error:
        raise EngineError("the workers cannot be reached any more") from error
    except Exception as error:  # noqa: BLE001 - a worker that died, or could not load the trial
        finish(failed(trial, error), False)
    else:
        finish(row, True)
