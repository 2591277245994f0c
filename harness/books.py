"""Checks of the invariants while a scenario runs.

MKT-1, IDX-1, LIQ-1 and those of feeds (ORA) and vaults (VLT) are checked in every block, MKT-2 in
every block that touched a position, from exact words kept for each account; at the end MKT-2 is
checked again from a full read, and TOK-1 over everybody who can hold a token. Of exchanges PRP-1
and PRP-3 are checked in every block, PRP-2, PRP-4 and PRP-5 in every block that touched an account,
and from a full read at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.engine.base import Engine
from harness.exchange_view import ExchangeState
from harness.isolated_books import IsolatedBooks
from harness.modules.books import OF_DESIGN, ModuleBooks
from harness.oracle_books import OracleBooks
from harness.protocols.isolated_lending import IsolatedLendingVenue
from harness.protocols.pooled_lending import AssetState, PooledLendingVenue
from harness.scenario import Scenario
from harness.testing.invariants import (
    INVARIANTS,
    wrong_books,
    wrong_indexes,
    wrong_liquidation,
    wrong_scaled_totals,
    wrong_token_supply,
)
from harness.testing.isolated_invariants import ISOLATED_INVARIANTS
from harness.testing.perp_invariants import (
    PERP_INVARIANTS,
    wrong_funding,
    wrong_open_interest,
    wrong_perp_accounts,
    wrong_perp_books,
    wrong_perp_liquidation,
)
from harness.trace import BadDebtRow, LiquidationRow
from harness.vault_books import IDENTIFIERS, VaultBooks
from harness.view import View
from harness.world import World


class Books:
    """Collects what is wrong: ``holds`` by invariant, and ``violations``, the first of each."""

    def __init__(self, engine: Engine, world: World, scenario: Scenario) -> None:
        self._engine = engine
        self._world = world
        self._oracles = OracleBooks(engine, world, scenario)
        self._vaults = VaultBooks(world)
        self._indexes: dict[str, list[AssetState]] = {}
        self._isolated = {
            name: IsolatedBooks(venue, self._note)
            for name, venue in world.venues.items()
            if isinstance(venue, IsolatedLendingVenue)
        }
        self._modules = {
            name: ModuleBooks(venue, venue.module, engine, self._note)
            for name, venue in world.venues.items()
            if venue.module is not None
        }
        self._pooled = [name for name in world.venues if name not in self._isolated]
        # what has nothing to be checked on does not hold
        checked = [*INVARIANTS] if self._pooled else ["TOK-1"]
        checked += ISOLATED_INVARIANTS if self._isolated else ()
        checked += PERP_INVARIANTS if world.exchanges else ()
        checked += self._oracles.identifiers
        checked += IDENTIFIERS if world.vaults else ()
        for name in self._modules:
            checked += OF_DESIGN[type(self._modules[name].design)]
        self.holds = dict.fromkeys(checked, True)
        self.violations: list[str] = []

    def _note(self, identifier: str, block: int, problem: str | None) -> None:
        if problem is not None and self.holds[identifier]:
            self.holds[identifier] = False
            self.violations.append(f"{identifier} at block {block}: {problem}")

    def liquidated(self, row: LiquidationRow) -> None:
        """LIQ-1 for one liquidation, ISO-3 and ISO-5 in an isolated market."""
        if row.venue in self._isolated:
            self._isolated[row.venue].liquidated(row)
            return
        venue = self._world.venues[row.venue]
        problem = wrong_liquidation(
            position_before=row.position,
            prices=row.prices,
            health_factor_before=row.health_factor,
            units=[10**places for places in venue.decimals],
            threshold_bps=row.thresholds_bps or venue.thresholds_bps,
        )
        self._note(
            "LIQ-1", row.block, problem and f"account {row.account} of {row.venue}: {problem}"
        )
        if row.venue in self._modules:
            self._modules[row.venue].liquidated(row)

    def module_event(self, venue: str, name: str, fields: Mapping[str, Any], block: int) -> None:
        """The checks of an event of a market's liquidation module."""
        self._modules[venue].event(name, fields, block)

    def wrote_off(self, row: BadDebtRow) -> None:
        """Takes in bad debt of the block that is being read."""
        if row.venue in self._isolated:
            self._isolated[row.venue].wrote_off(row.amount)

    def left_vault(self, vault: str, shares: int) -> None:
        """Takes in shares that left a vault in the block that is being read."""
        self._vaults.left(vault, shares)

    def exchange_liquidated(
        self, row: LiquidationRow, equity_before: int, maintenance_before: int
    ) -> None:
        """PRP-3 for one liquidation or takeover."""
        venue = self._world.exchanges[row.venue]
        problem = wrong_perp_liquidation(
            before=row.position,
            prices=(*row.prices, *(row.thresholds_bps or ())),
            equity_before=equity_before,
            maintenance_before=maintenance_before,
            tiers=venue.maintenance_tiers(),
            value_scale=venue.value_scale,
            units=venue.collateral_units,
            haircut_bps=[collateral.haircut_bps for collateral in venue.spec.collaterals],
        )
        self._note(
            "PRP-3", row.block, problem and f"{venue.label(row.account)} of {row.venue}: {problem}"
        )

    def block(self, view: View, touched: set[str]) -> None:
        """The checks after a block; ``touched`` are the venues whose positions it changed."""
        for finding in self._oracles.block(view):
            self._note(finding.identifier, view.index, finding.problem)
        for identifier, problem in self._vaults.block(view):
            self._note(identifier, view.index, problem)
        self._markets(view, touched)

    def _markets(self, view: View, touched: set[str]) -> None:
        for name, isolated in self._isolated.items():
            isolated.block(view, view.venues[name])
        for name, books in self._modules.items():
            module = view.venues[name].module
            if module is not None:
                books.block(module, view.venues[name].states, view.index)
        for name in self._pooled:
            state = view.venues[name]
            before = self._indexes.get(name, state.states)
            self._check_indexes(name, view.index, before, state.states)
            self._indexes[name] = state.states
            if name in touched or view.index == 0:
                self._check_books(name, view, state.states)
                self._check_totals(name, view.index, state.states, state.venue)
        for name, exchange in view.exchanges.items():
            self._check_exchange_books(name, view.index, exchange)
            if name in touched or view.index == 0:
                self._check_exchange_sums(name, view.index, exchange)

    def close(self, view: View) -> None:
        """The checks that read everybody."""
        for state in view.venues.values():
            state.venue.refresh(self._engine)
        for exchange in view.exchanges.values():
            exchange.venue.refresh(self._engine)
        self._markets(view, {*view.venues, *view.exchanges})
        for name, isolated in self._isolated.items():
            isolated.close(self._engine, view, view.venues[name])
        for symbol, token in self._world.tokens.items():
            supply = token.decode(
                "totalSupply", self._engine.call(token.address, token.encode("totalSupply"))
            )
            balances = view.balances(symbol, self._world.holders)
            problem = wrong_token_supply(balances, total_supply=supply)
            self._note("TOK-1", view.index, problem and f"{symbol}: {problem}")

    def _check_exchange_books(self, name: str, block: int, state: ExchangeState) -> None:
        books = state.books
        pairs = zip(books.collateral[::2], books.collateral[1::2], strict=True)
        problem = wrong_perp_books(
            cash=books.cash,
            vault_cash=books.vault_cash,
            fees=books.fees,
            deficit=books.deficit,
            token_balance=books.tokens,
            collateral=list(pairs),
        )
        self._note("PRP-1", block, problem and f"{name}: {problem}")

    def _check_exchange_sums(self, name: str, block: int, state: ExchangeState) -> None:
        venue, sums = state.venue, state.venue.sums
        for place, (symbol, market) in enumerate(zip(venue.markets, state.states, strict=True)):
            problem = wrong_open_interest(
                (sums.longs[place], -sums.shorts[place]),
                long_size=market.long_size,
                short_size=market.short_size,
            )
            self._note("PRP-2", block, problem and f"{symbol} of {name}: {problem}")
            problem = wrong_funding(
                # one position with the sum of size x index: the check adds up what it is given
                [(sums.bases[place], sums.costs[place], 1)],
                funding_base=market.funding_base,
                total_cost=market.total_cost,
            )
            self._note("PRP-4", block, problem and f"{symbol} of {name}: {problem}")
        problem = wrong_perp_accounts([sums.cash], total=state.books.cash)
        self._note("PRP-5", block, problem and f"{name}: {problem}")
        totals = state.books.collateral[::2]
        for symbol, held, total in zip(venue.collaterals, sums.amounts, totals, strict=True):
            problem = wrong_perp_accounts([held], total=total, what=symbol)
            self._note("PRP-5", block, problem and f"{name}: {problem}")

    def _check_indexes(
        self, name: str, block: int, before: Sequence[AssetState], after: Sequence[AssetState]
    ) -> None:
        assets = self._world.venues[name].assets
        for symbol, old, new in zip(assets, before, after, strict=True):
            problem = wrong_indexes(
                (old.supply_index, old.borrow_index), (new.supply_index, new.borrow_index)
            )
            self._note("IDX-1", block, problem and f"{symbol} of {name}: {problem}")

    def _check_books(self, name: str, view: View, states: Sequence[AssetState]) -> None:
        venue = self._world.venues[name]
        for symbol, state in zip(venue.assets, states, strict=True):
            problem = wrong_books(
                cash=state.cash,
                debt=state.total_debt,
                deficit=state.deficit,
                claims=state.total_claims,
                reserves=state.reserves,
                token_balance=view.balances(symbol, [venue.market.address])[0],
            )
            self._note("MKT-1", view.index, problem and f"{symbol} of {name}: {problem}")

    def _check_totals(
        self, name: str, block: int, states: Sequence[AssetState], venue: PooledLendingVenue
    ) -> None:
        suppliers = venue.scaled_words(self._engine, venue.suppliers)
        width = len(venue.assets)
        for place, (symbol, state) in enumerate(zip(venue.assets, states, strict=True)):
            # the borrowers' sums as one word: each half is below 2^128 as the market's totals are
            words = [venue.scaled_sum(place), *suppliers[place::width]]
            problem = wrong_scaled_totals(
                words,
                total_scaled_supply=state.total_scaled_supply,
                total_scaled_debt=state.total_scaled_debt,
            )
            self._note("MKT-2", block, problem and f"{symbol} of {name}: {problem}")
