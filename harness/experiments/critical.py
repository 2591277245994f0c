"""Critical points: the mildest value at which insolvency becomes likely, by bisection over seeds.

Every seed has a critical value of its own, at which its insolvency first exceeds the bound; it is
bracketed on a coarse grid and bisected. The chance of insolvency reaches q at the q-quantile of
these values, whose interval rests on order statistics. Draws are keyed by what they are for, so a
seed has the same prices and borrowers at every value tried.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from harness.errors import ScenarioError
from harness.experiments.design import Point
from harness.experiments.runner import Done, Runner
from harness.experiments.search import Search
from harness.experiments.sweep import PointRows, Sweep, refused
from harness.experiments.trial import Trial, TrialRow, make_trials
from harness.risk.quantiles import quantile_ranks


@dataclass(frozen=True)
class Critical:
    """What a search found at one point of the design.

    value: the mildest value at which P(insolvency above the bound) reaches the chance asked for,
        not milder than it is by more than the tolerance; None if it is not reached in the range
    low, high: interval of its confidence, low < high whichever way is worse; None where seeds are
        too few, or it lies beyond the range
    reached_at_once: the chance is already reached at the mildest value of the range
    chances: (value, seeds with insolvency above the bound, seeds) on the coarse grid, mildest first
    exceptions: (seed, insolvent at, solvent at a worse value): the seeds that are not monotone
    brackets: for each seed the last solvent value and the first insolvent one; None: beyond
    runs: trials that were needed; ``grid_runs``: those of a grid as fine
    undecided: seeds left out because a trial of theirs failed
    """

    point: Point
    value: float | None
    low: float | None
    high: float | None
    reached_at_once: bool
    chances: tuple[tuple[float, int, int], ...]
    exceptions: tuple[tuple[int, float, float], ...]
    brackets: tuple[tuple[int, float | None, float | None], ...]
    runs: int
    grid_runs: int
    undecided: tuple[int, ...]

    @property
    def monotone(self) -> bool:
        """Whether every seed stayed insolvent at worse values of the coarse grid, and so did the
        count of insolvent seeds rise."""
        counts = [share[1] for share in self.chances]
        return not self.exceptions and counts == sorted(counts)

    def as_json(self) -> dict[str, Any]:
        """The finding as a JSON object."""
        return {
            "set": self.point.cells(),
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "reached_at_once": self.reached_at_once,
            "monotone": self.monotone,
            "chances": [
                {"value": value, "insolvent": insolvent, "seeds": seeds}
                for value, insolvent, seeds in self.chances
            ],
            "exceptions": [
                {"seed": seed, "insolvent_at": bad, "solvent_at": good}
                for seed, bad, good in self.exceptions
            ],
            "brackets": [
                {"seed": seed, "solvent": good, "insolvent": bad}
                for seed, good, bad in self.brackets
            ],
            "runs": self.runs,
            "grid_runs": self.grid_runs,
            "undecided": list(self.undecided),
        }


class _Bracket(NamedTuple):
    """Between which values a seed turns: solvent at ``good`` (None: nowhere in the range, it is
    insolvent at its mildest end), insolvent at ``bad`` (None: nowhere). ``known`` is false where a
    trial failed."""

    good: float | None = None
    bad: float | None = None
    known: bool = True


class _Place:
    """The search at one point of the design: what was tried there, and what came out."""

    def __init__(self, sweep: Sweep, search: Search, point: Point) -> None:
        self.point = point
        self.rows: dict[tuple[float, int], TrialRow] = {}
        self.runs = 0
        self._sweep = sweep
        self._search = search
        self._parameter = search.parameter()
        self._trials: dict[float, list[Trial] | ScenarioError] = {}

    def trial(self, value: float, seed: int) -> Trial | ScenarioError:
        """The trial of a value and a seed; or why the value makes no scenario."""
        if value not in self._trials:
            try:
                scenario = self._sweep.scenario_at(self.at(value).overrides)
                self._trials[value] = make_trials(
                    scenario, self._sweep.seeds, self._sweep.engine, twin=False
                )
            except ScenarioError as error:
                self._trials[value] = error
        made = self._trials[value]
        return made if isinstance(made, ScenarioError) else made[self._sweep.seeds.index(seed)]

    def at(self, value: float) -> Point:
        """The design's point with the value that is searched."""
        held: object = round(value) if self._search.whole else value
        return Point(
            (*self.point.values, (self._parameter.label, held)),
            (*self.point.overrides, *self._parameter.sets(held)),
        )

    def insolvent(self, value: float, seed: int) -> bool | None:
        """Whether a seed is insolvent at a value; None if its trial failed."""
        row = self.rows[value, seed]
        bps = row.figures.get("insolvency_bps") if row.status == "complete" else None
        return None if bps is None else bps > self._search.above_bps

    def groups(self, grid: Sequence[float]) -> Iterator[PointRows]:
        """Every value that was tried with the rows of its seeds, mildest first."""
        for value in sorted({value for value, _ in self.rows}, reverse=grid[0] > grid[-1]):
            rows = [self.rows.get((value, seed)) for seed in self._sweep.seeds]
            yield PointRows(self.at(value), tuple(row for row in rows if row is not None))


def most_runs(sweep: Sweep, search: Search) -> int:
    """How many trials a search needs at most."""
    return len(sweep.points) * len(sweep.seeds) * (len(_grid(search)) + _halvings(search))


def _grid(search: Search) -> list[float]:
    """The coarse grid, mildest first."""
    found = search.parameter().grid()
    values = [float(value) for value in found if isinstance(value, int | float)]
    if len(values) < len(found):
        raise TypeError(f"{search.parameter().name}: a search needs numbers")
    return values if search.larger_is_worse else values[::-1]


def _halvings(search: Search) -> int:
    grid = _grid(search)
    most = 0
    for good, bad in pairwise(grid):
        count, bracket = 0, _Bracket(good, bad)
        while (middle := _middle(search, bracket)) is not None:
            count, bracket = count + 1, _Bracket(good, middle)
        most = max(most, count)
    return most


def _middle(search: Search, bracket: _Bracket) -> float | None:
    """The value to try next; None once the bracket is narrow enough, or open."""
    good, bad, known = bracket
    if good is None or bad is None or not known:
        return None
    if search.whole:
        return float((good + bad) // 2) if abs(good - bad) > max(1.0, search.tolerance) else None
    if search.spacing == "log":
        narrow = search.tolerance * min(good, bad)
        middle = math.sqrt(good) * math.sqrt(bad)
    else:
        narrow, middle = search.tolerance, (good + bad) / 2
    inside = min(good, bad) < middle < max(good, bad)
    return middle if abs(good - bad) > narrow and inside else None


def _grid_as_fine(search: Search) -> int:
    """Values of a grid over the whole range whose steps are the tolerance."""
    if search.spacing == "log" and not search.whole:
        return math.ceil(math.log(search.high / search.low) / math.log1p(search.tolerance)) + 1
    step = max(1.0, search.tolerance) if search.whole else search.tolerance
    return math.ceil((search.high - search.low) / step) + 1


def require_a_scenario(sweep: Sweep, search: Search) -> None:
    """Raises the first ScenarioError if no value of the coarse grid makes a scenario anywhere."""
    first: ScenarioError | None = None
    for point in sweep.points:
        place = _Place(sweep, search, point)
        for value in _grid(search):
            trial = place.trial(value, sweep.seeds[0])
            if not isinstance(trial, ScenarioError):
                return
            first = first or trial
    if first is not None:
        raise first


def find_critical(
    sweep: Sweep, search: Search, runner: Runner, done: Done | None = None
) -> tuple[tuple[Critical, ...], tuple[PointRows, ...]]:
    """The critical value at each point of a sweep, and every trial that led there.

    done: told after each trial how many are done

    Raises EngineError if the workers cannot be used.
    """
    places = [_Place(sweep, search, point) for point in sweep.points]
    finished = 0

    def run(wanted: Sequence[tuple[_Place, float, int]]) -> None:
        nonlocal finished
        trials: list[Trial] = []
        owners: list[tuple[_Place, float, int]] = []
        for place, value, seed in wanted:
            trial = place.trial(value, seed)
            if isinstance(trial, ScenarioError):
                place.rows[value, seed] = refused(seed, trial)
            else:
                trials.append(trial)
                owners.append((place, value, seed))
        start = finished
        rows = runner.run(trials, None if done is None else lambda count: done(start + count))
        for (place, value, seed), row in zip(owners, rows, strict=True):
            place.rows[value, seed] = row
            place.runs += 1
        finished += len(trials)

    grid = _grid(search)
    run([(place, value, seed) for place in places for value in grid for seed in sweep.seeds])
    brackets = {
        (place, seed): _bracket(place, grid, seed) for place in places for seed in sweep.seeds
    }
    while wanted := [
        (place, middle, seed)
        for (place, seed), bracket in brackets.items()
        if (middle := _middle(search, bracket)) is not None
    ]:
        run(wanted)
        for place, middle, seed in wanted:
            brackets[place, seed] = _halved(brackets[place, seed], middle, place, seed)
    found = [
        _finding(place, search, grid, {seed: brackets[place, seed] for seed in sweep.seeds})
        for place in places
    ]
    return tuple(found), tuple(group for place in places for group in place.groups(grid))


def _bracket(place: _Place, grid: Sequence[float], seed: int) -> _Bracket:
    """The mildest bracket of the coarse grid."""
    verdicts = [place.insolvent(value, seed) for value in grid]
    if None in verdicts:
        return _Bracket(known=False)
    if True not in verdicts:
        return _Bracket(good=grid[-1])
    at = verdicts.index(True)
    return _Bracket(grid[at - 1] if at else None, grid[at])


def _halved(bracket: _Bracket, middle: float, place: _Place, seed: int) -> _Bracket:
    verdict = place.insolvent(middle, seed)
    if verdict is None:
        return _Bracket(known=False)
    return bracket._replace(bad=middle) if verdict else bracket._replace(good=middle)


def _finding(
    place: _Place, search: Search, grid: Sequence[float], brackets: Mapping[int, _Bracket]
) -> Critical:
    """The quantile of the seeds' critical values, with its interval."""
    sign = 1.0 if search.larger_is_worse else -1.0
    known = sorted(
        (bracket for bracket in brackets.values() if bracket.known),
        key=lambda bracket: math.inf if bracket.bad is None else sign * bracket.bad,
    )
    rank = math.ceil(search.chance * len(known) - 1e-9)
    at = known[rank - 1] if known else _Bracket()
    mild_rank, severe_rank = quantile_ranks(len(known), search.chance, search.level)
    mild = known[mild_rank - 1] if mild_rank else _Bracket()
    severe = known[severe_rank - 1] if severe_rank else _Bracket()
    ends = (mild.good if mild.bad is not None else None, severe.bad)
    low, high = ends if search.larger_is_worse else ends[::-1]
    decided = [seed for seed, bracket in brackets.items() if bracket.known]
    return Critical(
        point=place.point,
        value=at.bad,
        low=low,
        high=high,
        reached_at_once=at.bad is not None and at.good is None,
        chances=tuple(
            (value, sum(bool(place.insolvent(value, seed)) for seed in decided), len(decided))
            for value in grid
        ),
        exceptions=tuple(_exceptions(place, grid, decided)),
        brackets=tuple((seed, brackets[seed].good, brackets[seed].bad) for seed in decided),
        runs=place.runs,
        grid_runs=len(brackets) * _grid_as_fine(search),
        undecided=tuple(seed for seed, bracket in brackets.items() if not bracket.known),
    )


def _exceptions(
    place: _Place, grid: Sequence[float], seeds: Sequence[int]
) -> Iterator[tuple[int, float, float]]:
    """Seeds that are insolvent at a value of the grid and solvent at a worse one."""
    for seed in seeds:
        bad: float | None = None
        for value in grid:
            insolvent = place.insolvent(value, seed)
            if bad is not None and not insolvent:
                yield seed, bad, value
                break
            if insolvent and bad is None:
                bad = value
