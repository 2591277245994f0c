"""The built-in pooled lending market behind the adapter interface."""

from __future__ import annotations

from collections.abc import Sequence

from harness.accounts import account
from harness.contracts import Contract
from harness.engine.base import Engine, Transaction
from harness.protocols.base import (
    RAY,
    Action,
    AssetBooks,
    AssetPosition,
    Listing,
)
from harness.setup import Setup

__all__ = ["PooledMarketAdapter"]

_NO_CAP = (1 << 128) - 1
_WAD = 10**18
_ADMIN = account("admin").address
_BOOK_WORDS = 10


class PooledMarketAdapter:
    """A `PooledMarket` with Aave v3.3's liquidation rules and steep interest.

    Args:
        contract: the artifact to deploy: the market, or a contract that derives from it.

    Attributes:
        market: the deployed market.
        lens: the deployed lens.

    """

    threshold_bps = 8_500

    def __init__(self, contract: str = "PooledMarket") -> None:
        self._contract = contract
        self._listings: Sequence[Listing] = ()
        self.market: Contract
        self.lens: Contract

    def deploy(self, setup: Setup, listings: Sequence[Listing]) -> Sequence[Contract]:
        """See `LendingAdapter.deploy`."""
        self._listings = listings
        rules = (5_000, 95 * _WAD // 100, 2_000 * _WAD, 1_000 * _WAD)
        self.market = setup.deploy(self._contract, _ADMIN, rules)
        self.lens = setup.deploy("LendingLens")
        for listing in listings:
            config = (
                listing.token.address,
                listing.feed.address,
                0,  # answers of any age
                0,
                (1 << 127) - 1,
                8_000,
                self.threshold_bps,
                500,
                1_000,
                1_000,
                _NO_CAP,
                _NO_CAP,
                RAY // 20,
                RAY // 20,
                RAY,
                8 * RAY // 10,
            )
            setup.send(_ADMIN, self.market, "listAsset", config)
        return [self.market]

    def act(self, action: Action) -> Transaction | None:
        """See `LendingAdapter.act`."""
        asset = self._listings[action.asset].token.address
        sender, account_, amount = action.sender, action.account, action.amount
        if action.kind in ("supply", "repay"):
            return self.market.transaction(sender, action.kind, asset, amount, account_)
        if action.kind in ("borrow", "withdraw"):
            return self.market.transaction(sender, action.kind, asset, amount, account_, sender)
        collateral = self._listings[action.collateral].token.address
        return self.market.transaction(
            sender, "liquidate", account_, collateral, asset, amount, False, sender
        )

    def books(self, engine: Engine) -> Sequence[AssetBooks]:
        """See `LendingAdapter.books`."""
        words = self.lens.read(engine, "assetStates", self.market.address)
        books = []
        for at in range(0, len(words), _BOOK_WORDS):
            cash, claims, debt, reserves, deficit, *indexes, supply, borrow, _ = words[
                at : at + _BOOK_WORDS
            ]
            books.append(
                AssetBooks(
                    cash,
                    claims,
                    debt,
                    supply,
                    borrow,
                    self.threshold_bps,
                    reserves,
                    deficit,
                    *indexes,
                )
            )
        return books

    def positions(
        self, engine: Engine, accounts: Sequence[bytes]
    ) -> Sequence[Sequence[AssetPosition]]:
        """See `LendingAdapter.positions`."""
        held = self.lens.read(engine, "positions", self.market.address, list(accounts))
        scaled = self.lens.read(engine, "scaledPositions", self.market.address, list(accounts))
        parts = [
            AssetPosition(word >> 128, word & _NO_CAP, stored >> 128, stored & _NO_CAP)
            for word, stored in zip(held, scaled, strict=True)
        ]
        width = len(self._listings)
        return [parts[at : at + width] for at in range(0, len(parts), width)]
