"""What cannot be done is a row with its reason, and the run goes on to its end."""

from __future__ import annotations

import pytest

from harness.errors import ScenarioError
from harness.scenario import Outages, PositionRow, PushFeed, Response

WAD = 10**18


def sent(result, action: str = "liquidate"):
    return [row for row in result.run.transactions if row.action == action]


@pytest.mark.parametrize("action", ["top_up_bps", "deleverage_bps", ""])
def test_a_stale_feed_stops_liquidation_and_not_the_run(small, action) -> None:
    """The keeper goes out for good just before the fall; 30 s later the market refuses the feed."""
    result = small.run(
        small.scenario(
            blocks=14,
            prices=((0, 1000.0), (2, 990.0), (4, 700.0)),
            positions=((1.0, 780.0), (10.0, 7_900.0)),
            feed=PushFeed(
                heartbeat_s=10,
                deviation_bps=0,
                max_age_s=30,
                outages=Outages(windows=((30, small.NEVER),)),
            ),
            response=Response(
                call_health_factor=1.2, cash_bps=100, **({action: 10_000} if action else {})
            ),
            agents=(small.arbitrageur(), small.liquidator(capital=(("USDX", 1.0),))),
            expect="liquidations",
        ),
        1,
    )
    states = [block.venues["market"] for block in result.run.blocks]
    refused = [index for index, one in enumerate(states) if one.states[0].price_wad == 0]
    assert refused == list(range(7, 14))
    assert all(row.observed < 7 for row in sent(result))
    assert all(row.block <= 7 for row in result.run.liquidations)
    # whoever was too late says why
    assert {row.reason.split("(")[0] for row in sent(result) if row.status == "reverted"} <= {
        "StalePrice"
    }
    assert result.summary["status"] == "complete"
    assert result.summary["checks"]["invariants"] == dict.fromkeys(
        result.summary["checks"]["invariants"], True
    )
    # losses at outside prices are counted although the market knows none of its own
    assert states[-1].shortfall_market > 0
    assert states[-1].shortfall_oracle == 0
    assert states[-1].unhealthy == 0


def test_a_transaction_that_meets_a_feed_grown_stale_is_a_row(small) -> None:
    """Sent in time, and two blocks late: the feed is refused when it runs."""
    result = small.run(
        small.scenario(
            blocks=10,
            prices=((0, 1000.0), (1, 900.0)),
            positions=((1.0, 780.0),),
            feed=PushFeed(
                heartbeat_s=small.NEVER,
                deviation_bps=0,
                max_age_s=15,
                outages=Outages(windows=((20, small.NEVER),)),
            ),
            agents=(small.liquidator(latency_blocks=2),),
            expect="liquidations",
        ),
        1,
    )
    (row,) = sent(result)
    assert (row.block, row.status) == (5, "reverted")
    assert row.reason.startswith("StalePrice")
    assert "nothing was liquidated" in result.summary["warnings"][-1]
    assert result.summary["checks"]["vacuous"]


def test_a_feed_beyond_its_bounds_is_refused(small) -> None:
    result = small.run(
        small.scenario(
            prices=((0, 1000.0), (1, 90.0)),
            positions=((1.0, 780.0),),
            feed=small.feed(min_answer_usd=100.0),
            agents=(small.liquidator(),),
            expect="liquidations",
        ),
        1,
    )
    last = result.run.blocks[-1].venues["market"]
    assert last.states[0].price_wad == 0
    assert not result.run.liquidations
    assert last.shortfall_market / WAD == pytest.approx(690.0)


def test_a_feed_that_comes_back_is_used_again(small) -> None:
    result = small.run(
        small.scenario(
            blocks=16,
            prices=((0, 1000.0), (3, 900.0)),
            positions=((1.0, 780.0),),
            feed=PushFeed(
                heartbeat_s=10,
                deviation_bps=0,
                max_age_s=25,
                outages=Outages(windows=((30, 80),)),
            ),
            agents=(small.liquidator(),),
            expect="liquidations",
        ),
        1,
    )
    assert [row.block for row in result.run.liquidations] == [10]
    assert result.run.liquidations[0].cause == "exogenous"


def test_without_a_pool_nobody_can_sell_and_the_loss_shows(small) -> None:
    result = small.run(
        small.scenario(
            prices=((0, 1000.0), (1, 600.0)),
            positions=((1.0, 780.0),),
            pool_base=None,
            agents=(small.liquidator(),),
            expect="liquidations",
        ),
        1,
    )
    assert not sent(result)
    last = result.run.blocks[-1].venues["market"]
    assert (last.unhealthy, last.shortfall_market) == (1, 180 * WAD)
    assert result.summary["cascade"]["max_wave"] is None
    assert result.summary["cascade"]["amplification"] is None


def test_a_called_account_without_a_pool_reverts_with_its_reason(small) -> None:
    result = small.run(
        small.scenario(
            prices=((0, 1000.0), (1, 950.0)),
            positions=((1.0, 740.0),),
            pool_base=None,
            response=Response(deleverage_bps=10_000, bid=small.FREE),
        ),
        1,
    )
    assert {row.status for row in sent(result, "deleverage")} == {"reverted"}
    assert {row.reason.split("(")[0] for row in sent(result, "deleverage")} == {"NoPool"}
    assert result.summary["margin_calls"]["ignored"] == 1


def test_collateral_that_is_lent_out_cannot_be_seized(small) -> None:
    """All ETH of the market but ten is lent to the second account, and its interest has made the
    claims on it more than those ten: seizing all of them needs cash that is not there."""
    saver = PositionRow((("ETH", 10.0),), (("USDX", 7_900.0),))
    short = PositionRow((("USDX", 200_000.0),), (("ETH", 90.0),))
    result = small.run(
        small.scenario(
            blocks=12,
            seconds=86_400,
            prices=((0, 1000.0), (6, 500.0)),
            positions=(saver, short),
            eth={"base_rate": 2.0, "supplied": 90.0},
            debt={"ltv_bps": 9000, "liquidation_threshold_bps": 9000},
            agents=(small.liquidator(max_transactions=1),),
            expect="liquidations",
        ),
        1,
    )
    failed = [row for row in sent(result) if row.status == "reverted"]
    assert failed
    assert {row.key for row in failed} == {"0"}
    assert {row.reason.split("(")[0] for row in failed} == {"InsufficientCash"}
    # the position stands, and its loss is counted where it is
    assert result.run.blocks[-1].venues["market"].shortfall_market > 2_000 * WAD
    assert result.summary["solvency"]["insolvency_usd"] > 2_000


def test_fees_are_paid_on_reverts_too(small, passes) -> None:
    history = passes(
        small.scenario(
            prices=((0, 1000.0), (1, 980.0)),
            positions=((1.0, 790.0),),
            agents=(small.liquidator(count=3),),
            expect="liquidations",
        )
    )
    trace = history.simulate()
    rows = [row for row in trace.transactions if row.action == "liquidate"]
    assert [row.status for row in rows].count("reverted") == 2
    ledger = history.world.fee_ledger
    charged = ledger.read(history.engine, "totalCharged")
    assert charged == sum(row.gas * row.bid for row in rows) == sum(trace.fees.values())


def test_a_run_in_which_nothing_happens_says_so(small) -> None:
    def reason(**changes) -> str:
        result = small.run(
            small.scenario(**{"positions": ((1.0, 400.0),), "expect": "liquidations", **changes}),
            1,
        )
        assert result.summary["checks"]["vacuous"]
        return result.summary["warnings"][-1]

    assert "no feed's price moved" in reason()
    falling = ((0, 1000.0), (1, 990.0))
    assert "no account was called" in reason(prices=falling)
    assert "nothing was liquidated" in reason(prices=falling, positions=((1.0, 770.0),))
    quiet = small.run(small.scenario(positions=((1.0, 400.0),)), 1)
    assert not quiet.summary["checks"]["vacuous"]
    assert not [text for text in quiet.summary["warnings"] if "vacuous" in text]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"eth": {"kink": 1.0}}, r"venue\[1\].asset\[0\].kink"),
        ({"decimals": 20}, r"venue\[1\].asset\[0\].symbol"),
    ],
)
def test_what_a_contract_would_refuse_is_bad_input(small, change, field) -> None:
    with pytest.raises(ScenarioError, match=field):
        small.scenario(positions=((1.0, 1.0),), **change)


def test_an_order_that_was_still_on_its_way_says_so(small) -> None:
    result = small.run(
        small.scenario(
            blocks=5,
            prices=((0, 1000.0), (1, 980.0)),
            positions=((1.0, 790.0),),
            agents=(small.liquidator(latency_blocks=5),),
            expect="liquidations",
        ),
        1,
    )
    assert {(row.status, row.reason) for row in sent(result)} == {("pending", "not due yet")}
