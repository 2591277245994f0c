"""The liquidator: what it takes on, how much of it, and what losing costs."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.accounts import account
from harness.curves import PIPS, Hop
from harness.engine.base import Transaction
from harness.orders import DECLARED_GAS
from harness.scenario import Bid, Outages, PositionRow

WAD = 10**18
USDX = 10**6


def rows_of(result, agent: str = "liquidator"):
    return [row for row in result.run.transactions if row.agent == agent]


# --- how much ----------------------------------------------------------------------------------


def exact_gain(hop: Hop, seized: int, repaid: int, sale: int) -> Fraction:
    """Proceeds of a sale less what its seizure costs, where nothing is rounded."""
    kept = Fraction(sale * (PIPS - hop.fee_pips), PIPS)
    return kept * hop.reserve_out / (hop.reserve_in + kept) - Fraction(sale * repaid, seized)


@given(
    st.builds(Hop, st.integers(10**9, 10**27), st.integers(10**9, 10**27), st.integers(0, 100_000)),
    st.integers(10**6, 10**24),
    st.integers(10**6, 10**24),
)
def test_the_best_sale_beats_every_other(hop: Hop, seized: int, repaid: int) -> None:
    best = hop.best_sale(seized, repaid)
    assert best >= 0
    # the root is cut to an integer of the reserve's unit: the optimum is within a few units
    near = max(exact_gain(hop, seized, repaid, best + step) for step in range(3))
    for other in {best // 2, best * 99 // 100, best + best // 100 + 3, 2 * best + 3}:
        assert exact_gain(hop, seized, repaid, other) <= max(near, 0)


def test_brute_force_on_a_small_curve() -> None:
    hop, seized, repaid = Hop(100_000, 110_000, 3000), 5_000, 4_900
    every = [exact_gain(hop, seized, repaid, sale) for sale in range(20_000)]
    assert abs(every.index(max(every)) - hop.best_sale(seized, repaid)) <= 1
    assert max(every) > 0


@pytest.fixture
def whale(small):
    """One position far larger than the pool can take at a profit."""

    def make(**changes):
        return small.scenario(
            **{
                "blocks": 4,
                "prices": ((0, 1000.0), (1, 950.0)),
                "positions": ((100.0, 79_000.0),),
                "pool_base": 500.0,
                "pool_fee_pips": 3000,
                "agents": (small.liquidator(),),
                "expect": "liquidations",
                **changes,
            }
        )

    return make


def repayment(world, order) -> int:
    """What an order asks to repay."""
    codec = world.liquidation_executor.artifact.functions["liquidate"]
    return codec.decode_input(order.transaction.data)[-2]


def test_no_other_repayment_earns_more_on_chain(whale, passes) -> None:
    """The chosen repayment against forty others, each executed on the same snapshot."""
    history = passes(whale(blocks=3))
    history.simulate()
    world = history.world
    owner = account("liquidator").address
    before = history.balance("USDX", owner)
    (order,) = history.agents()[0].act(history.view(2))
    chosen = repayment(world, order)

    def profit(repay: int) -> int:
        token = history.engine.snapshot()
        data = world.liquidation_executor.encode(
            "liquidate",
            world.venues["market"].market.address,
            world.venues["market"].accounts[0],
            world.tokens["ETH"].address,
            world.tokens["USDX"].address,
            repay,
            0,
        )
        history.execute(Transaction(owner, world.liquidation_executor.address, data))
        earned = history.balance("USDX", owner) - before
        history.engine.revert(token)
        return earned

    best = profit(chosen)
    others = [profit(chosen * share // 20) for share in range(1, 41) if share != 20]
    others += [profit(chosen * share // 1000) for share in (990, 999, 1001, 1010)]
    assert 0 < max(others) <= best + 1
    assert 0 < chosen < 79_000 * USDX


def test_what_is_left_below_the_dust_rule_is_taken_or_left(whale, small) -> None:
    """The most profitable repayment would leave less than the least leftover; what is repaid
    leaves exactly enough, or all is closed: nothing reverts for dust."""
    for debt in (12_000.0, 14_000.0, 16_000.0, 20_000.0):
        result = small.run(
            whale(
                blocks=6,
                positions=((debt / 790, debt),),
                market={"min_leftover_usd": 6_000.0},
                pool_base=200.0,
            ),
            1,
        )
        assert {row.status for row in rows_of(result)} <= {"succeeded"}
        assert rows_of(result)


# --- with what, and whether it pays --------------------------------------------------------------


@pytest.fixture
def two_accounts(small):
    """Two accounts fall below 1 in block 2; the pool is deep. The larger owes 7,900, the smaller
    3,950; closing either in full earns about a tenth of that."""

    def make(**changes):
        agent = changes.pop("agent", {})
        return small.scenario(
            **{
                "blocks": 8,
                "prices": ((0, 1000.0), (1, 980.0)),
                "positions": ((10.0, 7_900.0), (5.0, 3_950.0)),
                "pool_base": 1e6,
                "agents": (small.liquidator(**agent),),
                "expect": "liquidations",
                **changes,
            }
        )

    return make


def test_with_enough_of_everything_both_are_closed_at_once(small, two_accounts) -> None:
    result = small.run(two_accounts(), 1)
    closed = sorted((row.block, row.account, row.repaid) for row in result.run.liquidations)
    assert closed == [(3, 0, 7_900 * USDX), (3, 1, 3_950 * USDX)]
    assert {row.observed for row in rows_of(result)} == {2}


def test_capital_limits_what_is_repaid(small, two_accounts) -> None:
    result = small.run(
        two_accounts(agent={"capital": (("USDX", 1_000.0),), "max_transactions": 1}), 1
    )
    first = result.run.liquidations[0]
    assert (first.account, first.repaid) == (0, 1_000 * USDX)
    # profits are capital for the next
    second = result.run.liquidations[1]
    assert second.repaid == 1_000 * USDX + first.proceeds - first.repaid


def test_orders_in_flight_never_promise_more_than_there_is(small, two_accounts) -> None:
    """With capital for the larger account and a little more, the smaller gets the little more."""
    result = small.run(two_accounts(agent={"capital": (("USDX", 8_000.0),)}), 1)
    together = {row.account: row.repaid for row in result.run.liquidations if row.block == 3}
    assert together == {0: 7_900 * USDX, 1: 100 * USDX}
    assert {row.status for row in rows_of(result)} == {"succeeded"}


def test_raising_a_bid_does_not_release_what_the_order_will_spend(two_accounts, passes) -> None:
    """The larger account's order waits. Now somebody else closes most of that account: the order
    still says what it said, and it is pulled before anything is repaid."""
    history = passes(two_accounts(blocks=3, agent={"capital": (("USDX", 7_000.0),)}))
    history.simulate()
    (agent,) = history.agents()
    view = history.view(2)
    (waiting,) = agent.act(view)
    assert (waiting.key, repayment(history.world, waiting)) == ("0", 7_000 * USDX)

    view.mempool = {(waiting.agent, waiting.key): waiting}
    quotes = view.venues["market"]._quotes
    quotes[0] = quotes[0]._replace(
        max_repay=quotes[0].max_repay * 6 // 10, seized=quotes[0].seized * 6 // 10
    )
    for _ in range(2):
        assert {order.key for order in agent.act(view)} <= {"0"}


def test_at_most_so_many_in_flight(small, two_accounts) -> None:
    result = small.run(two_accounts(agent={"max_transactions": 1, "latency_blocks": 2}), 1)
    # the second is sent when the first is done
    assert [(row.observed, row.available, row.key) for row in rows_of(result)] == [
        (2, 5, "0"),
        (5, 8, "1"),
    ]
    assert [row.status for row in rows_of(result)] == ["succeeded", "pending"]


def test_the_least_profit_is_kept(small, two_accounts) -> None:
    """Closing earns 10% of 7,900 and 3,950, at a pool 2% above the feed: 979.6 and 489.8 USD."""
    result = small.run(two_accounts(agent={"min_profit_usd": 700.0}), 1)
    assert [row.account for row in result.run.liquidations] == [0]
    result = small.run(two_accounts(agent={"min_profit_usd": 1_000.0}, expect="quiet"), 1)
    assert not rows_of(result)


def test_the_fee_counts_against_the_profit(small, two_accounts) -> None:
    # the fee in USD at a bid of b gwei is b x 1e-9 x gas x 980
    def fee_gwei(usd: float) -> float:
        return usd / 980 / DECLARED_GAS["liquidate"] * 1e9

    def closed(bid: float) -> list[int]:
        result = small.run(
            two_accounts(agent={"bid": Bid(base_gwei=bid, max_gwei=1e6)}, expect="quiet"), 1
        )
        return sorted({row.account for row in result.run.liquidations})

    assert closed(fee_gwei(450)) == [0, 1]
    assert closed(fee_gwei(700)) == [0]
    assert closed(fee_gwei(1_100)) == []


def test_bids_follow_the_background_and_rise_with_the_wait(small, two_accounts) -> None:
    """Half of the background bid of 120, and a tenth of that more for every block waited, so that
    120 is met ten blocks after the first that could have had the order."""
    result = small.run(
        two_accounts(
            blocks=16,
            agent={
                "bid": Bid(base_gwei=10, follow_bps=5_000, escalation_bps=1_000, max_gwei=200),
                "max_transactions": 1,
            },
            space={"background_bid_gwei": ((0, 5), (20, 120))},
        ),
        1,
    )
    first = rows_of(result)[0]
    assert (first.observed, first.available) == (2, 3)
    assert (first.block, first.bid) == (13, 120 * 10**9)


def test_latency_and_outages(small, two_accounts) -> None:
    slow = small.run(two_accounts(agent={"latency_blocks": 3}), 1)
    assert {(row.observed, row.block) for row in rows_of(slow)} == {(2, 6)}
    out = small.run(two_accounts(agent={"outages": Outages(windows=((0, 50),))}), 1)
    assert {(row.observed, row.block) for row in rows_of(out)} == {(5, 6)}


# --- against others ------------------------------------------------------------------------------


def test_the_loser_reverts_and_pays_all_the_same(small, passes) -> None:
    scenario = small.scenario(
        blocks=6,
        prices=((0, 1000.0), (1, 980.0)),
        positions=((10.0, 7_900.0),),
        pool_base=1e6,
        agents=(
            small.liquidator(name="slow", bid=Bid(base_gwei=20), fee_deposit=1.0),
            small.liquidator(name="fast", bid=Bid(base_gwei=30), fee_deposit=1.0),
        ),
        expect="liquidations",
    )
    history = passes(scenario)
    trace = history.simulate()
    rows = {row.agent: row for row in trace.transactions if row.action == "liquidate"}
    assert len([row for row in trace.transactions if row.action == "liquidate"]) == 2
    assert (rows["fast"].status, rows["slow"].status) == ("succeeded", "reverted")
    assert rows["fast"].place < rows["slow"].place
    assert rows["slow"].reason.startswith("Healthy")
    gas = DECLARED_GAS["liquidate"]
    assert trace.fees == {"fast": 30 * 10**9 * gas, "slow": 20 * 10**9 * gas}
    for name, fee in trace.fees.items():
        left = history.world.fee_ledger.read(history.engine, "balanceOf", account(name).address)
        assert left == 10**18 - fee


def test_equal_bids_win_about_as_often(small) -> None:
    def winner(seed: int) -> str:
        result = small.run(
            small.scenario(
                blocks=4,
                prices=((0, 1000.0), (1, 980.0)),
                positions=((10.0, 7_900.0),),
                pool_base=1e6,
                agents=(small.liquidator(count=2),),
                expect="liquidations",
            ),
            seed,
        )
        return result.run.liquidations[0].liquidator

    won = [winner(seed) for seed in range(24)]
    assert 4 <= won.count("liquidator-0") <= 20
    assert set(won) == {"liquidator-0", "liquidator-1"}


def test_who_cannot_pay_the_fee_never_enters(small, two_accounts) -> None:
    result = small.run(
        two_accounts(
            agent={"bid": Bid(base_gwei=10), "fee_deposit": 0.001},
            space={"expiry_blocks": 2},
            expect="quiet",
        ),
        1,
    )
    assert not result.run.liquidations
    assert {(row.status, row.reason) for row in rows_of(result)} <= {
        ("expired", "fee balance too small"),
        ("pending", "fee balance too small"),
    }
    assert rows_of(result)


# --- what cannot be liquidated -------------------------------------------------------------------


def test_accounts_that_nothing_can_be_done_about_do_not_hide_the_others(small) -> None:
    """Nine accounts larger than the last one owe an asset for which there is no pool."""
    stuck = PositionRow((("ETH", 10.0),), (("GOLD", 4.0),))
    other = PositionRow((("ETH", 1.0),), (("USDX", 790.0),))
    scenario = small.scenario(
        prices=((0, 1000.0), (1, 980.0)),
        positions=(*[stuck] * 9, other),
        gold_usd=1990.0,
        pool_base=1e6,
        agents=(small.liquidator(capital=(("USDX", 1e6), ("GOLD", 1e6)), max_transactions=1),),
        expect="liquidations",
    )
    result = small.run(scenario, 1)
    assert [row.account for row in result.run.liquidations] == [9]
    assert result.run.blocks[-1].venues["market"].unhealthy == 9
