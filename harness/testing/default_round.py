"""Defaults on an exchange without any money behind it, and the round of a clearing house that deals
with them: what a deleveraging policy does, driven by hand.

    market = DefaultMarket(open_engine("revm"), "pro-rata")
    with market.crash(seed) as lost:
        outcome = market.play()

Trades have no frictions, and no fund pays: all that accounts in default owe is left to winners.
Amounts are settlement units, sizes WAD.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from harness.accounts import account
from harness.contracts import Contract
from harness.engine.base import Engine, Receipt, Transaction
from harness.errors import Reverted
from harness.people import KEEPER, MINTER
from harness.protocols.clearing import DELEVERAGING, IDLE
from harness.scenario import PRICE_UNIT, Scenario, parse_scenario
from harness.testing.worlds import ScenarioWorld
from harness.traders import account_word

__all__ = ["MARKETS", "DefaultMarket", "Holding", "Outcome", "Turn", "default_scenario"]

MARKETS = {"ETH": 2_000, "BTC": 40_000}
"""What is traded, and its price at the start, USD."""

ACCOUNTS = 10
_USD = 10**6
_ANY = (1 << 256) - 1
_TRADER = account("kit-trader").address
_LIQUIDATOR = account("kit-liquidator").address

_SCENARIO = """
schema = 1
name = "default-round"
expect = "quiet"

[clock]
blocks = 2
seconds_per_block = 12
start = "2026-01-01T00:00:00Z"
{assets}
[[asset]]
symbol = "USDC"
decimals = 6
start_price_usd = 1
price = {{ process = "constant" }}
feed = {{ kind = "push" }}

[[venue]]
kind = "perp-exchange"
name = "exchange"
settlement = "USDC"
backstop_bps = 0
withdraw_floor_bps = 0
withdraw_profit = true
keeper_fee = 0
vault = 100_000
vault_floor = 1e12
{markets}
[[venue]]
kind = "clearing-house"
name = "house"
venues = ["exchange"]
{house}
"""

_ASSET = """
[[asset]]
symbol = "{symbol}"
start_price_usd = {price}
price = {{ process = "constant" }}
feed = {{ kind = "push" }}
"""

_MARKET = """
[[venue.market]]
symbol = "{symbol}"
skew_scale = 1e15
maker_fee_pips = 0
taker_fee_pips = 0
premium_bound_bps = 0
funding_slope = 0
interest = 0
liquidation_fee_bps = 0
tier = [{{ initial_bps = 1000, call_bps = 700, maintenance_bps = 500 }}]
"""


class Holding(NamedTuple):
    """An account at the prices of the round: positions by market, above zero when long, and what
    each has gained."""

    cash: int
    sizes: tuple[int, ...]
    gains: tuple[int, ...]
    equity: int
    profit: int
    frozen: bool


class Turn(NamedTuple):
    """What happened to an account in line."""

    account: bytes
    due: int
    paid: int


@dataclass(slots=True)
class Outcome:
    """A round, from the chain.

    Attributes:
        before, after: every account before the round was opened, and when it had ended.
        defaulters: accounts taken into the round.
        taken: events of losses taken: ``loss``, ``unpaid`` by funds.
        places: rank, wealth, cap and weight of accounts on a side of the round, when it was opened.
        turns: in the order of the line.
        sides: by number, what is in default on the other side, what is in line, what was left.
        payments: (step, amount).
        residual: what closing left beyond the losses; ``unpaid`` is what nobody paid.
        books: of the exchange, and its tokens.
        open_interest: longs and shorts by market.
        refused: why a call of the round failed, which ended the play; else empty.

    """

    before: dict[bytes, Holding]
    after: dict[bytes, Holding] = field(default_factory=dict)
    defaulters: tuple[bytes, ...] = ()
    taken: list[dict[str, Any]] = field(default_factory=list)
    places: dict[bytes, tuple[int, int, int, int]] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    sides: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    payments: list[tuple[int, int]] = field(default_factory=list)
    residual: int = 0
    unpaid: int = 0
    books: tuple[int, ...] = ()
    tokens: int = 0
    open_interest: list[tuple[int, int]] = field(default_factory=list)
    refused: str = ""

    @property
    def loss(self) -> int:
        """What winners were left to pay."""
        return sum(int(event["unpaid"]) for event in self.taken)

    @property
    def paid(self) -> int:
        """What they paid."""
        return sum(turn.paid for turn in self.turns)

    @property
    def in_line(self) -> list[bytes]:
        """Those with a place, first to last."""
        ranked = [word for word, place in self.places.items() if place[0]]
        return sorted(ranked, key=lambda word: (-self.places[word][0], word))


def default_scenario(policy: str, **fields: Any) -> Scenario:
    """An exchange and its clearing house with this policy; ``fields`` are of the house."""
    terms = {"policy": f'"{policy}"', **fields}
    assets = "".join(_ASSET.format(symbol=s, price=p) for s, p in MARKETS.items())
    markets = "".join(_MARKET.format(symbol=s) for s in MARKETS)
    house = "\n".join(f"{name} = {value}" for name, value in terms.items())
    return parse_scenario(_SCENARIO.format(assets=assets, markets=markets, house=house))


class DefaultMarket:
    """An exchange behind a clearing house, with ten accounts; the first two do the same.

    Args:
        engine: a fresh one, which the caller closes.
        policy: as a scenario names it.
        fields: of the scenario's clearing house.

    """

    def __init__(self, engine: Engine, policy: str, **fields: Any) -> None:
        self.world = ScenarioWorld(engine, default_scenario(policy, **fields), 0)
        self.engine = engine
        (self.clearing,) = self.world.world.clearing.values()
        self.policy = self.clearing.policy
        self.severity_bps = self.clearing.spec.severity_bps
        self._venue = self.clearing.exchanges["exchange"]
        self.exchange: Contract = self._venue.exchange
        self.words = [account_word(_TRADER, sub=sub) for sub in range(ACCOUNTS)]
        self._usdc = self.world.tokens["USDC"]
        self._prices = dict(MARKETS)
        self._receipts: list[Receipt] = []
        self.world.send(MINTER, self._usdc, "mint", _TRADER, 10**18)
        self.world.send(_TRADER, self._usdc, "approve", self.exchange.address, _ANY)

    def ask(self, function: str, *args: Any) -> Any:
        """What the policy answers; Reverted if it refuses."""
        return self.policy.read(self.engine, function, *args)

    # --- the state before a round -----------------------------------------------------------

    @contextmanager
    def crash(self, seed: int) -> Iterator[bool]:
        """Positions at several prices, a crash, and liquidations; undone on exit.

        Gives whether there are defaults whose loss somebody in profit can pay.
        """
        draw = random.Random(f"default-round/{seed}")
        kept = dict(self._prices)
        with self.world.anchor():
            self._deposit(draw)
            self._trade(draw, 0.7)
            self._move(draw, (0.92, 0.97, 1.03, 1.08))
            self._trade(draw, 0.2)
            self._withdraw(draw)
            self._move(draw, (0.6, 0.75, 1.25, 1.5))
            self._liquidate()
            pending = self.clearing.round(self.engine, "exchange").pending
            yield pending > 0 and any(each.equity < 0 for each in self.holdings().values())
        self._prices = kept

    def _deposit(self, draw: random.Random) -> None:
        amounts = [draw.randint(1_000, 20_000) * _USD + draw.randint(0, _USD) for _ in self.words]
        amounts[1] = amounts[0]
        self._attempt(
            self.exchange.transaction(_TRADER, "deposit", word, self._usdc.address, amount)
            for word, amount in zip(self.words, amounts, strict=True)
        )

    def _trade(self, draw: random.Random, chance: float) -> None:
        sent = []
        for market, symbol in enumerate(MARKETS):
            drawn = []
            for word in self.words:
                words = self.exchange.read(self.engine, "accountWords", word)
                value = _halves(words[0])[0] * draw.randint(150, 600) // 100
                size = value * 10**12 // self._prices[symbol] * draw.choice((-1, 1))
                drawn.append(size + draw.randint(0, 10**6) if draw.random() < chance else 0)
            drawn[1] = drawn[0]
            for word, size in zip(self.words, drawn, strict=True):
                if size:
                    limit = _ANY if size > 0 else 0
                    call = ("trade", word, market, size, limit)
                    sent.append(self.exchange.transaction(_TRADER, *call))
        self._attempt(sent)

    def _withdraw(self, draw: random.Random) -> None:
        amounts = [draw.randint(1, 30_000) * _USD for _ in self.words]
        amounts[1] = amounts[0]
        self._attempt(
            self.exchange.transaction(
                _TRADER, "withdraw", word, self._usdc.address, amount, _TRADER
            )
            for word, amount in zip(self.words, amounts, strict=True)
        )

    def _move(self, draw: random.Random, factors: Sequence[float]) -> None:
        for symbol in MARKETS:
            self._prices[symbol] = round(self._prices[symbol] * draw.choice(factors))
        self._attempt(
            self.world.feeds[symbol].transaction(KEEPER, "transmit", price * PRICE_UNIT)
            for symbol, price in self._prices.items()
        )

    def _liquidate(self) -> None:
        for market in range(len(MARKETS)):
            self._attempt(
                self.exchange.transaction(_LIQUIDATOR, "liquidate", word, market)
                for word in self.words
            )

    def _attempt(self, sent: Iterator[Transaction] | list[Transaction]) -> None:
        """Executes in one block, whatever comes of each."""
        self.world.execute(*sent)

    # --- the round --------------------------------------------------------------------------

    def play(
        self, *, piece: int = 64, pause: int = 1, by: str = "kit-keeper", backwards: bool = False
    ) -> Outcome:
        """Plays the round to its end, and undoes it.

        Args:
            piece: accounts or reports to a call.
            pause: seconds between calls.
            by: name of who calls.
            backwards: tries to list the last of the line first.

        """
        with self.world.anchor():
            outcome = Outcome(self.holdings())
            self._receipts = []
            try:
                self._play(outcome, account(by).address, piece, pause, backwards)
            except Reverted as error:
                outcome.refused = str(error)
            self._collect(outcome)
        return outcome

    def _play(
        self, outcome: Outcome, sender: bytes, piece: int, pause: int, backwards: bool
    ) -> None:
        def call(function: str, what: object) -> None:
            sent = (self.clearing.house, function, self.exchange.address, what)
            self._receipts.append(self.world.send(sender, *sent, after=pause))

        call("open", 64)
        places = self._places()
        outcome.places = {
            word: (rank, wealth, cap, weight)
            for word, (rank, wealth, cap, weight, on_side) in places.items()
            if on_side
        }
        line = sorted(outcome.places, key=lambda word: (-outcome.places[word][0], word))
        if backwards:
            try:
                call("list", line[::-1])
            except Reverted:
                call("list", line)
        else:
            for at in range(0, len(line), piece):
                call("list", line[at : at + piece])
        while self._stage() == DELEVERAGING:
            call("deleverage", piece)
        outcome.sides = self._sides()
        while self._stage() != IDLE:
            call("finish", piece)

    def _stage(self) -> int:
        return self.clearing.round(self.engine, "exchange").stage

    def _places(self) -> dict[bytes, tuple[int, ...]]:
        """Rank, wealth, cap, weight, and whether it is on a side of the round."""
        house = self.clearing.house.address
        raw = self.clearing.lens.read(
            self.engine, "places", house, self.exchange.address, self.words
        )
        return {word: tuple(raw[5 * i : 5 * i + 5]) for i, word in enumerate(self.words)}

    def _sides(self) -> dict[int, tuple[int, int, int]]:
        found = {}
        for side in range(2 * len(MARKETS)):
            words = self.clearing.house.read(self.engine, "sideOf", self.exchange.address, side)
            found[side] = (words[2], words[1], words[3])
        return found

    def _collect(self, outcome: Outcome) -> None:
        """What the round's events and the exchange say."""
        outcome.after = self.holdings()
        outcome.taken = self._events("LossTaken")
        outcome.turns = [
            Turn(event["account"], event["due"], event["paid"])
            for event in self._events("Deleveraged")
        ]
        outcome.payments = [(event["step"], event["amount"]) for event in self._events("Paid")]
        closed = self._events("ClosedOut")
        outcome.defaulters = tuple(event["account"] for event in closed)
        outcome.residual = sum(event["residual"] for event in closed)
        outcome.unpaid = sum(event["unpaid"] for event in self._events("RoundClosed"))
        cash, _, vault, fees, deficit = self.exchange.read(self.engine, "books")
        outcome.books = (cash, vault, fees, deficit)
        outcome.tokens = self._usdc.read(self.engine, "balanceOf", self.exchange.address)
        for market in range(len(MARKETS)):
            state = self.exchange.read(self.engine, "marketState", market)
            outcome.open_interest.append((state[2], state[3]))

    def _events(self, name: str) -> list[dict[str, Any]]:
        house = self.clearing.house
        return [e for receipt in self._receipts for e in house.events(receipt.logs, name)]

    # --- accounts ---------------------------------------------------------------------------

    def holdings(self) -> dict[bytes, Holding]:
        """Every account at the mark prices, the insurance fund's among them."""
        read = self.exchange.read
        marks = [read(self.engine, "marketState", market)[1] for market in range(len(MARKETS))]
        return {word: self._holding(word, marks) for word in (*self.words, self._venue.insurance)}

    def _holding(self, word: bytes, marks: Sequence[int]) -> Holding:
        words = self.exchange.read(self.engine, "accountWords", word)
        equity, profit, *_ = self.exchange.read(self.engine, "valuation", word)
        sizes, gains = [], []
        for market, mark in enumerate(marks):
            size, cost = _halves(words[1 + 2 * market])
            sizes.append(size)
            gains.append(size * mark // self._venue.value_scale - cost)
        cash, frozen = _halves(words[0])[0], bool(words[0] >> 64 & 1)
        return Holding(cash, tuple(sizes), tuple(gains), equity, profit, frozen)


def _halves(word: int) -> tuple[int, int]:
    """The signed halves of a word."""
    high, low = word >> 128, word & ((1 << 128) - 1)
    return high - (1 << 128) if high >> 127 else high, low - (1 << 128) if low >> 127 else low
