"""The arbitrageur: how much it trades, and what becomes of it on chain."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.accounts import account
from harness.agents.arbitrageur import best_input
from harness.curves import PIPS, Hop
from harness.scenario import Bid, Outages

reserves = st.integers(10**6, 10**30)
fees = st.integers(0, 100_000)
cycles = st.lists(st.builds(Hop, reserves, reserves, fees), min_size=1, max_size=4)


def exact_profit(hops: list[Hop], amount: int) -> Fraction:
    """What a cycle earns where nothing is rounded."""
    out = Fraction(amount)
    for hop in hops:
        kept = out * (PIPS - hop.fee_pips) / PIPS
        out = kept * hop.reserve_out / (hop.reserve_in + kept)
    return out - amount


@given(cycles)
def test_the_best_input_beats_every_other(hops: list[Hop]) -> None:
    best = best_input(hops)
    top = exact_profit(hops, best)
    assert best >= 0
    assert top >= 0 or best == 0
    # the exact optimum is between best and best + 1, and profit is concave
    for other in {best // 2, best * 9 // 10, best - 1, best + 2, best + best // 10 + 2, 2 * best}:
        if other > 0:
            assert exact_profit(hops, other) <= max(top, exact_profit(hops, best + 1))


@given(cycles)
def test_no_input_where_no_cycle_pays(hops: list[Hop]) -> None:
    if exact_profit(hops, 1) <= 0 and best_input(hops) == 0:
        assert all(exact_profit(hops, amount) <= 0 for amount in (1, 10, 10**6, 10**12))


def test_brute_force_on_small_curves() -> None:
    hops = [Hop(40_000, 50_000, 1000), Hop(30_000, 27_000, 3000), Hop(90_000, 95_000, 1000)]
    every = [exact_profit(hops, amount) for amount in range(20_000)]
    assert abs(every.index(max(every)) - best_input(hops)) <= 1
    assert max(every) > 0


@pytest.fixture
def mispriced(small):
    """The outside price of ETH moves in block 1; the pool's does not until somebody trades."""

    def make(to: float, **changes):
        agent = changes.pop("agent", {})
        return small.scenario(
            **{
                "blocks": 8,
                "prices": ((0, 1000.0), (1, to)),
                "positions": ((1.0, 1.0),),
                "pool_base": 1_000.0,
                "agents": (small.arbitrageur(**agent),),
                **changes,
            }
        )

    return make


def pool_price(result, block: int = -1) -> float:
    base, quote = result.run.blocks[block].reserves["pool"]
    return quote / 10**6 / (base / 10**18)


@pytest.mark.parametrize("to", [900.0, 1100.0])
def test_without_fees_the_pool_meets_the_outside_price(small, mispriced, to) -> None:
    result = small.run(mispriced(to), 1)
    rows = [row for row in result.run.transactions if row.action == "arbitrage"]
    assert [(row.block, row.status) for row in rows] == [(2, "succeeded")]
    assert pool_price(result) == pytest.approx(to, rel=1e-6)


@pytest.mark.parametrize("to", [900.0, 1100.0])
def test_fees_leave_the_pool_at_the_edge_of_the_band(small, mispriced, to) -> None:
    """With a fee of 1% in the pool and .1% on both outside legs nobody gains from going on."""
    outside = {"fee_pips": 1000}
    result = small.run(
        mispriced(to, pool_fee_pips=10_000, external=outside, usdx_external=outside), 1
    )
    band = 0.99 * 0.999 * 0.999
    edge = to / band if to < 1000 else to * band
    # the fee stays in the pool: 1% of what was traded, which is 5% of the reserve
    assert pool_price(result) == pytest.approx(edge, rel=6e-4)


def test_a_gap_within_the_fees_is_left(small, mispriced) -> None:
    result = small.run(mispriced(992.0, pool_fee_pips=10_000), 1)
    assert not [row for row in result.run.transactions if row.action == "arbitrage"]


def test_it_earns_what_the_curves_promised(small, passes, mispriced) -> None:
    """Balance before and after, on chain, against the exact profit of the three hops."""
    history = passes(
        mispriced(
            880.0,
            pool_fee_pips=3000,
            external={"depth_2pct_usd": 2e5, "fee_pips": 1000},
            usdx_external={"depth_2pct_usd": 3e5, "fee_pips": 1000},
        )
    )
    view = history.view()
    owner = account("arbitrageur").address
    (before,) = view.balances("USD", [owner])
    trace = history.simulate()
    view._balances.clear()
    (after,) = view.balances("USD", [owner])
    rows = [row for row in trace.transactions if row.action == "arbitrage"]
    assert rows[0].status == "succeeded"

    # what anyone could have earned in the first trade, found by trying
    view.external["ETH"], view._fundamental["ETH"] = 880 * 10**8, 880 * 10**8
    hops = [
        view.external_hop("ETH", sell=False),
        view.pool_hop("pool", "ETH"),
        view.external_hop("USDX", sell=True),
    ]
    reverse = [
        view.external_hop("USDX", sell=False),
        view.pool_hop("pool", "USDX"),
        view.external_hop("ETH", sell=True),
    ]
    cheapest = max(exact_profit(hops, step * 10**8) for step in range(1, 3000))
    assert cheapest > max(exact_profit(reverse, step * 10**8) for step in range(1, 3000))
    first = exact_profit(hops, best_input(hops))
    assert first >= cheapest
    # later blocks pick up what rounding left; all of it is a few cents
    assert after - before == pytest.approx(float(first), abs=50_000)


def test_limited_cash_is_all_it_trades(small, passes, mispriced) -> None:
    history = passes(mispriced(900.0, agent={"capital_usd": 1_000.0}))
    trace = history.simulate()
    rows = [row for row in trace.transactions if row.action == "arbitrage"]
    # it trades with all it has, block after block, and has more each time
    assert [row.status for row in rows] == ["succeeded"] * 6
    reserves = [block.reserves["pool"][0] for block in trace.blocks]
    steps = [later - earlier for earlier, later in itertools.pairwise(reserves[1:])]
    assert steps[0] == pytest.approx(1_000 / 900 * 10**18, rel=1e-6)
    assert steps == sorted(steps)


def test_two_arbitrageurs_see_the_same_gap_and_one_of_them_fails(small, mispriced) -> None:
    result = small.run(
        mispriced(900.0, agent={"count": 2, "bid": Bid(base_gwei=1), "min_profit_usd": 5}), 1
    )
    rows = [row for row in result.run.transactions if row.action == "arbitrage"]
    second = [row for row in rows if row.block == 2]
    assert {row.status for row in second} == {"succeeded", "reverted"}
    loser = next(row for row in second if row.status == "reverted")
    assert loser.reason.startswith("Unprofitable")
    assert result.run.fees[loser.agent] == loser.gas * loser.bid > 0


def test_the_fee_and_the_least_profit_decide(small, mispriced) -> None:
    """The gap of 1% earns 25 USD; at 1,000 gwei the fee alone is more."""
    free = small.run(mispriced(990.0), 1)
    assert [row.status for row in free.run.transactions if row.action == "arbitrage"]
    dear = small.run(mispriced(990.0, agent={"bid": Bid(base_gwei=1_000)}), 1)
    assert not [row for row in dear.run.transactions if row.action == "arbitrage"]
    greedy = small.run(mispriced(990.0, agent={"min_profit_usd": 1_000}), 1)
    assert not [row for row in greedy.run.transactions if row.action == "arbitrage"]


def test_latency_and_outages(small, mispriced) -> None:
    slow = small.run(mispriced(900.0, agent={"latency_blocks": 2}), 1)
    rows = [row for row in slow.run.transactions if row.action == "arbitrage"]
    assert (rows[0].observed, rows[0].block) == (1, 4)
    # one at a time: nothing else is sent while it is on the way
    assert all(row.observed >= 4 for row in rows[1:])
    out = small.run(mispriced(900.0, agent={"outages": Outages(windows=((0, 40),))}), 1)
    rows = [row for row in out.run.transactions if row.action == "arbitrage"]
    assert (rows[0].observed, rows[0].block) == (4, 5)


def test_an_outside_market_that_runs_out_is_a_row_with_its_reason(small, mispriced) -> None:
    result = small.run(mispriced(500.0, external={"inventory_base_multiple": 0}), 1)
    rows = [row for row in result.run.transactions if row.action == "arbitrage"]
    assert {row.status for row in rows} == {"reverted"}
    assert all(row.reason.startswith("InsufficientInventory") for row in rows)


def test_a_waiting_order_bids_more_each_block_as_long_as_it_pays(small, mispriced) -> None:
    """12 gwei against a background of 15: a tenth of 12 more each block meets it after three."""
    scenario = mispriced(
        900.0,
        agent={"bid": Bid(base_gwei=12, escalation_bps=1000)},
        space={"background_bid_gwei": ((0, 15.0),), "expiry_blocks": 20},
    )
    result = small.run(scenario, 1)
    rows = [row for row in result.run.transactions if row.action == "arbitrage"]
    assert (rows[0].available, rows[0].block, rows[0].bid) == (2, 5, 15_600_000_000)

    # a gap worth 25 USD, of which one is the least profit: the fee of 77 gwei would be more
    poor = mispriced(
        990.0,
        blocks=14,
        agent={"bid": Bid(base_gwei=70, escalation_bps=1000)},
        space={"background_bid_gwei": ((0, 200.0),), "expiry_blocks": 20},
    )
    waiting = [row for row in small.run(poor, 1).run.transactions if row.action == "arbitrage"]
    assert [(row.status, row.bid) for row in waiting] == [("pending", 70 * 10**9)]
