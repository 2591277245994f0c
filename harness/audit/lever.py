"""A parameter that an audit may change."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from harness.scenario import Scenario

__all__ = ["Change", "Lever"]

Change = Callable[[Scenario, float], Scenario]


@dataclass(frozen=True)
class Lever:
    """A parameter that may change.

    kind: ltv, threshold, bonus, close-factor, supply-cap, borrow-cap, heartbeat or deviation; of an
        isolated market lltv; of an exchange initial-margin, maintenance-margin, open-interest or
        insurance
    path: as ``--set`` names it
    unit: bps, s or the symbol of the tokens counted
    value: in force; of a cap that is not set, what is used
    low, high: examined between these
    even: whether values are spread evenly rather than by factors
    """

    kind: str
    name: str
    path: str
    unit: str
    value: float
    low: float
    high: float
    even: bool
    change: Change

    def at(self, share: float) -> float:
        """The value at a share of the way from low to high."""
        if self.even:
            return self.rounded(self.low + share * (self.high - self.low))
        return self.rounded(self.low * (self.high / self.low) ** share)

    def between(self, one: float, other: float) -> float:
        """The middle of two values."""
        return self.rounded((one + other) / 2 if self.even else math.sqrt(one * other))

    def rounded(self, value: float) -> float:
        """As the parameter can be set: whole bps and seconds, three digits of a cap."""
        if self.unit in ("bps", "s"):
            return float(round(value))
        return float(f"{value:.3g}")

    def distance(self, value: float) -> float:
        """How far a value is from the one in force, by factors."""
        return abs(math.log(max(value, 1e-9) / max(self.value, 1e-9)))
