"""The exchange against a second implementation: exact fractions, rounded where the docs say so.

Random deposits, withdrawals, trades, liquidations, takeovers and unwindings of a few accounts in
two markets, with skew prices, premium, funding, fees, tiers and partial steps. After each one the
exchange's books, markets and accounts must equal the model's to the unit, and a refused action must
be refused for the model's reason.
"""

from __future__ import annotations

import copy
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
DAY = 24 * 3_600
USDC = 10**6
SCALE = 10**30
MAX = (1 << 256) - 1
NO_CAP = (1 << 128) - 1
TIERS = ((40_000 * USDC, 400, 300, 200, BPS), (NO_CAP, 1_000, 800, 500, 3_000))
START = {"ETH": 2_000, "BTC": 40_000}
PEOPLE = ("alice", "bob", "carol", "insurance")
RISK = {"backstop": 4_000, "fee_vault": 5_001, "fee_insurance": 2_999, "keeper_fee": 3 * USDC}


def nearest_power(base: int, exponent: int) -> int:
    """base^exponent in Ray, squared and multiplied with each product rounded to the nearest."""
    result, square = RAY, base
    for bit in reversed(f"{exponent:b}"):
        if bit == "1":
            result = (result * square + RAY // 2) // RAY if result != RAY else square
        square = (square * square + RAY // 2) // RAY
    return result


def clamped(value: int, bound: int) -> int:
    return max(-bound, min(bound, value))


def cash_up(size: int, price: int) -> int:
    """Settlement units of a signed size at a price, up."""
    return ceil(Fraction(size * price, SCALE))


class Market:
    def __init__(self, config: dict[str, Any], price: int, now: int) -> None:
        self.c = config
        self.price = price * WAD
        self.cost = self.funding = self.premium = 0
        self.at: int | None = None
        self.sizes: Counter[str] = Counter()
        self.costs: Counter[str] = Counter()
        self.since: Counter[str] = Counter()
        self.steps: Counter[str] = Counter()
        self.stepped: Counter[str] = Counter()

    def side(self, sign: int) -> int:
        return sum(max(0, sign * size) for size in self.sizes.values())

    def skew(self) -> int:
        return sum(self.sizes.values())

    def mark(self) -> int:
        share = Fraction(clamped(self.premium, self.c["premium_bound"] * WAD // BPS), WAD)
        move = int(self.price * share)  # towards the index
        return self.price + move

    def accrued(self, now: int) -> Market:
        m = copy.copy(self)
        if self.at is None or now == self.at:
            m.at = now
            return m
        share = clamped(int(Fraction(self.skew() * WAD, self.c["skew_scale"])), WAD)
        rate = int(Fraction(share * self.c["funding_slope"], WAD)) + self.c["interest"]
        rate = clamped(rate, self.c["funding_cap"])
        m.funding += int(Fraction(rate * self.price * (now - self.at), WAD * DAY))
        left = nearest_power(self.c["premium_decay"], now - self.at)
        m.premium = share + int(Fraction((self.premium - share) * left, RAY))
        m.at = now
        return m

    def fill_price(self, size: int) -> int:
        middle = self.skew() + Fraction(size, 2)
        price = self.price * (1 + middle / self.c["skew_scale"])
        rounded = ceil(price) if size > 0 else floor(price)
        if rounded <= 0:
            raise Refused("FillPriceOutOfRange")
        return rounded

    def fee(self, size: int, price: int) -> int:
        making = min(abs(size), abs(self.skew())) if self.skew() * size < 0 else 0
        pips = making * self.c["maker_fee"] + (abs(size) - making) * self.c["taker_fee"]
        return ceil(Fraction(cash_up(abs(size), price) * pips, abs(size) * 10**6))

    def margins(self, size: int) -> list[int]:
        notional = cash_up(abs(size), self.mark())
        sums, start = [0, 0, 0], 0
        for end, *ratios, _ in TIERS:
            part = max(0, min(notional, end) - start)
            sums = [total + part * ratio for total, ratio in zip(sums, ratios, strict=True)]
            start = end
        return [ceil(Fraction(total, BPS)) for total in sums]


class Model:
    def __init__(self, markets: dict[str, Market], vault: int) -> None:
        self.markets = markets
        self.cash: Counter[str] = Counter()
        self.vault, self.fees = vault, 0

    def value(self, who: str, now: int) -> tuple[int, int, int]:
        """Equity, initial and maintenance margin."""
        equity, initial, maintenance = self.cash[who], 0, 0
        for live in (market.accrued(now) for market in self.markets.values()):
            size = live.sizes[who]
            if not size:
                continue
            owed = cash_up(size, live.funding - live.since[who])
            equity += floor(Fraction(size * live.mark(), SCALE)) - live.costs[who] - owed
            needed = live.margins(size)
            initial += needed[0]
            maintenance += needed[2]
        return equity, initial, maintenance

    def vault_pays(self, who: str, amount: int) -> None:
        self.cash[who] += amount
        self.vault -= amount

    def touch(self, symbol: str, now: int) -> Market:
        self.markets[symbol] = self.markets[symbol].accrued(now)
        return self.markets[symbol]

    def fill(self, who: str, m: Market, change: int, price: int) -> None:
        size = m.sizes[who]
        self.vault_pays(who, -cash_up(size, m.funding - m.since[who]))
        closing = 0
        if size * change < 0:
            closing = change if abs(change) < abs(size) else -size
            cost = m.costs[who]
            part = cost if closing == -size else ceil(Fraction(cost * abs(closing), abs(size)))
            m.costs[who] -= part
            self.vault_pays(who, -cash_up(closing, price) - part)
        if change != closing:
            m.costs[who] += cash_up(change - closing, price)
        m.sizes[who] = size + change
        m.since[who] = m.funding
        if not m.sizes[who]:
            for book in (m.costs, m.since, m.steps, m.stepped):
                del book[who]

    def deposit(self, who: str, amount: int) -> None:
        if not amount:
            raise Refused("ZeroAmount")
        self.cash[who] += amount

    def withdraw(self, who: str, amount: int, now: int) -> None:
        if not amount:
            raise Refused("ZeroAmount")
        self.cash[who] -= amount
        if self.cash[who] < 0:
            raise Refused("InsufficientCollateral")
        equity, initial, _ = self.value(who, now)
        if equity < initial:
            raise Refused("InsufficientMargin")

    def trade(self, who: str, symbol: str, size: int, now: int) -> None:
        if not size:
            raise Refused("ZeroAmount")
        m = self.touch(symbol, now)
        price = m.fill_price(size)
        fee = m.fee(size, price)
        before = m.sizes[who]
        self.fill(who, m, size, price)
        self.cash[who] -= fee
        shares = fee * RISK["fee_vault"] // BPS, fee * RISK["fee_insurance"] // BPS
        self.vault += shares[0]
        self.cash["insurance"] += shares[1]
        self.fees += fee - sum(shares)
        after = before + size
        grows = abs(after) > abs(before) or after * before < 0
        side = 1 if after > 0 else -1
        if grows and m.side(side) > m.c["long_cap" if after > 0 else "short_cap"]:
            raise Refused("OpenInterestCap")
        equity, initial, maintenance = self.value(who, now)
        if equity < (initial if grows else maintenance):
            raise Refused("InsufficientMargin")

    def liquidate(self, who: str, symbol: str, now: int) -> None:
        equity, _, maintenance = self.value(who, now)
        if equity >= maintenance:
            raise Refused("Healthy")
        if equity <= maintenance * RISK["backstop"] // BPS:
            self.take_over(who, equity, maintenance, now)
            return
        m = self.touch(symbol, now)
        size = m.sizes[who]
        if not size:
            raise Refused("NoPosition")
        closed = self.step(who, m, now)
        price = m.fill_price(-closed)
        self.fill(who, m, -closed, price)
        value = floor(Fraction(abs(closed) * price, SCALE))
        fee = ceil(Fraction(value * m.c["liquidation_fee"], BPS))
        fee = min(fee, max(0, self.value(who, now)[0]))
        reward = fee * m.c["liquidator_share"] // BPS
        self.cash[who] -= fee
        self.cash["bank"] += reward
        self.cash["insurance"] += fee - reward
        if not any(market.sizes[who] for market in self.markets.values()):
            self.absorb(who, now)

    def step(self, who: str, m: Market, now: int) -> int:
        if m.stepped[who]:
            if now < m.stepped[who] + m.c["cooldown"]:
                raise Refused("CoolingDown")
            if now > m.stepped[who] + m.c["step_window"]:
                m.steps[who] = 0
        size = m.sizes[who]
        large = cash_up(abs(size), m.mark()) > TIERS[0][0]
        if not large or m.steps[who] >= m.c["partial_steps"]:
            return size
        m.steps[who] += 1
        m.stepped[who] = now
        closed = ceil(Fraction(abs(size) * TIERS[1][4], BPS))
        return closed if size > 0 else -closed

    def take_over(self, who: str, equity: int, maintenance: int, now: int) -> None:
        by_fund = False
        if who != "insurance":
            fund = self.value("insurance", now)
            by_fund = fund[0] + equity >= fund[2] + maintenance
        for symbol in [s for s, market in self.markets.items() if market.sizes[who]]:
            m = self.touch(symbol, now)
            size, mark = m.sizes[who], m.mark()
            self.fill(who, m, -size, mark)
            if by_fund:
                self.fill("insurance", m, size, mark)
        left = self.cash[who]
        if left <= 0:
            self.absorb(who, now)
        elif who != "insurance":
            self.cash[who] = 0
            if by_fund:
                self.cash["insurance"] += left
            else:
                self.vault += left
        tip = min(RISK["keeper_fee"], maintenance, max(0, self.cash["insurance"]))
        self.cash["insurance"] -= tip
        self.cash["bank"] += tip

    def absorb(self, who: str, now: int) -> None:
        missing = max(0, -self.cash[who])
        if who != "insurance":
            equity, _, maintenance = self.value("insurance", now)
            paid = min(missing, max(0, equity - maintenance))
            self.cash["insurance"] -= paid
            self.cash[who] += paid
            missing -= paid
        self.vault_pays(who, missing)

    def unwind(self, symbol: str, size: int, now: int) -> None:
        m = self.touch(symbol, now)
        held = m.sizes["insurance"]
        if not held:
            raise Refused("NoPosition")
        change = min(size, abs(held)) * (-1 if held > 0 else 1)
        if not change:
            raise Refused("ZeroAmount")
        self.fill("insurance", m, change, m.fill_price(change))


def open_exchange(make_rig: Any) -> tuple[Any, Model]:
    rig = make_rig(decimals=6, vault=2_000_000, **RISK)
    markets = {}
    for symbol, price in START.items():
        rig.market(
            symbol,
            price * 10**8,
            TIERS,
            skew_scale=5_000_000 * WAD // price,
            long_cap=1_500_000 * WAD // price,
            short_cap=1_000_000 * WAD // price,
            maker_fee=211,
            taker_fee=613,
            premium_bound=150,
            premium_decay=RAY * 9_993 // 10_000,
            funding_slope=WAD // 3,
            interest=WAD // 3_333,
            funding_cap=WAD // 20,
            liquidation_fee=113,
            liquidator_share=4_321,
            cooldown=30,
            partial_steps=2,
            step_window=900,
        )
        markets[symbol] = Market(rig.markets[symbol], price, rig.chain.now)
    rig.chain.mint(rig.usd, account("bank").address, 10**30)
    rig.chain.approve(account("bank").address, rig.usd, rig.exchange)
    return rig, Model(markets, 2_000_000 * USDC)


def random_size(rng: random.Random, model: Model, who: str, symbol: str, now: int) -> int:
    held = model.markets[symbol].sizes[who]
    if held and rng.random() < 0.4:
        return -held * rng.choice([1, 2, 3]) // rng.choice([1, 2, 3])
    worth = max(300, model.value(who, now)[0] // USDC)
    usd = worth * rng.choice([1, 5, 8, 9, 12, 20])
    if rng.random() < 0.02:
        usd = 1e7
    return rng.choice([1, -1]) * int(usd * WAD * WAD / model.markets[symbol].price)


def is_below_maintenance(model: Model, who: str, now: int) -> bool:
    equity, _, maintenance = model.value(who, now)
    return equity < maintenance


def step(rng: random.Random, rig: Any, model: Model) -> tuple[str, str, Model]:
    """One random action on both: what it was, why both refused it or nothing, and the new model."""
    names = ("deposit", "withdraw", "trade", "liquidate", "unwind")
    action = rng.choices(names, (5, 2, 12, 12, 1))[0]
    after = rng.choice([1, 12, 45, 1_000, 8 * 3_600])
    now = rig.chain.now + after
    weak = [name for name in PEOPLE if is_below_maintenance(model, name, now)]
    if action == "liquidate" and not weak and rng.random() < 0.9:
        action = "trade"
    who, symbol = rng.choice(PEOPLE[:3]), rng.choice(list(START))
    trial, usd = copy.deepcopy(model), rig.usd.address
    if action == "deposit":
        who = rng.choice(PEOPLE)
        amount = int(500 * 60 ** rng.random()) * USDC if rng.random() < 0.97 else 0
        expected = partial(trial.deposit, who, amount)
        sent = ("bank", "deposit", rig.word(who), usd, amount)
    elif action == "withdraw":
        amount = rng.randint(0, max(0, model.cash[who]) * 11 // 10)
        expected = partial(trial.withdraw, who, amount, now)
        sent = (who, "withdraw", rig.word(who), usd, amount, account("bank").address)
    elif action == "trade":
        size = random_size(rng, model, who, symbol, now)
        expected = partial(trial.trade, who, symbol, size, now)
        limit = MAX if size > 0 else 0
        sent = (who, "trade", rig.word(who), rig.id(symbol), size, limit)
    elif action == "liquidate":
        who = rng.choice(weak or PEOPLE)
        if rng.random() < 0.9:
            markets = model.markets
            symbol = max(START, key=lambda s: abs(markets[s].sizes[who]) * markets[s].price)
        expected = partial(trial.liquidate, who, symbol, now)
        sent = ("bank", "liquidate", rig.word(who), rig.id(symbol))
    else:
        size = int(100 ** rng.random() * WAD) // 100
        expected = partial(trial.unwind, symbol, size, now)
        sent = ("bank", "unwind", rig.id(symbol), size)

    refused, _ = same_refusal(action, expected, lambda: rig.send(*sent, after=after))
    return action, refused, model if refused else trial


def assert_equal(rig: Any, model: Model) -> None:
    books = rig.books()
    assert books.vault == model.vault
    assert books.fees == model.fees
    assert books.insurance == model.cash["insurance"]
    assert books.cash == sum(model.cash.values())
    for symbol, market in model.markets.items():
        live, state = market.accrued(rig.chain.now), rig.state(symbol)
        assert (state.index, state.mark) == (market.price, live.mark())
        assert (state.long, state.short) == (live.side(1), live.side(-1))
        assert state.cost == sum(live.costs.values())
        assert (state.funding_index, state.premium) == (live.funding, live.premium)
    names = (*PEOPLE, "bank")
    for name, held in zip(names, rig.held([rig.word(n) for n in names]), strict=True):
        assert held.cash == model.cash[name], name
        for symbol, m in model.markets.items():
            found = held.positions.get(symbol, (0, 0, 0, 0, 0))
            assert found == (
                m.sizes[name],
                m.costs[name],
                m.since[name],
                m.steps[name],
                m.stepped[name],
            ), (name, symbol)


def test_random_actions_leave_the_books_a_second_implementation_has(
    make_rig: Any, rng: random.Random
) -> None:
    rig, model = open_exchange(make_rig)
    done: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for _ in range(1_000):
        if rng.random() < 0.5:
            symbol = rng.choice(list(START))
            market = model.markets[symbol]
            price = market.price * rng.choice([90, 95, 97, 98, 99, 101, 102, 103, 105, 110]) // 100
            price = min(START[symbol] * 3 * WAD, max(START[symbol] * WAD // 3, price))
            market.price = price // 10**10 * 10**10
            rig.price(symbol, market.price // 10**10)
        action, reason, model = step(rng, rig, model)
        (refused if reason else done)[reason or action] += 1
        done["partial"] += any(any(m.steps.values()) for m in model.markets.values())
        assert_equal(rig, model)
        rig.assert_books_balance()
    print(done, refused)
    assert all(done[name] for name in ("deposit", "withdraw", "trade", "liquidate", "partial"))
    assert len(refused) >= 6
