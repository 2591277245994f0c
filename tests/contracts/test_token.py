"""Token: the ERC-20 rules, and books that add up."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.contracts import Contract
    from tests.contracts.conftest import Chain

UNLIMITED = (1 << 256) - 1


@pytest.fixture
def token(chain: Chain) -> Contract:
    return chain.token("USDC", 6)


def test_says_what_it_is(chain: Chain) -> None:
    token = chain.deploy("Token", "USD Coin", "USDC", 6, chain.address("minter"))
    assert chain.read(token, "name") == "USD Coin"
    assert chain.read(token, "symbol") == "USDC"
    assert chain.read(token, "decimals") == 6
    assert chain.read(token, "totalSupply") == 0
    assert chain.read(token, "minter") == chain.address("minter")


def test_only_the_minter_mints(chain: Chain, token: Contract) -> None:
    thief = chain.address("thief")
    with chain.reverts("NotMinter", thief):
        chain.send(thief, token, "mint", thief, 1)


def test_transfer_moves_exactly_the_amount_and_says_so(chain: Chain, token: Contract) -> None:
    alice, bob = chain.address("alice"), chain.address("bob")
    chain.mint(token, alice, 100)
    receipt = chain.send(alice, token, "transfer", bob, 30)
    assert token.decode("transfer", receipt.output or b"") is True
    assert token.events(receipt.logs, "Transfer") == [{"from": alice, "to": bob, "amount": 30}]
    assert (chain.balance(token, alice), chain.balance(token, bob)) == (70, 30)
    with chain.reverts("InsufficientBalance", alice, 70, 71):
        chain.send(alice, token, "transfer", bob, 71)
    chain.send(alice, token, "transfer", alice, 70)
    assert chain.balance(token, alice) == 70


def test_allowance_is_used_up_unless_unlimited(chain: Chain, token: Contract) -> None:
    alice, bob = chain.address("alice"), chain.address("bob")
    chain.mint(token, alice, 100)
    with chain.reverts("InsufficientAllowance", alice, bob, 0, 1):
        chain.send(bob, token, "transferFrom", alice, bob, 1)
    chain.send(alice, token, "approve", bob, 40)
    chain.send(bob, token, "transferFrom", alice, bob, 30)
    assert chain.read(token, "allowance", alice, bob) == 10
    with chain.reverts("InsufficientAllowance", alice, bob, 10, 11):
        chain.send(bob, token, "transferFrom", alice, bob, 11)
    chain.send(alice, token, "approve", bob, UNLIMITED)
    chain.send(bob, token, "transferFrom", alice, bob, 30)
    assert chain.read(token, "allowance", alice, bob) == UNLIMITED


def test_burn_destroys_the_callers_own_tokens(chain: Chain, token: Contract) -> None:
    alice = chain.address("alice")
    chain.mint(token, alice, 100)
    chain.send(alice, token, "burn", 60)
    assert (chain.balance(token, alice), chain.read(token, "totalSupply")) == (40, 40)
    with chain.reverts("InsufficientBalance", alice, 40, 41):
        chain.send(alice, token, "burn", 41)


def test_supply_cannot_overflow(chain: Chain, token: Contract) -> None:
    alice = chain.address("alice")
    chain.mint(token, alice, UNLIMITED)
    with chain.reverts("Panic", 0x11):
        chain.mint(token, chain.address("bob"), 1)


def test_supply_is_the_sum_of_balances_after_any_operations(
    chain: Chain, token: Contract, rng: random.Random
) -> None:
    people = [chain.address("person", i) for i in range(5)]
    books = dict.fromkeys(people, 0)
    minted = burned = 0
    for _ in range(600):
        who, other = rng.choice(people), rng.choice(people)
        amount = rng.randint(0, books[who] + 3)
        match rng.choice(["mint", "transfer", "burn"]):
            case "mint":
                chain.mint(token, other, amount)
                books[other] += amount
                minted += amount
            case "transfer" if amount <= books[who]:
                chain.send(who, token, "transfer", other, amount)
                books[who] -= amount
                books[other] += amount
            case "burn" if amount <= books[who]:
                chain.send(who, token, "burn", amount)
                books[who] -= amount
                burned += amount
            case action:
                args = (other, amount) if action == "transfer" else (amount,)
                with chain.reverts("InsufficientBalance", who, books[who], amount):
                    chain.send(who, token, action, *args)
        assert {p: chain.balance(token, p) for p in people} == books
        assert chain.read(token, "totalSupply") == sum(books.values()) == minted - burned
    assert minted > burned > 0
