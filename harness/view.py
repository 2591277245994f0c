"""What is known of the world after a block: what agents act on and what is measured.

A :class:`View` costs one call for prices and pools and one for each venue's books. Scans over
accounts happen only when a price or a position can have brought one to its threshold; whatever a
scan finds is confirmed on chain before anyone acts on it or it is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from harness.calls import CallBook
from harness.contracts import WORD, Contract
from harness.curves import Hop
from harness.cuts import UNCUT
from harness.engine.base import Engine, Receipt
from harness.exchange_view import ExchangeState
from harness.modules.state import ModuleState
from harness.orders import Order
from harness.people import USD_DECIMALS
from harness.protocols.clearing import ClearingVenue, Place, RoundState
from harness.protocols.curated_vault import VaultReader, VaultState
from harness.protocols.pooled_lending import (
    NO_CAP,
    WAD,
    AssetState,
    Floats,
    Holding,
    PooledLendingVenue,
    Quote,
    Shortfall,
)
from harness.scenario import BPS, PRICE_UNIT, Scenario, usd_wad
from harness.share_exit import ShareExit
from harness.world import PoolHandle, World

#: A curve of so many times a vault is as good as its quote, to a part in so many.
_FLAT = 10**12
WAD_PER_PRICE = WAD // PRICE_UNIT


class FeedRound(NamedTuple):
    """A feed's latest answer in its own decimals, its round and its time (epoch seconds)."""

    answer: int
    round_id: int
    updated_at: int


class _Watch:
    """Tells whether any account can have crossed a bound since the last scan.

    A scan gives ratios of weighted collateral to weighted debt, with the bound at 1. Since then no
    ratio has fallen by more than (least growth of a collateral weight) / (largest growth of a debt
    weight), nor risen by more than the reverse. While neither the lowest ratio above the bound nor
    the highest below can have come to it, another scan would find the same accounts.
    """

    def __init__(self) -> None:
        self._above = 0.0
        self._below = 0.0
        self._supply: list[float] = []
        self._borrow: list[float] = []

    @staticmethod
    def _weights(
        states: Sequence[AssetState], prices: Sequence[int]
    ) -> tuple[list[float], list[float]]:
        return (
            [
                float(price * state.supply_index)
                for price, state in zip(prices, states, strict=True)
            ],
            [
                float(price * state.borrow_index)
                for price, state in zip(prices, states, strict=True)
            ],
        )

    def steady(self, states: Sequence[AssetState], prices: Sequence[int]) -> bool:
        """Whether every account is certainly on the side of its bound where the scan found it."""
        if self._above <= 1.0 or 0 in prices or 0 in self._supply:
            return False
        supply, borrow = self._weights(states, prices)
        supply = [now / then for now, then in zip(supply, self._supply, strict=True)]
        borrow = [now / then for now, then in zip(borrow, self._borrow, strict=True)]
        fall, rise = min(supply) / max(borrow), max(supply) / min(borrow)
        return self._above * fall > 1.000001 and self._below * rise < 0.999999

    def scanned(self, ratios: Floats, states: Sequence[AssetState], prices: Sequence[int]) -> None:
        below = ratios < 1
        self._above = float(ratios[~below].min(initial=np.inf))
        self._below = float(ratios[below].max(initial=0.0))
        self._supply, self._borrow = self._weights(states, prices)

    def forget(self) -> None:
        self._above = 0.0


class VenueState:
    """A lending venue as it is after the last block."""

    def __init__(self, venue: PooledLendingVenue, engine: Engine) -> None:
        self.venue = venue
        self._engine = engine
        venue.reset()
        self._thresholds = venue.thresholds_bps
        #: USD (WAD) of debt repaid in liquidations so far, or taken over by the module
        self.liquidated_usd = 0
        self.calls = CallBook()
        #: its liquidation module, None where the market liquidates itself
        self.module = None if venue.module is None else ModuleState(venue, venue.module, engine)
        self._call_levels = np.array(
            [position.call_health_factor / WAD for position in venue.positions]
        )
        self._health_watch = _Watch()
        #: at external and at the market's own prices: the accounts that may have a shortfall, of
        #: liquidation or the market, of the market only
        self._short_watches = (_Watch(), _Watch())
        self._short: list[list[int]] = [[], []]
        #: accounts below 1 by what their liquidation may earn in USD, the largest first
        self._ranking: tuple[list[int], Floats] | None = None
        #: those of them that a module may take over, read in this block, the largest first
        self._candidates: list[Quote] = []
        #: quotes read at these prices of accounts untouched since
        self._quotes: dict[int, Quote] = {}
        self._quoted_at: list[int] = []
        #: claims of suppliers by owner, an asset each, once they have been asked for in this block
        self._supplied: dict[bytes, tuple[int, ...]] = {}
        #: losses in sight, once they have been asked for in this block
        self._loss_bps: int | None = None
        self.states: list[AssetState] = []
        self.oracle_prices: list[int] = []
        #: accounts below 1 at the market's prices, and for each the block since which it has been
        self.unhealthy_since: dict[int, int] = {}
        venue.refresh(engine)

    def update(self, index: int, receipts: Sequence[Receipt]) -> set[int]:
        """Reads the books after block ``index``, refreshes what its events touched, and rescans
        if need be. Returns the touched account numbers."""
        self._supplied.clear()
        self._loss_bps = None
        if self.module is not None:
            self.module.update(receipts)
        touched = self.venue.touched(receipts)
        if touched:
            self.venue.refresh(self._engine, touched)
            self._health_watch.forget()
            for watch in self._short_watches:
                watch.forget()
        self.states = self.venue.states(self._engine)
        self.oracle_prices = [state.price_wad for state in self.states]
        if self.oracle_prices != self._quoted_at:
            self._quotes.clear()
            self._quoted_at = self.oracle_prices
        for number in touched:
            self._quotes.pop(number, None)
        if touched:
            self.liquidated_usd += self.venue.liquidated_usd(receipts, self.states)
        if self.venue.thresholds_bps != self._thresholds:
            self._thresholds = self.venue.thresholds_bps
            self._quotes.clear()
            self._health_watch.forget()
        self._ranking = None
        self._candidates.clear()
        if not self._health_watch.steady(self.states, self.oracle_prices):
            self._scan(index)
        return touched

    def _scan(self, index: int) -> None:
        """Finds who is below 1 and who is below the call level. Where an account is closer to
        either than the cache is good for, the chain decides."""
        health = self.venue.health(self.states, self.oracle_prices)
        ratio = health / self._call_levels
        unhealthy, called = health < 1, ratio < 1
        close = (np.abs(health - 1) < 1e-9) | (np.abs(ratio - 1) < 1e-9)
        doubtful = np.flatnonzero(close).tolist()
        exact = self.venue.health_factors(self._engine, doubtful)
        for number, factor in zip(doubtful, exact, strict=True):
            unhealthy[number] = factor < WAD
            called[number] = factor < self.venue.positions[number].call_health_factor
        since = self.unhealthy_since
        below = np.flatnonzero(unhealthy).tolist()
        if below != list(since):
            self.unhealthy_since = {number: since.get(number, index) for number in below}
        if 0 in self.oracle_prices:
            # what nobody can value is as it was last known
            known = list(self.calls.open)
            called[known] |= self.venue.unpriced(self.oracle_prices)[known]
        self.calls.update(index, np.flatnonzero(called).tolist())
        ratios = np.concatenate((health, ratio))
        self._health_watch.scanned(ratios, self.states, self.oracle_prices)

    def _ranked(self) -> tuple[list[int], Floats]:
        if self._ranking is None:
            below = list(self.unhealthy_since)
            gains = self.venue.most_gain(below, self.states, self.oracle_prices)
            order = np.argsort(-gains, kind="stable")
            self._ranking = [below[i] for i in order], gains[order]
        return self._ranking

    def quotes(self, least_usd: float, most: int) -> list[Quote]:
        """Exact quotes of accounts that can be liquidated now: those whose liquidation may earn
        the most, ``least_usd`` or more, at least ``most`` of them if there are. An account is read
        again when a price or its position has changed."""
        if not self.unhealthy_since:
            return []
        ranked, gains = self._ranked()
        worthwhile = int(np.count_nonzero(gains >= least_usd))
        found: list[Quote] = []
        for start in range(0, worthwhile, most):
            chosen = ranked[start : min(start + most, worthwhile)]
            unread = [number for number in chosen if number not in self._quotes]
            if unread:
                for quote in self.venue.quotes(self._engine, unread):
                    if quote.max_repay:  # what is refused now may be allowed after a pause
                        self._quotes[quote.account] = quote
            found += [self._quotes[number] for number in chosen if number in self._quotes]
            if len(found) >= most:
                break
        return found

    def candidates(self, most: int) -> list[Quote]:
        """Accounts below 1 for a module that takes them over, the largest first: which collateral
        and which debt are their largest; amounts are not quoted."""
        ranked, _ = self._ranked()
        read = self._candidates
        if len(read) < min(most, len(ranked)):
            read += self.venue.quotes(self._engine, ranked[len(read) : most])
        return [quote for quote in read[:most] if quote.health_factor < WAD]

    def without_dust(self, quote: Quote, repay: int) -> int:
        """The largest repayment up to this one that the market's dust rule lets through.

        Unless a liquidation clears the debt or the collateral, the least leftover must stay of
        both.
        """
        spec = self.venue.spec
        unbound = self.venue.module is not None or not spec.min_leftover_usd
        if repay >= quote.max_repay or unbound:
            return min(repay, quote.max_repay)
        words = self.venue.position_words(quote.account, self.states)

        def spare(asset: int, amount: int) -> int:
            """What may be taken of an amount so that the least leftover stays."""
            unit: int = 10 ** self.venue.decimals[asset]
            price = self.states[asset].price_wad
            return amount - -(-usd_wad(spec.min_leftover_usd) * unit // price) - 1

        debt = spare(quote.debt, words[quote.debt] & NO_CAP)
        collateral = spare(quote.collateral, words[quote.collateral] >> 128)
        return min(repay, debt, collateral * quote.max_repay // quote.seized)

    def balances_of(self, owner: bytes) -> list[int]:
        """Anybody's exact balances (claims << 128 | debt), by asset."""
        return self.venue.words_of(self._engine, [owner])

    def supplied(self, owner: bytes) -> tuple[int, ...]:
        """What a supplier could withdraw if there were cash, for each asset, base units.

        Raises KeyError for one who supplies nothing here by the scenario.
        """
        if not self._supplied:
            people = self.venue.suppliers
            words = self.venue.words_of(self._engine, people)
            width = len(self.venue.assets)
            self._supplied = {
                supplier: tuple(word >> 128 for word in words[i * width : (i + 1) * width])
                for i, supplier in enumerate(people)
            }
        return self._supplied[owner]

    def holdings(self, number: int) -> list[Holding]:
        """An account's position, valued at the market's prices."""
        return self.venue.holdings(number, self.states, self.oracle_prices)

    def loss_bps(self) -> int:
        """Losses in sight as a share of all that is lent: deficits that no reserves cover and debts
        beyond their collateral, at the market's prices. 0 while it refuses a feed."""
        if self._loss_bps is None:
            self._loss_bps = 0
            prices = self.oracle_prices
            lent = lost = 0
            for state, price, places in zip(self.states, prices, self.venue.decimals, strict=True):
                lent += state.total_debt * price // 10**places
                lost += max(0, state.deficit - state.reserves) * price // 10**places
            if lent and 0 not in prices:
                lost += self._shortfall(1, prices).market
                self._loss_bps = lost * BPS // lent
        return self._loss_bps

    def shortfalls(self, external_wad: Sequence[int]) -> tuple[Shortfall, int]:
        """Market and liquidation shortfall at external prices, and the market's shortfall at its
        own prices (0 while it refuses a feed), in USD WAD; what a module has taken over counts."""
        outside = self._shortfall(0, external_wad)
        if self.module is not None:
            return self._with_module(self.module, outside, external_wad)
        if 0 in self.oracle_prices:
            return outside, 0
        if list(external_wad) == self.oracle_prices:
            return outside, outside.market
        return outside, self._shortfall(1, self.oracle_prices).market

    def _with_module(
        self, module: ModuleState, outside: Shortfall, external_wad: Sequence[int]
    ) -> tuple[Shortfall, int]:
        held = module.shortfall(self.states, external_wad)
        total = Shortfall(outside.market + held, outside.liquidation + held)
        if 0 in self.oracle_prices:
            return total, 0
        own = self._shortfall(1, self.oracle_prices).market
        return total, own + module.shortfall(self.states, self.oracle_prices)

    def _shortfall(self, which: int, prices: Sequence[int]) -> Shortfall:
        watch = self._short_watches[which]
        if not watch.steady(self.states, prices):
            ratios = self.venue.cover if which else self.venue.liquidation_cover
            cover = ratios(self.states, prices)
            watch.scanned(cover, self.states, prices)
            self._short[which] = np.flatnonzero(cover < 1 + 1e-9).tolist()
        return self.venue.shortfall(self._engine, self._short[which], prices)


class View:
    """The world after block ``index`` of the run (0: after set-up).

    Attributes:
        index: number of the last block in the run
        timestamp: its time, epoch seconds
        external: outside price of each asset, 8 decimals
        feeds: latest round of each feed, by asset, and of each source within one, by its name
        reserves: base and quote reserves of each pool
        venues: lending venues by name
        exchanges: perpetual exchanges by name
        vaults: curated vaults by name
        start_prices: outside price of each asset in block 0, 8 decimals
        background_bid: what others bid, in wei of the fee asset per gas
        mempool: orders that wait to be included, by agent and key
        cuts: the links this run is without
    """

    def __init__(
        self, engine: Engine, world: World, scenario: Scenario, paths: Mapping[str, Sequence[int]]
    ) -> None:
        self._engine = engine
        self._world = world
        self._paths = paths
        self.start_prices = {symbol: path[0] for symbol, path in paths.items()}
        self.scenario = scenario
        self.index = -1
        self.background_bid = 0
        self.timestamp = 0
        self.cuts = UNCUT
        self.external: dict[str, int] = {}
        self.displacement: dict[str, int] = {}
        self.feeds: dict[str, FeedRound] = {}
        self.reserves: dict[str, tuple[int, int]] = {}
        self.mempool: dict[tuple[str, str], Order] = {}
        self.venues = {name: VenueState(venue, engine) for name, venue in world.venues.items()}
        self.exchanges = {
            name: ExchangeState(venue, engine) for name, venue in world.exchanges.items()
        }
        self.vaults: dict[str, VaultState] = {}
        self._vault_reader = (
            None if world.vault_lens is None else VaultReader(world.vault_lens, world.vaults)
        )
        self._depths = {
            asset.symbol: asset.external.depth_base(paths[asset.symbol][0], asset.decimals)
            for asset in scenario.assets
            if asset.external is not None
        }
        self._fundamental: dict[str, int] = {}
        self._read_call = world.lens.encode(
            "read",
            [contract.address for contract in world.externals.values()],
            [contract.address for contract in world.feeds.values()],
            [pool.contract.address for pool in world.pools.values()],
        )
        #: balances read in this block, by token; whom was asked for in it, and in the one before
        self._balances: dict[bytes, dict[bytes, int]] = {}
        self._asked: dict[bytes, dict[bytes, None]] = {}
        self._asked_before: dict[bytes, dict[bytes, None]] = {}

    def update(self, index: int, timestamp: int, receipts: Sequence[Receipt]) -> set[str]:
        """Moves on to the state after a block. Returns the names of the venues it touched."""
        self.index, self.timestamp = index, timestamp
        self.background_bid = self.scenario.block_space.background_bid_wei(self.seconds)
        self._balances.clear()
        self._asked, self._asked_before = {}, self._asked
        self._read_world(index)
        touched = {name for name, venue in self.venues.items() if venue.update(index, receipts)}
        return touched | {
            name for name, exchange in self.exchanges.items() if exchange.update(index, receipts)
        }

    def _read_world(self, index: int) -> None:
        world = self._world
        data = self._engine.call(world.lens.address, self._read_call)
        at = 2 * WORD

        def word(*, signed: bool = False) -> int:
            nonlocal at
            at += WORD
            return int.from_bytes(data[at - WORD : at], "big", signed=signed)

        for asset in self.scenario.assets:
            self.external[asset.symbol] = self._paths[asset.symbol][index]
        for symbol in world.externals:
            self.external[symbol] = word()
            self._fundamental[symbol] = word()
            self.displacement[symbol] = word(signed=True)
        for symbol in world.feeds:
            self.feeds[symbol] = FeedRound(word(signed=True), word(), word())
        for name in world.pools:
            self.reserves[name] = (word(), word())
        if self._vault_reader is not None:
            self.vaults = self._vault_reader.read(self._engine)
            for symbol, vault in world.vault_of.items():
                price = self.external[vault.spec.asset]
                self.external[symbol] = self.vaults[vault.spec.name].assets_down(price)

    def ask(self, contract: Contract, function: str, *args: Any) -> Any:
        """What a function of a contract returns after the last block; Reverted if it reverts."""
        return contract.read(self._engine, function, *args)

    def clearing_round(self, house: ClearingVenue, exchange: str) -> RoundState:
        """The waterfall of an exchange after the last block."""
        return house.round(self._engine, exchange)

    def clearing_line(self, house: ClearingVenue, exchange: str, state: RoundState) -> list[Place]:
        """Who is to be listed next, in order."""
        return house.line(self._engine, exchange, state)

    def clearing_called(self, house: ClearingVenue, exchange: str, called: set[int]) -> list[bytes]:
        """Members who are called and have margin with the house."""
        return house.called_members(self._engine, exchange, called)

    # --- prices and quotes ---------------------------------------------------------------

    def external_wad(self, symbol: str) -> int:
        """Outside price in WAD of USD per whole token."""
        return self.external[symbol] * WAD_PER_PRICE

    def usd_wad(self, symbol: str, amount: int) -> int:
        """Worth of an amount at the outside price, in WAD, rounded down."""
        return amount * self.external_wad(symbol) // self._world.units[symbol]

    def pool_hop(self, name: str, sold: str) -> Hop:
        """A pool as a curve for selling one of its assets."""
        pool: PoolHandle = self._world.pools[name]
        base, quote = self.reserves[name]
        forward = sold == pool.base
        return Hop(base if forward else quote, quote if forward else base, pool.fee_pips)

    def external_hop(self, symbol: str, *, sell: bool) -> Hop:
        """An outside market as a curve for selling the asset for USD, or buying it."""
        asset = self.scenario.asset(symbol)
        if asset.external is None:
            raise KeyError(symbol)
        depth = self._depths[symbol]
        base = depth + self.displacement[symbol]
        unit = PRICE_UNIT * 10**asset.decimals
        usd = self._fundamental[symbol] * depth * depth * 10**USD_DECIMALS // (base * unit)
        fee = asset.external.fee_pips
        return Hop(base, usd, fee) if sell else Hop(usd, base, fee)

    def forced_sale_hop(self, sold: str, bought: str) -> Hop | None:
        """The curve on which forced sales of this pair are filled, None if nobody takes them: that
        of a pool; for shares of a vault, where all are redeemed first, as far as `redeemable` says,
        that of the pool of its asset in units of shares, or nearly a straight line."""
        if sold in self._world.vault_of:
            asset = self._world.vault_of[sold].spec.asset
            state = self.vaults[self._world.vault_of[sold].spec.name]
            if asset == bought:
                return Hop(state.shares * _FLAT, state.assets * _FLAT, 0)
            hop = self.forced_sale_hop(asset, bought)
            if hop is None or not state.assets:
                return None
            return hop._replace(reserve_in=-(-hop.reserve_in * state.shares // state.assets))
        name = self._world.pool_of(sold, bought)
        return None if name is None else self.pool_hop(name, sold)

    def share_exit(self, sold: str, bought: str) -> ShareExit | None:
        """How shares that a pool trades against their vault's asset are left, by forced sales; None
        for what is not such a share, or where nobody takes the vault's asset for what is asked."""
        vault = self._world.vault_of.get(sold)
        name = None if vault is None else self._world.pool_of(sold, vault.spec.asset)
        if vault is None or name is None:
            return None
        onward, asset = None, vault.spec.asset
        if asset != bought:
            onward = self.forced_sale_hop(asset, bought)
            if onward is None:
                return None
        state, most = self.vaults[vault.spec.name], self.redeemable(sold)
        most = state.shares if most is None else most
        return ShareExit(state.assets, state.shares, most, self.pool_hop(name, sold), onward)

    def redeemable(self, symbol: str) -> int | None:
        """Shares that their vault could pay for now; None for what is not redeemed, or where the
        sink pays."""
        vault = self._world.vault_of.get(symbol)
        if vault is None or any(self.cuts.has(market, "claims") for market in vault.markets):
            return None
        state = self.vaults[vault.spec.name]
        return state.payable_shares()

    # --- accounts ------------------------------------------------------------------------

    def balances(self, symbol: str, holders: Iterable[bytes]) -> list[int]:
        """Token balances; each is read from the chain once a block."""
        return self._held(self._world.tokens[symbol].address, tuple(holders))

    def fee_balance(self, payer: bytes) -> int:
        """What the fee ledger holds for a sender."""
        return self.fee_balances((payer,))[0]

    def fee_balances(self, payers: Sequence[bytes]) -> list[int]:
        """What the fee ledger holds for each of these senders."""
        return self._held(self._world.fee_ledger.address, payers)

    def _held(self, token: bytes, holders: Sequence[bytes]) -> list[int]:
        """Balances of a token. Who was asked for in the last block is read along in the same call,
        since agents ask for the same purses block after block."""
        known = self._balances.setdefault(token, {})
        asked = self._asked.setdefault(token, {})
        missing = False
        for holder in holders:
            asked[holder] = None
            missing = missing or holder not in known
        if missing:
            wanted = dict.fromkeys((*holders, *self._asked_before.pop(token, ())))
            unread = [holder for holder in wanted if holder not in known]
            lens = self._world.lens
            data = self._engine.call(lens.address, lens.encode("balances", token, unread))
            for place, holder in enumerate(unread):
                at = (2 + place) * WORD
                known[holder] = int.from_bytes(data[at : at + WORD], "big")
        return [known[holder] for holder in holders]

    # --- time ----------------------------------------------------------------------------

    @property
    def next_block(self) -> int:
        """Number in the run of the block that agents act for."""
        return self.index + 1

    @property
    def seconds(self) -> int:
        """Seconds of the run that have passed."""
        return self.timestamp - self.scenario.clock.start

    def waiting(self, agent: str) -> int:
        """How many of an agent's orders wait."""
        return sum(1 for owner, _ in self.mempool if owner == agent)


__all__ = ["ExchangeState", "FeedRound", "VenueState", "View"]
