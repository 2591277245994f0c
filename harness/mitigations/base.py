"""What a remedy is, the built-in ones by name, and how several are stacked."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Protocol

from harness.errors import ScenarioError, plugin
from harness.scenario import Scenario, checked


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


@cache
def mitigations() -> Mapping[str, Mitigation]:
    """The built-in remedies by name."""
    from harness.mitigations import (
        deleveraging,
        designs,
        guards,
        isolation,
        oracles,
        parameters,
    )

    every = (
        *oracles.REMEDIES,
        *parameters.REMEDIES,
        *designs.REMEDIES,
        *deleveraging.REMEDIES,
        *guards.REMEDIES,
        *isolation.REMEDIES,
    )
    return {remedy.name: remedy for remedy in every}


def mitigation(name: str) -> Mitigation:
    """A built-in remedy, or one from outside as ``module:Class``.

    Raises ScenarioError if there is none of that name or it cannot be imported.
    """
    built_in = mitigations()
    if name in built_in:
        return built_in[name]
    module, _, attribute = name.partition(":")
    allowed = f"one of {', '.join(built_in)}, or module:Class"
    if not attribute:
        raise ScenarioError("--mitigations", name, allowed)
    try:
        made: Mitigation = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError) as error:
        raise ScenarioError("--mitigations", name, f"{allowed} ({error})") from error
    return made


def remedied(scenario: Scenario, names: str) -> Scenario:
    """A scenario with remedies applied: ``names`` are joined by ``+``.

    Raises ScenarioError if a remedy is not known or the result is not a valid scenario.
    """
    named = (mitigation(name) for name in names.split("+"))
    chosen = sorted(named, key=lambda each: (each.stage, each.name))
    for remedy in chosen:
        with plugin(f"remedy {remedy.name}"):
            scenario = remedy.apply(scenario)
    return checked(scenario)
