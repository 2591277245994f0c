"""Clearing houses in a scenario: the default waterfall behind perpetual exchanges.

Units as in `harness.scenario.perps`: amounts are whole settlement tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from harness.errors import ScenarioError
from harness.scenario._decode import Pattern, Range
from harness.scenario.agents import Agent
from harness.scenario.assets import check_some
from harness.scenario.blocks import Bid, Outages
from harness.scenario.model import Scenario
from harness.scenario.perps import PerpExchange, Traders
from harness.scenario.units import BPS, Amount, Blocks, Name
from harness.scenario.venues import Venue

Policy = Annotated[
    str,
    Pattern(
        r"hyperliquid-queue|bitmex-queue|bankruptcy-price|pro-rata|pro-rata-notional|[\w.]+:[\w.]+",
        "one of hyperliquid-queue, bitmex-queue, bankruptcy-price, pro-rata, pro-rata-notional, "
        "or module:Class",
    ),
]
"""Who of the winners pays, in which order: contracts of ``contracts/clearing``, or one from outside
(`harness.protocols.deleveraging`)."""

MAX_MEMBERS = 32
MAX_VENUES = 8


@dataclass(frozen=True, slots=True)
class ClearingHouse(Venue):
    """A clearing house: what pays where an account of one of its ``venues`` cannot.

    In this order: the account's margin wherever it lies, the venue's insurance fund, the member's
    contribution, ``stake`` of the house's own, the other members' contributions, assessments of
    at most ``assessment_bps`` of a contribution in ``assessment_period_s``, winners as ``policy``
    says, all winners in proportion where ``all_winners`` is set, and the vault's holders. Pro
    rata, nobody pays more than ``cap_bps`` of its profit. Of the loss that the funds leave unpaid
    in a round the policy recovers at most ``severity_bps``, the rest is left to the steps after it
    (theta of Chitra, "Autodeleveraging", arXiv 2512.01112). The traders of the populations in
    ``member_populations`` are its members (the first 32): each has put up ``contribution``, has
    ``margin`` with the house that goes to whichever venue calls it, and ``pledged`` for
    assessments.
    """

    kind_name: ClassVar[str] = "clearing-house"
    name: Name
    venues: tuple[Name, ...]
    policy: Policy = "hyperliquid-queue"
    cap_bps: Annotated[int, Range(1, BPS)] = BPS
    severity_bps: Annotated[int, Range(0, BPS)] = BPS
    all_winners: bool = False
    stake: Amount = 0.0
    member_populations: tuple[Name, ...] = ()
    contribution: Amount = 0.0
    margin: Amount = 0.0
    pledged: Amount = 0.0
    assessment_bps: Annotated[int, Range(0, 10 * BPS)] = BPS
    assessment_period_s: Annotated[int, Range(1, 10**9)] = 30 * 86_400


@dataclass(frozen=True, slots=True)
class WaterfallKeeper(Agent):
    """Runs the waterfall of one exchange, a call at a time, each within the block's space: takes
    at most ``reports_per_call`` defaults into a round, lists or deleverages at most
    ``accounts_per_call`` accounts; and moves members' margin to where it is called."""

    kind_name: ClassVar[str] = "waterfall-keeper"
    name: Name
    venue: Name
    reports_per_call: Annotated[int, Range(1, 64)] = 16
    accounts_per_call: Annotated[int, Range(1, 10_000)] = 100
    count: Annotated[int, Range(1, 1)] = 1
    latency_blocks: Blocks = 0
    fee_deposit: Amount = 10.0
    bid: Bid = Bid()
    outages: Outages = Outages()


def house_of(scenario: Scenario, exchange: str) -> ClearingHouse | None:
    """The clearing house behind an exchange."""
    for house in scenario.venues_of(ClearingHouse):
        if exchange in house.venues:
            return house
    return None


def check_clearing(scenario: Scenario) -> Iterator[str]:
    """Warnings about clearing houses. Raises ScenarioError where fields contradict each other."""
    exchanges = {venue.name: venue for venue in scenario.venues_of(PerpExchange)}
    populations = {p.name: p for p in scenario.populations if isinstance(p, Traders)}
    behind: list[str] = []
    for i, house in enumerate(scenario.venues):
        if not isinstance(house, ClearingHouse):
            continue
        path = f"venue[{i}]"
        if not 1 <= len(house.venues) <= MAX_VENUES:
            allowed = f"1 to {MAX_VENUES} perp-exchange venues"
            raise ScenarioError(f"{path}.venues", list(house.venues), allowed)
        for j, name in enumerate(house.venues):
            allowed = f"perp-exchange venues: {', '.join(exchanges) or '(there are none)'}"
            if name not in exchanges:
                raise ScenarioError(f"{path}.venues[{j}]", name, allowed)
            if name in behind:
                raise ScenarioError(f"{path}.venues[{j}]", name, "each behind one house, once")
            behind.append(name)
            settlement = exchanges[house.venues[0]].settlement
            if exchanges[name].settlement != settlement:
                allowed = f"exchanges that settle in {settlement}, as {house.venues[0]} does"
                raise ScenarioError(f"{path}.venues[{j}]", name, allowed)
        for j, name in enumerate(house.member_populations):
            if name in house.member_populations[:j]:
                raise ScenarioError(f"{path}.member_populations[{j}]", name, "each only once")
            if name not in populations or populations[name].venue not in house.venues:
                allowed = f"populations of traders on {', '.join(house.venues)}"
                raise ScenarioError(f"{path}.member_populations[{j}]", name, allowed)
        if house.member_populations:
            settled = scenario.asset(exchanges[house.venues[0]].settlement)
            check_some(house.contribution, settled, f"{path}.contribution")
        count = sum(populations[name].count for name in house.member_populations)
        if count > MAX_MEMBERS:
            where = f"{path}.member_populations"
            yield f"{where}: only the first {MAX_MEMBERS} of {count} traders are members"
        for name in house.venues:
            if not any(keeper.venue == name for keeper in scenario.agents_of(WaterfallKeeper)):
                yield f"{path}: no agent of kind waterfall-keeper closes defaults of {name}"
    for i, keeper in enumerate(scenario.agents):
        if isinstance(keeper, WaterfallKeeper) and keeper.venue not in behind:
            allowed = f"an exchange behind a clearing house: {', '.join(behind) or '(none)'}"
            raise ScenarioError(f"agent[{i}].venue", keeper.venue, allowed)


__all__ = ["ClearingHouse", "Policy", "WaterfallKeeper", "check_clearing", "house_of"]
