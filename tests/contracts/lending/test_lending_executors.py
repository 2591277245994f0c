"""Liquidating with a sale, and deleveraging, in one transaction each."""

from __future__ import annotations

from typing import Any

import pytest

from harness.accounts import account
from harness.contracts import Contract

WAD = 10**18
PRICE = 10**8
MAX = (1 << 256) - 1


def me(name: str) -> bytes:
    return account(name).address


class Venue:
    """A market with a pool of 1,000 ETH at $2,000, the router, and both executors."""

    def __init__(self, rig: Any) -> None:
        self.rig, self.chain = rig, rig.chain
        self.eth, self.usd = rig.tokens["ETH"], rig.tokens["USD"]
        self.router = self.chain.deploy("ForcedTradeRouter", me("admin"))
        self.pool = self.chain.pool(self.eth, self.usd, 1_000 * WAD, 2_000_000 * WAD)
        self.chain.send(
            me("admin"),
            self.router,
            "setPool",
            self.eth.address,
            self.usd.address,
            self.pool.address,
        )
        self.liquidator: Contract = self.chain.deploy("LiquidationExecutor", self.router.address)
        self.deleverager: Contract = self.chain.deploy("DeleverageExecutor", self.router.address)

    def underwater(self) -> None:
        """10 ETH against $15,000 at $1,750."""
        self.rig.supply("borrower", "ETH", 10 * WAD)
        self.rig.borrow("borrower", "USD", 15_000 * WAD)
        self.rig.price("ETH", 1_750 * PRICE)

    def liquidate(self, repay: int = MAX, min_profit: int = 0) -> Any:
        self.chain.mint(self.usd, me("keeper"), 20_000 * WAD)
        self.chain.approve(me("keeper"), self.usd, self.liquidator)
        return self.chain.send(
            me("keeper"),
            self.liquidator,
            "liquidate",
            self.rig.market.address,
            me("borrower"),
            self.eth.address,
            self.usd.address,
            repay,
            min_profit,
        )

    def assert_executors_hold_nothing(self) -> None:
        for executor in (self.liquidator, self.deleverager):
            for token in (self.eth, self.usd):
                assert self.chain.balance(token, executor) == 0
                for spender in (self.rig.market, self.router):
                    args = (executor.address, spender.address)
                    assert self.chain.read(token, "allowance", *args) == 0


@pytest.fixture
def venue(rig: Any) -> Venue:
    return Venue(rig)


@pytest.mark.parametrize("repay", [MAX, 15_000 * WAD, 19_000 * WAD])
def test_a_liquidation_is_sold_and_paid_out(venue: Venue, repay: int) -> None:
    venue.underwater()
    out = venue.chain.read(venue.pool, "getAmountOut", venue.eth.address, 9 * WAD)
    receipt = venue.liquidate(repay)
    (event,) = venue.liquidator.events(receipt.logs, "LiquidationExecuted")
    assert event == {
        "liquidator": me("keeper"),
        "market": venue.rig.market.address,
        "account": me("borrower"),
        "collateralAsset": venue.eth.address,
        "debtAsset": venue.usd.address,
        "repaid": 15_000 * WAD,
        "seized": 9 * WAD,
        "proceeds": out,
    }
    (trade,) = venue.router.events(receipt.logs, "ForcedTrade")
    assert (trade["origin"], trade["account"]) == (venue.rig.market.address, me("borrower"))
    assert trade["amountIn"] == 9 * WAD
    assert venue.rig.balance("keeper", "USD") == 20_000 * WAD + out - 15_000 * WAD
    assert venue.rig.balance("keeper", "ETH") == 0
    venue.assert_executors_hold_nothing()
    venue.rig.assert_books_balance()


def test_a_part_of_the_debt_may_be_repaid(venue: Venue) -> None:
    venue.underwater()
    venue.liquidate(1_000 * WAD)
    assert venue.rig.debt_of("borrower", "USD") == 14_000 * WAD
    venue.assert_executors_hold_nothing()


def test_an_unprofitable_liquidation_is_undone(venue: Venue) -> None:
    venue.underwater()
    out = venue.chain.read(venue.pool, "getAmountOut", venue.eth.address, 9 * WAD)
    profit = out - 15_000 * WAD
    with venue.chain.reverts("Unprofitable", out, out + 1):
        venue.liquidate(min_profit=profit + 1)
    assert venue.rig.debt_of("borrower", "USD") == 15_000 * WAD
    venue.liquidate(min_profit=profit)


def test_a_race_that_is_lost_says_so(venue: Venue) -> None:
    venue.underwater()
    venue.rig.liquidate("borrower", "ETH", "USD")
    with venue.chain.reverts("Healthy", me("borrower"), MAX):
        venue.liquidate(15_000 * WAD)


def test_collateral_of_the_debt_asset_is_not_sold(venue: Venue) -> None:
    rig = venue.rig
    rig.supply("borrower", "USD", 1_000 * WAD)
    rig.supply("borrower", "ETH", WAD)
    rig.borrow("borrower", "USD", 2_400 * WAD)
    rig.price("ETH", 1_700 * PRICE)
    venue.chain.mint(venue.usd, me("keeper"), 500 * WAD)
    venue.chain.approve(me("keeper"), venue.usd, venue.liquidator)
    asset = venue.usd.address
    args = (rig.market.address, me("borrower"), asset, asset, 500 * WAD, 25 * WAD)
    receipt = venue.chain.send(me("keeper"), venue.liquidator, "liquidate", *args)
    assert venue.router.events(receipt.logs, "ForcedTrade") == []
    assert rig.balance("keeper", "USD") == 525 * WAD


# --- deleveraging


def deleverage(venue: Venue, amount: int, min_out: int = 0) -> Any:
    return venue.chain.send(
        me("borrower"),
        venue.deleverager,
        "deleverage",
        venue.rig.market.address,
        venue.eth.address,
        venue.usd.address,
        amount,
        min_out,
    )


def test_deleveraging_sells_collateral_and_repays(venue: Venue) -> None:
    rig = venue.rig
    rig.supply("borrower", "ETH", 10 * WAD)
    rig.borrow("borrower", "USD", 15_000 * WAD)
    health = rig.health("borrower")
    rig.send("borrower", "setOperator", venue.deleverager.address, True)
    out = venue.chain.read(venue.pool, "getAmountOut", venue.eth.address, WAD)
    receipt = deleverage(venue, WAD, out)
    (event,) = venue.deleverager.events(receipt.logs, "Deleveraged")
    assert event["sold"] == WAD
    assert event["repaid"] == out
    (trade,) = venue.router.events(receipt.logs, "ForcedTrade")
    assert (trade["origin"], trade["account"]) == (rig.market.address, me("borrower"))
    assert rig.position("borrower") == {"ETH": (9 * WAD, 0), "USD": (0, 15_000 * WAD - out)}
    assert rig.health("borrower") > health
    venue.assert_executors_hold_nothing()
    with venue.chain.reverts("SlippageExceeded"):
        deleverage(venue, WAD, out)


def test_what_deleveraging_leaves_over_goes_to_the_owner(venue: Venue) -> None:
    rig = venue.rig
    rig.supply("borrower", "ETH", 10 * WAD)
    rig.borrow("borrower", "USD", 1_000 * WAD)
    rig.send("borrower", "setOperator", venue.deleverager.address, True)
    before = rig.balance("borrower", "USD")
    (event,) = venue.deleverager.events(deleverage(venue, WAD).logs, "Deleveraged")
    assert event["repaid"] == 1_000 * WAD
    assert rig.balance("borrower", "USD") - before > 900 * WAD
    assert rig.debt_of("borrower", "USD") == 0
    venue.assert_executors_hold_nothing()


def test_deleveraging_needs_the_owners_leave_and_its_health(venue: Venue) -> None:
    rig = venue.rig
    rig.supply("borrower", "ETH", 10 * WAD)
    rig.borrow("borrower", "USD", 15_000 * WAD)
    with venue.chain.reverts("NotAuthorised", me("borrower"), venue.deleverager):
        deleverage(venue, WAD)
    rig.send("borrower", "setOperator", venue.deleverager.address, True)
    with venue.chain.reverts("Unhealthy"):
        deleverage(venue, 2 * WAD)
