"""Runs of an audit: every candidate against the same draws, on a pool of processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from harness.audit.draws import Draw, crisis
from harness.errors import EngineError, HarnessError
from harness.experiments.pool import run_all
from harness.risk.figures import LEVELS, RiskFigures, RunRecord, risk_figures, run_record
from harness.scenario import BPS, Scenario

__all__ = ["Evaluation", "Evaluator", "Trial", "TrialFailure", "run_trial"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One run to make: a scenario with a draw's crisis."""

    scenario: Scenario
    draw: Draw
    engine: str | None


@dataclass(frozen=True, slots=True)
class TrialFailure:
    """A run that could not be made, and why; a row like any other."""

    seed: int
    error: str


@dataclass(frozen=True)
class Evaluation:
    """What a candidate came to in one class of crises.

    failures: runs that could not be made; with any, the candidate cannot pass
    figures: of the runs that could, None if none could
    """

    scenario: Scenario
    draws: tuple[Draw, ...]
    records: tuple[RunRecord, ...]
    failures: tuple[TrialFailure, ...]
    figures: RiskFigures | None

    @property
    def shortfall_usd(self) -> float:
        """Expected shortfall of insolvency at the audit's level."""
        if self.figures is None:
            return float("inf")
        return self.figures.at(self.scenario.audit.level).expected_shortfall.value

    @property
    def share(self) -> float:
        """Expected shortfall as a share of what is supplied; infinite if no run could be made."""
        if self.figures is None or not self.figures.supplied_usd:
            return float("inf")
        return self.shortfall_usd / self.figures.supplied_usd

    @property
    def liquidations(self) -> int:
        """Over all runs."""
        return sum(each.liquidations for each in self.records)

    @property
    def violated(self) -> tuple[str, ...]:
        """Invariants that a run violated."""
        return tuple(sorted({name for each in self.records for name in each.violated}))

    @property
    def passes(self) -> bool:
        """Whether the appetite is met by every run that was asked for, and books balance."""
        return (
            not self.failures
            and not self.violated
            and self.share * BPS <= self.scenario.audit.appetite_bps
        )


def run_trial(trial: Trial) -> RunRecord | TrialFailure:
    """Runs one trial on an engine of its own. Raises EngineError if the engine fails."""
    try:
        return run_record(crisis(trial.scenario, trial.draw), trial.draw.seed, trial.engine)
    except EngineError:
        raise
    except HarnessError as error:
        return TrialFailure(trial.draw.seed, str(error))


class Evaluator:
    """Runs candidates and counts the runs; what was run before is not run again.

    progress: told how many runs are done and how many are known to come
    """

    def __init__(
        self,
        engine: str | None,
        executor: Executor | None,
        *,
        expected: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._engine = engine
        self._executor = executor
        self._expected = expected
        self._progress = progress
        self._known: dict[tuple[Scenario, Draw], RunRecord | TrialFailure] = {}
        self.runs = 0

    def evaluate(self, candidates: Sequence[tuple[Scenario, Sequence[Draw]]]) -> list[Evaluation]:
        """Every candidate with its draws, all in one go."""
        wanted = [(scenario, draw) for scenario, chosen in candidates for draw in chosen]
        missing = [key for key in dict.fromkeys(wanted) if key not in self._known]
        trials = [Trial(scenario, draw, self._engine) for scenario, draw in missing]
        before, total = self.runs, max(self._expected, self.runs + len(trials))
        told = self._progress
        done = None if told is None else lambda count: told(before + count, total)
        found = run_all(self._executor, run_trial, trials, done)
        self._known |= dict(zip(missing, found, strict=True))
        self.runs += len(trials)
        return [self._evaluation(scenario, chosen) for scenario, chosen in candidates]

    def _evaluation(self, scenario: Scenario, chosen: Sequence[Draw]) -> Evaluation:
        made: list[tuple[Draw, RunRecord]] = []
        failures = []
        for draw in chosen:
            outcome = self._known[scenario, draw]
            if isinstance(outcome, TrialFailure):
                failures.append(outcome)
            else:
                made.append((draw, outcome))
        records = tuple(outcome for _, outcome in made)
        level = scenario.audit.level
        figures = (
            risk_figures(
                records,
                tuple(sorted({*LEVELS, level})),
                [draw.weight for draw, _ in made],
                [draw.stratum for draw, _ in made],
            )
            if made
            else None
        )
        return Evaluation(
            scenario, tuple(draw for draw, _ in made), records, tuple(failures), figures
        )
