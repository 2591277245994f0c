"""Conformance kit for workers: where the trials of a sweep run.

Subclass it and say how to make them:

    class TestMyWorkers(WorkersConformance):
        @pytest.fixture
        def make_workers(self):
            return MyWorkers

Trials run the built-in scenario ``calm`` for a few blocks. Rows must be those of this process,
whatever the workers do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from harness.experiments.pool import Workers
from harness.experiments.runner import Runner
from harness.experiments.trial import Trial, TrialRow, make_trials
from harness.scenario import load_scenario

__all__ = ["MakeWorkers", "WorkersConformance"]

MakeWorkers = Callable[[], Workers]

SEEDS = 5


@cache
def kit_trials() -> list[Trial]:
    """Trials that differ in seed and length, and last one that cannot be set up."""
    lengths = ["clock.blocks=4", "clock.blocks=6"]
    found = [
        trial
        for length in lengths
        for trial in make_trials(load_scenario("calm", [length]), range(SEEDS))
    ]
    refused = load_scenario("calm", ["clock.blocks=4", "venue.aave.asset.DAI.borrow_cap=1"])
    return [*found, *make_trials(refused, [0])]


@cache
def kit_rows() -> list[TrialRow]:
    """The rows of this process."""
    with Runner() as runner:
        return runner.run(kit_trials())


class WorkersConformance:
    """What every kind of workers must do."""

    @pytest.fixture
    def make_workers(self) -> MakeWorkers:
        """Override: a callable that gives workers."""
        raise NotImplementedError

    def test_rows_are_those_of_this_process_in_the_order_asked_for(
        self, make_workers: MakeWorkers
    ) -> None:
        with Runner(make_workers()) as runner:
            assert runner.run(kit_trials()) == kit_rows()
            assert runner.run(kit_trials()[::-1]) == kit_rows()[::-1]

    def test_a_trial_that_fails_is_a_row_with_its_reason(self, make_workers: MakeWorkers) -> None:
        with Runner(make_workers()) as runner:
            (row,) = runner.run(kit_trials()[-1:])
        assert row.status == "failed"
        assert "borrow_cap" in (row.error or "")

    def test_every_trial_is_told_once_when_it_is_done(self, make_workers: MakeWorkers) -> None:
        told: list[int] = []
        with Runner(make_workers()) as runner:
            runner.run([*kit_trials(), kit_trials()[0]], told.append)
        assert told == list(range(1, len(kit_trials()) + 1)), "a trial asked for twice runs once"

    def test_workers_can_be_opened_again(self, make_workers: MakeWorkers) -> None:
        workers = make_workers()
        for _ in range(2):
            with Runner(workers) as runner:
                assert runner.run(kit_trials()[:2]) == kit_rows()[:2]
