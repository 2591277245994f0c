"""The lens says what the exchange says, for many accounts, at its prices and at others."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

from harness.accounts import account
from harness.errors import Reverted

WAD = 10**18
RAY = 10**27
PRICE = 10**8
USDC = 10**6
NO_CAP = (1 << 128) - 1
TIERS = ((40_000 * USDC, 400, 300, 200, 10_000), (NO_CAP, 1_000, 800, 500, 3_000))
TRADERS = [f"trader{i}" for i in range(12)]
START = {"ETH": 2_000, "BTC": 40_000, "SOL": 100}


def signed(word: int) -> int:
    return word - (1 << 256) if word >> 255 else word


def busy_exchange(make_rig: Any, rng: random.Random) -> Any:
    """Traders in three markets with two collaterals, premium, funding and a settlement feed."""
    rig = make_rig(decimals=6, settlement_feed=True, backstop=3_000, keeper_fee=USDC)
    for symbol, price in START.items():
        rig.market(
            symbol,
            price * PRICE,
            TIERS,
            skew_scale=3_000_000 * WAD // price,
            premium_bound=300,
            premium_decay=RAY * 999 // 1_000,
            funding_slope=WAD // 2,
            open_interest_slope=4_000,
            liquidation_fee=100,
            partial_steps=1,
        )
    rig.collateral("WETH", 2_000 * PRICE, haircut=1_000)
    rig.collateral("WBTC", 40_000 * PRICE, decimals=8, haircut=2_000)
    for who in TRADERS:
        rig.deposit(who, rng.randint(500, 8_000) * USDC)
        if rng.random() < 0.5:
            rig.deposit(who, rng.randint(1, 3) * WAD, "WETH")
        for symbol, price in START.items():
            size = rng.choice([-1, 1]) * rng.randint(500, 25_000) * WAD // price
            with suppress(Reverted):  # some cannot pay the initial margin
                rig.trade(who, symbol, size)
    rig.price("USD", 99_000_000)
    rig.price("ETH", 1_900 * PRICE)
    rig.price("WETH", 1_890 * PRICE)
    rig.price("SOL", 108 * PRICE)
    rig.chain.wait(3_600)
    return rig


def test_margins_are_those_the_exchange_decides_with(make_rig: Any, rng: random.Random) -> None:
    rig = busy_exchange(make_rig, rng)
    for who in TRADERS:
        worth = rig.worth(who)
        assert worth[:6] == rig.read("valuation", rig.word(who))
        if worth.maintenance:
            assert worth.ratio == worth.equity * WAD // worth.maintenance


def test_margins_at_other_prices_are_those_once_the_prices_are_there(
    make_rig: Any, rng: random.Random
) -> None:
    rig = busy_exchange(make_rig, rng)
    usd = [1_500 * PRICE, 45_000 * PRICE, 90 * PRICE, 1_480 * PRICE, 44_000 * PRICE, 101_000_000]
    words = [rig.word(who) for who in TRADERS]
    with rig.undone():
        for symbol, price in zip(("ETH", "BTC", "SOL", "WETH", "WBTC", "USD"), usd, strict=True):
            rig.price(symbol, price)
        prices = rig.lens_words("pricesUsd")
        assert prices == [price * 10**10 for price in usd]
        there = rig.lens_words("margins", words)
        seconds = rig.chain.now
    rig.chain.wait(seconds - rig.chain.now)
    assert rig.lens_words("marginsAt", words, prices) == there
    assert rig.lens_words("margins", words) != there


def test_quotes_say_what_liquidate_does(make_rig: Any, rng: random.Random) -> None:
    rig = busy_exchange(make_rig, rng)
    words = [rig.word(who) for who in TRADERS]
    seen = set()
    for price in (*range(1_900, 900, -50), *range(2_000, 4_000, 100)):
        rig.price("ETH", price * PRICE)
        rig.price("WETH", price * PRICE)
        seen |= {check_quote(rig, words, i) for i in range(len(words))}
    assert seen == {0, 1, 2}


def check_quote(rig: Any, words: list[bytes], i: int) -> int:
    """Compare one account's quote with what happens; the step it quotes."""
    quotes = rig.lens_words("liquidationQuotes", words)
    ratio, step, market, size, reward, until = quotes[6 * i : 6 * i + 6]
    assert until == 0
    with rig.undone():
        if step == 0:
            assert signed(ratio) >= WAD
            with rig.chain.reverts("Healthy"):
                rig.send("keeper", "liquidate", words[i], market)
            return step
        receipt = rig.send("keeper", "liquidate", words[i], market)
        if step == 2:
            assert rig.event(receipt, "Takeover")
        else:
            event = rig.event(receipt, "Liquidation")
            assert event["sizeClosed"] == signed(size)
            assert event["reward"] <= reward * 51 // 50 + 1
        return int(step)


def test_the_takers_loss_is_the_shortfall_without_haircuts(make_rig: Any) -> None:
    rig = make_rig(decimals=6)
    rig.market("ETH", 2_000 * PRICE)
    rig.collateral("WETH", 2_000 * PRICE, haircut=3_000)
    rig.deposit("alice", WAD, "WETH")
    rig.trade("alice", "ETH", 5 * WAD)
    rig.price("ETH", 1_500 * PRICE)
    worth = rig.worth("alice")
    assert worth.full_equity == worth.equity + 600 * USDC == -500 * USDC - 1


def test_a_thousand_accounts_in_four_markets_are_read_in_one_call(make_rig: Any) -> None:
    rig = make_rig(decimals=6)
    for i in range(4):
        rig.market(f"M{i}", 100 * PRICE, TIERS)
    rig.chain.mint(rig.usd, account("bank").address, 10**30)
    rig.chain.approve(account("bank").address, rig.usd, rig.exchange)
    words = [rig.word("trader", sub) for sub in range(1_000)]
    for start in range(0, 1_000, 250):
        part = words[start : start + 250]
        bank, trader = account("bank").address, account("trader").address
        rig.chain.send_block(
            [(bank, rig.exchange, "deposit", w, rig.usd.address, 10_000 * USDC) for w in part]
        )
        for market in range(4):
            rig.chain.send_block(
                [(trader, rig.exchange, "trade", w, market, 5 * WAD, 10**30) for w in part]
            )
    margins = rig.lens_words("margins", words)
    assert len(margins) == 8_000
    assert all(signed(ratio) > WAD for ratio in margins[7::8])
    held = rig.held(words)
    assert all(len(one.positions) == 4 for one in held)
