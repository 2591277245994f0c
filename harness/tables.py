"""The tables of a run, as typed columns; `harness.results` writes them and tells what each holds,
and in which units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.metrics.losses import losses
from harness.metrics.tree import cascade_edges
from harness.metrics.waterfall import haircuts
from harness.protocols.perp_exchange import NO_EQUITY, PerpVenue
from harness.protocols.pooled_lending import UNPRICED
from harness.run import RunResult
from harness.testing.clearing_invariants import STEPS
from harness.trace import BlockRow, LiquidationRow, Trace
from harness.world import World

if TYPE_CHECKING:
    import pyarrow as pa

    from harness.experiments.contagion import Contagion

ALWAYS = (
    "blocks",
    "transactions",
    "liquidations",
    "trades",
    "margin_calls",
    "bad_debts",
    "positions",
    "traders",
    "cascade",
    "losses",
    "final_reads",
)
"""Tables that every run has."""

IF_ANY = ("contagion", "waterfall", "haircuts", "sales")
"""Those of runs with links cut, with a clearing house, and with liquidation modules that sell."""


class Columns:
    """Collects typed columns for one table.

    Arrays are made from their buffers: pyarrow's way through lists of Python objects is ten times
    slower for large integers, and imports pandas where there is one.
    """

    def __init__(self) -> None:
        import pyarrow as pa

        self._pa = pa
        self._arrays: dict[str, pa.Array] = {}

    def put(self, name: str, values: Iterable[Any], kind: str) -> None:
        """kind: int64, text, bytes, or big for integers that may exceed 64 bits."""
        pa, column = self._pa, list(values)
        types = {
            "int64": pa.int64(),
            "text": pa.string(),
            "bytes": pa.binary(),
            "big": pa.decimal256(76, 0),
        }
        present = [value is not None for value in column]
        valid = (
            None
            if all(present)
            else pa.py_buffer(np.packbits(present, bitorder="little").tobytes())
        )
        if kind == "int64":
            buffers = [np.array([value or 0 for value in column], np.int64).tobytes()]
        elif kind == "big":
            buffers = [
                b"".join([(value or 0).to_bytes(32, "little", signed=True) for value in column])
            ]
        else:
            raw = [(value or "").encode() for value in column] if kind == "text" else column
            ends = np.cumsum([0, *[len(value or b"") for value in raw]])
            if ends[-1] >= 1 << 31:
                raise OverflowError(f"column {name} has 2 GiB or more")
            buffers = [ends.astype(np.int32).tobytes(), b"".join([value or b"" for value in raw])]
        self._arrays[name] = pa.Array.from_buffers(
            types[kind], len(column), [valid, *map(pa.py_buffer, buffers)]
        )

    def table(self) -> pa.Table:
        return self._pa.table(self._arrays)


def tables_of(result: RunResult) -> dict[str, pa.Table]:
    """Every table of a run, by name."""
    tables = (
        _blocks(result),
        _transactions(result),
        _liquidations(result),
        _trades(result.run),
        _margin_calls(result),
        _bad_debts(result),
        _positions(result),
        _traders(result),
        _cascade(result.run, result.world),
        _losses(result),
        _final_reads(result),
    )
    found = dict(zip(ALWAYS, tables, strict=True))
    if result.contagion is not None:
        found["contagion"] = _contagion(result.contagion)
    if result.world.clearing:
        found |= {"waterfall": _waterfall(result.run), "haircuts": _haircuts(result)}
    if any(venue.module is not None for venue in result.world.venues.values()):
        found["sales"] = _sales(result)
    return found


def _waterfall(run: Trace) -> pa.Table:
    """Every payment of every step, in order."""
    rows = [row for row in run.waterfall if row.name == "Paid"]
    columns = Columns()
    columns.put("venue", [row.venue for row in rows], "text")
    columns.put("step", [STEPS[row.fields["step"]] for row in rows], "text")
    for name in ("block", "round", "account"):
        columns.put(name, [getattr(row, name) for row in rows], "int64")
    columns.put("amount", [row.fields["amount"] for row in rows], "big")
    return columns.table()


def _haircuts(result: RunResult) -> pa.Table:
    """Every account in line that was dealt with, by exchange and round."""
    rows = [
        (name, each)
        for house in result.world.clearing.values()
        for name in house.exchanges
        for each in haircuts(result.run, name)
    ]
    columns = Columns()
    columns.put("venue", [name for name, _ in rows], "text")
    for name in ("round", "place", "account"):
        columns.put(name, [getattr(each, name) for _, each in rows], "int64")
    for name in ("wealth", "paid", "closed"):
        columns.put(name, [getattr(each, name) for _, each in rows], "big")
    return columns.table()


def _cascade(run: Trace, world: World) -> pa.Table:
    edges = cascade_edges(run, world.vault_markets)
    columns = Columns()
    for name in ("kind", "source", "target", "venue", "asset", "parent"):
        columns.put(name, [getattr(edge, name) for edge in edges], "text")
    for name in ("block", "account", "wave"):
        columns.put(name, [getattr(edge, name) for edge in edges], "int64")
    for name in ("amount", "before", "after", "usd"):
        columns.put(name, [getattr(edge, name) for edge in edges], "big")
    return columns.table()


def _losses(result: RunResult) -> pa.Table:
    rows = losses(result)
    columns = Columns()
    for name in ("venue", "role", "asset"):
        columns.put(name, [getattr(row, name) for row in rows], "text")
    for name in ("amount", "usd"):
        columns.put(name, [getattr(row, name) for row in rows], "big")
    return columns.table()


def _contagion(found: Contagion) -> pa.Table:
    """A row for each link and venue, and under an empty link the run without any."""
    rows: list[tuple[Any, ...]] = [
        (link.venue, link.channel, j, found.run[j], found.without[link][j], found.entry(link, j))
        for link in found.links
        for j in found.venues
    ]
    total = found.total()
    rows += [("", "", j, found.run[j], found.apart[j], total[j]) for j in found.venues]
    columns = Columns()
    names = ("from_venue", "channel", "to_venue", "insolvency", "insolvency_without", "entry")
    for place, name in enumerate(names):
        columns.put(name, [row[place] for row in rows], "text" if place < 3 else "big")
    return columns.table()


def _blocks(result: RunResult) -> pa.Table:
    setup = len(result.setup)
    run, twin = result.run.blocks, result.twin.blocks
    heads = [(block.number, block.timestamp) for block in result.setup]
    heads += [(block.number, block.timestamp) for block in run]
    columns = Columns()

    def padded(values: Iterable[Any]) -> list[Any]:
        """A column that set-up blocks have no value for."""
        return [None] * setup + list(values)

    columns.put("index", padded(block.index for block in run), "int64")
    columns.put("number", [number for number, _ in heads], "int64")
    columns.put("timestamp", [timestamp for _, timestamp in heads], "int64")
    digests = [*result.setup_digests, *(block.digest for block in run)]
    columns.put("digest", digests, "bytes")
    for symbol, path in result.paths.items():
        columns.put(f"path.{symbol}", padded(path), "int64")
        columns.put(f"external.{symbol}", padded(b.external[symbol] for b in run), "int64")
        columns.put(f"twin.external.{symbol}", padded(b.external[symbol] for b in twin), "int64")
    for symbol in run[0].feeds:
        columns.put(f"feed.{symbol}", padded(b.feeds[symbol].price for b in run), "big")
        columns.put(f"twin.feed.{symbol}", padded(b.feeds[symbol].price for b in twin), "big")
        seen = padded(b.feeds[symbol].seen_trade for b in run)
        columns.put(f"feed_seen_trade.{symbol}", seen, "int64")
    for pool in run[0].reserves:
        for side, name in enumerate(("base", "quote")):
            columns.put(f"pool.{pool}.{name}", padded(b.reserves[pool][side] for b in run), "big")
    columns.put("background_bid", padded(b.background_bid for b in run), "int64")
    columns.put("waiting", padded(b.waiting for b in run), "int64")
    for vault in run[0].vaults:
        for name in ("assets", "shares", "idle", "liquidity"):
            values = padded(getattr(b.vaults[vault], name) for b in run)
            columns.put(f"vault.{vault}.{name}", values, "big")
    for venue, exchange in result.world.exchanges.items():
        for prefix, blocks in (("", run), ("twin.", twin)):
            _venue_columns(columns, f"{prefix}venue.{venue}", blocks, venue, padded)
        _exchange_columns(columns, f"exchange.{venue}", run, exchange, padded)
    for venue in run[0].venues:
        for prefix, blocks in (("", run), ("twin.", twin)):
            _venue_columns(columns, f"{prefix}venue.{venue}", blocks, venue, padded)
        for place, symbol in enumerate(result.world.venues[venue].assets):
            for field in ("cash", "total_claims", "total_debt", "reserves", "deficit"):
                values = padded(getattr(b.venues[venue].states[place], field) for b in run)
                columns.put(f"venue.{venue}.{symbol}.{field}", values, "big")
    return columns.table()


def _venue_columns(
    columns: Columns,
    prefix: str,
    blocks: Sequence[BlockRow],
    venue: str,
    padded: Callable[[Iterable[Any]], list[Any]],
) -> None:
    states = [block.every_venue[venue] for block in blocks]
    for field in ("shortfall_market", "shortfall_liquidation", "shortfall_oracle", "bad_debt"):
        values = padded(getattr(state, field) for state in states)
        columns.put(f"{prefix}.{field}", values, "big")
    for field in ("unhealthy", "called"):
        columns.put(f"{prefix}.{field}", padded(getattr(state, field) for state in states), "int64")


def _exchange_columns(
    columns: Columns,
    prefix: str,
    blocks: Sequence[BlockRow],
    exchange: PerpVenue,
    padded: Callable[[Iterable[Any]], list[Any]],
) -> None:
    states = [block.exchanges[exchange.name] for block in blocks]
    for place, symbol in enumerate(exchange.markets):
        for field in ("index_wad", "mark_wad", "long_size", "short_size", "funding_rate_wad"):
            values = padded(getattr(state.states[place], field) for state in states)
            columns.put(f"{prefix}.{symbol}.{field}", values, "big")
    for field in ("cash", "insurance", "vault_cash", "fees", "deficit"):
        values = padded(getattr(state.books, field) for state in states)
        columns.put(f"{prefix}.{field}", values, "big")
    columns.put(f"{prefix}.insurance_equity", padded(s.insurance_equity for s in states), "big")
    equities = (s.books.vault_equity for s in states)
    known = (equity if equity != NO_EQUITY else None for equity in equities)
    columns.put(f"{prefix}.vault_equity", padded(known), "big")


def _transactions(result: RunResult) -> pa.Table:
    """Executed ones in chain order (place 0 and up), then those that never entered a block."""
    first = result.run.blocks[0].number
    rows: list[tuple[Any, ...]] = []
    for block in result.setup:
        for place, sent in enumerate(block.transactions):
            head = (block.number, place, sent.sender, sent.to, sent.data)
            rows.append((*head, "setup", "setup", "", None, None, 0, 0, "succeeded", ""))
    ordered = sorted(result.run.transactions, key=lambda row: (row.place < 0, row.block, row.place))
    for row in ordered:
        head = (first + row.block, row.place, row.sender, row.to, row.data)
        what = (row.agent, row.action, row.key, row.observed, row.available)
        rows.append((*head, *what, row.bid, row.gas, row.status, row.reason))
    columns = Columns()
    names = (
        ("block", "int64"),
        ("place", "int64"),
        ("sender", "bytes"),
        ("to", "bytes"),
        ("data", "bytes"),
        ("agent", "text"),
        ("action", "text"),
        ("key", "text"),
        ("observed", "int64"),
        ("available", "int64"),
        ("bid_wei", "int64"),
        ("declared_gas", "int64"),
        ("status", "text"),
        ("reason", "text"),
    )
    for column, (name, kind) in zip(zip(*rows, strict=True), names, strict=True):
        columns.put(name, column, kind)
    return columns.table()


def _liquidations(result: RunResult) -> pa.Table:
    rows: list[tuple[str, LiquidationRow]] = [("run", row) for row in result.run.liquidations]
    rows += [("twin", row) for row in result.twin.liquidations]
    columns = Columns()
    columns.put("pass", [name for name, _ in rows], "text")
    for name in ("venue", "liquidator", "collateral", "debt", "cause"):
        columns.put(name, [getattr(row, name) for _, row in rows], "text")
    for name in ("block", "place", "account", "unhealthy_since", "trade", "wave", "parent"):
        columns.put(name, [getattr(row, name) for _, row in rows], "int64")
    for name in (
        "repaid",
        "seized",
        "protocol_fee",
        "repaid_usd",
        "seized_usd",
        "health_factor",
        "proceeds",
        "unsold",
        "taken_usd",
        "relieved_usd",
        "reward_usd",
        "depositors_usd",
        "borrowers_usd",
    ):
        columns.put(name, [getattr(row, name) for _, row in rows], "big")
    return columns.table()


def _sales(result: RunResult) -> pa.Table:
    """Sales by liquidation modules; ``liquidation`` counts the liquidations of a pass from 1."""
    rows = [("run", sale) for sale in result.run.sales]
    rows += [("twin", sale) for sale in result.twin.sales]
    columns = Columns()
    columns.put("pass", [name for name, _ in rows], "text")
    columns.put("buyer", [sale.buyer for _, sale in rows], "text")
    columns.put("liquidation", [sale.liquidation + 1 for _, sale in rows], "int64")
    for name in ("block", "place", "trade", "by_depositor"):
        columns.put(name, [int(getattr(sale, name)) for _, sale in rows], "int64")
    for name in ("paid", "bought", "paid_usd", "bought_usd", "proceeds"):
        columns.put(name, [getattr(sale, name) for _, sale in rows], "big")
    return columns.table()


def _trades(run: Trace) -> pa.Table:
    columns = Columns()
    for name in ("id", "block", "place", "account"):
        columns.put(name, [getattr(row, name) for row in run.trades], "int64")
    for name in ("venue", "action", "sold", "bought"):
        columns.put(name, [getattr(row, name) for row in run.trades], "text")
    for name in ("amount_in", "amount_out", "spot_before", "spot_after"):
        columns.put(name, [getattr(row, name) for row in run.trades], "big")
    columns.put("redeemed", [int(row.redeemed) for row in run.trades], "int64")
    return columns.table()


def _margin_calls(result: RunResult) -> pa.Table:
    rows = [
        (name, venue, call)
        for name, trace in (("run", result.run), ("twin", result.twin))
        for venue, calls in trace.calls.items()
        for call in sorted(calls, key=lambda call: (call.block, call.account))
    ]
    columns = Columns()
    columns.put("pass", [name for name, _, _ in rows], "text")
    columns.put("venue", [venue for _, venue, _ in rows], "text")
    for name in ("account", "block", "ended", "liquidations"):
        columns.put(name, [getattr(call, name) for _, _, call in rows], "int64")
    for name in ("outcome", "end"):
        columns.put(name, [getattr(call, name) for _, _, call in rows], "text")
    return columns.table()


def _bad_debts(result: RunResult) -> pa.Table:
    rows = [("run", row) for row in result.run.bad_debts]
    rows += [("twin", row) for row in result.twin.bad_debts]
    columns = Columns()
    columns.put("pass", [name for name, _ in rows], "text")
    for name in ("venue", "asset"):
        columns.put(name, [getattr(row, name) for _, row in rows], "text")
    for name in ("block", "account"):
        columns.put(name, [getattr(row, name) for _, row in rows], "int64")
    for name in ("amount", "usd"):
        columns.put(name, [getattr(row, name) for _, row in rows], "big")
    return columns.table()


def _positions(result: RunResult) -> pa.Table:
    columns = Columns()
    first_run = _first_liquidation(result.run)
    first_twin = _first_liquidation(result.twin)
    rows: list[tuple[Any, ...]] = []
    for name, venue in result.world.venues.items():
        before, after = result.run.opening[name], result.run.closing[name]
        for number, position in enumerate(venue.positions):
            key = (name, number)
            for place, symbol in enumerate(venue.assets):
                opening, closing = before.words(number)[place], after.words(number)[place]
                if not opening and not closing:
                    continue
                rows.append(
                    (
                        name,
                        number,
                        venue.accounts[number],
                        position.population,
                        position.account,
                        position.action,
                        symbol,
                        opening >> 128,
                        opening & ((1 << 128) - 1),
                        closing >> 128,
                        closing & ((1 << 128) - 1),
                        _finite(before.health[number]),
                        _finite(after.health[number]),
                        first_run.get(key),
                        first_twin.get(key),
                    )
                )
    names = (
        ("venue", "text"),
        ("account", "int64"),
        ("address", "bytes"),
        ("population", "text"),
        ("label", "text"),
        ("response", "text"),
        ("asset", "text"),
        ("claims_before", "big"),
        ("debt_before", "big"),
        ("claims_after", "big"),
        ("debt_after", "big"),
        ("health_factor_before", "big"),
        ("health_factor_after", "big"),
        ("liquidated_block", "int64"),
        ("twin_liquidated_block", "int64"),
    )
    by_column = zip(*rows, strict=True) if rows else ((),) * len(names)
    for column, (name_, kind) in zip(by_column, names, strict=True):
        columns.put(name_, column, kind)
    return columns.table()


def _traders(result: RunResult) -> pa.Table:
    """Cash, collateral and positions of every account of an exchange; worth in settlement units."""
    first_run, first_twin = _first_liquidation(result.run), _first_liquidation(result.twin)
    rows: list[tuple[Any, ...]] = []
    for name, exchange in result.world.exchanges.items():
        before = result.run.exchange_opening[name]
        after = result.run.exchange_closing[name]
        for number, word in enumerate(after.accounts):
            known = number < len(before.accounts)
            opening = exchange.named(before.row(number)) if known else {}
            closing = exchange.named(after.row(number))
            for kind, asset in dict.fromkeys((*opening, *closing)):
                rows.append(
                    (
                        name,
                        number,
                        word,
                        exchange.label(number),
                        kind,
                        asset,
                        opening.get((kind, asset), 0),
                        closing.get((kind, asset), 0),
                        before.worth[number].equity if known else 0,
                        after.worth[number].equity,
                        first_run.get((name, number)),
                        first_twin.get((name, number)),
                    )
                )
    names = (
        ("venue", "text"),
        ("account", "int64"),
        ("word", "bytes"),
        ("label", "text"),
        ("kind", "text"),
        ("asset", "text"),
        ("before", "big"),
        ("after", "big"),
        ("equity_before", "big"),
        ("equity_after", "big"),
        ("liquidated_block", "int64"),
        ("twin_liquidated_block", "int64"),
    )
    columns = Columns()
    by_column = zip(*rows, strict=True) if rows else ((),) * len(names)
    for column, (name_, kind_) in zip(by_column, names, strict=True):
        columns.put(name_, column, kind_)
    return columns.table()


def _finite(health_factor: int) -> int | None:
    """A health factor (WAD), None where the market gives none: no debt, or no price."""
    return health_factor if health_factor < UNPRICED else None


def _first_liquidation(trace: Trace) -> dict[tuple[str, int], int]:
    first: dict[tuple[str, int], int] = {}
    for row in trace.liquidations:
        first.setdefault((row.venue, row.account), row.block)
    return first


def _final_reads(result: RunResult) -> pa.Table:
    reads = result.world.final_reads()
    columns = Columns()
    columns.put("to", [to for to, _ in reads], "bytes")
    columns.put("data", [data for _, data in reads], "bytes")
    return columns.table()
