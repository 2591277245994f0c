"""What an attack is: a script with parameters, what its author wants, and what must hold."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from harness.attacks.stage import Stage
from harness.errors import ScenarioError

__all__ = ["Attack", "Check", "Measure", "Parameters", "Script", "with_settings"]

#: what a check looks at, in USD: the attackers' profit, the victims' loss (an actor's with its
#: name), the venues' insolvency (one venue's with its name)
Measure = Literal["profit", "loss", "insolvency"]

#: of a parameter; a token's supply fits 112 bits with it
_LARGEST = 10**15

Script = Callable[[Stage, Any], Generator[int | None, None, None]]


@dataclass(frozen=True)
class Parameters:
    """What every attack can be told; an attack's own parameters derive from it.

    remedied: play against the protocol as it should have been
    """

    remedied: bool = False


@dataclass(frozen=True)
class Check:
    """A bound on a measure, USD. ``of`` names one actor or venue; empty for all."""

    measure: Measure
    at_most: float | None = None
    at_least: float | None = None
    of: str = ""

    def holds(self, found_usd: float) -> bool:
        """Whether a figure is within the bound."""
        low = self.at_least is None or found_usd >= self.at_least
        return low and (self.at_most is None or found_usd <= self.at_most)

    def __str__(self) -> str:
        what = {"profit": "attackers' profit", "loss": "victims' loss"}.get(
            self.measure, "insolvency"
        )
        whose = f" of {self.of}" if self.of else ""
        if self.at_least is not None:
            return f"{what}{whose} at least ${self.at_least:,.0f}"
        return f"{what}{whose} at most ${self.at_most:,.0f}"


def _no_settings(_: Any) -> Sequence[str]:
    return ()


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        name: on the command line.
        title: one line.
        sources: what happened, or who described it.
        play: the script; see `harness.attacks`.
        parameters: with their defaults, the ones of the time.
        remedy: what ``remedied`` changes.
        stopped_by: how the guard's name begins that stops it when remedied.
        protocol: what the protocol promises; a failure is exit code 1.
        goal: what the attacker wants.
        reported: the size of the event, as reported; empty for a generic attack.
        scenario: one in which to play, with its borrowers, keepers and liquidators; empty for
            contracts the script deploys.
        settings: changes to the scenario, as ``--set`` of ``harness run``, from the parameters.

    """

    name: str
    title: str
    sources: Sequence[str]
    play: Script
    parameters: Parameters
    remedy: str
    stopped_by: str
    protocol: Sequence[Check] | Callable[[Any], Sequence[Check]]
    goal: Callable[[Any], Check]
    reported: str = ""
    scenario: str = ""
    settings: Callable[[Any], Sequence[str]] = _no_settings

    def promises(self) -> Sequence[Check]:
        """The protocol's, at these parameters."""
        return self.protocol(self.parameters) if callable(self.protocol) else self.protocol


def with_settings(attack: Attack, settings: Sequence[str]) -> Attack:
    """The attack with parameters changed: ``name=value``, a value as TOML writes it.

    Raises ScenarioError for an unknown parameter or a value of another kind.
    """
    values: dict[str, Any] = {}
    known = {entry.name: getattr(attack.parameters, entry.name) for entry in _fields(attack)}
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip()
        if not equals or name not in known:
            allowed = f"NAME=VALUE with one of {', '.join(known)}"
            raise ScenarioError("--set", setting, allowed)
        values[name] = _typed(name, text, known[name])
    return replace(attack, parameters=replace(attack.parameters, **values))


def _fields(attack: Attack) -> Sequence[Any]:
    return fields(attack.parameters)


def _typed(name: str, text: str, default: Any) -> Any:
    try:
        value: Any = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    kinds: Mapping[type, tuple[tuple[type, ...], str]] = {
        bool: ((bool,), "true or false"),
        int: ((int,), "a whole number"),
        float: ((int, float), "a number"),
        str: ((str,), "a text"),
    }
    allowed, phrase = kinds[type(default)]
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        raise ScenarioError(name, value, phrase)
    amount: Any = value
    if type(default) in (int, float) and not 0 <= amount <= _LARGEST:
        raise ScenarioError(name, value, f"{phrase}, from 0 to {_LARGEST:.0e}")
    return type(default)(value)
