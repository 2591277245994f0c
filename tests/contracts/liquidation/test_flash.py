"""Flash loans of the market, and liquidations with nothing but borrowed money."""

from __future__ import annotations

from typing import Any

import pytest

from harness.accounts import account
from harness.contracts import Contract

from .conftest import PRICE, RAY, WAD, Desk
from .test_discount_liquidation import Shop
from .test_dutch_auction import House

MAX = (1 << 256) - 1
PIPS = 10**6
FEE = 500  # 0.05%, Aave's


def me(name: str) -> bytes:
    return account(name).address


def words(*values: int | bytes) -> bytes:
    return b"".join(
        v.to_bytes(32, "big") if isinstance(v, int) else v.rjust(32, b"\0") for v in values
    )


def orders(approved: int, target: bytes = bytes(20), calls: tuple[bytes, ...] = ()) -> bytes:
    """What LoanProbe decodes: uint256, address, bytes[]."""
    heads, tails = [], b""
    for call in calls:
        heads.append(32 * len(calls) + len(tails))
        tails += words(len(call)) + call + bytes(-len(call) % 32)
    return words(approved, target, 96, len(calls), *heads) + tails


class Lender:
    """A market with $1,000,000 and a borrower contract."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.chain = desk, desk.chain
        desk.open()
        desk.send("admin", "setFlashLoanFee", FEE)
        self.probe: Contract = self.chain.deploy("LoanProbe")
        desk.everyone.append(self.probe.address)
        self.usd = desk.asset("USD")

    def lend(self, amount: int, data: bytes) -> Any:
        return self.desk.send("anyone", "flashLoan", self.probe.address, self.usd, amount, data)


@pytest.fixture
def lender(desk: Desk) -> Lender:
    return Lender(desk)


@pytest.mark.parametrize("amount", [1, 1_999, 10**6 * WAD])
def test_a_loan_comes_back_with_its_fee_for_the_reserves(lender: Lender, amount: int) -> None:
    desk = lender.desk
    fee = -(-amount * FEE // PIPS)
    lender.chain.mint(desk.tokens["USD"], lender.probe.address, fee)
    receipt = lender.lend(amount, orders(amount + fee))
    (event,) = lender.probe.events(receipt.logs, "Lent")
    assert (event["initiator"], event["assets"], event["fee"]) == (me("anyone"), amount, fee)
    assert event["balance"] == amount + fee
    (loan,) = desk.market.events(receipt.logs, "FlashLoan")
    assert (loan["assets"], loan["fee"]) == (amount, fee)
    books = desk.books("USD")
    assert (books.cash, books.reserves) == (10**6 * WAD + fee, fee)
    assert desk.problems() == {}


def test_a_loan_that_does_not_come_back_was_never_made(lender: Lender) -> None:
    amount = 1_000 * WAD
    lender.chain.mint(lender.desk.tokens["USD"], lender.probe.address, WAD)
    with lender.chain.reverts("InsufficientAllowance"):
        lender.lend(amount, orders(amount))  # without the fee
    with lender.chain.reverts("InsufficientCash", lender.usd, 10**6 * WAD, 10**6 * WAD + 1):
        lender.lend(10**6 * WAD + 1, orders(MAX))
    assert lender.desk.problems() == {}


def test_the_market_may_be_used_meanwhile(lender: Lender) -> None:
    # supplies the loan, borrows against it, repays and withdraws
    desk, amount = lender.desk, 900_000 * WAD
    probe, market = lender.probe.address, desk.market
    lender.chain.mint(desk.tokens["USD"], probe, amount * FEE // PIPS)
    calls = (
        market.encode("supply", lender.usd, amount, probe),
        market.encode("borrow", lender.usd, 500_000 * WAD, probe, probe),
        market.encode("repay", lender.usd, MAX, probe),
        market.encode("withdraw", lender.usd, MAX, probe, probe),
    )
    lender.lend(amount, orders(MAX, market.address, calls))
    assert desk.books("USD").cash == 10**6 * WAD + amount * FEE // PIPS
    assert desk.problems() == {}


def test_money_that_is_lent_cannot_be_lent_again(lender: Lender) -> None:
    desk = lender.desk
    probe, market = lender.probe.address, desk.market
    inner = market.encode("flashLoan", probe, lender.usd, 2, orders(MAX))
    with lender.chain.reverts("InsufficientCash", lender.usd, 1, 2):
        lender.lend(10**6 * WAD - 1, orders(MAX, market.address, (inner,)))
    lender.chain.mint(desk.tokens["USD"], probe, 1_000 * WAD)
    lender.lend(10**6 * WAD - 2, orders(MAX, market.address, (inner,)))
    assert desk.problems() == {}


def test_a_loan_does_not_pay_with_the_suppliers_own_claims(lender: Lender) -> None:
    # supplying the loan and keeping the claims leaves nothing to pay with
    desk, amount = lender.desk, 900_000 * WAD
    probe, market = lender.probe.address, desk.market
    call = market.encode("supply", lender.usd, amount, probe)
    with lender.chain.reverts("InsufficientBalance"):
        lender.lend(amount, orders(MAX, market.address, (call,)))


def test_the_fee_is_the_admins_and_bounded(lender: Lender) -> None:
    with lender.chain.reverts("NotAdmin", me("anyone")):
        lender.desk.send("anyone", "setFlashLoanFee", 0)
    with lender.chain.reverts("InvalidConfig"):
        lender.desk.send("admin", "setFlashLoanFee", PIPS + 1)


# --- flash liquidations


class Street:
    """The router with a deep ETH pool, another pool that holds USD, and the flash liquidator."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.chain = desk, desk.chain
        eth, self.usd = desk.tokens["ETH"], desk.tokens["USD"]
        self.router = self.chain.deploy("ForcedTradeRouter", me("admin"))
        self.pool = self.chain.pool(eth, self.usd, 5_000 * WAD, 8_500_000 * WAD)
        args = (eth.address, self.usd.address, self.pool.address)
        self.chain.send(me("admin"), self.router, "setPool", *args)
        self.dai = self.chain.token("DAI")
        self.other = self.chain.pool(self.usd, self.dai, 10**6 * WAD, 10**6 * WAD)
        self.reverse = self.chain.pool(self.dai, self.usd, 10**6 * WAD, 10**6 * WAD, 100)
        self.flash: Contract = self.chain.deploy("FlashLiquidator", self.router.address)
        desk.send("admin", "setFlashLoanFee", FEE)

    def job(self, amount: int = MAX, least: int = 0) -> tuple[Any, ...]:
        desk = self.desk
        pair = (desk.asset("ETH"), desk.asset("USD"))
        return (desk.market.address, me("borrower"), *pair, amount, least)

    def send(self, function: str, *args: Any) -> dict[str, Any]:
        receipt = self.chain.send(me("poor"), self.flash, function, *args)
        (event,) = self.flash.events(receipt.logs, "FlashLiquidation")
        (trade,) = self.router.events(receipt.logs, "ForcedTrade")
        assert (trade["origin"], trade["account"]) == (self.desk.market.address, me("borrower"))
        assert (trade["amountIn"], trade["amountOut"]) == (event["seized"], event["proceeds"])
        assert event["liquidator"] == me("poor")
        gained = event["proceeds"] - event["repaid"] - event["fee"]
        assert self.desk.balance("poor", "USD") == gained > 0
        self.assert_nothing_left()
        return event

    def assert_nothing_left(self) -> None:
        desk = self.desk
        spenders = [desk.market, self.router, self.pool, self.other, self.reverse]
        if desk.module:
            spenders.append(desk.module)
        for token in (*desk.tokens.values(), self.dai):
            assert self.chain.balance(token, self.flash) == 0
            for spender in spenders:
                args = (self.flash.address, spender.address)
                assert self.chain.read(token, "allowance", *args) == 0
        assert desk.read("scaledPosition", self.flash.address) in ([0, 0], (0, 0))
        assert desk.problems() == {}


@pytest.fixture
def street(desk: Desk) -> Street:
    desk.open()
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    return Street(desk)


@pytest.mark.parametrize("amount", [MAX, 3_000 * WAD])
def test_by_a_loan_of_the_market(street: Street, amount: int) -> None:
    event = street.send("liquidateByLoan", street.job(amount))
    repaid = min(amount, 15_000 * WAD)
    assert event["repaid"] == repaid
    assert event["fee"] == repaid * FEE // PIPS
    assert event["lender"] == street.desk.market.address
    assert street.desk.books("USD").reserves == event["fee"]


@pytest.mark.parametrize("place", ["other", "reverse"])
def test_by_a_flash_swap(street: Street, place: str) -> None:
    pool = getattr(street, place)
    pips = 3_000 if place == "other" else 100
    event = street.send("liquidateBySwap", street.job(), pool.address)
    assert event["repaid"] == 15_000 * WAD
    assert event["fee"] == -(-15_000 * WAD * PIPS // (PIPS - pips)) - 15_000 * WAD


def test_not_by_the_pool_the_collateral_is_sold_in(street: Street) -> None:
    with street.chain.reverts("Locked"):
        street.send("liquidateBySwap", street.job(), street.pool.address)
    lp = street.chain.pool(street.dai, street.desk.tokens["ETH"], WAD, WAD)
    with street.chain.reverts("NotInPool", street.usd):
        street.send("liquidateBySwap", street.job(), lp.address)


def test_unprofitable_is_undone(street: Street) -> None:
    out = street.chain.read(
        street.pool, "getAmountOut", street.desk.asset("ETH"), 15_750 * WAD // 1_700
    )
    gain = out - 15_000 * WAD - 15_000 * WAD * FEE // PIPS
    with street.chain.reverts("Unprofitable", out, out + 1):
        street.send("liquidateByLoan", street.job(MAX, gain + 1))
    street.assert_nothing_left()
    street.send("liquidateByLoan", street.job(MAX, gain))


def test_with_the_growing_discount(desk: Desk) -> None:
    shop = Shop(desk)
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    street = Street(desk)
    quoted = shop.chain.read(
        shop.module, "quote", me("borrower"), desk.asset("ETH"), desk.asset("USD"), MAX
    )
    event = street.send("liquidateByLoan", street.job())
    assert (event["repaid"], event["seized"]) == tuple(quoted[:2])


def test_own_capital_liquidates_at_the_growing_discount_too(desk: Desk) -> None:
    Shop(desk)
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    street = Street(desk)
    executor = desk.chain.deploy("LiquidationExecutor", street.router.address)
    desk.purse("keeper", executor, amount=20_000)
    args = (desk.market.address, me("borrower"), desk.asset("ETH"), desk.asset("USD"), MAX, 1)
    receipt = desk.chain.send(me("keeper"), executor, "liquidate", *args)
    (event,) = executor.events(receipt.logs, "LiquidationExecuted")
    assert desk.balance("keeper", "USD") == 5_000 * WAD + event["proceeds"]
    assert desk.balance_of(executor.address, "USD") == 0
    assert desk.problems() == {}


def test_at_a_dutch_auction(desk: Desk) -> None:
    house = House(desk)
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    house.kick()
    street = Street(desk)
    with desk.chain.reverts("Unprofitable"):  # at 1.2 times the oracle's price
        street.send("buyAtAuction", house.auction.address, 1, MAX, MAX, 0)
    desk.chain.wait(60 * 22)
    event = street.send("buyAtAuction", house.auction.address, 1, 5 * WAD, 1_700 * RAY, 1)
    assert event["lender"] == house.auction.address
    assert event["seized"] == 5 * WAD
    assert event["fee"] == 0
    assert house.problems() == {}


def test_only_a_lender_that_was_asked_calls_back(street: Street) -> None:
    data = b"\x00" * 256
    for call in (
        ("onFlashLoan", street.flash.address, street.usd.address, 1, 0, data),
        ("onFlashSwap", street.flash.address, 1, 0, data),
        ("onAuctionTake", street.flash.address, 1, 1, data),
    ):
        with street.chain.reverts("NotLender", me("thief")):
            street.chain.send(me("thief"), street.flash, *call)
    # a real lender that somebody else asked
    args = (street.flash.address, street.usd.address, 1, data)
    with street.chain.reverts("NotLender", street.desk.market):
        street.desk.send("thief", "flashLoan", *args)
