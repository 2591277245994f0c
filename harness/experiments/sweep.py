"""A sweep: the points of a design, each with the same seeds, and a row of figures for every run.

The seeds are the same at every point, and random draws are keyed by what they are for: runs of one
seed have their prices, borrowers and luck in common (common random numbers), so that a difference
between two points is the parameters'.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from harness.errors import ScenarioError
from harness.experiments.design import Parameter, Point, full_grid, sampled
from harness.experiments.runner import Done, Runner
from harness.experiments.search import Search
from harness.experiments.trial import Trial, TrialRow, make_trials
from harness.scenario import Scenario, load_scenario
from harness.scenario._decode import Key, Range, decode_table
from harness.scenario.units import Name

MOST_POINTS = 1_000_000


@dataclass(frozen=True, slots=True)
class ListedPoint:
    """A point written out: ``set = ["path=value", ...]``, as on the command line."""

    set: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class SweepFile:
    """What a sweep file says.

    ``scenario`` is a built-in name or a TOML file relative to this one; ``set`` changes it at every
    point. ``seeds`` is how many, from ``--seed`` on. ``design``: a ``grid`` of all combinations of
    ``[[parameter]]``; ``samples`` points of a ``latin-hypercube`` or of a ``sobol`` sequence over
    their ranges, keyed by ``design_seed``; or the ``list`` of ``[[point]]``. With a ``[search]``
    the critical point is looked for at each of them, or, without any, in the scenario as it is.
    """

    name: Name
    scenario: str
    schema: Literal[1] = 1
    set: tuple[str, ...] = ()
    seeds: Annotated[int, Range(1, 1_000_000)] = 1
    design: Literal["grid", "latin-hypercube", "sobol", "list"] = "grid"
    samples: Annotated[int, Range(0, MOST_POINTS)] = 0
    design_seed: Annotated[int, Range(0, 2**63)] = 0
    parameters: Annotated[tuple[Parameter, ...], Key("parameter")] = ()
    listed: Annotated[tuple[ListedPoint, ...], Key("point")] = ()
    search: Search | None = None

    def points(self) -> list[Point]:
        """The points of the design, in order.

        Raises ScenarioError: it has none, or a parameter contradicts itself.
        """
        if self.search is not None:
            self.search.check()
            if not (self.parameters or self.listed or self.samples):
                return [Point((), ())]
        if self.design == "list":
            return self._written()
        if self.listed:
            raise ScenarioError("point", len(self.listed), 'left out, or design = "list"')
        if not self.parameters:
            raise ScenarioError("parameter", [], 'at least one, or design = "list" of points')
        for place, parameter in enumerate(self.parameters):
            parameter.check(f"parameter[{place}]", self.design)
        labels = [parameter.label for parameter in self.parameters]
        for place, label in enumerate(labels):
            if label in labels[:place]:
                raise ScenarioError(f"parameter[{place}].name", label, "a name of its own")
        if self.design == "grid":
            return self._full_grid()
        if not self.samples:
            raise ScenarioError("samples", self.samples, f">= 1, for design = {self.design}")
        return sampled(self.parameters, self.design, self.samples, self.design_seed)

    def _full_grid(self) -> list[Point]:
        if self.samples:
            raise ScenarioError("samples", self.samples, "left out: a grid has all combinations")
        count = 1
        for parameter in self.parameters:
            count *= len(parameter.values) or parameter.steps
        if count > MOST_POINTS:
            raise ScenarioError("parameter", f"{count} combinations", f"at most {MOST_POINTS}")
        return full_grid(self.parameters)

    def _written(self) -> list[Point]:
        if self.parameters or self.samples:
            raise ScenarioError("parameter", len(self.parameters), "left out: points are listed")
        if not self.listed:
            raise ScenarioError("point", [], "at least one")
        points = []
        for place, each in enumerate(self.listed):
            if not each.set:
                raise ScenarioError(f"point[{place}].set", [], "at least one path=value")
            points.append(Point((("point", each.name or ", ".join(each.set)),), each.set))
        return points


@dataclass(frozen=True)
class Sweep:
    """A sweep that can run: a scenario for every point, or why there is none.

    Attributes:
        source: what names the base scenario, and what changes it at every point
        base: that scenario
        scenarios: one for each point, or the error that it makes
        search: what is looked for at each point; None: the points themselves are run
    """

    name: str
    source: tuple[str, tuple[str, ...]]
    base: Scenario
    points: tuple[Point, ...]
    scenarios: tuple[Scenario | ScenarioError, ...]
    seeds: tuple[int, ...]
    engine: str | None = None
    search: Search | None = None

    def trials(self) -> list[Trial]:
        """The trials of all points that are valid scenarios, points outermost."""
        trials: list[Trial] = []
        for scenario in self.scenarios:
            if isinstance(scenario, Scenario):
                trials += make_trials(scenario, self.seeds, self.engine)
        return trials

    def scenario_at(self, overrides: Sequence[str]) -> Scenario:
        """The base scenario with further changes. Raises ScenarioError."""
        name, common = self.source
        return load_scenario(name, (*common, *overrides))


class PointRows(NamedTuple):
    """A point with a row for each of its seeds."""

    point: Point
    rows: tuple[TrialRow, ...]


def read_sweep(path: Path) -> SweepFile:
    """A sweep file. Raises ScenarioError: it cannot be read, or names a field."""
    try:
        table = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ScenarioError("sweep", str(path), f"a readable file ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ScenarioError("sweep", str(path), f"valid TOML ({error})") from error
    if "asset" in table or "venue" in table:
        allowed = "a sweep, which names a scenario; `harness run` runs one"
        raise ScenarioError("sweep", str(path), allowed)
    if "schema" not in table:
        raise ScenarioError("schema", None, "required: 1, the version of the format")
    found: SweepFile = decode_table(SweepFile, table, "")
    return found


def _source(file: SweepFile, folder: Path, overrides: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    name = file.scenario
    if name.endswith(".toml") or "/" in name:
        name = str(folder / name)
    return name, (*file.set, *overrides)


def make_sweep(
    file: SweepFile,
    folder: Path,
    *,
    first_seed: int = 0,
    overrides: Sequence[str] = (),
    engine: str | None = None,
) -> Sweep:
    """A sweep from its file; ``folder`` is where the file lies, ``overrides`` come from ``--set``.

    A point that is no valid scenario (a threshold below an LTV, say) is a row that says so,
    unless it was written out or no point is valid: then this raises ScenarioError.
    """
    points = file.points()
    name, common = source = _source(file, folder, overrides)
    base = load_scenario(name, common)
    scenarios: list[Scenario | ScenarioError] = []
    for place, point in enumerate(points):
        try:
            scenarios.append(load_scenario(name, (*common, *point.overrides)))
        except ScenarioError as error:
            if file.design == "list":
                where = f"point[{place}]: {error.field}"
                raise ScenarioError(where, error.value, error.allowed) from error
            scenarios.append(error)
    first = scenarios[0]
    if isinstance(first, ScenarioError) and not any(isinstance(s, Scenario) for s in scenarios):
        raise first
    seeds = tuple(range(first_seed, first_seed + file.seeds))
    return Sweep(
        file.name, source, base, tuple(points), tuple(scenarios), seeds, engine, file.search
    )


def run_sweep(sweep: Sweep, runner: Runner, done: Done | None = None) -> tuple[PointRows, ...]:
    """Runs every point with every seed; what fails is a row with its reason.

    done: told after each trial how many of ``sweep.trials()`` are done

    Raises EngineError if the workers cannot be used.
    """
    ran = iter(runner.run(sweep.trials(), done))
    groups = []
    for point, scenario in zip(sweep.points, sweep.scenarios, strict=True):
        if isinstance(scenario, ScenarioError):
            rows = [refused(seed, scenario) for seed in sweep.seeds]
        else:
            rows = [next(ran) for _ in sweep.seeds]
        groups.append(PointRows(point, tuple(rows)))
    return tuple(groups)


def refused(seed: int, error: ScenarioError) -> TrialRow:
    """The row of a point that is no valid scenario."""
    return TrialRow("", seed, "failed", error=str(error))
