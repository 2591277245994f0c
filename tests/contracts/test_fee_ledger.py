"""The fee ledger: what is charged is what is paid, and the books add up."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.contracts import Contract
    from tests.contracts.conftest import Chain


@pytest.fixture
def token(chain: Chain) -> Contract:
    return chain.token("WETH", 18)


@pytest.fixture
def ledger(chain: Chain, token: Contract) -> Contract:
    return chain.deploy(
        "FeeLedger", token.address, chain.address("builder"), chain.address("collector")
    )


def _fund(chain: Chain, token: Contract, ledger: Contract, payer: bytes, amount: int) -> None:
    chain.mint(token, payer, amount)
    chain.approve(payer, token, ledger)
    chain.send(payer, ledger, "deposit", payer, amount)


def test_a_charge_is_gas_times_bid_for_each_and_their_sum_for_the_collector(
    chain: Chain, token: Contract, ledger: Contract
) -> None:
    alice, bob = chain.address("alice"), chain.address("bob")
    _fund(chain, token, ledger, alice, 10_000)
    _fund(chain, token, ledger, bob, 10_000)
    receipt = chain.send(
        chain.address("builder"), ledger, "charge", [alice, bob, alice], [100, 200, 0], [7, 11, 5]
    )
    assert ledger.events(receipt.logs, "FeeCharged") == [
        {"payer": alice, "gasUnits": 100, "bid": 7, "fee": 700},
        {"payer": bob, "gasUnits": 200, "bid": 11, "fee": 2200},
        {"payer": alice, "gasUnits": 0, "bid": 5, "fee": 0},
    ]
    assert chain.balance(ledger, alice) == 9300
    assert chain.balance(ledger, bob) == 7800
    assert chain.balance(ledger, chain.address("collector")) == 2900
    assert chain.read(ledger, "totalCharged") == 2900
    assert chain.read(ledger, "totalBalance") == chain.balance(token, ledger) == 20_000
    chain.send(chain.address("collector"), ledger, "withdraw", 2900)
    assert chain.balance(token, chain.address("collector")) == 2900


def test_one_payer_short_of_a_fee_stops_the_whole_charge(
    chain: Chain, token: Contract, ledger: Contract
) -> None:
    alice, bob = chain.address("alice"), chain.address("bob")
    _fund(chain, token, ledger, alice, 1000)
    _fund(chain, token, ledger, bob, 1000)
    builder = chain.address("builder")
    with chain.reverts("InsufficientFeeBalance", bob, 1000, 1001):
        chain.send(builder, ledger, "charge", [alice, bob], [10, 1001], [10, 1])
    with chain.reverts("InsufficientFeeBalance", alice, 500, 501):  # twice in one list
        chain.send(builder, ledger, "charge", [alice, alice], [500, 501], [1, 1])
    assert chain.balance(ledger, alice) == 1000
    assert chain.read(ledger, "totalCharged") == 0
    chain.send(builder, ledger, "charge", [alice, bob], [1000, 1000], [1, 1])
    assert chain.balance(ledger, chain.address("collector")) == 2000


def test_refusals(chain: Chain, token: Contract, ledger: Contract) -> None:
    alice = chain.address("alice")
    builder = chain.address("builder")
    with chain.reverts("NotBuilder", alice):
        chain.send(alice, ledger, "charge", [], [], [])
    for payers, gas, bids in ((1, 1, 0), (1, 0, 1), (0, 1, 1)):
        with chain.reverts("LengthMismatch"):
            chain.send(builder, ledger, "charge", [alice] * payers, [1] * gas, [1] * bids)
    with chain.reverts("InsufficientFeeBalance", alice, 0, 1):
        chain.send(alice, ledger, "withdraw", 1)
    with chain.reverts("InsufficientAllowance", alice, ledger, 0, 1):
        chain.send(alice, ledger, "deposit", alice, 1)
    _fund(chain, token, ledger, alice, 1)
    with chain.reverts("Panic", 0x11):  # the product does not fit 256 bits
        chain.send(builder, ledger, "charge", [alice], [1 << 128], [1 << 128])


def test_books_add_up_after_any_operations(
    chain: Chain, token: Contract, ledger: Contract, rng: random.Random
) -> None:
    people = [chain.address("person", i) for i in range(4)]
    builder, collector = chain.address("builder"), chain.address("collector")
    balances = dict.fromkeys([*people, collector], 0)
    wallets = dict.fromkeys([*people, collector], 0)
    charged = refused = 0
    for person in people:
        chain.mint(token, person, 10**6)
        chain.approve(person, token, ledger)
        wallets[person] = 10**6
    for _ in range(500):
        person = rng.choice([*people, collector])
        action = rng.choice(["deposit", "withdraw", "charge", "charge"])
        if action == "deposit" and person != collector:
            payer, amount = rng.choice(people), rng.randint(0, wallets[person] // 2)
            chain.send(person, ledger, "deposit", payer, amount)
            wallets[person] -= amount
            balances[payer] += amount
        elif action == "withdraw":
            amount = rng.randint(0, balances[person])
            chain.send(person, ledger, "withdraw", amount)
            wallets[person] += amount
            balances[person] -= amount
        elif action == "charge":
            payers = [rng.choice([*people, collector]) for _ in range(rng.randint(0, 6))]
            gas = [rng.randint(0, 300) for _ in payers]
            bids = [rng.randint(0, 300) for _ in payers]
            after = dict(balances)
            for payer, units, bid in zip(payers, gas, bids, strict=True):
                after[payer] -= units * bid
            if min(after.values()) < 0:
                with chain.reverts("InsufficientFeeBalance"):
                    chain.send(builder, ledger, "charge", payers, gas, bids)
                refused += 1
            else:
                chain.send(builder, ledger, "charge", payers, gas, bids)
                fees = sum(units * bid for units, bid in zip(gas, bids, strict=True))
                after[collector] += fees
                charged += fees
                balances = after
        assert {p: chain.balance(ledger, p) for p in balances} == balances
        assert {p: chain.balance(token, p) for p in wallets} == wallets
        total = sum(balances.values())
        assert chain.read(ledger, "totalBalance") == chain.balance(token, ledger) == total
        assert chain.read(ledger, "totalCharged") == charged
    supply = chain.read(token, "totalSupply")
    assert supply == sum(wallets.values()) + sum(balances.values())
    assert charged > 0
    assert refused > 0
