"""A perpetual exchange on a real engine, with feeds, a vault, pools and accounts on demand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from harness.accounts import account
from harness.contracts import Artifact, Contract
from harness.engine import Receipt, anchor
from tests.contracts.perp_terms import RISK, halves, without_frictions

WAD = 10**18
BPS = 10_000
MAX = (1 << 256) - 1
NO_CAP = (1 << 128) - 1
ANY_PRICE = {True: MAX, False: 0}

FLAT_TIERS = ((NO_CAP, 1_000, 700, 500, BPS),)
"""Initial 10%, call 7%, maintenance 5% at any size; closed whole."""


def signed(word: int) -> int:
    """A word in two's complement."""
    return word - (1 << 256) if word >> 255 else word


class Position(NamedTuple):
    """A position as stored."""

    size: int
    cost: int
    funding_index: int
    steps: int
    stepped_at: int


class Holding(NamedTuple):
    """An account as stored."""

    cash: int
    in_default: bool
    called_at: int
    positions: dict[str, Position]
    collateral: dict[str, int]


class State(NamedTuple):
    """A market, as the lens returns it."""

    index: int
    mark: int
    long: int
    short: int
    cost: int
    funding_index: int
    funding_base: int
    funding_rate: int
    premium: int
    reference: int
    variance: int
    margin_scale: int


class Worth(NamedTuple):
    """What an account is worth, as the lens returns it."""

    equity: int
    unrealised: int
    notional: int
    initial: int
    call: int
    maintenance: int
    full_equity: int
    ratio: int


class PerpBooks(NamedTuple):
    """The exchange's books, as the lens returns them."""

    cash: int
    insurance: int
    vault: int
    fees: int
    deficit: int
    tokens: int
    vault_equity: int


class PerpRig:
    """An exchange under test.

    Prices are in feed units (8 decimals) where published and WAD where read; sizes are WAD;
    cash is base units of USD, a token of `decimals`.
    """

    def __init__(
        self,
        chain: Any,
        *,
        decimals: int = 18,
        settlement_feed: bool = False,
        vault: int = 1_000_000,
        kind: str = "PerpExchange",
        admin_part: str = "PerpAdmin",
        liquidation_part: str = "PerpLiquidation",
        compiled: Artifact | None = None,
        **risk: Any,
    ) -> None:
        self.chain = chain
        self.admin = account("admin").address
        self.unit = 10**decimals
        self.scale = 10 ** (36 - decimals)
        self.usd = chain.token("USD", decimals)
        self.router: Contract = chain.deploy("ForcedTradeRouter", self.admin)
        self.feeds: dict[str, Contract] = {}
        feed = b"\0" * 20
        if settlement_feed:
            feed = self.feed("USD", 10**8).address
        parts = [chain.deploy(part).address for part in (admin_part, liquidation_part)]
        self.exchange: Contract = chain.deploy(
            kind,
            self.admin,
            self.usd.address,
            feed,
            self.router.address,
            *parts,
            compiled=compiled,
        )
        self.lens: Contract = chain.deploy("PerpLens")
        self.vault: Contract = chain.deploy("LiquidityVault", self.exchange.address)
        self.tokens: dict[str, Contract] = {"USD": self.usd}
        self.markets: dict[str, dict[str, Any]] = {}
        self.tiers: dict[str, Sequence[Sequence[int]]] = {}
        self.collaterals: dict[str, dict[str, Any]] = {}
        self.risk = RISK | risk
        self.send("admin", "setVault", self.vault.address)
        self.set_risk()
        if vault:
            self.invest("lp", vault * self.unit)

    # --- set-up

    def feed(self, symbol: str, price: int) -> Contract:
        """A pushed feed of 8 decimals, with a price."""
        reporter = account("reporter").address
        self.feeds[symbol] = self.chain.deploy("PushFeed", reporter, 8, symbol)
        self.price(symbol, price)
        return self.feeds[symbol]

    def price(self, symbol: str, answer: int) -> None:
        """Publish a price."""
        self.chain.send(account("reporter").address, self.feeds[symbol], "transmit", answer)

    def market(
        self,
        symbol: str,
        price: int,
        tiers: Sequence[Sequence[int]] = FLAT_TIERS,
        **config: Any,
    ) -> None:
        """List a market: no fees, premium, funding, skew price, caps or guards unless given."""
        feed = self.feeds.get(symbol) or self.feed(symbol, price)
        self.markets[symbol] = without_frictions(feed.address) | config
        self.tiers[symbol] = tiers
        self.send("admin", "listMarket", *self.market_config(symbol))

    def market_config(self, symbol: str) -> tuple[Any, ...]:
        """A market's configuration and tiers as the contract takes them."""
        return tuple(self.markets[symbol].values()), [tuple(tier) for tier in self.tiers[symbol]]

    def configure(
        self, symbol: str, tiers: Sequence[Sequence[int]] | None = None, **config: Any
    ) -> None:
        """Change a market's configuration."""
        self.markets[symbol] = self.markets[symbol] | config
        self.tiers[symbol] = self.tiers[symbol] if tiers is None else tiers
        market = self.id(symbol)
        self.send("admin", "setMarketConfig", market, *self.market_config(symbol))

    def set_risk(self, **risk: Any) -> None:
        """Change the exchange's rules."""
        self.risk = self.risk | risk
        self.send("admin", "setRiskConfig", tuple(self.risk.values()))

    def collateral(
        self,
        symbol: str,
        price: int,
        *,
        decimals: int = 18,
        haircut: int = 1_000,
        depth: int = 1_000_000,
        **config: Any,
    ) -> Contract:
        """List a collateral and a pool with `depth` dollars on each side in which it is sold."""
        token = self.chain.token(symbol, decimals)
        self.tokens[symbol] = token
        feed = self.feeds.get(symbol) or self.feed(symbol, price)
        self.collaterals[symbol] = {
            "token": token.address,
            "feed": feed.address,
            "max_age": 0,
            "min_answer": 0,
            "max_answer": (1 << 127) - 1,
            "haircut": haircut,
            "cap": NO_CAP,
        } | config
        self.send("admin", "listCollateral", tuple(self.collaterals[symbol].values()))
        base = depth * 10**8 * 10**decimals // price
        pool = self.chain.pool(token, self.usd, base, depth * self.unit)
        self.chain.send(
            self.admin, self.router, "setPool", token.address, self.usd.address, pool.address
        )
        return pool

    # --- actions

    def word(self, who: str, sub: int = 0, isolated: str | None = None) -> bytes:
        """An account's word; of another contract's account where `who` is "insurance"."""
        if who == "insurance":
            return self.exchange.address + bytes(12)
        only = 0 if isolated is None else self.id(isolated) + 1
        return account(who).address + only.to_bytes(2, "big") + sub.to_bytes(10, "big")

    def id(self, symbol: str) -> int:
        """A market's id."""
        return list(self.markets).index(symbol)

    def invest(self, who: str, amount: int) -> Receipt:
        """Deposit freshly minted tokens in the vault."""
        self.chain.mint(self.usd, account(who).address, amount)
        self.chain.approve(account(who).address, self.usd, self.vault)
        address = account(who).address
        receipt: Receipt = self.chain.send(address, self.vault, "deposit", amount, address)
        return receipt

    def deposit(self, who: str, amount: int, symbol: str = "USD", **word: Any) -> Receipt:
        """Deposit freshly minted tokens."""
        token = self.tokens[symbol]
        self.chain.mint(token, account(who).address, amount)
        self.chain.approve(account(who).address, token, self.exchange)
        return self.send(who, "deposit", self.word(who, **word), token.address, amount)

    def fund(self, amount: int) -> None:
        """Pay into the insurance fund."""
        self.chain.mint(self.usd, self.admin, amount)
        self.chain.approve(self.admin, self.usd, self.exchange)
        self.send("admin", "deposit", self.word("insurance"), self.usd.address, amount)

    def withdraw(self, who: str, amount: int, symbol: str = "USD", **word: Any) -> Receipt:
        """Withdraw to the owner."""
        token = self.tokens[symbol].address
        to = account(who).address
        return self.send(who, "withdraw", self.word(who, **word), token, amount, to)

    def trade(
        self,
        who: str,
        symbol: str,
        size: int,
        *,
        limit: int | None = None,
        after: int = 1,
        **word: Any,
    ) -> dict[str, Any]:
        """Trade at any price unless given; the Fill event's fields."""
        limit = ANY_PRICE[size > 0] if limit is None else limit
        receipt = self.send(
            who, "trade", self.word(who, **word), self.id(symbol), size, limit, after=after
        )
        return self.event(receipt, "Fill")

    def call(self, who: str, **word: Any) -> Receipt:
        """Record a margin call."""
        return self.send("keeper", "call", self.word(who, **word))

    def liquidate(
        self, who: str, symbol: str, *, by: str = "liquidator", after: int = 1, **word: Any
    ) -> Receipt:
        """Liquidate."""
        return self.send(by, "liquidate", self.word(who, **word), self.id(symbol), after=after)

    def send(self, who: str, function: str, *args: Any, after: int = 1) -> Receipt:
        """Call the exchange."""
        receipt: Receipt = self.chain.send(
            account(who).address, self.exchange, function, *args, after=after
        )
        return receipt

    def events(self, receipt: Receipt, name: str) -> list[dict[str, Any]]:
        """Fields of every event of that name that the exchange emitted."""
        return self.exchange.events(receipt.logs, name)

    def event(self, receipt: Receipt, name: str) -> dict[str, Any]:
        """Fields of the one event of that name."""
        (event,) = self.events(receipt, name)
        return event

    # --- reads

    def read(self, function: str, *args: Any) -> Any:
        """Read a view of the exchange."""
        return self.chain.read(self.exchange, function, *args)

    def lens_words(self, function: str, *args: Any) -> list[int]:
        """Read the lens."""
        words = self.chain.read(self.lens, function, self.exchange.address, *args)
        return list(words)

    def state(self, symbol: str) -> State:
        """A market now."""
        words = self.lens_words("marketStates")
        row = words[12 * self.id(symbol) : 12 * self.id(symbol) + 12]
        return State(*[signed(word) for word in row])

    def books(self) -> PerpBooks:
        """The books now."""
        return PerpBooks(*[signed(word) for word in self.lens_words("books")[:7]])

    def held(self, words: Sequence[bytes]) -> list[Holding]:
        """Accounts as stored."""
        width = 1 + 2 * len(self.markets) + len(self.collaterals)
        raw = self.lens_words("accounts", list(words))
        found = []
        for i in range(len(words)):
            row = raw[i * width : (i + 1) * width]
            positions = {}
            for id_, symbol in enumerate(self.markets):
                size, cost = halves(row[1 + 2 * id_])
                index, progress = halves(row[2 + 2 * id_])
                if size:
                    positions[symbol] = Position(
                        size, cost, index, progress >> 64, progress & (1 << 64) - 1
                    )
            amounts = row[1 + 2 * len(self.markets) :]
            cash, rest = halves(row[0])
            found.append(
                Holding(
                    cash,
                    bool(rest >> 64),
                    rest & (1 << 64) - 1,
                    positions,
                    dict(zip(self.collaterals, amounts, strict=True)),
                )
            )
        return found

    def holding(self, who: str, **word: Any) -> Holding:
        """One account as stored."""
        return self.held([self.word(who, **word)])[0]

    def worth(self, who: str, **word: Any) -> Worth:
        """What an account is worth at the exchange's prices."""
        words = self.lens_words("margins", [self.word(who, **word)])
        return Worth(*[signed(w) for w in words])

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever the body does on the chain is undone afterwards."""
        chain = self.chain
        number, now = chain.number, chain.now
        markets, tiers, risk = {**self.markets}, {**self.tiers}, {**self.risk}
        with anchor(chain.engine):
            yield
        chain.number, chain.now = number, now
        self.markets, self.tiers, self.risk = markets, tiers, risk

    def assert_books_balance(self) -> None:
        """Books balance exactly, and the tokens are there."""
        b = self.books()
        assert b.cash + b.vault + b.fees - b.deficit == b.tokens
        words = self.lens_words("books")[7:]
        assert words[::2] == words[1::2]


@pytest.fixture
def rig(chain: Any) -> PerpRig:
    """ETH at $2,000 and BTC at $40,000 without frictions, a vault of a million dollars."""
    rig = PerpRig(chain)
    rig.market("ETH", 2_000 * 10**8)
    rig.market("BTC", 40_000 * 10**8)
    return rig


@pytest.fixture
def make_rig(chain: Any) -> Any:
    """Make an exchange without markets."""

    def make(**options: Any) -> PerpRig:
        return PerpRig(chain, **options)

    return make
