"""The stability pool against exact fractions, and its product and redistribution in integers."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest

from harness.accounts import account
from harness.contracts import Contract
from harness.errors import InvariantViolation, Reverted
from harness.testing.invariants import enforce
from harness.testing.module_invariants import wrong_pool, wrong_redistribution

from .conftest import PRICE, RAY, WAD, Desk

BPS = 10_000
MAX = (1 << 256) - 1
SCALE = 10**9
SHARE = 50  # of the collateral, to the keeper: Liquity's 0.5%


def me(name: str) -> bytes:
    return account(name).address


class Pool:
    """A market whose module is a stability pool for USD debts against ETH."""

    def __init__(
        self, desk: Desk, kind: str = "StabilityPool", share: int = SHARE, **terms: Any
    ) -> None:
        self.desk, self.chain = desk, desk.chain
        eth, usd = self.chain.token("ETH"), self.chain.token("USD")
        self.module: Contract = self.chain.deploy(
            kind, desk.market.address, eth.address, usd.address, share
        )
        self.chain.send(desk.admin, desk.market, "setLiquidationModule", self.module.address)
        desk.everyone.append(self.module.address)
        desk.list("ETH", 2_000 * PRICE, token=eth, **terms)
        desk.list("USD", PRICE, token=usd, **terms)
        desk.supply("supplier", "USD", 1_000_000 * WAD)
        self.depositors: list[str] = []

    def deposit(self, who: str, amount: int) -> Any:
        if who not in self.depositors:
            self.depositors.append(who)
            self.desk.purse(who, self.module)
        return self.send(who, "deposit", amount)

    def send(self, who: str, function: str, *args: Any, after: int = 1) -> Any:
        return self.chain.send(me(who), self.module, function, *args, after=after)

    def read(self, function: str, *args: Any) -> Any:
        return self.chain.read(self.module, function, *args)

    def left(self, who: str) -> int:
        return int(self.read("depositOf", me(who)))

    def gain(self, who: str) -> int:
        return int(self.read("gainOf", me(who)))

    def liquidate(self, who: str = "borrower", *, after: int = 1) -> dict[str, Any]:
        receipt = self.send("keeper", "liquidate", me(who), after=after)
        (event,) = self.module.events(receipt.logs, "Liquidated")
        (confiscated,) = self.desk.market.events(receipt.logs, "Confiscate")
        return event | {"taken": list(confiscated["taken"])}

    def problems(self) -> dict[str, str]:
        found = self.desk.problems()
        problem = wrong_pool(
            deposits=[self.left(who) for who in self.depositors],
            total_deposits=self.read("totalDeposits"),
            token_balance=self.chain.balance(self.desk.tokens["USD"], self.module),
            gains=[self.gain(who) for who in self.depositors],
            scaled_claims=self.desk.held(self.module, "ETH")[0],
        )
        if problem:
            found["STP-1"] = problem
        problem = wrong_redistribution(scaled_debt=self.desk.held(self.module, "USD")[1])
        if problem:
            found["STP-2"] = problem
        return found


@pytest.fixture
def pool(desk: Desk) -> Pool:
    return Pool(desk)


def test_deposits_pay_the_debt_and_get_the_collateral_in_proportion(pool: Pool) -> None:
    desk = pool.desk
    desk.borrower()
    pool.deposit("ann", 10_000 * WAD)
    pool.deposit("ben", 30_000 * WAD)
    desk.price("ETH", 1_700 * PRICE)
    event = pool.liquidate()
    assert event["offset"] == 15_000 * WAD
    assert event["keeperClaims"] == 10 * WAD * SHARE // BPS
    assert event["gained"] == 10 * WAD - event["keeperClaims"]
    assert event["recipients"] == 0
    # the product fell to (1 - 15/40), rounded down by one unit
    assert pool.read("product") == WAD * 25 // 40 - 1
    for who, deposit in (("ann", 10_000 * WAD), ("ben", 30_000 * WAD)):
        assert 0 <= deposit * 25 // 40 - pool.left(who) <= deposit // WAD + 1
        assert 0 <= event["gained"] * deposit // (40_000 * WAD) - pool.gain(who) <= deposit // WAD
    gain, left = pool.gain("ann"), pool.left("ann")
    pool.send("ann", "withdraw", MAX)
    assert desk.position("ann")["ETH"] == (gain, 0)
    assert desk.balance("ann", "USD") == 10**9 * WAD - 10_000 * WAD + left
    assert desk.position("borrower") == {"ETH": (0, 0), "USD": (0, 0)}
    assert pool.problems() == {}


def test_an_emptied_pool_begins_a_new_epoch(pool: Pool) -> None:
    desk = pool.desk
    desk.borrower()
    desk.borrower(who="carrier", eth=100)
    pool.send("keeper", "enroll", me("carrier"))
    pool.deposit("ann", 15_000 * WAD)
    desk.price("ETH", 1_700 * PRICE)
    event = pool.liquidate()
    assert (event["offset"], event["spreadDebt"]) == (15_000 * WAD, 0)
    assert (pool.read("epoch"), pool.read("scale"), pool.read("product")) == (1, 0, WAD)
    assert pool.left("ann") == 0
    assert 0 <= event["gained"] - pool.gain("ann") <= 15_000
    pool.deposit("ben", WAD)
    assert pool.left("ben") == WAD
    assert pool.gain("ben") == 0
    assert pool.problems() == {}


def test_what_the_pool_does_not_cover_is_spread_by_collateral(pool: Pool) -> None:
    desk = pool.desk
    desk.borrower()
    for i, name in enumerate(("c0", "c1", "c2")):
        desk.borrower(who=name, eth=10 * (i + 1), usd=1_000)
        pool.send("keeper", "enroll", me(name))
    pool.deposit("ann", 6_000 * WAD)
    desk.price("ETH", 1_700 * PRICE)
    before = [desk.held(me(name), "ETH")[0] for name in ("c0", "c1", "c2")]
    event = pool.liquidate()
    claims = 10 * WAD * (BPS - SHARE) // BPS
    assert event["offset"] == 6_000 * WAD
    assert event["gained"] == claims * 6_000 // 15_000
    spread = claims - event["gained"]
    shares = [spread * stake // sum(before) for stake in before[:-1]]
    debts = [9_000 * WAD * stake // sum(before) for stake in before[:-1]]
    shares.append(spread - sum(shares))
    debts.append(9_000 * WAD - sum(debts))
    for name, stake, share, debt in zip(("c0", "c1", "c2"), before, shares, debts, strict=True):
        assert desk.held(me(name), "ETH") == (stake + share, 0)
        assert desk.held(me(name), "USD") == (0, 1_000 * WAD + debt)
    assert pool.problems() == {}


def test_the_last_borrower_cannot_be_spread(pool: Pool) -> None:
    desk = pool.desk
    who = desk.borrower()
    pool.send("keeper", "enroll", who)
    desk.price("ETH", 1_700 * PRICE)
    with pool.chain.reverts("NobodyToCarry", who):
        pool.liquidate()


def test_who_no_longer_borrows_is_struck_off(pool: Pool) -> None:
    desk = pool.desk
    desk.borrower()
    for name in ("c0", "c1", "c2"):
        desk.borrower(who=name, usd=1_000)
        pool.send("keeper", "enroll", me(name))
    for name in ("c0", "c2"):
        desk.fund(name, "USD", 2_000 * WAD)
        desk.repay(name, "USD")
    desk.price("ETH", 1_700 * PRICE)
    assert pool.liquidate()["recipients"] == 1
    assert pool.read("enrolled") in ([me("c1")], (me("c1"),))
    assert desk.debt_of("c1", "USD") == 16_000 * WAD
    with pool.chain.reverts("AlreadyEnrolled", me("c1")):
        pool.send("keeper", "enroll", me("c1"))
    with pool.chain.reverts("NotBorrower", me("c0")):
        pool.send("keeper", "enroll", me("c0"))


def test_the_scale_moves_on_before_the_product_is_nothing(desk: Desk) -> None:
    pool = Pool(desk, share=0)
    desk.supply("bank", "USD", 10**9 * WAD)
    desk.everyone.append(me("bank"))
    truth = Fraction(10**6 * WAD)
    for i, depositor in enumerate(("first", "second")):  # all but a millionth is burnt, twice
        pool.deposit(depositor, 10**6 * WAD)
        total = pool.read("totalDeposits")
        debt = total - total // 10**6
        name = f"b{i}"
        desk.everyone.append(me(name))
        desk.supply(name, "ETH", debt * 13 // 20_000)
        desk.borrow(name, "USD", debt)
        desk.price("ETH", 1_500 * PRICE)
        pool.liquidate(name)
        desk.price("ETH", 2_000 * PRICE)
        truth = Fraction(10**6 * WAD) * (total - debt) / total
    assert (pool.read("scale"), pool.read("epoch")) == (1, 0)
    assert WAD // SCALE <= pool.read("product") < WAD
    # who came at the scale before keeps its part; below a billionth of a deposit nothing is left
    assert 0 <= truth - pool.left("second") <= truth / 10**5
    assert pool.left("first") == 0
    assert pool.problems() == {}


def test_pause_does_not_trap_a_depositor(pool: Pool) -> None:
    pool.deposit("ann", WAD)
    pool.chain.send(me("admin"), pool.desk.market, "setPaused", True, 0)
    pool.send("ann", "withdraw", MAX)
    assert pool.desk.balance("ann", "USD") == 10**9 * WAD


class Model:
    """Every depositor's share in exact fractions, and Liquity's product in integers."""

    def __init__(self) -> None:
        self.deposits: dict[str, Fraction] = {}
        self.gains: dict[str, Fraction] = {}
        self.total = 0
        self.product = WAD
        self.scale = self.epoch = 0

    def offset(self, debt: int, claims: int) -> None:
        real = sum(self.deposits.values())
        for who, deposit in self.deposits.items():
            share = deposit / real if real else Fraction(0)
            self.gains[who] += share * claims
            self.deposits[who] = deposit - share * min(Fraction(debt), real)
        if debt == self.total:
            self.product, self.scale = WAD, 0
            self.epoch += 1
        else:
            loss = debt * WAD // self.total + 1
            grown = self.product * (WAD - loss)
            if grown // WAD < SCALE:
                grown *= SCALE
                self.scale += 1
            self.product = grown // WAD
        self.total -= debt


def random_run(desk: Desk, rng: random.Random, steps: int, kind: str) -> dict[str, str]:
    """Random deposits, withdrawals and liquidations; the model's figures after every action."""
    pool = Pool(desk, kind, base_rate=RAY // 10, reserve_factor=1_000)
    model = Model()
    people = ("ann", "ben", "cat")
    names = [f"b{i}" for i in range(6)]
    for i, name in enumerate(names):
        desk.borrower(10 + i, (10 + i) * 1_500, who=name)
        pool.send("keeper", "enroll", me(name))
    done = {"deposit": 0, "withdraw": 0, "full": 0, "part": 0, "spread": 0, "open": 0}
    price = 2_000
    real = kind == "StabilityPool"
    for _ in range(steps):
        if rng.random() < 0.3:
            price = rng.randint(1_400, 2_100)
            desk.price("ETH", price * PRICE)
        action = rng.choice(("deposit", "withdraw", "liquidate", "liquidate", "open"))
        who, name = rng.choice(people), rng.choice(names)
        amount = int(10 ** (4.3 * rng.random()) * WAD)
        after = rng.choice((1, 3_600, 10**5))
        try:
            if action == "deposit":
                before, left = model.deposits.get(who, Fraction(0)), 0
                left = pool.left(who) if who in pool.depositors else 0
                pool.deposit(who, amount)
                assert not real or 0 <= before - left <= before / 10**8 + 10
                model.deposits[who] = Fraction(left + amount)
                model.gains[who] = Fraction(0)
                model.total += amount
            elif action == "withdraw" and who in pool.depositors:
                left, gain = pool.left(who), pool.gain(who)
                claims = desk.held(me(who), "ETH")[0]
                pool.send(who, action, amount, after=after)
                assert desk.held(me(who), "ETH")[0] == claims + gain
                model.deposits[who] = Fraction(left - min(amount, left))
                model.gains[who] = Fraction(0)
                model.total -= min(amount, left)
            elif action == "liquidate":
                stakes = {n: desk.held(me(n), "ETH")[0] for n in names if n != name}
                debts = {n: desk.held(me(n), "USD")[1] for n in names if n != name}
                listed = [bytes(a) for a in pool.read("enrolled")]
                event = pool.liquidate(name, after=after)
                taken = event["taken"][0] >> 128
                keeper = taken * SHARE // BPS
                assert event["keeperClaims"] == keeper
                if event["offset"]:
                    assert event["offset"] <= model.total
                    model.offset(event["offset"], event["gained"])
                assert event["gained"] + event["spreadClaims"] + keeper == taken
                if real:
                    check_spread(desk, names, listed, stakes, debts, event)
                action = "full" if not event["spreadDebt"] else "part"
                if not event["offset"]:
                    action = "spread"
            elif action == "open":
                desk.supply(name, "ETH", rng.randint(WAD, 10 * WAD))
                room = desk.claims_of(name, "ETH") * price * 8 // 10 - desk.debt_of(name, "USD")
                if room > 0:
                    desk.borrow(name, "USD", min(room * 99 // 100, desk.books("USD").cash))
                pool.send("keeper", "enroll", me(name))
            if action in done:
                done[action] += 1
        except Reverted as error:
            if str(error).startswith("Panic"):
                raise
        if problems := pool.problems():
            return problems
        if not real:
            continue
        state = tuple(pool.read(f) for f in ("product", "scale", "epoch", "totalDeposits"))
        assert state == (model.product, model.scale, model.epoch, model.total)
        for one, deposit in model.deposits.items():
            assert 0 <= deposit - pool.left(one) <= deposit / 10**8 + 10, one
            gain = model.gains[one]
            assert abs(gain - pool.gain(one)) <= gain / 10**8 + 10**6, one
    print(done)
    assert not real or all(done.values()), done
    return {}


def check_spread(
    desk: Desk,
    names: list[str],
    listed: list[bytes],
    stakes: dict[str, int],
    debts: dict[str, int],
    event: dict[str, Any],
) -> None:
    """Everybody enrolled who borrows has its share by collateral, rounded down; nobody else has."""
    carriers = [n for n in stakes if me(n) in listed and debts[n] and stakes[n]]
    total = sum(stakes[n] for n in carriers)
    over_claims, over_debt = event["spreadClaims"], event["spreadDebt"]
    if not over_debt:
        carriers = []
    for n in stakes:
        claims, debt = (desk.held(me(n), "ETH")[0], desk.held(me(n), "USD")[1])
        got = claims - stakes[n], debt - debts[n]
        if n not in carriers:
            assert got == (0, 0)
            continue
        fair = (
            event["spreadClaims"] * stakes[n] // total,
            event["spreadDebt"] * stakes[n] // total,
        )
        assert all(0 <= a - b < len(carriers) for a, b in zip(got, fair, strict=True))
        over_claims -= got[0]
        over_debt -= got[1]
    if carriers:
        assert (over_claims, over_debt) == (0, 0)


def test_pool_and_redistribution_are_the_models_under_random_actions(
    desk: Desk, rng: random.Random
) -> None:
    assert random_run(desk, rng, 400, "StabilityPool") == {}


@pytest.mark.parametrize(
    ("identifier", "kind"),
    [("STP-1", "StabilityPoolForgetsLoss"), ("STP-2", "StabilityPoolKeepsDebt")],
)
def test_each_planted_bug_is_caught(
    desk: Desk, rng: random.Random, identifier: str, kind: str
) -> None:
    problems = random_run(desk, rng, 1_000, kind)
    assert list(problems) == [identifier]
    with pytest.raises(InvariantViolation, match=identifier):
        enforce(identifier, problems[identifier])
