"""Who carried the loss, and what led to what: read from the chain, and complete."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from harness.metrics.losses import RESERVES, SUPPLIERS, loss_by_role, losses
from harness.metrics.tree import cascade_edges, parents
from harness.run import run
from harness.scenario import Arbitrageur, ExternalMarket

SEED = 11


@pytest.fixture(scope="module")
def result(several):
    """Two markets in one pool, with losses in both and bad debt written off."""
    rows = [(100.0, round(100 * 800 / (1.01 + 0.02 * i), 2)) for i in range(6)]
    scenario = several.scenario(
        falls=(0.96, 0.92, 0.88, 0.86, 0.84, 0.82, 0.8, 0.78, 0.5),
        blocks=16,
        markets=[
            several.market("left", protocol_share_bps=1000),
            several.market("right", protocol_share_bps=1000),
        ],
        populations=[several.positions("left", rows), several.positions("right", rows)],
        agents=[
            several.liquidator("one", "left"),
            several.liquidator("two", "right"),
            Arbitrageur(
                "arbitrageur", "eth-usdx", 1e8, bid=several.FREE, min_profit_usd=1, fee_deposit=1e3
            ),
        ],
        external=ExternalMarket(2e4, 0, 0),
    )
    return run(scenario, SEED)


def test_what_one_loses_another_gains_to_the_wei(result):
    rows = losses(result)
    for asset in result.world.tokens:
        assert sum(row.amount for row in rows if row.asset == asset) == 0
        assert sum(row.usd for row in rows if row.asset == asset) == 0
    assert sum(loss_by_role(rows).values()) == 0


def test_nobody_is_left_out(result):
    """Every change of a balance belongs to a role: a holder without one would be `others`."""
    rows = losses(result)
    assert not [row for row in rows if row.role == "others"]
    assert {row.role for row in rows} >= {
        "borrowers",
        "suppliers",
        "market reserves",
        "liquidators",
        "arbitrageurs",
        "pool liquidity",
        "outside market",
    }


def test_reserves_and_suppliers_carry_what_a_market_lost(result):
    """A deficit falls on reserves first, then on suppliers, who also carry what is not yet
    written off."""
    rows, last = losses(result), result.run.blocks[-1]
    assert result.run.bad_debts
    for name, state in last.venues.items():
        for asset, books in zip(result.world.venues[name].assets, state.states, strict=True):
            carried = sum(
                row.amount
                for row in rows
                if (row.venue, row.asset) == (name, asset) and row.role in (SUPPLIERS, RESERVES)
            )
            # claims are exact for each account and rounded in their sum: a wei for each
            accounts = len(result.world.venues[name].people)
            assert abs(carried - (books.reserves - books.deficit)) <= accounts
        uncovered = [r.amount for r in rows if (r.venue, r.role, r.asset) == (name, SUPPLIERS, "")]
        assert sum(uncovered) == -state.shortfall_market


def test_reserves_cover_a_deficit_before_suppliers_lose(several):
    """Interest gives both markets reserves. Where the deficit is less, suppliers lose nothing;
    where it is more, they lose what is left of it."""
    markets = [
        replace(
            market,
            assets=(
                market.assets[0],
                replace(market.assets[1], base_rate=50.0, reserve_factor_bps=5000),
            ),
        )
        for market in (several.market("little"), several.market("much"))
    ]
    payer = (100_000.0, 1e7)
    result = run(
        several.scenario(
            falls=(0.9, 0.5),
            blocks=12,
            markets=markets,
            populations=[
                several.positions("little", [payer, (0.1, 75.0)]),
                several.positions("much", [payer, (10.0, 7500.0)]),
            ],
            agents=[several.liquidator("one", "little"), several.liquidator("two", "much")],
            external=ExternalMarket(2e6, 0, 0),
        ),
        SEED,
    )
    parts = {(row.venue, row.role): row.amount for row in losses(result) if row.asset == "USDX"}
    for name, exceeds in (("little", False), ("much", True)):
        books = result.run.blocks[-1].venues[name].states[1]
        assert books.deficit > 0
        assert books.reserves > 0
        assert (books.deficit > books.reserves) is exceeds
        wallets = result.run.opening_wallets, result.run.closing_wallets
        before, after = (sum(w >> 128 for w in each.suppliers[name][1::2]) for each in wallets)
        assert parts[name, SUPPLIERS] == after - before - max(0, books.deficit - books.reserves)
        held = result.run.blocks[0].venues[name].states[1].reserves
        kept = held + parts.get((name, RESERVES), 0) - max(0, books.reserves - books.deficit)
        assert abs(kept) <= 4, "claims are exact for each account and rounded in their sum"


def test_ledger_sees_a_holding_that_changed(result):
    """Planted fault: one wei missing from somebody's wallet leaves the ledger unbalanced."""
    closing = result.run.closing_wallets
    tokens = {
        **closing.tokens,
        "USDX": (closing.tokens["USDX"][0] + 1, *closing.tokens["USDX"][1:]),
    }
    result.run.closing_wallets = closing._replace(tokens=tokens)
    try:
        rows = losses(result)
        assert sum(row.amount for row in rows if row.asset == "USDX") == 1
    finally:
        result.run.closing_wallets = closing


def test_a_sale_reaches_a_feed_in_the_first_round_that_saw_it(result):
    """Of every sale and asset: the block whose feed had seen it, when the one before had not."""
    blocks = result.run.blocks
    expected = {
        (f"P{trade.id}", f"O:{symbol}:{now.index}"): (old.price, new.price)
        for trade in result.run.trades
        for symbol in (trade.sold, trade.bought)
        for before, now in pairwise(blocks)
        for old, new in [(before.feeds[symbol], now.feeds[symbol])]
        if old.seen_trade < trade.id <= new.seen_trade and old.price != new.price
    }
    edges = [edge for edge in cascade_edges(result.run, {}) if edge.kind == "price-oracle"]
    assert expected
    assert len(edges) == len(expected)
    assert {(e.source, e.target): (e.before, e.after) for e in edges} == expected


def test_every_step_of_the_tree_follows_from_the_one_before(result):
    edges = cascade_edges(result.run, {})
    kinds = {edge.kind for edge in edges}
    assert kinds == {"liquidation-sale", "sale-price", "price-oracle", "oracle-liquidation"}
    targets = {edge.target: edge for edge in edges}
    trades = {f"T{trade.id}": trade for trade in result.run.trades}
    for edge in edges:
        if edge.kind == "liquidation-sale":
            sold = trades[edge.target]
            assert (sold.sold, sold.amount_in) == (edge.asset, edge.amount)
        elif edge.kind == "sale-price":
            assert edge.before > edge.after > 0
        elif edge.kind == "price-oracle":
            assert edge.source in targets
            assert targets[edge.source].block <= edge.block
        else:
            assert targets[edge.source].block <= edge.block
    for number, row in enumerate(result.run.liquidations, 1):
        causes = [e for e in edges if e.target == f"L{number}"]
        assert len(causes) == (row.cause == "price" or (row.cause == "repeat" and row.parent > 0))


def test_a_liquidation_is_one_wave_after_the_one_that_caused_it(result):
    found = parents(cascade_edges(result.run, {}))
    assert found
    rows = result.run.liquidations
    for number, parent in found.items():
        if rows[number - 1].cause == "price":
            assert rows[number - 1].wave == rows[parent - 1].wave + 1
