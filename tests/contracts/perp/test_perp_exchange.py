"""Accounts, trades, funding, margin calls, guards, the vault: the rules one by one."""

from __future__ import annotations

from typing import Any

import pytest

from harness.accounts import account
from harness.contracts import decode_error
from harness.errors import Reverted

WAD = 10**18
RAY = 10**27
BPS = 10_000
USD = 10**18
DAY = 24 * 3_600
PRICE = 10**8
MAX = (1 << 256) - 1
NO_CAP = (1 << 128) - 1


def test_a_trade_at_the_index_price_costs_nothing_and_is_held_as_size_and_cost(rig: Any) -> None:
    rig.deposit("alice", 1_000 * USD)
    fill = rig.trade("alice", "ETH", 2 * WAD)
    # the skew's effect at the largest skew scale: 2,000e18 * 2e18 / 2e38
    assert fill["priceWad"] == 2_000 * WAD + 20
    holding = rig.holding("alice")
    assert holding.cash == 1_000 * USD
    assert holding.positions["ETH"].size == 2 * WAD
    assert holding.positions["ETH"].cost == 4_000 * USD + 40
    state = rig.state("ETH")
    assert (state.long, state.short, state.cost) == (2 * WAD, 0, 4_000 * USD + 40)
    worth = rig.worth("alice")
    assert worth[:6] == (1_000 * USD - 40, -40, 4_000 * USD, 400 * USD, 280 * USD, 200 * USD)
    rig.assert_books_balance()


def test_profit_is_paid_by_the_vault_and_loss_paid_to_it(rig: Any) -> None:
    for who, size, sign in (("alice", 2 * WAD, 1), ("bob", -3 * WAD, -1)):
        with rig.undone():
            rig.deposit(who, 1_000 * USD)
            rig.trade(who, "ETH", size)
            rig.price("ETH", 2_100 * PRICE)
            before = rig.books().vault
            fill = rig.trade(who, "ETH", -size)
            assert abs(fill["realised"] - sign * 100 * abs(size)) < 1_000
            assert rig.books().vault == before - fill["realised"]
            assert rig.holding(who).positions == {}
            assert rig.holding(who).cash == 1_000 * USD + fill["realised"]
            assert rig.state("ETH")[2:5] == (0, 0, 0)
            rig.assert_books_balance()


def test_a_trade_through_zero_closes_one_position_and_opens_another(rig: Any) -> None:
    rig.deposit("alice", 1_000 * USD)
    rig.trade("alice", "ETH", WAD)
    rig.price("ETH", 2_200 * PRICE)
    fill = rig.trade("alice", "ETH", -3 * WAD)
    position = rig.holding("alice").positions["ETH"]
    assert fill["realised"] == pytest.approx(200 * USD, abs=200)
    assert position.size == -2 * WAD
    assert position.cost == pytest.approx(-4_400 * USD, abs=200)
    assert rig.state("ETH")[2:4] == (0, 2 * WAD)


def test_the_fill_price_is_the_mean_of_the_skew_price_before_and_after(rig: Any) -> None:
    rig.configure("ETH", skew_scale=10_000 * WAD)
    rig.deposit("alice", 1_000_000 * USD)
    assert rig.trade("alice", "ETH", 100 * WAD)["priceWad"] == 2_010 * WAD
    assert rig.trade("alice", "ETH", 100 * WAD)["priceWad"] == 2_030 * WAD
    assert rig.trade("alice", "ETH", -300 * WAD)["priceWad"] == 2_010 * WAD
    assert rig.trade("alice", "ETH", 100 * WAD)["priceWad"] == 1_990 * WAD
    rig.assert_books_balance()
    # a round trip that ends where the skew began costs nothing but rounding
    assert rig.holding("alice").cash == pytest.approx(1_000_000 * USD, abs=10)


def test_fees_are_makers_for_the_part_that_reduces_the_skew(rig: Any) -> None:
    rig.configure("ETH", maker_fee=200, taker_fee=500)
    for who in ("alice", "bob"):
        rig.deposit(who, 100_000 * USD)
    fee = rig.trade("alice", "ETH", 10 * WAD)["fee"]
    assert fee == pytest.approx(20_000 * USD * 500 // 10**6, abs=10)
    books = rig.books()
    assert books.insurance == fee * 3_000 // BPS
    assert books.fees == fee - fee * 6_000 // BPS - fee * 3_000 // BPS
    fee = rig.trade("bob", "ETH", -15 * WAD)["fee"]
    assert fee == pytest.approx((20_000 * 200 + 10_000 * 500) * USD // 10**6, abs=10)
    rig.send("admin", "collectFees", account("treasury").address)
    assert rig.books().fees == 0
    rig.assert_books_balance()


def test_margin_is_asked_for_initially_to_grow_and_maintenance_to_reduce(rig: Any) -> None:
    rig.deposit("alice", 400 * USD)
    with rig.chain.reverts("InsufficientMargin"):
        rig.trade("alice", "ETH", 2 * WAD + WAD // 100)
    rig.trade("alice", "ETH", 2 * WAD - 10**6)
    rig.price("ETH", 1_950 * PRICE)  # equity 300, maintenance 195
    with rig.chain.reverts("InsufficientMargin"):
        rig.trade("alice", "ETH", WAD // 100)
    rig.trade("alice", "ETH", -WAD // 2)
    with rig.chain.reverts("InsufficientMargin"):
        rig.trade("alice", "ETH", -4 * WAD)


def test_price_limits_hold(rig: Any) -> None:
    rig.deposit("alice", 10_000 * USD)
    with rig.chain.reverts("PriceLimit", 2_000 * WAD + 10, 1_999 * WAD):
        rig.trade("alice", "ETH", WAD, limit=1_999 * WAD)
    with rig.chain.reverts("PriceLimit", 2_000 * WAD - 10, 2_001 * WAD):
        rig.trade("alice", "ETH", -WAD, limit=2_001 * WAD)


def test_tiers_apply_to_the_part_of_the_notional_in_them(rig: Any) -> None:
    tiers = ((10_000 * USD, 500, 400, 250, BPS), (NO_CAP, 1_000, 800, 500, 2_000))
    rig.configure("ETH", tiers)
    rig.deposit("alice", 10_000 * USD)
    rig.trade("alice", "ETH", 10 * WAD)
    worth = rig.worth("alice")
    assert worth.initial == (500 + 1_000) * USD
    assert worth.call == (400 + 800) * USD
    assert worth.maintenance == (250 + 500) * USD


def test_collateral_counts_after_its_haircut(rig: Any) -> None:
    rig.collateral("WBTC", 40_000 * PRICE, decimals=8, haircut=2_000)
    rig.deposit("alice", 10**8, "WBTC")
    rig.trade("alice", "ETH", WAD)
    worth = rig.worth("alice")
    assert worth.equity - worth.unrealised == 32_000 * USD
    assert worth.full_equity - worth.unrealised == 40_000 * USD
    rig.assert_books_balance()


def test_contracts_are_quoted_in_the_settlement_token_at_its_own_price(make_rig: Any) -> None:
    rig = make_rig(decimals=6, settlement_feed=True)
    rig.market("ETH", 2_000 * PRICE)
    rig.deposit("alice", 1_000 * 10**6)
    rig.trade("alice", "ETH", WAD)
    rig.price("USD", 80_000_000)  # a dollar coin at $0.80: ETH costs 2,500 of them
    assert rig.state("ETH").index == 2_500 * WAD
    assert rig.worth("alice").equity == pytest.approx(1_500 * 10**6, abs=2)


def test_sub_accounts_and_isolated_positions_stand_alone(rig: Any) -> None:
    usd, alice = rig.usd.address, account("alice").address
    rig.deposit("alice", 2_000 * USD)
    rig.send("alice", "move", rig.word("alice"), rig.word("alice", 7), usd, 500 * USD)
    isolated = rig.word("alice", isolated="BTC")
    rig.send("alice", "move", rig.word("alice"), isolated, usd, 500 * USD)
    rig.trade("alice", "BTC", WAD // 10, isolated="BTC")
    with rig.chain.reverts("IsolatedMarket", isolated, 0):
        rig.trade("alice", "ETH", WAD // 10, isolated="BTC")
    rig.trade("alice", "ETH", WAD)
    assert rig.holding("alice").cash == 1_000 * USD
    assert rig.holding("alice", sub=7).cash == 500 * USD
    with rig.chain.reverts("DifferentOwner"):
        rig.send("alice", "move", rig.word("alice"), rig.word("bob"), usd, USD)
    with rig.chain.reverts("InsufficientMargin"):
        rig.send("alice", "move", isolated, rig.word("alice"), usd, 200 * USD)
    with rig.chain.reverts("NotAuthorised", rig.word("alice"), account("bob").address):
        rig.send("bob", "withdraw", rig.word("alice"), usd, USD, alice)
    rig.send("alice", "setOperator", account("bob").address, True)
    rig.send("bob", "withdraw", rig.word("alice"), usd, USD, alice)
    rig.assert_books_balance()


def test_more_than_there_is_cannot_be_withdrawn(rig: Any) -> None:
    rig.collateral("WBTC", 40_000 * PRICE)
    rig.deposit("alice", WAD, "WBTC")
    with rig.chain.reverts("InsufficientCollateral"):
        rig.withdraw("alice", 1)
    with rig.chain.reverts("InsufficientCollateral"):
        rig.withdraw("alice", WAD + 1, "WBTC")
    rig.withdraw("alice", WAD, "WBTC")
    assert rig.chain.balance(rig.tokens["WBTC"], account("alice").address) == WAD


def test_rounding_is_always_at_the_traders_expense(make_rig: Any, rng: Any) -> None:
    """Ten thousand trades at one index price that end flat: skew prices cancel out, and what is
    missing is rounding, less than three units a trade."""
    rig = make_rig(decimals=6)
    rig.market("ETH", 2_000 * PRICE, skew_scale=7_777 * WAD + 13)
    traders = [(f"trader{i}", account(f"trader{i}").address) for i in range(4)]
    for who, _ in traders:
        rig.deposit(who, 10**12)
    sizes = dict.fromkeys((who for who, _ in traders), 0)
    trades = 10_000
    for _ in range(trades // 100):
        calls = []
        for _ in range(100):
            who, address = rng.choice(traders)
            size = rng.choice([1, -1]) * rng.choice([1, int(10 ** rng.uniform(0, 20))])
            if abs(sizes[who] + size) > 200 * WAD:
                size = -sizes[who] // 2 or 1
            sizes[who] += size
            limit = MAX if size > 0 else 0
            calls.append((address, rig.exchange, "trade", rig.word(who), 0, size, limit))
        rig.chain.send_block(calls)
    for who, size in sizes.items():
        if size:
            rig.trade(who, "ETH", -size)
    books = rig.books()
    assert rig.state("ETH")[2:5] == (0, 0, 0)
    assert -3 * trades < books.cash - 4 * 10**12 < 0
    rig.assert_books_balance()


# ---- Funding


def test_funding_over_a_day_is_that_of_an_integer_model(rig: Any) -> None:
    rig.configure(
        "ETH",
        skew_scale=1_000 * WAD,
        funding_slope=WAD // 10,
        interest=WAD // 3_333,
        funding_cap=WAD // 50,
    )
    for who in ("alice", "bob"):
        rig.deposit(who, 10**6 * USD)
    rig.trade("alice", "ETH", 120 * WAD + 7)
    rig.trade("bob", "ETH", -50 * WAD + 3)
    index, at = rig.state("ETH").funding_index, rig.chain.now
    day_over = at + DAY
    skew = 70 * WAD + 10
    sizes = {"alice": 120 * WAD + 7, "bob": -50 * WAD + 3}
    start = {who: rig.holding(who) for who in sizes}
    for hour in range(24):
        price = (2_000 + 13 * hour) * PRICE
        rig.price("ETH", price)
        rig.send("keeper", "accrue", rig.id("ETH"), after=3_599)
        elapsed, at = rig.chain.now - at, rig.chain.now
        share = skew * WAD // (1_000 * WAD)
        rate = min(share * (WAD // 10) // WAD + WAD // 3_333, WAD // 50)
        index += rate * price * 10**10 * elapsed // (WAD * DAY)
    assert at == day_over
    assert rig.state("ETH").funding_index == index
    before = rig.books().vault
    for who, size in sizes.items():
        position = start[who].positions["ETH"]
        owed = -(-size * (index - position.funding_index) // WAD)  # rounded up
        profit = size * rig.state("ETH").mark // WAD - position.cost
        assert rig.worth(who).unrealised == profit - owed
    fill = rig.trade("alice", "ETH", WAD)
    assert fill["funding"] > 0
    assert rig.books().vault == before + fill["funding"]
    assert rig.trade("bob", "ETH", -WAD)["funding"] < 0
    rig.assert_books_balance()


def test_funding_is_bounded_and_turns_with_the_skew(rig: Any) -> None:
    rig.configure("ETH", skew_scale=100 * WAD, funding_slope=WAD, funding_cap=WAD // 20)
    rig.deposit("alice", 10**6 * USD)
    rig.trade("alice", "ETH", 90 * WAD)
    assert rig.state("ETH").funding_rate == WAD // 20
    rig.trade("alice", "ETH", -180 * WAD)
    assert rig.state("ETH").funding_rate == -WAD // 20
    rig.trade("alice", "ETH", 92 * WAD)
    assert rig.state("ETH").funding_rate == WAD // 50


# ---- Mark price


def test_the_mark_premium_follows_the_skew_exponentially_up_to_its_bound(rig: Any) -> None:
    half_life = 999_000_000_000_000_000_000_000_000  # 0.1% less each second
    rig.configure("ETH", skew_scale=1_000 * WAD, premium_bound=100, premium_decay=half_life)
    rig.deposit("alice", 10**6 * USD)
    rig.trade("alice", "ETH", 20 * WAD)
    rig.chain.wait(500)
    state = rig.state("ETH")
    assert state.premium == pytest.approx(0.02 * (1 - 0.999**500) * WAD, rel=1e-9)
    assert state.mark == 2_000 * WAD + 2_000 * WAD * state.premium // WAD
    rig.chain.wait(10_000)
    assert rig.state("ETH").premium == pytest.approx(0.02 * WAD, rel=1e-4)
    assert rig.state("ETH").mark == 2_020 * WAD


def test_the_mark_price_is_bounded_under_random_skew(rig: Any, rng: Any) -> None:
    rig.configure("ETH", skew_scale=500 * WAD, premium_bound=50, premium_decay=RAY * 99 // 100)
    rig.deposit("alice", 10**9 * USD)
    seen = []
    for _ in range(150):
        skew = rig.state("ETH").long - rig.state("ETH").short
        target = rng.randint(-300 * WAD, 300 * WAD)
        rig.trade("alice", "ETH", target - skew, after=rng.choice([1, 12, 600]))
        rig.price("ETH", rng.randint(500, 5_000) * PRICE)
        state = rig.state("ETH")
        assert abs(state.mark - state.index) <= state.index * 50 // BPS
        assert abs(state.premium) <= WAD * 3 // 5
        seen.append(state.mark - state.index)
    assert min(seen) < 0 < max(seen)


# ---- Margin calls


def test_a_margin_call_is_recorded_once_an_episode(rig: Any) -> None:
    rig.deposit("alice", 400 * USD)
    rig.trade("alice", "ETH", 2 * WAD - 10**6)
    with rig.chain.reverts("NotCallable"):
        rig.call("alice")  # just opened at the largest leverage
    rig.price("ETH", 1_930 * PRICE)  # equity 260, call 270.2, maintenance 193
    event = rig.event(rig.call("alice"), "MarginCall")
    assert event["equity"] == pytest.approx(260 * USD, abs=10**9)
    assert event["callMargin"] == pytest.approx(270_200 * USD // 1_000, rel=1e-9)
    called_at = rig.holding("alice").called_at
    assert called_at == rig.chain.now
    with rig.chain.reverts("AlreadyCalled", rig.word("alice"), called_at):
        rig.call("alice")
    with rig.chain.reverts("StillCalled"):
        rig.send("keeper", "endCall", rig.word("alice"))
    with rig.undone():  # met with cash
        assert not rig.events(rig.deposit("alice", USD), "MarginCallEnded")
        assert rig.event(rig.deposit("alice", 10 * USD), "MarginCallEnded")
        assert rig.holding("alice").called_at == 0
    with rig.undone():  # cash comes in while no price does
        rig.configure("ETH", max_age=1)
        rig.chain.wait(5)
        assert not rig.events(rig.deposit("alice", 20 * USD), "MarginCallEnded")
        assert rig.holding("alice").called_at == called_at
    rig.price("ETH", 1_940 * PRICE)
    assert rig.event(rig.send("keeper", "endCall", rig.word("alice")), "MarginCallEnded")
    with rig.chain.reverts("NotCalled"):
        rig.send("keeper", "endCall", rig.word("alice"))
    rig.price("ETH", 1_915 * PRICE)
    assert rig.event(rig.call("alice"), "MarginCall")


def test_reducing_meets_a_call(rig: Any) -> None:
    rig.deposit("alice", 400 * USD)
    rig.trade("alice", "ETH", 2 * WAD - 10**6)
    rig.price("ETH", 1_930 * PRICE)
    rig.call("alice")
    receipt = rig.send("alice", "trade", rig.word("alice"), 0, -WAD, 0)
    assert rig.event(receipt, "MarginCallEnded")
    assert rig.holding("alice").called_at == 0


def test_no_position_just_opened_at_the_largest_leverage_can_be_called(rig: Any, rng: Any) -> None:
    tiers = ((5_000 * USD, 500, 499, 250, BPS), (NO_CAP, 1_000, 999, 500, 2_000))
    rig.configure(
        "ETH",
        tiers,
        skew_scale=1_000 * WAD,
        premium_bound=100,
        premium_decay=RAY * 9 // 10,
        taker_fee=500,
        maker_fee=100,
        open_interest_slope=5_000,
    )
    for i in range(25):
        who = f"trader{i}"
        rig.deposit(who, rng.randint(100, 5_000) * USD)
        low, high, side = 0, 100 * WAD, rng.choice([1, -1])
        while high - low > WAD // 10**9:
            middle = (low + high) // 2
            with rig.undone():
                if is_margin_enough(rig, who, side * middle):
                    low = middle
                else:
                    high = middle
        rig.trade(who, "ETH", side * low)
        worth = rig.worth(who)
        assert 0 <= worth.equity - worth.initial < worth.initial // 10**6
        assert worth.equity >= worth.call


def is_margin_enough(rig: Any, who: str, size: int) -> bool:
    try:
        rig.trade(who, "ETH", size)
    except Reverted as error:
        if not str(error).startswith("InsufficientMargin"):
            raise
        return False
    return True


# ---- Guards


def test_open_interest_is_capped_on_each_side(rig: Any) -> None:
    rig.deposit("alice", 10**6 * USD)
    rig.deposit("bob", 10**6 * USD)
    rig.configure("ETH", long_cap=10 * WAD, short_cap=5 * WAD)
    rig.trade("alice", "ETH", 10 * WAD)
    rig.trade("bob", "ETH", -5 * WAD)
    with rig.chain.reverts("OpenInterestCap", 0, 10 * WAD, 10 * WAD + 1):
        rig.trade("alice", "ETH", 1)
    with rig.chain.reverts("OpenInterestCap", 0, 5 * WAD, 6 * WAD):
        rig.trade("bob", "ETH", -WAD)
    rig.configure("ETH", long_cap=WAD)
    rig.trade("alice", "ETH", -WAD)  # closing needs no room
    rig.configure("ETH", long_cap=NO_CAP)
    rig.trade("alice", "ETH", 100 * WAD)


def test_the_price_band_stops_trades_and_withdrawals_until_the_average_follows(rig: Any) -> None:
    rig.configure("ETH", band=500, band_decay=RAY * 999 // 1_000)
    rig.deposit("alice", 10**6 * USD)
    rig.trade("alice", "ETH", WAD)
    rig.price("ETH", 2_099 * PRICE)
    rig.trade("alice", "ETH", WAD)
    rig.price("ETH", 2_500 * PRICE)
    with rig.chain.reverts("PriceOutOfBand"):
        rig.trade("alice", "ETH", -WAD)
    with rig.chain.reverts("PriceOutOfBand"):
        rig.withdraw("alice", USD)
    with rig.undone():
        rig.configure("ETH", band=0)
        rig.withdraw("alice", USD)
    rig.send("keeper", "accrue", 0)
    rig.chain.wait(3_000)
    rig.trade("alice", "ETH", -WAD)


def test_the_withdrawal_floor_keeps_a_share_of_the_notional(rig: Any) -> None:
    rig.deposit("whale", 1_000 * USD)
    rig.trade("whale", "ETH", 4 * WAD)
    rig.price("ETH", 2_500 * PRICE)  # equity 3,000, notional 10,000
    with rig.undone():
        rig.withdraw("whale", 1_000 * USD)  # off: all cash, as unrealised profit counts
    rig.set_risk(withdraw_profit=False)
    with rig.chain.reverts("InsufficientMargin"):
        rig.withdraw("whale", USD)
    rig.set_risk(withdraw_profit=True, withdraw_floor=2_500)
    with rig.chain.reverts("InsufficientMargin"):
        rig.withdraw("whale", 501 * USD)
    rig.withdraw("whale", 499 * USD)


def test_margins_grow_with_open_interest(rig: Any) -> None:
    rig.configure("ETH", skew_scale=100 * WAD, open_interest_slope=20_000)
    rig.deposit("alice", 10**6 * USD)
    rig.trade("alice", "ETH", 10 * WAD)
    assert rig.state("ETH").margin_scale == 12_000
    assert rig.worth("alice").maintenance == 20_000 * USD * 5 // 100 * 12 // 10
    rig.trade("alice", "ETH", 80 * WAD)
    assert rig.state("ETH").margin_scale == 28_000
    rig.configure("ETH", scale_cap=15_000)
    assert rig.state("ETH").margin_scale == 15_000
    rig.configure("ETH", open_interest_slope=0)
    assert rig.state("ETH").margin_scale == BPS


def test_margins_grow_with_volatility_and_shrink_again(rig: Any) -> None:
    rig.configure("ETH", volatility_target=WAD // 20, volatility_decay=RAY * 9_999 // 10_000)
    rig.deposit("alice", 10**6 * USD)
    rig.trade("alice", "ETH", WAD)
    assert rig.state("ETH").margin_scale == BPS
    for step in range(1, 6):
        rig.price("ETH", (2_000 - 20 * step) * PRICE)
        rig.send("keeper", "accrue", 0, after=60)
    state = rig.state("ETH")
    assert BPS < state.margin_scale <= 3 * BPS
    volatility = (state.variance * DAY) ** 0.5
    assert state.margin_scale == pytest.approx(min(3, volatility / (WAD / 20)) * BPS, rel=1e-3)
    rig.chain.wait(10 * DAY)
    assert rig.state("ETH").margin_scale == BPS


def test_each_pause_stops_what_it_names(rig: Any) -> None:
    rig.deposit("alice", 10_000 * USD)
    rig.trade("alice", "ETH", WAD)
    calls = {
        1: lambda: rig.trade("alice", "ETH", WAD),
        2: lambda: rig.withdraw("alice", USD),
        4: lambda: rig.liquidate("alice", "ETH"),
    }
    for flag in calls:
        rig.send("admin", "setPaused", flag)
        for other, action in calls.items():
            with rig.undone():
                if other == flag:
                    with rig.chain.reverts("Paused", flag):
                        action()
                elif other == 4:
                    with rig.chain.reverts("Healthy"):
                        action()
                else:
                    action()
    rig.send("admin", "setPaused", 7)
    rig.deposit("alice", USD)  # paying in is never stopped


def test_only_the_admin_administers(rig: Any) -> None:
    bob = account("bob").address
    for function, args in (
        ("listMarket", rig.market_config("ETH")),
        ("setMarketConfig", (0, *rig.market_config("ETH"))),
        ("setRiskConfig", (tuple(rig.risk.values()),)),
        ("setPaused", (1,)),
        ("setVault", (bob,)),
        ("setWaterfall", (bob,)),
        ("collectFees", (bob,)),
    ):
        with rig.chain.reverts("NotAdmin", bob):
            rig.send("bob", function, *args)
    for function, args in (
        ("closePair", (rig.word("bob"), rig.word("bob"), 0, 1, 1)),
        ("closeToVault", (rig.word("bob"), 0)),
        ("writeOff", (rig.word("bob"),)),
        ("haircut", (rig.word("bob"), 1)),
        ("chargeInsurance", (1,)),
        ("chargeVault", (1,)),
    ):
        with rig.chain.reverts("NotWaterfall", bob):
            rig.send("bob", function, *args)
    for function, args in (("vaultDeposit", (1,)), ("vaultWithdraw", (1, bob))):
        with rig.chain.reverts("NotVault", bob):
            rig.send("bob", function, *args)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"skew_scale": 0}, "skewScale"),
        ({"max_answer": 0}, "maxAnswer"),
        ({"taker_fee": 10**6}, "takerFeePips"),
        ({"premium_bound": BPS}, "premiumBoundBps"),
        ({"premium_decay": RAY + 1}, "premiumDecayRay"),
        ({"liquidation_fee": BPS + 1}, "liquidationFeeBps"),
        ({"scale_cap": BPS - 1}, "scaleCapBps"),
        ({"tiers": ((NO_CAP, 700, 700, 500, BPS),)}, "callBps"),
        ({"tiers": ((NO_CAP, 800, 500, 500, BPS),)}, "maintenanceBps"),
        ({"tiers": ((NO_CAP, 800, 600, 500, 0),)}, "closeShareBps"),
        ({"tiers": ((5, 800, 600, 500, 1), (5, 900, 600, 500, 1))}, "upTo"),
        ({"tiers": ((10**30, 800, 600, 500, 1),)}, "tiers"),
    ],
)
def test_a_market_that_makes_no_sense_is_refused(rig: Any, change: Any, field: str) -> None:
    with rig.chain.reverts("InvalidConfig", field):
        rig.configure("ETH", **change)


def test_a_collateral_is_listed_once_and_held_up_to_its_cap(rig: Any) -> None:
    rig.collateral("WETH", 2_000 * PRICE, cap=5 * WAD)
    config = tuple(rig.collaterals["WETH"].values())
    with rig.chain.reverts("AlreadyListed"):
        rig.send("admin", "listCollateral", config)
    with rig.chain.reverts("AlreadyListed"):
        rig.send("admin", "listCollateral", (rig.usd.address, *config[1:]))
    with rig.chain.reverts("NotListed"):
        rig.send("admin", "setCollateralConfig", (account("bob").address, *config[1:]))
    with rig.chain.reverts("InvalidConfig", "haircutBps"):
        rig.send("admin", "setCollateralConfig", (*config[:5], BPS + 1, config[6]))
    rig.deposit("alice", 3 * WAD, "WETH")
    with rig.chain.reverts("CollateralCap", rig.tokens["WETH"], 5 * WAD, 6 * WAD):
        rig.deposit("bob", 3 * WAD, "WETH")
    rig.send("admin", "setCollateralConfig", (*config[:6], NO_CAP))
    rig.deposit("bob", 3 * WAD, "WETH")
    rig.assert_books_balance()


def test_the_vault_is_set_once_and_risk_rules_must_make_sense(rig: Any) -> None:
    with rig.chain.reverts("InvalidConfig", "vault"):
        rig.send("admin", "setVault", account("bob").address)
    with rig.chain.reverts("InvalidConfig", "backstopBps"):
        rig.set_risk(backstop=BPS)
    with rig.chain.reverts("InvalidConfig", "feeVaultBps"):
        rig.set_risk(backstop=0, fee_vault=6_000, fee_insurance=4_001)


def test_a_token_that_calls_back_is_refused(make_rig: Any) -> None:
    rig = make_rig()
    token = rig.chain.deploy("ReentrantToken")
    feed = rig.feed("R", PRICE)
    config = (token.address, feed.address, 0, 0, (1 << 127) - 1, 0, NO_CAP)
    rig.send("admin", "listCollateral", config)
    inner = rig.exchange.encode("deposit", rig.word("alice"), token.address, 1)
    rig.chain.send(account("alice").address, token, "arm", rig.exchange.address, inner)
    rig.chain.send(account("alice").address, token, "mint", account("alice").address, 10)
    rig.send("alice", "deposit", rig.word("alice"), token.address, 10)
    assert decode_error(rig.chain.read(token, "outcome")) == "Reentrancy()"
    assert rig.read("collateralTotal", 0) == 10


# ---- Vault


def test_vault_shares_carry_its_profit_and_loss(rig: Any) -> None:
    rig.deposit("alice", 10_000 * USD)
    rig.trade("alice", "ETH", 10 * WAD)
    rig.price("ETH", 2_500 * PRICE)
    assert rig.books().vault_equity == pytest.approx(995_000 * USD, abs=2_000)
    rig.invest("late", 995_000 * USD)
    shares = rig.chain.balance(rig.vault, account("late").address)
    assert shares == pytest.approx(1_000_000 * USD, rel=1e-12)
    rig.price("ETH", 2_000 * PRICE)
    late = account("late").address
    rig.chain.send(late, rig.vault, "redeem", shares, late)
    assert rig.chain.balance(rig.usd, late) == pytest.approx(997_500 * USD, rel=1e-12)
    rig.assert_books_balance()


def test_redemptions_leave_what_the_open_interest_needs(rig: Any) -> None:
    rig.set_risk(vault_lock=BPS)
    rig.deposit("alice", 10**6 * USD)
    rig.trade("alice", "ETH", 250 * WAD)
    lp = account("lp").address
    with rig.chain.reverts("VaultLocked"):
        rig.chain.send(lp, rig.vault, "redeem", 500_001 * USD, lp)
    rig.chain.send(lp, rig.vault, "redeem", 499_999 * USD, lp)


def test_a_first_depositor_gains_nothing_from_a_tiny_deposit(make_rig: Any) -> None:
    rig = make_rig(vault=0)
    rig.invest("attacker", 1)
    rig.chain.mint(rig.usd, rig.exchange.address, 10**6 * USD)  # a donation changes no books
    assert rig.books().vault_equity == 1
    rig.invest("lp", 1_000 * USD)
    lp = account("lp").address
    shares = rig.chain.balance(rig.vault, lp)
    rig.chain.send(lp, rig.vault, "redeem", shares, lp)
    assert rig.chain.balance(rig.usd, lp) >= 1_000 * USD - 2


def test_a_refused_feed_stops_trading_and_shows_in_the_lens(rig: Any) -> None:
    rig.deposit("alice", 10_000 * USD)
    rig.trade("alice", "ETH", WAD)
    rig.configure("ETH", max_age=60)
    rig.chain.wait(100)
    with rig.chain.reverts("StalePrice"):
        rig.trade("alice", "ETH", WAD)
    assert rig.state("ETH")[:3] == (0, 0, WAD)
    assert rig.worth("alice").ratio == (1 << 255) - 2
    assert rig.lens_words("pricesUsd") == [0, 40_000 * WAD, WAD]
    rig.deposit("alice", USD)
    assert rig.books().vault_equity == -(1 << 255)
