"""A pooled market on a real engine, with tokens, pushed feeds and accounts made on demand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from harness.accounts import account
from harness.contracts import Artifact, Contract
from harness.engine import Receipt, anchor

WAD = 10**18
RAY = 10**27
BPS = 10_000
MAX = (1 << 256) - 1
NO_CAP = (1 << 128) - 1

ALL_OFF = (BPS, 0, 0, 0)
"""Liquidation rules: everything may be closed at once, no dust rule."""


class Books(NamedTuple):
    """One asset's books, as the lens returns them."""

    cash: int
    claims: int
    debt: int
    reserves: int
    deficit: int
    supply_index: int
    borrow_index: int
    scaled_supply: int
    scaled_debt: int
    price_wad: int


class Rig:
    """A market under test. Amounts are base units, prices feed units (8 decimals by default)."""

    def __init__(
        self,
        chain: Any,
        rules: Sequence[int] = ALL_OFF,
        *,
        kind: str = "PooledMarket",
        compiled: Artifact | None = None,
    ) -> None:
        self.chain = chain
        self.admin = account("admin").address
        self.market: Contract = chain.deploy(kind, self.admin, tuple(rules), compiled=compiled)
        self.lens: Contract = chain.deploy("LendingLens")
        self.tokens: dict[str, Contract] = {}
        self.feeds: dict[str, Contract] = {}
        self.configs: dict[str, dict[str, Any]] = {}

    def list(
        self,
        symbol: str,
        price: int,
        *,
        decimals: int = 18,
        feed_decimals: int = 8,
        token: Contract | None = None,
        feed: Contract | None = None,
        **config: Any,
    ) -> Contract:
        """List an asset with a pushed feed. No interest, no fees and no caps unless given."""
        self.tokens[symbol] = token or self.chain.token(symbol, decimals)
        if feed is None:
            feed = self.chain.deploy("PushFeed", account("reporter").address, feed_decimals, symbol)
            self.feeds[symbol] = feed
            self.price(symbol, price)
        self.feeds[symbol] = feed
        self.configs[symbol] = {
            "asset": self.tokens[symbol].address,
            "feed": feed.address,
            "max_age": 0,
            "min_answer": 0,
            "max_answer": (1 << 127) - 1,
            "ltv": 8_000,
            "threshold": 8_500,
            "bonus": 500,
            "protocol_share": 0,
            "reserve_factor": 0,
            "supply_cap": NO_CAP,
            "borrow_cap": NO_CAP,
            "base_rate": 0,
            "slope1": 0,
            "slope2": 0,
            "kink": 8 * RAY // 10,
        } | config
        self.chain.send(self.admin, self.market, "listAsset", self.config(symbol))
        return self.tokens[symbol]

    def config(self, symbol: str) -> tuple[Any, ...]:
        """The asset's configuration as the contract takes it."""
        return tuple(self.configs[symbol].values())

    def configure(self, symbol: str, **config: Any) -> None:
        """Change an asset's configuration."""
        self.configs[symbol] = self.configs[symbol] | config
        self.chain.send(self.admin, self.market, "setAssetConfig", self.config(symbol))

    def price(self, symbol: str, answer: int) -> None:
        """Publish a price."""
        self.chain.send(account("reporter").address, self.feeds[symbol], "transmit", answer)

    def supply(self, who: str, symbol: str, amount: int, *, for_: str | None = None) -> Receipt:
        """Supply freshly minted tokens."""
        self.fund(who, symbol, amount)
        return self.send(who, "supply", self.asset(symbol), amount, account(for_ or who).address)

    def borrow(self, who: str, symbol: str, amount: int) -> Receipt:
        """Borrow to the borrower's own pocket."""
        me = account(who).address
        return self.send(who, "borrow", self.asset(symbol), amount, me, me)

    def withdraw(self, who: str, symbol: str, amount: int = MAX) -> Receipt:
        """Withdraw to the owner."""
        me = account(who).address
        return self.send(who, "withdraw", self.asset(symbol), amount, me, me)

    def repay(
        self, who: str, symbol: str, amount: int = MAX, *, for_: str | None = None
    ) -> Receipt:
        """Repay from tokens the payer already has."""
        self.approve(who, symbol)
        return self.send(who, "repay", self.asset(symbol), amount, account(for_ or who).address)

    def liquidate(
        self,
        who: str,
        collateral: str,
        debt: str,
        amount: int = MAX,
        *,
        by: str = "liquidator",
        claims: bool = False,
    ) -> dict[str, Any]:
        """Liquidate with as many tokens as it takes; the Liquidate event's fields."""
        if amount == MAX:
            self.fund(by, debt, self.debt_of(who, debt) + 1)
        else:
            self.fund(by, debt, amount)
        receipt = self.send(
            by,
            "liquidate",
            account(who).address,
            self.asset(collateral),
            self.asset(debt),
            amount,
            claims,
            account(by).address,
        )
        (event,) = self.market.events(receipt.logs, "Liquidate")
        bad = self.market.events(receipt.logs, "BadDebt")
        return event | {"bad_debt": bad}

    def fund(self, who: str, symbol: str, amount: int) -> None:
        """Mint tokens to an account and let the market take them."""
        self.chain.mint(self.tokens[symbol], account(who).address, amount)
        self.approve(who, symbol)

    def approve(self, who: str, symbol: str) -> None:
        """Let the market take an account's tokens."""
        self.chain.approve(account(who).address, self.tokens[symbol], self.market)

    def send(self, who: str, function: str, *args: Any, after: int = 1) -> Receipt:
        """Call the market."""
        receipt: Receipt = self.chain.send(
            account(who).address, self.market, function, *args, after=after
        )
        return receipt

    def read(self, function: str, *args: Any) -> Any:
        """Read a view of the market."""
        return self.chain.read(self.market, function, *args)

    def asset(self, symbol: str) -> bytes:
        """Token address."""
        return self.tokens[symbol].address

    def books(self, symbol: str) -> Books:
        """One asset's books now."""
        return self.all_books()[symbol]

    def all_books(self) -> dict[str, Books]:
        """Every asset's books now."""
        words = self.chain.read(self.lens, "assetStates", self.market.address)
        return {symbol: Books(*words[10 * i : 10 * i + 10]) for i, symbol in enumerate(self.tokens)}

    def position(self, who: str) -> dict[str, tuple[int, int]]:
        """Claims and debt in assets, by symbol."""
        words = self.read("position", account(who).address)
        return {
            symbol: (word >> 128, word & NO_CAP)
            for symbol, word in zip(self.tokens, words, strict=True)
        }

    def claims_of(self, who: str, symbol: str) -> int:
        """Claims in assets."""
        return self.position(who)[symbol][0]

    def debt_of(self, who: str, symbol: str) -> int:
        """Debt in assets."""
        return self.position(who)[symbol][1]

    def health(self, who: str) -> int:
        """Health factor, WAD."""
        return int(self.read("healthFactor", account(who).address))

    def balance(self, who: str, symbol: str) -> int:
        """Tokens in an account's pocket."""
        return int(self.chain.balance(self.tokens[symbol], account(who).address))

    def people(self, *names: str) -> list[bytes]:
        """Addresses of accounts."""
        return [account(name).address for name in names]

    def scaled(self, *names: str) -> list[dict[str, tuple[int, int]]]:
        """Scaled claims and debt of each account, by symbol."""
        words = self.chain.read(
            self.lens, "scaledPositions", self.market.address, self.people(*names)
        )
        width = len(self.tokens)
        return [
            {
                symbol: (words[i * width + j] >> 128, words[i * width + j] & NO_CAP)
                for j, symbol in enumerate(self.tokens)
            }
            for i in range(len(names))
        ]

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever the body does on the chain is undone afterwards."""
        chain = self.chain
        number, now, configs = chain.number, chain.now, {**self.configs}
        with anchor(chain.engine):
            yield
        chain.number, chain.now, self.configs = number, now, configs

    def assert_books_balance(self) -> None:
        """Books balance exactly, and the tokens are there."""
        for symbol, b in self.all_books().items():
            assert b.cash + b.debt + b.deficit == b.claims + b.reserves, symbol
            assert self.chain.balance(self.tokens[symbol], self.market) >= b.cash


@pytest.fixture
def rig(chain: Any) -> Rig:
    """ETH at $2,000 and a USD coin at $1, both of 18 decimals; a supplier of a million dollars."""
    rig = Rig(chain)
    rig.list("ETH", 2_000 * 10**8)
    rig.list("USD", 10**8)
    rig.supply("supplier", "USD", 1_000_000 * WAD)
    return rig


@pytest.fixture
def make_rig(chain: Any) -> Any:
    """Make a market with these liquidation rules and no assets."""

    def make(rules: Sequence[int] = ALL_OFF, **options: Any) -> Rig:
        return Rig(chain, rules, **options)

    return make
