"""Names that accounts are derived from and orders are filed under: no two may be the same.

An account is derived from a name and a number; the set-up has accounts of its own, and some for
each venue. What an agent orders is filed under its name, with its number where there are several.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.errors import ScenarioError
from harness.scenario.agents import Agent
from harness.scenario.model import Scenario

BORROWERS, HOLDERS, TRADERS = "borrowers-", "holders-", "traders-"
"""Prefixes of the agents who answer for the called accounts of a venue; its name follows."""

RESERVED = frozenset(
    {
        "admin",
        "builder",
        "deployer",
        "fee-collector",
        "guarantor",
        "minter",
        "outside",
        "pool-provider",
        "seeder",
    }
)
"""Names of accounts of every set-up that hold something or may do something to others
(``harness.people``); the keeper of a feed and the publisher share theirs without harm."""


def check_names(scenario: Scenario) -> None:
    """Raises ScenarioError where a population or an agent has a name that is taken."""
    taken = set(RESERVED).union(*(venue.accounts for venue in scenario.venues))
    populations = [population.name for population in scenario.populations]
    for array, names in (
        ("population", populations),
        ("agent", [agent.name for agent in scenario.agents]),
    ):
        for i, name in enumerate(names):
            if name in taken:
                allowed = "another name: the set-up has an account of this one"
                raise ScenarioError(f"{array}[{i}].name", name, allowed)
    for i, agent in enumerate(scenario.agents):
        if agent.name in populations:
            raise ScenarioError(f"agent[{i}].name", agent.name, "a name that no population has")
        for other, whose in _others(scenario, i):
            if _answers_to(agent, other):
                allowed = f"another name: {other} is {whose}"
                raise ScenarioError(f"agent[{i}].name", agent.name, allowed)


def _others(scenario: Scenario, index: int) -> Iterator[tuple[str, str]]:
    """Names under which others than this agent order, and who they are."""
    for venue in scenario.venues:
        for prefix in (BORROWERS, HOLDERS, TRADERS):
            whose = f"who answers for the called {prefix[:-1]} of {venue.name}"
            yield f"{prefix}{venue.name}", whose
    for i, agent in enumerate(scenario.agents):
        if i != index and agent.count == 1:
            yield agent.name, f"the name of agent[{i}]"


def _answers_to(agent: Agent, name: str) -> bool:
    """Whether this is the name of an agent, or of one of several."""
    if agent.count == 1:
        return name == agent.name
    number = name.removeprefix(f"{agent.name}-")
    return number != name and number in map(str, range(agent.count))


__all__ = ["BORROWERS", "HOLDERS", "TRADERS", "check_names"]
