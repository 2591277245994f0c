"""What a market lets its liquidation module do, and nobody else; pause, grace and flash loans."""

from __future__ import annotations

from typing import Any

import pytest

from harness.accounts import account

from .conftest import PRICE, WAD, Desk

MAX = (1 << 256) - 1
DAY = 24 * 3_600


def me(name: str) -> bytes:
    return account(name).address


class Module:
    """An account that a market takes for its module, so that every call can be made one by one."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.address = me("module")
        desk.chain.send(desk.admin, desk.market, "setLiquidationModule", self.address)
        desk.everyone.append(self.address)
        desk.open()

    def call(self, function: str, *args: Any) -> Any:
        return self.desk.send("module", function, *args)


@pytest.fixture
def module(desk: Desk) -> Module:
    return Module(desk)


def words(eth: tuple[int, int] = (0, 0), usd: tuple[int, int] = (0, 0)) -> list[int]:
    return [claims << 128 | debt for claims, debt in (eth, usd)]


def test_a_module_takes_only_from_the_unhealthy(module: Module) -> None:
    desk = module.desk
    who = desk.borrower()
    half = words(eth=(5 * WAD, 0), usd=(0, 7_500 * WAD))
    health = desk.health("borrower")
    with desk.chain.reverts("Healthy", who, health):
        module.call("confiscate", who, half)
    desk.price("ETH", 1_700 * PRICE)
    receipt = module.call("confiscate", who, half)
    (event,) = desk.market.events(receipt.logs, "Confiscate")
    assert list(event["taken"]) == half
    assert list(event["positionBefore"]) == words(eth=(10 * WAD, 0), usd=(0, 15_000 * WAD))
    assert list(event["prices"]) == [1_700 * WAD, WAD]
    assert event["healthFactorBefore"] == 17_000 * 85 * WAD // 15_000 // 100
    assert desk.position("borrower") == {"ETH": (5 * WAD, 0), "USD": (0, 7_500 * WAD)}
    assert desk.position("module") == {"ETH": (5 * WAD, 0), "USD": (0, 7_500 * WAD)}
    assert desk.problems() == {}


def test_more_than_the_account_has_cannot_be_taken(module: Module) -> None:
    desk = module.desk
    who = desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    for taken in (words(eth=(10 * WAD + 1, 0)), words(usd=(0, 15_000 * WAD + 1))):
        with desk.chain.reverts("Panic"):
            module.call("confiscate", who, taken)


def test_debt_without_collateral_is_written_off_when_the_last_claim_is_taken(
    module: Module,
) -> None:
    desk = module.desk
    who = desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    taken = words(eth=(10 * WAD, 0), usd=(0, 14_000 * WAD))
    receipt = module.call("confiscate", who, taken)
    (bad,) = desk.market.events(receipt.logs, "BadDebt")
    assert (bad["account"], bad["assets"]) == (who, 1_000 * WAD)
    assert desk.books("USD").deficit == 1_000 * WAD
    assert desk.problems() == {}


def test_the_module_disposes_of_what_it_took(module: Module) -> None:
    desk = module.desk
    who = desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    module.call("confiscate", who, words(eth=(10 * WAD, 0), usd=(0, 15_000 * WAD)))
    # its account is under water, yet it may withdraw
    module.call("withdraw", desk.asset("ETH"), WAD, module.address, me("buyer"))
    assert desk.balance("buyer", "ETH") == WAD
    desk.fund("keeper", "USD", 1_400 * WAD)
    desk.repay("keeper", "USD", 1_400 * WAD, for_="module")
    module.call("draw", desk.asset("USD"), 100 * WAD, me("keeper"))
    assert desk.position("keeper")["USD"] == (100 * WAD, 0)
    assert desk.position("module")["USD"] == (0, 13_700 * WAD)
    module.call("assign", who, words(eth=(2 * WAD, 0)))
    assert desk.position("borrower")["ETH"] == (2 * WAD, 0)
    receipt = module.call("writeOff", who, desk.asset("USD"), 700 * WAD)
    (bad,) = desk.market.events(receipt.logs, "BadDebt")
    assert bad == {
        "account": who,
        "asset": desk.asset("USD"),
        "assets": 700 * WAD,
        "usdWad": 700 * WAD,
    }
    assert desk.books("USD").deficit == 700 * WAD
    assert desk.problems() == {}


@pytest.mark.parametrize("who", ["admin", "stranger"])
def test_nobody_else_does(module: Module, who: str) -> None:
    desk = module.desk
    usd = desk.asset("USD")
    for call in (
        ("confiscate", me("borrower"), []),
        ("assign", me(who), []),
        ("draw", usd, 1, me(who)),
        ("writeOff", me(who), usd, 1),
    ):
        with desk.chain.reverts("NotModule", me(who)):
            desk.send(who, *call)


def test_with_a_module_nobody_liquidates_directly(module: Module) -> None:
    desk = module.desk
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    with desk.chain.reverts("OnlyByModule", module.address):
        desk.liquidate("borrower", "ETH", "USD")


def test_the_module_is_chosen_before_the_first_asset(desk: Desk) -> None:
    with desk.chain.reverts("NotAdmin", me("stranger")):
        desk.send("stranger", "setLiquidationModule", me("module"))
    desk.send("admin", "setLiquidationModule", me("module"))
    desk.send("admin", "setLiquidationModule", bytes(20))
    desk.open()
    with desk.chain.reverts("ModuleFixed"):
        desk.send("admin", "setLiquidationModule", me("module"))
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    desk.liquidate("borrower", "ETH", "USD")


# --- pause and grace


def test_nothing_moves_while_paused_and_liquidation_waits_for_the_grace_period(
    desk: Desk,
) -> None:
    desk.open()
    who = desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    with desk.chain.reverts("NotAdmin", me("stranger")):
        desk.send("stranger", "setPaused", True, 0)
    desk.send("admin", "setPaused", True, 0)
    assert desk.read("paused")
    usd = desk.asset("USD")
    for call in (
        ("supply", usd, 1, who),
        ("withdraw", usd, 1, who, who),
        ("borrow", usd, 1, who, who),
        ("repay", usd, 1, who),
        ("liquidate", who, desk.asset("ETH"), usd, MAX, False, who),
        ("fundReserves", usd, 1),
        ("flashLoan", who, usd, 1, b""),
    ):
        with desk.chain.reverts("MarketPaused"):
            desk.send("borrower", *call)
    with desk.chain.reverts("LiquidationsClosed", MAX):
        desk.read("quoteLiquidation", who, desk.asset("ETH"), usd, MAX)
    with desk.chain.reverts("InvalidConfig"):
        desk.send("admin", "setPaused", False, DAY + 1)
    desk.send("admin", "setPaused", False, 3_600)
    opens = desk.chain.now + 3_600
    assert not desk.read("paused")
    with desk.chain.reverts("LiquidationsClosed", opens):
        desk.liquidate("borrower", "ETH", "USD")
    with desk.undone():  # the borrower can save itself meanwhile
        desk.fund("borrower", "USD", 2_000 * WAD)
        desk.repay("borrower", "USD", 2_000 * WAD)
        desk.chain.wait(3_600)
        with desk.chain.reverts("Healthy"):
            desk.liquidate("borrower", "ETH", "USD")
    desk.chain.wait(opens - desk.chain.now)
    desk.liquidate("borrower", "ETH", "USD")
    with desk.chain.reverts("NotPaused"):
        desk.send("admin", "setPaused", False, 0)


def test_the_grace_period_binds_the_module(module: Module) -> None:
    desk = module.desk
    who = desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    desk.send("admin", "setPaused", True, 0)
    with desk.chain.reverts("MarketPaused"):
        module.call("confiscate", who, [])
    desk.send("admin", "setPaused", False, 60)
    with desk.chain.reverts("LiquidationsClosed"):
        module.call("confiscate", who, [])
    desk.chain.wait(60)
    module.call("confiscate", who, [])


# --- reserves


def test_anyone_may_fund_the_reserves(desk: Desk) -> None:
    desk.open()
    desk.fund("donor", "USD", 5 * WAD)
    receipt = desk.send("donor", "fundReserves", desk.asset("USD"), 5 * WAD)
    (event,) = desk.market.events(receipt.logs, "ReservesFunded")
    assert (event["payer"], event["assets"]) == (me("donor"), 5 * WAD)
    assert desk.books("USD").reserves == 5 * WAD
    assert desk.problems() == {}
