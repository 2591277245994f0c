"""Figures of perpetual exchanges, and how they judge an account, for the waves.

USD figures are settlement units at the outside price of the settlement token at the end, divided
once; ``exact`` holds integers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.exchange_view import settlement_prices
from harness.metrics.losses import loss_by_role, losses
from harness.metrics.waterfall import loss_by_step
from harness.protocols.perp_exchange import NO_EQUITY, PerpVenue
from harness.scenario import BPS, PRICE_UNIT, WAD, Scenario
from harness.testing.perp_invariants import perp_worth
from harness.trace import BlockRow, ExchangeBlock, LiquidationRow, Trace
from harness.traders import margin_up
from harness.world import World

Floats = NDArray[np.float64]

#: Level of the call margins; WAD is that of the maintenance margins.
CALL = 0


@dataclass(frozen=True, slots=True)
class PerpTerms:
    """How an exchange judges an account (`harness.metrics.waves.VenueTerms`).

    Prices are marks of its markets and prices of its collaterals, in settlement tokens. Positions
    are words as its Liquidation event gives them. A level is WAD for the maintenance margins,
    `CALL` for the call margins; ``scales_bps`` is what margins of each market are multiplied with.
    """

    name: str
    assets: tuple[str, ...]
    scales_bps: tuple[int, ...]
    maintenance: tuple[tuple[tuple[int, int], ...], ...]
    calls: tuple[tuple[tuple[int, int], ...], ...]
    value_scale: int
    units: tuple[int, ...]
    haircut_bps: tuple[int, ...]

    @classmethod
    def of(cls, venue: PerpVenue) -> PerpTerms:
        """The terms of a deployed exchange."""

        def tiers(ratio: str) -> tuple[tuple[tuple[int, int], ...], ...]:
            return tuple(tuple(venue.tiers(market, ratio)) for market in venue.spec.markets)

        return cls(
            name=venue.name,
            assets=(*venue.markets, *venue.collaterals),
            scales_bps=(BPS,) * len(venue.markets),
            maintenance=tiers("maintenance_bps"),
            calls=tiers("call_bps"),
            value_scale=venue.value_scale,
            units=venue.collateral_units,
            haircut_bps=tuple(each.haircut_bps for each in venue.spec.collaterals),
        )

    def in_force(self, changed: tuple[int, ...] | None) -> PerpTerms:
        """With these multiples of the margins."""
        return self if changed is None else replace(self, scales_bps=changed)

    def prices(self, block: BlockRow) -> Sequence[int]:
        """Marks and collateral prices at the end of a block."""
        state = block.exchanges[self.name]
        return settlement_prices(state.states, state.prices)

    def held(self, position: Sequence[int]) -> list[bool]:
        """Where there is a position or a collateral."""
        markets = len(self.scales_bps)
        sizes = position[1 : 1 + 2 * markets : 2]
        return [word != 0 for word in (*sizes, *position[1 + 2 * markets :])]

    def is_below(self, position: Sequence[int], prices: Sequence[int], level: int) -> bool:
        """Whether equity is below the margin, as the exchange computes both; never where something
        it holds has no price."""
        held = self.held(position)
        if any(use and price == 0 for use, price in zip(held, prices, strict=True)):
            return False
        equity, margin = perp_worth(
            before=position,
            prices=(*prices, *self.scales_bps),
            tiers=self._tiers(level),
            value_scale=self.value_scale,
            units=self.units,
            haircut_bps=self.haircut_bps,
        )
        return equity < margin

    def below(
        self, position: Sequence[int], prices: Sequence[Floats], level: int
    ) -> NDArray[np.bool_]:
        """See `VenueTerms.below`."""
        markets = len(self.scales_bps)
        equity, margin = np.full(len(prices[0]), float(position[0])), np.zeros(len(prices[0]))
        for market, tiers in enumerate(self._tiers(level)):
            size, cost = position[1 + 2 * market], position[2 + 2 * market]
            if not size:
                continue
            worth = prices[market] * (size / self.value_scale)
            equity += worth - cost
            start = 0.0
            for end, ratio in tiers:
                part = np.clip(np.abs(worth), start, float(end)) - start
                margin += part * (ratio * self.scales_bps[market] / BPS**2)
                start = float(end)
        for i, amount in enumerate(position[1 + 2 * markets :]):
            whole = amount / self.units[i] * (WAD / self.value_scale)
            equity += prices[markets + i] * (whole * (1 - self.haircut_bps[i] / BPS))
        return np.asarray(equity < margin)

    def _tiers(self, level: int) -> tuple[tuple[tuple[int, int], ...], ...]:
        return self.calls if level == CALL else self.maintenance

    def call_level(self, _account: int) -> int:
        """The same for all accounts: their call margins."""
        return CALL


# --- figures --------------------------------------------------------------------------------


class _Pass(NamedTuple):
    scenario: Scenario
    world: World
    run: Trace


def exchanges(run: Trace, world: World, scenario: Scenario) -> dict[str, Any]:
    """What happened on each exchange: calls and how they ended, liquidations by how much they
    closed, the insurance fund's path, who paid for losses, fees and funding, and what each role
    gained: tokens at the last outside prices, and what is unrealised."""
    if not world.exchanges:
        return {}
    gains = loss_by_role(losses(_Pass(scenario, world, run)))
    figures = {}
    for name in world.exchanges:
        by_role = {role: amount / WAD for (venue, role), amount in gains.items() if venue == name}
        figures[name] = {**_exchange(run, world, name), "pnl_usd": by_role}
    return figures


def _exchange(run: Trace, world: World, name: str) -> dict[str, Any]:
    venue = world.exchanges[name]
    price = run.blocks[-1].external[venue.settlement]

    def usd(units: int) -> float:
        return units * price / (PRICE_UNIT * venue.unit)

    rows = [row for row in run.liquidations if row.venue == name]
    kinds = Counter(row.kind for row in rows)
    closed, kept = _closed(rows, venue)
    calls = run.calls.get(name, [])
    path = [block.exchanges[name] for block in run.blocks]
    fund = [state.insurance_equity for state in path]
    fills = [row for row in run.fills if row.venue == name]
    paid: Counter[str] = Counter()
    for loss in run.losses:
        if loss.venue == name:
            paid[loss.by] += loss.amount
    return {
        "margin_calls": {
            "count": len(calls),
            "met": sum(call.outcome == "met" for call in calls),
            "reduced": sum(call.outcome == "reduced" for call in calls),
            "ignored": sum(call.outcome == "ignored" for call in calls),
            "restored": sum(call.end == "restored" for call in calls),
            "liquidated": sum(call.liquidations > 0 for call in calls),
            "taken_over": sum(call.end == "taken over" for call in calls),
            "open": sum(call.ended is None for call in calls),
        },
        "liquidations": {kind: kinds[kind] for kind in ("partial", "whole", "takeover")},
        "closed_usd": {
            symbol: {"total": usd(total), "healthy_alone": usd(alone)}
            for symbol, total, alone in zip(venue.markets, closed, kept, strict=True)
        },
        "insurance_fund": {
            "start_usd": usd(fund[0]),
            "low_usd": usd(min(fund)),
            "end_usd": usd(fund[-1]),
        },
        "losses_usd": {
            "insurance": usd(paid["insurance"]),
            "vault": usd(paid["vault"]),
            "deficit": usd(path[-1].books.deficit),
        },
        "trading_fees_usd": usd(sum(row.fee for row in fills)),
        "funding_usd": usd(sum(abs(row.funding) for row in fills)),
        "vault_equity_usd": {
            "start": usd(_known(path[0])),
            "end": usd(_known(path[-1])),
        },
        "open_interest": {
            symbol: {
                "long_start": path[0].states[i].long_size / WAD,
                "short_start": path[0].states[i].short_size / WAD,
                "long_end": path[-1].states[i].long_size / WAD,
                "short_end": path[-1].states[i].short_size / WAD,
            }
            for i, symbol in enumerate(venue.markets)
        },
    }


def _closed(rows: Sequence[LiquidationRow], venue: PerpVenue) -> tuple[list[int], list[int]]:
    """By market the notional that liquidations and takeovers closed (settlement units), and the
    part of it in positions that would have been healthy alone: even if opened with no more than the
    initial margin, what they had lost would have left the maintenance margin."""
    closed, alone = [0] * len(venue.markets), [0] * len(venue.markets)
    for row in rows:
        for market, spec in enumerate(venue.spec.markets):
            size, cost = row.position[1 + 2 * market], row.position[2 + 2 * market]
            if not size or (row.kind != "takeover" and row.collateral != spec.symbol):
                continue
            notional = abs(size) * row.prices[market] // venue.value_scale
            part = notional if row.kind == "takeover" else row.repaid
            profit = size * row.prices[market] // venue.value_scale - cost
            initial = margin_up(spec, abs(cost), venue.unit, "initial_bps")
            closed[market] += part
            if initial + profit >= margin_up(spec, notional, venue.unit, "maintenance_bps"):
                alone[market] += part
    return closed, alone


def _known(state: ExchangeBlock) -> int:
    equity = state.books.vault_equity
    return 0 if equity == NO_EQUITY else equity


def exchange_solvency(
    run: Trace, venue: PerpVenue, state: ExchangeBlock, external: Mapping[str, int]
) -> dict[str, int]:
    """An exchange's part of the summary's solvency, USD WAD. What the vault's holders and winners
    paid, and the deficit that nobody has covered, is socialised; insurance fund and the other steps
    of a waterfall carry the rest."""
    price = external[venue.settlement] * (WAD // PRICE_UNIT)

    def usd(units: int) -> int:
        return units * price // venue.unit

    by_vault = sum(r.amount for r in run.losses if r.venue == venue.name and r.by == "vault")
    by_fund = sum(r.amount for r in run.losses if r.venue == venue.name and r.by == "insurance")
    steps = loss_by_step(run, venue.name)
    shared = sum(steps[step] for step in ("deleveraging", "winners", "vault"))
    adl = sum(
        abs(row.size) * row.price_wad // venue.value_scale
        for row in run.fills
        if row.venue == venue.name and row.kind == "deleverage"
    )
    return {
        "insolvency": state.bad_debt + state.shortfall_market,
        "bad_debt": state.bad_debt,
        "shortfall_market": state.shortfall_market,
        "shortfall_liquidation": state.shortfall_liquidation,
        "shortfall_oracle": state.shortfall_oracle,
        "deficit": usd(state.books.deficit),
        "socialized_loss": usd(by_vault + shared + state.books.deficit),
        "carried_by_insurance": usd(by_fund),
        "carried_by_vault": usd(by_vault),
        "insurance_fund": usd(state.insurance_equity),
        "adl": usd(adl // 2),
    }
