"""Liquidation modules in scenarios: what counts, who pays, who carries the rest."""

from __future__ import annotations

from fractions import Fraction

import pytest

from harness.errors import ScenarioError
from harness.scenario import (
    GrowingDiscount,
    PooledLending,
    dump_scenario,
    load_scenario,
    parse_scenario,
)

WAD = 10**18


def test_a_discount_is_one_less_the_health_factor(small) -> None:
    """10 ETH against 7,000 USDX at $860 and a threshold of 80%: a health factor of 0.98286, so the
    debt buys 7,000 / 0.98286 dollars of ETH, to the base unit as the module rounds."""
    scenario = small.scenario(
        prices=((0, 1000.0), (4, 860.0)),
        positions=[(10.0, 7000.0)],
        market={"liquidation": GrowingDiscount()},
        agents=(small.liquidator(),),
        expect="liquidations",
    )
    result = small.run(scenario, 1)
    (row,) = result.run.liquidations
    health = 10 * 860 * Fraction(80, 100) / 7000
    assert row.health_factor == int(health * WAD)
    assert row.repaid == 7_000 * 10**6
    exact = 7_000 / health / 860 * WAD
    # the factor is rounded down at its 18th digit, which counts 8 in the last of 8.28 ETH
    assert abs(exact - row.seized) <= 9
    assert row.proceeds > row.repaid
    assert row.trade == result.run.trades[0].id
    assert row.taken_usd - row.relieved_usd == pytest.approx((7000 / health - 7000) * WAD, abs=1e13)
    assert all(result.summary["checks"]["invariants"].values())


def test_no_discount_is_above_its_cap(small) -> None:
    """At $600 the health factor is 0.6857: the discount stays at its cap of 5%."""
    scenario = small.scenario(
        prices=((0, 1000.0), (4, 800.0), (5, 720.0)),
        positions=[(10.0, 7000.0)],
        market={"liquidation": GrowingDiscount(max_discount_bps=500)},
        agents=(small.liquidator(latency_blocks=2),),
        expect="liquidations",
    )
    (row,) = small.run(scenario, 1).run.liquidations
    assert row.prices[0] == 720 * WAD
    # 10 ETH at $720 pay 6,840 at 5% off, less than the debt
    assert (row.seized, row.repaid) == (10 * WAD, 6_840 * 10**6)


def test_a_design_survives_its_file_and_refuses_what_it_cannot_use() -> None:
    scenario = load_scenario("calm", ["venue.aave.liquidation={kind='discount'}"])
    (market,) = scenario.venues_of(PooledLending)
    assert market.liquidation == GrowingDiscount(2000)
    assert parse_scenario(dump_scenario(scenario)) == scenario
    with pytest.raises(ScenarioError, match=r"max_discount_bps = 10000: an integer >= 1"):
        load_scenario("calm", ["venue.aave.liquidation={kind='discount', max_discount_bps=10000}"])
    with pytest.raises(ScenarioError, match=r"liquidation.kind = 'raffle': one of "):
        load_scenario("calm", ["venue.aave.liquidation={kind='raffle'}"])
