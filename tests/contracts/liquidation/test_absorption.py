"""Absorption and sales from reserves, after Compound III."""

from __future__ import annotations

import random
from typing import Any

import pytest

from harness.accounts import account
from harness.contracts import Contract
from harness.errors import InvariantViolation, Reverted
from harness.testing.invariants import enforce
from harness.testing.module_invariants import wrong_absorption, wrong_collateral_sale

from .conftest import PRICE, RAY, WAD, Desk

BPS = 10_000
FACTOR, STORE_FRONT, TARGET = 9_300, 6_000, 5_000 * WAD


def me(name: str) -> bytes:
    return account(name).address


class Store:
    """A market whose module absorbs; USD is the asset that is lent."""

    def __init__(self, desk: Desk, kind: str = "Absorption", **terms: Any) -> None:
        self.desk, self.chain = desk, desk.chain
        usd = self.chain.token("USD")
        self.module: Contract = self.chain.deploy(
            kind, desk.admin, desk.market.address, usd.address, TARGET, STORE_FRONT
        )
        self.chain.send(desk.admin, desk.market, "setLiquidationModule", self.module.address)
        desk.everyone += [self.module.address, me("buyer")]
        desk.list("ETH", 2_000 * PRICE, **terms)
        desk.list("USD", PRICE, token=usd, **terms)
        desk.supply("supplier", "USD", 1_000_000 * WAD)
        self.chain.send(desk.admin, self.module, "setLiquidationFactor", desk.asset("ETH"), FACTOR)
        desk.purse("buyer", self.module)

    def absorb(self, *names: str, after: int = 1) -> Any:
        receipt = self.chain.send(
            me("keeper"), self.module, "absorb", [me(name) for name in names], after=after
        )
        events = self.module.events(receipt.logs, "Absorb")
        before = self.desk.market.events(receipt.logs, "Confiscate")
        for event, confiscated in zip(events, before, strict=True):
            self.words = confiscated["positionBefore"]
            assert event["account"] == confiscated["account"]
        return events

    def buy(self, usd: int, *, least: int = 0, claims: bool = False, after: int = 1) -> Any:
        receipt = self.chain.send(
            me("buyer"),
            self.module,
            "buyCollateral",
            self.desk.asset("ETH"),
            least,
            usd,
            me("buyer"),
            claims,
            after=after,
        )
        (event,) = self.module.events(receipt.logs, "BuyCollateral")
        return event

    def read(self, function: str, *args: Any) -> Any:
        return self.chain.read(self.module, function, *args)

    def settle(self) -> Any:
        return self.chain.send(me("keeper"), self.module, "settle")


@pytest.fixture
def store(desk: Desk) -> Store:
    return Store(desk)


def ask(price: int) -> int:
    """The ask price, price (1 - SFPF (1 - LF)), WAD."""
    return price * WAD * (BPS * BPS - STORE_FRONT * (BPS - FACTOR)) // BPS**2


def test_an_account_is_absorbed_and_credited_value_times_the_factor(store: Store) -> None:
    desk = store.desk
    who = desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    (event,) = store.absorb("borrower")
    credited = 17_000 * WAD * FACTOR // BPS - 15_000 * WAD
    assert event == {
        "absorber": me("keeper"),
        "account": who,
        "collateralUsd": 17_000 * WAD,
        "debt": 15_000 * WAD,
        "credited": credited,
        "healthFactorWad": 17_000 * 85 * WAD // 15_000 // 100,
    }
    assert desk.position("borrower") == {"ETH": (0, 0), "USD": (credited, 0)}
    assert desk.held(store.module, "ETH") == (10 * WAD, 0)
    assert store.read("reserves") == -15_000 * WAD - credited
    assert desk.problems() == {}


def test_the_reserves_take_what_the_collateral_does_not_cover(store: Store) -> None:
    desk = store.desk
    desk.borrower()
    desk.price("ETH", 1_500 * PRICE)
    (event,) = store.absorb("borrower")
    assert event["credited"] == 0
    assert store.read("reserves") == -15_000 * WAD
    # all sold at the ask price; what is missing is the deficit's, then the reserves'
    desk.fund("donor", "USD", 300 * WAD)
    desk.send("donor", "fundReserves", desk.asset("USD"), 300 * WAD)
    paid = 10 * ask(1_500)
    assert store.buy(paid)["collateralAssets"] == 10 * WAD
    receipt = store.settle()
    (bad,) = desk.market.events(receipt.logs, "BadDebt")
    assert bad["assets"] == 15_000 * WAD - paid
    (covered,) = desk.market.events(receipt.logs, "DeficitCovered")
    assert covered["assets"] == 300 * WAD
    books = desk.books("USD")
    assert (books.deficit, books.reserves) == (15_300 * WAD - 600 * WAD - paid, 0)
    assert desk.held(store.module, "USD") == (0, 0)
    assert desk.problems() == {}


@pytest.mark.parametrize("price", [1_764, 1_700, 1_234])
def test_the_ask_price_is_the_store_fronts(store: Store, price: int) -> None:
    desk = store.desk
    desk.borrower()
    desk.price("ETH", price * PRICE)
    store.absorb("borrower")
    assert store.read("askPriceWad", desk.asset("ETH")) == ask(price)
    event = store.buy(1_000 * WAD)
    assert event["collateralAssets"] == 1_000 * WAD * WAD // ask(price)
    assert desk.balance("buyer", "ETH") == event["collateralAssets"]
    assert desk.problems() == {}


def test_collateral_is_for_sale_only_below_the_target(store: Store) -> None:
    desk = store.desk
    desk.borrower(eth=100, usd=150_000)
    desk.price("ETH", 1_764 * PRICE)
    store.absorb("borrower")
    owed = -store.read("reserves")
    desk.fund("donor", "USD", owed + TARGET)
    desk.send("donor", "fundReserves", desk.asset("USD"), owed + TARGET - 1)
    store.buy(1_000 * WAD)
    reserves = TARGET - 1 + 1_000 * WAD
    assert store.read("reserves") == reserves
    with store.chain.reverts("NotForSale", reserves, TARGET):
        store.buy(1_000 * WAD)


def test_what_sales_raise_beyond_the_debt_is_the_reserves(store: Store) -> None:
    desk = store.desk
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    (event,) = store.absorb("borrower")
    owed = event["debt"] + event["credited"]
    desk.price("ETH", 1_900 * PRICE)
    paid = 10 * ask(1_900)
    store.buy(paid)
    assert desk.books("USD").reserves == paid - owed == store.read("reserves")
    assert desk.held(store.module, "ETH") == desk.held(store.module, "USD") == (0, 0)


def test_what_is_not_there_is_not_sold(store: Store) -> None:
    desk = store.desk
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    store.absorb("borrower")
    with store.chain.reverts("InsufficientCollateral"):
        store.buy(11 * ask(1_700), least=11 * WAD)
    with store.chain.reverts("TooLittle"):
        store.buy(WAD, least=WAD)
    with store.chain.reverts("NotAbsorbed", desk.asset("USD")):
        store.read("askPriceWad", desk.asset("USD"))


def test_who_pays_for_more_than_there_is_pays_for_what_there_is(store: Store) -> None:
    """So that the last of it can be bought, whose price is no whole number of base units."""
    desk = store.desk
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    store.absorb("borrower")
    before = desk.balance_of(account("buyer").address, "USD")
    store.buy(11 * ask(1_700))
    assert before - desk.balance_of(account("buyer").address, "USD") == 10 * ask(1_700)
    assert desk.held(store.module, "ETH") == (0, 0)
    with store.chain.reverts("InsufficientCollateral"):
        store.buy(WAD)


def test_base_collateral_of_an_account_counts_in_full(store: Store) -> None:
    desk = store.desk
    desk.supply("borrower", "USD", 1_000 * WAD)
    desk.borrower()
    desk.price("ETH", 1_600 * PRICE)
    (event,) = store.absorb("borrower")
    assert event["credited"] == 16_000 * WAD * FACTOR // BPS + 1_000 * WAD - 15_000 * WAD
    store.settle()
    claims, debt = desk.held(store.module, "USD")
    assert (claims, debt) == (0, 14_000 * WAD + event["credited"])
    assert desk.problems() == {}


def test_an_account_that_owes_something_else_is_not_absorbed(store: Store) -> None:
    desk = store.desk
    desk.supply("lender", "ETH", 10 * WAD)
    desk.supply("short", "USD", 10_000 * WAD)
    desk.borrow("short", "ETH", 4 * WAD)
    desk.price("ETH", 2_400 * PRICE)
    with store.chain.reverts("OtherDebt", me("short"), desk.asset("ETH")):
        store.absorb("short")


def test_all_accounts_are_absorbed_or_none(store: Store) -> None:
    desk = store.desk
    desk.borrower()
    desk.borrower(usd=10_000, who="other")
    desk.price("ETH", 1_700 * PRICE)
    with store.chain.reverts("Healthy"):
        store.absorb("borrower", "other")
    assert desk.debt_of("borrower", "USD") == 15_000 * WAD


def test_factors_are_the_admins_and_bounded(store: Store) -> None:
    eth = store.desk.asset("ETH")
    with store.chain.reverts("NotAdmin", me("keeper")):
        store.chain.send(me("keeper"), store.module, "setLiquidationFactor", eth, 1)
    for factor in (0, BPS + 1):
        with store.chain.reverts("InvalidConfig"):
            store.chain.send(me("admin"), store.module, "setLiquidationFactor", eth, factor)


def random_run(desk: Desk, rng: random.Random, steps: int, kind: str) -> dict[str, str]:
    """Random accounts, prices, absorptions and sales until something is wrong."""
    store = Store(desk, kind, base_rate=RAY // 10, reserve_factor=1_000)
    names = [f"b{i}" for i in range(5)]
    for name in names:
        desk.borrower(10, 15_000, who=name)
    done = {"absorb": 0, "buy": 0, "settle": 0, "bad": 0}
    price = 2_000
    for _ in range(steps):
        if rng.random() < 0.4:
            price = rng.randint(1_300, 2_300)
            desk.price("ETH", price * PRICE)
        action = rng.choice(("absorb", "absorb", "buy", "buy", "buy", "settle", "open"))
        who = rng.choice(names)
        after = rng.choice((1, 3_600, 10**5))
        try:
            if action == "absorb":
                (event,) = store.absorb(who, after=after)
                done["absorb"] += 1
                eth, usd = (word >> 128 for word in store.words)
                problem = wrong_absorption(
                    credited=event["credited"],
                    debt_after=desk.debt_of(who, "USD"),
                    credit_limit=eth * price * FACTOR // BPS + usd,
                    debt_before=event["debt"],
                )
                if problem:
                    return {"ABS-2": problem}
            elif action == "buy":
                for_sale = store.read("collateralReserves", desk.asset("ETH"))
                most = -(-for_sale * ask(price) // WAD)
                usd = most if rng.random() < 0.6 else rng.randint(1, max(1, most))
                before = store.read("reserves")
                event = store.buy(usd, claims=rng.random() < 0.3)
                assert (event["priceWad"], event["basePriceWad"]) == (price * WAD, WAD)
                done["buy"] += 1
                problem = wrong_collateral_sale(
                    reserves_before=before,
                    target=TARGET,
                    paid_usd=event["baseAssets"],
                    collateral=event["collateralAssets"],
                    unit=WAD,
                    ask_wad=ask(price),
                )
                if problem:
                    return {"ABS-1": problem}
            elif action == "settle":
                done["bad"] += len(desk.market.events(store.settle().logs, "BadDebt"))
                done["settle"] += 1
            else:
                desk.supply(who, "ETH", rng.randint(1, 10 * WAD))
                room = desk.claims_of(who, "ETH") * price * 8 // 10 - desk.debt_of(who, "USD")
                desk.borrow(who, "USD", room * 99 // 100)
        except Reverted as error:
            if str(error).startswith("Panic"):
                raise
        except ValueError:
            pass  # no room to borrow
        if problems := desk.problems():
            return problems
    print(done)
    assert all(done.values()), done
    return {}


def test_the_books_balance_under_random_actions(desk: Desk, rng: random.Random) -> None:
    assert random_run(desk, rng, 500, "Absorption") == {}


@pytest.mark.parametrize(
    ("identifier", "kind"),
    [("ABS-1", "AbsorptionSellsAlways"), ("ABS-2", "AbsorptionCreditsAll")],
)
def test_each_planted_bug_is_caught(
    desk: Desk, rng: random.Random, identifier: str, kind: str
) -> None:
    problems = random_run(desk, rng, 1_000, kind)
    assert list(problems) == [identifier]
    with pytest.raises(InvariantViolation, match=identifier):
        enforce(identifier, problems[identifier])
