"""An isolated market on a real engine, with tokens, pushed feeds and accounts made on demand."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from harness.accounts import account
from harness.contracts import Artifact, Contract
from harness.engine import Receipt

WAD = 10**18
RAY = 10**27
USD = 10**8
MAX = (1 << 256) - 1
NO_LIMIT = (1 << 127) - 1
KINK = 8 * RAY // 10


class State(NamedTuple):
    """A market's totals, as the lens returns them."""

    supply_assets: int
    supply_shares: int
    borrow_assets: int
    borrow_shares: int
    debt_tokens: int
    collateral_tokens: int
    collateral_price_wad: int
    debt_price_wad: int
    price: int


class Position(NamedTuple):
    """One account, as the lens returns it."""

    supply_shares: int
    borrow_shares: int
    collateral: int
    supplied: int
    debt: int


class IsolatedRig:
    """A market under test. Amounts are base units, prices feed units of 8 decimals."""

    def __init__(
        self,
        chain: Any,
        *,
        kind: str = "IsolatedMarket",
        compiled: Artifact | None = None,
        collateral_price: int = 2_000 * USD,
        debt_price: int = USD,
        collateral_decimals: int = 18,
        debt_decimals: int = 18,
        collateral_token: Contract | None = None,
        **config: Any,
    ) -> None:
        self.chain = chain
        self.collateral = collateral_token or chain.token("COL", collateral_decimals)
        self.debt = chain.token("DEBT", debt_decimals)
        reporter = account("reporter").address
        self.feeds = [chain.deploy("PushFeed", reporter, 8, name) for name in ("COL", "DEBT")]
        self.price(collateral_price, debt_price)
        self.config = {
            "collateral_token": self.collateral.address,
            "debt_token": self.debt.address,
            "collateral_feed": (self.feeds[0].address, 0, 0, NO_LIMIT),
            "debt_feed": (self.feeds[1].address, 0, 0, NO_LIMIT),
            "lltv": 86 * WAD // 100,
            "fee": 0,
            "fee_recipient": account("treasury").address,
            "base_rate": 0,
            "slope1": 0,
            "slope2": 0,
            "kink": KINK,
        } | config
        self.market: Contract = chain.deploy(kind, tuple(self.config.values()), compiled=compiled)
        self.lens: Contract = chain.deploy("IsolatedLens")

    def price(self, collateral: int, debt: int | None = None) -> None:
        """Publish the collateral's price, and the debt's if given."""
        reporter = account("reporter").address
        self.chain.send(reporter, self.feeds[0], "transmit", collateral)
        if debt is not None:
            self.chain.send(reporter, self.feeds[1], "transmit", debt)

    def fund(self, who: str, token: Contract, amount: int) -> None:
        """Mint tokens to an account and let the market take them."""
        self.chain.mint(token, account(who).address, amount)
        self.chain.approve(account(who).address, token, self.market)

    def supply(self, who: str, amount: int) -> Receipt:
        """Supply freshly minted debt tokens."""
        self.fund(who, self.debt, amount)
        return self.send(who, "supply", amount, 0, account(who).address)

    def add_collateral(self, who: str, amount: int) -> Receipt:
        """Supply freshly minted collateral."""
        self.fund(who, self.collateral, amount)
        return self.send(who, "supplyCollateral", amount, account(who).address)

    def borrow(self, who: str, amount: int) -> Receipt:
        """Borrow to the borrower's own pocket."""
        me = account(who).address
        return self.send(who, "borrow", amount, 0, me, me)

    def liquidate(
        self, who: str, *, seized: int = 0, shares: int = 0, by: str = "liquidator"
    ) -> dict[str, Any]:
        """Liquidate with as many tokens as it takes, all if no amount is given; the event."""
        if not seized and not shares:
            shares = MAX
        self.fund(by, self.debt, 10**36)
        receipt = self.send(by, "liquidate", account(who).address, seized, shares, b"")
        (event,) = self.market.events(receipt.logs, "Liquidate")
        return event

    def send(self, who: str, function: str, *args: Any, after: int = 1) -> Receipt:
        """Call the market."""
        receipt: Receipt = self.chain.send(
            account(who).address, self.market, function, *args, after=after
        )
        return receipt

    def read(self, function: str, *args: Any) -> Any:
        """Read a view of the market."""
        return self.chain.read(self.market, function, *args)

    def state(self) -> State:
        """The market's totals now."""
        return State(*self.chain.read(self.lens, "marketStates", [self.market.address]))

    def positions(self, *names: str) -> list[Position]:
        """Each account's position now."""
        people = [account(name).address for name in names]
        words = self.chain.read(self.lens, "positions", self.market.address, people)
        return [Position(*words[5 * i : 5 * i + 5]) for i in range(len(names))]

    def position(self, who: str) -> Position:
        """One account's position now."""
        return self.positions(who)[0]

    def health(self, who: str) -> int:
        """Health factor, WAD."""
        return int(self.read("healthFactor", account(who).address))


@pytest.fixture
def make_isolated(chain: Any) -> Any:
    """Make a market with these settings."""

    def make(**options: Any) -> IsolatedRig:
        return IsolatedRig(chain, **options)

    return make


@pytest.fixture
def isolated(chain: Any) -> IsolatedRig:
    """ETH-like collateral at $2,000 against a dollar, LLTV 86%; a million dollars supplied."""
    rig = IsolatedRig(chain)
    rig.supply("supplier", 1_000_000 * WAD)
    return rig
