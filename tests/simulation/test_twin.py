"""The twin: the same world, in which forced trades move nothing."""

from __future__ import annotations

import pytest

from harness.scenario import Bid, Outages, Response


@pytest.fixture
def falling(small):
    """A fall that liquidates, on a market that reads the outside price; no arbitrage."""

    def make(**changes):
        return small.scenario(
            **{
                "blocks": 10,
                "prices": ((0, 1000.0), (1, 960.0), (4, 900.0)),
                "positions": ((10.0, 7_800.0), (50.0, 37_000.0), (1.0, 400.0)),
                "pool_base": 5_000.0,
                "pool_fee_pips": 3000,
                "market": {"close_factor_bps": 5000},
                "agents": (small.liquidator(),),
                "expect": "liquidations",
                **changes,
            }
        )

    return make


def test_run_and_twin_are_one_history_while_nothing_is_forced(small) -> None:
    """Prices move, feeds report, arbitrage trades and called accounts add cash: every block digest
    and the final one are equal, although the switch is thrown in one of the two."""
    result = small.run(
        small.scenario(
            blocks=12,
            prices=((0, 1000.0), (1, 950.0), (5, 930.0), (8, 990.0)),
            usdx=((0, 1.0), (6, 1.01)),
            positions=((10.0, 7_000.0), (50.0, 30_000.0)),
            response=Response(top_up_bps=10_000, call_health_factor=1.1, cash_bps=3000),
            debt={"base_rate": 0.05},
            external={"depth_2pct_usd": 1e6, "half_life_s": 60},
            pool_base=1_000.0,
            pool_fee_pips=3000,
            agents=(small.arbitrageur(), small.liquidator()),
        ),
        1,
    )
    actions = {row.action for row in result.run.transactions if row.status == "succeeded"}
    assert {"arbitrage", "top_up", "transmit", "publish"} <= actions
    assert not result.run.trades
    assert [block.digest for block in result.run.blocks] == [
        block.digest for block in result.twin.blocks
    ]
    assert result.run.digest == result.twin.digest
    assert result.run.closing == result.twin.closing


def test_run_and_twin_part_at_the_first_forced_trade(small, falling) -> None:
    result = small.run(falling(), 1)
    first = result.run.trades[0].block
    equal = [
        one.digest == other.digest
        for one, other in zip(result.run.blocks, result.twin.blocks, strict=True)
    ]
    assert equal == [index < first for index in range(len(equal))]


def test_liquidations_leave_the_pool_alone_in_the_twin(small, falling) -> None:
    result = small.run(falling(), 1)
    assert result.twin.trades
    assert len({block.reserves["pool"] for block in result.twin.blocks}) == 1
    assert len({block.reserves["pool"] for block in result.run.blocks}) > 1


def test_the_twin_fills_at_the_marginal_quote_net_of_the_fee(small, falling) -> None:
    result = small.run(falling(), 1)
    for trade in result.twin.trades:
        base, quote = result.twin.blocks[trade.block - 1].reserves["pool"]
        assert trade.amount_out == trade.amount_in * 997_000 * quote // (base * 1_000_000)
        assert trade.spot_before == trade.spot_after == quote * 10**36 // base
    # and the run at the pool's price, which is worse by the impact
    first, same = result.run.trades[0], result.twin.trades[0]
    assert first.amount_in == same.amount_in
    base, quote = result.run.blocks[0].reserves["pool"]
    kept = first.amount_in * 997_000
    assert first.amount_out == kept * quote // (base * 1_000_000 + kept) < same.amount_out


def test_the_twin_sells_what_no_pool_could_take(small) -> None:
    """A position a hundred times the pool: the run closes what pays, the twin all of it."""
    result = small.run(
        small.scenario(
            prices=((0, 1000.0), (1, 950.0)),
            positions=((1_000.0, 790_000.0),),
            pool_base=10.0,
            agents=(small.liquidator(),),
            expect="liquidations",
        ),
        1,
    )
    assert [row.repaid for row in result.twin.liquidations] == [790_000 * 10**6]
    assert sum(row.repaid for row in result.run.liquidations) < 5_000 * 10**6
    assert result.summary["cascade"]["amplification"] < 0.01


def test_agents_draw_the_same_in_run_and_twin(small, falling) -> None:
    """Outages and priorities are keyed by what they are for, not by how often anyone drew."""
    scenario = falling(
        agents=(
            small.liquidator(
                count=3, outages=Outages(chance_bps=3000, duration_blocks=2), bid=Bid(base_gwei=2)
            ),
        ),
    )
    result = small.run(scenario, 3)

    def first_senders(trace):
        return [row.agent for row in trace.transactions if row.action == "liquidate"][:3]

    assert first_senders(result.run) == first_senders(result.twin)


def test_the_snapshot_is_the_same_for_both(small, falling) -> None:
    result = small.run(falling(), 1)
    assert result.run.opening == result.twin.opening
    assert result.run.blocks[0].digest == result.twin.blocks[0].digest
