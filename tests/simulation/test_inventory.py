"""Liquidators who keep what they seize: what they buy, when they sell, whose sale it was."""

from __future__ import annotations

import dataclasses

import pytest

from harness.run import run
from harness.scenario import Bid, InventoryLiquidator, PoolSpotFeed, Withdrawal

ETH = 10**18


def keeper(small, **changes) -> InventoryLiquidator:
    """One with more of everything than it needs, who sells all it holds three blocks on."""
    made = InventoryLiquidator(
        "keeper",
        "market",
        capital=(("USDX", 1e9),),
        limit_usd=1e9,
        least_discount_bps=0,
        holding_blocks=3,
        sale_bps=10_000,
        max_transactions=100,
        fee_deposit=1e6,
        bid=small.FREE,
    )
    return dataclasses.replace(made, **changes)


def falling(small, *agents, **changes):
    """Two borrowers below 1 from block 4 on, a pool nothing moves."""
    return small.scenario(
        **{
            "blocks": 16,
            "prices": ((0, 1000.0), (3, 900.0)),
            "positions": ((10.0, 7_800.0), (20.0, 15_500.0)),
            "pool_base": 1e9,
            "agents": agents,
            "expect": "liquidations",
            **changes,
        }
    )


def test_what_is_seized_is_sold_later_and_the_proceeds_are_its_own(small) -> None:
    """Both seizures enter block 5 and are sold together three blocks after they were decided; the
    proceeds are divided by amount and add up to the sale, and nothing is left."""
    result = run(falling(small, keeper(small)), 1)
    rows = result.run.liquidations
    assert [(row.block, row.unsold, row.liquidator) for row in rows] == [(5, 0, "keeper")] * 2
    (sale,) = result.run.trades
    assert sale.block == 8
    assert sale.amount_in == sum(row.seized for row in rows)
    assert sale.amount_out == sum(row.proceeds for row in rows)
    assert [row.proceeds == sale.amount_out * row.seized // sale.amount_in for row in rows[:-1]]
    price = result.run.blocks[8].external["USDX"]
    profit = sum(row.proceeds - row.repaid for row in rows) * price * 10**4 / 10**18
    assert result.summary["liquidations"]["liquidator_profit_usd"] == pytest.approx(profit)
    assert all(result.summary["checks"]["invariants"].values())


def test_a_full_inventory_stops_buying(small) -> None:
    """With room for 5,000 USD of collateral no more than that is seized while nothing is sold."""
    result = run(falling(small, keeper(small, limit_usd=5_000.0, holding_blocks=1_000)), 1)
    held = sum(row.unsold for row in result.run.liquidations)
    assert 0 < held == sum(row.seized for row in result.run.liquidations)
    assert 4_990 < held * 900 / ETH <= 5_000
    plenty = run(falling(small, keeper(small, holding_blocks=1_000)), 1)
    assert sum(row.unsold for row in plenty.run.liquidations) * 900 / ETH > 20_000


def test_who_keeps_bears_the_price(small) -> None:
    """A fall between seizure and sale turns the bonus into a loss, unsold collateral included."""
    prices = ((0, 1000.0), (3, 900.0), (7, 600.0))
    seller = run(falling(small, small.liquidator(), prices=prices), 1)
    holder = run(falling(small, keeper(small, holding_blocks=1_000), prices=prices), 1)
    assert seller.summary["liquidations"]["liquidator_profit_usd"] > 0
    rows = holder.run.liquidations
    worth = sum(row.unsold for row in rows) * 600 / ETH
    paid = sum(row.repaid for row in rows) / 10**6
    loss = holder.summary["liquidations"]["liquidator_profit_usd"]
    assert loss == pytest.approx(worth - paid)
    assert loss < 0


def test_a_late_sale_passes_its_wave_on(small) -> None:
    """On a thin pool that is the oracle, the sale of what was seized in wave 0 makes the next
    account liquidatable: wave 1, with that sale as its parent."""
    # arbitrage brings the outside fall into the pool, and is too slow to mend what a sale does
    slow = small.arbitrageur(latency_blocks=4)
    result = run(
        falling(
            small,
            keeper(small),
            slow,
            positions=((10.0, 7_800.0), (10.0, 7_000.0)),
            pool_base=100.0,
            feed=PoolSpotFeed(pool="pool"),
            blocks=24,
        ),
        1,
    )
    waves = [(row.wave, row.parent) for row in result.run.liquidations]
    first_sale = result.run.trades[0]
    assert first_sale.after == 1
    assert waves[0] == (0, 0)
    assert (1, first_sale.id) in waves


def test_a_fall_sends_them_away(small) -> None:
    """Who has left buys nothing and still sells what it holds."""
    # both are below 1 after a fall of 7%; another of 5 takes the keeper away
    prices = ((0, 1000.0), (3, 930.0), (5, 880.0))
    gone = Withdrawal("ETH", fall_bps=1000, absence_s=10**6)
    positions = ((10.0, 7_800.0), (20.0, 14_500.0))
    stays, leaves = (
        run(falling(small, each, prices=prices, positions=positions), 1)
        for each in (keeper(small), keeper(small, withdrawal=gone))
    )
    assert {row.account for row in stays.run.liquidations} == {0, 1}
    assert {(row.account, row.unsold) for row in leaves.run.liquidations} == {(0, 0)}


def test_an_order_that_waits_is_raised(small) -> None:
    """A bid of 10 that rises by 10 with every block meets 50 four blocks on; then the sale's."""
    rising = Bid(base_gwei=10, escalation_bps=10_000, max_gwei=50)
    space = {"background_bid_gwei": ((0, 50),)}
    result = run(falling(small, keeper(small, bid=rising), space=space, blocks=24), 1)
    (seized, sold) = (
        [row for row in result.run.transactions if row.action == action and row.place >= 0]
        for action in ("seize", "sell_inventory")
    )
    assert [(row.block - row.available, row.bid) for row in seized] == [(4, 50 * 10**9)] * 2
    assert [(row.block - row.available, row.bid) for row in sold] == [(4, 50 * 10**9)]
