"""A discount of 1 - health factor, capped at 20%, after Euler v2."""

from __future__ import annotations

import random
from math import isqrt
from typing import Any

import pytest

from harness.accounts import account
from harness.contracts import Contract
from harness.errors import InvariantViolation, Reverted
from harness.testing.invariants import enforce
from harness.testing.module_invariants import wrong_discount

from .conftest import PRICE, RAY, WAD, Desk

MAX = (1 << 256) - 1
CAP = WAD // 5
THRESHOLD = 85 * WAD // 100


def me(name: str) -> bytes:
    return account(name).address


class Shop:
    """A market whose module sells at a discount."""

    def __init__(self, desk: Desk, kind: str = "DiscountLiquidation", **terms: Any) -> None:
        self.desk, self.chain = desk, desk.chain
        self.module: Contract = self.chain.deploy(kind, desk.market.address, CAP)
        desk.open(self.module, **terms)
        desk.purse("liquidator", self.module)

    def liquidate(
        self,
        who: str = "borrower",
        amount: int = MAX,
        *,
        least: int = 0,
        claims: bool = False,
        pair: tuple[str, str] = ("ETH", "USD"),
        after: int = 1,
    ) -> dict[str, Any]:
        desk = self.desk
        receipt = self.chain.send(
            me("liquidator"),
            self.module,
            "liquidate",
            me(who),
            desk.asset(pair[0]),
            desk.asset(pair[1]),
            amount,
            least,
            claims,
            me("liquidator"),
            after=after,
        )
        (event,) = self.module.events(receipt.logs, "DiscountedLiquidation")
        bad = desk.market.events(receipt.logs, "BadDebt")
        return event | {"bad_debt": bad}


@pytest.fixture
def shop(desk: Desk) -> Shop:
    return Shop(desk)


@pytest.mark.parametrize("price", [1_764, 1_750, 1_700, 1_650, 1_600, 1_500, 1_411, 1_300, 800])
def test_the_discount_is_what_health_lacks_up_to_the_cap(shop: Shop, price: int) -> None:
    desk = shop.desk
    desk.borrower()
    desk.price("ETH", price * PRICE)
    health = desk.health("borrower")
    discount = min(WAD - health, CAP)
    event = shop.liquidate()
    assert event["healthFactorWad"] == health
    assert event["discountWad"] == discount
    whole = 15_000 * WAD * WAD // (WAD - discount) * WAD // (price * WAD)
    if whole < 10 * WAD:  # the collateral covers debt and discount
        assert (event["repaid"], event["seized"]) == (15_000 * WAD, whole)
        assert desk.position("borrower") == {"ETH": (10 * WAD - whole, 0), "USD": (0, 0)}
        assert event["bad_debt"] == []
    else:
        paid = -(-10 * price * WAD * (WAD - discount) // WAD)
        assert (event["repaid"], event["seized"]) == (paid, 10 * WAD)
        (bad,) = event["bad_debt"]
        assert bad["assets"] == 15_000 * WAD - paid
    assert desk.balance("liquidator", "ETH") == event["seized"]
    assert desk.held(shop.module, "ETH") == desk.held(shop.module, "USD") == (0, 0)
    assert desk.problems() == {}


@pytest.mark.parametrize("side", [1, -1])
def test_liquidation_heals_down_to_the_root_of_the_threshold(shop: Shop, side: int) -> None:
    # health' > health iff health^2 > threshold; the same bound says whether collateral suffices
    bound = isqrt(THRESHOLD * WAD)
    desk = shop.desk
    desk.borrower()
    debt = 15_000 * WAD
    price = (bound + side * WAD // 1_000) * debt // THRESHOLD // 10
    desk.price("ETH", price * PRICE // WAD)
    before = desk.health("borrower")
    assert (before > bound) == (side > 0)
    with desk.undone():
        shop.liquidate(amount=5_000 * WAD)
        assert (desk.health("borrower") > before) == (side > 0)
    event = shop.liquidate()
    assert bool(event["bad_debt"]) == (side < 0)


def test_a_part_is_repaid_at_the_same_discount(shop: Shop) -> None:
    desk = shop.desk
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    discount = WAD - desk.health("borrower")
    event = shop.liquidate(amount=1_000 * WAD)
    assert event["repaid"] == 1_000 * WAD
    assert abs(event["seized"] - 1_000 * WAD * WAD // (WAD - discount) // 1_700) <= 1
    assert desk.debt_of("borrower", "USD") == 14_000 * WAD
    assert desk.problems() == {}


def test_less_than_the_liquidator_wants_is_refused(shop: Shop) -> None:
    shop.desk.borrower()
    shop.desk.price("ETH", 1_700 * PRICE)
    with shop.chain.reverts("TooLittle"):
        shop.liquidate(amount=1_000 * WAD, least=WAD)


def test_the_healthy_are_left_alone(shop: Shop) -> None:
    who = shop.desk.borrower()
    with shop.chain.reverts("Healthy", who, shop.desk.health("borrower")):
        shop.liquidate()


def test_claims_are_paid_where_the_collateral_is_lent_out(shop: Shop) -> None:
    desk = shop.desk
    desk.borrower()
    desk.everyone.append(me("short"))
    desk.supply("short", "USD", 100_000 * WAD)
    desk.borrow("short", "ETH", 10 * WAD)
    desk.price("ETH", 1_700 * PRICE)
    with shop.chain.reverts("InsufficientCash"):
        shop.liquidate()
    event = shop.liquidate(claims=True)
    assert desk.position("liquidator")["ETH"] == (event["seized"], 0)
    assert desk.problems() == {}


def test_worthless_collateral_is_seized_for_nothing_and_its_debt_written_off(shop: Shop) -> None:
    desk = shop.desk
    desk.list("DUST", 1, decimals=18)
    desk.supply("borrower", "DUST", 99)
    desk.borrower()
    desk.price("ETH", 100 * PRICE)
    assert shop.liquidate()["bad_debt"] == []
    event = shop.liquidate(pair=("DUST", "USD"))
    assert (event["repaid"], event["seized"]) == (0, 99)
    assert len(event["bad_debt"]) == 1
    assert desk.position("borrower")["USD"] == (0, 0)


def test_the_quote_is_what_happens(shop: Shop) -> None:
    desk = shop.desk
    who = desk.borrower()
    desk.price("ETH", 1_550 * PRICE)
    args = (who, desk.asset("ETH"), desk.asset("USD"), 3_000 * WAD)
    quoted = shop.chain.read(shop.module, "quote", *args)
    event = shop.liquidate(amount=3_000 * WAD)
    assert tuple(quoted) == (event["repaid"], event["seized"], event["discountWad"])


def test_a_cap_of_everything_is_refused(desk: Desk) -> None:
    with desk.chain.reverts("InvalidConfig"):
        desk.chain.deploy("DiscountLiquidation", desk.market.address, WAD)


def random_run(desk: Desk, rng: random.Random, steps: int, kind: str) -> dict[str, str]:
    """Random accounts, prices and liquidations until something is wrong."""
    shop = Shop(desk, kind, base_rate=RAY // 10, reserve_factor=1_000)
    names = [f"b{i}" for i in range(5)]
    for name in names:
        desk.borrower(10, 12_000, who=name)
    done = bad = 0
    for _ in range(steps):
        price = rng.randint(700, 2_200)
        desk.price("ETH", price * PRICE)
        who = rng.choice(names)
        amount = MAX if rng.random() < 0.4 else rng.randint(1, 9_000 * WAD)
        try:
            event = shop.liquidate(
                who, amount, claims=rng.random() < 0.5, after=rng.choice((1, 3_600, 10**6))
            )
        except Reverted as error:
            if str(error).startswith("Panic"):
                raise
            desk.supply(who, "ETH", rng.randint(1, 3 * WAD))
            room = desk.claims_of(who, "ETH") * price * 8 // 10 - desk.debt_of(who, "USD")
            if room > 0:
                desk.borrow(who, "USD", min(room * 99 // 100, desk.books("USD").cash))
            continue
        done += 1
        bad += len(event["bad_debt"])
        problem = wrong_discount(
            health_factor=event["healthFactorWad"],
            cap=CAP,
            repaid_usd=event["repaid"],
            seized_usd=event["seized"] * price,
            left=(desk.held(shop.module, "ETH"), desk.held(shop.module, "USD")),
            tolerance_usd=0,
        )
        if problem:
            return {"DIS-1": problem}
        if problems := desk.problems():
            return problems
    assert done
    assert bad
    return {}


def test_no_more_is_given_away_and_the_books_balance_under_random_actions(
    desk: Desk, rng: random.Random
) -> None:
    assert random_run(desk, rng, 300, "DiscountLiquidation") == {}


def test_a_discount_without_a_cap_is_caught(desk: Desk, rng: random.Random) -> None:
    problems = random_run(desk, rng, 300, "DiscountWithoutCap")
    assert list(problems) == ["DIS-1"]
    with pytest.raises(InvariantViolation, match="DIS-1"):
        enforce("DIS-1", problems["DIS-1"])
