"""Checks of a module's invariants while a scenario runs; see ``harness.testing.module_invariants``.

What an event shows is checked when it happens, what the module holds after every block in which it
has anything in hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.engine.base import Engine
from harness.modules.handle import ModuleHandle
from harness.modules.state import ModuleState
from harness.protocols.pooled_lending import NO_CAP, RAY, AssetState, PooledLendingVenue
from harness.scenario.liquidation import (
    AbsorbAndSell,
    DutchAuctions,
    EnglishAuctions,
    GrowingDiscount,
    LiquidationDesign,
    StabilityDeposits,
)
from harness.scenario.units import base_units, usd_wad
from harness.testing.module_invariants import (
    wrong_absorption,
    wrong_bid,
    wrong_collateral_sale,
    wrong_discount,
    wrong_module_account,
    wrong_pool,
    wrong_purchase,
    wrong_redistribution,
    wrong_throttle,
)
from harness.trace import LiquidationRow

WAD = 10**18
BPS = 10_000

Note = Callable[[str, int, str | None], None]

#: The invariants of each design.
OF_DESIGN: Mapping[type[LiquidationDesign], tuple[str, ...]] = {
    GrowingDiscount: ("DIS-1",),
    DutchAuctions: ("AUC-1", "AUC-2", "AUC-3"),
    EnglishAuctions: ("AUC-2", "ENG-1"),
    AbsorbAndSell: ("ABS-1", "ABS-2"),
    StabilityDeposits: ("STP-1", "STP-2"),
}


class ModuleBooks:
    """Follows one market's module through a pass."""

    def __init__(
        self, venue: PooledLendingVenue, module: ModuleHandle, engine: Engine, note: Note
    ) -> None:
        """``note`` is told an invariant's ID, the block, and what is wrong, or None."""
        self._venue = venue
        self._module = module
        self.design = module.design
        self._engine = engine
        self._note = note
        #: bid and lot of English auctions, and the tab
        self._bids: dict[int, tuple[int, int, int]] = {}
        #: what an absorbing module did in this block, in order
        self._absorbing: list[tuple[str, Mapping[str, Any]]] = []

    def event(self, name: str, fields: Mapping[str, Any], block: int) -> None:
        """The checks of one event of the module."""
        if name == "Take":
            problem = wrong_purchase(
                bought=fields["bought"],
                paid=fields["paid"],
                price_ray=fields["priceRay"],
                tab_before=fields["tab"] + fields["paid"],
            )
            self._note("AUC-3", block, problem and f"auction {fields['id']}: {problem}")
        design = self._module.design
        if isinstance(design, AbsorbAndSell) and name in ("Confiscate", "Absorb", "BuyCollateral"):
            self._absorbing.append((name, fields))
        if not isinstance(design, EnglishAuctions):
            return
        if name == "Kick":
            self._bids[fields["id"]] = (0, fields["lot"], fields["tab"])
        elif name == "Bid":
            bid, lot, tab = self._bids[fields["id"]]
            problem = wrong_bid(
                bid_before=bid,
                bid=fields["bid"],
                lot_before=lot,
                lot=fields["lot"],
                tab=tab,
                beg_wad=WAD + design.bid_increase_bps * WAD // BPS,
            )
            self._bids[fields["id"]] = (fields["bid"], fields["lot"], tab)
            self._note("ENG-1", block, problem and f"auction {fields['id']}: {problem}")

    def liquidated(self, row: LiquidationRow) -> None:
        """DIS-1 for one liquidation."""
        design = self._module.design
        if not isinstance(design, GrowingDiscount):
            return
        tolerance = 0
        for symbol in (row.debt, row.collateral):
            place = self._venue.assets.index(symbol)
            # both amounts are whole base units
            tolerance += 2 * (row.prices[place] // 10 ** self._venue.decimals[place] + 1)
        held = self._venue.scaled_words(self._engine, [self._module.contract.address])
        problem = wrong_discount(
            health_factor=row.health_factor,
            cap=design.max_discount_bps * WAD // BPS,
            repaid_usd=row.repaid_usd,
            seized_usd=row.seized_usd,
            left=[(word >> 128, word & NO_CAP) for word in held],
            tolerance_usd=tolerance,
        )
        self._note("DIS-1", row.block, problem)

    def block(self, state: ModuleState, assets: Sequence[AssetState], block: int) -> None:
        """The checks of what the module holds after a block."""
        design = self._module.design
        problems: list[tuple[str, str | None]] = []
        if isinstance(design, DutchAuctions):
            problems += self._throttle(state, design)
        if isinstance(design, DutchAuctions | EnglishAuctions):
            problems += self._account(state)
        if isinstance(design, AbsorbAndSell):
            problems += self._absorptions(state, assets, design)
        if isinstance(design, StabilityDeposits):
            problems += self._pool(state, design)
        for identifier, problem in problems:
            self._note(identifier, block, problem)

    def _throttle(
        self, state: ModuleState, design: DutchAuctions
    ) -> Iterator[tuple[str, str | None]]:
        dust, penalty = usd_wad(design.dust_usd), BPS + design.penalty_bps
        limits = {"all collateral": state.total_limit}
        for symbol, row in zip(self._venue.assets, state.throttle, strict=True):
            if row.penalty_bps:
                limits[symbol] = (row.limit, row.amount)
        for what, (limit, amount) in limits.items():
            problem = wrong_throttle(hole=limit, dirt=amount, dust=dust, penalty_bps=penalty)
            yield "AUC-1", problem and f"{what}: {problem}"
        dirt = [sale.dirt_usd for sale in state.dutch_sales]
        yield "AUC-2", wrong_module_account("throttle", state.total_limit[1], dirt)

    def _account(self, state: ModuleState) -> Iterator[tuple[str, str | None]]:
        sales = state.open_sales
        held = self._venue.scaled_words(self._engine, [self._module.contract.address])
        for place, (symbol, word) in enumerate(zip(self._venue.assets, held, strict=True)):
            claims = [sale.scaled_claims for sale in sales if sale.item.collateral == place]
            debts = [sale.scaled_debt for sale in sales if sale.item.debt == place]
            yield "AUC-2", wrong_module_account(f"claims in {symbol}", word >> 128, claims)
            yield "AUC-2", wrong_module_account(f"debts in {symbol}", word & NO_CAP, debts)

    def _absorptions(
        self, state: ModuleState, assets: Sequence[AssetState], design: AbsorbAndSell
    ) -> Iterator[tuple[str, str | None]]:
        """Goes back through the block from the reserves after it: only purchases and absorptions
        change them, and interest does not within a block."""
        happened, self._absorbing = self._absorbing, []
        reserves = state.store_front.reserves
        taken: Mapping[str, Any] = {}
        for name, fields in reversed(happened):
            if name == "Confiscate":
                taken = fields
            elif name == "BuyCollateral":
                reserves -= fields["baseAssets"]
                yield "ABS-1", self._purchase(fields, reserves, design)
            else:
                reserves += fields["debt"] + fields["credited"]
                yield "ABS-2", self._absorption(fields, taken, assets, design)

    def _purchase(
        self, fields: Mapping[str, Any], reserves: int, design: AbsorbAndSell
    ) -> str | None:
        symbol = self._venue.symbol_of(fields["asset"])
        place, base = self._venue.assets.index(symbol), self._venue.assets.index(design.base)
        discount = design.store_front_bps * (BPS - design.liquidation_factor_bps)
        return wrong_collateral_sale(
            reserves_before=reserves,
            target=base_units(design.target_reserves, self._venue.decimals[base]),
            paid_usd=fields["basePriceWad"]
            * fields["baseAssets"]
            // 10 ** self._venue.decimals[base],
            collateral=fields["collateralAssets"],
            unit=10 ** self._venue.decimals[place],
            ask_wad=fields["priceWad"] * (BPS * BPS - discount) // (BPS * BPS),
        )

    def _absorption(
        self,
        fields: Mapping[str, Any],
        taken: Mapping[str, Any],
        assets: Sequence[AssetState],
        design: AbsorbAndSell,
    ) -> str | None:
        base = self._venue.assets.index(design.base)
        limit = 0
        for place, word in enumerate(taken["taken"]):
            claims = (word >> 128) * assets[place].supply_index // RAY
            worth = claims * taken["prices"][place] // 10 ** self._venue.decimals[place]
            limit += worth if place == base else worth * design.liquidation_factor_bps // BPS
        price = taken["prices"][base]
        words = self._venue.scaled_words(self._engine, [fields["account"]])
        return wrong_absorption(
            credited=fields["credited"],
            debt_after=words[base] & NO_CAP,
            credit_limit=limit * 10 ** self._venue.decimals[base] // price,
            debt_before=fields["debt"],
        )

    def _pool(
        self, state: ModuleState, design: StabilityDeposits
    ) -> Iterator[tuple[str, str | None]]:
        pool = state.pool
        token = self._venue.token(design.debt)
        held = token.read(self._engine, "balanceOf", self._module.contract.address)
        yield (
            "STP-1",
            wrong_pool(
                deposits=[deposit for deposit, _ in pool.parts],
                total_deposits=pool.deposits,
                token_balance=held,
                gains=[gain for _, gain in pool.parts],
                scaled_claims=pool.scaled_claims,
            ),
        )
        yield "STP-2", wrong_redistribution(scaled_debt=pool.scaled_debt)
