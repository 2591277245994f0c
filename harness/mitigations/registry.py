"""The built-in remedies by name, those from outside, and how several are stacked."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache

from harness.errors import ScenarioError, importable, nearest, plugin
from harness.mitigations import (
    deleveraging,
    designs,
    guards,
    isolation,
    oracles,
    parameters,
    vaults,
)
from harness.mitigations.base import Mitigation
from harness.scenario import Scenario, checked


@cache
def mitigations() -> Mapping[str, Mitigation]:
    """The built-in remedies by name."""
    every = (
        *oracles.REMEDIES,
        *parameters.REMEDIES,
        *designs.REMEDIES,
        *deleveraging.REMEDIES,
        *guards.REMEDIES,
        *isolation.REMEDIES,
        *vaults.REMEDIES,
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
        raise ScenarioError("--mitigations", name, allowed + nearest(name, built_in))
    try:
        made: Mitigation = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError) as error:
        raise ScenarioError("--mitigations", name, importable(error)) from error
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
