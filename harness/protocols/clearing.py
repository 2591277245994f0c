"""A deployed clearing house: set-up, and what those who run its waterfall read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from harness.contracts import Contract
from harness.engine.base import Engine
from harness.protocols.deleveraging import deploy_policy
from harness.protocols.perp_exchange import PerpVenue
from harness.scenario import BPS, base_units
from harness.scenario.clearing import MAX_MEMBERS, ClearingHouse
from harness.setup import Setup
from harness.traders import account_word

IDLE, LISTING, DELEVERAGING, FINISHING = range(4)
"""Stages of a round (IClearingHouse.Stage)."""

EVENTS = (
    "Reported",
    "RoundOpened",
    "LossTaken",
    "Paid",
    "Listed",
    "LineComplete",
    "Deleveraged",
    "ClosedOut",
    "RoundClosed",
)

Mint = Callable[[str, bytes, int], None]
Approve = Callable[[str, bytes, Contract], None]


class RoundState(NamedTuple):
    """A venue's reports that wait, and its round, as ClearingLens.rounds gives them."""

    pending: int
    number: int
    stage: int
    winners: int
    opened_at: int
    sides: int
    unpaid: int
    defaulters: int
    finished: int
    in_line: int
    done: int
    last_rank: int


class Place(NamedTuple):
    """An account's place in the round's line."""

    account: bytes
    rank: int
    wealth: int
    on_side: bool


class ClearingVenue:
    """A deployed clearing house.

    ``members`` are the owners who put up contributions, with the exchange on which each trades.
    """

    def __init__(
        self,
        spec: ClearingHouse,
        house: Contract,
        fund: Contract,
        policy: Contract,
        lens: Contract,
        exchanges: Mapping[str, PerpVenue],
        members: Sequence[tuple[bytes, str]],
    ) -> None:
        self.name = spec.name
        self.spec = spec
        self.house = house
        self.fund = fund
        self.policy = policy
        self.lens = lens
        self.exchanges = exchanges
        self.members = tuple(members)

    def round(self, engine: Engine, exchange: str) -> RoundState:
        """The round of one exchange."""
        venues = [self.exchanges[exchange].exchange.address]
        words = self.lens.read(engine, "rounds", self.house.address, venues)
        return RoundState(*words)

    def line(self, engine: Engine, exchange: str, state: RoundState) -> list[Place]:
        """Accounts on a side of the round that are not listed yet, in the order in which the house
        takes them."""
        venue = self.exchanges[exchange]
        words = list(venue.accounts)
        raw = self.lens.read(engine, "places", self.house.address, venue.exchange.address, words)
        places = [
            Place(word, raw[5 * i], raw[5 * i + 1], bool(raw[5 * i + 4]))
            for i, word in enumerate(words)
        ]
        last = bytes(self.house.read(engine, "roundOf", venue.exchange.address)[-1])
        order = sorted((p for p in places if p.on_side), key=lambda p: (-p.rank, p.account))
        if any(last):
            order = [p for p in order if (-p.rank, p.account) > (-state.last_rank, last)]
        return order

    def called_members(self, engine: Engine, exchange: str, called: set[int]) -> list[bytes]:
        """Members whose account on this exchange is called while they have margin here."""
        venue = self.exchanges[exchange]
        found = []
        for owner, home in self.members:
            number = venue.number_of.get(account_word(owner)) if home == exchange else None
            if number in called and self.fund.read(engine, "memberOf", owner)[0]:
                found.append(owner)
        return found


def deploy_clearing(
    setup: Setup,
    spec: ClearingHouse,
    exchanges: Mapping[str, PerpVenue],
    *,
    tokens: Mapping[str, Contract],
    decimals: Mapping[str, int],
    mint: Mint,
    approve: Approve,
    seeder: bytes,
    admin: bytes,
) -> ClearingVenue:
    """Deploys a clearing house behind its exchanges, with its members and their money."""
    settlement = exchanges[spec.venues[0]].settlement
    places = decimals[settlement]
    fund = setup.deploy(
        "ClearingFund",
        admin,
        tokens[settlement].address,
        spec.assessment_bps,
        spec.assessment_period_s,
    )
    house = _deploy_house(setup, spec, admin, fund)
    lens = setup.deploy("ClearingLens")
    setup.send(admin, fund, "setHouse", house.address)
    policy = deploy_policy(setup, spec)
    winners = bytes(20)
    if spec.all_winners:
        winners = deploy_policy(setup, replace(spec, policy="pro-rata", cap_bps=BPS)).address
    for name in spec.venues:
        exchange = exchanges[name].exchange
        setup.send(admin, fund, "addVenue", exchange.address)
        setup.send(admin, house, "configure", exchange.address, (policy.address, winners))
        setup.send(admin, exchange, "setWaterfall", house.address)
    members = _members(spec, exchanges)
    stake, margin = base_units(spec.stake, places), base_units(spec.margin, places)
    if stake + margin * len(members):
        mint(settlement, seeder, stake + margin * len(members))
        approve(settlement, seeder, fund)
    if stake:
        setup.send(seeder, fund, "addStake", stake)
    contribution, pledged = (base_units(x, places) for x in (spec.contribution, spec.pledged))
    for owner, _ in members:
        mint(settlement, owner, contribution + pledged)
        approve(settlement, owner, fund)
        setup.send(owner, fund, "join", contribution)
        for name in spec.venues:
            setup.send(owner, exchanges[name].exchange, "setOperator", fund.address, True)
        if margin:
            setup.send(seeder, fund, "payMargin", owner, margin)
    behind = {name: exchanges[name] for name in spec.venues}
    return ClearingVenue(spec, house, fund, policy, lens, behind, members)


def _deploy_house(setup: Setup, spec: ClearingHouse, admin: bytes, fund: Contract) -> Contract:
    """With a budget for deleveraging only where there is one."""
    if spec.severity_bps == BPS:
        return setup.deploy("ClearingHouse", admin, fund.address)
    return setup.deploy("BudgetedClearingHouse", admin, fund.address, spec.severity_bps)


def _members(spec: ClearingHouse, exchanges: Mapping[str, PerpVenue]) -> list[tuple[bytes, str]]:
    found = {
        trader.owner: name
        for name in spec.venues
        for trader in exchanges[name].traders
        if trader.group in spec.member_populations
    }
    return list(found.items())[:MAX_MEMBERS]


__all__ = ["EVENTS", "ClearingVenue", "Place", "RoundState", "deploy_clearing"]
