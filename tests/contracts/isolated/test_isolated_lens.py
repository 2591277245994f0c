"""The lens says, for thousands of accounts, what the market would say and do for one."""

from __future__ import annotations

import random
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any

from harness.accounts import account

if TYPE_CHECKING:
    from tests.contracts.conftest import Chain

WAD = 10**18
RAY = 10**27
USD = 10**8
MAX = (1 << 256) - 1
NO_LIMIT = (1 << 127) - 1


def crowd(rig: Any, rng: random.Random) -> list[bytes]:
    """Borrowers of every kind, one without debt, one without anything."""
    rig.supply("supplier", 50_000_000 * 10**6)
    names = [f"borrower {i}" for i in range(20)]
    for name in names[:-1]:
        amount = int(1_000 ** rng.random() * 10**8) + 1
        rig.add_collateral(name, amount)
        debt = amount * 2_000 // 100 * rng.randint(10, 85) // 100
        if name != names[0]:
            rig.borrow(name, debt)
    rig.chain.wait(10 * 24 * 3_600)
    return [account(name).address for name in names]


def test_quotes_and_health_are_what_the_market_does(
    make_isolated: Any, chain: Chain, rng: random.Random
) -> None:
    rig = make_isolated(collateral_decimals=8, debt_decimals=6)
    people = crowd(rig, rng)
    rig.fund("liquidator", rig.debt, 10**30)
    kinds = set()
    for price in (2_000, 1_900, 1_700, 1_500, 900, 300):
        rig.price(price * USD)
        words = chain.read(rig.lens, "liquidationQuotes", rig.market.address, people)
        health = chain.read(rig.lens, "healthFactors", rig.market.address, people)
        given = (rig.market.address, people, price * WAD, WAD)
        assert chain.read(rig.lens, "healthFactorsAt", *given) == health
        for i, person in enumerate(people):
            quote = words[4 * i : 4 * i + 4]
            assert quote[0] == health[i] == rig.read("healthFactor", person)
            kinds.add((quote[0] < WAD, bool(quote[3])))
            if quote[0] >= WAD:
                assert quote[1:] == (0, 0, 0)
                continue
            with chain.anchor():
                receipt = rig.send("liquidator", "liquidate", person, 0, MAX, b"")
                (event,) = rig.market.events(receipt.logs, "Liquidate")
            done = ("repaidAssets", "seizedAssets", "badDebtAssets")
            assert quote[1:] == tuple(event[name] for name in done)
    assert kinds == {(False, False), (True, False), (True, True)}


def test_shortfalls_are_the_sums_over_accounts(
    make_isolated: Any, chain: Chain, rng: random.Random
) -> None:
    rig = make_isolated(collateral_decimals=8, debt_decimals=6, base_rate=RAY // 5)
    people = crowd(rig, rng)
    factor = Fraction(rig.read("incentiveFactorWad"), WAD)
    debt_price = 103 * WAD // 100
    gaps = 0
    for price in range(500 * WAD, 2_000 * WAD, 100 * WAD):
        given = (rig.market.address, people, price, debt_price)
        found = chain.read(rig.lens, "shortfallAt", *given)
        market = liquidation = Fraction(0)
        counts = [0, 0]
        for position in rig.positions(*(f"borrower {i}" for i in range(20))):
            debt = Fraction(position.debt * debt_price, 10**6)
            value = Fraction(position.collateral * price, 10**8)
            market += max(Fraction(0), debt - value)
            liquidation += max(Fraction(0), debt - value / factor)
            counts[0] += debt > value
            counts[1] += debt > value / factor
        gaps += counts[1] > counts[0] > 0
        assert found[2:] == tuple(counts)
        wei = 3 * 10**12 * len(people)  # rounded up by base units of the debt token
        assert 0 <= found[0] - ceil(market) <= wei
        assert 0 <= found[1] - ceil(liquidation) <= wei
    assert gaps


def test_a_refused_price_is_reported_and_nothing_reverts(make_isolated: Any, chain: Chain) -> None:
    rig = make_isolated()
    rig.config["collateral_feed"] = (rig.feeds[0].address, 0, 100 * USD, NO_LIMIT)
    rig.market = chain.deploy("IsolatedMarket", tuple(rig.config.values()))
    rig.supply("supplier", 10_000 * WAD)
    rig.add_collateral("alice", WAD)
    rig.borrow("alice", 1_000 * WAD)
    rig.price(100 * USD)  # at the bound
    people = [account(name).address for name in ("alice", "nobody")]
    unpriced = chain.read(rig.lens, "UNPRICED")
    assert unpriced == MAX - 1
    health = chain.read(rig.lens, "healthFactors", rig.market.address, people)
    assert health == (unpriced, MAX)
    quotes = chain.read(rig.lens, "liquidationQuotes", rig.market.address, people)
    assert quotes == (unpriced, 0, 0, 0, MAX, 0, 0, 0)
    assert rig.state()[6:] == (0, 0, 0)
    at = (rig.market.address, people, 100 * WAD, WAD)
    assert chain.read(rig.lens, "healthFactorsAt", *at)[0] == 86 * WAD // 1_000
    with chain.reverts("AnswerOutOfBounds", rig.feeds[0], 100 * USD):
        rig.read("price")
