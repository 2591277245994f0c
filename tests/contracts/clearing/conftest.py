"""A clearing house in front of perpetual exchanges, on a real engine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from harness.accounts import account
from harness.contracts import Contract
from harness.engine import Receipt

WAD = 10**18
PRICE = 10**8
BPS = 10_000
NO_CAP = (1 << 128) - 1
MAX = (1 << 256) - 1
TIERS = ((NO_CAP, 1_000, 700, 500, BPS),)
STEPS = (
    "margin",
    "insurance",
    "own share",
    "stake",
    "default fund",
    "assessment",
    "deleveraging",
    "winners",
    "vault",
)


def halves(word: int) -> tuple[int, int]:
    """The signed halves of a word."""
    high, low = word >> 128, word & NO_CAP
    return high - (1 << 128) if high >> 127 else high, low - (1 << 128) if low >> 127 else low


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
        self.risk = {
            "withdraw_floor": 0,
            "withdraw_profit": True,
            "backstop": 0,
            "fee_vault": 6_000,
            "fee_insurance": 3_000,
            "keeper_fee": 0,
            "vault_floor": 0,
            "vault_lock": 0,
        } | risk
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
        fields = {
            "feed": self.rig.feeds[symbol].address,
            "max_age": 0,
            "min_answer": 0,
            "max_answer": (1 << 127) - 1,
            "skew_scale": 10**38,
            "long_cap": NO_CAP,
            "short_cap": NO_CAP,
            "maker_fee": 0,
            "taker_fee": 0,
            "premium_bound": 0,
            "premium_decay": 10**27,
            "funding_slope": 0,
            "interest": 0,
            "funding_cap": WAD,
            "liquidation_fee": 0,
            "liquidator_share": 5_000,
            "cooldown": 30,
            "partial_steps": 0,
            "step_window": 3_600,
            "band": 0,
            "band_decay": 10**27,
            "volatility_target": 0,
            "volatility_decay": 10**27,
            "open_interest_slope": 0,
            "scale_cap": 3 * BPS,
        } | config
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

    def place(self, word: bytes) -> tuple[int, int, int, int, bool]:
        """Rank, wealth, cap, weight, and whether the account is on a side."""
        found = self.chain.read(self.rig.house, "placeOf", self.exchange.address, word)
        return tuple(found)  # type: ignore[return-value]

    def line(self, words: Sequence[bytes]) -> list[bytes]:
        """Those on a side of the round, as the house wants them."""
        places = {word: self.place(word) for word in words}
        return sorted((w for w in words if places[w][4]), key=lambda w: (-places[w][0], w))

    def settle(
        self, words: Sequence[bytes], rng: random.Random | None = None, reports: int = 64
    ) -> None:
        """Run rounds until nothing is reported, in pieces of random size where ``rng`` is given."""
        exchange = self.exchange.address

        def piece(most: int) -> int:
            return rng.randint(1, most) if rng else most

        while self.chain.read(self.rig.house, "reportsOf", exchange, 0)[0]:
            self.house("open", reports)
            while True:
                stage = self.round()["stage"]
                if stage == 0:
                    break
                if stage == 1:
                    line = self.line(words)
                    at = 0
                    while at < len(line):
                        size = piece(len(line))
                        self.house("list", line[at : at + size])
                        at += size
                    assert self.round()["stage"] != 1, "the whole line does not complete it"
                else:
                    self.house("deleverage" if stage == 2 else "finish", piece(64))


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
        self.house: Contract = chain.deploy(house, self.admin, self.fund.address)
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

    def events(self, name: str) -> list[dict[str, Any]]:
        """Every event of that name that calls of the house emitted so far, in order."""
        return [
            event for receipt in self.receipts for event in self.house.events(receipt.logs, name)
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


@pytest.fixture
def make_clearing(chain: Any) -> Any:
    """Make a clearing house without venues."""

    def make(**options: Any) -> ClearingRig:
        return ClearingRig(chain, **options)

    return make
