"""The adapter through which the pawn shop is deployed, driven and checked."""

from collections.abc import Sequence
from pathlib import Path

from harness.contracts import Contract, load_artifact
from harness.engine import Engine, Transaction
from harness.protocols.base import RAY, Action, AssetBooks, AssetPosition, Listing
from harness.setup import Setup

COMPILED = Path(__file__).with_name("PawnShop.json")
PLEDGE, COIN = 0, 1
FUNCTIONS = {
    ("supply", COIN): "supply",
    ("withdraw", COIN): "withdraw",
    ("supply", PLEDGE): "bring",
    ("withdraw", PLEDGE): "takeBack",
    ("borrow", COIN): "borrow",
    ("repay", COIN): "repay",
}


class PawnShopAdapter:
    contract = "PawnShop"

    def deploy(self, setup: Setup, listings: Sequence[Listing]) -> Sequence[Contract]:
        pledge, coin = listings
        addresses = [c.address for c in (coin.token, pledge.token, coin.feed, pledge.feed)]
        compiled = load_artifact(COMPILED, self.contract)
        self.shop = setup.deploy(
            self.contract, *addresses, coin.decimals, pledge.decimals, compiled=compiled
        )
        return [self.shop]

    def act(self, action: Action) -> Transaction | None:
        if action.kind == "liquidate" and (action.collateral, action.asset) == (PLEDGE, COIN):
            args = action.account, action.amount
            return self.shop.transaction(action.sender, "liquidate", *args)
        function = FUNCTIONS.get((action.kind, action.asset))
        return function and self.shop.transaction(action.sender, function, action.amount)

    def books(self, engine: Engine) -> Sequence[AssetBooks]:
        names = "cash", "deficit", "totalPledged", "totalShares", "totalDebtShares", "totalDebt"
        cash, deficit, pledged, shares, owed, debt = (self.shop.read(engine, n) for n in names)
        indexes = self.shop.read(engine, "indexes")
        claims = shares * indexes[0] // RAY
        rest = cash + debt + deficit - claims
        coin = AssetBooks(cash, claims, debt, shares, owed, 0, rest, deficit, *indexes)
        return [AssetBooks(pledged, pledged, 0, pledged, 0, 8_000), coin]

    def positions(self, engine: Engine, accounts: Sequence[bytes]) -> Sequence[list[AssetPosition]]:
        supply, borrow = self.shop.read(engine, "indexes")
        held = []
        for who in accounts:
            names = ("pledged", "shares", "debtShares")
            pledged, shares, owed = (self.shop.read(engine, name, who) for name in names)
            coin = AssetPosition(shares * supply // RAY, -(-owed * borrow // RAY), shares, owed)
            held.append([AssetPosition(pledged, 0, pledged, 0), coin])
        return held
