"""A pooled market that liquidates by a module, on a real engine."""

from __future__ import annotations

from typing import Any

import pytest

from harness.accounts import account
from harness.contracts import Contract
from harness.testing.invariants import wrong_books, wrong_scaled_totals
from tests.contracts.lending.conftest import NO_CAP, RAY, WAD, Rig

PRICE = 10**8


class Desk(Rig):
    """A market with ETH and USD coins of 18 decimals, once its module is set.

    `people` are those whose positions must sum to the market's totals, the module included.
    """

    def __init__(self, chain: Any, kind: str = "PooledMarket") -> None:
        super().__init__(chain, kind=kind)
        self.module: Contract | None = None
        self.everyone = [account(name).address for name in ("supplier", "borrower", "keeper")]

    def open(self, module: Contract | None = None, **terms: Any) -> None:
        """Set the module, list ETH at $2,000 and USD at $1, and supply a million USD."""
        if module is not None:
            self.chain.send(self.admin, self.market, "setLiquidationModule", module.address)
            self.module = module
            self.everyone.append(module.address)
        self.list("ETH", 2_000 * PRICE, **terms)
        self.list("USD", PRICE, **terms)
        self.supply("supplier", "USD", 1_000_000 * WAD)

    def borrower(self, eth: int = 10, usd: int = 15_000, who: str = "borrower") -> bytes:
        """An account that owes whole USD against whole ETH."""
        me = account(who).address
        if me not in self.everyone:
            self.everyone.append(me)
        self.supply(who, "ETH", eth * WAD)
        self.borrow(who, "USD", usd * WAD)
        return me

    def purse(self, who: str, spender: Contract, symbol: str = "USD", amount: int = 10**9) -> bytes:
        """Give an account whole tokens, and let a contract take them."""
        me = account(who).address
        if me not in self.everyone:
            self.everyone.append(me)
        self.chain.mint(self.tokens[symbol], me, amount * WAD)
        self.chain.approve(me, self.tokens[symbol], spender)
        return me

    def held(self, who: bytes | Contract, symbol: str) -> tuple[int, int]:
        """Scaled claims and debt of one account in one asset."""
        address = who.address if isinstance(who, Contract) else who
        word = self.read("scaledPosition", address)[list(self.tokens).index(symbol)]
        return word >> 128, word & NO_CAP

    def problems(self) -> dict[str, str]:
        """What MKT-1 and MKT-2 find wrong now."""
        found: dict[str, str] = {}
        words = [self.read("scaledPosition", someone) for someone in dict.fromkeys(self.everyone)]
        for place, (symbol, b) in enumerate(self.all_books().items()):
            wrong = wrong_books(
                cash=b.cash,
                debt=b.debt,
                deficit=b.deficit,
                claims=b.claims,
                reserves=b.reserves,
                token_balance=self.chain.balance(self.tokens[symbol], self.market),
            )
            if wrong:
                found["MKT-1"] = f"{symbol}: {wrong}"
            wrong = wrong_scaled_totals(
                [row[place] for row in words],
                total_scaled_supply=b.scaled_supply,
                total_scaled_debt=b.scaled_debt,
            )
            if wrong:
                found["MKT-2"] = f"{symbol}: {wrong}"
        return found

    def balance_of(self, who: bytes, symbol: str) -> int:
        """Tokens of an address."""
        return int(self.chain.balance(self.tokens[symbol], who))


@pytest.fixture
def desk(chain: Any) -> Desk:
    """A market without a module and without assets."""
    return Desk(chain)


@pytest.fixture
def make_desk(chain: Any) -> Any:
    """A market of another kind."""

    def make(kind: str = "PooledMarket") -> Desk:
        return Desk(chain, kind)

    return make


__all__ = ["PRICE", "RAY", "WAD", "Desk"]
