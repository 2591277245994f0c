"""Receipt vaults over both markets, with suppliers made on demand."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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


class Step(NamedTuple):
    """One thing that happens around a curated vault."""

    kind: str
    who: str
    place: int
    amount: int


class Crowd:
    """Depositors, a curator, borrowers who may default, and people who give or cover, at random."""

    PEOPLE = ("alice", "bob", "carol", "dave", "erin")
    WEIGHTS: Mapping[str, int] = {
        "deposit": 6,
        "mint": 4,
        "withdraw": 5,
        "redeem": 5,
        "allocate": 6,
        "deallocate": 3,
        "touch": 1,
        "cover": 3,
        "give assets": 1,
        "give shares": 1,
        "give units": 1,
        "outside": 2,
        "lend": 2,
        "default": 2,
    }
    """How often, of all, by kind; those up to cover are calls of the vault."""

    def __init__(self, vault: Curated, rng: random.Random) -> None:
        self.vault, self.rng = vault, rng
        self._borrowers = 0
        for part in vault.parts:
            part.supply_market("whale", 100_000 * vault.unit)
            part.deposit("outsider", 10_000 * vault.unit)
        vault.deposit("alice", 50_000 * vault.unit)

    def draw(self) -> Step:
        """What happens next; whoever acts has what it takes, and time has passed."""
        rng, vault = self.rng, self.vault
        kind = rng.choices(list(self.WEIGHTS), list(self.WEIGHTS.values()))[0]
        who, place = rng.choice(self.PEOPLE), rng.randrange(len(vault.parts))
        amount = int(100_000 ** rng.random() * vault.unit) + rng.randint(0, 9)
        if rng.random() < 0.1:
            amount = rng.randint(1, 9)
        if kind == "redeem":
            held = vault.shares(who)
            amount = held if rng.random() < 0.3 else min(amount, held + rng.randint(0, 1))
        elif kind == "allocate":
            amount = min(amount, vault.read("idle") + rng.randint(0, 1))
        elif kind in ("lend", "default"):
            cash = vault.chain.balance(vault.asset, vault.parts[place].market)
            amount = int(cash * rng.uniform(0.05, 0.6))
        vault.fund(who, 10**9 * vault.unit)
        vault.chain.wait(rng.choice([1, 3_600, 24 * 3_600]))
        return Step(kind, who, place, amount)

    def call(self, step: Step) -> Receipt:
        """A step that is one call of the vault, in a block a second later."""
        me = account(step.who).address
        args: tuple[Any, ...] = {
            "touch": (),
            "cover": (step.place, step.amount),
            "allocate": (step.place, step.amount),
            "deallocate": (step.place, step.amount),
            "deposit": (step.amount, me),
            "mint": (step.amount, me),
        }.get(step.kind, (step.amount, me, me))
        who = "curator" if step.kind.endswith("allocate") else step.who
        return self.vault.send(who, step.kind, *args)

    def happen(self, step: Step) -> None:
        """A step that passes the vault by."""
        vault, part = self.vault, self.vault.parts[step.place]
        amount = max(step.amount, 1_000)  # so that no market finds it too little
        donor = vault.fund("donor", amount)
        if step.kind == "give assets":
            vault.chain.send(donor, vault.asset, "transfer", vault.contract.address, amount)
        elif step.kind == "give shares":
            part.fund("donor", amount)
            vault.chain.send(donor, part.contract, "deposit", amount, vault.contract.address)
        elif step.kind == "give units":
            part.give(amount)
        elif step.kind == "outside":
            part.supply_market("whale", amount)
            part.deposit("outsider", amount)
        elif step.amount > 10_000:
            self._borrowers += 1
            who = f"borrower {self._borrowers}"
            if step.kind == "lend":
                part.lend(who, amount, amount * WAD // (500 * vault.unit))
            else:
                part.default(who, amount, self.rng.randint(1, 1_400 * USD))


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


@pytest.fixture
def make_crowd(make_curated: Any, rng: random.Random) -> Any:
    """Make a crowd around a curated vault over receipt vaults of these markets."""

    def make(*overs: str, **options: Any) -> Crowd:
        return Crowd(make_curated(*overs, **options), rng)

    return make
