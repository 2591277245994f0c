"""Cross margin inside one account, cut: every position of it stands alone.

Of a lending market that is a pair of a collateral and a debt (`harness.lending_pairs`). Of an
exchange: each position of a cross account with several moves into an account of the same owner
isolated to its market, with its own part of what the account holds. The parts are as the initial
margins that the exchange requires of the positions after set-up: so each keeps the ratio of margin
to requirement that the account had, every position that could be opened together can be held alone,
and with equal requirements the parts are equal, as those of traders who are isolated from the
start. Of each token the last position has what rounding leaves.

All of it happens in block 0, outside the digest. Under the configuration under which set-up opened
the positions (index price, no fees, caps or guards) they are closed and, in the opposite order,
opened again, each market's at the price at which it was closed but for a wei. The rounding of that,
at most two base units of the settlement token a position, goes to the vault, and whoever seeds the
scenario pays it: an owner's equity is the same to the unit. What else changes beside the accounts:
funding since set-up is settled, and the markets are accrued. Where an account has no cash to settle
it, because all its margin is in other tokens, it is given that.

An account worth only a few base units of the settlement token cannot be parted: the run without the
link ends with an EngineError.

A clearing house pays a member's margin into its cross account (ClearingFund.allocate): positions
that stand alone have none of it before they default, and all of it then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from harness.contracts import Contract
from harness.engine.base import Block, Engine, Transaction, anchor
from harness.feeds import MAX_UINT
from harness.lending_pairs import divided_down, pair_up
from harness.people import ADMIN, MINTER, SEEDER
from harness.protocols.clearing import ClearingVenue
from harness.protocols.perp_exchange import MarketState, PerpVenue
from harness.protocols.perp_setup import ANY_PRICE, NO_CAP, market_config, tiers
from harness.scenario import BPS, PerpMarket, Scenario
from harness.setup import require_success
from harness.traders import TraderAccount, account_word, margin_up
from harness.world import World

_OPENING_TIERS = [(NO_CAP, 3, 2, 1, BPS)]
"""Margins while positions move: an account opened with just its initial margin can be parted, too,
whatever a base unit of rounding does to it."""


class Apart(NamedTuple):
    """A world in which positions of some venues stand alone, and the transactions that bring
    the chain there."""

    world: World
    transactions: tuple[Transaction, ...]


def is_cross(held: TraderAccount) -> bool:
    """Whether several positions share the margin of an account."""
    return not held.isolated and len(held.positions) > 1


def stand_alone(
    engine: Engine, world: World, scenario: Scenario, venues: Sequence[str], block: Block
) -> Apart:
    """Parts the cross accounts of these venues, as far as they exist.

    engine: after set-up; it is left as it is
    block: number and time of the block that will begin with the transactions

    Raises EngineError if a position cannot be closed in that block, as at a refused feed.
    """
    exchanges, markets = dict(world.exchanges), dict(world.venues)
    holders = list(world.holders)
    sent: list[Transaction] = []
    for name in venues:
        if name in exchanges:
            parting = _Parting(engine, world, scenario, exchanges[name])
            if parting.shared:
                exchanges[name], transactions = parting.carry_out(block, sent)
                sent += transactions
        elif name in markets:
            pairs = pair_up(engine, world, scenario, markets[name], block, sent)
            markets[name] = pairs.venue
            holders += pairs.holders
            sent += pairs.transactions
    if not sent:
        return Apart(world, ())
    changed = replace(
        world,
        exchanges=exchanges,
        venues=markets,
        holders=tuple(holders),
        clearing=_behind(world.clearing, exchanges),
    )
    return Apart(changed, tuple(sent))


def initial_margin_up(
    market: PerpMarket, state: MarketState, size: int, unit: int, value_scale: int
) -> int:
    """Initial margin of a position at the mark price, in settlement units; ``unit`` is a whole
    settlement token. As the exchange has it, but for a unit where it multiplies its margins."""
    notional = -(-abs(size) * state.mark_wad // value_scale)
    listed = margin_up(market, notional, unit, "initial_bps")
    return -(-listed * state.margin_scale_bps // BPS)


def _behind(
    houses: Mapping[str, ClearingVenue], exchanges: Mapping[str, PerpVenue]
) -> dict[str, ClearingVenue]:
    """Clearing houses with these exchanges in front of them."""
    return {
        name: ClearingVenue(
            house.spec,
            house.house,
            house.fund,
            house.policy,
            house.lens,
            {venue: exchanges[venue] for venue in house.exchanges},
            house.members,
        )
        for name, house in houses.items()
    }


@dataclass(frozen=True, slots=True)
class _Shared:
    """A cross account: its number, what it was set up with, its word; of each position its market's
    number, size and weight."""

    number: int
    held: TraderAccount
    word: bytes
    positions: tuple[tuple[int, int, int], ...]

    def alone(self, market: int) -> bytes:
        """The word of the account in which a position stands alone."""
        return account_word(self.word[:20], market, self.held.sub)


class _Parting:
    """The parting of one exchange's cross accounts."""

    def __init__(self, engine: Engine, world: World, scenario: Scenario, venue: PerpVenue) -> None:
        self._engine, self._world, self._scenario, self._venue = engine, world, scenario, venue
        self._exchange: Contract = venue.exchange
        self.shared = tuple(self._find())

    def _find(self) -> Iterator[_Shared]:
        venue = self._venue
        states = venue.states(self._engine)
        for number, (trader, place) in enumerate(venue.held):
            held = trader.accounts[place]
            if is_cross(held):
                word, positions = venue.word_of(trader, place), self._positions(held, states)
                yield _Shared(number, held, word, tuple(positions))

    def _positions(
        self, held: TraderAccount, states: Sequence[MarketState]
    ) -> Iterator[tuple[int, int, int]]:
        venue = self._venue
        for symbol, size in held.positions:
            market = venue.markets.index(symbol)
            spec, state = venue.spec.markets[market], states[market]
            weight = initial_margin_up(spec, state, size, venue.unit, venue.value_scale)
            yield market, size, weight

    def carry_out(
        self, block: Block, before: Sequence[Transaction]
    ) -> tuple[PerpVenue, list[Transaction]]:
        """The exchange with its accounts apart, and what brings it there in ``block``, behind the
        transactions that come ``before``."""
        venue = self._venue
        closing = [*self._configure(opening=True), *self._close()]
        missing = self._rehearse(block, [*before, *closing])
        made: dict[bytes, list[TraderAccount]] = {}
        paid: list[Transaction] = []
        moved: list[Transaction] = []
        opened: list[Transaction] = []
        for shared in self.shared:
            parts = self._parts(shared, missing[shared.number])
            made[shared.word] = parts
            paid += self._make_up(shared, missing[shared.number])
            moved += self._move(shared, parts)
            opened += self._open(shared, alone=True)
        traders = [
            replace(
                trader,
                accounts=tuple(
                    part
                    for place, held in enumerate(trader.accounts)
                    for part in made.get(venue.word_of(trader, place), [held])
                ),
            )
            for trader in venue.traders
        ]
        sent = [*closing, *paid, *moved, *reversed(opened), *self._configure(opening=False)]
        return venue.with_traders(traders), sent

    def _rehearse(self, block: Block, closing: Sequence[Transaction]) -> dict[int, int]:
        """Closes the positions and opens them again in their accounts, which the cache holds then;
        the chain is left as it is. Returns the cash that each account lacks to be worth what it was
        and to owe none, by number."""
        venue, engine = self._venue, self._engine
        numbers = [shared.number for shared in self.shared]
        venue.reset()
        venue.refresh(engine, numbers)
        opened = [trade for shared in self.shared for trade in self._open(shared, alone=False)]
        rehearsal = block._replace(transactions=(*closing, *reversed(opened)))
        with anchor(engine):
            require_success(rehearsal, engine.execute(rehearsal))
            states = venue.states(engine)
            worth = [self._paid_in(number, states) for number in numbers]
            venue.refresh(engine, numbers)
        lost = [was - self._paid_in(n, states) for n, was in zip(numbers, worth, strict=True)]
        return {n: max(loss, -venue.cash(n)) for n, loss in zip(numbers, lost, strict=True)}

    def _paid_in(self, number: int, states: Sequence[MarketState]) -> int:
        """An account's cash less what its positions cost and owe."""
        row = self._venue.position_words(number, states)
        return row[0] - sum(row[2 : 1 + 2 * len(states) : 2])

    def _configure(self, *, opening: bool) -> Iterator[Transaction]:
        """Gives every market concerned the terms under which positions open, or its own."""
        venue, world = self._venue, self._world
        concerned = {market for shared in self.shared for market, _, _ in shared.positions}
        feeds = {**world.feeds, **world.relays[venue.name]}
        for market in sorted(concerned):
            spec = venue.spec.markets[market]
            config = market_config(spec, self._scenario, feeds, opening=opening)
            steps = _OPENING_TIERS if opening else tiers(spec, venue.spec, world.decimals)
            yield self._exchange.transaction(ADMIN, "setMarketConfig", market, config, steps)

    def _close(self) -> Iterator[Transaction]:
        for shared in self.shared:
            for market, size, _ in shared.positions:
                yield self._trade(shared.word, market, -size)

    def _open(self, shared: _Shared, *, alone: bool) -> Iterator[Transaction]:
        for market, size, _ in shared.positions:
            yield self._trade(shared.alone(market) if alone else shared.word, market, size)

    def _trade(self, word: bytes, market: int, size: int) -> Transaction:
        limit = ANY_PRICE if size > 0 else 0
        return self._exchange.transaction(word[:20], "trade", word, market, size, limit)

    def _parts(self, shared: _Shared, missing: int) -> list[TraderAccount]:
        """The accounts into which one is parted, once it has been paid what is missing."""
        venue = self._venue
        weights = [weight for _, _, weight in shared.positions]
        held = {venue.settlement: venue.cash(shared.number) + missing}
        collaterals = venue.words(shared.number)[1 + 2 * len(venue.markets) :]
        held |= dict(zip(venue.collaterals, collaterals, strict=True))
        divided = {symbol: divided_down(amount, weights) for symbol, amount in held.items()}
        return [
            TraderAccount(
                sub=shared.held.sub,
                isolated=symbol,
                deposits=tuple((s, parts[i]) for s, parts in divided.items() if parts[i]),
                positions=((symbol, size),),
            )
            for i, (symbol, size) in enumerate(shared.held.positions)
        ]

    def _make_up(self, shared: _Shared, missing: int) -> Iterator[Transaction]:
        """Pays in what an account lacks."""
        if missing:
            token, to = self._world.tokens[self._venue.settlement], self._exchange.address
            yield token.transaction(MINTER, "mint", SEEDER, missing)
            yield token.transaction(SEEDER, "approve", to, MAX_UINT)
            yield self._exchange.transaction(SEEDER, "deposit", shared.word, token.address, missing)

    def _move(self, shared: _Shared, parts: Sequence[TraderAccount]) -> Iterator[Transaction]:
        owner = shared.word[:20]
        for (market, _, _), part in zip(shared.positions, parts, strict=True):
            to = shared.alone(market)
            for symbol, amount in part.deposits:
                token = self._world.tokens[symbol].address
                yield self._exchange.transaction(owner, "move", shared.word, to, token, amount)


__all__ = ["Apart", "initial_margin_up", "is_cross", "stand_alone"]
