"""What became of curated vaults: the price of a share, losses by market, who redeemed, who stayed.

A loss in a market is what the vault's part of it became worth less, as the vault itself notes it:
net of the interest earned since somebody touched the vault before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from harness.accounts import account
from harness.protocols.curated_vault import VaultHandle
from harness.scenario import PRICE_UNIT, WAD, Scenario, VaultDepositor
from harness.trace import Trace
from harness.world import World


class DepositorRow(NamedTuple):
    """One depositor: shares at the start and at the end, and assets paid out to it (base units)."""

    name: str
    shares: int
    left: int
    paid: int


def summarised(trace: Trace, world: World, scenario: Scenario) -> dict[str, Any] | None:
    """The part of the summary object, by vault; None where there is no vault.

    Amounts in USD at outside prices, of the last block where nothing else is said; ``lost`` by
    market. A depositor's ``loss_usd`` is what its shares were worth at the start less what it was
    paid and what the shares it has left are worth, at the last price of the vault's asset.
    """
    if not world.vaults:
        return None
    return {name: _vault(trace, world, scenario, vault) for name, vault in world.vaults.items()}


def _vault(trace: Trace, world: World, scenario: Scenario, vault: VaultHandle) -> dict[str, Any]:
    spec, last = vault.spec, trace.blocks[-1]
    first, state = trace.blocks[0].vaults[spec.name], last.vaults[spec.name]
    price, unit = last.external[spec.asset], world.units[spec.asset]

    def usd(assets: int) -> float:
        return assets * price * (WAD // PRICE_UNIT) // unit / WAD

    prices = [block.external[spec.share] / PRICE_UNIT for block in trace.blocks]
    redeemed = [trade for trade in trace.trades if trade.sold == spec.share and trade.redeemed]
    rows = depositors(trace, world, scenario, vault)
    return {
        "asset": spec.asset,
        "share": spec.share,
        "price_usd": {"start": prices[0], "low": min(prices), "end": prices[-1]},
        "deposits_usd": usd(first.assets),
        "assets_usd": usd(state.assets),
        "liquidity_usd": usd(state.liquidity),
        "lost_usd": {
            market: usd(lost) for market, lost in zip(vault.markets, state.lost, strict=True)
        },
        "forced_redemptions": {
            "count": len(redeemed),
            "usd": usd(sum(trade.amount_out for trade in redeemed)),
        },
        "rows": [
            {
                "name": row.name,
                "shares": str(row.shares),
                "left": str(row.left),
                "paid": str(row.paid),
                "loss_usd": usd(
                    first.assets_down(row.shares) - row.paid - state.assets_down(row.left)
                ),
            }
            for row in rows
        ],
    }


def depositors(
    trace: Trace, world: World, scenario: Scenario, vault: VaultHandle
) -> list[DepositorRow]:
    """Those who may run, and the passive ones together. What others have of the shares is
    collateral of their markets."""
    opening, closing = trace.opening_wallets, trace.closing_wallets
    if opening is None or closing is None:
        raise ValueError("the run was not recorded to its end")
    place = {owner: at for at, owner in enumerate(world.holders)}
    names: Mapping[str, bytes] = {
        f"{spec.name}-{index}" if spec.count > 1 else spec.name: account(spec.name, index).address
        for spec in scenario.agents_of(VaultDepositor)
        if spec.vault == vault.spec.name
        for index in range(spec.count)
    }
    rows = []
    for name, owner in {**names, "passive": vault.passive}.items():
        at = place[owner]
        shares, assets = vault.spec.share, vault.spec.asset
        held = opening.tokens[shares][at]
        if held:
            paid = closing.tokens[assets][at] - opening.tokens[assets][at]
            rows.append(DepositorRow(name, held, closing.tokens[shares][at], paid))
    return rows


__all__ = ["DepositorRow", "depositors", "summarised"]
