"""One short history of a perpetual exchange on every engine: whatever one gives, all agree on.

Deposits, trades, margin calls, liquidations with sales of collateral, takeovers, a frozen account
and refused calls; py-evm is the reference. Compared are receipts, reads, and the digest.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from harness.accounts import account
from harness.contracts import Contract, decode_error
from harness.engine import open_engine

from .histories import Outcome, Script, check_agreement, open_other, play

# eth-tester runs py-evm: what the adapter adds is compared in test_parity
ENGINES = ["revm", pytest.param("eth-tester", marks=pytest.mark.slow), "rpc"]
SEED = 20_261_121
WAD, RAY, USD8, USDC = 10**18, 10**27, 10**8, 10**6
MAX, NO_CAP = (1 << 256) - 1, (1 << 128) - 1
BLOCKS, READ_EVERY = 20, 8

ADMIN = account("admin").address
REPORTER = account("reporter").address
USERS = [account("user", index).address for index in range(8)]
TIERS = [(50_000 * USDC, 600, 550, 400, 10_000), (NO_CAP, 1_000, 900, 700, 2_500)]
PRICES = {"ETH": 2_000, "BTC": 40_000}


def word(owner: bytes, isolated: int = 0) -> bytes:
    return owner + isolated.to_bytes(2, "big") + bytes(10)


def market_config(feed: Contract, price: int) -> tuple[Any, ...]:
    """In the order of IPerpTypes.MarketConfig."""
    source = (feed.address, 86_400, 0, 10**15)
    trading = (20_000_000 * WAD // price, 10**27, 10**27, 200, 500, 100, RAY * 999 // 1_000)
    funding = (WAD // 10, WAD // 3_333, WAD // 20)
    liquidation = (100, 5_000, 30, 1, 3_600)
    guards = (4_000, RAY * 99 // 100, WAD, RAY * 999 // 1_000, 5_000, 20_000)
    return (*source, *trading, *funding, *liquidation, *guards)


def write_script() -> Script:
    rng = random.Random(SEED)
    script = Script()
    send, deploy = script.send, script.deploy
    usdc = deploy("Token", "USD Coin", "USDC", 6, ADMIN)
    weth = deploy("Token", "Wrapped ether", "WETH", 18, ADMIN)
    feeds = {name: deploy("PushFeed", REPORTER, 8, name) for name in (*PRICES, "USDC")}
    pool = deploy("ConstantProductPool", weth.address, usdc.address, 3_000)
    router = deploy("ForcedTradeRouter", ADMIN)
    parts = [deploy("PerpAdmin").address, deploy("PerpLiquidation").address]
    exchange = deploy(
        "PerpExchange", ADMIN, usdc.address, feeds["USDC"].address, router.address, *parts
    )
    lens = deploy("PerpLens")
    script.close_block()

    vault = deploy("LiquidityVault", exchange.address)
    probe = deploy("PerpWaterfallProbe", exchange.address)
    for name, feed in feeds.items():
        send(REPORTER, feed, "transmit", PRICES.get(name, 1) * USD8)
    for name, price in PRICES.items():
        send(ADMIN, exchange, "listMarket", market_config(feeds[name], price), TIERS)
    collateral = (weth.address, feeds["ETH"].address, 86_400, 0, 10**15, 1_500, NO_CAP)
    send(ADMIN, exchange, "listCollateral", collateral)
    risk = (1_000, False, 3_000, 6_000, 3_000, 5 * USDC, 800_000 * USDC, 1_000)
    send(ADMIN, exchange, "setRiskConfig", risk)
    send(ADMIN, exchange, "setVault", vault.address)
    send(ADMIN, exchange, "setWaterfall", probe.address)
    send(ADMIN, router, "setPool", weth.address, usdc.address, pool.address)
    send(ADMIN, weth, "mint", pool.address, 500 * WAD)
    send(ADMIN, usdc, "mint", pool.address, 1_000_000 * USDC)
    send(ADMIN, pool, "mint", ADMIN)
    for user in (ADMIN, *USERS):
        for token, amount in ((usdc, 3_000_000 * USDC), (weth, 1_000 * WAD)):
            send(ADMIN, token, "mint", user, amount)
            for spender in (exchange, vault):
                send(user, token, "approve", spender.address, MAX)
    script.close_block()
    send(ADMIN, vault, "deposit", 1_000_000 * USDC, ADMIN)
    send(ADMIN, exchange, "deposit", word(exchange.address), usdc.address, 300 * USDC)
    words = [word(user) for user in USERS] + [word(user, 1) for user in USERS[:3]]
    for index, account_word in enumerate(words):
        if index % 2:
            send(ADMIN, exchange, "deposit", account_word, weth.address, (1 + index) * WAD // 2)
        else:
            amount = (1 + index) * 900 * USDC
            send(ADMIN, exchange, "deposit", account_word, usdc.address, amount)
    script.close_block()

    prices = {name: price * USD8 for name, price in PRICES.items()}

    def trade(i: int) -> None:
        market = rng.randrange(2)
        usd = 900 * (1 + i) * rng.choice([1, 3, 6, 9, 14])
        size = rng.choice([1, -1]) * usd * WAD // list(PRICES.values())[market]
        limit = MAX if size > 0 else 0
        send(words[i][:20], exchange, "trade", words[i], market, size, limit)

    def call(i: int) -> None:
        send(USERS[0], exchange, rng.choice(["call", "endCall"]), words[i])

    def liquidate(i: int) -> None:
        send(USERS[0], exchange, "liquidate", words[i], rng.choice([0, 0, 0, 1]))

    def withdraw(i: int) -> None:
        token, amount = rng.choice([(usdc, rng.randrange(900 * USDC)), (weth, WAD // 3)])
        send(words[i][:20], exchange, "withdraw", words[i], token.address, amount, USERS[0])

    def other(i: int) -> None:
        name, *args = rng.choice(
            [
                ("accrue", rng.randrange(2)),
                ("unwind", rng.randrange(2), WAD),
                ("coverDeficit", 10 * USDC),
                ("move", words[i], word(words[i][:20], 1), usdc.address, 5 * USDC),
                ("setPaused", 1),
            ]
        )
        send(words[i][:20], exchange, name, *args)

    def redeem(i: int) -> None:
        send(ADMIN, vault, "redeem", rng.randrange(10**9), ADMIN)

    def fall(i: int) -> None:
        name = rng.choice(["closeToVault", "writeOff"])
        args = (words[i], rng.randrange(2)) if name == "closeToVault" else (words[i],)
        send(USERS[0], probe, "run", exchange.encode(name, *args))

    for i, account_word in enumerate(words):
        side = -1 if i % 3 == 2 else 1
        size = side * 900 * (1 + i) * 9 * WAD // PRICES["ETH"]
        limit = MAX if size > 0 else 0
        send(account_word[:20], exchange, "trade", account_word, 0, size, limit)
    script.close_block()
    actions = [trade, call, liquidate, withdraw, other, redeem, fall]
    for number in range(BLOCKS):
        if number % 4 == 3:
            for i in range(len(words)):
                call(i)
                liquidate(i)
        for name in prices:
            if rng.random() < 0.5:
                prices[name] = prices[name] * rng.randrange(9_500, 10_350) // 10_000
                send(REPORTER, feeds[name], "transmit", prices[name])
        for action in rng.choices(actions, [5, 7, 9, 2, 3, 1, 2], k=rng.randrange(3, 8)):
            action(rng.randrange(len(words)))
        script.close_block(rng.choice([1, 12, 12, 3_600]))

    for name, args in (
        ("marketStates", ()),
        ("books", ()),
        ("accounts", (words,)),
        ("margins", (words,)),
        ("liquidationPrices", (words,)),
        ("liquidationQuotes", (words,)),
    ):
        script.reads.append((lens.address, lens.encode(name, exchange.address, *args)))
    return script


@pytest.fixture(scope="module")
def script() -> Script:
    return write_script()


@pytest.fixture(scope="module")
def reference(script: Script) -> Outcome:
    engine = open_engine("py-evm")
    outcome = play(engine, script, READ_EVERY)
    engine.close()
    return outcome


def test_script_is_worth_running(script: Script, reference: Outcome) -> None:
    exchange = next(c for c in script.contracts if c.name == "PerpExchange")
    assert all(receipt.status for block in reference.receipts[:3] for receipt in block)
    events: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for receipt in (receipt for block in reference.receipts for receipt in block):
        for log in receipt.logs:
            found = exchange.event(log)
            if found and log.address == exchange.address:
                events[found[0]] += 1
        if not receipt.status:
            errors[decode_error(receipt.output or b"").partition("(")[0]] += 1
    print(events, errors)
    for name in ("Fill", "MarginCall", "Liquidation", "Takeover", "CollateralSold", "Withdraw"):
        assert events[name], (name, events)
    assert {"InsufficientMargin", "Healthy", "IsolatedMarket", "NotAdmin"} <= set(errors)
    assert "Panic" not in errors
    assert all(ok for ok, _ in reference.reads)


@pytest.mark.parametrize("spec", ENGINES)
def test_engines_agree(
    spec: str, script: Script, reference: Outcome, request: pytest.FixtureRequest
) -> None:
    engine = open_other(spec, request)
    outcome = play(engine, script, READ_EVERY)
    engine.close()
    check_agreement(outcome, reference)
