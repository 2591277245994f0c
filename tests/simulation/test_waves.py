"""Waves of hand-made traces whose right answer is plain, and how a feed's effect is divided."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.waves import FeedEffect, FeedTerms, Terms, classify, is_below
from harness.protocols.pooled_lending import AssetState
from harness.trace import (
    BlockRow,
    CallState,
    FeedPoint,
    LiquidationRow,
    Trace,
    TradeRow,
    VenueBlock,
)

WAD = 10**18
SPOT = 10**36
OUTSIDE = FeedTerms("ETH")


def trade(
    number: int,
    *,
    block: int = 1,
    amount: float = 1.0,
    sold: str = "ETH",
    bought: str = "USDX",
    move: float = -0.01,
    call: CallState | None = None,
    account: int = -1,
) -> TradeRow:
    """A forced sale of ``amount`` tokens at a price of 1000 that moves its pool by ``move``."""
    return TradeRow(
        number,
        block,
        number,
        "market",
        account,
        "deleverage" if call else "liquidate",
        sold,
        bought,
        int(amount * WAD),
        int(amount * 1000 * WAD),
        SPOT,
        int(SPOT * (1 + move)),
        call,
    )


# --- the effect on one feed ----------------------------------------------------------------


class Effect:
    """The shares of trades in an effect, at a time when the last seen has stood ``now`` seconds."""

    def __init__(
        self, trades: Sequence[TradeRow], terms: FeedTerms = OUTSIDE, asset: str = "ETH"
    ) -> None:
        self._effect = FeedEffect(asset, terms, trades, range(0, 10_000, 10))

    def shares(self, seen: int, total: float, now: float = 9_000):
        return self._effect.shares(seen, total, now)


trades_of_eth = st.lists(
    st.tuples(st.booleans(), st.floats(1e-6, 1e6), st.floats(-0.5, -1e-6), st.integers(0, 900)),
    min_size=1,
    max_size=20,
).map(
    lambda rows: [
        trade(
            number,
            block=block,
            amount=amount,
            move=move,
            sold="ETH" if sells else "USDX",
            bought="USDX" if sells else "ETH",
        )
        for number, (sells, amount, move, block) in enumerate(
            sorted(rows, key=lambda row: row[3]), 1
        )
    ]
)


@given(
    trades_of_eth,
    st.floats(-0.9, 2.0),
    st.sampled_from(
        [OUTSIDE, FeedTerms("ETH", half_life_s=60), FeedTerms("ETH", spot_against="USDX")]
    ),
    st.data(),
)
def test_shares_add_up_to_the_effect_and_none_has_the_wrong_sign(trades, total, terms, data):
    seen = data.draw(st.integers(1, len(trades)))
    shares = Effect(trades, terms).shares(seen, total)
    assert len(shares) == seen
    assert float(shares.sum()) == pytest.approx(total, abs=1e-12)
    assert bool((shares * total >= 0).all())


def test_nothing_seen_has_no_share() -> None:
    assert Effect([trade(1)]).shares(0, -0.1).size == 0
    assert Effect([]).shares(0, -0.1).size == 0


def test_shares_that_are_redeemed_buy_nothing_outside() -> None:
    paid = trade(1, amount=1_000, sold="vETH", bought="ETH")
    bought = trade(2, sold="USDX", bought="ETH")
    effect = FeedEffect("ETH", OUTSIDE, [paid, bought], range(9), shares={"vETH"})
    assert effect.shares(2, 0.01, 9.0).tolist() == [0.0, 0.01]


def test_a_redemption_has_no_part_in_the_price_of_the_pool_that_trades_the_shares() -> None:
    vault = trade(1, sold="vETH", bought="ETH", move=-0.02)._replace(redeemed=True)
    pool = trade(2, sold="vETH", bought="ETH", move=-0.01)
    terms = FeedTerms("vETH", spot_against="ETH")
    effect = FeedEffect("vETH", terms, [vault, pool], range(9))
    assert effect.shares(2, -0.01, 9.0).tolist() == [0.0, -0.01]


def test_equal_sales_share_alike_however_late_each_is_seen() -> None:
    # The pool gives up 1% to each sale; arbitrage leaves 0.1% of that on the outside price. The
    # second sale's share is no larger for having been seen when the first had been arbitraged.
    sales = Effect([trade(1), trade(2, block=2)])
    assert sales.shares(1, -0.001).tolist() == [-0.001]
    assert sales.shares(2, -0.002).tolist() == [-0.001, -0.001]


def test_recovery_scales_all_shares() -> None:
    sales = Effect([trade(1, amount=3), trade(2)])
    assert sales.shares(2, -0.04) == pytest.approx([-0.03, -0.01])
    assert sales.shares(2, -0.004) == pytest.approx([-0.003, -0.001])


def test_what_is_older_has_faded_by_the_outside_markets_half_life() -> None:
    # blocks are 10 s apart: after two half-lives of 20 s a quarter is left
    sales = Effect([trade(1, block=1), trade(2, block=5)], FeedTerms("ETH", half_life_s=20))
    assert sales.shares(2, -0.05) == pytest.approx([-0.01, -0.04])


def test_the_spot_of_a_pool_knows_its_own_pools_moves_only() -> None:
    trades = [trade(1, move=-0.01), trade(2, move=-0.03), trade(3, bought="DAI", move=-0.5)]
    assert Effect(trades, FeedTerms("ETH", spot_against="USDX")).shares(3, -0.04) == pytest.approx(
        [-0.01, -0.03, 0.0]
    )


def test_an_average_knows_a_move_for_the_time_it_has_stood() -> None:
    # windows of 100 s, seen at 110: the first has filled one, the second stood for 60 of it
    trades = [trade(1, block=1, move=-0.02), trade(2, block=5, move=-0.02)]
    terms = FeedTerms("ETH", spot_against="USDX", window_s=100)
    assert Effect(trades, terms).shares(2, -0.016, now=110) == pytest.approx([-0.01, -0.006])
    assert Effect(trades, terms).shares(2, -0.016, now=1_000) == pytest.approx([-0.008, -0.008])


def test_sales_of_one_asset_are_purchases_of_the_other() -> None:
    trades = [trade(1, amount=1), trade(2, amount=3)]
    assert Effect(trades, asset="USDX").shares(2, 0.04) == pytest.approx([0.01, 0.03])


def test_sales_have_no_part_in_a_rise() -> None:
    trades = [trade(1), trade(2, sold="USDX", bought="ETH"), trade(3)]
    assert Effect(trades).shares(3, 0.01) == pytest.approx([0.0, 0.01, 0.0])


def test_the_last_trade_seen_has_what_none_explains() -> None:
    assert Effect([trade(1), trade(2)]).shares(2, 0.01).tolist() == [0.0, 0.01]
    other_pool = [trade(1, sold="BTC"), trade(2, sold="BTC")]
    assert Effect(other_pool).shares(2, -0.01).tolist() == [0.0, -0.01]


# --- health as the market computes it -----------------------------------------------------------

TERMS = Terms(("ETH", "USDX"), (8000, 0), (WAD, WAD), (WAD, WAD, 11 * WAD // 10))


def words(eth: float, usdx: float) -> tuple[int, int]:
    return int(eth * WAD) << 128, int(usdx * WAD)


def test_exactly_one_is_not_below() -> None:
    assert not is_below(TERMS, words(1, 800), (1000 * WAD, WAD))
    assert is_below(TERMS, words(1, 800), (1000 * WAD - 1, WAD))
    assert is_below(TERMS, words(1, 800), (1000 * WAD, WAD + 1))
    assert not is_below(TERMS, words(1, 0), (0, WAD))
    assert is_below(TERMS, words(1, 800), (1090 * WAD, WAD), 11 * WAD // 10)


# --- whole traces ----------------------------------------------------------------------------


class Story:
    """A run told block by block. ``run`` and ``twin``: ETH's feed after each block; ``seen``: the
    last trade that the run's feed had seen then."""

    def __init__(
        self, run: Sequence[float], twin: Sequence[float], seen: Sequence[int] | None = None
    ) -> None:
        self._prices = [int(price * WAD) for price in run]
        self._seen = list(seen or [0] * len(run))
        self.run = Trace(blocks=self._blocks(run, self._seen))
        self.twin = Trace(blocks=self._blocks(twin, [0] * len(twin)))

    @staticmethod
    def _blocks(prices: Sequence[float], seen: Sequence[int]) -> list[BlockRow]:
        return [
            BlockRow(
                index=index,
                number=index,
                timestamp=10 * index,
                digest=b"",
                external={},
                feeds={"ETH": FeedPoint(int(price * WAD), last), "USDX": FeedPoint(WAD, 0)},
                reserves={},
                venues={},
                waiting=0,
                background_bid=0,
            )
            for index, (price, last) in enumerate(zip(prices, seen, strict=True))
        ]

    def liquidate(
        self, block: int, account: int, debt: float, *, since: int, eth: float = 1.0
    ) -> LiquidationRow:
        """A liquidation in ``block``, with a sale, of an account that owes ``debt`` on 1 ETH."""
        number = len(self.run.trades) + 1
        self.run.trades.append(trade(number, block=block))
        row = LiquidationRow(
            block=block,
            place=number,
            venue="market",
            account=account,
            liquidator="liquidator",
            collateral="ETH",
            debt="USDX",
            repaid=0,
            seized=0,
            protocol_fee=0,
            repaid_usd=0,
            seized_usd=0,
            health_factor=0,
            position=words(eth, debt),
            prices=(self._prices[block], WAD),
            unhealthy_since=since,
            feed_trades=((("ETH", self._seen[block]),), ()),
            trade=number,
        )
        self.run.liquidations.append(row)
        return row

    def verdicts(self) -> list[tuple[int, str, int]]:
        classify(self.run, self.twin, {"market": TERMS}, {"ETH": OUTSIDE, "USDX": OUTSIDE})
        return [(row.wave, row.cause, row.parent) for row in self.run.liquidations]


def test_what_the_outside_price_alone_does_is_wave_0() -> None:
    story = Story([1000, 990, 990], [1000, 990, 990])
    story.liquidate(2, 0, 795, since=1)
    assert story.verdicts() == [(0, "exogenous", 0)]


def test_a_price_of_the_twin_counts_that_has_passed_since_the_account_was_healthy() -> None:
    story = Story([1000, 980, 985, 985], [1000, 980, 1000, 1000], [0, 0, 0, 0])
    story.liquidate(3, 0, 790, since=1)
    assert story.verdicts() == [(0, "exogenous", 0)]


def test_a_price_of_the_twin_before_the_account_was_healthy_does_not_count() -> None:
    story = Story([1000, 980, 1000, 980], [1000, 980, 1000, 1000], [0, 0, 0, 1])
    first = story.liquidate(1, 1, 790, since=1)
    story.liquidate(3, 0, 790, since=3)
    assert story.verdicts() == [(0, "exogenous", 0), (1, "price", first.trade)]


def test_each_generation_is_caused_by_the_one_before() -> None:
    # 990 outside; every sale takes 10 off, and each account stands 10 deeper than the one before
    story = Story([1000, 990, 980, 970], [1000, 990, 990, 990], [0, 0, 1, 2])
    story.liquidate(1, 0, 0.8 * 995, since=1)
    story.liquidate(2, 1, 0.8 * 985, since=2)
    story.liquidate(3, 2, 0.8 * 975, since=3)
    assert story.verdicts() == [(0, "exogenous", 0), (1, "price", 1), (2, "price", 2)]


def test_the_pivotal_trade_is_the_earliest_whose_effect_suffices() -> None:
    # three sales of wave 0 take 10 off in all; the account needed 5, so the second tipped it
    story = Story([1000, 990, 980], [1000, 990, 990], [0, 0, 3])
    for account in range(3):
        story.liquidate(1, account, 0.8 * 995, since=1)
    story.liquidate(2, 3, 0.8 * 985, since=2)
    assert story.verdicts()[3] == (1, "price", 2)


def test_a_late_liquidation_keeps_the_wave_it_would_have_had() -> None:
    # healthy at the twin's price, and by the time it is liquidated a second generation has sold
    story = Story([1000, 990, 980, 970, 970], [1000, 990, 990, 990, 990], [0, 0, 1, 2, 2])
    story.liquidate(1, 0, 0.8 * 995, since=1)
    story.liquidate(2, 1, 0.8 * 985, since=2)
    story.liquidate(4, 2, 0.8 * 985, since=2)
    assert story.verdicts()[2] == (1, "price", 1)


def test_a_toxic_repeat_keeps_its_wave() -> None:
    # the second liquidation would be wave 0 by the balances that the first one left
    story = Story([1000, 990, 980, 980], [1000, 990, 990, 990], [0, 0, 1, 2])
    story.liquidate(1, 0, 0.8 * 995, since=1)
    story.liquidate(2, 1, 0.8 * 985, since=2)
    story.liquidate(3, 1, 0.8 * 495, since=2, eth=0.49)
    assert story.verdicts()[1:] == [(1, "price", 1), (1, "repeat", 1)]


def test_a_liquidation_that_helped_does_not_make_the_next_a_repeat() -> None:
    # half closed at the outside price and healthy at it, but then others' sales reach it again
    story = Story([1000, 980, 960], [1000, 980, 980], [0, 0, 1])
    first = story.liquidate(1, 0, 0.8 * 985, since=1)
    story.liquidate(2, 0, 0.8 * 970, since=1)
    assert story.verdicts() == [(0, "exogenous", 0), (1, "price", first.trade)]


def test_a_second_liquidation_at_the_same_outside_price_is_no_cascade() -> None:
    story = Story([1000, 900, 900], [1000, 900, 900], [0, 0, 0])
    story.liquidate(1, 0, 795, since=1)
    story.liquidate(2, 0, 0.8 * 490, since=1, eth=0.5)
    assert story.verdicts() == [(0, "exogenous", 0), (0, "exogenous", 0)]


def test_an_account_that_became_healthy_starts_anew() -> None:
    story = Story([1000, 990, 1000, 980], [1000, 990, 1000, 1000], [0, 0, 1, 1])
    story.liquidate(1, 0, 0.8 * 995, since=1)
    story.liquidate(3, 0, 0.8 * 990, since=3)
    assert story.verdicts() == [(0, "exogenous", 0), (1, "price", 1)]


def test_growing_debt_at_a_steady_price_has_cause_other() -> None:
    story = Story([1000, 1000, 1000], [1000, 1000, 1000])
    story.liquidate(2, 0, 800.5, since=2)
    assert story.verdicts() == [(0, "other", 0)]


def test_interest_of_the_time_spent_waiting_does_not_change_the_cause() -> None:
    """The debt has grown by 1% since the price took it below 1: now, 801 would not be covered at
    the old price either, but the 793 of then were."""
    story = Story([1000, 990, 990, 990], [1000, 990, 990, 990])
    for row, growth in zip(story.run.blocks, (100, 100, 100, 101), strict=True):
        asset = AssetState(0, 0, 0, 0, 0, 10**27, 10**25 * growth, 0, 0, WAD)
        row.venues["market"] = VenueBlock((asset, asset), 0, 0, 0, 0, 0, 0)
    story.liquidate(3, 0, 801, since=1)
    assert story.verdicts() == [(0, "exogenous", 0)]
    grown = story.liquidate(3, 1, 809, since=1)
    assert story.verdicts()[1:] == [(0, "other", 0)]
    assert grown.position[1] * 100 // 101 > 800 * WAD


def test_a_price_that_no_trade_and_no_twin_explains_has_cause_other() -> None:
    story = Story([1000, 990], [1000, 1000])
    story.liquidate(1, 0, 795, since=1)
    assert story.verdicts() == [(0, "other", 0)]


def test_accounts_liquidatable_from_the_start_are_exogenous() -> None:
    story = Story([990, 990], [990, 990])
    story.liquidate(1, 0, 795, since=0)
    assert story.verdicts() == [(0, "exogenous", 0)]


def test_a_called_accounts_sale_has_a_wave_at_its_call_level() -> None:
    # account 2 is called at 1.1: its sale is wave 1, so what that causes is wave 2
    story = Story([1000, 990, 980, 970], [1000, 990, 990, 990], [0, 0, 1, 2])
    story.liquidate(1, 0, 0.8 * 995, since=1)
    called = CallState(2, words(1, 0.8 * 985 / 1.1), (980 * WAD, WAD), ((("ETH", 1),), ()))
    story.run.trades.append(trade(2, block=2, call=called, account=2))
    story.liquidate(3, 1, 0.8 * 975, since=3)
    assert story.verdicts() == [(0, "exogenous", 0), (2, "price", 2)]


def test_a_debt_that_was_bought_up_is_a_cascade_too() -> None:
    # USDX is 1% dearer than in the twin because the first liquidation bought it
    story = Story([1000, 990, 990], [1000, 990, 990])
    story.liquidate(1, 0, 0.8 * 995, since=1)
    story.liquidate(2, 1, 0.8 * 985, since=2)
    row = story.run.liquidations[1]
    row.prices = (990 * WAD, 101 * WAD // 100)
    row.feed_trades = ((), (("USDX", 1),))
    assert story.verdicts() == [(0, "exogenous", 0), (1, "price", 1)]


def test_health_at_the_twins_prices_is_judged_in_integers() -> None:
    # one wei of price tells the two apart, which no floating-point number would
    story = Story([1000, 1000], [1000, 1000], [0, 1])
    story.run.trades.append(trade(1, block=0))
    story.liquidate(1, 0, 800, since=1)
    row = story.run.liquidations[0]
    row.prices = (1000 * WAD - 1, WAD)
    assert story.verdicts() == [(1, "price", 1)]
    assert np.float64(1000 * WAD - 1) == np.float64(1000 * WAD)
