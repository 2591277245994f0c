"""Shares of a vault that a pool trades: forced sales by the better of two ways, and arbitrage.

What a sale should bring is computed here from the pool's formula in fractions and from what the
vault has, not by the router's rule.
"""

from __future__ import annotations

import random
from fractions import Fraction
from math import isqrt
from typing import TYPE_CHECKING, Any

import pytest

from harness.contracts import Contract
from harness.curves import Hop
from harness.share_exit import ShareExit

if TYPE_CHECKING:
    from tests.contracts.conftest import Chain

WAD = 10**18
PRICE = 10**36
PIPS = 10**6
FEE = 3_000
STILL = (0, 0, 0)
POOL, VAULT = 0, 2


class Market:
    """A vault of 1,000,000, of which 400,000 idle, and a pool of 100,000 of its shares.

    The pool has been given ``quoted`` of the vault's asset for them. A second pool trades the asset
    for ETH.
    """

    def __init__(self, make_curated: Any, chain: Chain, quoted: int = 100_000) -> None:
        self.chain = chain
        self.vault = vault = make_curated("isolated", rates=STILL)
        self.share: Contract = vault.contract
        self.unit, self.usd, self.eth = vault.unit, vault.asset, vault.parts[0].eth
        self.admin, self.seller = chain.address("admin"), chain.address("seller")
        self.origin, self.victim = chain.address("origin"), chain.address("victim")
        self.router = chain.deploy("ShareRouter", self.admin)
        self.sink = chain.deploy("Sink", self.router.address)
        self.executor = chain.deploy("ShareArbitrageExecutor")
        vault.deposit("seller", 1_000_000 * self.unit)
        vault.allocate(600_000 * self.unit)
        vault.parts[0].supply_market("whale", 1_400_000 * self.unit)
        self.pool = chain.deploy("ConstantProductPool", self.share.address, self.usd.address, FEE)
        chain.send(self.seller, self.share, "transfer", self.pool.address, 100_000 * self.unit)
        chain.mint(self.usd, self.pool.address, quoted * self.unit)
        chain.send(chain.address("lp"), self.pool, "mint", chain.address("lp"))
        self.eth_pool = chain.pool(self.usd, self.eth, 8_000_000 * self.unit, 4_000 * WAD)
        for token0, token1, pool in (
            (self.share, self.usd, self.pool),
            (self.usd, self.eth, self.eth_pool),
        ):
            self.set("setPool", token0.address, token1.address, pool.address)
        self.set("setSink", self.sink.address)
        self.set("setRedeems", self.share.address, True)
        for token, amount in ((self.usd, 10**7 * self.unit), (self.eth, 10**4 * WAD)):
            chain.mint(token, self.sink.address, amount)
        chain.approve(self.seller, self.share, self.router)
        trader = chain.address("trader")
        chain.mint(self.usd, trader, 10**6 * self.unit)
        chain.approve(trader, self.usd, self.executor)

    def set(self, function: str, *args: Any) -> None:
        """Act as the router's admin."""
        self.chain.send(self.admin, self.router, function, *args)

    def drain(self, left: int = 0) -> None:
        """Borrowers take all the cash behind the shares but for so much idle."""
        part = self.vault.parts[0]
        self.vault.allocate((400_000 - left) * self.unit)
        part.lend("crowd", self.chain.balance(self.usd, part.market), 10_000 * WAD)

    def lose(self) -> None:
        """A borrower defaults on the market behind."""
        self.vault.parts[0].default("borrower", 1_000_000 * self.unit, 800 * 10**8)

    @property
    def worth(self) -> Fraction:
        """Assets for a share."""
        return Fraction(self.vault.read("totalAssets"), self.vault.read("totalSupply"))

    def sell(
        self, amount: int, token_out: Contract | None = None, min_out: int = 0
    ) -> tuple[int, list[dict[str, Any]]]:
        """A forced sale of shares to the account "treasury": what it paid, and its events."""
        receipt = self.chain.send(
            self.seller,
            self.router,
            "sell",
            *(self.origin, self.victim, self.share.address, (token_out or self.usd).address),
            *(amount, min_out, self.chain.address("treasury")),
        )
        paid = int(self.router.decode("sell", receipt.output or b""))
        return paid, self.router.events(receipt.logs, "ForcedTrade")

    def pool_pays(self, amount: int) -> int:
        """The constant product's output for so many shares, rounded down."""
        shares, assets = self.chain.reserves(self.pool)
        kept = Fraction(amount * (PIPS - FEE), PIPS)
        return int(assets * kept / (shares + kept))

    def cycle(self, legs: list[tuple[bytes, int, bytes]], amount: int, least: int = 0) -> int:
        """What the trader's round brings."""
        receipt = self.chain.send(
            self.chain.address("trader"), self.executor, "arbitrage", legs, amount, least
        )
        return int(self.executor.decode("arbitrage", receipt.output or b""))

    @property
    def down(self) -> list[tuple[bytes, int, bytes]]:
        """Buy in the pool and redeem."""
        share = self.share.address
        return [(self.pool.address, POOL, self.usd.address), (share, VAULT, share)]

    @property
    def up(self) -> list[tuple[bytes, int, bytes]]:
        """Deposit and sell in the pool."""
        share = self.share.address
        return [(share, VAULT, self.usd.address), (self.pool.address, POOL, share)]


@pytest.fixture
def market(make_curated: Any, chain: Chain) -> Market:
    return Market(make_curated, chain)


# --- forced sales -----------------------------------------------------------------------


def test_without_cash_behind_them_shares_go_to_the_pool_at_its_constant_product(
    market: Market,
) -> None:
    market.drain()
    amount = 60_000 * market.unit
    before, expected = market.chain.reserves(market.pool), market.pool_pays(amount)
    paid, (event,) = market.sell(amount)
    assert paid == expected == market.chain.balance(market.usd, market.chain.address("treasury"))
    assert (event["pool"], event["amountIn"]) == (market.pool.address, amount)
    assert event["spotBefore"] == before[1] * PRICE // before[0]
    assert market.chain.reserves(market.pool) == (before[0] + amount, before[1] - paid)


def test_at_a_discount_all_is_redeemed_while_there_is_cash(market: Market) -> None:
    before = market.chain.reserves(market.pool)
    amount = 60_000 * market.unit
    paid, (event,) = market.sell(amount)
    assert (event["pool"], event["tokenIn"]) == (market.share.address, market.share.address)
    assert paid == event["amountOut"] == amount
    assert market.chain.reserves(market.pool) == before


def test_what_the_vault_cannot_pay_is_sold_and_both_parts_are_on_record(market: Market) -> None:
    market.drain(left=25_000)
    amount = 60_000 * market.unit
    expected = market.pool_pays(35_000 * market.unit)
    paid, (redeemed, sold) = market.sell(amount)
    assert (redeemed["id"], redeemed["pool"]) == (1, market.share.address)
    assert redeemed["amountIn"] == redeemed["amountOut"] == 25_000 * market.unit
    assert (sold["id"], sold["pool"]) == (2, market.pool.address)
    assert (sold["amountIn"], sold["amountOut"]) == (35_000 * market.unit, expected)
    assert paid == 25_000 * market.unit + expected


def test_above_their_worth_shares_are_sold_until_the_pool_pays_as_much_as_the_vault(
    market: Market,
) -> None:
    """The loss is in the worth at once, and the pool has not heard of it."""
    market.lose()
    worth, amount = market.worth, 100_000 * market.unit
    shares, assets = market.chain.reserves(market.pool)
    kept = Fraction(PIPS - FEE, PIPS)
    paid, (redeemed, sold) = market.sell(amount)
    turn = (isqrt(int(kept * shares * assets / worth)) - shares) / kept
    assert abs(sold["amountIn"] - turn) <= 2
    assert sold["amountIn"] + redeemed["amountIn"] == amount
    # the marginal price after the fee is the worth, to the part in 10^10 that a unit moves it
    after, left = market.chain.reserves(market.pool)
    spent = shares + kept * sold["amountIn"]
    assert abs(kept * shares * assets / spent**2 / worth - 1) < Fraction(1, 10**9)
    assert (after, left) == (shares + sold["amountIn"], assets - sold["amountOut"])
    assert redeemed["amountOut"] == int(redeemed["amountIn"] * worth)
    assert paid > max(int(amount * worth), int(assets * kept * amount / (shares + kept * amount)))


def test_no_other_division_brings_more(make_curated: Any, chain: Chain) -> None:
    """At random prices, amounts and cash; every division in steps of a hundredth is tried."""
    seed = 20251103
    print("seed", seed)
    draw = random.Random(seed)
    for _ in range(6):
        with chain.anchor():
            market = Market(make_curated, chain, quoted=draw.randrange(70_000, 140_000))
            if draw.random() < 0.5:
                market.lose()
            market.drain(left=draw.randrange(50_000))
            amount = draw.randrange(1, 80_000 * market.unit)
            worth = market.worth
            most = int(chain.read(market.share, "maxRedeem", market.seller))
            tried = max(
                int(part * worth) + market.pool_pays(amount - part)
                for step in range(101)
                for part in [min(amount * step // 100, most)]
            )
            redeemed = chain.read(
                market.router,
                "redeemedOf",
                *(market.origin, market.share.address, amount, market.seller),
            )
            paid, events = market.sell(amount)
            assert paid >= tried - 2
            assert sum(e["amountIn"] for e in events if e["pool"] == market.share.address) == (
                redeemed
            )


def test_what_liquidators_plan_is_what_the_router_pays(make_curated: Any, chain: Chain) -> None:
    seed = 20251104
    print("seed", seed)
    draw = random.Random(seed)
    for _ in range(4):
        with chain.anchor():
            market = Market(make_curated, chain, quoted=draw.randrange(80_000, 130_000))
            market.drain(left=draw.randrange(50_000))
            amount = draw.randrange(1, 80_000 * market.unit)
            reserves = chain.reserves(market.eth_pool)
            ways = ShareExit(
                market.vault.read("totalAssets"),
                market.vault.read("totalSupply"),
                chain.read(market.share, "maxRedeem", market.seller),
                Hop(*chain.reserves(market.pool), FEE),
            )
            with chain.anchor():
                assert market.sell(amount)[0] == ways.amount_out(amount)
            onward = ways._replace(onward=Hop(*reserves, 3_000))
            with chain.anchor():  # as in the twin
                market.set("setCutAll", True)
                assert market.sell(amount)[0] == ways.marginal_out(amount)
            with chain.anchor():
                market.set("setCutAll", True)
                assert market.sell(amount, market.eth)[0] == onward.marginal_out(amount)
            assert market.sell(amount, market.eth)[0] == onward.amount_out(amount)


def test_what_both_bring_is_sold_on_and_the_router_keeps_nothing(market: Market) -> None:
    market.drain(left=25_000)
    amount = 60_000 * market.unit
    assets = 25_000 * market.unit + market.pool_pays(35_000 * market.unit)
    quoted = market.chain.read(market.eth_pool, "getAmountOut", market.usd.address, assets)
    with market.chain.reverts("SlippageExceeded", quoted, quoted + 1):
        market.sell(amount, market.eth, quoted + 1)
    paid, events = market.sell(amount, market.eth, quoted)
    assert paid == quoted == market.chain.balance(market.eth, market.chain.address("treasury"))
    assert [event["tokenIn"] for event in events] == [
        market.share.address,
        market.share.address,
        market.usd.address,
    ]
    for token in (market.share, market.usd, market.eth):
        assert market.chain.balance(token, market.router) == 0


def test_the_callers_limit_is_on_both_parts_together(market: Market) -> None:
    market.drain(left=25_000)
    amount = 60_000 * market.unit
    out = 25_000 * market.unit + market.pool_pays(35_000 * market.unit)
    with market.chain.reverts("SlippageExceeded", out, out + 1):
        market.sell(amount, min_out=out + 1)
    assert market.sell(amount, min_out=out)[0] == out


@pytest.mark.parametrize("cut", ["setCut", "setCutAll"])
def test_a_cut_sale_is_filled_at_the_quotes_and_moves_neither_pool_nor_vault(
    market: Market, cut: str
) -> None:
    market.drain(left=25_000)
    market.set(cut, *((market.origin,) if cut == "setCut" else ()), True)
    before, supply = market.chain.reserves(market.pool), market.vault.read("totalSupply")
    paid, (redeemed, sold) = market.sell(60_000 * market.unit)
    assert redeemed["amountOut"] == 25_000 * market.unit
    assert sold["amountOut"] == 35_000 * market.unit * (PIPS - FEE) // PIPS
    assert paid == redeemed["amountOut"] + sold["amountOut"]
    assert market.chain.reserves(market.pool) == before
    assert market.vault.read("totalSupply") == supply
    assert market.chain.balance(market.share, market.sink) == 60_000 * market.unit


def test_a_cut_sale_is_all_at_the_pools_quote_where_that_is_above_the_worth(market: Market) -> None:
    market.lose()
    market.set("setCut", market.origin, True)
    before, amount = market.chain.reserves(market.pool), 60_000 * market.unit
    paid, (sold,) = market.sell(amount)
    assert sold["pool"] == market.pool.address
    assert paid == amount * (PIPS - FEE) // PIPS > amount * market.worth
    assert market.chain.reserves(market.pool) == before


def test_a_cut_redemption_has_no_limit_and_leaves_the_pool_to_the_market(market: Market) -> None:
    market.drain()
    market.set("setCutShare", market.share.address, True)
    assert market.sell(60_000 * market.unit)[0] == 60_000 * market.unit


def test_shares_that_are_worth_nothing_go_to_the_pool(market: Market) -> None:
    market.vault.allocate(400_000 * market.unit)
    part = market.vault.parts[0]
    for borrower in ("first", "second"):
        part.default(borrower, market.chain.balance(market.usd, part.market), 1)
    assert market.worth == 0
    amount = 1_000 * market.unit
    expected = market.pool_pays(amount)
    assert market.sell(amount)[0] == expected


def test_a_part_for_which_the_pool_would_pay_nothing_is_redeemed(
    make_curated: Any, chain: Chain
) -> None:
    """Arbitrage leaves the pool there: a unit above what a share is worth, which is below one."""
    market = Market(make_curated, chain, quoted=80_000)
    market.lose()
    shares, assets = chain.reserves(market.pool)
    kept = Fraction(PIPS - FEE, PIPS)
    wanted = int((shares + Fraction(3, 2) * kept) ** 2 * market.worth / (kept * shares))
    chain.mint(market.usd, market.pool.address, wanted - assets)
    chain.send(chain.address("lp"), market.pool, "sync")
    assert market.pool_pays(1) == 0
    paid, (event,) = market.sell(1_000)
    assert event["pool"] == market.share.address
    assert paid == int(1_000 * market.worth)


# --- arbitrage --------------------------------------------------------------------------


def test_below_worth_buying_and_redeeming_brings_what_the_curve_says(
    make_curated: Any, chain: Chain
) -> None:
    market = Market(make_curated, chain, quoted=90_000)
    shares, assets = chain.reserves(market.pool)
    amount = 4_000 * market.unit
    kept = Fraction(amount * (PIPS - FEE), PIPS)
    bought = int(shares * kept / (assets + kept))
    with chain.reverts("Unprofitable", bought, bought + 1):
        market.cycle(market.down, amount, bought + 1 - amount)
    assert market.cycle(market.down, amount, bought - amount) == bought > amount
    assert market.vault.read("totalSupply") == 10**6 * market.unit - bought
    for token in (market.share, market.usd):
        assert chain.balance(token, market.executor) == 0


def test_a_vault_without_the_cash_stops_the_whole_cycle(make_curated: Any, chain: Chain) -> None:
    market = Market(make_curated, chain, quoted=90_000)
    market.drain(left=1_000)
    before = chain.reserves(market.pool)
    with chain.reverts("InsufficientLiquidity"):
        market.cycle(market.down, 4_000 * market.unit)
    assert chain.reserves(market.pool) == before


def test_above_worth_depositing_and_selling_brings_what_the_curve_says(market: Market) -> None:
    market.lose()
    amount, worth = 4_000 * market.unit, market.worth
    minted = int(amount / worth)
    expected = market.pool_pays(minted)
    assert market.cycle(market.up, amount) == expected > amount
    assert market.worth >= worth


def test_a_leg_that_neither_deposits_nor_redeems_is_refused(market: Market) -> None:
    share, eth = market.share.address, market.eth.address
    trader = market.chain.address("trader")
    market.chain.mint(market.eth, trader, WAD)
    market.chain.approve(trader, market.eth, market.executor)
    with market.chain.reverts("BrokenPath", 0):
        market.cycle([(share, VAULT, eth), (market.pool.address, POOL, share)], 100)
    with market.chain.reverts("UnknownKind", 3):
        market.cycle([(share, 3, market.usd.address)], 100)
