"""Deleveraging policies: those that are built in, and those from outside.

One of your own is a contract that keeps `IDeleveragingPolicy` (``contracts/interfaces``), and a
class that deploys it:

    class Oldest:
        def deploy(self, setup, house):
            return setup.deploy("Oldest", compiled=load_artifact("Oldest.json", "Oldest"))

A scenario names it as ``policy = "module:Oldest"``. What every policy has to keep is in
`harness.testing.deleveraging_conformance`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from harness.contracts import Contract
from harness.errors import ScenarioError, importable, plugin
from harness.scenario.clearing import ClearingHouse
from harness.setup import Setup

__all__ = ["POLICIES", "BuiltInPolicy", "DeleveragingPolicy", "deploy_policy"]


class DeleveragingPolicy(Protocol):
    """Plug point: who of the winners pays for a loss, in which order, and how much.

    A scenario names one from outside as ``module:Class``, which is called without arguments.
    """

    def deploy(self, setup: Setup, house: ClearingHouse) -> Contract:
        """Adds the deployment of a contract that keeps IDeleveragingPolicy, for this house."""
        ...


@dataclass(frozen=True, slots=True)
class BuiltInPolicy:
    """A contract of ``contracts/clearing``; ``by_notional`` is what pro rata is weighed by."""

    contract: str
    by_notional: bool | None = None

    def deploy(self, setup: Setup, house: ClearingHouse) -> Contract:
        """See `DeleveragingPolicy.deploy`."""
        if self.by_notional is None:
            return setup.deploy(self.contract)
        return setup.deploy(self.contract, self.by_notional, house.cap_bps)


POLICIES: Mapping[str, DeleveragingPolicy] = {
    "hyperliquid-queue": BuiltInPolicy("HyperliquidQueue"),
    "bitmex-queue": BuiltInPolicy("BitmexQueue"),
    "bankruptcy-price": BuiltInPolicy("BankruptcyPrice"),
    "pro-rata": BuiltInPolicy("ProRata", by_notional=False),
    "pro-rata-notional": BuiltInPolicy("ProRata", by_notional=True),
}
"""By the names that scenarios give them."""


def deploy_policy(setup: Setup, house: ClearingHouse) -> Contract:
    """Deploys the policy that a house names, and gives it the interface that houses know it by.

    Raises:
        ScenarioError: there is none of that name, or it cannot be imported.
        PluginError: one from outside failed.

    """
    policy = _named(house)
    with plugin(f"deleveraging policy {house.policy}"):
        deployed = policy.deploy(setup, house)
        return Contract("IDeleveragingPolicy", deployed.address)


def _named(house: ClearingHouse) -> DeleveragingPolicy:
    if house.policy in POLICIES:
        return POLICIES[house.policy]
    module, _, attribute = house.policy.partition(":")
    try:
        made: DeleveragingPolicy = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        field = f"venue.{house.name}.policy"
        raise ScenarioError(field, house.policy, importable(error)) from error
    return made
