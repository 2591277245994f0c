"""What a remedy is, and the order in which stacked ones apply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from harness.scenario import Scenario


class Stage(IntEnum):
    """The order in which stacked remedies apply; those of one stage by their names."""

    ORACLE = 1
    PARAMETERS = 2
    DESIGN = 3
    THROTTLE = 4
    GUARD = 5
    GRACE = 6
    ISOLATION = 7


class Mitigation(Protocol):
    """Plug point: a remedy. A command names one from outside as ``module:Class``.

    ``apply`` returns another scenario and leaves its argument alone; a scenario it cannot help is
    returned as it is.
    """

    @property
    def name(self) -> str:
        """How commands call it."""
        ...

    @property
    def title(self) -> str:
        """What it does, in a line."""
        ...

    @property
    def stage(self) -> Stage:
        """When it applies if several are stacked."""
        ...

    def apply(self, scenario: Scenario) -> Scenario:
        """The remedied scenario."""
        ...


@dataclass(frozen=True, slots=True)
class Remedy:
    """A remedy made of one function."""

    name: str
    title: str
    stage: Stage
    change: Callable[[Scenario], Scenario]

    def apply(self, scenario: Scenario) -> Scenario:
        """See ``Mitigation.apply``."""
        return self.change(scenario)
