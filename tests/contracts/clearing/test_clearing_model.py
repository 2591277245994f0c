"""Random states and random defaults, against a model of the waterfall in integers.

The model is written from the rules in IClearingHouse and IDeleveragingPolicy alone: it reads what
accounts and funds hold when reports are made, and says what everybody holds after the last round.
Every amount must be the same to the wei. Each world goes through several crashes, each of which is
one random state with random defaults; what rounds are cut into is random too.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

WAD = 10**18
SCALE = 10**36 // 10**6
BPS = 10_000
TOP = (1 << 128) - 1
MARKETS = 2
SUBS = 7
CRASHES = 3


def halves(word: int) -> tuple[int, int]:
    high, low = word >> 128, word & TOP
    return high - (1 << 128) if high >> 127 else high, low - (1 << 128) if low >> 127 else low


def up(a: int, b: int, d: int) -> int:
    return -(-a * b // d)


# ---- The model


@dataclass
class Book:
    """What an exchange's books hold, as far as the waterfall touches them."""

    marks: list[int]
    cash: dict[bytes, int]
    positions: dict[bytes, dict[int, list[int]]]
    frozen: set[bytes]
    insurance: bytes
    vault: int
    deficit: int

    def profit(self, word: bytes, market: int) -> int:
        size, cost = self.positions[word][market]
        return size * self.marks[market] // SCALE - cost

    def unrealised(self, word: bytes) -> int:
        return sum(self.profit(word, market) for market in self.positions[word])

    def equity(self, word: bytes) -> int:
        return self.cash[word] + self.unrealised(word)

    def margin(self, word: bytes, ratio: int) -> int:
        total = 0
        for market, (size, _) in self.positions[word].items():
            total += up(up(abs(size), self.marks[market], SCALE), ratio, BPS)
        return total

    def vault_equity(self) -> int:
        equity = self.vault
        for market, mark in enumerate(self.marks):
            held = [p[market] for p in self.positions.values() if market in p]
            if held:
                skew = sum(size for size, _ in held)
                equity += sum(cost for _, cost in held) - up(skew, mark, SCALE) - 1
        return equity

    def fill(self, word: bytes, market: int, delta: int, price: int) -> None:
        size, cost = self.positions[word][market]
        part = cost if delta == -size else up(cost, abs(delta), abs(size))
        realised = -up(delta, price, SCALE) - part
        self.cash[word] += realised
        self.vault -= realised
        if delta == -size:
            del self.positions[word][market]
        else:
            self.positions[word][market] = [size + delta, cost - part]

    def spare(self, word: bytes) -> int:
        if word in self.frozen or word not in self.cash:
            return 0
        above = self.equity(word) - self.margin(word, 1_000)
        if not self.positions[word]:
            above = self.cash[word]
        return max(0, min(self.cash[word], above))


@dataclass
class Fund:
    """Members' money: by owner."""

    stake: int
    pool: int
    total: int
    shares: dict[bytes, int]
    margin: dict[bytes, int]
    assessable: dict[bytes, int]
    wallet: dict[bytes, int]

    def burn(self, member: bytes, amount: int) -> None:
        if amount:
            gone = self.shares[member]
            if amount < self.pool * gone // self.total:
                gone = min(gone, up(amount, self.total, self.pool))
            self.shares[member] -= gone
            self.total -= gone
            self.pool -= amount
            self.settle()

    def settle(self) -> None:
        if self.pool and self.total:
            return
        self.stake += self.pool
        self.pool = self.total = 0
        self.shares = dict.fromkeys(self.shares, 0)

    def raised(self, step: str, member: bytes, wanted: int, books: list[Book]) -> int:
        if step == "margin":
            if member not in self.margin:
                return 0
            paid = min(wanted, self.margin[member])
            self.margin[member] -= paid
            for book in books:
                word = member + bytes(12)
                part = min(wanted - paid, book.spare(word))
                if part:
                    book.cash[word] -= part
                    paid += part
            return paid
        if step == "own_share":
            share = self.shares.get(member, 0)
            paid = min(wanted, self.pool * share // self.total if self.total else 0)
            self.burn(member, paid)
            return paid
        if step == "stake":
            paid = min(wanted, self.stake)
            self.stake -= paid
            return paid
        if step == "default_fund":
            paid = min(wanted, self.pool)
            self.pool -= paid
            if paid:
                self.settle()
            return paid
        able = {m: min(self.assessable[m], self.wallet[m]) for m in self.assessable if m != member}
        left, wanted, paid = sum(able.values()), min(wanted, sum(able.values())), 0
        for other, most in able.items():
            if most:
                part = up(wanted - paid, most, left)
                left -= most
                paid += part
                self.assessable[other] -= part
                self.wallet[other] -= part
        return paid


@dataclass
class Model:
    """The waterfall: `settle` does everything that rounds do."""

    book: Book
    other: Book
    fund: Fund
    policy: tuple[Any, ...]
    winners: tuple[Any, ...] | None
    vault_floor: int
    severity_bps: int = BPS
    paid: Counter[str] = field(default_factory=Counter)
    haircuts: dict[bytes, int] = field(default_factory=dict)
    unpaid: int = 0

    def from_funds(self, word: bytes, loss: int, open_: bool) -> int:
        for step in ("margin", "insurance", "own_share", "stake", "default_fund", "assessment"):
            if not loss:
                break
            book = self.book
            if step == "insurance":
                fund = book.insurance
                above = book.equity(fund) - book.margin(fund, 500)
                amount = max(0, min(loss, above, book.cash[fund]))
                if fund in book.frozen:
                    amount = 0
                book.cash[fund] -= amount
            else:
                amount = self.fund.raised(step, word[:20], loss, [book, self.other])
            if open_:
                book.cash[word] += amount
            else:
                book.deficit -= amount
            loss -= amount
            self.paid[step] += amount
        return loss

    def settle(self, defaults: list[bytes], deficits: list[tuple[bytes, int]]) -> None:
        """One round; deficits are reported in order with defaults, None standing for a default."""
        book = self.book
        discount: dict[bytes, int] = {}
        priced = withheld = 0
        sizes: dict[bytes, dict[int, int]] = {}
        for word, deficit in self.reports(defaults, deficits):
            if deficit:
                self.unpaid += self.from_funds(word, deficit, False)
                continue
            sizes[word] = {m: size for m, (size, _) in book.positions[word].items()}
            loss = self.from_funds(word, max(0, -book.equity(word)), True)
            if self.policy[0] == "BankruptcyPrice":
                notional = sum(
                    abs(size) * book.marks[m] // SCALE for m, size in sizes[word].items()
                )
                asked = loss * self.severity_bps // BPS
                discount[word] = loss * WAD // notional * self.severity_bps // BPS
                priced += asked
                book.cash[word] += loss - asked
                book.deficit += loss - asked
                withheld += loss - asked
            elif loss:
                book.cash[word] += loss
                book.deficit += loss
                self.unpaid += loss
        budget = self.unpaid * self.severity_bps // BPS
        withheld += self.unpaid - budget
        self.unpaid = budget
        everything = {(m, long) for m in range(MARKETS) for long in (True, False)}
        sides = {(m, size < 0) for held in sizes.values() for m, size in held.items()}
        if not self.unpaid and not priced:
            if not sizes or book.vault_equity() >= self.vault_floor:
                sides = set()
        elif not sides:
            sides = everything
        if sides:
            self.deleverage(sides, sizes, discount)
        self.unpaid += withheld
        for word in sizes:
            for market in list(book.positions[word]):
                size = book.positions[word][market][0]
                book.fill(word, market, -size, book.marks[market])
            book.frozen.discard(word)
            residual = max(0, -book.cash[word])
            book.cash[word] += residual
            book.deficit += residual
            self.unpaid += self.from_funds(word, residual, False)
        if self.unpaid and self.winners:
            self.policy = self.winners
            self.deleverage(everything, {}, {}, count=len(sizes), step="winners")
        paid = min(self.unpaid, max(0, book.vault_equity()))
        book.vault -= paid
        book.deficit -= paid
        self.unpaid -= paid
        self.paid["vault"] += paid

    def reports(
        self, defaults: list[bytes], deficits: list[tuple[bytes, int]]
    ) -> list[tuple[bytes, int]]:
        return [(word, 0) for word in defaults] + deficits

    def deleverage(
        self,
        sides: set[tuple[int, bool]],
        sizes: dict[bytes, dict[int, int]],
        discount: dict[bytes, int],
        count: int | None = None,
        step: str = "deleveraging",
    ) -> None:
        book = self.book
        count = len(sizes) if count is None else count
        line = []
        for word, positions in book.positions.items():
            held = {m: p for m, p in positions.items() if (m, p[0] > 0) in sides}
            if not held or word in book.frozen or word == book.insurance:
                continue
            gains = {m: book.profit(word, m) for m in held if book.profit(word, m) > 0}
            worth = book.equity(word)
            wealth = min(sum(gains.values()), book.unrealised(word), worth) - 2 * count * len(held)
            if wealth > 0:
                values = {m: abs(held[m][0]) * book.marks[m] // SCALE for m in gains}
                line.append(self.entry(word, wealth, worth, gains, values))
        line.sort(key=lambda entry: (-entry[0], entry[1]))
        weights = sum(entry[3] for entry in line)
        level: tuple[int, int] | None = None
        to_close: Counter[tuple[int, bool]] = Counter()
        closable: Counter[tuple[int, bool]] = Counter()
        for held in sizes.values():
            for m, size in held.items():
                to_close[m, size < 0] += abs(size)
        for _, word, *_ in line:
            for m, (size, _) in book.positions[word].items():
                if book.profit(word, m) > 0 and (m, size > 0) in sides:
                    closable[m, size > 0] += abs(size)
        left = Counter(to_close)
        for _, word, cap, weight in line:
            if not self.unpaid and not any(left.values()):
                break
            due = 0
            if self.policy[0] in ("HyperliquidQueue", "BitmexQueue"):
                due = min(cap, self.unpaid)
            elif self.policy[0] == "ProRata":
                loss, over = level or (self.unpaid, weights)
                share = loss * weight // over
                if share < cap:
                    level = (loss, over)
                due = min(share, cap, self.unpaid)
            weights -= weight
            book.cash[word] -= due
            book.deficit -= due
            self.unpaid -= due
            gains = {m: book.profit(word, m) for m in book.positions[word]}
            budget = cap
            for m in sorted(book.positions[word]):
                size = book.positions[word][m][0]
                side = (m, size > 0)
                if gains[m] <= 0 or not left[side]:
                    continue
                part = abs(size)
                if self.policy[0] == "ProRata" and to_close[side] < closable[side]:
                    part = to_close[side] * part // closable[side]
                part = min(part, left[side])
                for loser, held in sizes.items():
                    open_ = held.get(m, 0)
                    if not open_ or (open_ > 0) == (size > 0) or not part:
                        continue
                    mark = book.marks[m]
                    off = mark * discount.get(loser, 0) // WAD
                    if open_ < 0:
                        off = min(off, mark)
                    closed = min(part, abs(open_))
                    if off:
                        closed = min(closed, budget * SCALE // off)
                    if not closed:
                        break
                    cost = up(closed, off, SCALE)
                    budget -= cost
                    due += cost
                    part -= closed
                    left[side] -= closed
                    sign = 1 if open_ > 0 else -1
                    held[m] -= sign * closed
                    price = mark + sign * off
                    book.fill(loser, m, -sign * closed, price)
                    book.fill(word, m, sign * closed, price)
                    if part and held[m]:
                        break  # its budget is spent, and the next defaulter has to wait
            self.paid[step] += due
            self.haircuts[word] = self.haircuts.get(word, 0) + due

    def entry(
        self,
        word: bytes,
        wealth: int,
        worth: int,
        gains: dict[int, int],
        values: dict[int, int],
    ) -> tuple[int, bytes, int, int]:
        """Rank, account, cap, weight."""
        name = self.policy[0]
        if name == "BankruptcyPrice":
            return 1, word, wealth, 0
        if name == "ProRata":
            cap = wealth * self.policy[2] // BPS
            weight = sum(values.values()) if self.policy[1] else wealth
            return TOP - min(cap * WAD // weight, TOP - 1), word, cap, weight
        ranks = []
        for m, gain in gains.items():
            size, cost = self.book.positions[word][m]
            leverage = values[m] * WAD // worth
            if name == "BitmexQueue":
                factor = gain * WAD // abs(cost)
            elif size > 0:
                factor = values[m] * WAD // abs(cost)
            else:
                factor = abs(cost) * WAD // values[m]
            ranks.append(1 + factor * leverage // WAD)
        return max(ranks), word, wealth, 0


# ---- The chain, in the model's terms


def book_of(world: Any, venue: Any, words: list[bytes]) -> Book:
    read = world.chain.read
    insurance = venue.word("insurance")
    cash, positions, frozen = {}, {}, set()
    for word in [*words, insurance]:
        raw = read(venue.exchange, "accountWords", word)
        cash[word], rest = halves(raw[0])
        if rest >> 64 & 1:
            frozen.add(word)
        positions[word] = {
            m: list(halves(raw[1 + 2 * m])) for m in range(MARKETS) if raw[1 + 2 * m]
        }
    _, _, vault, _, deficit = read(venue.exchange, "books")
    marks = [price * WAD for price in world.prices.values()]
    return Book(marks, cash, positions, frozen, insurance, vault, deficit)


def fund_of(world: Any) -> Fund:
    words = world.chain.read(world.rig.lens, "fund", world.rig.fund.address)
    rows = [words[4 + 6 * i :][:6] for i in range(words[3])]
    owners = [row[0].to_bytes(20, "big") for row in rows]
    read = world.chain.read
    total = words[2]
    shares = {}
    for owner in owners:
        member = read(world.rig.fund, "memberOf", owner)
        shares[owner] = member[2] if read(world.rig.fund, "shareOf", owner) else 0
    return Fund(
        words[0],
        words[1],
        total,
        shares,
        {owner: row[1] for owner, row in zip(owners, rows, strict=True)},
        {owner: row[4] for owner, row in zip(owners, rows, strict=True)},
        {owner: world.chain.balance(world.rig.usd, owner) for owner in owners},
    )


def crash(world: Any, seen: Counter[str]) -> None:
    """One random state and its defaults, through the contracts and through the model."""
    rng, rig, venue = world.rng, world.rig, world.venue
    world.crash()
    policy, winners = world.configure()
    world.money()

    pending, reports = rig.chain.read(rig.house, "reportsOf", venue.exchange.address, 64)
    if not pending:
        seen["quiet"] += 1
        return
    book = book_of(world, venue, world.words)
    other = book_of(world, world.other, world.words[SUBS:])
    model = Model(book, other, fund_of(world), policy, winners, world.floor, world.severity_bps)
    ordered = [(bytes(report[0]), report[1]) for report in reports]
    model.reports = lambda *_: ordered  # type: ignore[method-assign]
    model.settle([], [])

    rig.receipts.clear()
    venue.settle([*world.words, venue.word("insurance")], rng)

    found = book_of(world, venue, world.words)
    assert dict(rig.by_step()) == {step: paid for step, paid in model.paid.items() if paid}
    assert found.cash == book.cash
    assert found.positions == book.positions
    assert (found.vault, found.deficit) == (book.vault, book.deficit)
    assert found.frozen == book.frozen == set()
    elsewhere = book_of(world, world.other, world.words[SUBS:])
    assert elsewhere.cash == other.cash
    fund = fund_of(world)
    assert fund == model.fund
    haircuts: Counter[bytes] = Counter()
    for step, payer, amount in rig.payments():
        if step in ("deleveraging", "winners"):
            haircuts[payer] += amount
    assert haircuts == {word: paid for word, paid in model.haircuts.items() if paid}
    books = rig.funds()
    assert books["tokens"] == books["stake"] + books["pool"] + books["margins"]
    seen["defaults"] += 1
    seen[policy[0]] += 1
    seen.update(step for step, paid in model.paid.items() if paid)
    seen["left unpaid"] += bool(model.unpaid)


def run(
    make_world: Any, rng: random.Random, states: int, severities: Sequence[int] = ()
) -> Counter[str]:
    seen: Counter[str] = Counter()
    world = None
    while seen["defaults"] < states:
        if world is None or rng.random() < 1 / CRASHES:
            house = {"house": "BudgetedClearingHouse"} if severities else {}
            severity = rng.choice(severities) if severities else None
            world = make_world(rng, severity_bps=severity, **house)
        try:
            crash(world, seen)
        except AssertionError as error:
            pytest.fail(f"after {seen['defaults']} states: {error}")
    return seen


def test_random_defaults_end_as_the_model_says(make_world: Any, rng: random.Random) -> None:
    seen = run(make_world, rng, 200)
    print(dict(seen))
    for step in ("margin", "insurance", "own_share", "stake", "default_fund", "assessment"):
        assert seen[step] >= 5, step
    assert min(seen["deleveraging"], seen["vault"]) >= 5
    kinds = ("HyperliquidQueue", "BitmexQueue", "BankruptcyPrice", "ProRata")
    assert min(seen[kind] for kind in kinds) >= 3


SEVERITIES = (0, 1, 3_333, 5_000, 9_999, BPS)


def test_random_defaults_end_as_the_model_says_at_any_severity(
    make_world: Any, rng: random.Random
) -> None:
    seen = run(make_world, rng, 60, SEVERITIES)
    print(dict(seen))
    assert min(seen["deleveraging"], seen["vault"], seen["winners"]) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("tenth", range(10))
def test_a_thousand_random_defaults_end_as_the_model_says_at_any_severity(
    make_world: Any, rng: random.Random, tenth: int
) -> None:
    seen = run(make_world, random.Random(f"{rng.random()}/severity/{tenth}"), 100, SEVERITIES)
    print(dict(seen))
    kinds = ("HyperliquidQueue", "BitmexQueue", "BankruptcyPrice", "ProRata")
    assert min(seen[kind] for kind in kinds) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("tenth", range(10))
def test_ten_thousand_random_defaults_end_as_the_model_says(
    make_world: Any, rng: random.Random, tenth: int
) -> None:
    seen = run(make_world, random.Random(f"{rng.random()}/{tenth}"), 1_000)
    print(dict(seen))
    assert min(seen[step] for step in ("own_share", "winners", "left unpaid")) >= 10
