"""The cascade as a tree: liquidation, sale, price move, oracle update, next liquidation.

Nodes are named L1, L2, ... (liquidations in their order), T1, ... (forced trades by their number on
chain), P1, ... (what trade 1 did to its pool's price) and O:ETH:37 (the round of ETH's feed after
block 37). Every edge is read from events and feed rounds:

liquidation -> sale    the forced trade in the same transaction, with the amount seized; what a
                       module, or a liquidator who kept it, sold later of it; a hedge of what an
                       exchange closed, after the last liquidation that it follows
sale -> price          the pool's spot before and after, as the router's event has them (1e36)
price -> oracle        the first round of a feed that has seen the trade; answers before and after
oracle -> liquidation  of a liquidation caused by a trade (its parent): the first round that had
                       seen the parent, of the asset whose price the parent moved; debt repaid
liquidation -> oracle  the round after which a vault's share is worth less for the debt that the
                       liquidation wrote off in one of the vault's markets; debt written off
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

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
    # debt is written off by the last of an account's liquidations in a block
    last = {(row.block, row.venue, row.account): row for row in trace.liquidations}
    edges: list[Edge] = []
    for number, row in enumerate(trace.liquidations, 1):
        edges += _cause(row, number, trades, updates, vaults)
        if last[row.block, row.venue, row.account] is row:
            edges += _lost(trace, row, number, updates, vaults)
        if row.trade and not row.kind:
            edges.append(_sale(row, number, row.trade, row.block, row.seized, row.seized_usd))
    for sale in trace.sales:
        row = trace.liquidations[sale.liquidation]
        if sale.trade:
            edges.append(
                _sale(
                    row,
                    sale.liquidation + 1,
                    sale.trade,
                    sale.block,
                    sale.bought,
                    sale.bought_usd,
                )
            )
    for number, trade in _followed(trace):
        row = trace.liquidations[number - 1]
        made = _sale(row, number, trade.id, trade.block, trade.amount_in, 0)
        edges.append(made._replace(asset=trade.sold))
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


def _sale(row: LiquidationRow, number: int, trade: int, block: int, amount: int, usd: int) -> Edge:
    """From a liquidation to a sale of its collateral."""
    return Edge(
        "liquidation-sale",
        f"L{number}",
        f"T{trade}",
        block,
        row.venue,
        row.account,
        row.collateral,
        amount,
        usd=usd,
        wave=row.wave,
    )


def _followed(trace: Trace) -> Iterator[tuple[int, TradeRow]]:
    """Trades that follow a liquidation otherwise, with its number: hedges, sales of what was kept,
    and collaterals that an exchange sells in the transaction of a liquidation, each on its own."""
    closing: dict[tuple[int, int], int] = {}
    for number, row in enumerate(trace.liquidations, 1):
        if row.kind:
            closing.setdefault((row.block, row.place), number)
    for trade in trace.trades:
        number = trade.after or closing.get((trade.block, trade.place), 0)
        if number:
            yield number, trade


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
    own = [
        s
        for s in (row.collateral, row.debt)
        if s in (parent.sold, parent.bought) or parent.venue in vaults.get(s, ())
    ]

    def rounds(symbols: Sequence[str]) -> list[tuple[int, str]]:
        first = ((_first_seen(updates, symbol, parent.id), symbol) for symbol in symbols)
        return [(at, symbol) for at, symbol in first if at is not None and at <= row.block]

    # an account that holds several assets may be closed in one because another's price was moved
    seen = rounds(own) or rounds((parent.sold, parent.bought))
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


class Step(Protocol):
    """What `parents` reads of an edge."""

    @property
    def kind(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def target(self) -> str: ...

    @property
    def parent(self) -> str: ...


def parents(edges: Sequence[Step]) -> dict[int, int]:
    """For each liquidation that a sale caused, by its number, the one whose sale it was; none for
    those that a called account's sale caused."""
    seller = {edge.target: edge.source for edge in edges if edge.kind == "liquidation-sale"}
    return {
        int(edge.target[1:]): int(seller[edge.parent][1:])
        for edge in edges
        if edge.kind == "oracle-liquidation" and edge.parent in seller
    }
