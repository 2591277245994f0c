"""Called accounts: what they do, how far it carries, and how calls are counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from harness.calls import CallBook
from harness.scenario import Bid, Outages, PositionRow, Response

WAD = 10**18
CALL, TARGET = 1.05, 1.25


@pytest.fixture
def called(small):
    """Accounts of 10 ETH at 1000 USD that owe 7,400: health factor 1.081, and 1.027 at 950."""

    def make(response: Response, **changes):
        return small.scenario(
            **{
                "blocks": 10,
                "prices": ((0, 1000.0), (1, 950.0)),
                "positions": ((10.0, 7_400.0),),
                "pool_base": 1e6,
                "response": response,
                **changes,
            }
        )

    return make


def top_up(**changes) -> Response:
    return Response(
        **{
            "top_up_bps": 10_000,
            "call_health_factor": CALL,
            "target_health_factor": TARGET,
            "cash_bps": 10_000,
            "bid": Bid(base_gwei=0),
            **changes,
        }
    )


def deleverage(**changes) -> Response:
    return top_up(top_up_bps=0, deleverage_bps=10_000, cash_bps=0, **changes)


def sent(trace) -> list[tuple[str, int, str]]:
    return [
        (row.action, row.block, row.status)
        for row in trace.transactions
        if row.agent == "borrowers-market"
    ]


def health(trace) -> Sequence[float]:
    return [factor / WAD for factor in trace.closing["market"].health]


@pytest.mark.parametrize("cash_in", ["collateral", "debt"])
def test_a_top_up_restores_the_target(small, called, cash_in) -> None:
    result = small.run(called(top_up(cash_in=cash_in)), 1)
    # the price is stated in 1, reported in 2, and answered in 3
    assert sent(result.run) == [("top_up", 3, "succeeded")]
    assert health(result.run) == [pytest.approx(TARGET, rel=1e-9)]
    assert health(result.run)[0] >= TARGET * (1 - 1e-15)
    assert result.summary["margin_calls"] == {"count": 1, "met": 1, "reduced": 0, "ignored": 0}
    word = result.run.closing["market"].words(0)
    if cash_in == "collateral":
        # 7,400 x 1.25 / (.8 x 950) ETH, and no debt repaid
        assert word[0] >> 128 == pytest.approx(7_400 * TARGET / (0.8 * 950) * WAD, rel=1e-9)
        assert word[1] == 7_400 * 10**6
    else:
        assert word[1] == pytest.approx(10 * 950 * 0.8 / TARGET * 10**6, rel=1e-9)


def test_cash_goes_as_far_as_it_goes(small, called) -> None:
    """Cash worth 2% of the debt, 0.148 ETH at the start, and the account is called for good."""
    result = small.run(called(top_up(cash_bps=200)), 1)
    assert sent(result.run) == [("top_up", 3, "succeeded")]
    assert result.run.closing["market"].words(0)[0] >> 128 == 10_148 * WAD // 1000
    assert result.run.blocks[-1].venues["market"].called == 1
    assert result.summary["margin_calls"] == {"count": 1, "met": 1, "reduced": 0, "ignored": 0}


def test_without_cash_nothing_is_sent(small, called) -> None:
    result = small.run(called(top_up(cash_bps=0)), 1)
    assert sent(result.run) == []
    assert result.summary["margin_calls"] == {"count": 1, "met": 0, "reduced": 0, "ignored": 1}


def test_a_sale_restores_the_target_but_for_its_costs(small, called) -> None:
    """Withdrawal of h D - A over h - threshold, as far as the health check allows."""
    result = small.run(called(deleverage(), positions=((10.0, 7_000.0),), prices=FALL), 1)
    # 9,000 x .8 = 7,200 on 7,000: called at 1.0286; wanted (1.25 x 7,000 - 7,200)/(1.25 - .8)
    assert [action for action, _, _ in sent(result.run)][:1] == ["deleverage"]
    assert {status for _, _, status in sent(result.run)} == {"succeeded"}
    first = result.run.trades[0]
    # what may be withdrawn at once: (7,200 - 7,000)/.8 less a margin of 1%
    assert first.amount_in == pytest.approx(250 * 0.99 / 900 * WAD, rel=1e-9)
    assert health(result.run)[0] > CALL
    assert result.summary["margin_calls"]["reduced"] == 1


FALL = ((0, 1000.0), (1, 900.0))


def test_a_sale_goes_on_until_the_account_is_no_longer_called(small, called) -> None:
    result = small.run(called(deleverage(), positions=((10.0, 7_000.0),), prices=FALL), 1)
    factors = [trade.call.position for trade in result.run.trades]
    assert len(factors) == len(result.run.trades) > 1
    assert result.run.blocks[-1].venues["market"].called == 0
    # each sale pays 997,000 ppm of nothing less than the feed's price here: no fee, deep pool
    assert result.summary["margin_calls"]["count"] == 1


def test_a_sale_that_one_withdrawal_allows_hits_the_target(small, called) -> None:
    """Called at 1.2 already, so that all that is wanted may be withdrawn at once."""
    result = small.run(
        called(
            deleverage(call_health_factor=1.2, target_health_factor=1.22),
            positions=((10.0, 6_400.0),),
        ),
        1,
    )
    # the pool still pays 1000 where the feed says 950: a little more debt is repaid than planned
    assert sent(result.run) == [("deleverage", 3, "succeeded")]
    assert health(result.run)[0] == pytest.approx(1.22, rel=5e-3)
    assert health(result.run)[0] >= 1.22


def test_a_target_that_no_sale_can_reach_is_no_division_by_nothing(small, called) -> None:
    """Threshold and target are both 1: a sale does not change what is missing."""
    result = small.run(
        called(
            deleverage(call_health_factor=1.0, target_health_factor=1.0),
            eth={"ltv_bps": 10_000, "liquidation_threshold_bps": 10_000},
            positions=((10.0, 9_800.0),),
            prices=((0, 1000.0), (1, 979.9)),
        ),
        1,
    )
    assert result.summary["margin_calls"]["count"] == 1
    assert sent(result.run) == []


def test_an_account_below_one_cannot_sell_any_more(small, called) -> None:
    result = small.run(called(deleverage(), positions=((10.0, 7_250.0),), prices=FALL), 1)
    assert sent(result.run) == []


def test_answers_come_as_late_as_they_were_drawn(small, called) -> None:
    result = small.run(called(top_up(latency_blocks=(4, 4))), 1)
    # called after block 2
    assert sent(result.run) == [("top_up", 6, "succeeded")]


def test_an_answer_outbid_waits_and_pays_its_fee_once(small, called, passes) -> None:
    """The background bid falls below the borrower's after block 5."""
    history = passes(
        called(
            top_up(bid=Bid(base_gwei=10), fee_deposit=1.0),
            space={"background_bid_gwei": ((0, 50.0), (60, 5.0))},
        )
    )
    trace = history.simulate()
    assert sent(trace) == [("top_up", 6, "succeeded")]
    (row,) = [row for row in trace.transactions if row.action == "top_up"]
    left = history.world.fee_ledger.read(
        history.engine, "balanceOf", history.world.venues["market"].accounts[0]
    )
    assert left == WAD - row.gas * 10 * 10**9


def test_debts_in_two_assets_and_two_collaterals(small, called) -> None:
    """The largest debt counts for a repayment; what is held in both counts for health."""
    row = PositionRow((("ETH", 10.0), ("USDX", 1_000.0)), (("USDX", 7_000.0), ("GOLD", 0.5)))
    result = small.run(
        called(
            top_up(cash_in="debt"),
            positions=(row,),
            gold_usd=1_000.0,
        ),
        1,
    )
    assert {status for _, _, status in sent(result.run)} == {"succeeded"}
    assert health(result.run)[0] >= TARGET * (1 - 1e-12)


def test_nothing_is_planned_at_a_price_that_is_refused(small, called) -> None:
    """The ETH feed stops and is refused while accounts are called: no order, no crash."""
    for response in (top_up(latency_blocks=(6, 6)), deleverage(latency_blocks=(6, 6))):
        result = small.run(
            called(
                response,
                feed=small.feed(max_age_s=35, outages=Outages(windows=((20, small.NEVER),))),
            ),
            1,
        )
        assert sent(result.run) == []


def test_collateral_that_does_not_count_is_not_sold(small, called) -> None:
    """All that counted is gone; what is left has no threshold, and the debt is still there."""
    row = PositionRow((("ETH", 1.0), ("USDX", 5_000.0)), (("USDX", 790.0),))
    result = small.run(
        called(
            deleverage(call_health_factor=1.01),
            positions=(row,),
            prices=((0, 1000.0), (1, 700.0), (5, 100.0)),
            agents=(small.liquidator(),),
            eth={"liquidation_bonus_bps": 1000},
        ),
        1,
    )
    assert result.summary["status"] == "complete"


# --- how calls are counted -----------------------------------------------------------------------


def test_an_episode_counts_once_however_long_it_lasts(small, called) -> None:
    quiet = Response(call_health_factor=CALL)
    prices = ((0, 1000.0), (1, 950.0), (4, 940.0), (7, 1000.0), (9, 950.0))
    result = small.run(called(quiet, prices=prices, blocks=14), 1)
    episodes = result.run.calls["market"]
    assert [(episode.block, episode.ended) for episode in episodes] == [(2, 8), (10, None)]
    assert result.summary["margin_calls"] == {"count": 2, "met": 0, "reduced": 0, "ignored": 2}


def test_an_episode_lasts_while_the_feed_is_refused(small, called) -> None:
    """The feed is refused from block 7 on and comes back in block 11, with the same low price: it
    is still the same call."""
    result = small.run(
        called(
            Response(call_health_factor=CALL),
            blocks=16,
            feed=small.feed(heartbeat_s=30, max_age_s=45, outages=Outages(windows=((20, 100),))),
        ),
        1,
    )
    refused = [
        index
        for index, block in enumerate(result.run.blocks)
        if block.venues["market"].states[0].price_wad == 0
    ]
    assert refused
    assert refused[-1] < 12
    assert [(call.block, call.ended) for call in result.run.calls["market"]] == [(2, None)]


def test_top_up_beats_reduction_in_the_count() -> None:
    book = CallBook()
    book.update(1, [7, 3])
    book.answered(3, "deleverage")
    book.answered(7, "deleverage")
    book.answered(7, "top_up")
    book.answered(9, "top_up")
    book.update(2, [3])
    book.update(3, [3, 7])
    assert book.counts() == {"count": 3, "met": 1, "reduced": 1, "ignored": 1}
    assert [(call.account, call.block) for call in book.open.values()] == [(3, 1), (7, 3)]


def test_a_waiting_answer_bids_more_where_its_bid_rises(small, called) -> None:
    space = {"background_bid_gwei": ((0, 15.0),), "expiry_blocks": 20}
    rising = small.run(called(top_up(bid=Bid(base_gwei=12, escalation_bps=1000)), space=space), 1)
    assert sent(rising.run) == [("top_up", 6, "succeeded")]
    still = small.run(called(top_up(bid=Bid(base_gwei=12)), space=space), 1)
    assert [status for _, _, status in sent(still.run)] == ["pending"]


def test_an_agent_may_be_called_as_those_who_answer_are_elsewhere(small) -> None:
    """What it does answers no call: `borrowers-` and a venue's name are the borrowers of that."""
    liquidator = dataclasses.replace(small.liquidator(), name="borrowers-9")
    prices, rows = ((0, 1000.0), (3, 900.0)), ((10.0, 7_800.0),)
    result = small.run(small.scenario(prices=prices, positions=rows, agents=(liquidator,)), 1)
    assert [row.liquidator for row in result.run.liquidations] == ["borrowers-9"]
    assert not result.summary["margin_calls"]["met"]
