"""One mixed history on every engine: whatever one of them gives, all agree on.

Several hundred transactions: transfers, swaps, loans, liquidations, arbitrage, fees, every way to
fail, transient storage, creations. py-evm, whose gas is exact and whose every write can be watched,
is the reference. Compared are statuses, logs, return and revert data, gas, reads, every storage
word that any transaction wrote, and the digest.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from eth.vm.forks.cancun.state import CancunState
from eth_typing import Address

from harness.accounts import account
from harness.contracts import Contract, decode_error
from harness.engine import Engine, Inspectable, Receipt, open_engine
from harness.testing.engine_conformance import FAILURES

from .histories import Outcome, Script, open_other, play

ENGINES = ["revm", "eth-tester", "rpc"]
SEED = 20_261_121
BLOCKS = 80
READ_EVERY = 5

WAD, RAY, USD8 = 10**18, 10**27, 10**8
MAX = (1 << 256) - 1

ADMIN = account("admin").address
REPORTER = account("reporter").address
LIQUIDATOR = account("liquidator").address
USERS = [account("user", index).address for index in range(10)]


def write_script() -> Script:
    rng = random.Random(SEED)
    script = Script()
    send, deploy = script.send, script.deploy

    probe = deploy("EngineProbe")
    weth = deploy("Token", "Wrapped ether", "WETH", 18, ADMIN)
    usdc = deploy("Token", "USD Coin", "USDC", 6, ADMIN)
    feeds = [deploy("PushFeed", REPORTER, 8, "ETH / USD"), deploy("PushFeed", REPORTER, 8, "USDC")]
    pool = deploy("ConstantProductPool", weth.address, usdc.address, 3000)
    swapper = deploy("SwapRouter")
    outside = deploy(
        "ExternalMarket",
        weth.address,
        usdc.address,
        REPORTER,
        5_000 * WAD,
        RAY - RAY // 10_000,
        500,
        2_000 * USD8,
    )
    spot = deploy("PoolSpotFeed", pool.address, weth.address, feeds[1].address, 8, "ETH by pool")
    forced = deploy("ForcedTradeRouter", ADMIN)
    sink = deploy("Sink", forced.address)
    executor = deploy("LiquidationExecutor", forced.address)
    arbitrageur = deploy("ArbitrageExecutor")
    ledger = deploy("FeeLedger", usdc.address, ADMIN, ADMIN)
    market = deploy("PooledMarket", ADMIN, (5_000, 95 * WAD // 100, 2_000 * WAD, 1_000 * WAD))
    script.close_block()

    send(REPORTER, feeds[0], "transmit", 2_000 * USD8)
    send(REPORTER, feeds[1], "transmit", USD8)
    for token, feed, ltv, threshold in (
        (weth, feeds[0], 8_000, 8_300),
        (usdc, feeds[1], 7_500, 7_800),
    ):
        config = (
            token.address,
            feed.address,
            86_400,
            0,
            10**15,
            ltv,
            threshold,
            500,
            1_000,
            1_000,
            10**27,
            10**27,
            0,
            4 * RAY // 100,
            75 * RAY // 100,
            8 * RAY // 10,
        )
        send(ADMIN, market, "listAsset", config)
    send(ADMIN, forced, "setPool", weth.address, usdc.address, pool.address)
    send(ADMIN, forced, "setSink", sink.address)
    send(ADMIN, weth, "mint", pool.address, 1_000 * WAD)
    send(ADMIN, usdc, "mint", pool.address, 2_000_000 * 10**6)
    send(ADMIN, pool, "mint", ADMIN)
    for venue in (outside, sink):
        send(ADMIN, weth, "mint", venue.address, 20_000 * WAD)
        send(ADMIN, usdc, "mint", venue.address, 40_000_000 * 10**6)
    spenders = (swapper, outside, executor, arbitrageur, ledger, market)
    for user in (ADMIN, LIQUIDATOR, *USERS):
        send(ADMIN, weth, "mint", user, 500 * WAD)
        send(ADMIN, usdc, "mint", user, 3_000_000 * 10**6)
        for token in (weth, usdc):
            for spender in spenders:
                send(user, token, "approve", spender.address, MAX)
    script.close_block()

    send(ADMIN, market, "supply", usdc.address, 2_500_000 * 10**6, ADMIN)
    send(ADMIN, market, "supply", weth.address, 400 * WAD, ADMIN)
    for index, user in enumerate(USERS[:8]):
        send(user, market, "supply", weth.address, (10 + index) * WAD, user)
        # From a health factor of 1.04 upwards
        debt = (10 + index) * 2_000 * (7_900 - 150 * index) // 10_000
        send(user, market, "borrow", usdc.address, debt * 10**6, user, user)
        send(user, ledger, "deposit", user, 100 * 10**6)
    for user in USERS[8:]:
        send(user, market, "supply", usdc.address, 100_000 * 10**6, user)
        send(user, market, "borrow", weth.address, 37 * WAD, user, user)
    script.close_block()

    price = 2_000 * USD8

    def transfer(user: bytes) -> None:
        token, scale = rng.choice([(weth, WAD), (usdc, 10**9)])
        send(user, token, "transfer", rng.choice(USERS), rng.randrange(1_000) * scale)

    def swap(user: bytes) -> None:
        token, scale = rng.choice([(weth, WAD // 10), (usdc, 10**8)])
        floor = rng.choice([0, 0, 0, MAX])
        amount = rng.randrange(200) * scale
        send(user, swapper, "swapExactIn", pool.address, token.address, amount, floor, user)

    def trade_outside(user: bytes) -> None:
        if rng.random() < 0.5:
            send(user, outside, "sell", rng.randrange(1, 40) * WAD, 0, user)
        else:
            send(user, outside, "buy", rng.randrange(1, 40_000) * 10**6, 0, user)

    def lend(user: bytes) -> None:
        token, scale = rng.choice([(weth, WAD), (usdc, 10**9)])
        amount = rng.randrange(12) * scale
        action = rng.choice(["supply", "borrow", "repay", "withdraw"])
        tail = (user, user) if action in ("borrow", "withdraw") else (user,)
        send(user, market, action, token.address, rng.choice([amount, amount, MAX]), *tail)

    def liquidate(user: bytes) -> None:
        victim = rng.choice(USERS)
        pair = rng.choice([(weth, usdc), (weth, usdc), (usdc, weth)])
        assets = [token.address for token in pair]
        if rng.random() < 0.7:
            send(LIQUIDATOR, executor, "liquidate", market.address, victim, *assets, MAX, 0)
        else:
            claims = rng.random() < 0.5
            send(LIQUIDATOR, market, "liquidate", victim, *assets, MAX, claims, LIQUIDATOR)

    def arbitrage(user: bytes) -> None:
        legs = [(outside.address, 1, weth.address), (pool.address, 0, usdc.address)]
        if rng.random() < 0.5:
            legs = [(pool.address, 0, weth.address), (outside.address, 1, usdc.address)]
        send(user, arbitrageur, "arbitrage", legs, rng.randrange(1, 20) * WAD, 0)

    def pay_fee(user: bytes) -> None:
        payers = rng.sample(USERS[:8], 3)
        send(ADMIN, ledger, "charge", payers, [200_000, 90_000, 0], [10, 20, 1])

    def fail(user: bytes) -> None:
        name = rng.choice(list(FAILURES))
        send(user, probe, name, *FAILURES[name][0])

    def exercise(user: bytes) -> None:
        choices: list[tuple[Any, ...]] = [
            ("bump", rng.randrange(1 << 200)),
            ("logAll", rng.randrange(9), rng.randbytes(rng.randrange(90))),
            ("addTransient", rng.randrange(1, 9)),
            ("nestTransient", rng.randrange(1, 9)),
            ("swallow", probe.encode("failCustom", 3, "inner")),
            ("starve", 40_000),
            ("create2", rng.randrange(6).to_bytes(32, "big"), rng.randbytes(rng.randrange(40))),
            ("setBlob", rng.randbytes(rng.randrange(120))),
            ("write", rng.randrange(6), rng.choice([0, rng.randrange(1 << 256)])),
            ("markBlock",),
            ("clear",),
            ("credit", user, rng.randrange(100)),
            ("move", rng.choice(USERS), rng.randrange(150)),
        ]
        name, *args = rng.choice(choices)
        send(user, probe, name, *args)

    actions = [transfer, swap, trade_outside, lend, liquidate, arbitrage, pay_fee, fail, exercise]
    weights = [3, 4, 2, 7, 5, 2, 1, 3, 5]
    for _ in range(BLOCKS):
        if rng.random() < 0.4:
            price = price * rng.randrange(8_800, 10_300) // 10_000
            send(REPORTER, feeds[0], "transmit", price)
            send(REPORTER, outside, "publish", price)
        for action in rng.choices(actions, weights, k=rng.randrange(11)):
            action(rng.choice(USERS))
        script.close_block(rng.choice([1, 12, 12, 3_600]))

    script.reads = [
        (pool.address, pool.encode("getReserves")),
        (spot.address, spot.encode("latestRoundData")),
        (outside.address, outside.encode("price")),
        (market.address, market.encode("assetState", usdc.address)),
        (market.address, market.encode("pricesWad")),
        (probe.address, probe.encode("context")),
        (probe.address, probe.encode("move", ADMIN, 1)),
        *[(market.address, market.encode("healthFactor", user)) for user in USERS],
    ]
    return script


def read_storage(engine: Engine, words: set[tuple[bytes, int]]) -> dict[tuple[bytes, int], int]:
    assert isinstance(engine, Inspectable)
    return {(address, slot): engine.storage(address, slot) for address, slot in sorted(words)}


@pytest.fixture(scope="module")
def script() -> Script:
    return write_script()


@pytest.fixture(scope="module")
def reference(script: Script) -> Outcome:
    """py-evm's outcome, with every storage word that any transaction wrote."""
    written: set[tuple[bytes, int]] = set()
    write = CancunState.set_storage

    def record(state: CancunState, address: Address, slot: int, value: int) -> None:
        written.add((address, slot))
        write(state, address, slot, value)

    engine = open_engine("py-evm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CancunState, "set_storage", record)
        outcome = play(engine, script, READ_EVERY)
    outcome.storage = read_storage(engine, written)
    engine.close()
    return outcome


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = open_other(request.param, request)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def outcome(engine: Engine, script: Script, reference: Outcome) -> Outcome:
    outcome = play(engine, script, READ_EVERY)
    outcome.storage = read_storage(engine, set(reference.storage))
    return outcome


def flat(outcome: Outcome) -> list[Receipt]:
    return [receipt for block in outcome.receipts for receipt in block]


def test_script_is_worth_running(script: Script, reference: Outcome) -> None:
    receipts = flat(reference)
    assert len(receipts) > 500
    assert all(receipt.status for block in reference.receipts[:3] for receipt in block)
    events: Counter[str] = Counter()
    known = [
        Contract(name, b"")
        for name in (
            "PooledMarket",
            "ForcedTradeRouter",
            "FeeLedger",
            "ArbitrageExecutor",
            "ConstantProductPool",
            "ExternalMarket",
            "EngineProbe",
        )
    ]
    for receipt in receipts:
        for log in receipt.logs:
            found = next(filter(None, (contract.event(log) for contract in known)), None)
            if found:
                events[found[0]] += 1
    errors = Counter(
        decode_error(receipt.output or b"").split("(")[0]
        for receipt in receipts
        if not receipt.status
    )
    for name in (
        "Liquidate",
        "BadDebt",
        "ForcedTrade",
        "FeeCharged",
        "Arbitrage",
        "Swap",
        "Trade",
        "Borrow",
        "Repay",
        "Withdraw",
        "Deposited",
    ):
        assert events[name] >= 2, (name, events)
    for name in ("Panic", "Refused", "Healthy", "Error", "InsufficientBalance"):
        assert errors[name] >= 1, (name, errors)
    assert len(reference.storage) > 200


def test_statuses_agree(outcome: Outcome, reference: Outcome) -> None:
    assert [r.status for r in flat(outcome)] == [r.status for r in flat(reference)]


def test_logs_agree(outcome: Outcome, reference: Outcome) -> None:
    assert [r.logs for r in flat(outcome)] == [r.logs for r in flat(reference)]


def test_return_and_revert_data_agree_where_given(outcome: Outcome, reference: Outcome) -> None:
    for ours, theirs in zip(flat(outcome), flat(reference), strict=True):
        assert ours.output in (None, theirs.output)


def test_gas_agrees_where_given(outcome: Outcome, reference: Outcome) -> None:
    for ours, theirs in zip(flat(outcome), flat(reference), strict=True):
        assert ours.gas_used in (None, theirs.gas_used)


def test_reads_agree(outcome: Outcome, reference: Outcome) -> None:
    assert outcome.reads == reference.reads


def test_written_storage_words_agree(outcome: Outcome, reference: Outcome) -> None:
    assert outcome.storage == reference.storage


def test_digests_agree_after_every_block(outcome: Outcome, reference: Outcome) -> None:
    assert outcome.digests == reference.digests
