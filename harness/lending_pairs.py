"""Cross margin inside one lending account, cut: every debt stands on one collateral.

A position of a pooled market is a pair of a collateral and a debt, as in an isolated market. An
account with several collaterals or debts becomes an account for each pair: a debt is divided among
its collaterals as what each counts for (value x threshold), and a collateral among the debts as
their values, so that every pair has the health factor of the account. What does not count as
collateral goes with the first pair. Cash for an answer is divided as the pairs' debts; fees are
paid from a deposit of the same size each.

All of it happens in block 0, outside the digest, with caps off and every threshold at 100%: debts
are repaid with tokens minted for the purpose, collateral is taken out and supplied for the pairs,
which borrow what was repaid, and that is burned. Rounding is the market's: a claim or a debt of a
pair moves by at most a base unit against it, and what of a claim is below one stays with the
account that had it.

Accounts of holders who move collateral between venues stay whole, since they are one in several
venues; so do all accounts of a market that liquidates by a module, in which accounts are enrolled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

from harness.engine.base import Block, Engine, Transaction, anchor
from harness.errors import EngineError
from harness.feeds import MAX_UINT
from harness.people import ADMIN, MINTER, SEEDER
from harness.population import Position
from harness.protocols.isolated_lending import IsolatedLendingVenue
from harness.protocols.pooled_lending import PooledLendingVenue, address_of
from harness.scenario import Borrowers, Positions, Scenario, base_units
from harness.setup import require_success
from harness.world import World

_HALF = (1 << 128) - 1


class Pairs(NamedTuple):
    """A market whose accounts are pairs, the addresses that are new, and the transactions that
    bring the chain there."""

    venue: PooledLendingVenue
    holders: tuple[bytes, ...]
    transactions: tuple[Transaction, ...]


def divided_down(amount: int, weights: Sequence[int]) -> list[int]:
    """An amount in parts as the weights, rounded down; the last part has the rest."""
    total = sum(weights)
    parts = [amount * weight // total for weight in weights[:-1]]
    return [*parts, amount - sum(parts)]


def shared_positions(world: World, venue: PooledLendingVenue) -> list[int]:
    """Numbers of the accounts in which several collaterals or debts share a margin and that can be
    parted."""
    if isinstance(venue, IsolatedLendingVenue) or venue.module is not None:
        return []
    moving = {
        address_of(position)
        for other in world.venues.values()
        for position in other.positions
        if position.action == "move"
    }
    return [
        number
        for number, position in enumerate(venue.positions)
        if len(_counting(venue, position)) * len(position.borrowed) > 1
        and venue.accounts[number] not in moving
    ]


def _counting(venue: PooledLendingVenue, position: Position) -> list[str]:
    """The collaterals of a position that count towards its debts."""
    thresholds = dict(zip(venue.assets, venue.thresholds_bps, strict=True))
    return [symbol for symbol, _ in position.supplied if thresholds[symbol]]


def pair_up(
    engine: Engine,
    world: World,
    scenario: Scenario,
    venue: PooledLendingVenue,
    block: Block,
    before: Sequence[Transaction],
) -> Pairs:
    """Parts a market's accounts into pairs, as far as there are any to part.

    engine: after set-up; it is left as it is
    block: number and time of the block that will hold the transactions, behind those ``before``

    Raises EngineError if that block fails, or a price is refused.
    """
    return _Pairing(engine, world, scenario, venue).carry_out(block, before)


@dataclass(frozen=True, slots=True)
class _Account:
    """An account at the time of block 0: owner, claims and debts by symbol, and what each is worth:
    of claims what counts of them."""

    owner: bytes
    position: Position
    claims: dict[str, int]
    debts: dict[str, int]
    counting: dict[str, int]
    owed: dict[str, int]


class _Pairing:
    """The parting of one market's accounts."""

    def __init__(
        self, engine: Engine, world: World, scenario: Scenario, venue: PooledLendingVenue
    ) -> None:
        self._engine, self._world, self._venue = engine, world, venue
        self._tokens = {symbol: venue.token(symbol) for symbol in venue.assets}
        self._numbers = shared_positions(world, venue)
        fee_asset = scenario.block_space.fee_asset
        self._fee_token = world.tokens[fee_asset]
        self._deposits = {
            population.name: base_units(population.response.fee_deposit, world.decimals[fee_asset])
            for population in scenario.populations
            if isinstance(population, Borrowers | Positions)
        }

    def carry_out(self, block: Block, before: Sequence[Transaction]) -> Pairs:
        """See `pair_up`."""
        venue = self._venue
        if not self._numbers:
            return Pairs(venue, (), ())
        with anchor(self._engine):  # what has accrued by then is read from the chain
            preceding = block._replace(transactions=tuple(before))
            require_success(preceding, self._engine.execute(preceding))
            accounts = self._read()
        made = {number: list(self._pairs(accounts[number])) for number in self._numbers}
        needed = {
            symbol: max(whole.debts.get(symbol, 0) for whole in accounts.values())
            for symbol in venue.assets
        }
        sent = [*self._configure(opening=True), *self._mint(needed)]
        for number in self._numbers:
            sent += self._part(accounts[number], made[number])
        sent += [*self._burn(needed), *self._configure(opening=False)]
        positions = [
            position
            for number, whole in enumerate(venue.positions)
            for position in made.get(number, [whole])
        ]
        new = tuple(address_of(pair) for pairs in made.values() for pair in pairs)
        left = tuple(venue.accounts[number] for number in self._numbers)
        return Pairs(venue.with_positions(positions, left), new, tuple(sent))

    # --- what there is -------------------------------------------------------------------

    def _read(self) -> dict[int, _Account]:
        """The accounts by number, from the chain."""
        venue, width = self._venue, len(self._venue.assets)
        states = venue.states(self._engine)
        owners = [venue.accounts[number] for number in self._numbers]
        words = venue.words_of(self._engine, owners)
        found = {}
        for place, number in enumerate(self._numbers):
            row = words[place * width : (place + 1) * width]
            claims = {s: word >> 128 for s, word in zip(venue.assets, row, strict=True)}
            debts = {s: word & _HALF for s, word in zip(venue.assets, row, strict=True)}
            counting, owed = {}, {}
            for symbol, state, threshold, decimals in zip(
                venue.assets, states, venue.thresholds_bps, venue.decimals, strict=True
            ):
                if not state.price_wad and (claims[symbol] or debts[symbol]):
                    told = f"{venue.name} refuses the price of {symbol}, by which to part accounts"
                    raise EngineError(told)
                worth = state.price_wad * 10 ** (18 - decimals)
                counting[symbol] = claims[symbol] * worth * threshold
                owed[symbol] = debts[symbol] * worth
            found[number] = _Account(
                owners[place],
                venue.positions[number],
                {s: amount for s, amount in claims.items() if amount},
                {s: amount for s, amount in debts.items() if amount},
                {s: worth for s, worth in counting.items() if worth},
                {s: worth for s, worth in owed.items() if worth},
            )
        return found

    def _pairs(self, whole: _Account) -> Iterator[Position]:
        """The positions into which an account is parted."""
        position = whole.position
        secured, owed = list(whole.counting), list(whole.owed)
        by_debt = {s: divided_down(whole.claims[s], list(whole.owed.values())) for s in secured}
        by_claim = {s: divided_down(whole.debts[s], list(whole.counting.values())) for s in owed}
        shares = [whole.counting[c] * whole.owed[d] for c in secured for d in owed]
        by_pair = {s: divided_down(n, shares) for s, n in position.cash if s not in owed}
        cash = {
            s: divided_down(n, list(whole.counting.values())) for s, n in position.cash if s in owed
        }
        rest = tuple((s, n) for s, n in whole.claims.items() if s not in whole.counting)
        group = position.holder or position.population
        for place, (at, number) in enumerate(product(range(len(secured)), range(len(owed)))):
            collateral, debt = secured[at], owed[number]
            answer = {s: parts[place] for s, parts in by_pair.items()}
            if debt in cash:
                answer[debt] = cash[debt][at]
            yield replace(
                position,
                supplied=((collateral, by_debt[collateral][number]), *rest),
                borrowed=((debt, by_claim[debt][at]),),
                cash=tuple(answer.items()),
                holder=f"{self._venue.name}/{group}/{collateral}-{debt}",
            )
            rest = ()

    # --- what is sent --------------------------------------------------------------------

    def _configure(self, *, opening: bool) -> Iterator[Transaction]:
        market = self._venue.market.address
        for symbol in self._venue.assets:
            yield Transaction(ADMIN, market, self._venue.configuration(symbol, opening=opening))

    def _mint(self, needed: Mapping[str, int]) -> Iterator[Transaction]:
        """Mints what one account after the other needs to repay, and lets the market take it."""
        for symbol, token in self._tokens.items():
            if needed[symbol]:
                yield token.transaction(MINTER, "mint", SEEDER, needed[symbol])
            yield token.transaction(SEEDER, "approve", self._venue.market.address, MAX_UINT)

    def _burn(self, minted: Mapping[str, int]) -> Iterator[Transaction]:
        for symbol, amount in minted.items():
            if amount:
                yield self._tokens[symbol].transaction(SEEDER, "burn", amount)

    def _part(self, whole: _Account, pairs: Sequence[Position]) -> Iterator[Transaction]:
        """Repays, moves collateral, borrows; then gives each pair what it answers calls with."""
        market, owner = self._venue.market, whole.owner
        address = {symbol: token.address for symbol, token in self._tokens.items()}
        for symbol in whole.debts:
            yield market.transaction(SEEDER, "repay", address[symbol], MAX_UINT, owner)
        for symbol in whole.claims:
            given = (address[symbol], MAX_UINT, owner, SEEDER)
            yield market.transaction(owner, "withdraw", *given)
        for pair in pairs:
            to = address_of(pair)
            for symbol, amount in pair.supplied:
                if amount:
                    yield market.transaction(SEEDER, "supply", address[symbol], amount, to)
            for symbol, amount in pair.borrowed:
                if amount:
                    yield market.transaction(to, "borrow", address[symbol], amount, to, SEEDER)
            yield from self._equip(owner, pair)

    def _equip(self, owner: bytes, pair: Position) -> Iterator[Transaction]:
        market, to, ledger = self._venue.market, address_of(pair), self._world.fee_ledger
        for symbol, amount in pair.cash:
            if amount:
                token = self._world.tokens[symbol]
                yield token.transaction(owner, "transfer", to, amount)
                yield token.transaction(to, "approve", market.address, MAX_UINT)
        if pair.action == "deleverage":
            deleverager = self._venue.deleverager.address
            yield market.transaction(to, "setOperator", deleverager, True)
        deposit = self._deposits.get(pair.population, 0)
        if pair.action != "nothing" and deposit:
            yield self._fee_token.transaction(MINTER, "mint", SEEDER, deposit)
            yield self._fee_token.transaction(SEEDER, "approve", ledger.address, MAX_UINT)
            yield ledger.transaction(SEEDER, "deposit", to, deposit)


__all__ = ["Pairs", "divided_down", "pair_up", "shared_positions"]
