"""Remedies in what prices are read: what they make of feeds, and what they do to stuck-feed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.errors import ScenarioError
from harness.mitigations import remedied
from harness.run import run
from harness.scenario import (
    Arbitrageur,
    BoundedFeed,
    MedianFeed,
    PooledLending,
    PoolTwapFeed,
    PushFeed,
    StuckFeed,
    checked,
    dump_scenario,
    load_scenario,
    parse_scenario,
)

NAMES = ("averaged-oracle", "bounded-oracle", "checked-oracle", "median-oracle")


def feed(scenario, symbol):
    return scenario.asset(symbol).feed


def test_only_what_has_a_pool_is_averaged_and_its_checks_stay() -> None:
    scenario = load_scenario("calm")
    averaged = remedied(scenario, "averaged-oracle")
    assert feed(averaged, "ETH") == PoolTwapFeed(
        "eth-dai", window_s=1800, max_age_s=7200, min_answer_usd=1, max_answer_usd=10_000
    )
    assert feed(averaged, "DAI") == feed(scenario, "DAI")


def test_a_median_and_a_bound_read_the_feed_that_was_there() -> None:
    scenario = load_scenario("stuck-feed")
    median, bounded = (
        feed(remedied(scenario, f"{name}-oracle"), "LUNA") for name in ("median", "bounded")
    )
    assert isinstance(median, MedianFeed)
    assert isinstance(bounded, BoundedFeed)
    assert isinstance(dict(median.within)["median-feed"], StuckFeed)
    assert isinstance(dict(bounded.within)["bounded-feed"], StuckFeed)
    assert isinstance(dict(bounded.within)["chainlink"], PushFeed)
    assert median.quorum == 2


@pytest.mark.parametrize("name", ["median", "bounded"])
def test_a_median_of_all_that_it_brings_along_goes_on_reading_it(name) -> None:
    sources = "push={kind='push'}, spot={kind='pool-spot', pool='eth-dai'}"
    median = f"asset.ETH.feed={{kind='median', source={{{sources}}}}}"
    scenario = load_scenario("calm", [median, "clock.blocks=3"])
    changed = remedied(scenario, f"{name}-oracle")
    inner = dict(feed(changed, "ETH").within)[f"{name}-feed"]
    assert inner == MedianFeed(sources=("push", "spot"))
    assert {"push", "spot"} < set(dict(feed(changed, "ETH").within))
    assert all(run(changed, 1).summary["checks"]["invariants"].values())


def test_a_checked_feed_is_refused_at_its_own_minimum_and_after_two_heartbeats() -> None:
    stuck = feed(remedied(load_scenario("stuck-feed"), "checked-oracle"), "LUNA")
    assert (stuck.min_answer_usd, stuck.max_age_s) == (0.107, 7200)
    kept = feed(remedied(load_scenario("calm"), "checked-oracle"), "ETH")
    # two heartbeats of 1,200 s are stricter than the two hours there were; the bounds are not
    assert (kept.max_age_s, kept.min_answer_usd, kept.max_answer_usd) == (2400, 2.0, 10_000)


TWO_FEEDS = (
    "clock.blocks=40",
    "expect=quiet",
    "asset.ETH.feed={kind='median',sources=['report'],source={"
    "report={kind='push',heartbeat_s=600,latency_blocks=2},"
    "late={kind='stuck',of='report',minimum_usd=100,stale_from_s=600}}}",
    "venue.generous.asset.ETH.source=late",
)


def test_the_source_that_one_market_reads_is_checked_for_that_market() -> None:
    scenario = remedied(load_scenario("shared-collateral", TWO_FEEDS), "checked-oracle")
    middle = feed(scenario, "ETH")
    late = dict(middle.within)["late"]
    # the middle never reads the stuck source, and the report is read by no market
    assert (middle.max_age_s, middle.min_answer_usd) == (1200, 33.0)
    assert (late.max_age_s, late.min_answer_usd, late.max_answer_usd) == (1200, 100, 330_000)
    assert dict(middle.within)["report"].max_age_s == 0
    assert parse_scenario(dump_scenario(scenario)) == scenario
    blocks = run(scenario, 1).run.blocks
    refused = {
        name: [block.number for block in blocks if not block.venues[name].states[0].price_wad]
        for name in ("cautious", "generous")
    }
    assert refused["cautious"] == []
    first = refused["generous"][0]
    assert [block.number for block in blocks[-len(refused["generous"]) :]] == refused["generous"]
    (since,) = (b.timestamp - scenario.clock.start for b in blocks if b.number == first)
    # at 600 s its last report was at most a heartbeat and two blocks old
    assert 600 + 1200 - (600 + 3 * 60) < since <= 600 + 1200 + 60


@pytest.mark.parametrize(("name", "within"), [("median", 0.02), ("bounded", 0.11)])
def test_a_market_that_reads_a_source_is_remedied_too(name, within) -> None:
    falling = (*TWO_FEEDS, "clock.blocks=110", "asset.ETH.feed.source.late.max_age_s=10_000")
    scenario = load_scenario("shared-collateral", falling)

    def gap(result) -> float:
        """How far the second market's price is above the pool's half-hour average."""
        blocks = result.run.blocks[-31:]
        average = sum(block.venues["cautious"].states[0].price_wad for block in blocks) / 31
        return blocks[-1].venues["generous"].states[0].price_wad / average - 1

    plain, better = run(scenario, 1), remedied(scenario, f"{name}-oracle")
    late = dict(feed(better, "ETH").within)[f"late-{name}"]
    assert late.max_age_s == 10_000
    assert dict(feed(better, "ETH").within)["late"].max_age_s == 0
    assert parse_scenario(dump_scenario(better)) == better
    assert remedied(better, f"{name}-oracle") == better
    result = run(better, 1)
    assert all(result.summary["checks"]["invariants"].values())
    assert gap(plain) > 0.2
    assert gap(result) < within


def test_checks_of_a_source_that_no_market_reads_are_refused() -> None:
    unread = (*TWO_FEEDS[:3], "asset.ETH.feed.source.late.max_age_s=60")
    with pytest.raises(ScenarioError, match=r"source\.late\.max_age_s = 60: nothing"):
        load_scenario("shared-collateral", unread)
    bound = (*TWO_FEEDS, "asset.ETH.feed.source.late.min_answer_usd=3300")
    with pytest.raises(ScenarioError, match=r"feed\.source\.late = \(3300.*a start price within"):
        load_scenario("shared-collateral", bound)


def test_reports_are_fresh_within_feeds_too() -> None:
    scenario = remedied(load_scenario("shared-collateral", TWO_FEEDS), "fresh-oracle")
    report = dict(feed(scenario, "ETH").within)["report"]
    assert (report.latency_blocks, report.deviation_bps) == (0, 10)
    assert feed(scenario, "USDC").deviation_bps == 10


def test_oracle_remedies_stack_in_the_order_of_their_names_and_survive_the_file() -> None:
    scenario = load_scenario("stuck-feed")
    one, other = (
        remedied(scenario, names)
        for names in ("median-oracle+bounded-oracle", "bounded-oracle+median-oracle")
    )
    assert one == other
    assert isinstance(feed(one, "LUNA"), MedianFeed)
    assert set(dict(feed(one, "LUNA").within)) >= {"bounded-anchor", "chainlink", "median-feed"}
    assert parse_scenario(dump_scenario(one)) == one


@pytest.mark.parametrize("name", ["averaged-oracle", "bounded-oracle", "median-oracle"])
def test_a_remedy_leaves_a_scenario_without_pools_as_it_is(name) -> None:
    scenario = load_scenario("calm")
    agents = tuple(a for a in scenario.agents if not isinstance(a, Arbitrageur))
    bare = replace(scenario, venues=scenario.venues_of(PooledLending), agents=agents)
    assert remedied(bare, name) == checked(bare)


@pytest.fixture(scope="module")
def taken():
    """What stuck-feed loses as it is and with each remedy, one seed."""
    scenario = load_scenario("stuck-feed")
    results = {name: run(remedied(scenario, name), 1) for name in NAMES}
    results[""] = run(scenario, 1)
    return results


@pytest.mark.slow
def test_a_stuck_feed_is_taken_advantage_of_and_every_remedy_takes_less(taken) -> None:
    lost = {name: r.summary["solvency"]["insolvency_usd"] for name, r in taken.items()}
    print(lost)
    assert 1e6 < lost[""] < 11.2e6
    assert all(lost[name] < lost[""] / 2 for name in NAMES)
    for result in taken.values():
        assert all(result.summary["checks"]["invariants"].values())
        assert not result.summary["checks"]["vacuous"]


@pytest.mark.slow
def test_most_of_the_loss_of_stuck_feed_is_what_two_borrowers_took(taken) -> None:
    result = taken[""]
    venue = result.world.venues["venus"]
    words = [
        result.run.closing["venus"].words(number)
        for number, position in enumerate(venue.positions)
        if position.population == "exploiter"
    ]
    price = result.run.blocks[-1].external["LUNA"]
    low = (1 << 128) - 1
    beyond = sum((debt & low) / 1e18 - (luna >> 128) / 1e6 * price / 1e8 for luna, debt in words)
    insolvency = result.summary["solvency"]["insolvency_usd"]
    assert 0.7 * insolvency < beyond <= insolvency * 1.001
    taken_rows = [row for row in result.run.transactions if row.action == "leverage"]
    assert [row.status for row in taken_rows].count("succeeded") == 2


@pytest.mark.slow
def test_suppliers_of_bank_run_who_are_late_are_left() -> None:
    result = run(load_scenario("bank-run"), 1)
    summary = result.summary
    assert all(summary["checks"]["invariants"].values())
    insolvency = summary["solvency"]["insolvency_usd"]
    assert 20e6 < insolvency < 200e6
    tables = summary["suppliers"]["venus"]
    loss = sum(row["loss_usd"] for table in tables.values() for row in table["rows"])
    assert loss == pytest.approx(insolvency, rel=1e-6)
    for table in tables.values():
        assert table["out"] > 0
        assert table["left"] > 0
    reasons = {
        row.reason.split("(")[0]
        for row in result.run.transactions
        if row.action == "withdraw" and row.status == "reverted"
    }
    assert reasons == {"InsufficientCash"}
    gone = [row for row in result.run.transactions if row.action == "remove_liquidity"]
    assert all(row.status == "succeeded" for row in gone)
