"""What became of curated vaults: the price of a share, losses by market, who redeemed, who stayed.

A loss in a market is what the vault's part of it became worth less, as the vault itself notes it:
net of the interest earned since somebody touched the vault before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from harness.accounts import account
from harness.protocols.curated_vault import VaultHandle
from harness.scenario import BPS, PRICE_UNIT, WAD, Scenario, VaultDepositor
from harness.trace import BlockRow, Trace
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
        "pool": _pool(trace, world, vault),
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


def _pool(trace: Trace, world: World, vault: VaultHandle) -> dict[str, Any] | None:
    """The pool of a vault's shares: its price in USD, how far it was below what a share was worth,
    forced sales there, and, by market, by how much debts would exceed their collateral if a share
    were worth what the pool quotes at the end. None without one."""
    spec = vault.spec
    name = world.pool_of(spec.share, spec.asset)
    if name is None:
        return None
    prices = [_quote_wad(block, name, spec.asset) for block in trace.blocks]
    worths = [block.external[spec.share] * (WAD // PRICE_UNIT) for block in trace.blocks]
    discounts = [
        (worth - price) * BPS // worth if worth else 0
        for price, worth in zip(prices, worths, strict=True)
    ]
    sold = [trade for trade in trace.trades if trade.sold == spec.share and not trade.redeemed]
    paid = sum(trade.amount_out for trade in sold)
    price = trace.blocks[-1].external[spec.asset]
    return {
        "name": name,
        "price_usd": {
            "start": prices[0] / WAD,
            "low": min(prices) / WAD,
            "end": prices[-1] / WAD,
        },
        "discount_bps": {"most": max(discounts), "end": discounts[-1]},
        "forced_sales": {
            "count": len(sold),
            "usd": paid * price * (WAD // PRICE_UNIT) // world.units[spec.asset] / WAD,
        },
        "shortfall_usd": {
            market: _shortfall_wad(trace, world, market, {spec.share: prices[-1]}) / WAD
            for market, venue in world.venues.items()
            if spec.share in venue.assets
        },
    }


def _quote_wad(block: BlockRow, pool: str, asset: str) -> int:
    """What a pool quotes for a share, USD WAD; shares have the decimals of their vault's asset."""
    shares, assets = block.reserves[pool]
    return assets * block.external[asset] * (WAD // PRICE_UNIT) // shares


def _shortfall_wad(trace: Trace, world: World, market: str, instead: Mapping[str, int]) -> int:
    """By how much debts exceed their collateral at the end, at outside prices but for these."""
    venue, last, total = world.venues[market], trace.blocks[-1], 0
    prices = [
        instead.get(symbol, last.external[symbol] * (WAD // PRICE_UNIT)) for symbol in venue.assets
    ]
    census = trace.closing[market]
    for number in range(len(census.health)):
        gap = 0
        for word, price, places in zip(census.words(number), prices, venue.decimals, strict=True):
            claims, debt = word >> 128, word & ((1 << 128) - 1)
            gap += (debt - claims) * price // 10**places
        total += max(0, gap)
    return total


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
