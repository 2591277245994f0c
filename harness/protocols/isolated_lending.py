"""The isolated market as a lending venue: asset 0 is its collateral, asset 1 its debt.

``IsolatedVenueLens`` answers as a pooled market's lens does, so that scans, quotes and reports are
those of `PooledLendingVenue`; what differs is how accounts act and what events say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from harness.accounts import account
from harness.contracts import Contract
from harness.population import Position
from harness.protocols.pooled_lending import (
    BPS,
    MAX_UINT,
    WAD,
    AssetState,
    PooledLendingVenue,
    Quote,
)
from harness.scenario import IsolatedLending, base_units, rate_ray
from harness.setup import Setup

COLLATERAL, DEBT = 0, 1


class IsolatedLendingVenue(PooledLendingVenue):
    """A deployed isolated market with its accounts.

    Methods that take assets ignore them: there is one of each kind.
    """

    ACCOUNT_TOPICS: ClassVar[Mapping[str, int]] = {
        "Supply": 2,
        "Withdraw": 1,
        "Borrow": 1,
        "Repay": 2,
        "SupplyCollateral": 2,
        "WithdrawCollateral": 1,
        "Liquidate": 1,
    }
    EVENTS: ClassVar[tuple[str, ...]] = ("Liquidate",)
    needs_no_capital: ClassVar[bool] = True

    @property
    def lltv_wad(self) -> int:
        """The liquidation loan-to-value, which never changes."""
        return self.thresholds_bps[COLLATERAL] * (WAD // BPS)

    def supply_call(self, symbol: str, amount: int, owner: bytes) -> bytes:
        """See `PooledLendingVenue.supply_call`; the collateral only."""
        return self.market.encode("supplyCollateral", amount, owner)

    def withdraw_call(self, symbol: str, amount: int, owner: bytes) -> bytes:
        """See `PooledLendingVenue.withdraw_call`; the collateral only."""
        return self.market.encode("withdrawCollateral", amount, owner, owner)

    def borrow_call(self, symbol: str, amount: int, owner: bytes, to: bytes) -> bytes:
        """See `PooledLendingVenue.borrow_call`."""
        return self.market.encode("borrow", amount, 0, owner, to)

    def repay_call(self, symbol: str, amount: int, owner: bytes) -> bytes:
        """See `PooledLendingVenue.repay_call`."""
        return self.market.encode("repay", amount, 0, owner)

    def deleverage_call(self, collateral: str, debt: str, amount: int) -> bytes:
        """See `PooledLendingVenue.deleverage_call`."""
        return self.deleverager.encode("deleverage", self.market.address, amount, 0)

    def liquidation_call(
        self, quote: Quote, repay: int, least: int, *, flash_loan: bool
    ) -> tuple[Contract, bytes]:
        """See `PooledLendingVenue.liquidation_call`; nobody needs capital, loan or not."""
        del flash_loan
        everything = repay == quote.max_repay
        return self.liquidator, self.liquidator.encode(
            "liquidate",
            self.market.address,
            self.accounts[quote.account],
            0 if everything else quote.seized * repay // quote.max_repay,
            MAX_UINT if everything else 0,
            least,
        )

    def seizure_call(self, quote: Quote, repay: int, to: bytes) -> bytes:
        """See `PooledLendingVenue.seizure_call`: the sender gets the collateral."""
        del to
        everything = repay == quote.max_repay
        return self.market.encode(
            "liquidate",
            self.accounts[quote.account],
            0 if everything else quote.seized * repay // quote.max_repay,
            MAX_UINT if everything else 0,
            b"",
        )

    def borrowable(self, quote: Quote, states: Sequence[AssetState]) -> int:
        """See `PooledLendingVenue.borrowable`: the proceeds pay the debt."""
        del states
        return quote.max_repay

    def told(self, event: str, fields: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """See `PooledLendingVenue.told`: a liquidation, and the bad debt it realised if any."""
        if event != "Liquidate":
            return [(event, fields)]
        prices = (fields["collateralPriceWad"], fields["debtPriceWad"])
        collateral, debt = (self._tokens[symbol].address for symbol in self.assets)

        def usd_down(place: int, amount: int) -> int:
            worth: int = amount * prices[place] // 10 ** self.decimals[place]
            return worth

        liquidation = {
            "account": fields["account"],
            "liquidator": fields["liquidator"],
            "collateralAsset": collateral,
            "debtAsset": debt,
            "repaid": fields["repaidAssets"],
            "seized": fields["seizedAssets"],
            "protocolFee": 0,
            "repaidUsdWad": usd_down(DEBT, fields["repaidAssets"]),
            "seizedUsdWad": usd_down(COLLATERAL, fields["seizedAssets"]),
            "healthFactorBefore": fields["healthFactorBefore"],
            "positionBefore": (fields["collateralBefore"] << 128, fields["debtBefore"]),
            "prices": prices,
        }
        lost = fields["badDebtAssets"]
        if not lost:
            return [("Liquidate", liquidation)]
        bad_debt = {
            "account": fields["account"],
            "asset": debt,
            "assets": lost,
            "usdWad": usd_down(DEBT, lost),
        }
        return [("Liquidate", liquidation), ("BadDebt", bad_debt)]


def deploy_isolated_lending(
    setup: Setup,
    spec: IsolatedLending,
    positions: Sequence[Position],
    *,
    tokens: Mapping[str, Contract],
    decimals: Mapping[str, int],
    feed_terms: Callable[[str], tuple[Any, ...]],
    liquidator: Contract,
    deleverager: Contract,
    mint: Callable[[str, bytes, int], None],
    approve: Callable[[str, bytes, Contract], None],
    seeder: bytes,
) -> IsolatedLendingVenue:
    """Deploys a market, its lens and its supplier; its positions are opened apart.

    Args:
        setup: takes the transactions.
        spec: the market.
        positions: who borrows there.
        tokens: by symbol.
        decimals: of the tokens, by symbol.
        feed_terms: an asset's feed, oldest age and bounds, as the market takes them.
        liquidator: an ``IsolatedLiquidator``.
        deleverager: an ``IsolatedDeleverager``.
        mint: gives somebody tokens.
        approve: lets a contract take somebody's tokens.
        seeder: pays for what is there at the start.

    """
    fee_recipient = account(spec.fee_recipient).address
    market = setup.deploy(
        "IsolatedMarket",
        (
            tokens[spec.collateral].address,
            tokens[spec.debt].address,
            feed_terms(spec.collateral),
            feed_terms(spec.debt),
            spec.lltv_bps * (WAD // BPS),
            spec.fee_bps * (WAD // BPS),
            fee_recipient,
            rate_ray(spec.base_rate),
            rate_ray(spec.slope1),
            rate_ray(spec.slope2),
            rate_ray(spec.kink),
        ),
    )
    lens = setup.deploy("IsolatedVenueLens")
    supplied = base_units(spec.supplied, decimals[spec.debt])
    held = sum(amount for position in positions for _, amount in position.supplied)
    for symbol, amount in ((spec.debt, supplied), (spec.collateral, held)):
        if amount:
            mint(symbol, seeder, amount)
            approve(symbol, seeder, market)
    suppliers = [fee_recipient]
    if supplied:
        supplier = account(spec.supplier(spec.debt)).address
        suppliers.append(supplier)
        setup.send(seeder, market, "supply", supplied, 0, supplier)
    places = [decimals[spec.collateral], decimals[spec.debt]]
    return IsolatedLendingVenue(
        spec,
        market,
        lens,
        positions,
        suppliers,
        places,
        {},
        tokens=tokens,
        liquidator=liquidator,
        deleverager=deleverager,
    )


__all__ = [
    "COLLATERAL",
    "DEBT",
    "IsolatedLendingVenue",
    "deploy_isolated_lending",
]
