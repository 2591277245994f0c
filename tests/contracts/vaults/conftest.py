"""Receipt vaults over both markets, with suppliers made on demand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from harness.accounts import account
from harness.contracts import Contract
from harness.engine import Receipt

WAD = 10**18
RAY = 10**27
USD = 10**8
MAX = (1 << 256) - 1
NO_LIMIT = (1 << 127) - 1
NO_CAP = (1 << 128) - 1
KINK = 8 * RAY // 10
RATES = (RAY // 20, RAY // 10, RAY)
NO_RATES = (0, 0, 0)


class Shares:
    """Any vault of one asset."""

    chain: Any
    asset: Contract
    contract: Contract

    def fund(self, who: str, amount: int) -> bytes:
        """Mint assets to an account and let the vault take them."""
        address = account(who).address
        self.chain.mint(self.asset, address, amount)
        self.chain.approve(address, self.asset, self.contract)
        return address

    def deposit(self, who: str, assets: int) -> Receipt:
        """Deposit freshly minted assets."""
        me = self.fund(who, assets)
        return self.send(who, "deposit", assets, me)

    def send(self, who: str, function: str, *args: Any, after: int = 1) -> Receipt:
        """Call the vault."""
        receipt: Receipt = self.chain.send(
            account(who).address, self.contract, function, *args, after=after
        )
        return receipt

    def read(self, function: str, *args: Any) -> Any:
        """Read a view of the vault."""
        return self.chain.read(self.contract, function, *args)

    def shares(self, who: str) -> int:
        """An account's shares."""
        return int(self.chain.balance(self.contract, account(who).address))

    def assets(self, who: str) -> int:
        """Assets in an account's pocket."""
        return int(self.chain.balance(self.asset, account(who).address))


class Vault(Shares):
    """A vault over a market of a dollar, lent against ETH; a borrower's interest makes it grow."""

    def __init__(
        self,
        chain: Any,
        over: str,
        gifts: bool,
        kind: str,
        asset: Contract,
        decimals: int,
        rates: tuple[int, int, int] = RATES,
    ) -> None:
        self.chain, self.over, self.asset = chain, over, asset
        self.unit = 10**decimals
        self.eth = chain.token("ETH")
        reporter, admin = account("reporter").address, account("admin").address
        self.feeds = {name: chain.deploy("PushFeed", reporter, 8, name) for name in ("ETH", "USD")}
        self.price("ETH", 2_000 * USD)
        self.price("USD", USD)
        if over == "isolated":
            feeds = [(self.feeds[name].address, 0, 0, NO_LIMIT) for name in ("ETH", "USD")]
            config = (self.eth.address, self.asset.address, *feeds, 86 * WAD // 100, 0, bytes(20))
            self.market: Contract = chain.deploy("IsolatedMarket", (*config, *rates, KINK))
            market_args: tuple[Any, ...] = (self.market.address,)
        else:
            self.market = chain.deploy("PooledMarket", admin, (10_000, 0, 0, 0))
            for token, feed in ((self.asset, "USD"), (self.eth, "ETH")):
                config = (token.address, self.feeds[feed].address, 0, 0, NO_LIMIT, 8_000, 8_500)
                fees = (500, 0, 1_000, NO_CAP, NO_CAP)
                chain.send(admin, self.market, "listAsset", (*config, *fees, *rates, KINK))
            market_args = (self.market.address, self.asset.address)
        self.contract = chain.deploy(kind, *market_args, gifts, "Receipt", "rUSD")

    def price(self, name: str, answer: int) -> None:
        """Publish a price."""
        self.chain.send(account("reporter").address, self.feeds[name], "transmit", answer)

    def fund(self, who: str, amount: int) -> bytes:
        """Mint assets to an account and let vault and market take them."""
        self.chain.approve(account(who).address, self.asset, self.market)
        return super().fund(who, amount)

    def give(self, assets: int) -> None:
        """Supply to the market in the vault's name."""
        self.supply_market("donor", assets, self.contract.address)

    def supply_market(self, who: str, assets: int, owner: bytes | None = None) -> None:
        """Supply freshly minted assets to the market, past the vault."""
        me = self.fund(who, assets)
        if self.over == "isolated":
            call: tuple[Any, ...] = ("supply", assets, 0, owner or me)
        else:
            call = ("supply", self.asset.address, assets, owner or me)
        self.chain.send(me, self.market, *call)

    def lend(self, who: str, assets: int, collateral: int) -> None:
        """Somebody borrows from the market against ETH."""
        me = account(who).address
        self.chain.mint(self.eth, me, collateral)
        self.chain.approve(me, self.eth, self.market)
        if self.over == "isolated":
            self.chain.send(me, self.market, "supplyCollateral", collateral, me)
            self.chain.send(me, self.market, "borrow", assets, 0, me, me)
        else:
            self.chain.send(me, self.market, "supply", self.eth.address, collateral, me)
            self.chain.send(me, self.market, "borrow", self.asset.address, assets, me, me)

    def default(self, who: str, assets: int, answer: int) -> int:
        """Somebody borrows, ETH falls to a price, and it is liquidated to its last collateral;
        returns what nobody will repay. The price is then as it was."""
        self.lend(who, assets, 100 * assets * WAD // (78 * 2_000 * self.unit) + 10**12)
        victim = account(who).address
        self.price("ETH", answer)
        me = self.fund("liquidator", 2 * assets)
        if self.over == "isolated":
            call: tuple[Any, ...] = ("liquidate", victim, 0, MAX, b"")
            event, field = "Liquidate", "badDebtAssets"
        else:
            tokens = (self.eth.address, self.asset.address)
            call = ("liquidate", victim, *tokens, MAX, False, me)
            event, field = "BadDebt", "assets"
        receipt = self.chain.send(me, self.market, *call)
        self.price("ETH", 2_000 * USD)
        return sum(int(found[field]) for found in self.market.events(receipt.logs, event))

    def worth(self, who: str) -> int:
        """What an account's shares are worth."""
        return int(self.read("convertToAssets", self.shares(who)))


class Curated(Shares):
    """A curated vault over receipt vaults of one asset, each over a market of its own."""

    def __init__(
        self,
        chain: Any,
        overs: Sequence[str],
        *,
        kind: str = "CuratedVault",
        decimals: int = 6,
        gifts: bool = False,
        rates: tuple[int, int, int] = RATES,
        asset: Contract | None = None,
    ) -> None:
        self.chain = chain
        self.unit = 10**decimals
        self.asset = asset or chain.token("USD", decimals)
        self.parts = [
            Vault(chain, over, gifts, KINDS[over], self.asset, decimals, rates) for over in overs
        ]
        vaults = [part.contract.address for part in self.parts]
        self.curator = account("curator").address
        args = (self.asset.address, self.curator, vaults, "Curated", "cUSD")
        self.contract = chain.deploy(kind, *args)
        self.lens: Contract = chain.deploy("VaultLens")

    def redeem(self, who: str, shares: int | None = None) -> int:
        """Redeem shares, all by default; the assets."""
        me = account(who).address
        shares = self.shares(who) if shares is None else shares
        receipt = self.send(who, "redeem", shares, me, me)
        return int.from_bytes(receipt.output or b"", "big")

    def allocate(self, *amounts: int) -> None:
        """The curator allocates to each strategy, in order."""
        for place, amount in enumerate(amounts):
            self.chain.send(self.curator, self.contract, "allocate", place, amount)

    def cover(self, place: int, assets: int, who: str = "donor") -> int:
        """Somebody covers a loss; what was taken for it."""
        self.fund(who, assets)
        receipt = self.send(who, "cover", place, assets)
        return int.from_bytes(receipt.output or b"", "big")

    def worth(self, place: int) -> int:
        """What the vault's part of a strategy is worth."""
        return int(self.read("strategy", place)[1])

    def lost(self, place: int) -> int:
        """What a strategy has lost and nobody has covered."""
        return int(self.read("strategy", place)[2])


KINDS = {"isolated": "IsolatedReceiptVault", "pooled": "PooledReceiptVault"}


@pytest.fixture
def make_vault(chain: Any) -> Any:
    """Make a vault over this market, which counts gifts or does not."""

    def make(
        over: str = "isolated",
        gifts: bool = False,
        kind: str | None = None,
        decimals: int = 6,
        asset: Contract | None = None,
    ) -> Vault:
        asset = asset or chain.token("USD", decimals)
        return Vault(chain, over, gifts, kind or KINDS[over], asset, decimals)

    return make


@pytest.fixture
def make_curated(chain: Any) -> Any:
    """Make a curated vault over receipt vaults of these markets."""

    def make(*overs: str, **options: Any) -> Curated:
        return Curated(chain, overs, **options)

    return make
