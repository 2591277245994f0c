"""What stands at the top of a block: the publisher's prices and the keepers' reports."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.agents import Context, Keeper
from harness.scenario import Outages, PushFeed

WAD = 10**18


def reports(result, symbol: str = "ETH") -> list[tuple[int, int]]:
    """(block it entered, last block it had seen) of a feed's reports."""
    return [
        (row.block, row.observed)
        for row in result.run.transactions
        if row.action == "transmit" and row.key == symbol
    ]


def answers(result, symbol: str = "ETH") -> list[float]:
    return [block.feeds[symbol].price / WAD for block in result.run.blocks]


@pytest.fixture
def with_feed(small):
    def make(feed: PushFeed, prices: Sequence[tuple[int, float]], blocks: int = 12):
        return small.run(
            small.scenario(
                blocks=blocks,
                prices=prices,
                positions=((1.0, 1.0),),
                feed=feed,
                usdx_feed=PushFeed(heartbeat_s=small.NEVER, deviation_bps=100),
            ),
            1,
        )

    return make


def test_the_publisher_states_a_price_when_it_moves_and_only_then(small) -> None:
    result = small.run(
        small.scenario(prices=((0, 1000.0), (3, 990.0), (4, 990.0), (7, 1010.0))),
        1,
    )
    rows = [row for row in result.run.transactions if row.action == "publish"]
    assert [(row.block, row.key) for row in rows] == [(3, "ETH"), (7, "ETH")]
    assert [block.external["ETH"] / 1e8 for block in result.run.blocks] == (
        [1000] * 3 + [990] * 4 + [1010] * 5
    )


def test_a_price_is_reported_in_the_block_after_it_was_stated(with_feed, small) -> None:
    result = with_feed(small.feed(), ((0, 1000.0), (3, 990.0)))
    assert reports(result) == [(4, 3)]
    assert answers(result) == [1000] * 4 + [990] * 8


def test_moves_below_the_deviation_are_not_reported(with_feed, small) -> None:
    # 0.4% and another 0.4% of the last report; the second is beyond 0.5% of it
    result = with_feed(small.feed(deviation_bps=50), ((0, 1000.0), (2, 996.0), (5, 992.0)))
    assert reports(result) == [(6, 5)]


def test_a_move_of_exactly_the_deviation_is_reported(with_feed, small) -> None:
    assert reports(with_feed(small.feed(deviation_bps=50), ((0, 1000.0), (2, 995.0)))) == [(3, 2)]
    assert reports(with_feed(small.feed(deviation_bps=50), ((0, 1000.0), (2, 1005.0)))) == [(3, 2)]
    assert reports(with_feed(small.feed(deviation_bps=50), ((0, 1000.0), (2, 995.01)))) == []


def test_a_steady_price_is_reported_once_a_heartbeat(with_feed) -> None:
    # blocks are 10 s apart; set-up reports just before the run
    result = with_feed(PushFeed(heartbeat_s=40, deviation_bps=10_000), ((0, 1000.0),), blocks=14)
    seen = [observed for _, observed in reports(result)]
    assert seen == [4, 8, 12]
    assert all(block == observed + 1 for block, observed in reports(result))


def test_a_report_enters_as_many_blocks_later_as_the_keeper_is_slow(with_feed, small) -> None:
    result = with_feed(small.feed(latency_blocks=3), ((0, 1000.0), (2, 990.0), (3, 980.0)))
    assert reports(result) == [(6, 2), (7, 3)]
    assert answers(result)[5:8] == [1000, 990, 980]


def test_latency_follows_its_steps(with_feed, small) -> None:
    feed = small.feed(latency_blocks=0, latency_steps=((30, 2), (60, 0)))
    result = with_feed(feed, ((0, 1000.0), (1, 990.0), (4, 980.0), (7, 970.0)))
    assert reports(result) == [(2, 1), (7, 4), (8, 7)]


def test_an_older_report_never_follows_a_newer_one(with_feed, small) -> None:
    """Latency falls from 4 blocks to none while a report is on the way: the feed has the newer
    price for good, and the older report is not sent after it."""
    feed = small.feed(latency_blocks=4, latency_steps=((30, 0),))
    result = with_feed(feed, ((0, 1000.0), (2, 900.0), (3, 950.0)))
    assert reports(result) == [(4, 3)]
    assert answers(result) == [1000] * 4 + [950] * 8


def test_a_keeper_that_is_out_reports_afterwards(with_feed, small) -> None:
    feed = small.feed(outages=Outages(windows=((20, 50),)))
    result = with_feed(feed, ((0, 1000.0), (2, 990.0), (3, 980.0)))
    assert reports(result) == [(6, 5)]
    assert answers(result) == [1000] * 6 + [980] * 6


def test_what_is_on_the_way_arrives_in_an_outage(with_feed, small) -> None:
    feed = small.feed(latency_blocks=2, outages=Outages(windows=((20, 100),)))
    assert reports(with_feed(feed, ((0, 1000.0), (1, 990.0)))) == [(4, 1)]


def test_a_coarse_feed_rounds_down(with_feed, small) -> None:
    assert answers(with_feed(small.feed(decimals=0), ((0, 1000.0), (2, 990.7))))[-1] == 990


def test_a_price_that_a_coarse_feed_cannot_hold_is_not_reported(with_feed, small) -> None:
    result = with_feed(small.feed(decimals=0), ((0, 1000.0), (2, 0.4)))
    assert reports(result) == []


def test_a_keeper_draws_its_outages_by_seed_name_and_block(small, passes) -> None:
    feed = small.feed(outages=Outages(chance_bps=5000))
    scenario = small.scenario(blocks=60, feed=feed)
    history = passes(scenario)
    view = history.view()

    def out(seed: int, name: str) -> list[bool]:
        keeper = Keeper(
            Context(history.world, scenario, seed), name, history.world.feeds["ETH"], feed
        )
        found = []
        for index in range(59):
            view.index = index
            found.append(keeper._outages.out(view))
        return found

    assert out(1, "ETH") == out(1, "ETH")
    assert out(1, "ETH") != out(2, "ETH")
    assert out(1, "ETH") != out(1, "USDX")


def test_feeds_come_before_agents_and_pay_no_fee(small) -> None:
    result = small.run(
        small.scenario(
            prices=((0, 1000.0), (1, 900.0)),
            positions=((1.0, 790.0),),
            agents=(small.liquidator(),),
            expect="liquidations",
        ),
        1,
    )
    by_block: dict[int, list[str]] = {}
    for row in sorted(result.run.transactions, key=lambda row: (row.block, row.place)):
        by_block.setdefault(row.block, []).append(row.action)
    assert by_block == {1: ["publish"], 2: ["transmit"], 3: ["charge", "liquidate"]}
    assert set(result.run.fees) == {"liquidator"}
