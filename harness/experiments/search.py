"""What a search for a critical point looks for, as a sweep file says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

from harness.errors import ScenarioError
from harness.experiments.design import PATH, Parameter, Target
from harness.scenario._decode import Key, Pattern, Range

Kind = Literal["shock", "pool-depth", "oracle-age", "liquidator-latency", "concentration", "value"]


class _Meaning(NamedTuple):
    """How a kind is called, which way is worse, and whether it counts in integers."""

    title: str
    worse: Literal["larger", "smaller"]
    whole: bool


_MEANINGS: dict[str, _Meaning] = {
    "shock": _Meaning("smallest shock", "larger", whole=False),
    "pool-depth": _Meaning("thinnest pool", "smaller", whole=False),
    "oracle-age": _Meaning("oldest oracle", "larger", whole=True),
    "liquidator-latency": _Meaning("slowest liquidator", "larger", whole=True),
    "concentration": _Meaning("most concentrated holder", "larger", whole=False),
    "value": _Meaning("critical value", "larger", whole=False),
}


@dataclass(frozen=True, slots=True)
class Search:
    """The value between ``low`` and ``high`` from which on insolvency is likely.

    It is the mildest at which the chance that insolvency exceeds ``above_bps`` of what is supplied
    reaches ``chance``. ``kind`` says what varies and which way is worse:

    ``shock``: x is the fall; ``path`` is a shock's ``factor`` and gets 1 - x
    ``pool-depth``: a pool's reserve, or an outside market's depth; smaller is worse
    ``oracle-age``: seconds of a feed's ``heartbeat_s``, or blocks of its ``latency_blocks``
    ``liquidator-latency``: blocks of an agent's ``latency_blocks``
    ``concentration``: the share of one holder; ``[[search.set]]`` divides the debt, see `Target`
    ``value``: anything else; ``worse`` says which way

    First ``grid`` points are run, ends included, because the chance need not be monotone; then each
    seed is bisected to within ``tolerance`` (where ``spacing`` is ``log``, a share of the value;
    where values are whole, at least 1). The interval is of confidence ``level``.
    """

    kind: Kind
    low: float
    high: float
    path: Annotated[str, Pattern(f"({PATH})?", "a dotted path, as --set takes it")] = ""
    targets: Annotated[tuple[Target, ...], Key("set")] = ()
    worse: Literal["", "larger", "smaller"] = ""
    tolerance: Annotated[float, Range(0, above=True)] = 0.001
    spacing: Literal["linear", "log"] = "linear"
    grid: Annotated[int, Range(2, 1000)] = 5
    chance: Annotated[float, Range(0, 1, above=True)] = 0.5
    above_bps: Annotated[float, Range(0, 10_000)] = 1.0
    level: Annotated[float, Range(0.5, 0.9999)] = 0.95

    @property
    def title(self) -> str:
        """What is looked for, in words."""
        return _MEANINGS[self.kind].title

    @property
    def larger_is_worse(self) -> bool:
        """Which way the value gets worse."""
        return (self.worse or _MEANINGS[self.kind].worse) == "larger"

    @property
    def whole(self) -> bool:
        """Whether the value counts in integers."""
        return _MEANINGS[self.kind].whole

    def parameter(self) -> Parameter:
        """The dimension that is searched, as a design has it."""
        path, targets = self.path, self.targets
        if self.kind == "shock" and path:
            path, targets = "", (Target(self.path, times=-1.0, plus=1.0),)
        return Parameter(
            path=path,
            name=self.kind if self.kind != "value" else self.path or "value",
            low=self.low,
            high=self.high,
            steps=self.grid,
            spacing=self.spacing,
            whole=self.whole,
            targets=targets,
        )

    def check(self) -> None:
        """Raises ScenarioError for a search that says nothing, or contradicts itself."""
        self.parameter().check("search", "grid")
        if self.kind == "value" and not self.worse:
            raise ScenarioError("search.worse", self.worse, "larger or smaller, for kind = value")
        if self.whole and (self.low != int(self.low) or self.high != int(self.high)):
            allowed = f"whole numbers, for kind = {self.kind}"
            raise ScenarioError("search.low, high", [self.low, self.high], allowed)
        if self.chance == 1:
            raise ScenarioError("search.chance", self.chance, "> 0 and < 1")
