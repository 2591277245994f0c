"""Grace period, soft caps and flash loans under random actions, on the market and its mutants."""

from __future__ import annotations

import random
from typing import Any

import pytest

from harness.accounts import account
from harness.errors import InvariantViolation, Reverted
from harness.testing.invariants import enforce
from harness.testing.module_invariants import (
    MODULE_INVARIANTS,
    wrong_flash_loan,
    wrong_opening,
    wrong_soft_limit,
)

from . import (
    test_absorption,
    test_discount_liquidation,
    test_dutch_auction,
    test_english_auction,
    test_stability_pool,
)
from .conftest import PRICE, RAY, WAD, Desk
from .test_flash import orders

MAX = (1 << 256) - 1
LTV, FEE = 8_000, 900


def me(name: str) -> bytes:
    return account(name).address


@pytest.fixture
def capped(desk: Desk) -> Desk:
    """20 ETH may count, 100 may come in."""
    desk.open(supply_cap=2_000_000 * WAD)
    desk.configure("ETH", supply_cap=100 * WAD)
    desk.send("admin", "setSoftSupplyCap", desk.asset("ETH"), 20 * WAD)
    return desk


def test_above_the_soft_cap_claims_count_in_part(capped: Desk) -> None:
    desk = capped
    desk.supply("alice", "ETH", 10 * WAD)
    with desk.undone():
        desk.borrow("alice", "USD", 16_000 * WAD)
    desk.supply("bob", "ETH", 30 * WAD)
    # 20 of 40 count: half of everybody's claims
    limit = 8_000 * WAD
    me_ = me("alice")
    with desk.chain.reverts("BorrowLimitExceeded", me_, limit + 1, limit):
        desk.borrow("alice", "USD", limit + 1)
    desk.borrow("alice", "USD", limit)


def test_the_soft_cap_liquidates_nobody_and_the_hard_one_refuses(capped: Desk) -> None:
    desk = capped
    desk.borrower()
    health = desk.health("borrower")
    desk.supply("bob", "ETH", 90 * WAD)
    assert desk.health("borrower") == health > WAD
    with desk.chain.reverts("SupplyCapExceeded"):
        desk.supply("bob", "ETH", 1)
    with desk.chain.reverts("BorrowLimitExceeded"):
        desk.borrow("borrower", "USD", 1)
    with desk.chain.reverts("NotAdmin", me("bob")):
        desk.send("bob", "setSoftSupplyCap", desk.asset("ETH"), 0)
    desk.send("admin", "setSoftSupplyCap", desk.asset("ETH"), 0)
    desk.borrow("borrower", "USD", 1)


def random_run(desk: Desk, rng: random.Random, steps: int) -> dict[str, str]:
    """Random pauses, borrows, liquidations and flash loans until something is wrong."""
    caps = {"ETH": 30 * WAD, "USD": 0}
    desk.open(base_rate=RAY // 20, reserve_factor=1_000)
    desk.send("admin", "setSoftSupplyCap", desk.asset("ETH"), caps["ETH"])
    desk.send("admin", "setFlashLoanFee", FEE)
    probe = desk.chain.deploy("LoanProbe")
    desk.chain.mint(desk.tokens["USD"], probe.address, 10**9 * WAD)
    desk.purse("bank", desk.market)
    desk.purse("bank", desk.market, "ETH")
    names = ("a", "b", "c", "d")
    desk.everyone += [me(name) for name in names]
    eth, usd = desk.asset("ETH"), desk.asset("USD")
    done = dict.fromkeys(("supply", "borrow", "liquidate", "flash", "pause", "open"), 0)
    price = 2_000
    for _ in range(steps):
        if rng.random() < 0.3:
            price = rng.randint(1_000, 2_400)
            desk.price("ETH", price * PRICE)
        who, action = rng.choice(names), rng.choice(list(done))
        opens = desk.read("liquidationsFrom")
        try:
            if action in ("supply", "borrow") and desk.books("ETH").claims < 40 * WAD:
                desk.send("bank", "supply", eth, rng.randint(1, 12 * WAD), me(who))
            if action == "borrow":
                total = desk.books("ETH").claims
                counted = min(total, caps["ETH"]) if rng.random() < 0.8 else total
                room = desk.claims_of(who, "ETH") * price * LTV // 10_000 * counted // total
                desk.borrow(who, "USD", (room - desk.debt_of(who, "USD")) * 999 // 1_000)
                claims, debt = desk.claims_of(who, "ETH") * price, desk.debt_of(who, "USD")
                problem = wrong_soft_limit(
                    debt_usd=debt,
                    claims_usd=(claims, 0),
                    ltv_bps=(LTV, LTV),
                    totals=[b.claims for b in desk.all_books().values()],
                    caps=caps.values(),
                )
                if problem:
                    return {"CAP-1": problem}
            elif action == "liquidate":
                args = (me(who), eth, usd, MAX, rng.random() < 0.5, me("bank"))
                desk.send("bank", "liquidate", *args)
                if problem := wrong_opening(timestamp=desk.chain.now, opens=opens):
                    return {"PSE-1": problem}
            elif action == "flash":
                amount = rng.randint(1, desk.books("USD").cash)
                before = desk.books("USD")
                with desk.undone():  # the interest of that second is not the loan's
                    desk.chain.wait(1)
                    before = desk.books("USD")
                desk.send("bank", "flashLoan", probe.address, usd, amount, orders(MAX))
                books = desk.books("USD")
                problem = wrong_flash_loan(
                    assets=amount,
                    fee_pips=FEE,
                    before=(before.cash, before.reserves),
                    after=(books.cash, books.reserves),
                )
                if problem:
                    return {"FLS-1": problem}
            elif action == "pause":
                desk.send("admin", "setPaused", True, 0)
                desk.send("admin", "setPaused", False, rng.choice((0, 5, 20)))
            else:
                desk.chain.wait(rng.choice((1, 3_600)))
            done[action] += 1
        except Reverted as error:
            if str(error).startswith("Panic"):
                raise
        except ValueError:
            pass  # nothing more to borrow
        if problems := desk.problems():
            return problems
    print(done)
    assert all(done.values()), done
    return {}


def test_guards_hold_under_random_actions(desk: Desk, rng: random.Random) -> None:
    assert random_run(desk, rng, 500) == {}


@pytest.mark.parametrize(
    ("identifier", "kind"),
    [
        ("PSE-1", "MarketForgetsGrace"),
        ("CAP-1", "MarketForgetsSoftCap"),
        ("FLS-1", "MarketLendsForFree"),
    ],
)
def test_each_planted_bug_is_caught(
    make_desk: Any, rng: random.Random, identifier: str, kind: str
) -> None:
    problems = random_run(make_desk(kind), rng, 2_000)
    assert list(problems) == [identifier]
    with pytest.raises(InvariantViolation, match=identifier):
        enforce(identifier, problems[identifier])


def test_every_invariant_of_modules_has_a_planted_bug() -> None:
    rows = [
        row[0]
        for module in (test_dutch_auction, test_absorption, test_stability_pool)
        for mark in module.test_each_planted_bug_is_caught.pytestmark
        for row in mark.args[1]
    ]
    (mark,) = test_each_planted_bug_is_caught.pytestmark
    rows += [row[0] for row in mark.args[1]]
    assert test_english_auction.test_an_auction_that_takes_any_bid_is_caught
    assert test_discount_liquidation.test_a_discount_without_a_cap_is_caught
    assert sorted([*rows, "ENG-1", "DIS-1"]) == sorted(MODULE_INVARIANTS)
