"""Absorption and stability pools in scenarios: who pays at once, who is paid back, who carries."""

from __future__ import annotations

import dataclasses

import pytest

from harness.agents import backstops
from harness.errors import ScenarioError
from harness.scenario import (
    AbsorbAndSell,
    Bid,
    Buyer,
    Depositor,
    GrowingDiscount,
    PoolSpotFeed,
    StabilityDeposits,
    Trigger,
    load_scenario,
)
from harness.setup import Setup

WAD = 10**18
USDX = 10**6
FREE = Bid(base_gwei=0)

ABSORPTION = AbsorbAndSell("USDX", liquidation_factor_bps=9300, store_front_bps=6000)
POOL = StabilityDeposits("ETH", "USDX", keeper_share_bps=50)


def trigger(**changes) -> Trigger:
    made = Trigger("trigger", "market", max_transactions=1000, bid=FREE, fee_deposit=1e6)
    return dataclasses.replace(made, **changes)


def buyer(**changes) -> Buyer:
    made = Buyer(
        "buyer", "market", (("USDX", 1e9),), max_transactions=1000, bid=FREE, fee_deposit=1e6
    )
    return dataclasses.replace(made, **changes)


def depositor(**changes) -> Depositor:
    made = Depositor("depositor", "market", 5000.0, count=2, bid=FREE, fee_deposit=1e6)
    return dataclasses.replace(made, **changes)


def backstop(small, design, *agents, low=860.0, **changes):
    """An account that owes 7,000 against 10 ETH, which fall to ``low``; the pool follows, and the
    feed is what it says: the outside market does not move under arbitrage."""
    return small.scenario(
        **{
            "blocks": 60,
            "prices": ((0, 1000.0), (4, low)),
            "positions": [(10.0, 7000.0)],
            "market": {"liquidation": design},
            "agents": (*agents, small.arbitrageur()),
            "expect": "liquidations",
            **changes,
        }
    )


def holds(result) -> bool:
    return all(result.summary["checks"]["invariants"].values())


def test_an_absorbed_account_is_credited_and_its_collateral_sold_at_the_ask_price(small) -> None:
    """8,600 x 93% less 7,000 is 998 for the account; buyers pay 860 x (1 - .6 x .07) an ETH."""
    result = small.run(backstop(small, ABSORPTION, trigger(), buyer()), 1)
    (row,) = result.run.liquidations
    assert holds(result)
    # feeds follow what arbitrage does to the outside price: a few millionths
    assert row.taken_usd / WAD == pytest.approx(8600, rel=1e-5)
    assert row.relieved_usd / WAD == pytest.approx(7998, rel=1e-5)
    assert row.seized == 10 * WAD
    assert row.repaid / USDX == pytest.approx(860 * 10 * (1 - 0.6 * 0.07), rel=1e-5)
    assert row.proceeds > row.repaid
    assert sum(sale.paid for sale in result.run.sales) == row.repaid
    assert all(sale.trade for sale in result.run.sales)
    # what the sale brought beyond debt and credit is in the reserves
    books = result.run.blocks[-1].venues["market"].states[1]
    assert books.reserves / USDX == pytest.approx(8238.8 - 7998, rel=1e-2)
    assert result.summary["solvency"]["insolvency_usd"] == 0


def test_collateral_is_sold_at_the_price_then_in_force_though_a_spot_moves_within_a_block(small):
    """Three buyers, one after the other, sell what they buy into the pool whose spot the market
    reads; arbitrage has the price up again before the block ends."""
    scenario = backstop(
        small,
        ABSORPTION,
        trigger(),
        buyer(count=3, bid=Bid(base_gwei=9)),
        positions=[(10.0, 7000.0 - 100 * i) for i in range(6)],
        feed=PoolSpotFeed("pool"),
        pool_base=200.0,
    )
    result = small.run(scenario, 1)
    assert len(result.run.sales) > len({sale.block for sale in result.run.sales})
    assert holds(result), result.run.violations


def test_reserves_carry_what_absorbed_collateral_does_not_bring(small) -> None:
    """At $600 ten ETH bring 600 x .958 each: 1,252 short, of which reserves of 1,000 pay theirs."""
    design = dataclasses.replace(ABSORPTION, reserves=1000.0)
    result = small.run(backstop(small, design, trigger(), buyer(), low=600.0), 1)
    (bad,) = result.run.bad_debts
    missing = 7000 - 600 * 0.958 * 10
    assert bad.amount / USDX == pytest.approx(missing, rel=1e-4)
    venue = result.summary["solvency"]["by_venue"]["market"]
    assert venue["insolvency_usd"] == pytest.approx(missing, rel=1e-4)
    assert venue["carried_by_reserves_usd"] == pytest.approx(1000, rel=1e-6)
    assert venue["carried_by_suppliers_usd"] == pytest.approx(missing - 1000, rel=1e-3)
    assert holds(result)


def test_absorbed_debt_is_a_shortfall_while_nobody_buys(small) -> None:
    result = small.run(backstop(small, ABSORPTION, trigger(), low=600.0), 1)
    assert result.summary["solvency"]["insolvency_usd"] == pytest.approx(1000, rel=1e-4)
    assert result.run.blocks[-1].venues["market"].unhealthy == 0


def test_depositors_pay_the_debt_and_sell_the_collateral(small) -> None:
    """Two deposits of 5,000 pay 7,000 and get 9.95 ETH, half a percent going to the keeper."""
    result = small.run(backstop(small, POOL, trigger(), depositor()), 1)
    (row,) = result.run.liquidations
    assert row.repaid == 7_000 * USDX
    assert row.seized == 10 * WAD
    assert row.reward_usd / WAD == pytest.approx(0.05 * 860, rel=1e-5)
    assert row.depositors_usd / WAD == pytest.approx(7000 - 9.95 * 860, rel=1e-4)
    assert row.borrowers_usd == 0
    # both sell, which brings what two sales of 4.975 bring
    assert [sale.bought for sale in result.run.sales] == [pytest.approx(4.975 * WAD)] * 2
    assert row.proceeds / USDX == pytest.approx(9.95 * 860, rel=1e-3)
    assert {trade.id for trade in result.run.trades} == {s.trade for s in result.run.sales}
    venue = result.summary["solvency"]["by_venue"]["market"]
    assert venue["carried_by_depositors_usd"] == row.depositors_usd / WAD
    assert holds(result)


def test_what_deposits_do_not_cover_is_spread_over_other_borrowers(small) -> None:
    """Deposits of 1,500 cover 3,000 of 7,000; the other account gets 4,000 of debt with 4/7 of the
    collateral, worth more than that."""
    scenario = backstop(
        small,
        POOL,
        trigger(),
        depositor(deposit=1500.0),
        positions=[(10.0, 7000.0), (30.0, 9000.0)],
    )
    result = small.run(scenario, 1)
    (row,) = result.run.liquidations
    assert row.repaid == 3_000 * USDX
    spread = 9.95 * 4 / 7
    assert row.borrowers_usd / WAD == pytest.approx(4000 - spread * 860, rel=1e-4)
    closing = result.run.closing["market"].words(1)
    assert (closing[0] >> 128) / WAD == pytest.approx(30 + spread)
    assert (closing[1] & ((1 << 128) - 1)) == 13_000 * USDX
    assert holds(result)


@pytest.mark.parametrize(
    ("design", "contract", "mutant", "identifier", "low"),
    [
        (ABSORPTION, "Absorption", "AbsorptionCreditsAll", "ABS-2", 860.0),
        (
            dataclasses.replace(ABSORPTION, target_reserves=0.0),
            "Absorption",
            "AbsorptionSellsAlways",
            "ABS-1",
            860.0,
        ),
        (POOL, "StabilityPool", "StabilityPoolForgetsLoss", "STP-1", 860.0),
        (POOL, "StabilityPool", "StabilityPoolKeepsDebt", "STP-2", 860.0),
        (GrowingDiscount(500), "DiscountLiquidation", "DiscountWithoutCap", "DIS-1", 720.0),
    ],
)
def test_a_planted_bug_is_found_while_the_scenario_runs(
    small, monkeypatch, design, contract, mutant, identifier, low
) -> None:
    deploy = Setup.deploy

    def planted(self, name, *args, **options):
        return deploy(self, mutant if name == contract else name, *args, **options)

    monkeypatch.setattr(Setup, "deploy", planted)
    # who comes second takes what the first has left
    monkeypatch.setattr(backstops, "_SLIPPAGE_BPS", 10_000)
    agents = {
        "ABS": (trigger(), buyer(capital=(("USDX", 8000.0),), count=2)),
        "STP": (trigger(), depositor(deposit=5000.0 if identifier == "STP-1" else 1500.0)),
        "DIS": (small.liquidator(),),
    }[identifier[:3]]
    positions = [(10.0, 7000.0), (30.0, 9000.0)]
    result = small.run(backstop(small, design, *agents, positions=positions, low=low), 1)
    assert not result.summary["checks"]["invariants"][identifier]
    assert any(identifier in line for line in result.summary["warnings"])


def test_fields_that_contradict_each_other_are_refused() -> None:
    def refused(kind: str, match: str) -> None:
        with pytest.raises(ScenarioError, match=match):
            load_scenario("calm", [f"venue.aave.liquidation={kind}"])

    refused("{kind='absorption'}", r"liquidation.base = None: required")
    refused("{kind='absorption', base='GOLD'}", r"base = 'GOLD': listed in aave: one of")
    refused("{kind='absorption', base='ETH'}", r"base = 'ETH': an asset that is no collateral")
    refused("{kind='stability-pool', collateral='ETH', debt='ETH'}", r"debt = 'ETH': not the")
    refused("{kind='stability-pool', collateral='ETH', debt='DAI'}", r"not by stability-pool")
