"""Designs of experiments: which points of a parameter space are run.

A point is what it sets, as ``path=value`` texts that ``--set`` takes. Sequences come from
`scipy.stats.qmc` (extra ``sweep``), keyed by a seed of the design, not of the runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any, Literal

from harness.errors import ScenarioError
from harness.scenario._decode import Key, Pattern, Range, inline_value

PATH = r"[\w-]+(\[\d+\])*(\.[\w-]+(\[\d+\])*)*"
Path = Annotated[str, Pattern(PATH, "a dotted path, as --set takes it")]


@dataclass(frozen=True, slots=True)
class Target:
    """A scenario value that follows a parameter x: ``times`` x + ``plus``."""

    path: Path
    times: Annotated[float, Range()] = 1.0
    plus: Annotated[float, Range()] = 0.0
    whole: bool = False
    """Rounded to the nearest integer (half to even), for counts, blocks and seconds."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One dimension of a design: a scenario value, or several that move together.

    It takes the ``values`` listed, which may be anything TOML holds, or lies between ``low`` and
    ``high``, evenly in the value or (``log``) in its logarithm: at ``steps`` points of a grid, ends
    included, or wherever a sequence puts it. ``whole`` rounds to integers.
    """

    path: Annotated[str, Pattern(f"({PATH})?", "a dotted path, as --set takes it")] = ""
    name: str = ""
    values: tuple[object, ...] = ()
    low: float | None = None
    high: float | None = None
    steps: Annotated[int, Range(0, 100_000)] = 0
    spacing: Literal["linear", "log"] = "linear"
    whole: bool = False
    targets: Annotated[tuple[Target, ...], Key("set")] = ()

    @property
    def label(self) -> str:
        """What tables call it."""
        return self.name or self.path or self.targets[0].path

    def at(self, share: float) -> object:
        """The value at a share (0 to 1) of its range, or of its list."""
        if self.values:
            return self.values[min(int(share * len(self.values)), len(self.values) - 1)]
        low, high = float(self.low or 0.0), float(self.high or 0.0)
        span = low * (high / low) ** share if self.spacing == "log" else low + (high - low) * share
        value = min(max(span, low), high)  # the ends exactly
        return round(value) if self.whole else value

    def grid(self) -> list[object]:
        """The values of a full grid."""
        if self.values:
            return list(self.values)
        if self.steps == 1:
            return [self.at(0.0)]
        return list(dict.fromkeys(self.at(i / (self.steps - 1)) for i in range(self.steps)))

    def sets(self, value: object) -> list[str]:
        """What this value sets in a scenario, as ``path=value``."""
        if self.path:
            return [f"{self.path}={inline_value(value)}"]
        return [f"{target.path}={inline_value(_follow(target, value))}" for target in self.targets]

    def check(self, where: str, design: str) -> None:
        """Raises ScenarioError for a parameter that says nothing, or contradicts itself."""
        if bool(self.path) == bool(self.targets):
            raise ScenarioError(f"{where}.path", self.path, "either a path, or `set` with targets")
        if self.values:
            if self.targets and not all(_is_number(value) for value in self.values):
                raise ScenarioError(f"{where}.values", list(self.values), "numbers, with `set`")
            if self.low is not None or self.high is not None or self.steps:
                raise ScenarioError(f"{where}.low", self.low, "left out: `values` are listed")
            return
        if self.low is None or self.high is None or self.low >= self.high:
            allowed = "low < high, or values that are listed"
            raise ScenarioError(f"{where}.low, high", [self.low, self.high], allowed)
        if self.spacing == "log" and self.low <= 0:
            raise ScenarioError(f"{where}.low", self.low, "> 0, for logarithmic spacing")
        if design == "grid" and not self.steps:
            raise ScenarioError(f"{where}.steps", self.steps, ">= 1, for a grid between low, high")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _follow(target: Target, value: Any) -> object:
    moved = target.times * value + target.plus
    return round(moved) if target.whole else moved


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a design: the parameters' values, and what they set in the scenario."""

    values: tuple[tuple[str, object], ...]
    overrides: tuple[str, ...]

    def cells(self) -> dict[str, object]:
        """The values as a table shows them: numbers and text; what else there is as JSON."""
        return {
            name: value
            if isinstance(value, int | float | str)
            else json.dumps(value, default=str, ensure_ascii=False)
            for name, value in self.values
        }


def point(parameters: Sequence[Parameter], values: Sequence[object]) -> Point:
    """The point at which each parameter has the value given."""
    pairs = list(zip(parameters, values, strict=True))
    return Point(
        tuple((parameter.label, value) for parameter, value in pairs),
        tuple(text for parameter, value in pairs for text in parameter.sets(value)),
    )


def full_grid(parameters: Sequence[Parameter]) -> list[Point]:
    """Every combination, the last parameter fastest."""
    return [point(parameters, values) for values in product(*(p.grid() for p in parameters))]


def sampled(parameters: Sequence[Parameter], kind: str, samples: int, seed: int) -> list[Point]:
    """Points of a ``latin-hypercube`` or of a scrambled ``sobol`` sequence.

    Raises ScenarioError if scipy is not installed.
    """
    try:
        from scipy.stats import qmc
    except ImportError as error:
        allowed = "grid or list; others need `pip install 'liquidation-harness[sweep]'`"
        raise ScenarioError("design", kind, allowed) from error
    import numpy as np

    makers: Mapping[str, Callable[..., Any]] = {
        "latin-hypercube": qmc.LatinHypercube,
        "sobol": qmc.Sobol,
    }
    sequence = makers[kind](d=len(parameters), rng=np.random.default_rng(seed))
    if kind == "sobol":  # drawn as a whole power of two, which keeps its balance
        shares = sequence.random_base2((samples - 1).bit_length())[:samples]
    else:
        shares = sequence.random(samples)
    return [
        point(parameters, [p.at(float(u)) for p, u in zip(parameters, row, strict=True)])
        for row in shares
    ]


def varied(points: Sequence[Point]) -> Iterator[str]:
    """The names of the parameters, in order, each once."""
    yield from dict.fromkeys(name for each in points for name, _ in each.values)
