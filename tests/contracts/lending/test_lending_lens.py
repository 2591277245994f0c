"""The lens says what the market says, for many accounts at once."""

from __future__ import annotations

import random
import time
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from harness.accounts import account
from harness.engine import Block, Transaction
from harness.errors import Reverted

WAD = 10**18
RAY = 10**27
PRICE = 10**8
BPS = 10_000
MAX = (1 << 256) - 1
UNPRICED = MAX - 1
NO_CAP = (1 << 128) - 1
AAVE = (5_000, 95 * 10**16, 2_000 * WAD, 1_000 * WAD)


@pytest.fixture
def crowd(make_rig: Any, rng: random.Random) -> Any:
    """Forty accounts in three assets with interest running, after a fall in price."""
    rig = make_rig(AAVE)
    rates = {"base_rate": RAY // 20, "slope1": RAY // 10, "slope2": RAY, "reserve_factor": 1_000}
    rig.list("ETH", 2_000 * PRICE, protocol_share=1_000, **rates)
    rig.list("USDC", PRICE, decimals=6, bonus=450, **rates)
    rig.list("WBTC", 40_000 * PRICE, decimals=8, ltv=7_000, threshold=7_500, bonus=1_000, **rates)
    rig.supply("supplier", "USDC", 10**7 * 10**6)
    rig.supply("supplier", "ETH", 10**4 * WAD)
    rig.names = [f"account-{i}" for i in range(40)]
    for name in rig.names:
        rig.supply(name, "ETH", rng.randint(1, 20) * WAD)
        if rng.random() < 0.5:
            rig.supply(name, "WBTC", rng.randint(1, 10**8))
        if rng.random() < 0.9:
            limit = rig.chain.read(
                rig.lens,
                "valuesAt",
                rig.market.address,
                rig.people(name),
                [2_000 * WAD, WAD, 40_000 * WAD],
            )[0]
            rig.borrow(name, "USDC", limit * rng.randint(40, 65) // 100 // 10**12)
        if rng.random() < 0.3:
            rig.borrow(name, "ETH", WAD // 100)
    rig.chain.wait(30 * 24 * 3_600)
    rig.price("ETH", 1_500 * PRICE)
    rig.price("WBTC", 33_000 * PRICE)
    return rig


def ask(rig: Any, function: str, *args: Any) -> Any:
    return rig.chain.read(rig.lens, function, rig.market.address, rig.people(*rig.names), *args)


PRICES = [1_234 * WAD, 98 * WAD // 100, 30_001 * WAD]


def test_words_are_the_markets_own(crowd: Any) -> None:
    addresses = crowd.people(*crowd.names)
    read = crowd.read
    scaled = [word for a in addresses for word in read("scaledPosition", a)]
    assert list(ask(crowd, "scaledPositions")) == scaled
    positions = [word for a in addresses for word in read("position", a)]
    assert list(ask(crowd, "positions")) == positions
    assert list(ask(crowd, "healthFactors")) == [read("healthFactor", a) for a in addresses]
    at = [read("healthFactorAt", a, PRICES) for a in addresses]
    assert list(ask(crowd, "healthFactorsAt", PRICES)) == at
    assert MAX in at
    assert min(at) < WAD


def test_asset_states_are_the_markets_own(crowd: Any) -> None:
    for i, (symbol, books) in enumerate(crowd.all_books().items()):
        state, claims, debt = crowd.read("assetState", crowd.asset(symbol))
        cash, reserves, deficit, scaled_supply, scaled_debt, supply_index, borrow_index, _ = state
        assert books == (
            cash,
            claims,
            debt,
            reserves,
            deficit,
            supply_index,
            borrow_index,
            scaled_supply,
            scaled_debt,
            crowd.read("pricesWad")[i],
        )
        assert borrow_index > RAY or symbol == "WBTC"


def test_values_and_shortfalls_follow_from_positions(crowd: Any) -> None:
    """Against fractions of the positions: each asset's value is rounded by less than a unit."""
    words = ask(crowd, "positions")
    units = [10**18, 10**6, 10**8]
    thresholds = [8_500, 8_500, 7_500]
    factors = [Fraction(10_500, BPS), Fraction(10_450, BPS), Fraction(11_000, BPS)]
    market = liquidation = Fraction(0)
    counts = [0, 0]
    values = ask(crowd, "valuesAt", PRICES)
    for i in range(len(crowd.names)):
        claims = [Fraction((words[3 * i + j] >> 128) * PRICES[j], units[j]) for j in range(3)]
        debt = sum(Fraction((words[3 * i + j] & NO_CAP) * PRICES[j], units[j]) for j in range(3))
        weighted = sum(c * t / BPS for c, t in zip(claims, thresholds, strict=True))
        found = values[4 * i : 4 * i + 4]
        assert 0 <= sum(claims) - found[0] < 3
        assert 0 <= found[1] - debt < 3
        assert 0 <= weighted - found[2] < 4
        assert found[3] == (MAX if not debt else pytest.approx(float(weighted / debt * WAD)))
        market += max(0, debt - sum(claims))
        paying = sum(c / f for c, f in zip(claims, factors, strict=True))
        liquidation += max(0, debt - paying)
        counts[0] += debt > sum(claims)
        counts[1] += debt > paying
    found = ask(crowd, "shortfallAt", PRICES)
    assert 0 <= found[0] - market <= 6 * 40
    assert 0 <= found[1] - liquidation <= 9 * 40
    assert list(found[2:]) == counts
    assert 0 < counts[0] < counts[1]


def largest(position: dict[str, tuple[int, int]], side: int, prices: tuple[int, ...]) -> int:
    """Id of the asset whose claim (side 0) or debt (side 1) is worth most."""
    units = {"ETH": 10**18, "USDC": 10**6, "WBTC": 10**8}
    worth = [
        Fraction(pair[side] * price, units[symbol])
        for (symbol, pair), price in zip(position.items(), prices, strict=True)
    ]
    return worth.index(max(worth))


def test_quotes_are_what_liquidation_does(crowd: Any) -> None:
    quotes = ask(crowd, "liquidationQuotes")
    symbols = list(crowd.tokens)
    prices = crowd.read("pricesWad")
    done = 0
    for i, name in enumerate(crowd.names):
        health, collateral, debt, repaid, seized = quotes[5 * i : 5 * i + 5]
        position = crowd.position(name)
        assert collateral == largest(position, 0, prices)
        assert debt == largest(position, 1, prices)
        if health >= WAD:
            assert (repaid, seized) == (0, 0)
            continue
        with crowd.undone():
            # The quote holds at the lens's block: liquidation follows a second later, without
            # more than that second's interest.
            event = crowd.liquidate(name, symbols[collateral], symbols[debt])
            assert event["repaid"] == pytest.approx(repaid, rel=1e-7)
            assert event["seized"] == pytest.approx(seized, rel=1e-7)
        done += 1
    assert done > 3


def test_a_quote_is_exact_in_the_block_it_is_read_for(rig: Any) -> None:
    rig.names = ["borrower"]
    rig.supply("borrower", "ETH", 10 * WAD)
    rig.borrow("borrower", "USD", 15_000 * WAD)
    rig.price("ETH", 1_700 * PRICE)
    health, collateral, debt, repaid, seized = ask(rig, "liquidationQuotes")
    assert (health, collateral, debt) == (rig.health("borrower"), 0, 1)
    event = rig.liquidate("borrower", "ETH", "USD")
    assert (event["repaid"], event["seized"]) == (repaid, seized)


def test_a_refused_feed_is_shown_and_hides_nobody_else(crowd: Any) -> None:
    before = ask(crowd, "healthFactors")
    crowd.price("WBTC", 0)
    after = ask(crowd, "healthFactors")
    assert crowd.all_books()["WBTC"].price_wad == 0
    quotes = ask(crowd, "liquidationQuotes")
    words = ask(crowd, "positions")
    hidden = 0
    for i in range(len(crowd.names)):
        in_debt = any(words[3 * i + j] & NO_CAP for j in range(3))
        if words[3 * i + 2] and in_debt:
            assert after[i] == UNPRICED
            assert quotes[5 * i + 3] == 0
            hidden += 1
        elif in_debt:
            assert after[i] == pytest.approx(before[i])
        else:
            assert after[i] == MAX
    assert 0 < hidden < 40
    with pytest.raises(Reverted):
        crowd.read("pricesWad")


def test_ten_thousand_accounts_in_one_call(make_rig: Any) -> None:
    """The bound is generous, so that a slow machine passes and a change of order fails."""
    rig = make_rig()
    rig.list("ETH", 2_000 * PRICE)
    rig.list("USD", PRICE)
    rig.supply("supplier", "USD", 10**9 * WAD)
    count = 10_000
    chain, market = rig.chain, rig.market
    owners = [(i + 1).to_bytes(20, "big") for i in range(count)]
    chain.mint(rig.tokens["ETH"], account("seeder").address, 10**10 * WAD)
    chain.approve(account("seeder").address, rig.tokens["ETH"], market)
    sent: list[Transaction] = []
    eth, usd = rig.asset("ETH"), rig.asset("USD")
    for owner in owners:
        supply = market.encode("supply", eth, 10 * WAD, owner)
        borrow = market.encode("borrow", usd, 10_000 * WAD, owner, owner)
        sent.append(Transaction(account("seeder").address, market.address, supply))
        sent.append(Transaction(owner, market.address, borrow))
    chain.number += 1
    chain.now += 1
    receipts = chain.engine.execute(Block(chain.number, chain.now, tuple(sent)))
    assert all(receipt.status for receipt in receipts)
    rig.price("ETH", 1_000 * PRICE)
    for function, args, width in (
        ("scaledPositions", (), 2),
        ("healthFactors", (), 1),
        ("healthFactorsAt", ([1_000 * WAD, WAD],), 1),
        ("shortfallAt", ([1_000 * WAD, WAD],), None),
        ("liquidationQuotes", (), 5),
    ):
        call = rig.lens.encode(function, market.address, owners, *args)
        start = time.process_time()
        data = chain.engine.call(rig.lens.address, call)
        elapsed = time.process_time() - start
        print(f"{function}: {elapsed * 1000:.0f} ms")
        if width is not None:
            words = np.frombuffer(data, ">u8", offset=64).reshape(-1, 4)
            assert words.shape[0] == width * count
        if function.startswith("healthFactors"):
            assert (words[:, 3] == 85 * WAD // 100).all()
        if chain.engine.name == "revm":
            assert elapsed < 2.5
