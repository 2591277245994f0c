"""The isolated market against a second implementation in exact fractions.

Random actions of a few accounts, with interest, fee, crashes and bad debt. After each one the
totals, every account's shares and collateral, and the tokens that moved equal the model's to the
wei, and what is refused is refused for the model's reason.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from math import ceil, floor
from typing import Any

import pytest

from harness.accounts import account
from tests.contracts.models import Refused, same_refusal

WAD = 10**18
RAY = 10**27
USD = 10**8
YEAR = 365 * 24 * 3600
MAX = (1 << 256) - 1
PEOPLE = ("alice", "bob", "carol", "treasury")


@dataclass
class Holder:
    supply: int = 0
    debt: int = 0
    collateral: int = 0


@dataclass
class Model:
    """Share price (assets + 1) / (shares + 10^6); price is debt wei per collateral wei, exact."""

    config: dict[str, Any]
    at: int
    units: tuple[int, int]
    price: Fraction = Fraction(0)
    assets: int = 0
    shares: int = 0
    borrowed: int = 0
    borrow_shares: int = 0
    bad_debt: int = 0
    moved: int = 0
    people: dict[str, Holder] = field(default_factory=lambda: {p: Holder() for p in PEOPLE})

    @property
    def supply_price(self) -> Fraction:
        return Fraction(self.assets + 1, self.shares + 10**6)

    @property
    def borrow_price(self) -> Fraction:
        return Fraction(self.borrowed + 1, self.borrow_shares + 10**6)

    @property
    def factor(self) -> Fraction:
        room = floor(Fraction(3, 10) * (WAD - self.config["lltv"]))
        return Fraction(min(115 * WAD // 100, floor(Fraction(WAD * WAD, WAD - room))), WAD)

    def charge(self, now: int) -> None:
        elapsed, self.at = now - self.at, now
        c = self.config
        usage = floor(Fraction(self.borrowed * RAY, self.assets)) if self.borrowed else 0
        if usage <= c["kink"]:
            rate = c["base_rate"] + floor(Fraction(c["slope1"] * usage, c["kink"]))
        else:
            steep = Fraction(c["slope2"] * (usage - c["kink"]), RAY - c["kink"])
            rate = c["base_rate"] + c["slope1"] + floor(steep)
        x = floor(Fraction(rate, YEAR * 10**9)) * elapsed
        second = floor(Fraction(x * x, 2 * WAD))
        growth = x + second + floor(Fraction(second * x, 3 * WAD))
        interest = floor(Fraction(self.borrowed * growth, WAD))
        self.borrowed += interest
        fee = floor(Fraction(interest * c["fee"], WAD))
        self.assets += interest - fee
        minted = floor(fee / self.supply_price)
        self.assets += fee
        self.shares += minted
        self.people["treasury"].supply += minted

    def worth(self, collateral: int) -> int:
        return floor(floor(collateral * self.price) * Fraction(self.config["lltv"], WAD))

    def owed(self, who: str) -> int:
        return ceil(self.people[who].debt * self.borrow_price)

    def health(self, who: str) -> Fraction | None:
        owed = self.owed(who)
        return Fraction(self.worth(self.people[who].collateral), owed) if owed else None

    def require_healthy(self, who: str) -> None:
        health = self.health(who)
        if health is not None and health < 1:
            raise Refused("Unhealthy")

    def supply(self, who: str, assets: int, shares: int) -> None:
        if assets:
            shares = floor(assets / self.supply_price)
        else:
            assets = ceil(shares * self.supply_price)
        self.people[who].supply += shares
        self.shares += shares
        self.assets += assets
        self.moved = assets

    def withdraw(self, who: str, assets: int, shares: int) -> None:
        if assets:
            shares = ceil(assets / self.supply_price)
        else:
            assets = floor(shares * self.supply_price)
        if shares > self.people[who].supply:
            raise Refused("InsufficientShares")
        if assets > self.assets - self.borrowed:
            raise Refused("InsufficientCash")
        self.people[who].supply -= shares
        self.shares -= shares
        self.assets -= assets
        self.moved = assets

    def supply_collateral(self, who: str, assets: int) -> None:
        if not assets:
            raise Refused("ZeroAmount")
        self.people[who].collateral += assets
        self.moved = assets

    def withdraw_collateral(self, who: str, assets: int) -> None:
        if not assets:
            raise Refused("ZeroAmount")
        if assets > self.people[who].collateral:
            raise Refused("InsufficientCollateral")
        self.people[who].collateral -= assets
        self.require_healthy(who)
        self.moved = assets

    def borrow(self, who: str, assets: int, shares: int) -> None:
        if assets:
            shares = ceil(assets / self.borrow_price)
        else:
            assets = floor(shares * self.borrow_price)
        if assets > self.assets - self.borrowed:
            raise Refused("InsufficientCash")
        self.people[who].debt += shares
        self.borrow_shares += shares
        self.borrowed += assets
        self.require_healthy(who)
        self.moved = assets

    def repay(self, who: str, assets: int, shares: int) -> None:
        if assets:
            shares = floor(assets / self.borrow_price)
        else:
            assets = ceil(shares * self.borrow_price)
        if shares > self.people[who].debt:
            raise Refused("InsufficientShares")
        self.clear(who, assets, shares)
        self.moved = assets

    def clear(self, who: str, assets: int, shares: int) -> None:
        self.people[who].debt -= shares
        self.borrow_shares -= shares
        self.borrowed = max(0, self.borrowed - assets)

    def seized_for(self, shares: int) -> int:
        return floor(floor(floor(shares * self.borrow_price) * self.factor) / self.price)

    def repaid_for(self, seized: int) -> int:
        return ceil(ceil(ceil(seized * self.price) / self.factor) / self.borrow_price)

    def liquidate(self, who: str, seized: int, shares: int) -> None:
        holder = self.people[who]
        health = self.health(who)
        if health is None or health >= 1:
            raise Refused("Healthy")
        if shares == MAX:
            shares = holder.debt
            seized = self.seized_for(shares)
            if seized > holder.collateral:
                seized = holder.collateral
                shares = self.repaid_for(seized)
        elif seized:
            shares = self.repaid_for(seized)
        else:
            seized = self.seized_for(shares)
        if shares > holder.debt:
            raise Refused("InsufficientShares")
        if seized > holder.collateral:
            raise Refused("InsufficientCollateral")
        self.moved = ceil(shares * self.borrow_price)
        self.clear(who, self.moved, shares)
        holder.collateral -= seized
        if not holder.collateral:
            lost = min(self.borrowed, ceil(holder.debt * self.borrow_price))
            self.bad_debt += lost
            self.borrowed -= lost
            self.assets -= lost
            self.borrow_shares -= holder.debt
            holder.debt = 0

    def copy(self) -> Model:
        twin = Model(**{name: getattr(self, name) for name in self.__dataclass_fields__})
        twin.people = {name: Holder(**vars(holder)) for name, holder in self.people.items()}
        return twin


def set_price(rig: Any, model: Model, collateral: int, debt: int) -> None:
    rig.price(collateral, debt)
    exact = Fraction(collateral * model.units[1], debt * model.units[0])
    written = floor(exact * 10**36)
    assert rig.read("price") == written
    model.price = Fraction(written, 10**36)


def random_call(rng: random.Random, model: Model) -> tuple[str, str, tuple[int, ...]]:
    """What to do, for whom, and the amounts."""
    who = rng.choice(PEOPLE[:3])
    holder = model.people[who]
    action = rng.choices(
        ("supply", "withdraw", "borrow", "repay", "supply_collateral", "withdraw_collateral"),
        (4, 2, 5, 2, 3, 2),
    )[0]
    if rng.random() < 0.35:
        action, who = "liquidate", min(PEOPLE[:3], key=lambda p: model.health(p) or 10**9)
        holder = model.people[who]
        most = {"seized": holder.collateral, "shares": holder.debt}
        if rng.random() < 0.5:
            return action, who, (0, MAX)
        if rng.random() < 0.5:
            return action, who, (max(1, int(most["seized"] * rng.uniform(0, 1.1))), 0)
        return action, who, (0, max(1, int(most["shares"] * rng.uniform(0, 1.1))))
    if action in ("supply_collateral", "withdraw_collateral"):
        amount = int(100 ** rng.random() * model.units[0])
        if action == "withdraw_collateral" and rng.random() < 0.3:
            amount = holder.collateral
        return action, who, (rng.choice([amount] * 9 + [0]),)
    amount = int(200_000 ** rng.random() * model.units[1]) + rng.randint(0, 9)
    if action == "borrow" and rng.random() < 0.7:
        room = model.worth(holder.collateral) - model.owed(who)
        amount = max(1, min(room, model.assets - model.borrowed) * rng.randint(80, 100) // 100)
    if rng.random() < 0.5:
        return action, who, (amount, 0)
    held = {"withdraw": holder.supply, "repay": holder.debt}.get(action, amount * 10**6)
    return action, who, (0, max(1, held * rng.choice([25, 100, 100, 101]) // 100))


SENT = {
    "supply_collateral": "supplyCollateral",
    "withdraw_collateral": "withdrawCollateral",
}


def send(rig: Any, action: str, who: str, amounts: tuple[int, ...], after: int) -> int:
    """Do it on the chain; how many debt or collateral tokens the market was paid or paid."""
    me = account(who).address
    token = rig.collateral if action.endswith("collateral") else rig.debt
    before = rig.chain.balance(token, rig.market)
    if action == "liquidate":
        rig.send("bank", action, me, *amounts, b"", after=after)
    elif action in ("supply", "repay", "supply_collateral"):
        rig.send("bank", SENT.get(action, action), *amounts, me, after=after)
    else:
        rig.send(who, SENT.get(action, action), *amounts, me, me, after=after)
    return abs(int(rig.chain.balance(token, rig.market)) - int(before))


def assert_equal(rig: Any, model: Model) -> None:
    state, positions = rig.state(), rig.positions(*PEOPLE)
    assert state[:4] == (model.assets, model.shares, model.borrowed, model.borrow_shares)
    for name, position in zip(PEOPLE, positions, strict=True):
        holder = model.people[name]
        assert position[:3] == (holder.supply, holder.debt, holder.collateral), name
        assert position.supplied == floor(holder.supply * model.supply_price)
        assert position.debt == model.owed(name)
    assert state.debt_tokens >= state.supply_assets - state.borrow_assets
    assert state.collateral_tokens == sum(p.collateral for p in positions)


@pytest.mark.parametrize(("decimals", "lltv"), [((18, 6), 860), ((8, 18), 945), ((18, 18), 300)])
def test_random_actions_leave_what_a_second_implementation_has(
    make_isolated: Any, rng: random.Random, decimals: tuple[int, int], lltv: int
) -> None:
    rig = make_isolated(
        collateral_decimals=decimals[0],
        debt_decimals=decimals[1],
        lltv=lltv * WAD // 1_000,
        fee=WAD // 7,
        base_rate=RAY // 50,
        slope1=RAY // 20,
        slope2=3 * RAY,
    )
    units = (10 ** decimals[0], 10 ** decimals[1])
    model = Model(rig.config, rig.chain.now - 1, units)  # the lens came a second after the market
    set_price(rig, model, 2_000 * USD, USD)
    for token in (rig.collateral, rig.debt):
        rig.fund("bank", token, 10**40)
    done: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for _ in range(500):
        if rng.random() < 0.25:
            price = rng.choice([lltv, lltv * 3 // 2, 1_700, 1_850, 2_000, 2_200])
            set_price(rig, model, price * USD + rng.randint(0, USD), USD + rng.randint(-99, 99))
        after = rng.choice([1, 12, 3_600, 30 * 24 * 3_600])
        trial = model.copy()
        trial.charge(rig.chain.now + after)
        action, who, amounts = random_call(rng, trial)
        reason, moved = same_refusal(
            f"{action} {amounts}",
            partial(getattr(trial, action), who, *amounts),
            partial(send, rig, action, who, amounts, after),
        )
        if reason:
            refused[reason] += 1
        else:
            done[action] += 1
            assert moved == trial.moved
            if action == "supply_collateral":  # charges no interest
                getattr(model, action)(who, *amounts)
            else:
                model = trial
        now = model.copy()
        now.charge(rig.chain.now)
        assert_equal(rig, now)
    print(done, refused, model.bad_debt)
    assert model.bad_debt
    assert model.people["treasury"].supply
    assert len(done) == 7
    assert {"Healthy", "Unhealthy", "InsufficientShares", "InsufficientCash"} <= set(refused)
