"""The market against a second implementation: exact fractions, rounded only where the docs say so.

Random actions of a few accounts on assets of 6, 8 and 18 decimals, with interest, fees, caps and
Aave's liquidation rules. After each one the contract's books and every account's scaled balances
must equal the model's to the unit, and a refused action must be refused for the model's reason.
"""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction
from functools import partial
from math import ceil, floor
from typing import Any

from harness.accounts import account
from tests.contracts.models import Refused, same_refusal

WAD = 10**18
RAY = 10**27
BPS = 10_000
YEAR = 365 * 24 * 3600
MAX = (1 << 256) - 1
AAVE = (5_000, 95 * 10**16, 2_000 * WAD, 1_000 * WAD)


def down(value: Fraction | int) -> int:
    return floor(value)


def up(value: Fraction | int) -> int:
    return ceil(value)


class Asset:
    def __init__(self, rig: Any, symbol: str, decimals: int, now: int, price: int) -> None:
        self.config = rig.configs[symbol]
        self.unit = 10**decimals
        self.cash = self.reserves = self.deficit = self.supply = self.debt = 0
        self.supply_index = self.borrow_index = RAY
        self.at = now
        self.price = Fraction(price, 10**8)

    def claims(self) -> int:
        return down(Fraction(self.supply * self.supply_index, RAY))

    def owed(self) -> int:
        return up(Fraction(self.debt * self.borrow_index, RAY))

    def usd(self, amount: int) -> Fraction:
        """USD in Wad, not rounded."""
        return Fraction(amount, self.unit) * self.price * WAD

    def charge(self, now: int) -> None:
        """Interest up to now."""
        elapsed, self.at = now - self.at, now
        if not elapsed or not self.debt:
            return
        before = self.owed()
        c = self.config
        usage = down(Fraction(before * RAY, self.cash + before))
        if usage <= c["kink"]:
            rate = c["base_rate"] + down(Fraction(c["slope1"] * usage, c["kink"]))
        else:
            steep = Fraction(c["slope2"] * (usage - c["kink"]), RAY - c["kink"])
            rate = c["base_rate"] + c["slope1"] + down(steep)
        first = down(Fraction(rate * elapsed, YEAR))
        second = down(Fraction(first * first, 2 * RAY))
        third = down(Fraction(second * first, 3 * RAY))
        self.borrow_index += up(Fraction(self.borrow_index * (first + second + third), RAY))
        interest = self.owed() - before
        claims = self.claims()
        if claims:
            shared = interest - up(Fraction(interest * c["reserve_factor"], BPS))
            to_suppliers = down(Fraction(shared * claims, claims + self.reserves))
            self.supply_index += down(Fraction(to_suppliers * RAY, self.supply))
        self.reserves += interest - (self.claims() - claims)

    def balance(self) -> None:
        """What the books are short of or over, as rounding left it, belongs to the reserves."""
        self.reserves = self.cash + self.owed() + self.deficit - self.claims()


class Model:
    def __init__(self, assets: dict[str, Asset], rules: tuple[int, ...]) -> None:
        self.assets = assets
        self.rules = rules
        self.claims: Counter[tuple[str, str]] = Counter()
        self.debts: Counter[tuple[str, str]] = Counter()

    def claims_of(self, who: str, symbol: str) -> int:
        asset = self.assets[symbol]
        return down(Fraction(self.claims[who, symbol] * asset.supply_index, RAY))

    def debt_of(self, who: str, symbol: str) -> int:
        asset = self.assets[symbol]
        return up(Fraction(self.debts[who, symbol] * asset.borrow_index, RAY))

    def totals(self, who: str) -> tuple[int, int, int]:
        """Borrow limit, threshold value and debt in USD Wad; the first two times 10,000."""
        limit = threshold = debt = 0
        for symbol, asset in self.assets.items():
            claims_usd = down(asset.usd(self.claims_of(who, symbol)))
            limit += claims_usd * asset.config["ltv"]
            threshold += claims_usd * asset.config["threshold"]
            debt += up(asset.usd(self.debt_of(who, symbol)))
        return limit, threshold, debt

    def health(self, who: str) -> int:
        _, threshold, debt = self.totals(who)
        return down(Fraction(threshold * WAD, BPS * debt)) if debt else MAX

    def held(self, who: str) -> list[str]:
        return [s for s in self.assets if self.claims[who, s] or self.debts[who, s]]

    def supply(self, who: str, symbol: str, amount: int) -> None:
        asset = self.assets[symbol]
        scaled = down(Fraction(amount * RAY, asset.supply_index))
        if not scaled:
            raise Refused("ZeroAmount")
        asset.cash += amount
        asset.supply += scaled
        self.claims[who, symbol] += scaled
        if asset.claims() > asset.config["supply_cap"]:
            raise Refused("SupplyCapExceeded")
        asset.balance()

    def withdraw(self, who: str, symbol: str, amount: int) -> None:
        asset = self.assets[symbol]
        claims = self.claims_of(who, symbol)
        amount = claims if amount == MAX else amount
        if not amount:
            raise Refused("ZeroAmount")
        if amount > claims:
            raise Refused("InsufficientClaims")
        if amount > asset.cash:
            raise Refused("InsufficientCash")
        self._burn_claims(who, symbol, amount)
        asset.cash -= amount
        if self.health(who) < WAD:
            raise Refused("Unhealthy")
        asset.balance()

    def borrow(self, who: str, symbol: str, amount: int) -> None:
        asset = self.assets[symbol]
        if not amount:
            raise Refused("ZeroAmount")
        if amount > asset.cash:
            raise Refused("InsufficientCash")
        scaled = up(Fraction(amount * RAY, asset.borrow_index))
        asset.debt += scaled
        self.debts[who, symbol] += scaled
        asset.cash -= amount
        if asset.owed() > asset.config["borrow_cap"]:
            raise Refused("BorrowCapExceeded")
        limit, _, debt = self.totals(who)
        if debt > limit // BPS:
            raise Refused("BorrowLimitExceeded")
        asset.balance()

    def repay(self, who: str, symbol: str, amount: int) -> None:
        amount = min(amount, self.debt_of(who, symbol))
        if not amount:
            raise Refused("ZeroAmount")
        self._burn_debt(who, symbol, amount)
        self.assets[symbol].cash += amount
        self.assets[symbol].balance()

    def liquidate(
        self, who: str, collateral: str, debt: str, amount: int, by: str, claims: bool
    ) -> None:
        if self.health(who) >= WAD:
            raise Refused("Healthy")
        col, owe = self.assets[collateral], self.assets[debt]
        held, owed = self.claims_of(who, collateral), self.debt_of(who, debt)
        if not held:
            raise Refused("NothingToSeize")
        if not owed:
            raise Refused("NothingToRepay")
        repaid = min(amount, self._limit(who, held, owed, col, owe))
        one_plus_b = Fraction(BPS + col.config["bonus"], BPS)
        value = down(down(owe.usd(repaid)) * one_plus_b)
        taken = down(value / (col.price * WAD) * col.unit)
        if taken > held:
            taken = held
            covered = up(up(col.usd(taken)) / one_plus_b)
            repaid = min(repaid, up(covered / (owe.price * WAD) * owe.unit))
        if not repaid:
            raise Refused("ZeroAmount")
        bonus = taken - down(taken / one_plus_b)
        fee = up(Fraction(bonus * col.config["protocol_share"], BPS))
        least = self.rules[3]
        if (
            repaid < owed
            and taken < held
            and (up(owe.usd(owed - repaid)) < least or down(col.usd(held - taken)) < least)
        ):
            raise Refused("MustNotLeaveDust")

        owe.cash += repaid
        self._burn_debt(who, debt, repaid)
        self._burn_claims(who, collateral, taken)
        if claims:
            scaled = down(Fraction((taken - fee) * RAY, col.supply_index))
            col.supply += scaled
            self.claims[by, collateral] += scaled
        elif taken - fee > col.cash:
            raise Refused("InsufficientCash")
        else:
            col.cash -= taken - fee
        if not any(self.claims[who, s] for s in self.assets):
            for symbol, asset in self.assets.items():
                before = asset.owed()
                asset.debt -= self.debts[who, symbol]
                asset.deficit += before - asset.owed()
                self.debts[who, symbol] = 0
        for asset in self.assets.values():
            asset.balance()

    def cover(self, symbol: str, amount: int | None) -> None:
        """The caller pays `amount`, or the reserves pay where that is None."""
        asset = self.assets[symbol]
        covered = min(asset.deficit, asset.reserves if amount is None else amount)
        if not covered:
            raise Refused("ZeroAmount")
        asset.deficit -= covered
        asset.cash += 0 if amount is None else covered
        asset.balance()

    def _limit(self, who: str, held: int, owed: int, col: Asset, owe: Asset) -> int:
        factor, full_health, full_below, _ = self.rules
        value = up(owe.usd(owed))
        if full_health and self.health(who) <= full_health:
            return owed
        if value < full_below or down(col.usd(held)) < full_below:
            return owed
        closable = down(Fraction(self.totals(who)[2] * factor, BPS))
        return owed if value <= closable else down(closable / (owe.price * WAD) * owe.unit)

    def _burn_claims(self, who: str, symbol: str, amount: int) -> None:
        scaled = up(Fraction(amount * RAY, self.assets[symbol].supply_index))
        self.assets[symbol].supply -= scaled
        self.claims[who, symbol] -= scaled

    def _burn_debt(self, who: str, symbol: str, amount: int) -> None:
        scaled = down(Fraction(amount * RAY, self.assets[symbol].borrow_index))
        self.assets[symbol].debt -= scaled
        self.debts[who, symbol] -= scaled

    def copy(self) -> Model:
        twin = Model.__new__(Model)
        twin.rules = self.rules
        twin.claims, twin.debts = Counter(self.claims), Counter(self.debts)
        twin.assets = {}
        for symbol, asset in self.assets.items():
            twin.assets[symbol] = Asset.__new__(Asset)
            twin.assets[symbol].__dict__.update(asset.__dict__)
        return twin


PEOPLE = ("alice", "bob", "carol", "dave")
ASSETS = {"USDC": (6, 1), "WBTC": (8, 40_000), "ETH": (18, 2_000)}


def open_market(make_rig: Any) -> tuple[Any, Model]:
    rig = make_rig(AAVE)
    assets = {}
    for symbol, (decimals, price) in ASSETS.items():
        rig.list(
            symbol,
            price * 10**8,
            decimals=decimals,
            protocol_share=1_000,
            reserve_factor=1_500,
            base_rate=RAY // 50,
            slope1=RAY // 20,
            slope2=2 * RAY,
            supply_cap=20_000_000 * 10**decimals // price,
            borrow_cap=8_000_000 * 10**decimals // price,
        )
        rig.price_of = {name: start * 10**8 for name, (_, start) in ASSETS.items()}
        assets[symbol] = Asset(rig, symbol, decimals, rig.chain.now, price * 10**8)
    return rig, Model(assets, AAVE)


def random_amount(rng: random.Random, symbol: str, most: int) -> int:
    """Log-uniform up to `most` dollars; now and then one unit, zero or all."""
    draw = rng.random()
    if draw < 0.05:
        return rng.choice([0, 1, MAX])
    decimals, price = ASSETS[symbol]
    return int(most ** rng.random() * 10**decimals / price)


def random_action(rng: random.Random) -> str:
    weights = {"supply": 3, "borrow": 6, "withdraw": 2, "repay": 1, "liquidate": 7, "cover": 1}
    names = [*weights, "cover from reserves"]
    return rng.choices(names, [*weights.values(), 1])[0]


def change_price(rng: random.Random, rig: Any, model: Model) -> None:
    symbol = rng.choice(list(ASSETS))
    start = ASSETS[symbol][1] * 10**8
    price = min(
        start * 3,
        max(start // 4, rig.price_of[symbol] * rng.choice([60, 85, 95, 105, 120, 150]) // 100),
    )
    rig.price(symbol, price)
    rig.price_of[symbol] = price
    model.assets[symbol].price = Fraction(price, 10**8)


def nearly_all_it_can(rng: random.Random, model: Model, who: str, symbol: str) -> int:
    limit, _, debt = model.totals(who)
    asset = model.assets[symbol]
    room = max(0, limit // BPS - debt) * rng.randint(90, 100) // 100
    return min(int(room * asset.unit / (asset.price * WAD)), asset.cash)


def step(rng: random.Random, rig: Any, model: Model) -> tuple[str, str]:
    """One random action on both: what it was, and why both refused it, or nothing."""
    action = random_action(rng)
    who, symbol, other = rng.choice(PEOPLE), rng.choice(list(ASSETS)), rng.choice(list(ASSETS))
    amount = random_amount(rng, symbol, 10_000_000 if action == "supply" else 3_000_000)
    if action in ("supply", "borrow") and amount == MAX:
        amount = 10 ** ASSETS[symbol][0]
    after = rng.choice([1, 12, 3_600, 30 * 24 * 3_600])
    for token in ASSETS:
        rig.fund("bank", token, 10**30)

    trial = model.copy()
    for asset in trial.assets.values():
        asset.charge(rig.chain.now + after)
    me, bank, token = account(who).address, account("bank").address, rig.asset(symbol)
    written = {symbol}
    if action == "supply":
        expected = partial(trial.supply, who, symbol, amount)
        sent = ("bank", "supply", token, amount, me)
    elif action == "withdraw":
        expected = partial(trial.withdraw, who, symbol, amount)
        sent = (who, "withdraw", token, amount, me, me)
    elif action == "borrow":
        if rng.random() < 0.6:
            amount = nearly_all_it_can(rng, trial, who, symbol)
        expected = partial(trial.borrow, who, symbol, amount)
        sent = (who, "borrow", token, amount, me, me)
    elif action == "repay":
        expected = partial(trial.repay, who, symbol, amount)
        sent = ("bank", "repay", token, amount, me)
    elif action == "liquidate":
        victim = min(PEOPLE, key=trial.health) if rng.random() < 0.9 else who
        claims = rng.random() < 0.5
        if rng.random() < 0.8:
            other = max(ASSETS, key=lambda s: trial.assets[s].usd(trial.claims_of(victim, s)))
            symbol = max(ASSETS, key=lambda s: trial.assets[s].usd(trial.debt_of(victim, s)))
            token = rig.asset(symbol)
        if rng.random() < 0.6:
            amount = MAX
        written = set(model.held(victim))
        expected = partial(trial.liquidate, victim, other, symbol, amount, "bank", claims)
        address = account(victim).address
        sent = ("bank", "liquidate", address, rig.asset(other), token, amount, claims, bank)
    elif action == "cover":
        expected = partial(trial.cover, symbol, amount)
        sent = ("bank", "coverDeficit", token, amount)
    else:
        expected = partial(trial.cover, symbol, None)
        sent = ("bank", "coverDeficitFromReserves", token)

    refused, _ = same_refusal(action, expected, lambda: rig.send(*sent, after=after))
    if not refused:
        model.claims, model.debts = trial.claims, trial.debts
        # the contract writes down the interest of the assets it writes, and only of those
        model.assets |= {name: trial.assets[name] for name in written}
    return action, refused


def assert_equal(rig: Any, model: Model) -> None:
    now = model.copy()
    for symbol, found in rig.all_books().items():
        asset = now.assets[symbol]
        asset.charge(rig.chain.now)
        assert found == (
            asset.cash,
            asset.claims(),
            asset.owed(),
            asset.reserves,
            asset.deficit,
            asset.supply_index,
            asset.borrow_index,
            asset.supply,
            asset.debt,
            asset.price * WAD,
        ), symbol
        assert asset.reserves >= 0
    names = (*PEOPLE, "bank")
    for name, held in zip(names, rig.scaled(*names), strict=True):
        for symbol, pair in held.items():
            assert pair == (model.claims[name, symbol], model.debts[name, symbol])


def test_random_actions_leave_the_books_a_second_implementation_has(
    make_rig: Any, rng: random.Random
) -> None:
    rig, model = open_market(make_rig)
    done: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    written_off = 0
    for _ in range(600):
        if rng.random() < 0.3:
            change_price(rng, rig, model)
        deficit = sum(asset.deficit for asset in model.assets.values())
        action, reason = step(rng, rig, model)
        written_off += sum(asset.deficit for asset in model.assets.values()) > deficit
        (refused if reason else done)[reason or action] += 1
        assert_equal(rig, model)
        rig.assert_books_balance()
    print(done, refused, written_off)
    assert written_off
    assert all(done[name] for name in ("supply", "borrow", "withdraw", "repay", "liquidate"))
    assert done["cover"] + done["cover from reserves"]
    assert len(refused) >= 6
