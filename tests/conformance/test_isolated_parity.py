"""One short history of an isolated market, computed feeds and receipt vaults on every engine.

Supply, loans, liquidations with and without capital, bad debt, flash loans, averages poked between
trades, vault deposits, gifts and refused calls; py-evm is the reference. Compared are receipts,
reads and the digest.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from harness.accounts import account
from harness.contracts import Contract, decode_error
from harness.engine import open_engine

from .histories import Outcome, Script, check_agreement, open_other, play

# eth-tester runs py-evm: what the adapter adds is compared in test_parity
ENGINES = ["revm", pytest.param("eth-tester", marks=pytest.mark.slow), "rpc"]
SEED = 20_261_121
BLOCKS, READ_EVERY = 30, 4
WAD, RAY, USD = 10**18, 10**27, 10**8
MAX, NO_LIMIT = (1 << 256) - 1, (1 << 127) - 1

ADMIN = account("admin").address
REPORTER = account("reporter").address
USERS = [account("user", index).address for index in range(6)]


def deploy_all(script: Script) -> dict[str, Contract]:
    """Everything, in three blocks: contracts, settings and money."""
    send, deploy = script.send, script.deploy
    eth = deploy("Token", "Ether", "ETH", 18, ADMIN)
    usd = deploy("Token", "Dollar", "USD", 6, ADMIN)
    eth_feed = deploy("PushFeed", REPORTER, 8, "ETH / USD")
    usd_feed = deploy("PushFeed", REPORTER, 8, "USD / USD")
    pool = deploy("ConstantProductPool", eth.address, usd.address, 3_000)
    swapper = deploy("SwapRouter")
    forced = deploy("ForcedTradeRouter", ADMIN)
    liquidator = deploy("IsolatedLiquidator", forced.address)
    script.close_block()

    send(REPORTER, eth_feed, "transmit", 2_000 * USD)
    send(REPORTER, usd_feed, "transmit", USD)
    spot = deploy("PoolSpotFeed", pool.address, eth.address, usd_feed.address, 8, "spot")
    sources = (pool.address, eth.address, usd_feed.address)
    average = deploy("PoolTwapFeed", *sources, 60, 4, 8, "average")
    three = [eth_feed.address, spot.address, average.address]
    median = deploy("MedianFeed", three, 7_200, 2, 8, "median")
    bounded = deploy("BoundedFeed", median.address, eth_feed.address, 200, True, "bounded")
    deploy("StuckFeed", eth_feed.address, 1_500 * USD, script.now + 400, "stuck")
    rates = (RAY // 50, RAY // 20, RAY, 8 * RAY // 10)
    market = deploy(
        "IsolatedMarket",
        (
            eth.address,
            usd.address,
            (bounded.address, 86_400, 0, NO_LIMIT),
            (usd_feed.address, 0, 0, NO_LIMIT),
            86 * WAD // 100,
            WAD // 10,
            ADMIN,
            *rates,
        ),
    )
    vault = deploy("IsolatedReceiptVault", market.address, True, "Receipt", "rUSD")
    share = deploy("SharePriceFeed", vault.address, 18, "share")
    growth = RAY // 5 // (365 * 24 * 3_600)
    capped = deploy("CappedGrowthFeed", share.address, WAD, script.now, growth, "capped")
    deploy("ProductFeed", capped.address, usd_feed.address, 8, "rUSD")
    deploy("IsolatedLens")
    callee = deploy("IsolatedCallee")
    script.close_block()

    send(ADMIN, forced, "setPool", eth.address, usd.address, pool.address)
    send(ADMIN, eth, "mint", pool.address, 1_000 * WAD)
    send(ADMIN, usd, "mint", pool.address, 2_000_000 * 10**6)
    send(ADMIN, pool, "mint", ADMIN)
    for user in (ADMIN, *USERS):
        for token, amount in ((eth, 500 * WAD), (usd, 5_000_000 * 10**6)):
            send(ADMIN, token, "mint", user, amount)
            for spender in (market, vault, swapper, liquidator):
                send(user, token, "approve", spender.address, MAX)
    for token in (eth, usd):
        approve = token.encode("approve", market.address, MAX)
        send(USERS[0], callee, "act", token.address, approve)
    send(ADMIN, market, "supply", 1_000_000 * 10**6, 0, ADMIN)
    send(ADMIN, vault, "deposit", 100_000 * 10**6, ADMIN)
    script.close_block()
    named = {"eth": eth, "usd": usd, "eth feed": eth_feed, "pool": pool, "market": market}
    return {contract.name: contract for contract in script.contracts} | named | {"vault": vault}


def write_script() -> Script:
    rng = random.Random(SEED)
    script = Script()
    c = deploy_all(script)
    send = script.send
    market, vault = c["market"], c["vault"]
    price = 2_000 * USD

    def lend(user: bytes) -> None:
        shares = rng.random() < 0.2
        amount = rng.randrange(1, 30_000) * 10**6
        pair = (0, amount * 10**6) if shares else (amount, 0)
        name = rng.choice(["supply", "withdraw", "repay", "borrow", "borrow"])
        tail = (user,) if name in ("supply", "repay") else (user, user)
        send(user, market, name, *pair, *tail)

    def collateral(user: bytes) -> None:
        amount = rng.randrange(1, 3) * WAD
        if rng.random() < 0.7:
            send(user, market, "supplyCollateral", amount, user)
        else:
            send(user, market, "withdrawCollateral", amount, user, user)

    def borrow_most(user: bytes) -> None:
        send(user, market, "supplyCollateral", 10 * WAD, user)
        send(
            user,
            market,
            "borrow",
            price // USD * rng.randrange(75, 88) // 10 * 10**6,
            0,
            user,
            user,
        )

    def liquidate(user: bytes) -> None:
        victim = rng.choice(USERS)
        if rng.random() < 0.5:
            call = (market.address, victim, 0, MAX, rng.choice([0, 0, 10**12]))
            send(user, c["IsolatedLiquidator"], "liquidate", *call)
        else:
            pair = rng.choice([(0, MAX), (2 * WAD, 0), (0, 10**15)])
            send(user, market, "liquidate", victim, *pair, b"")

    def flash(user: bytes) -> None:
        token = rng.choice([c["eth"], c["usd"]])
        amount = rng.choice([10**6, 10**40])
        args = (c["IsolatedCallee"].address, token.address, amount, b"")
        send(user, market, "flashLoan", *args)

    def swap(user: bytes) -> None:
        token, most = rng.choice([(c["eth"], 60 * WAD), (c["usd"], 120_000 * 10**6)])
        args = (c["pool"].address, token.address, rng.randrange(1, most), 0, user)
        send(user, c["SwapRouter"], "swapExactIn", *args)

    def poke(user: bytes) -> None:
        send(user, c["PoolTwapFeed"], "poke")

    def receipt(user: bytes) -> None:
        amount = rng.randrange(20_000 * 10**6)
        name = rng.choice(["deposit", "deposit", "mint", "withdraw", "redeem"])
        tail = (user,) if name in ("deposit", "mint") else (user, user)
        send(user, vault, name, amount, *tail)

    def give(user: bytes) -> None:
        send(user, market, "supply", rng.randrange(1, 1_000) * 10**6, 0, vault.address)

    actions = [lend, collateral, borrow_most, liquidate, flash, swap, poke, receipt, give]
    for _ in range(BLOCKS):
        if rng.random() < 0.6:
            price = price * rng.randrange(8_200, 10_900) // 10_000
            send(REPORTER, c["eth feed"], "transmit", price)
        for action in rng.choices(actions, [4, 3, 3, 7, 1, 4, 3, 3, 1], k=rng.randrange(3, 10)):
            action(rng.choice(USERS))
        script.close_block(rng.choice([1, 12, 12, 40]))

    lens = c["IsolatedLens"]
    script.reads = [
        (lens.address, lens.encode("marketStates", [market.address])),
        *(
            (lens.address, lens.encode(name, market.address, USERS))
            for name in ("positions", "healthFactors", "liquidationQuotes")
        ),
        *(
            (feed.address, feed.encode("latestRoundData"))
            for feed in script.contracts
            if feed.name.endswith("Feed")
        ),
        (vault.address, vault.encode("totalAssets")),
        (vault.address, vault.encode("maxRedeem", ADMIN)),
    ]
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
    for block in reference.receipts[:3]:
        assert all(receipt.status for receipt in block)
    events: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    bad_debt = 0
    for receipt in (receipt for block in reference.receipts for receipt in block):
        for contract in script.contracts:
            for log in receipt.logs:
                found = contract.event(log) if log.address == contract.address else None
                if found:
                    events[found[0]] += 1
                    bad_debt += found[1].get("badDebtAssets", 0)
        if not receipt.status:
            errors[decode_error(receipt.output or b"").partition("(")[0]] += 1
    print(events, errors, bad_debt)
    for name in ("Liquidate", "LiquidationExecuted", "FlashLoan", "Observed", "Deposit", "Repay"):
        assert events[name], (name, events)
    assert {"Healthy", "Unhealthy", "InsufficientShares", "Unprofitable"} <= set(errors)
    assert "Panic" not in errors
    assert bad_debt
    assert sum(ok for ok, _ in reference.reads) > len(reference.reads) * 3 // 4


@pytest.mark.parametrize("spec", ENGINES)
def test_engines_agree(
    spec: str, script: Script, reference: Outcome, request: pytest.FixtureRequest
) -> None:
    engine = open_other(spec, request)
    outcome = play(engine, script, READ_EVERY)
    engine.close()
    check_agreement(outcome, reference)
