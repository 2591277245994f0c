"""A clearing house in front of perpetual exchanges, on a real engine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from harness.accounts import account
from harness.contracts import Contract
from harness.engine import Block, Receipt, Transaction
from harness.testing.clearing_invariants import STEPS
from tests.contracts.perp_terms import RISK, halves, without_frictions

WAD = 10**18
PRICE = 10**8
BPS = 10_000
NO_CAP = (1 << 128) - 1
MAX = (1 << 256) - 1
TIERS = ((NO_CAP, 1_000, 700, 500, BPS),)
SCALE = 10**36 // 10**6
USD = 10**6
SYMBOLS = ("ETH", "BTC")
START = {"ETH": 2_000, "BTC": 40_000}
MEMBERS = ("ann", "ben", "cat")
SUBS = 7
POLICIES: dict[str, tuple[Any, ...]] = {
    "hyperliquid": ("HyperliquidQueue",),
    "bitmex": ("BitmexQueue",),
    "bankruptcy": ("BankruptcyPrice",),
    "profit": ("ProRata", False, BPS),
    "capped profit": ("ProRata", False, 4_000),
    "notional": ("ProRata", True, BPS),
    "capped notional": ("ProRata", True, 7_000),
}


class Payment(NamedTuple):
    """One payment of a round, from its event."""

    step: str
    payer: bytes
    amount: int


class Venue:
    """One exchange of the clearing house, and what to do there."""

    def __init__(self, rig: ClearingRig, index: int, vault: int, risk: dict[str, Any]) -> None:
        chain = rig.chain
        self.rig, self.chain = rig, chain
        self.router = chain.deploy("ForcedTradeRouter", rig.admin)
        parts = [chain.deploy(part).address for part in ("PerpAdmin", "PerpLiquidation")]
        self.exchange: Contract = chain.deploy(
            "PerpExchange", rig.admin, rig.usd.address, bytes(20), self.router.address, *parts
        )
        self.vault = chain.deploy("LiquidityVault", self.exchange.address)
        self.markets: list[str] = []
        self.risk = RISK | risk
        self.admin("setVault", self.vault.address)
        self.admin("setRiskConfig", tuple(self.risk.values()))
        self.admin("setWaterfall", rig.house.address)
        chain.send(rig.admin, rig.fund, "addVenue", self.exchange.address)
        chain.approve(rig.treasury, rig.usd, self.exchange)
        if vault:
            chain.approve(rig.treasury, rig.usd, self.vault)
            chain.send(rig.treasury, self.vault, "deposit", vault, rig.treasury)

    def admin(self, function: str, *args: Any) -> Receipt:
        """Call the exchange as its admin."""
        receipt: Receipt = self.chain.send(self.rig.admin, self.exchange, function, *args)
        return receipt

    def market(self, symbol: str, **config: Any) -> None:
        """List a market at the rig's feed of that symbol: no frictions unless given."""
        self.markets.append(symbol)
        fields = without_frictions(self.rig.feeds[symbol].address) | config
        self.admin("listMarket", tuple(fields.values()), TIERS)

    def configure(self, policy: Contract, winners: Contract | None = None) -> None:
        """Deleveraging policy, and that of the step of all winners."""
        config = (policy.address, winners.address if winners else bytes(20))
        rig = self.rig
        self.chain.send(rig.admin, rig.house, "configure", self.exchange.address, config)

    def word(self, who: str, sub: int = 0) -> bytes:
        """An account's word."""
        if who == "insurance":
            return self.exchange.address + bytes(12)
        return account(who).address + sub.to_bytes(12, "big")

    def deposit(self, word: bytes, amount: int) -> None:
        """The treasury pays in."""
        rig = self.rig
        self.chain.send(rig.treasury, self.exchange, "deposit", word, rig.usd.address, amount)

    def trade(self, who: str, symbol: str, size: int, sub: int = 0) -> None:
        """Trade at any price."""
        market, limit = self.markets.index(symbol), MAX if size > 0 else 0
        owner = account(who).address
        self.chain.send(owner, self.exchange, "trade", self.word(who, sub), market, size, limit)

    def liquidate(self, word: bytes, symbol: str) -> Receipt:
        """Liquidate."""
        liquidator, market = account("liquidator").address, self.markets.index(symbol)
        receipt: Receipt = self.chain.send(liquidator, self.exchange, "liquidate", word, market)
        return receipt

    def read(self, function: str, *args: Any) -> Any:
        """A view of the exchange."""
        return self.chain.read(self.exchange, function, *args)

    def equity(self, word: bytes) -> int:
        """Equity at the mark price."""
        return int(self.read("valuation", word)[0])

    def profit(self, word: bytes) -> int:
        """Unrealised profit at the mark price."""
        return int(self.read("valuation", word)[1])

    def cash(self, word: bytes) -> int:
        """Cash of an account."""
        return halves(self.read("accountWords", word)[0])[0]

    def in_default(self, word: bytes) -> bool:
        """Whether the account is frozen."""
        return bool(self.read("accountWords", word)[0] >> 64 & 1)

    def size(self, word: bytes, symbol: str) -> int:
        """Size of a position."""
        return halves(self.read("accountWords", word)[1 + 2 * self.markets.index(symbol)])[0]

    def deficit(self) -> int:
        """Deficit of the exchange."""
        return int(self.read("books")[4])

    # --- rounds

    def house(self, function: str, *args: Any, by: str = "keeper") -> Receipt:
        """Call the clearing house about this venue."""
        rig = self.rig
        receipt: Receipt = self.chain.send(
            account(by).address, rig.house, function, self.exchange.address, *args
        )
        rig.receipts.append(receipt)
        return receipt

    def round(self) -> dict[str, Any]:
        """The current round."""
        names = (
            "number",
            "stage",
            "winners",
            "opened_at",
            "sides",
            "unpaid",
            "defaulters",
            "finished",
            "in_line",
            "done",
            "last_rank",
            "last_account",
        )
        values = self.chain.read(self.rig.house, "roundOf", self.exchange.address)
        return dict(zip(names, values, strict=True))

    def places(self, words: Sequence[bytes]) -> dict[bytes, list[int]]:
        """Rank, wealth, cap, weight, and whether the account is on a side."""
        rig = self.rig
        args = (rig.house.address, self.exchange.address, list(words))
        found = self.chain.read(rig.lens, "places", *args)
        return {word: list(found[5 * i : 5 * i + 5]) for i, word in enumerate(words)}

    def line(self, words: Sequence[bytes]) -> list[bytes]:
        """Those on a side of the round, as the house wants them."""
        places = self.places(words)
        return sorted((w for w in words if places[w][4]), key=lambda w: (-places[w][0], w))

    def settle(
        self, words: Sequence[bytes], rng: random.Random | None = None, reports: int = 64
    ) -> None:
        """Run rounds until nothing is reported, in pieces of random size where ``rng`` is given."""
        while self.chain.read(self.rig.house, "reportsOf", self.exchange.address, 0)[0]:
            self.house("open", reports)
            while self.round()["stage"]:
                self.work(words, rng)

    def work(self, words: Sequence[bytes], rng: random.Random | None = None) -> None:
        """One stage of the round in progress, or a piece of it."""
        stage = self.round()["stage"]
        if stage != 1:
            self.house("deleverage" if stage == 2 else "finish", rng.randint(1, 64) if rng else 64)
            return
        line = self.line(words)
        at = 0
        while at < len(line):
            size = rng.randint(1, len(line)) if rng else len(line)
            self.house("list", line[at : at + size])
            at += size
        assert self.round()["stage"] != 1, "the whole line does not complete it"


class ClearingRig:
    """A clearing house, its fund, feeds, and as many venues as wanted.

    Amounts are base units of USD, a token of `decimals`.
    """

    def __init__(
        self,
        chain: Any,
        *,
        decimals: int = 18,
        house: str = "ClearingHouse",
        fund: str = "ClearingFund",
        assessment_bps: int = BPS,
        assessment_period: int = 30 * 86_400,
        severity_bps: int | None = None,
    ) -> None:
        self.chain = chain
        self.unit = 10**decimals
        self.scale = 10 ** (36 - decimals)
        self.admin = account("admin").address
        self.treasury = account("treasury").address
        self.usd = chain.token("USD", decimals)
        chain.mint(self.usd, self.treasury, 10**15 * self.unit)
        self.fund: Contract = chain.deploy(
            fund, self.admin, self.usd.address, assessment_bps, assessment_period
        )
        budget = () if severity_bps is None else (severity_bps,)
        self.house: Contract = chain.deploy(house, self.admin, self.fund.address, *budget)
        self.lens: Contract = chain.deploy("ClearingLens")
        chain.send(self.admin, self.fund, "setHouse", self.house.address)
        chain.approve(self.treasury, self.usd, self.fund)
        self.feeds: dict[str, Contract] = {}
        self.receipts: list[Receipt] = []
        self.venues: list[Venue] = []

    def price(self, symbol: str, dollars: float) -> None:
        """Publish a price."""
        if symbol not in self.feeds:
            reporter = account("reporter").address
            self.feeds[symbol] = self.chain.deploy("PushFeed", reporter, 8, symbol)
        answer = round(dollars * PRICE)
        self.chain.send(account("reporter").address, self.feeds[symbol], "transmit", answer)

    def venue(self, *, vault: int = 0, **risk: Any) -> Venue:
        """Another exchange."""
        self.venues.append(Venue(self, len(self.venues), vault, risk))
        return self.venues[-1]

    def policy(self, name: str, *args: Any) -> Contract:
        """Deploy a policy."""
        contract: Contract = self.chain.deploy(name, *args)
        return contract

    def join(self, who: str, contribution: int, *, pledged: int = 0) -> None:
        """Become a member; `pledged` is what assessments find in its wallet."""
        address = account(who).address
        total = contribution + pledged
        self.chain.send(self.treasury, self.usd, "transfer", address, total)
        self.chain.approve(address, self.usd, self.fund)
        self.chain.send(address, self.fund, "join", contribution)
        for venue in self.venues:
            self.chain.send(address, venue.exchange, "setOperator", self.fund.address, True)

    def margin(self, who: str, amount: int) -> None:
        """Pay margin of a member in with the fund."""
        self.chain.send(self.treasury, self.fund, "payMargin", account(who).address, amount)

    def stake(self, amount: int) -> None:
        """The house's own money."""
        self.chain.send(self.treasury, self.fund, "addStake", amount)

    def funds(self) -> dict[str, int]:
        """Stake, pool, margins and tokens of the fund."""
        read = self.chain.read
        members = read(self.fund, "members")
        margins = sum(read(self.fund, "memberOf", m)[0] for m in members)
        return {
            "stake": read(self.fund, "stake"),
            "pool": read(self.fund, "pool"),
            "margins": margins,
            "tokens": self.chain.balance(self.usd, self.fund),
        }

    def share(self, who: str) -> int:
        """What is left of a member's contribution."""
        return int(self.chain.read(self.fund, "shareOf", account(who).address))

    def events(self, name: str, since: int = 0) -> list[dict[str, Any]]:
        """Every event of that name that calls of the house emitted, from one call on, in order."""
        return [
            event
            for receipt in self.receipts[since:]
            for event in self.house.events(receipt.logs, name)
        ]

    def payments(self) -> list[Payment]:
        """Who paid what, in order."""
        return [
            Payment(STEPS[event["step"]], event["payer"], event["amount"])
            for event in self.events("Paid")
        ]

    def by_step(self) -> dict[str, int]:
        """What each step has paid."""
        found: dict[str, int] = {}
        for step, _, amount in self.payments():
            found[step] = found.get(step, 0) + amount
        return found


class World:
    """A clearing house with two venues; what is compared happens on the first."""

    def __init__(
        self,
        make_clearing: Any,
        rng: random.Random,
        policies: Sequence[str] = tuple(POLICIES),
        pro_rata: str = "ProRata",
        twins: bool = False,
        severity_bps: int | None = None,
        **kinds: str,
    ) -> None:
        self.rng = rng
        self.twins = twins
        self.severity_bps = BPS if severity_bps is None else severity_bps
        self.rig = rig = make_clearing(decimals=6, severity_bps=severity_bps, **kinds)
        self.chain = rig.chain
        self.prices = dict(START)
        for symbol, price in START.items():
            rig.price(symbol, price)
        vault = rng.choice((0, 20_000, 2_000_000)) * USD
        self.floor = rng.choice((vault, 10**12 * USD, 10**12 * USD, 10**12 * USD))
        self.venue = rig.venue(vault=vault, vault_floor=self.floor)
        self.other = rig.venue(vault=2_000_000 * USD)
        for venue in (self.venue, self.other):
            for symbol in SYMBOLS:
                venue.market(symbol)
        self.choice = policies
        self.policies = {}
        for name, (kind, *args) in POLICIES.items():
            self.policies[name] = rig.policy(pro_rata if kind == "ProRata" else kind, *args)
        for member in MEMBERS:
            rig.join(member, rng.randint(1, 4_000) * USD, pledged=rng.randint(0, 4_000) * USD)
        self.configure()
        self.words = [self.venue.word("trader", sub) for sub in range(SUBS)]
        self.words += [self.venue.word(m) for m in MEMBERS] + [self.venue.word("ann", 1)]

    def attempt(self, calls: list[tuple[Any, ...]]) -> list[bool]:
        """Execute (sender, contract, function, *args) in one block, whatever comes of each."""
        chain = self.chain
        chain.number += 1
        chain.now += 1
        transactions = tuple(
            Transaction(sender, to.address, to.encode(function, *args))
            for sender, to, function, *args in calls
        )
        receipts = chain.engine.execute(Block(chain.number, chain.now, transactions))
        return [bool(receipt.status) for receipt in receipts]

    def prices_now(self, **move: float) -> None:
        reporter = account("reporter").address
        calls = []
        for symbol, factor in move.items():
            self.prices[symbol] = max(1, round(self.prices[symbol] * factor))
            calls.append(
                (reporter, self.rig.feeds[symbol], "transmit", self.prices[symbol] * 10**8)
            )
        self.attempt(calls)

    def trades(self) -> None:
        """Everybody pays in something, and takes positions as far as that goes."""
        rng, rig = self.rng, self.rig
        calls: list[tuple[Any, ...]] = []
        for venue in (self.venue, self.other):
            exchange = venue.exchange
            for word in self.words if venue is self.venue else self.words[SUBS:]:
                amount = rng.randint(1, 20_000) * USD + rng.randint(0, USD)
                args = (word, rig.usd.address, amount)
                calls.append((rig.treasury, exchange, "deposit", *args))
                for market, symbol in enumerate(SYMBOLS):
                    if rng.random() < 0.6:
                        value = amount * rng.randint(150, 500) // 100
                        size = value * SCALE // (self.prices[symbol] * WAD)
                        size = size * rng.choice((-1, 1)) + rng.randint(0, 10**6)
                        limit = MAX if size > 0 else 0
                        calls.append((word[:20], exchange, "trade", word, market, size, limit))
        if self.twins:  # two accounts that do the same
            twin = self.words[1]
            same = [list(call) for call in calls if self.words[0] in call]
            calls = [call for call in calls if twin not in call]
            for call in same:
                call[call.index(self.words[0])] = twin
            calls += [tuple(call) for call in same]
        self.attempt(calls)

    def withdrawals(self) -> None:
        calls = []
        for word in self.words[2 * self.twins : SUBS + 3]:
            amount = self.rng.randint(1, 40_000) * USD
            args = (word, self.rig.usd.address, amount, word[:20])
            calls.append((word[:20], self.venue.exchange, "withdraw", *args))
        self.attempt(calls)

    def money(self) -> None:
        """What stands behind: sometimes nothing."""
        rng, rig = self.rng, self.rig
        if rng.random() < 0.5:
            rig.stake(rng.randint(1, 2_000) * USD)
        if rng.random() < 0.5:
            self.venue.deposit(self.venue.word("insurance"), rng.randint(1, 5_000) * USD)
        if rng.random() < 0.5:
            rig.margin(rng.choice(MEMBERS), rng.randint(1, 5_000) * USD)
        for member in MEMBERS:
            if rng.random() < 0.3:
                amount = rng.randint(1, 2_000) * USD
                address = account(member).address
                self.attempt(
                    [
                        (rig.treasury, rig.usd, "transfer", address, 2 * amount),
                        (address, rig.fund, "join", amount),
                    ]
                )

    def liquidate(self) -> None:
        liquidator = account("liquidator").address
        calls = []
        for word in self.words:
            market = self.rng.randrange(len(SYMBOLS))
            calls.append((liquidator, self.venue.exchange, "liquidate", word, market))
        self.attempt(calls)

    def configure(self) -> tuple[tuple[Any, ...], tuple[Any, ...] | None]:
        rng = self.rng
        policy = rng.choice(self.choice)
        winners = rng.choice([None, None, "profit", "capped notional"])
        self.venue.configure(self.policies[policy], self.policies[winners] if winners else None)
        self.policy = POLICIES[policy]
        return self.policy, POLICIES[winners] if winners else None

    def crash(self) -> None:
        """Positions, a fall or a rise, and liquidations."""
        rng = self.rng
        self.trades()
        self.prices_now(ETH=rng.choice((0.9, 0.97, 1.03, 1.1)), BTC=rng.choice((0.9, 1, 1.1)))
        self.withdrawals()
        self.prices_now(ETH=rng.choice((0.6, 0.75, 1.25, 1.5)), BTC=rng.uniform(0.75, 1.3))
        self.liquidate()


@pytest.fixture
def make_clearing(chain: Any) -> Any:
    """Make a clearing house without venues."""

    def make(**options: Any) -> ClearingRig:
        return ClearingRig(chain, **options)

    return make


@pytest.fixture
def make_world(make_clearing: Any) -> Any:
    """Make a world of random crashes."""

    def make(rng: random.Random, **options: Any) -> World:
        return World(make_clearing, rng, **options)

    return make
