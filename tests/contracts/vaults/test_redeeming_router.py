"""Forced sales of shares: redeemed out of the markets behind them, or cut to the sink.

And a market's bad debt on its way through a share's price to accounts of another market.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.contracts import Contract

if TYPE_CHECKING:
    from tests.contracts.conftest import Chain

WAD = 10**18
RAY = 10**27
USD = 10**8
MAX = (1 << 256) - 1
NO_LIMIT = (1 << 127) - 1
NO_CAP = (1 << 128) - 1
PRICE = 10**36
STILL = (0, 0, 0)


class Street:
    """A curated vault over an isolated market, a router that redeems its shares, a pool of its
    asset and ETH, and a sink; 400,000 are idle and 600,000 lent."""

    def __init__(self, make_curated: Any, chain: Chain) -> None:
        self.chain = chain
        self.vault = vault = make_curated("isolated", rates=STILL)
        self.shares: Contract = vault.contract
        self.unit = vault.unit
        self.usd, self.eth = vault.asset, vault.parts[0].eth
        self.admin, self.seller = chain.address("admin"), chain.address("seller")
        self.origin, self.victim = chain.address("origin"), chain.address("victim")
        self.router = chain.deploy("RedeemingRouter", self.admin)
        self.sink = chain.deploy("Sink", self.router.address)
        self.pool = chain.pool(self.usd, self.eth, 8_000_000 * self.unit, 4_000 * WAD)
        self.set("setPool", self.usd.address, self.eth.address, self.pool.address)
        self.set("setSink", self.sink.address)
        self.set("setRedeems", self.shares.address, True)
        for token, amount in ((self.usd, 10**7 * self.unit), (self.eth, 10**4 * WAD)):
            chain.mint(token, self.sink.address, amount)
        vault.deposit("seller", 1_000_000 * self.unit)
        vault.allocate(600_000 * self.unit)
        vault.parts[0].supply_market("whale", 1_400_000 * self.unit)
        chain.approve(self.seller, self.shares, self.router)

    def set(self, function: str, *args: Any) -> None:
        """Act as the router's admin."""
        self.chain.send(self.admin, self.router, function, *args)

    def sell(
        self, amount: int, token_out: Contract | None = None, min_out: int = 0
    ) -> tuple[int, list[dict[str, Any]]]:
        """A forced sale of shares to the account "treasury": what it paid, and its events."""
        receipt = self.chain.send(
            self.seller,
            self.router,
            "sell",
            self.origin,
            self.victim,
            self.shares.address,
            (token_out or self.usd).address,
            amount,
            min_out,
            self.chain.address("treasury"),
        )
        paid = int(self.router.decode("sell", receipt.output or b""))
        return paid, self.router.events(receipt.logs, "ForcedTrade")

    def lose(self) -> int:
        """A borrower defaults on the market behind; what the vault has lost."""
        bad = self.vault.parts[0].default("borrower", 1_000_000 * self.unit, 800 * USD)
        return -(-600_000 * self.unit * bad // (2_000_000 * self.unit + 1))

    def nothing_left(self) -> bool:
        """The router holds nothing and lets nobody take anything."""
        held = [self.chain.balance(token, self.router) for token in (self.usd, self.shares)]
        own = (self.router.address, self.router.address)
        return not any(held) and not self.chain.read(self.usd, "allowance", *own)

    def pocket(self, token: Contract) -> int:
        """What the treasury has."""
        return self.chain.balance(token, self.chain.address("treasury"))


@pytest.fixture
def street(make_curated: Any, chain: Chain) -> Street:
    return Street(make_curated, chain)


def test_shares_are_redeemed_and_that_is_on_record(street: Street) -> None:
    loss = street.lose()
    total, supply = (1_000_000 * street.unit - loss, 1_000_000 * street.unit)
    amount = 123_456 * street.unit
    paid, (event,) = street.sell(amount)
    assert paid == amount * total // supply == street.pocket(street.usd)
    assert event == {
        "id": 1,
        "origin": street.origin,
        "account": street.victim,
        "pool": street.shares.address,
        "tokenIn": street.shares.address,
        "amountIn": amount,
        "amountOut": paid,
        "spotBefore": total * PRICE // supply,
        "spotAfter": (total - paid) * PRICE // (supply - amount),
    }
    assert street.vault.read("totalSupply") == supply - amount
    assert street.nothing_left()
    paid, (event,) = street.sell(supply - amount)
    assert street.vault.read("totalSupply") == event["spotAfter"] == 0
    assert event["id"] == 2


def test_what_the_vault_has_not_in_its_asset_takes_a_second_trade(street: Street) -> None:
    amount = 100_000 * street.unit
    quoted = street.chain.read(street.pool, "getAmountOut", street.usd.address, amount)
    paid, (first, second) = street.sell(amount, street.eth)
    assert paid == quoted == street.pocket(street.eth)
    assert (first["id"], first["pool"], first["amountOut"]) == (1, street.shares.address, amount)
    assert (second["id"], second["pool"], second["tokenIn"]) == (
        2,
        street.pool.address,
        street.usd.address,
    )
    assert (second["amountIn"], second["amountOut"]) == (amount, paid)
    assert first["origin"] == second["origin"] == street.origin
    assert first["account"] == second["account"] == street.victim
    assert street.nothing_left()


def test_the_callers_limit_is_kept_on_either_way(street: Street) -> None:
    amount = 100_000 * street.unit
    quoted = street.chain.read(street.pool, "getAmountOut", street.usd.address, amount)
    for token, out in ((street.usd, amount), (street.eth, quoted)):
        with street.chain.reverts("SlippageExceeded", out, out + 1):
            street.sell(amount, token, out + 1)
        with street.chain.anchor():
            assert street.sell(amount, token, out)[0] == out


@pytest.mark.parametrize("cut", ["setCut", "setCutAll", "setCutShare"])
@pytest.mark.parametrize("to_eth", [False, True])
def test_a_cut_redemption_is_paid_by_the_sink_and_takes_no_cash_out_of_the_market(
    street: Street, cut: str, to_eth: bool
) -> None:
    loss = street.lose()
    total, supply = (1_000_000 * street.unit - loss, 1_000_000 * street.unit)
    subject = {"setCut": (street.origin,), "setCutAll": (), "setCutShare": (street.shares.address,)}
    street.set(cut, *subject[cut], True)
    market = street.vault.parts[0].market
    cash = street.chain.balance(street.usd, market)
    sink = street.chain.balance(street.usd, street.sink)
    reserves = street.chain.reserves(street.pool)
    amount = 700_000 * street.unit  # more than is idle
    worth = amount * total // supply
    paid, (event, *further) = street.sell(amount, street.eth if to_eth else street.usd)
    assert event["amountOut"] == worth
    assert event["spotBefore"] == event["spotAfter"] == total * PRICE // supply
    assert street.vault.read("totalSupply") == supply
    assert street.vault.read("totalAssets") == total
    assert street.chain.balance(street.usd, market) == cash
    assert street.chain.balance(street.shares, street.sink) == amount
    assert street.nothing_left()
    if not to_eth:
        assert paid == worth == street.pocket(street.usd)
        assert street.chain.balance(street.usd, street.sink) == sink - worth
        return
    (second,) = further
    if cut == "setCutShare":  # only the redemption is cut
        assert street.chain.reserves(street.pool) == (reserves[0] + worth, reserves[1] - paid)
    else:
        assert paid == worth * 997_000 * reserves[1] // (reserves[0] * 10**6)
        assert street.chain.reserves(street.pool) == reserves
    assert second["amountIn"] == worth


def test_without_cash_behind_them_shares_cannot_be_sold_unless_cut(street: Street) -> None:
    street.vault.parts[0].lend("borrower", 2_000_000 * street.unit, 2_000 * WAD)
    amount, idle = 500_000 * street.unit, 400_000 * street.unit
    with street.chain.reverts("InsufficientLiquidity", idle, amount):
        street.sell(amount)
    street.set("setCutShare", street.shares.address, True)
    assert street.sell(amount)[0] == amount


def test_a_receipt_is_redeemed_and_other_tokens_go_to_their_pool(street: Street) -> None:
    receipt = street.vault.parts[0]
    receipt.deposit("seller", 1_000 * street.unit)
    street.chain.approve(street.seller, receipt.contract, street.router)
    route = (street.origin, street.victim, receipt.contract.address, street.usd.address)
    rest = (1_000 * street.unit, 0, street.chain.address("treasury"))
    with street.chain.reverts("NoPool", receipt.contract, street.usd):
        street.chain.send(street.seller, street.router, "sell", *route, *rest)
    street.set("setRedeems", receipt.contract.address, True)
    street.chain.send(street.seller, street.router, "sell", *route, *rest)
    assert street.pocket(street.usd) == 1_000 * street.unit
    street.chain.mint(street.eth, street.seller, WAD)
    street.chain.approve(street.seller, street.eth, street.router)
    quoted = street.chain.read(street.pool, "getAmountOut", street.eth.address, WAD)
    route = (street.origin, street.victim, street.eth.address, street.usd.address)
    sold = street.chain.send(
        street.seller, street.router, "sell", *route, WAD, quoted, street.seller
    )
    assert street.router.decode("sell", sold.output or b"") == quoted


def test_only_the_admin_says_what_is_redeemed_and_cut(street: Street) -> None:
    thief = street.chain.address("thief")
    for function in ("setRedeems", "setCutShare"):
        with street.chain.reverts("NotAdmin", thief):
            street.chain.send(thief, street.router, function, street.eth.address, True)
    for value in (False, True):
        sent = street.chain.send(
            street.admin, street.router, "setCutShare", street.eth.address, value
        )
        assert sent.logs == ()
        assert street.chain.read(street.router, "cutShare", street.eth.address) is value


class Elsewhere:
    """Another market, isolated or pooled, that takes the vault's shares as collateral for its
    asset: Alice has posted 100,000 and owes 80,000."""

    def __init__(self, street: Street, over: str) -> None:
        self.street, self.over = street, over
        chain, shares, usd = street.chain, street.shares, street.usd
        rate = chain.deploy("SharePriceFeed", shares.address, 18, "assets per share")
        dollar = street.vault.parts[0].feeds["USD"].address
        self.feed = chain.deploy("ProductFeed", rate.address, dollar, 18, "cUSD")
        self.alice, self.bank = chain.address("alice"), chain.address("bank")
        lent, posted, owed = (n * street.unit for n in (10**6, 100_000, 80_000))
        rates = (*STILL, 8 * RAY // 10)
        if over == "isolated":
            feeds = [(feed, 0, 0, NO_LIMIT) for feed in (self.feed.address, dollar)]
            config = (shares.address, usd.address, *feeds, 86 * WAD // 100, 0, bytes(20), *rates)
            self.market: Contract = chain.deploy("IsolatedMarket", config)
            self.executor = chain.deploy("IsolatedLiquidator", street.router.address)
        else:
            self.market = chain.deploy("PooledMarket", street.admin, (10_000, 0, 0, 0))
            self.executor = chain.deploy("LiquidationExecutor", street.router.address)
            for token, feed in ((usd, dollar), (shares, self.feed.address)):
                config = (token.address, feed, 0, 0, NO_LIMIT, 8_000, 8_500)
                fees = (500, 0, 0, NO_CAP, NO_CAP)
                chain.send(street.admin, self.market, "listAsset", (*config, *fees, *rates))
        chain.mint(usd, self.bank, lent)
        chain.approve(self.bank, usd, self.market)
        street.vault.deposit("alice", posted)
        chain.approve(self.alice, shares, self.market)
        me = (self.alice, self.alice)
        if over == "isolated":
            chain.send(self.bank, self.market, "supply", lent, 0, self.bank)
            chain.send(self.alice, self.market, "supplyCollateral", posted, self.alice)
            chain.send(self.alice, self.market, "borrow", owed, 0, *me)
        else:
            chain.send(self.bank, self.market, "supply", usd.address, lent, self.bank)
            chain.send(self.alice, self.market, "supply", shares.address, posted, self.alice)
            chain.send(self.alice, self.market, "borrow", usd.address, owed, *me)
        chain.mint(usd, chain.address("closer"), lent)
        chain.approve(chain.address("closer"), usd, self.executor)

    def health(self) -> int:
        """Alice's health factor, Wad."""
        return int(self.street.chain.read(self.market, "healthFactor", self.alice))

    def liquidate(self) -> dict[str, Any]:
        """Liquidate her wholly and sell what was seized; the executor's event."""
        chain, street = self.street.chain, self.street
        if self.over == "isolated":
            args: tuple[Any, ...] = (self.market.address, self.alice, 0, MAX, 0)
        else:
            pair = (street.shares.address, street.usd.address)
            args = (self.market.address, self.alice, *pair, MAX, 0)
        sent = chain.send(chain.address("closer"), self.executor, "liquidate", *args)
        (event,) = self.executor.events(sent.logs, "LiquidationExecuted")
        return event

    def seized(self, price_wad: int) -> int:
        """Shares taken for the whole debt, at a share's price in USD: rounded as each does."""
        owed = 80_000 * self.street.unit
        if self.over == "pooled":
            usd_wad = owed * WAD // self.street.unit * 10_500 // 10_000
            return usd_wad * self.street.unit // price_wad
        factor = WAD * WAD // (WAD - 3 * (WAD - 86 * WAD // 100) // 10)
        return owed * factor // WAD * PRICE // (price_wad * 10**18)


@pytest.mark.parametrize("over", ["isolated", "pooled"])
def test_bad_debt_reaches_accounts_of_another_market_through_the_share_price(
    street: Street, over: str
) -> None:
    """6 of 20 of the loss is the vault's, 15% of its assets: 80,000 on 100,000 are too many."""
    elsewhere = Elsewhere(street, over)
    threshold, unit = {"isolated": 86, "pooled": 85}[over], street.unit
    assert elsewhere.health() == threshold * WAD // 80
    with street.chain.reverts("Healthy"):
        elsewhere.liquidate()
    loss = street.lose()
    total, supply = 1_100_000 * unit - loss, 1_100_000 * unit
    price_wad = total * WAD // supply
    assert street.chain.read(elsewhere.feed, "latestRoundData")[1] == price_wad
    if over == "isolated":  # in units of the asset, each product rounded down
        health = 100_000 * unit * price_wad // WAD * threshold // 100 * WAD // (80_000 * unit)
    else:  # in USD
        health = 100_000 * price_wad * threshold // (80_000 * 100)
    assert elsewhere.health() == health < WAD
    event = elsewhere.liquidate()
    assert event["repaid"] == 80_000 * unit
    assert event["seized"] == elsewhere.seized(price_wad)
    assert event["proceeds"] == event["seized"] * total // supply
    assert street.chain.balance(street.usd, street.chain.address("closer")) == (
        10**6 * unit + event["proceeds"] - event["repaid"]
    )
    assert street.nothing_left()


@pytest.mark.parametrize("over", ["isolated", "pooled"])
def test_without_cash_behind_the_shares_the_liquidation_fails_and_a_cut_one_does_not(
    street: Street, over: str
) -> None:
    elsewhere = Elsewhere(street, over)
    chain, unit = street.chain, street.unit
    loss = street.lose()
    total, supply = 1_100_000 * unit - loss, 1_100_000 * unit
    chain.send(street.vault.curator, street.shares, "allocate", 0, 500_000 * unit)
    part = street.vault.parts[0]
    part.lend("crowd", chain.balance(street.usd, part.market), 10_000 * WAD)
    seized = elsewhere.seized(total * WAD // supply)
    with chain.reverts("InsufficientLiquidity", 0, seized * total // supply):
        elsewhere.liquidate()
    street.set("setCutShare", street.shares.address, True)
    event = elsewhere.liquidate()
    assert event["proceeds"] == seized * total // supply
    assert street.vault.read("totalSupply") == supply


def test_a_total_loss_leaves_no_price_to_liquidate_at(street: Street) -> None:
    """A worth of nothing is no answer a market accepts: its accounts are stuck until a cover."""
    elsewhere = Elsewhere(street, "isolated")
    chain, unit, vault = street.chain, street.unit, street.vault
    chain.send(vault.curator, street.shares, "allocate", 0, 500_000 * unit)
    for borrower in ("first", "second"):  # who takes what the collateral of the first brought
        lent = chain.balance(street.usd, vault.parts[0].market)
        vault.parts[0].default(borrower, lent, 1)
    assert vault.read("totalAssets") == 0
    with chain.reverts("AnswerOutOfBounds", elsewhere.feed, 0):
        elsewhere.liquidate()
    vault.cover(0, 10**6 * unit)
    assert elsewhere.liquidate()["proceeds"] > 0


def test_shares_of_a_vault_of_vaults_lose_and_are_redeemed_all_the_way_down(street: Street) -> None:
    """A vault over the vault, and one whose asset is the vault's share: each passes the loss on."""
    chain, vault, unit = street.chain, street.vault, street.unit
    usd, shares = street.usd.address, street.shares.address
    names = ("Outer", "O")
    outer = chain.deploy("CuratedVault", usd, vault.curator, [shares], *names)
    wrapped = chain.deploy("CuratedVault", shares, vault.curator, [], *names)
    chain.mint(street.usd, street.seller, 100_000 * unit)
    for token, spender in ((street.usd, outer), (street.shares, wrapped)):
        chain.approve(street.seller, token, spender)
        chain.send(street.seller, spender, "deposit", 100_000 * unit, street.seller)
        chain.approve(street.seller, spender, street.router)
        street.set("setRedeems", spender.address, True)
    chain.send(vault.curator, outer, "allocate", 0, 100_000 * unit)
    loss = street.lose()
    total, supply = 1_100_000 * unit - loss, 1_100_000 * unit
    worth = 100_000 * unit * total // supply
    assert chain.read(outer, "totalAssets") == worth
    # what the first withdraws of the vault costs shares rounded up; the second redeems shares
    supply_left = supply - -(-worth * supply // total)
    second = 100_000 * unit * (total - worth) // supply_left
    for token, trades, due in ((outer, 1, worth), (wrapped, 2, second)):
        sold = chain.send(
            street.seller,
            street.router,
            "sell",
            *(street.origin, street.victim, token.address, usd),
            *(100_000 * unit, due, chain.address("treasury")),
        )
        assert street.router.decode("sell", sold.output or b"") == due
        assert len(street.router.events(sold.logs, "ForcedTrade")) == trades
        assert street.nothing_left()
    own = (street.router.address, street.router.address)
    assert chain.read(street.shares, "allowance", *own) == 0
