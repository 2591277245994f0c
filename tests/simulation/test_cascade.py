"""Cascades on real contracts whose generations are known beforehand."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter

import pytest

from harness.cuts import TWIN
from harness.metrics.waves import classify, is_below
from harness.orders import DECLARED_GAS
from harness.run import _feed_terms, _terms
from harness.scenario import Bid, Outages, PoolSpotFeed, Response
from harness.trace import LiquidationRow, Trace

THRESHOLD, BONUS = 0.8, 0.1
SEIZED_PER_UNIT = THRESHOLD * (1 + BONUS)
"""k: what is seized of a unit of collateral when its whole debt is repaid at its own price."""
SHOCK = 0.004
"""Fall of log price from outside."""
HIT = 128
"""Positions that the shock alone makes liquidatable."""
STEP = SHOCK / HIT
BRANCHING = 0.5
DEPTH = 2 * SEIZED_PER_UNIT / STEP / BRANCHING
"""Base reserve x after the shock at which n = 2 k G / x is as wanted, with G = 1 / STEP."""


def ladder(length: float) -> list[tuple[float, float]]:
    """Positions of 1 ETH whose liquidation prices are uniform in log price, one each STEP below
    1000 USD; ``length`` in shocks."""
    prices = (1000 * math.exp(-(i + 0.5) * STEP) for i in range(int(HIT * length)))
    return [(1.0, round(price * THRESHOLD, 6)) for price in prices]


def expected_generations() -> list[int]:
    """The same cascade in floating point and without any of the code under test: generations of
    full closes at the running spot of a constant-product pool, one after the other."""
    levels = [1000 * math.exp(-(i + 0.5) * STEP) for i in range(int(HIT * 2.5))]
    base, quote = DEPTH, DEPTH * 1000 * math.exp(-SHOCK)
    generations, done = [], 0
    while True:
        below = [level for level in levels[done:] if level > quote / base]
        if not below:
            return generations
        for level in below:
            seized = level * THRESHOLD * (1 + BONUS) / (quote / base)
            quote -= seized * quote / (base + seized)
            base += seized
        generations.append(len(below))
        done += len(below)


def by_wave(trace: Trace) -> dict[int, list[LiquidationRow]]:
    waves: dict[int, list[LiquidationRow]] = {}
    for row in trace.liquidations:
        waves.setdefault(row.wave, []).append(row)
    return dict(sorted(waves.items()))


def check_parents(trace: Trace) -> None:
    """Every price-driven liquidation has a parent that came before it, one wave lower."""
    sold_by = {row.trade: row for row in trace.liquidations}
    for row in trace.liquidations:
        if row.cause == "price":
            parent = sold_by[row.parent]
            assert parent.wave + 1 == row.wave
            assert (parent.block, parent.place) < (row.block, row.place)
        else:
            assert (row.wave, row.parent) == (0, 0)


@pytest.fixture(scope="module")
def spot_ladder(small):
    """The ladder on a market that reads the pool's spot.

    How the shock gets into the pool: the outside price falls in block 1, and an arbitrageur that
    is out for good from then on brings the pool down to it in block 2. No fee anywhere, and an
    outside market that nothing moves, so the pool meets the outside price exactly; afterwards only
    forced trades move it. Shock and arbitrage are in the twin too.
    """

    def make(**space):
        return small.scenario(
            blocks=60 if space else 14,
            prices=((0, 1000.0), (1, 1000 * math.exp(-SHOCK))),
            positions=ladder(2.5),
            feed=PoolSpotFeed("pool"),
            pool_base=DEPTH * math.exp(-SHOCK / 2),
            agents=(
                small.arbitrageur(outages=Outages(windows=((20, small.NEVER),))),
                small.liquidator(),
            ),
            space=space,
            expect="liquidations",
        )

    return make


def test_generations_halve_at_branching_ratio_one_half(small, spot_ladder) -> None:
    result = small.run(spot_ladder(), 1)
    waves = by_wave(result.run)

    # Counts: a generation is the number of rungs in an interval of log price, so it is at most one
    # off from the interval's length over STEP, at either end. The intervals shrink by n (1 + O(S)):
    # the pool deepens by less than 2 S n < 1% while it all happens.
    counts = [len(rows) for rows in waves.values()]
    assert counts[0] == HIT
    for before, after in itertools.pairwise(counts):
        assert abs(after - BRANCHING * before) <= 1 + 0.01 * before
    assert all(
        abs(count - expected) <= 1
        for count, expected in zip(counts, expected_generations(), strict=False)
    )
    assert abs(sum(counts) - HIT / (1 - BRANCHING)) <= 3

    # Value: a rung's debt falls with its price, by less than 1% over the ladder.
    values = [sum(row.repaid_usd for row in rows) for rows in waves.values()]
    rung = values[0] / counts[0]
    for before, after in itertools.pairwise(values):
        assert abs(after - BRANCHING * before) <= 1.01 * rung + 0.02 * before

    cascade = result.summary["cascade"]
    assert cascade["branching_ratio"] == pytest.approx(BRANCHING, rel=0.01)
    assert cascade["amplification"] == pytest.approx(1 / (1 - BRANCHING), rel=0.01)
    assert cascade["endogenous_share"] == pytest.approx(BRANCHING, rel=0.01)
    assert [entry["count"] for entry in cascade["waves"]] == counts
    check_parents(result.run)
    assert len(result.twin.liquidations) == HIT


def test_generations_do_not_depend_on_how_many_fit_into_a_block(small, spot_ladder) -> None:
    # seven liquidations a block: generations overlap, and blocks hold several of them
    result = small.run(spot_ladder(gas_limit=7 * DECLARED_GAS["liquidate"], expiry_blocks=100), 1)
    waves = by_wave(result.run)
    blocks = Counter(row.block for row in result.run.liquidations)
    assert max(blocks.values()) == 7
    assert any(
        len({row.wave for row in result.run.liquidations if row.block == block}) > 1
        for block in blocks
    )

    counts = [len(rows) for rows in waves.values()]
    assert counts[0] == HIT
    assert abs(sum(counts) - HIT / (1 - BRANCHING)) <= 3
    # a generation's trades now lie scattered, each half a rung long: what they hold varies
    for before, after in itertools.pairwise(counts):
        assert abs(after - BRANCHING * before) <= 1 + 0.5 * math.sqrt(before)
    check_parents(result.run)


POOL_SHARE = 0.1
"""Of the depth, what the pool has where arbitrage carries impact outside."""


@pytest.mark.parametrize("in_a_block", [None, 7])
def test_generations_halve_where_arbitrage_carries_sales_outside(small, in_a_block) -> None:
    """A feed that follows the outside market, with unlimited arbitrage and no recovery: pool and
    outside market are one curve of their depths together, so n is as before.

    The fall comes in block 1 outside only, and the arbitrage of block 2 spreads it over both; the
    keeper is out until it has, so that all feeds show is the fall that stays, SHOCK.
    """
    outside = DEPTH * (1 - POOL_SHARE)
    fall = SHOCK / (1 - POOL_SHARE)
    result = small.run(
        small.scenario(
            blocks=40 if in_a_block is None else 80,
            prices=((0, 1000.0), (1, 1000 * math.exp(-fall))),
            positions=ladder(2.5),
            pool_base=DEPTH * POOL_SHARE,
            external={"depth_2pct_usd": outside * 1000 * (0.98**-0.5 - 1)},
            usdx_external={"depth_2pct_usd": 1e14},
            feed=small.feed(outages=Outages(windows=((0, 20),))),
            agents=(
                small.arbitrageur(min_profit_usd=0.01, bid=Bid(base_gwei=1)),
                small.liquidator(),
            ),
            space={
                "gas_limit": DECLARED_GAS["arbitrage"] + in_a_block * DECLARED_GAS["liquidate"],
                "expiry_blocks": 100,
            }
            if in_a_block
            else None,
            expect="liquidations",
        ),
        1,
    )
    waves = by_wave(result.run)
    counts = [len(rows) for rows in waves.values()]
    # the shock is spread over both curves to first order in it: one rung in a hundred
    assert abs(counts[0] - HIT) <= 2
    assert abs(sum(counts) - HIT / (1 - BRANCHING)) <= 6
    for before, after in itertools.pairwise(counts):
        scattered = 0.5 * math.sqrt(before) if in_a_block else 0.0
        assert abs(after - BRANCHING * before) <= 2 + 0.02 * before + scattered
    assert result.summary["cascade"]["branching_ratio"] == pytest.approx(BRANCHING, rel=0.06)
    check_parents(result.run)


# --- nothing but the outside price ---------------------------------------------------------------


def test_a_straight_fall_without_feedback_is_wave_0_and_amplification_1(small) -> None:
    # 40% in 30 blocks; the feed follows an outside price that no sale reaches
    rungs = [(1.0, round(1000 * math.exp(-0.013 * i) * THRESHOLD * 0.999, 2)) for i in range(40)]
    result = small.run(
        small.scenario(
            blocks=34,
            prices=[(i, 1000 * math.exp(-0.017 * i)) for i in range(30)],
            positions=rungs,
            pool_base=1e6,
            agents=(small.liquidator(),),
            # the pool keeps the old price, at which more is paid for what is seized
            market={"close_factor_bps": 5000},
            expect="liquidations",
        ),
        1,
    )
    assert len(result.run.liquidations) > 60
    assert {(row.wave, row.cause) for row in result.run.liquidations} == {(0, "exogenous")}
    cascade = result.summary["cascade"]
    assert cascade["amplification"] == 1.0
    assert cascade["endogenous_share"] == 0.0
    assert cascade["branching_ratio"] == 0.0
    assert cascade["max_wave"] == 0


def test_cut_trades_make_no_waves(small, spot_ladder, passes) -> None:
    """The ladder that cascades at one half, with forced trades filled by the sink."""
    scenario = spot_ladder()
    first, second = (passes(scenario).simulate(TWIN) for _ in range(2))
    world = passes(scenario).world
    classify(first, second, _terms(scenario, world), _feed_terms(scenario, world))
    assert len(first.liquidations) == HIT
    assert {(row.wave, row.cause) for row in first.liquidations} == {(0, "exogenous")}


# --- what comes again, and what comes by itself --------------------------------------------------


def test_a_toxic_account_is_liquidated_again_and_again_in_its_own_wave(small) -> None:
    """Threshold x (1 + bonus) above 1: every partial liquidation lowers the health factor. The
    first account falls by the outside price, the second by the first one's sale."""
    result = small.run(
        small.scenario(
            blocks=16,
            prices=((0, 1000.0), (1, 995.0)),
            positions=((400.0, 400 * 0.95 * 996.0), (1.0, 0.95 * 993.0)),
            feed=PoolSpotFeed("pool"),
            pool_base=100_000,
            eth={
                "ltv_bps": 9500,
                "liquidation_threshold_bps": 9500,
                "liquidation_bonus_bps": 800,
            },
            market={"close_factor_bps": 5000},
            agents=(
                small.arbitrageur(outages=Outages(windows=((20, small.NEVER),))),
                small.liquidator(),
            ),
            expect="liquidations",
        ),
        1,
    )
    whale, small_one = (
        [row for row in result.run.liquidations if row.account == account] for account in (0, 1)
    )
    assert len(whale) > 3
    assert len(small_one) > 3
    factors = [row.health_factor for row in small_one]
    assert factors == sorted(factors, reverse=True)
    assert {row.wave for row in whale} == {0}
    assert {row.wave for row in small_one} == {1}
    assert small_one[0].cause == "price"
    assert "repeat" in {row.cause for row in small_one}
    assert {row.parent for row in small_one} == {whale[0].trade}


def test_an_account_that_interest_alone_brings_down_has_cause_other(small) -> None:
    result = small.run(
        small.scenario(
            blocks=40,
            seconds=3600,
            positions=((1.0, 799.95), (1.0, 500.0)),
            debt={"base_rate": 0.1},
            agents=(small.liquidator(),),
            expect="liquidations",
        ),
        1,
    )
    assert [row.account for row in result.run.liquidations] == [0]
    row = result.run.liquidations[0]
    # 0.05 / 800 of interest at 10% a year takes 5.5 hours
    assert row.unhealthy_since == 6
    assert (row.wave, row.cause, row.parent) == (0, "other", 0)
    assert result.summary["cascade"]["amplification"] == 1.0


# --- whatever happens ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("feed", ["outside", "spot"])
def test_waves_of_a_busy_market_are_consistent(small, seed, feed) -> None:
    """Random falls with interest, partial and toxic closes, sales of called accounts, arbitrage and
    late keepers: who is wave 0 was below 1 at a price of the twin, who is not was not, and every
    parent is a trade that the feed had seen."""
    draw = random.Random(seed)
    price, prices = 1000.0, [(0, 1000.0)]
    for block in range(1, 50):
        price *= math.exp(draw.choice([0.0, 0.0, -0.004, 0.003, -0.03]))
        prices.append((block, round(price, 4)))
    positions = [
        (size, round(size * 850 / draw.choice([1.01, 1.05, 1.1, 1.3, 1.6]), 3))
        for size in (round(math.exp(draw.gauss(1, 1.5)), 6) for _ in range(40))
    ]
    scenario = small.scenario(
        blocks=50,
        seconds=60,
        prices=prices,
        positions=positions,
        pool_base=800.0,
        pool_fee_pips=3000,
        external={"depth_2pct_usd": 3e4, "half_life_s": 600, "fee_pips": 1000},
        feed=PoolSpotFeed("pool")
        if feed == "spot"
        else small.feed(deviation_bps=20, latency_blocks=seed % 3),
        eth={
            "ltv_bps": 8500,
            "liquidation_threshold_bps": 8500,
            "liquidation_bonus_bps": 1900 if seed == 4 else 500,
        },
        debt={"base_rate": 0.5},
        market={"close_factor_bps": 5000, "full_close_health_factor": 0.9},
        response=Response(
            deleverage_bps=3000, call_health_factor=1.02, target_health_factor=1.1, bid=small.FREE
        ),
        agents=(small.arbitrageur(), small.liquidator(count=2, max_transactions=4)),
        expect="liquidations",
    )
    result = small.run(scenario, seed)
    run, twin = result.run, result.twin
    terms = _terms(scenario, result.world)["market"]
    by_id = {trade.id: trade for trade in run.trades}
    liquidation_of = {row.trade: row for row in run.liquidations}
    firsts: dict[int, LiquidationRow] = {}
    for row in run.liquidations:
        below = [
            is_below(terms, row.position, [block.feeds[symbol].price for symbol in terms.assets])
            for block in twin.blocks[row.unhealthy_since : row.block + 1]
        ]
        if row.cause in ("exogenous", "other"):
            assert row.wave == row.parent == 0
            assert any(below) or row.cause == "other"
        elif row.cause == "price":
            assert not any(below)
            parent = by_id[row.parent]
            assert parent.id <= max(seen for givers in row.feed_trades for _, seen in givers)
            assert (parent.block, parent.place) < (row.block, row.place)
            if parent.id in liquidation_of:
                assert row.wave == liquidation_of[parent.id].wave + 1
            assert row.wave >= 1
        else:
            assert row.cause == "repeat"
            assert (row.wave, row.parent) == (
                firsts[row.account].wave,
                firsts[row.account].parent,
            )
        first = firsts.get(row.account)
        if first is None or first.block < row.unhealthy_since:
            firsts[row.account] = row
    causes = Counter(row.cause for row in run.liquidations)
    assert causes["exogenous"]
    assert causes["price"]
    assert sum(entry["count"] for entry in result.summary["cascade"]["waves"]) == len(
        run.liquidations
    )


def test_a_round_has_seen_the_trades_of_the_block_it_reports(small) -> None:
    """Two blocks late: a report shows the trades that were there when the keeper looked."""
    result = small.run(
        small.scenario(
            blocks=24,
            prices=[(block, 1000 - 12.0 * block) for block in range(24)],
            positions=[(1.0, 790.0 - 11.0 * i) for i in range(22)],
            pool_base=2_000.0,
            feed=small.feed(latency_blocks=2),
            agents=(small.liquidator(),),
            expect="liquidations",
        ),
        1,
    )
    seen = 0
    for block in result.run.blocks:
        for row in result.run.transactions:
            if (row.action, row.key, row.block) == ("transmit", "ETH", block.index):
                seen = sum(trade.block <= row.observed for trade in result.run.trades)
        assert block.feeds["ETH"].seen_trade == seen
    assert seen > 3
    assert seen < len(result.run.trades)
