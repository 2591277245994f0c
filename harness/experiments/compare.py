"""Remedies beside each other: the same seeds, the same draws, with and without.

Every remedied scenario runs with every seed that the scenario as it is runs with. Random draws are
keyed by what they are for, so the runs of one seed have their prices, borrowers and luck in common,
and a difference is the remedy's. Differences are taken seed by seed, and their mean has a bootstrap
interval.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from harness.experiments.contagion import contagion
from harness.experiments.pool import run_all
from harness.metrics.outcome import FIGURES, Outcome, outcome
from harness.metrics.summary import vacuous
from harness.mitigations import remedied
from harness.risk.intervals import Interval, bootstrap_mean
from harness.run import run
from harness.scenario import WAD, Scenario

BASELINE = "as it is"


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a comparison."""

    name: str
    scenario: Scenario
    seed: int
    engine: str | None
    contagion: bool = False


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What a trial came to; ``failed`` names the invariants it violated, ``vacuous`` says why it
    proved nothing, and is empty where it did."""

    name: str
    seed: int
    digest: str
    outcome: Outcome
    failed: tuple[str, ...]
    vacuous: str
    matrix: Mapping[str, Mapping[str, int]] | None = None
    """The contagion matrix in USD WAD, where it was asked for."""


@dataclass(frozen=True)
class Comparison:
    """Every trial, and for each remedy and figure its level and its difference to the baseline.

    ``origin`` is what names the scenario on the command line, empty where it did not come from
    there. ``levels`` and ``differences`` hold None where no seed, or no pair, has the figure.
    """

    scenario: str
    origin: str
    seeds: tuple[int, ...]
    names: tuple[str, ...]
    trials: tuple[TrialResult, ...]
    levels: Mapping[str, Mapping[str, Interval | None]]
    differences: Mapping[str, Mapping[str, Interval | None]]

    @property
    def contagion(self) -> dict[str, dict[str, dict[str, Interval]]] | None:
        """By remedy, venue i and venue j the entry of the contagion matrix over all seeds, USD;
        None where it was not asked for."""
        if any(trial.matrix is None for trial in self.trials):
            return None
        found: dict[str, dict[str, dict[str, Interval]]] = {}
        for name in self.names:
            matrices = [t.matrix for t in self.trials if t.name == name and t.matrix is not None]
            found[name] = {
                i: {
                    j: bootstrap_mean([m[i][j] / WAD for m in matrices], name=f"contagion/{i}/{j}")
                    for j in matrices[0]
                }
                for i in matrices[0]
            }
        return found

    @property
    def sound(self) -> bool:
        """Whether no trial violated an invariant."""
        return not any(trial.failed for trial in self.trials)

    @property
    def command(self) -> str | None:
        """The command that repeats it; None for a scenario made in Python."""
        if not self.origin:
            return None
        remedies = shlex.quote(",".join(self.names[1:]))
        seeds = f"--seed {self.seeds[0]} --seeds {len(self.seeds)}"
        more = " --contagion" if self.contagion is not None else ""
        return f"harness compare {self.origin} --mitigations {remedies} {seeds}{more}"

    def as_json(self) -> dict[str, Any]:
        """The comparison as one JSON object; intervals as [mean, low, high] or null."""

        def table(rows: Mapping[str, Mapping[str, Interval | None]]) -> dict[str, Any]:
            return {
                name: {figure: cell and list(cell) for figure, cell in cells.items()}
                for name, cells in rows.items()
            }

        return {
            "schema": 1,
            "scenario": self.scenario,
            "command": self.command,
            "seeds": list(self.seeds),
            "mitigations": list(self.names[1:]),
            "levels": table(self.levels),
            "differences": table(self.differences),
            "contagion": self.contagion
            and {name: table(matrix) for name, matrix in self.contagion.items()},
            "trials": [
                {
                    "mitigation": trial.name,
                    "seed": trial.seed,
                    "digest": trial.digest,
                    "violated": list(trial.failed),
                    "vacuous": trial.vacuous or None,
                    **trial.outcome.figures(),
                }
                for trial in self.trials
            ],
        }


def run_trial(trial: Trial) -> TrialResult:
    """Runs one trial on an engine of its own."""
    result = run(trial.scenario, trial.seed, trial.engine)
    if trial.contagion:
        result = result.with_contagion(contagion(result))
    checks = result.summary["checks"]
    return TrialResult(
        name=trial.name,
        seed=trial.seed,
        digest=result.summary["digest"],
        outcome=outcome(result),
        failed=tuple(name for name, holds in checks["invariants"].items() if not holds),
        vacuous=vacuous(result.run, trial.scenario) or "",
        matrix=None if result.contagion is None else result.contagion.matrix(),
    )


def compare(
    scenario: Scenario,
    mitigations: Sequence[str],
    seeds: Sequence[int],
    *,
    engine: str | None = None,
    with_contagion: bool = False,
    executor: Executor | None = None,
    done: Callable[[int], None] | None = None,
) -> Comparison:
    """Runs a scenario as it is and with each remedy (``a``, or stacked ``a+b``), with every seed.

    with_contagion: measure in every trial what each link between venues carried

    Raises:
        ScenarioError: a remedy is not known, or leaves no valid scenario.
        EngineError: an engine failed.
    """
    variants = [(BASELINE, scenario)]
    variants += [(names, remedied(scenario, names)) for names in mitigations]
    trials = [
        Trial(name, changed, seed, engine, with_contagion)
        for name, changed in variants
        for seed in seeds
    ]
    results = run_all(executor, run_trial, trials, done)
    by_name: dict[str, dict[int, Outcome]] = {}
    for result in results:
        by_name.setdefault(result.name, {})[result.seed] = result.outcome
    names = tuple(name for name, _ in variants)
    return Comparison(
        scenario=scenario.name,
        origin=scenario.origin,
        seeds=tuple(seeds),
        names=names,
        trials=tuple(results),
        levels={name: _levels(by_name[name].values()) for name in names},
        differences={name: _differences(by_name[name], by_name[BASELINE]) for name in names[1:]},
    )


def _levels(outcomes: Any) -> dict[str, Interval | None]:
    rows = [each.figures() for each in outcomes]
    return {figure: _interval([row[figure] for row in rows], figure) for figure in FIGURES}


def _differences(
    remedied_runs: Mapping[int, Outcome], baseline: Mapping[int, Outcome]
) -> dict[str, Interval | None]:
    cells: dict[str, Interval | None] = {}
    pairs = [(remedied_runs[seed].figures(), baseline[seed].figures()) for seed in baseline]
    for figure in FIGURES:
        changes: list[float | int | None] = []
        for with_, without in pairs:
            one, other = with_[figure], without[figure]
            changes.append(None if one is None or other is None else one - other)
        cells[figure] = _interval(changes, figure)
    return cells


def _interval(values: Sequence[float | int | None], figure: str) -> Interval | None:
    """Only if every seed has the figure: a mean over those that recovered would flatter."""
    known = [float(value) for value in values if value is not None]
    return bootstrap_mean(known, name=figure) if known and len(known) == len(values) else None
