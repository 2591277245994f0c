"""Where each parameter is safe: a coarse grid first, then bisection at the edges.

The safe range is the stretch of examined values without an unsafe one between them that holds the
value in force, or, where that is unsafe itself, the nearest such stretch. Safety need not be
monotone (a bonus may be too small as well as too large), which is why the grid comes first; what
lies between two neighbouring points of the grid is not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.audit.draws import Draw
from harness.audit.lever import Lever
from harness.audit.trials import Evaluation, Evaluator
from harness.errors import ScenarioError
from harness.scenario import Scenario, checked

__all__ = ["Point", "SafeRange", "candidate", "safe_ranges"]

_GRID = (0.0, 1 / 3, 2 / 3, 1.0)


@dataclass(frozen=True)
class Point:
    """A value that was tried.

    share: expected shortfall / what is supplied; None if it could not be run, and ``error`` why
    """

    value: float
    passes: bool
    share: float | None
    borrowed_usd: float | None
    efficiency: float | None
    error: str


@dataclass(frozen=True)
class SafeRange:
    """What was tried of a parameter, and the stretch of it that is safe.

    low, high: its ends, None where no value tried is safe
    low_open, high_open: whether the end is that of the values examined, not a bound
    """

    lever: Lever
    points: tuple[Point, ...]
    present_passes: bool
    low: float | None
    high: float | None
    low_open: bool
    high_open: bool

    @property
    def nearest(self) -> float | None:
        """The safe value nearest to the one in force, itself if it is safe."""
        if self.present_passes:
            return self.lever.value
        safe = [point.value for point in self.points if point.passes]
        return min(safe, key=self.lever.distance) if safe else None


def candidate(scenario: Scenario, lever: Lever, value: float) -> Scenario:
    """The scenario with a parameter at a value. Raises ScenarioError if it cannot be."""
    return checked(lever.change(scenario, value))


def safe_ranges(
    scenario: Scenario,
    levers: Sequence[Lever],
    chosen: Sequence[Draw],
    evaluator: Evaluator,
    limit: float,
) -> tuple[SafeRange, ...]:
    """The safe range of every parameter, one changed at a time, against the draws given.

    limit: the largest expected shortfall / supply that counts as safe
    """
    tried: list[dict[float, Point]] = [{} for _ in levers]
    (present,) = evaluator.evaluate([(scenario, chosen)])
    for lever, points in zip(levers, tried, strict=True):
        points[lever.value] = _point(lever.value, present, limit)
    _try(
        scenario,
        levers,
        tried,
        [[x.at(s) for s in _GRID] for x in levers],
        chosen,
        evaluator,
        limit,
    )
    for _ in range(scenario.audit.steps):
        wanted = [_middles(lever, points) for lever, points in zip(levers, tried, strict=True)]
        _try(scenario, levers, tried, wanted, chosen, evaluator, limit)
    return tuple(_range(lever, points) for lever, points in zip(levers, tried, strict=True))


def _try(
    scenario: Scenario,
    levers: Sequence[Lever],
    tried: Sequence[dict[float, Point]],
    wanted: Sequence[Sequence[float]],
    chosen: Sequence[Draw],
    evaluator: Evaluator,
    limit: float,
) -> None:
    """Runs the wanted values that were not tried yet, all at once."""
    queue: list[tuple[int, float, Scenario]] = []
    for place, (lever, values) in enumerate(zip(levers, wanted, strict=True)):
        for value in dict.fromkeys(values):
            if value in tried[place]:
                continue
            try:
                queue.append((place, value, candidate(scenario, lever, value)))
            except ScenarioError as error:
                tried[place][value] = Point(value, False, None, None, None, str(error))
    found = evaluator.evaluate([(changed, chosen) for _, _, changed in queue])
    for (place, value, _), evaluation in zip(queue, found, strict=True):
        tried[place][value] = _point(value, evaluation, limit)


def _point(value: float, evaluation: Evaluation, limit: float) -> Point:
    figures = evaluation.figures
    failed = evaluation.failures[0].error if evaluation.failures else ""
    if figures is None:
        return Point(value, False, None, None, None, failed)
    return Point(
        value=value,
        passes=not evaluation.failures and not evaluation.violated and evaluation.share <= limit,
        share=evaluation.share,
        borrowed_usd=figures.borrowed_usd,
        efficiency=figures.capital_efficiency,
        error=failed,
    )


def _stretch(lever: Lever, points: dict[float, Point]) -> tuple[list[float], int, int] | None:
    """Values in order, and the first and last place of the safe stretch that counts."""
    values = sorted(points)
    safe = [value for value in values if points[value].passes]
    if not safe:
        return None
    nearest = lever.value if points[lever.value].passes else min(safe, key=lever.distance)
    first = last = values.index(nearest)
    while first > 0 and points[values[first - 1]].passes:
        first -= 1
    while last < len(values) - 1 and points[values[last + 1]].passes:
        last += 1
    return values, first, last


def _middles(lever: Lever, points: dict[float, Point]) -> list[float]:
    """Values half-way between each end of the safe stretch and its unsafe neighbour."""
    found = _stretch(lever, points)
    if found is None:
        return []
    values, first, last = found
    middles = []
    if first > 0:
        middles.append(lever.between(values[first - 1], values[first]))
    if last < len(values) - 1:
        middles.append(lever.between(values[last], values[last + 1]))
    return middles


def _range(lever: Lever, points: dict[float, Point]) -> SafeRange:
    found = _stretch(lever, points)
    ordered = tuple(points[value] for value in sorted(points))
    passes = points[lever.value].passes
    if found is None:
        return SafeRange(lever, ordered, passes, None, None, False, False)
    values, first, last = found
    return SafeRange(
        lever=lever,
        points=ordered,
        present_passes=passes,
        low=values[first],
        high=values[last],
        low_open=first == 0,
        high_open=last == len(values) - 1,
    )
