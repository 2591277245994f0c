"""Liquidation on real contracts: closed forms for its prices, its steps, and who takes the loss."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest

from harness.accounts import account
from harness.contracts import Contract
from harness.errors import Reverted

WAD = 10**18
RAY = 10**27
BPS = 10_000
USD = 10**18
PRICE = 10**8
NO_CAP = (1 << 128) - 1
M = 0.05  # maintenance ratio of the rig's tiers
TICK = 2e-8


def kind(rig: Any, who: str, symbol: str, **word: Any) -> str:
    """What a liquidation would be now: "healthy", "Liquidation" or "Takeover"."""
    with rig.undone():
        try:
            receipt = rig.liquidate(who, symbol, **word)
        except Reverted as error:
            if not str(error).startswith("Healthy"):
                raise
            return "healthy"
        return next(n for n in ("Liquidation", "Takeover") if rig.events(receipt, n))


def turning_price(
    rig: Any, symbol: str, low: float, high: float, is_bad: Callable[[], bool]
) -> float:
    """The published price between two at which an answer changes, found on the chain."""
    first, last = round(low * PRICE), round(high * PRICE)

    def answer(price: int) -> bool:
        with rig.undone():
            rig.price(symbol, price)
            return is_bad()

    at_first = answer(first)
    assert at_first != answer(last)
    while last - first > 1:
        middle = (first + last) // 2
        if answer(middle) == at_first:
            first = middle
        else:
            last = middle
    return last / PRICE


def lens_prices(rig: Any, who: str, symbol: str, **word: Any) -> tuple[float, float]:
    """Liquidation and bankruptcy price by the lens."""
    words = rig.lens_words("liquidationPrices", [rig.word(who, **word)])
    at = 2 * rig.id(symbol)
    return words[at] / WAD, words[at + 1] / WAD


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("size", "margin"), [(1, 300), (7, 1_500), (0.4, 790)])
def test_one_position_is_liquidated_and_bankrupt_at_the_closed_form_prices(
    rig: Any, side: int, size: float, margin: int
) -> None:
    rig.deposit("alice", margin * USD)
    rig.trade("alice", "ETH", int(side * size * WAD))
    p = 2_000
    # equity = maintenance margin: margin + side * size * (x - p) = M * size * x
    liquidation = (side * size * p - margin) / (size * (side - M))
    bankruptcy = p - side * margin / size
    # the form of Hyperliquid's documentation, from what is available above maintenance
    available = margin - M * size * p
    assert liquidation == pytest.approx(p - side * available / size / (1 - M * side))
    assert lens_prices(rig, "alice", "ETH") == pytest.approx((liquidation, max(0, bankruptcy)))
    bounds = sorted((p, bankruptcy + (liquidation - p) / 10))
    found = turning_price(
        rig, "ETH", max(1, bounds[0]), bounds[1], lambda: kind(rig, "alice", "ETH") != "healthy"
    )
    assert found == pytest.approx(liquidation, abs=TICK)
    if bankruptcy > 1:
        found = (
            turning_price(
                rig,
                "ETH",
                liquidation - side * 0.01,
                bankruptcy - side,
                lambda: kind(rig, "alice", "ETH") == "Takeover",
            )
            if side < 0
            else turning_price(
                rig,
                "ETH",
                bankruptcy - side,
                liquidation - side * 0.01,
                lambda: kind(rig, "alice", "ETH") == "Takeover",
            )
        )
        assert found == pytest.approx(bankruptcy, abs=TICK)


@pytest.mark.parametrize("sides", [(1, 1), (1, -1), (-1, 1)])
def test_several_positions_are_liquidated_at_the_closed_form_price_of_each(
    rig: Any, sides: tuple[int, int]
) -> None:
    rig.deposit("alice", 2_100 * USD)
    rig.trade("alice", "ETH", sides[0] * 5 * WAD)
    rig.trade("alice", "BTC", sides[1] * WAD // 4)
    rig.price("BTC", 40_400 * PRICE)
    equity = 2_100 + sides[1] * 100
    available = equity - M * (10_000 + 10_100)
    for symbol, size, side, p in (("ETH", 5, sides[0], 2_000), ("BTC", 0.25, sides[1], 40_400)):
        liquidation = p - side * available / size / (1 - M * side)
        bankruptcy = p - side * equity / size
        assert lens_prices(rig, "alice", symbol) == pytest.approx((liquidation, bankruptcy))
        found = turning_price(
            rig,
            symbol,
            *sorted((p, liquidation - side * 0.001 * p)),
            lambda: kind(rig, "alice", "ETH") != "healthy",
        )
        assert found == pytest.approx(liquidation, abs=TICK)


def test_cross_and_isolated_margin_trigger_at_the_drops_of_the_closed_forms(rig: Any) -> None:
    n, equity, own = 10_000, 2_600, 1_300
    usd = rig.usd.address
    rig.deposit("cross", equity * USD)
    rig.trade("cross", "ETH", 5 * WAD)
    rig.trade("cross", "BTC", WAD // 4)
    rig.deposit("split", equity * USD)
    for symbol, size in (("ETH", 5 * WAD), ("BTC", WAD // 4)):
        word = rig.word("split", isolated=symbol)
        rig.send("split", "move", rig.word("split"), word, usd, own * USD)
        rig.trade("split", symbol, size, isolated=symbol)
    expected = {
        "cross": (equity - 2 * M * n) / (n * (1 - M)),
        "split": (own - M * n) / (n * (1 - M)),
    }
    for who, isolated in (("cross", None), ("split", "ETH")):
        found = turning_price(
            rig,
            "ETH",
            1_000,
            2_000,
            lambda who=who, isolated=isolated: (
                kind(rig, who, "ETH", isolated=isolated) != "healthy"
            ),
        )
        assert 1 - found / 2_000 == pytest.approx(expected[who], abs=1e-10)
    # a loss in one market closes the healthy position in the other, unless it stands alone
    rig.price("ETH", 1_600 * PRICE)
    assert kind(rig, "cross", "BTC") == "Liquidation"
    assert kind(rig, "split", "BTC", isolated="BTC") == "healthy"


def test_liquidation_needs_equity_below_maintenance_and_exactly_there_is_healthy(
    make_rig: Any,
) -> None:
    rig = make_rig(decimals=6)
    rig.market("ETH", 2_000 * PRICE)
    rig.deposit("alice", 100 * 10**6 + 1)  # a buyer's cost is rounded up by one
    rig.configure("ETH", ((NO_CAP, 400, 300, 250, BPS),))
    rig.trade("alice", "ETH", WAD)
    rig.configure("ETH", ((NO_CAP, 1_000, 700, 500, BPS),))
    worth = rig.worth("alice")
    assert worth.equity == worth.maintenance == 100 * 10**6
    assert worth.ratio == WAD
    assert kind(rig, "alice", "ETH") == "healthy"
    rig.price("ETH", 1_999_99999999)
    assert kind(rig, "alice", "ETH") == "Liquidation"


# ---- Steps


LARGE = ((50_000 * USD, 1_000, 700, 500, BPS), (NO_CAP, 1_000, 700, 500, 2_000))


def test_a_large_position_is_closed_by_its_tiers_share_then_whole_and_no_faster(rig: Any) -> None:
    rig.configure("ETH", LARGE, cooldown=30, partial_steps=1)
    rig.deposit("whale", 10_000 * USD)
    rig.trade("whale", "ETH", 50 * WAD - 10**6)
    rig.price("ETH", 1_890 * PRICE)  # equity 4,500, maintenance 4,725
    size = rig.holding("whale").positions["ETH"].size
    event = rig.event(rig.liquidate("whale", "ETH"), "Liquidation")
    assert event["sizeClosed"] == -(-size * 2_000 // BPS)
    assert rig.holding("whale").positions["ETH"].size == size - event["sizeClosed"]
    stepped = rig.chain.now
    rig.price("ETH", 1_850 * PRICE)
    with rig.chain.reverts("CoolingDown", rig.word("whale"), 0, stepped + 30):
        rig.liquidate("whale", "ETH", after=stepped + 29 - rig.chain.now)
    event = rig.event(rig.liquidate("whale", "ETH", after=1), "Liquidation")
    assert rig.chain.now == stepped + 30
    assert event["sizeClosed"] == size - -(-size * 2_000 // BPS)
    assert rig.holding("whale").positions == {}
    rig.assert_books_balance()


def test_steps_are_as_many_as_stated_and_start_anew_after_their_window(rig: Any) -> None:
    rig.configure("ETH", LARGE, cooldown=60, partial_steps=2, step_window=600)
    rig.deposit("whale", 100_000 * USD)
    rig.trade("whale", "ETH", -500 * WAD + 10**7)
    rig.price("ETH", 2_120 * PRICE)
    size, closed = 500 * WAD - 10**7, []
    with rig.undone():
        for _ in range(3):
            event = rig.event(rig.liquidate("whale", "ETH", after=60), "Liquidation")
            closed.append(-event["sizeClosed"])
            rig.price("ETH", 2_140 * PRICE)
        assert closed[0] == -(-size // 5)
        assert closed[1] == -(-(size - closed[0]) // 5)
        assert closed[2] == size - closed[0] - closed[1]
    rig.liquidate("whale", "ETH")
    rig.price("ETH", 2_140 * PRICE)
    rig.liquidate("whale", "ETH", after=599)
    rig.price("ETH", 2_150 * PRICE)
    left = abs(rig.holding("whale").positions["ETH"].size)
    event = rig.event(rig.liquidate("whale", "ETH", after=601), "Liquidation")
    assert -event["sizeClosed"] == -(-left // 5)


def test_liquidators_who_try_every_second_close_no_faster(rig: Any) -> None:
    rig.configure("ETH", LARGE, cooldown=30, partial_steps=3)
    rig.deposit("whale", 1_000_000 * USD)
    size = 5_000 * WAD - 10**9
    rig.trade("whale", "ETH", size)
    rig.price("ETH", 1_880 * PRICE)
    closed: list[tuple[int, int]] = []
    left = size
    for second in range(120):
        if second % 10 == 9 and rig.holding("whale").positions:
            rig.price("ETH", (1_880 - second) * PRICE)
        with suppress(Reverted):
            receipt = rig.liquidate("whale", "ETH")
            closed.append((rig.chain.now, rig.event(receipt, "Liquidation")["sizeClosed"]))
    times = [time for time, _ in closed]
    assert len(closed) == 4
    assert all(later - sooner >= 30 for sooner, later in pairwise(times))
    for _, part in closed[:-1]:
        assert part == -(-left // 5)
        left -= part
    assert closed[-1][1] == left


def test_liquidation_goes_on_outside_the_price_band(rig: Any) -> None:
    rig.configure("ETH", band=500, band_decay=RAY)
    rig.deposit("alice", 300 * USD)
    rig.trade("alice", "ETH", WAD)
    rig.price("ETH", 1_750 * PRICE)
    with rig.chain.reverts("PriceOutOfBand"):
        rig.trade("alice", "ETH", -WAD)
    assert rig.event(rig.liquidate("alice", "ETH"), "Liquidation")


def test_margins_that_follow_volatility_liquidate_whom_the_price_alone_would_not(
    rig: Any,
) -> None:
    rig.deposit("alice", 280 * USD)
    rig.trade("alice", "ETH", -WAD)

    def swing() -> str:
        for price in (1_900, 2_000, 1_900, 2_000):
            rig.price("ETH", price * PRICE)
            rig.send("keeper", "accrue", 0, after=60)
        return kind(rig, "alice", "ETH")

    with rig.undone():
        assert swing() == "healthy"
    rig.configure("ETH", volatility_target=WAD // 20, volatility_decay=RAY * 999 // 1_000)
    assert swing() == "Liquidation"


def test_the_market_named_must_hold_a_position(rig: Any) -> None:
    rig.deposit("alice", 300 * USD)
    rig.trade("alice", "ETH", WAD)
    rig.price("ETH", 1_750 * PRICE)
    with rig.chain.reverts("NoPosition", rig.word("alice"), 1):
        rig.liquidate("alice", "BTC")


def test_a_position_below_the_large_tier_is_closed_whole_at_once(rig: Any) -> None:
    rig.configure("ETH", LARGE, partial_steps=1)
    rig.deposit("alice", 1_000 * USD)
    rig.trade("alice", "ETH", 5 * WAD - 10**6)
    rig.price("ETH", 1_890 * PRICE)
    rig.liquidate("alice", "ETH")
    assert rig.holding("alice").positions == {}


def test_the_lens_quotes_what_a_liquidation_does(rig: Any) -> None:
    rig.configure("ETH", LARGE, partial_steps=1, liquidation_fee=100)
    rig.set_risk(keeper_fee=7 * USD)
    rig.deposit("whale", 10_000 * USD)
    rig.trade("whale", "ETH", 50 * WAD - 10**6)

    def quote() -> list[int]:
        return rig.lens_words("liquidationQuotes", [rig.word("whale")])[1:]

    assert quote()[0] == 0
    rig.price("ETH", 1_890 * PRICE)
    step, market, size, reward, until = quote()
    assert (step, market, until) == (1, 0, 0)
    event = rig.event(rig.liquidate("whale", "ETH"), "Liquidation")
    assert event["sizeClosed"] == size
    assert event["reward"] == pytest.approx(reward, rel=1e-9)
    assert quote()[-1] == rig.chain.now + 30 or quote()[0] == 0
    rig.price("ETH", 1_700 * PRICE)
    assert quote()[:2] == [2, 0]
    assert quote()[3] == 7 * USD


# ---- Incentives and forced sales


def test_the_fee_is_split_and_never_more_than_the_equity(rig: Any) -> None:
    rig.configure("ETH", liquidation_fee=150, liquidator_share=6_000)
    rig.deposit("alice", 300 * USD)
    rig.trade("alice", "ETH", WAD)
    rig.price("ETH", 1_780 * PRICE)  # equity 80
    with rig.undone():
        event = rig.event(rig.liquidate("alice", "ETH"), "Liquidation")
        fee = -(-1_780 * USD * 150 // BPS)
        assert event["reward"] + event["insuranceFee"] == pytest.approx(fee, rel=1e-9)
        assert event["reward"] == pytest.approx(fee * 6_000 // BPS, rel=1e-9)
        assert rig.holding("liquidator").cash == event["reward"]
        assert rig.books().insurance == event["insuranceFee"]
        assert rig.holding("alice").cash == pytest.approx((80 * USD - fee), rel=1e-9)
        rig.assert_books_balance()
    rig.price("ETH", 1_705 * PRICE)  # equity 5: less than the fee
    event = rig.event(rig.liquidate("alice", "ETH"), "Liquidation")
    assert event["reward"] + event["insuranceFee"] == pytest.approx(5 * USD, rel=1e-9)
    assert rig.holding("alice").cash == 0


def test_other_collateral_is_sold_through_the_router_and_moves_the_price(rig: Any) -> None:
    pool = rig.collateral("WETH", 2_000 * PRICE, haircut=1_000, depth=100_000)
    rig.deposit("alice", 5 * WAD, "WETH")  # counts 9,000
    rig.trade("alice", "BTC", WAD)
    rig.price("BTC", 32_500 * PRICE)  # lost 7,500; equity 1,500, maintenance 1,625
    before = rig.chain.reserves(pool)
    receipt = rig.liquidate("alice", "BTC")
    sold = rig.event(receipt, "CollateralSold")
    (trade,) = rig.router.events(receipt.logs, "ForcedTrade")
    assert trade["origin"] == rig.exchange.address
    assert trade["account"] == account("alice").address
    assert (trade["amountIn"], trade["amountOut"]) == (sold["amountIn"], sold["amountOut"])
    assert trade["spotAfter"] < trade["spotBefore"]
    assert rig.chain.reserves(pool)[0] == before[0] + sold["amountIn"]
    # enough at the price less the haircut to pay 7,500
    assert sold["amountIn"] == pytest.approx(7_500 / 1_800 * WAD, rel=1e-9)
    holding = rig.holding("alice")
    assert holding.cash == pytest.approx(sold["amountOut"] - 7_500 * USD, rel=1e-9)
    assert holding.collateral["WETH"] == 5 * WAD - sold["amountIn"]
    rig.assert_books_balance()


def test_a_cut_sale_is_filled_by_the_sink_and_leaves_the_pool_alone(rig: Any) -> None:
    pool = rig.collateral("WETH", 2_000 * PRICE, haircut=1_000, depth=100_000)
    sink = rig.chain.deploy("Sink", rig.router.address)
    rig.chain.mint(rig.usd, sink.address, 10**6 * USD)
    rig.chain.send(rig.admin, rig.router, "setSink", sink.address)
    rig.chain.send(rig.admin, rig.router, "setCut", rig.exchange.address, True)
    rig.deposit("alice", 5 * WAD, "WETH")
    rig.trade("alice", "BTC", WAD)
    rig.price("BTC", 32_500 * PRICE)
    before = rig.chain.reserves(pool)
    sold = rig.event(rig.liquidate("alice", "BTC"), "CollateralSold")
    assert rig.chain.reserves(pool) == before
    assert sold["amountOut"] == pytest.approx(sold["amountIn"] * 2_000 * 0.997, rel=1e-9)
    rig.assert_books_balance()


def test_the_withdrawal_floor_keeps_a_whale_from_leaving_its_position_to_the_vault(
    rig: Any,
) -> None:
    """Hyperliquid, 12 March 2025: profit withdrawn, margin too thin, position left to the vault."""
    rig.configure("ETH", ((NO_CAP, 200, 150, 100, BPS),))
    rig.deposit("short", 10**7 * USD)
    rig.trade("short", "ETH", -5_000 * WAD)
    rig.deposit("whale", 2 * 10**5 * USD)

    def attack() -> tuple[int, int]:
        """Take out all that may go, then fall: (withdrawn, loss others pay)."""
        rig.trade("whale", "ETH", 4_000 * WAD)
        rig.price("ETH", 2_050 * PRICE)
        worth, cash = rig.worth("whale"), rig.holding("whale").cash
        floor = rig.risk["withdraw_floor"] * worth.notional // BPS
        amount = min(cash, worth.equity - max(worth.initial, floor) - USD)
        if amount > 0:
            rig.withdraw("whale", amount)
        rig.price("ETH", 1_960 * PRICE)
        receipt = rig.liquidate("whale", "ETH")
        return amount, sum(e["amount"] for e in rig.events(receipt, "LossPaid"))

    with rig.undone():
        amount, loss = attack()
        assert amount == 2 * 10**5 * USD
        assert loss > 10**5 * USD
    rig.set_risk(withdraw_floor=1_000)
    amount, loss = attack()
    assert amount < 0
    assert loss == 0


def test_selling_collateral_can_bring_an_account_back(rig: Any) -> None:
    rig.collateral("WETH", 2_000 * PRICE, haircut=5_000, depth=10_000_000)
    rig.deposit("alice", 5 * WAD, "WETH")  # counts 5,000 of 10,000
    rig.trade("alice", "BTC", WAD)
    rig.price("BTC", 35_000 * PRICE)  # lost 5,000: past the backstop at the haircut price only
    receipt = rig.liquidate("alice", "BTC")
    event = rig.event(receipt, "Takeover")
    assert event["by"] == 0
    assert event["equityBefore"] <= 0 < event["equityTaken"]
    assert rig.holding("alice").positions["BTC"].size == WAD
    rig.assert_books_balance()


# ---- Takeover


def past_bankruptcy(rig: Any, **word: Any) -> None:
    """Alice has lost 300 on 200 of margin."""
    rig.deposit("alice", 200 * USD)
    rig.trade("alice", "ETH", WAD - 10**6)
    rig.price("ETH", 1_700 * PRICE)


def test_the_fund_takes_over_what_it_can_carry_and_unwinds_it(rig: Any) -> None:
    rig.fund(1_000 * USD)
    rig.set_risk(keeper_fee=3 * USD)
    past_bankruptcy(rig)
    event = rig.event(rig.liquidate("alice", "ETH"), "Takeover")
    assert event["by"] == 1
    assert event["equityTaken"] == pytest.approx(-100 * USD, rel=1e-6)
    assert rig.holding("alice")[0] == 0
    assert rig.holding("alice").positions == {}
    assert rig.holding("liquidator").cash == 3 * USD
    assert rig.holding("insurance").positions["ETH"].size == WAD - 10**6
    assert rig.worth("insurance").equity == pytest.approx(897 * USD, rel=1e-6)
    assert rig.books().vault_equity == pytest.approx((10**6 + 300) * USD, rel=1e-9)
    rig.send("keeper", "unwind", 0, WAD // 4)
    rig.send("keeper", "unwind", 0, WAD)
    assert rig.holding("insurance").positions == {}
    assert rig.books().insurance == pytest.approx(897 * USD, rel=1e-6)
    rig.assert_books_balance()


def test_the_vault_takes_over_what_the_fund_cannot_carry_and_the_fund_pays_first(rig: Any) -> None:
    rig.fund(60 * USD)
    past_bankruptcy(rig)
    receipt = rig.liquidate("alice", "ETH")
    assert rig.event(receipt, "Takeover")["by"] == 2
    fund, vault = rig.events(receipt, "LossPaid")
    assert (fund["by"], fund["amount"]) == (1, 60 * USD)
    assert vault["by"] == 2
    assert vault["amount"] == pytest.approx(40 * USD, rel=1e-6)
    assert rig.books().insurance == 0
    assert rig.books().vault_equity == pytest.approx((10**6 + 300 - 40) * USD, rel=1e-9)
    assert rig.state("ETH").long == 0
    rig.assert_books_balance()


def test_above_zero_equity_a_backstop_hands_what_is_left_to_the_taker(rig: Any) -> None:
    rig.set_risk(backstop=6_667)
    rig.deposit("alice", 200 * USD)
    rig.trade("alice", "ETH", WAD - 10**6)
    rig.price("ETH", 1_870 * PRICE)  # equity 70 above 2/3 of 93.5
    assert kind(rig, "alice", "ETH") == "Liquidation"
    rig.price("ETH", 1_860 * PRICE)  # 60 below 62
    event = rig.event(rig.liquidate("alice", "ETH"), "Takeover")
    assert event["by"] == 2
    assert rig.books().vault_equity == pytest.approx((10**6 + 200) * USD, rel=1e-9)
    assert rig.holding("alice").cash == 0
    rig.assert_books_balance()


def test_a_loss_without_positions_is_sold_out_and_absorbed(rig: Any) -> None:
    rig.collateral("WETH", 2_000 * PRICE, haircut=0, depth=100_000)
    rig.deposit("alice", WAD, "WETH")
    rig.trade("alice", "BTC", WAD // 4)
    rig.price("BTC", 34_000 * PRICE)
    rig.trade("alice", "BTC", -WAD // 4)  # cash -1,500 against 2,000 of WETH
    rig.price("WETH", 1_400 * PRICE)
    receipt = rig.liquidate("alice", "BTC")
    assert rig.events(receipt, "CollateralSold")
    holding = rig.holding("alice")
    assert (holding.positions, holding.collateral) == ({}, {"WETH": 0})
    assert holding.cash > 0  # the pool still paid more than the feed said
    rig.assert_books_balance()


# ---- The waterfall's part


class Waterfall:
    """Does what the test asks, as the exchange's waterfall."""

    def __init__(self, rig: Any, **risk: Any) -> None:
        self.rig = rig
        self.probe: Contract = rig.chain.deploy("PerpWaterfallProbe", rig.exchange.address)
        rig.send("admin", "setWaterfall", self.probe.address)
        rig.set_risk(**risk)

    def __call__(self, function: str, *args: Any) -> None:
        data = self.rig.exchange.encode(function, *args)
        self.rig.chain.send(account("keeper").address, self.probe, "run", data)

    def told(self, receipt: Any) -> list[dict[str, Any]]:
        """What the exchange has told it."""
        return self.probe.events(receipt.logs, "Told")


def test_beyond_fund_and_vault_an_account_is_left_to_the_waterfall(rig: Any) -> None:
    run = Waterfall(rig, vault_floor=10**6 * USD)
    rig.deposit("bob", 1_000 * USD)
    rig.trade("bob", "ETH", -2 * WAD)
    past_bankruptcy(rig)
    alice, bob = rig.word("alice"), rig.word("bob")
    rig.chain.send(*redeem_profit(rig))
    receipt = rig.liquidate("alice", "ETH")
    assert rig.event(receipt, "Takeover")["by"] == 3
    (note,) = run.told(receipt)
    assert note["equity"] == pytest.approx(-100 * USD, rel=1e-6)
    assert rig.holding("alice").in_default
    for action in (
        lambda: rig.trade("alice", "ETH", WAD),
        lambda: rig.deposit("alice", USD),
        lambda: rig.liquidate("alice", "ETH"),
    ):
        with rig.chain.reverts("InDefault", alice):
            action()

    # deleveraging at the bankruptcy price of 1,800 closes both and leaves the vault as it was
    before = rig.books().vault_equity
    skew = rig.state("ETH").long - rig.state("ETH").short
    with rig.chain.reverts("NotOpposite"):
        run("closePair", alice, rig.word("carol"), 0, WAD, 1_800 * WAD)
    with rig.chain.reverts("InDefault"):
        run("writeOff", alice)
    run("closePair", alice, bob, 0, WAD - 10**6, 1_800 * WAD)
    assert rig.holding("alice").positions == {}
    assert rig.holding("alice").cash == pytest.approx(0, abs=10**9)
    assert rig.holding("bob").cash == pytest.approx(1_200 * USD, abs=10**12)
    assert rig.state("ETH").long - rig.state("ETH").short == skew
    assert rig.books().vault_equity == pytest.approx(before, abs=10)
    run("writeOff", alice)
    assert not rig.holding("alice").in_default
    rig.assert_books_balance()


def redeem_profit(rig: Any) -> tuple[Any, ...]:
    """A redemption that brings the vault to its floor."""
    lp = account("lp").address
    return lp, rig.vault, "redeem", 10 * USD, lp


def test_a_deficit_is_booked_and_paid_by_whoever_the_waterfall_names(rig: Any) -> None:
    run = Waterfall(rig, vault_floor=10**6 * USD)
    rig.deposit("bob", 1_000 * USD)
    rig.trade("bob", "ETH", -WAD)
    past_bankruptcy(rig)
    rig.chain.send(*redeem_profit(rig))
    alice, bob = rig.word("alice"), rig.word("bob")
    rig.liquidate("alice", "ETH")
    with rig.chain.reverts("NotInDefault", bob):
        run("closeToVault", bob, 0)
    run("closeToVault", alice, 0)
    with rig.chain.reverts("NoPosition"):
        run("closeToVault", alice, 0)
    run("writeOff", alice)
    deficit = rig.books().deficit
    assert deficit == pytest.approx(100 * USD, rel=1e-6)
    rig.assert_books_balance()

    run("haircut", bob, 30 * USD)
    assert rig.holding("bob").cash == 970 * USD
    with rig.chain.reverts("MoreThanProfit"):
        run("haircut", alice, 1)
    rig.fund(20 * USD)
    with rig.chain.reverts("InsufficientCollateral"):
        run("chargeInsurance", 21 * USD)
    run("chargeInsurance", 20 * USD)
    run("chargeVault", 10 * USD)
    with rig.chain.reverts("MoreThanDeficit"):
        run("chargeVault", 100 * USD)
    left = rig.books().deficit
    assert left == deficit - 60 * USD
    rig.chain.mint(rig.usd, account("fund").address, left)
    rig.chain.approve(account("fund").address, rig.usd, rig.exchange)
    rig.send("fund", "coverDeficit", left)
    assert rig.books().deficit == 0
    rig.assert_books_balance()


def test_what_a_close_out_leaves_unpaid_stops_at_the_vaults_floor(rig: Any) -> None:
    run = Waterfall(rig)
    rig.configure("ETH", skew_scale=100 * WAD)
    rig.deposit("alice", 200 * USD)
    rig.deposit("bob", 10**6 * USD)
    rig.trade("alice", "ETH", WAD // 2)
    rig.trade("bob", "ETH", -30 * WAD)
    rig.price("ETH", 1_660 * PRICE)  # closing a long now pays much less than the mark price
    with rig.undone():
        receipt = rig.liquidate("alice", "ETH")
        assert rig.event(receipt, "Liquidation")
        loss = rig.event(receipt, "LossPaid")["amount"]
        assert loss > 100 * USD
        vault = rig.books().vault_equity + loss
        assert not run.told(receipt)
    rig.set_risk(vault_floor=vault - 30 * USD)
    receipt = rig.liquidate("alice", "ETH")
    assert rig.event(receipt, "LossPaid")["amount"] == 30 * USD
    assert rig.event(receipt, "DeficitBooked")["amount"] == loss - 30 * USD
    assert run.told(receipt)[0]["deficit"] == rig.books().deficit == loss - 30 * USD
    assert rig.holding("alice")[0] == 0
    rig.assert_books_balance()


def test_the_insurance_fund_itself_can_be_liquidated(rig: Any) -> None:
    rig.fund(300 * USD)
    past_bankruptcy(rig)
    rig.liquidate("alice", "ETH")
    assert rig.holding("insurance").positions
    rig.price("ETH", 1_560 * PRICE)
    rig.send("liquidator", "liquidate", rig.word("insurance"), 0)
    assert rig.holding("insurance").positions == {}
    with rig.chain.reverts("NoPosition"):
        rig.send("keeper", "unwind", 0, 1)
    rig.assert_books_balance()
