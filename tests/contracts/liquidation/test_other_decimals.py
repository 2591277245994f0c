"""Every design with a collateral of 8 decimals, a debt of 6, and interest: prices, books, LIQ-1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.accounts import account
from harness.contracts import Contract
from harness.testing.invariants import wrong_liquidation

from .conftest import PRICE, RAY, WAD, Desk

BTC, USDC = 10**8, 10**6
MAX = (1 << 256) - 1


def me(name: str) -> bytes:
    return account(name).address


class Floor:
    """2 BTC against $60,000 at $34,000, and the module that `build` deploys."""

    def __init__(self, desk: Desk, build: Callable[[Desk, bytes, bytes], Contract]) -> None:
        self.desk, self.chain = desk, desk.chain
        btc, usdc = self.chain.token("BTC", 8), self.chain.token("USDC", 6)
        self.module = build(desk, btc.address, usdc.address)
        self.chain.send(desk.admin, desk.market, "setLiquidationModule", self.module.address)
        desk.everyone.append(self.module.address)
        terms: dict[str, Any] = {"base_rate": RAY // 10, "reserve_factor": 1_000}
        desk.list("BTC", 40_000 * PRICE, token=btc, **terms)
        desk.list("USDC", PRICE, token=usdc, **terms)
        desk.supply("supplier", "USDC", 10**6 * USDC)
        desk.supply("supplier", "BTC", 5 * BTC)
        desk.supply("borrower", "BTC", 2 * BTC)
        desk.borrow("borrower", "USDC", 60_000 * USDC)
        desk.supply("short", "USDC", 10**5 * USDC)
        desk.borrow("short", "BTC", BTC)  # so that claims in BTC earn interest too
        desk.everyone += [me("short"), me("buyer")]
        self.chain.wait(30 * 24 * 3_600)
        desk.price("BTC", 34_000 * PRICE)
        self.chain.mint(usdc, me("buyer"), 10**9 * USDC)
        self.chain.approve(me("buyer"), usdc, self.module)

    def send(self, who: str, contract: Contract, function: str, *args: Any) -> Any:
        """A call, after which the books balance and whoever was liquidated was unhealthy."""
        receipt = self.chain.send(me(who), contract, function, *args)
        for event in self.desk.market.events(receipt.logs, "Confiscate"):
            problem = wrong_liquidation(
                position_before=event["positionBefore"],
                prices=event["prices"],
                health_factor_before=event["healthFactorBefore"],
                units=[BTC, USDC],
                threshold_bps=[8_500, 8_500],
            )
            assert problem is None
        assert self.desk.problems() == {}
        return receipt

    @property
    def pair(self) -> tuple[bytes, bytes]:
        return self.desk.asset("BTC"), self.desk.asset("USDC")

    def assert_module_empty(self) -> None:
        assert self.desk.held(self.module, "BTC") == (0, 0)
        assert self.desk.held(self.module, "USDC") == (0, 0)


def test_dutch_auction(desk: Desk) -> None:
    def build(desk: Desk, btc: bytes, usdc: bytes) -> Contract:
        curve = desk.chain.deploy("StairstepExponentialDecrease", 60, RAY // 100)
        config = (12 * RAY // 10, 5_400, 4 * RAY // 10, WAD // 1_000, 300 * WAD)
        auction: Contract = desk.chain.deploy(
            "DutchAuction", desk.admin, desk.market.address, curve.address, config
        )
        args = (desk.admin, auction.address, 10**7 * WAD, 1_000 * WAD)
        trigger = desk.chain.deploy("LiquidationTrigger", *args)
        desk.chain.send(desk.admin, auction, "setTrigger", trigger.address)
        desk.chain.send(desk.admin, trigger, "setLimits", btc, 10**7 * WAD, 11_300)
        built.append(trigger)
        return auction

    built: list[Contract] = []
    floor = Floor(desk, build)
    (trigger,) = built
    receipt = floor.send("keeper", trigger, "trigger", me("borrower"), *floor.pair, me("keeper"))
    (kick,) = floor.module.events(receipt.logs, "Kick")
    # USDC units per satoshi, Ray: $40,800 is 408 units a satoshi
    assert kick["topRay"] == 408 * RAY
    assert kick["incentive"] == 300 * USDC + kick["tab"] // 1_000
    debt = kick["tab"] * 10_000 // 11_300
    assert abs(debt - 60_000 * USDC * (1 + 0.1 * 30 / 365)) < 10 * USDC
    receipt = floor.send("buyer", floor.module, "take", 1, BTC // 2, MAX, me("buyer"), False, b"")
    (take,) = floor.module.events(receipt.logs, "Take")
    assert (take["bought"], take["paid"]) == (BTC // 2, 20_400 * USDC)
    floor.chain.wait(20 * 60)
    floor.send("buyer", floor.module, "take", 1, MAX, MAX, me("buyer"), True, b"")
    floor.assert_module_empty()
    assert floor.chain.read(trigger, "dirtUsd") == 0


def test_english_auction(desk: Desk) -> None:
    def build(desk: Desk, btc: bytes, usdc: bytes) -> Contract:
        config = (103 * WAD // 100, 600, 6 * 3_600)
        auction: Contract = desk.chain.deploy(
            "EnglishAuction", desk.admin, desk.market.address, config
        )
        desk.chain.send(desk.admin, auction, "setTerms", btc, BTC, 11_300)
        return auction

    floor = Floor(desk, build)
    for number in (1, 2):
        floor.send("keeper", floor.module, "kick", me("borrower"), *floor.pair)
        floor.send("buyer", floor.module, "raiseBid", number, 29_000 * USDC)
    floor.chain.wait(600)
    receipt = floor.send("keeper", floor.module, "settle", 1, False)
    assert len(desk.market.events(receipt.logs, "BadDebt")) == 1
    floor.send("buyer", floor.module, "settle", 2, True)
    # what interest added to the lots meanwhile went back to the account
    assert desk.claims_of("borrower", "BTC") > 0
    assert desk.held(floor.module, "USDC") == (0, 0)
    assert desk.held(floor.module, "BTC") == (0, 0)
    assert desk.balance("buyer", "BTC") == BTC


def test_absorption(desk: Desk) -> None:
    def build(desk: Desk, btc: bytes, usdc: bytes) -> Contract:
        args = (desk.admin, desk.market.address, usdc, 10**6 * USDC, 6_000)
        module: Contract = desk.chain.deploy("Absorption", *args)
        desk.chain.send(desk.admin, module, "setLiquidationFactor", btc, 9_300)
        return module

    floor = Floor(desk, build)
    receipt = floor.send("keeper", floor.module, "absorb", [me("borrower")])
    (event,) = floor.module.events(receipt.logs, "Absorb")
    value = event["collateralUsd"]
    assert event["credited"] == value * 93 // 100 * USDC // WAD - event["debt"] > 0
    ask = 34_000 * (1 - 0.6 * 0.07)
    btc = floor.pair[0]
    floor.send("buyer", floor.module, "buyCollateral", btc, 0, 10_000 * USDC, me("buyer"), False)
    assert abs(desk.balance("buyer", "BTC") - 10_000 / ask * BTC) <= 1
    rest = floor.chain.read(floor.module, "collateralReserves", floor.pair[0])
    unit = floor.chain.read(floor.module, "askPriceWad", floor.pair[0])
    paid = -(-rest * unit * USDC // (WAD * BTC))
    floor.send("buyer", floor.module, "buyCollateral", btc, rest, paid, me("buyer"), True)
    floor.send("keeper", floor.module, "settle")
    floor.assert_module_empty()


def test_growing_discount(desk: Desk) -> None:
    def build(desk: Desk, btc: bytes, usdc: bytes) -> Contract:
        module: Contract = desk.chain.deploy("DiscountLiquidation", desk.market.address, WAD // 5)
        return module

    floor = Floor(desk, build)
    args = (me("borrower"), *floor.pair)
    receipt = floor.send(
        "buyer", floor.module, "liquidate", *args, 20_000 * USDC, 0, False, me("buyer")
    )
    (event,) = floor.module.events(receipt.logs, "DiscountedLiquidation")
    price = 34_000 * (1 - event["discountWad"] / WAD)
    assert abs(event["seized"] - 20_000 / price * BTC) <= 1
    floor.assert_module_empty()
    floor.send("buyer", floor.module, "liquidate", *args, MAX, 0, True, me("buyer"))
    floor.assert_module_empty()


def test_stability_pool(desk: Desk) -> None:
    def build(desk: Desk, btc: bytes, usdc: bytes) -> Contract:
        module: Contract = desk.chain.deploy("StabilityPool", desk.market.address, btc, usdc, 50)
        return module

    floor = Floor(desk, build)
    desk.everyone.append(me("carrier"))
    desk.supply("carrier", "BTC", 3 * BTC)
    desk.borrow("carrier", "USDC", 1_000 * USDC)
    floor.send("keeper", floor.module, "enroll", me("carrier"))
    floor.send("buyer", floor.module, "deposit", 20_000 * USDC)
    receipt = floor.send("keeper", floor.module, "liquidate", me("borrower"))
    (event,) = floor.module.events(receipt.logs, "Liquidated")
    assert (event["offset"], event["recipients"]) == (20_000 * USDC, 1)
    floor.send("buyer", floor.module, "withdraw", MAX)
    claims, debt = desk.held(floor.module, "BTC")
    assert debt == desk.held(floor.module, "USDC")[1] == 0
    assert claims * 10**6 <= event["gained"]  # what rounding kept back
    assert abs(desk.debt_of("carrier", "USDC") - 41_500 * USDC) < 100 * USDC


@pytest.mark.parametrize("kind", ["PooledMarket", "MarketLiquidatesHealthy"])
def test_a_market_that_gives_healthy_accounts_to_its_module_is_caught(
    make_desk: Any, kind: str
) -> None:
    desk = make_desk(kind)
    desk.chain.send(desk.admin, desk.market, "setLiquidationModule", me("module"))
    desk.open()
    who = desk.borrower()
    desk.price("ETH", 1_800 * PRICE)
    assert desk.health("borrower") == 102 * WAD // 100
    if kind == "PooledMarket":
        with desk.chain.reverts("Healthy"):
            desk.send("module", "confiscate", who, [])
        return
    receipt = desk.send("module", "confiscate", who, [])
    (event,) = desk.market.events(receipt.logs, "Confiscate")
    problem = wrong_liquidation(
        position_before=event["positionBefore"],
        prices=event["prices"],
        health_factor_before=event["healthFactorBefore"],
        units=[WAD, WAD],
        threshold_bps=[8_500, 8_500],
    )
    assert "health factor of 1.02" in (problem or "")
