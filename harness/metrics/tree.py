"""The cascade as a tree: liquidation, sale, price move, oracle update, next liquidation.

Nodes are named L1, L2, ... (liquidations in their order), T1, ... (forced trades by their number on
chain), P1, ... (what trade 1 did to its pool's price) and O:ETH:37 (the round of ETH's feed after
block 37). Every edge is read from events and feed rounds:

liquidation -> sale    the forced trade in the same transaction; amount seized
sale -> price          the pool's spot before and after, as the router's event has them (1e36)
price -> oracle        the first round of a feed that has seen the trade; answers before and after
oracle -> liquidation  of a liquidation caused by a trade (its parent): the first round that had
                       seen the parent, of the asset whose price the parent moved; debt repaid
liquidation -> oracle  the round after which a vault's share is worth less for the debt that the
                       liquidation wrote off in one of the vault's markets; debt written off
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from harness.trace import LiquidationRow, Trace, TradeRow


class Edge(NamedTuple):
    """One step of the cascade.

    ``amount`` in base units of ``asset``; ``before`` and ``after`` are pool spots (1e36) or feed
    answers (WAD), 0 where nothing is quoted; ``usd`` in WAD, of liquidations only; ``parent`` is
    the sale behind the oracle update that led to a liquidation.
    """

    kind: str
    source: str
    target: str
    block: int
    venue: str
    account: int
    asset: str
    amount: int
    before: int = 0
    after: int = 0
    usd: int = 0
    wave: int = -1
    parent: str = ""


def cascade_edges(trace: Trace, vaults: Mapping[str, tuple[str, ...]]) -> list[Edge]:
    """The edges of a run's cascade, in the order of liquidations, trades and rounds; ``vaults`` has
    the markets behind each share."""
    updates = _first_rounds(trace)
    trades = {trade.id: trade for trade in trace.trades}
    edges: list[Edge] = []
    for number, row in enumerate(trace.liquidations, 1):
        edges += _cause(row, number, trades, updates, vaults)
        edges += _lost(trace, row, number, updates, vaults)
        if row.trade:
            edges.append(
                Edge(
                    "liquidation-sale",
                    f"L{number}",
                    f"T{row.trade}",
                    row.block,
                    row.venue,
                    row.account,
                    row.collateral,
                    row.seized,
                    usd=row.seized_usd,
                    wave=row.wave,
                )
            )
    for sale in trace.sales:
        row = trace.liquidations[sale.liquidation]
        if sale.trade:
            edges.append(
                Edge(
                    "liquidation-sale",
                    f"L{sale.liquidation + 1}",
                    f"T{sale.trade}",
                    sale.block,
                    row.venue,
                    row.account,
                    row.collateral,
                    sale.bought,
                    usd=sale.bought_usd,
                    wave=row.wave,
                )
            )
    for trade in trace.trades:
        if trade.redeemed:  # no price moves
            continue
        edges.append(
            Edge(
                "sale-price",
                f"T{trade.id}",
                f"P{trade.id}",
                trade.block,
                trade.venue,
                trade.account,
                trade.sold,
                trade.amount_in,
                trade.spot_before,
                trade.spot_after,
            )
        )
        edges += _rounds(trace, trade, updates, vaults)
    return edges


def _first_rounds(trace: Trace) -> dict[str, list[tuple[int, int]]]:
    """By asset: (block, last trade seen) of every round that saw more trades than any before."""
    found: dict[str, list[tuple[int, int]]] = {}
    for block in trace.blocks:
        for symbol, point in block.feeds.items():
            rounds = found.setdefault(symbol, [(0, 0)])
            if point.seen_trade > rounds[-1][1]:
                rounds.append((block.index, point.seen_trade))
    return found


def _first_seen(updates: dict[str, list[tuple[int, int]]], symbol: str, trade: int) -> int | None:
    """The block whose round of a feed first saw a trade."""
    return next((block for block, seen in updates.get(symbol, ()) if seen >= trade), None)


def _rounds(
    trace: Trace,
    trade: TradeRow,
    updates: dict[str, list[tuple[int, int]]],
    vaults: Mapping[str, tuple[str, ...]],
) -> Iterator[Edge]:
    # no feed of a vault's asset hears of the pool of its shares
    for symbol in (trade.sold,) if trade.sold in vaults else (trade.sold, trade.bought):
        block = _first_seen(updates, symbol, trade.id)
        if block is None:
            continue
        before = trace.blocks[max(0, block - 1)].feeds[symbol].price
        after = trace.blocks[block].feeds[symbol].price
        if before != after:
            yield Edge(
                "price-oracle",
                f"P{trade.id}",
                f"O:{symbol}:{block}",
                block,
                trade.venue,
                trade.account,
                symbol,
                trade.amount_in if symbol == trade.sold else trade.amount_out,
                before,
                after,
            )


def _cause(
    row: LiquidationRow,
    number: int,
    trades: dict[int, TradeRow],
    updates: dict[str, list[tuple[int, int]]],
    vaults: Mapping[str, tuple[str, ...]],
) -> Iterator[Edge]:
    parent = trades.get(row.parent)
    if parent is None:
        return
    moved = [
        s
        for s in (row.collateral, row.debt)
        if s in (parent.sold, parent.bought) or parent.venue in vaults.get(s, ())
    ]
    seen = [(block, s) for s in moved if (block := _first_seen(updates, s, parent.id)) is not None]
    if not seen:
        return
    block, symbol = min(seen)
    yield Edge(
        "oracle-liquidation",
        f"O:{symbol}:{block}",
        f"L{number}",
        row.block,
        row.venue,
        row.account,
        row.debt,
        row.repaid,
        usd=row.repaid_usd,
        wave=row.wave,
        parent=f"T{row.parent}",
    )


def _lost(
    trace: Trace,
    row: LiquidationRow,
    number: int,
    updates: dict[str, list[tuple[int, int]]],
    vaults: Mapping[str, tuple[str, ...]],
) -> Iterator[Edge]:
    lost = [
        debt
        for debt in trace.bad_debts
        if (debt.block, debt.venue, debt.account) == (row.block, row.venue, row.account)
    ]
    for share, markets in vaults.items():
        if row.venue not in markets or not row.trade or share not in trace.blocks[0].feeds:
            continue
        block = _first_seen(updates, share, row.trade)
        if block is None:
            continue
        for debt in lost:
            yield Edge(
                "liquidation-oracle",
                f"L{number}",
                f"O:{share}:{block}",
                row.block,
                row.venue,
                row.account,
                debt.asset,
                debt.amount,
                trace.blocks[max(0, block - 1)].feeds[share].price,
                trace.blocks[block].feeds[share].price,
                usd=debt.usd,
                wave=row.wave,
            )


def parents(trace: Trace) -> dict[int, int]:
    """For each liquidation (from 1) the liquidation whose sale caused it; 0 where none did."""
    by_trade = {row.trade: number for number, row in enumerate(trace.liquidations, 1) if row.trade}
    return {
        number: by_trade.get(row.parent, 0) if row.parent else 0
        for number, row in enumerate(trace.liquidations, 1)
    }
