"""Feeds that scenarios compose: averages, medians, bounds, caps, and feeds that are stuck."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest

from harness.errors import ScenarioError
from harness.feeds import FeedRig
from harness.scenario import (
    BoundedFeed,
    CappedFeed,
    MedianFeed,
    Outages,
    PoolSpotFeed,
    PoolTwapFeed,
    ProductFeed,
    PushFeed,
    StuckFeed,
    checked,
    dump_scenario,
    parse_scenario,
)
from harness.testing.oracle_invariants import ORACLE_INVARIANTS

WAD = 10**18
USD = 10**8
TWAP = PoolTwapFeed("pool", window_s=60, granularity=3)


def composed(push: PushFeed) -> BoundedFeed:
    """The middle of a report, a spot and an average, within 1% of the report."""
    middle = MedianFeed(sources=("average", "report", "spot"), quorum=2, source_max_age_s=1000)
    within = (
        ("average", TWAP),
        ("middle", middle),
        ("report", push),
        ("spot", PoolSpotFeed("pool")),
    )
    return BoundedFeed("middle", "report", 100, within=within)


def falling(small, feed, **changes):
    """A fall with arbitrage and liquidations on a pool of some depth."""
    return small.scenario(
        **{
            "blocks": 30,
            "prices": [(block, 1000 - 8.0 * block) for block in range(25)],
            "positions": [(1.0, 790.0 - 9.0 * i) for i in range(20)],
            "external": {"depth_2pct_usd": 20_000.0, "half_life_s": 60},
            "pool_base": 40.0,
            "feed": feed,
            "agents": (small.arbitrageur(), small.liquidator(count=2, max_transactions=3)),
            "expect": "liquidations",
            **changes,
        }
    )


@pytest.fixture(scope="module")
def averaged(small):
    return small.run(falling(small, TWAP), 1)


@pytest.fixture(scope="module")
def middled(small):
    return small.run(falling(small, composed(small.feed(latency_blocks=2))), 1)


def feed_of(result, name="ETH"):
    return [block.feeds[name].price for block in result.run.blocks]


# --- an average -----------------------------------------------------------------


def test_an_average_is_the_mean_of_the_pools_prices_over_the_time_each_stood(averaged) -> None:
    """In fractions, from the reserves after each block and the times of successful observations;
    the pool's own sums have no part in it."""
    blocks = averaged.run.blocks
    pokes = [row for row in averaged.run.transactions if row.action == "poke"]
    assert {row.status for row in pokes} == {"succeeded"}
    observed = [blocks[row.block].timestamp for row in pokes]
    start = blocks[0].timestamp

    def price(block) -> Fraction:
        base, quote = block.reserves["pool"]
        return Fraction(quote * WAD, base * 10**6)

    checked_answers = 0
    for block in blocks:
        old = [at for at in observed if start <= at <= block.timestamp - TWAP.window_s]
        if not old:
            continue
        since = old[-1]
        total = sum(
            price(before) * (after.timestamp - before.timestamp)
            for before, after in pairwise(blocks)
            if since <= before.timestamp and after.timestamp <= block.timestamp
        )
        expected = total / (block.timestamp - since) * block.feeds["USDX"].price / WAD * USD
        answer = block.feeds["ETH"].price * USD // WAD
        # the pool's UQ112 prices and the answer are cut off: less than one unit of 1e-8
        assert expected - 1 < answer <= expected, block.index
        checked_answers += 1
    assert checked_answers > 20
    assert len(set(feed_of(averaged))) > 20
    assert averaged.summary["checks"]["invariants"]["ORA-1"]


def test_an_average_answers_from_the_first_block_at_the_start_price(averaged) -> None:
    # less what the pool's UQ112 price is cut off by
    assert feed_of(averaged)[0] == 1000 * WAD - WAD // USD


def test_an_average_has_seen_the_trades_of_earlier_blocks_only(averaged) -> None:
    trades = averaged.run.trades
    assert trades
    for block in averaged.run.blocks:
        before = sum(trade.block < block.index for trade in trades)
        assert block.feeds["ETH"].seen_trade == before
    caused = [row for row in averaged.run.liquidations if row.cause == "price"]
    assert caused
    blocks_of = {trade.id: trade.block for trade in trades}
    assert all(blocks_of[row.parent] < row.block for row in caused)


def test_an_average_that_nobody_writes_down_is_refused_and_comes_back(small) -> None:
    feed = PoolTwapFeed("pool", window_s=60, granularity=3, outages=Outages(windows=((40, 200),)))
    result = small.run(falling(small, feed, blocks=40), 1)
    refused = [i for i, price in enumerate(feed_of(result)) if price == 0]
    # the last observation is of 40 s at most: beyond two windows, 160 s, none is young enough
    assert refused
    assert 13 <= refused[0] <= 17
    assert feed_of(result)[-1] > 0
    assert all(row.block not in refused for row in result.run.liquidations)
    assert result.summary["checks"]["invariants"]["ORA-1"]


# --- composition -----------------------------------------------------------------


def test_a_composed_feed_answers_with_the_middle_within_the_bounds(middled) -> None:
    bound = inside = 0
    for block in middled.run.blocks:
        names = ("ETH.average", "ETH.report", "ETH.spot")
        average, report, spot = (block.feeds[name].price for name in names)
        middle = sorted((average, report, spot))[1]
        low, high = report * 99 // 100, report * 101 // 100
        expected = min(max(middle, low), high)
        assert abs(block.feeds["ETH"].price - expected) <= 2 * WAD // USD
        bound += middle != expected
        inside += middle == expected
    assert bound
    assert inside
    held = middled.summary["checks"]["invariants"]
    assert held["ORA-1"]
    assert held["ORA-2"]
    assert held["ORA-3"]


def test_a_liquidation_names_the_sources_that_made_its_price(middled) -> None:
    givers = {name for row in middled.run.liquidations for name, _ in row.feed_trades[0]}
    assert givers == {"ETH.average", "ETH.report", "ETH.spot"} & givers
    assert len(givers) >= 2
    for row in middled.run.liquidations:
        ((name, seen),) = row.feed_trades[0]
        last = max((t.id for t in middled.run.trades if t.block < row.block), default=0)
        assert seen <= last if name != "ETH.spot" else seen >= last
        if row.cause == "price":
            assert row.parent <= seen


def test_a_stuck_feed_stays_at_its_minimum_and_then_hears_nothing(small) -> None:
    stuck = StuckFeed("report", 900.0, 250, within=(("report", small.feed()),))
    prices = ((0, 1000.0), (5, 850.0), (15, 950.0), (28, 990.0))
    result = small.run(small.scenario(blocks=36, prices=prices, feed=stuck), 1)
    answers = [price // WAD for price in feed_of(result)]
    assert answers[2] == 1000
    assert answers[8] == answers[14] == 900
    assert answers[20] == 950
    assert answers[35] == 950
    assert feed_of(result, "ETH.report")[35] == 990 * WAD
    assert result.summary["checks"]["invariants"]["ORA-5"]


def test_feeds_stuck_on_one_source_have_all_seen_the_trades_it_reports(small) -> None:
    """Two markets may read one reporter through minima of their own."""
    names = ("one", "other")
    stuck = [(name, StuckFeed("report", 1.0 + i)) for i, name in enumerate(names)]
    feed = MedianFeed(sources=names, within=(*stuck, ("report", small.feed())))
    blocks = small.run(falling(small, feed), 1).run.blocks
    seen = [{row.feeds[f"ETH.{name}"].seen_trade for name in (*names, "report")} for row in blocks]
    assert max(seen[-1]) > 0
    assert all(len(each) == 1 for each in seen)


def test_a_market_with_a_minimum_check_refuses_what_is_stuck(small) -> None:
    stuck = StuckFeed("report", 900.0, within=(("report", small.feed()),), min_answer_usd=900.0)
    result = small.run(small.scenario(prices=((0, 1000.0), (3, 850.0)), feed=stuck), 1)
    assert feed_of(result)[-1] == 900 * WAD
    assert result.run.blocks[-1].venues["market"].states[0].price_wad == 0


def test_a_cap_and_a_product_of_another_assets_feed(small) -> None:
    rate = CappedFeed("rate", 0.1, 1.0, 86_400 * 365, within=(("rate", small.feed()),))
    usdx = ProductFeed("own", "ETH", within=(("own", small.feed()),))
    usdx_prices = ((0, 1.0), (3, 2.0))
    scenario = small.scenario(usdx=usdx_prices, usdx_feed=rate, prices=((0, 1000.0), (3, 990.0)))
    capped = small.run(scenario, 1)
    # a reference of 1 a year ago, growing by a tenth of it in a year
    assert feed_of(capped, "USDX")[0] == WAD
    assert feed_of(capped, "USDX")[-1] == pytest.approx(1.1 * WAD, rel=1e-6)
    assert capped.summary["checks"]["invariants"]["ORA-4"]
    product = small.run(small.scenario(usdx_feed=usdx, positions=()), 1)
    assert feed_of(product, "USDX")[-1] == 1000 * WAD


# --- planted bugs -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("real", "mutant", "identifier"),
    [
        ("PoolTwapFeed", "TwapCountsSpot", "ORA-1"),
        ("MedianFeed", "MedianCountsStale", "ORA-2"),
        ("BoundedFeed", "BoundedBelowOnly", "ORA-3"),
        ("CappedGrowthFeed", "CapCompounds", "ORA-4"),
        ("StuckFeed", "StuckHearsOn", "ORA-5"),
    ],
)
def test_a_run_finds_the_planted_bug(small, monkeypatch, real, mutant, identifier) -> None:
    assert identifier in ORACLE_INVARIANTS
    rising = [(block, 1000 + 40.0 * block) for block in range(20)]
    late = small.feed(outages=Outages(windows=((30, small.NEVER),)))
    feed = {
        "PoolTwapFeed": TWAP,
        "MedianFeed": MedianFeed(
            quorum=1, source_max_age_s=50, within=(("a", late), ("b", small.feed()))
        ),
        "BoundedFeed": BoundedFeed(
            "report", "late", 100, within=(("late", late), ("report", small.feed()))
        ),
        "CappedGrowthFeed": CappedFeed(
            "a", 0.1, 1000.0, 86_400 * 365, within=(("a", small.feed()),)
        ),
        "StuckFeed": StuckFeed("a", 1500.0, within=(("a", small.feed()),)),
    }[real]
    scenario = small.scenario(
        blocks=20,
        prices=rising,
        feed=feed,
        external={"depth_2pct_usd": 20_000.0},
        pool_base=40.0,
        agents=(small.arbitrageur(),),
    )
    assert small.run(scenario, 1).summary["checks"]["invariants"][identifier]
    kept = FeedRig._terms

    def planted(*args):
        name, terms = kept(*args)
        return (mutant if name == real else name), terms

    monkeypatch.setattr(FeedRig, "_terms", planted)
    found = small.run(scenario, 1)
    assert not found.summary["checks"]["invariants"][identifier]
    assert any(note.startswith(identifier) for note in found.summary["warnings"])


# --- refusals and files -----------------------------------------------------------------


def one(name, feed):
    return ((name, feed),)


@pytest.mark.parametrize(
    ("feed", "message"),
    [
        (
            BoundedFeed("a", "nowhere", within=one("a", PushFeed())),
            r"feed\.anchor = .nowhere.: a so",
        ),
        (CappedFeed("USDX", 0.0), ""),
        (
            CappedFeed("b", 0.0, within=one("b", CappedFeed("b", 0.0))),
            r"ETH\.b -> ETH\.b.: feeds t",
        ),
        (StuckFeed("b", within=one("b", TWAP)), r"feed\.of = .b.: a push source"),
        (MedianFeed(), r"feed\.sources = \[\]: at least one"),
        (MedianFeed(quorum=2, within=one("a", PushFeed())), r"feed\.quorum = 2: at most the 1"),
        (MedianFeed(within=one("a", PushFeed(max_age_s=5))), r"source\.a\.max_age_s = 5: nothing"),
        (MedianFeed(within=one("a b", PushFeed())), r"a name of letters"),
        (PoolTwapFeed("nowhere"), r"feed\.pool = .nowhere.: a pool whose base is ETH"),
        (PoolTwapFeed("pool", window_s=15, granularity=1), r"feed\.window_s = 15: at least"),
        (CappedFeed("USDX", 0.0, reference_age_s=5), r"reference_age_s = 5: at least 86400"),
        (
            MedianFeed(within=one("b", MedianFeed(within=one("c", PushFeed())))),
            r"source\.b\.source = 1: nothing",
        ),
    ],
)
def test_feeds_that_cannot_be_are_refused_in_one_line(small, feed, message) -> None:
    if not message:
        small.scenario(feed=feed)
        return
    with pytest.raises(ScenarioError, match=message) as refused:
        small.scenario(feed=feed)
    assert "\n" not in str(refused.value)


def test_two_assets_that_price_each_other_are_refused(small) -> None:
    ring = {"feed": CappedFeed("USDX", 0.0), "usdx_feed": CappedFeed("ETH", 0.0)}
    with pytest.raises(ScenarioError, match="ETH -> USDX -> ETH"):
        small.scenario(**ring)


def test_composed_feeds_survive_their_file(small) -> None:
    scenario = falling(small, composed(small.feed()))
    assert parse_scenario(dump_scenario(scenario)) == checked(scenario)


# --- engines -----------------------------------------------------------------


def test_revm_and_py_evm_agree_on_composed_feeds(small) -> None:
    pytest.importorskip("pyrevm")
    scenario = falling(
        small, composed(small.feed()), blocks=7, positions=[(1.0, 795.0), (1.0, 790.0)]
    )
    fast, exact = (small.run(scenario, 3, engine) for engine in ("revm", "py-evm"))
    assert fast.run.liquidations
    assert fast.setup_digests == exact.setup_digests
    assert fast.run.digest == exact.run.digest
    assert fast.twin.digest == exact.twin.digest


@pytest.mark.slow
def test_eth_tester_agrees_on_composed_feeds(small) -> None:
    scenario = falling(small, composed(small.feed()), blocks=5, positions=[(1.0, 795.0)])
    exact, slow = (small.run(scenario, 3, engine) for engine in ("py-evm", "eth-tester"))
    assert slow.run.digest == exact.run.digest
