"""A protocol team's own tests: nothing here but this file and the installed package."""

import pytest

from harness.errors import Reverted
from harness.testing.assertions import assert_contained, assert_no_bad_debt, assert_solvent


@pytest.mark.harness("calm", seeds=[1, 2], set=["clock.blocks=20"])
def test_quiet_days_leave_no_bad_debt(result):
    assert_no_bad_debt(result)


@pytest.mark.harness(
    "calm",
    shocks=[{"ETH": 0.75}, {"ETH": 0.7}],
    set=[
        "clock.blocks=60",
        "expect=liquidations",
        "population.borrowers.health={excess_median=0.2, excess_sigma=0.6, min=1.05, max=3}",
    ],
)
def test_a_sudden_fall_costs_suppliers_less_than_half_a_percent(result):
    assert result.summary["liquidations"]["count"] > 0
    assert_solvent(result, within_bps=50)
    assert_contained(result, between=["aave"])


def test_collateral_in_use_cannot_be_withdrawn(market):
    market.supply("bank", "USDC", 50_000 * 10**6)
    market.supply("alice", "ETH", 10 * 10**18)
    market.borrow("alice", "USDC", 15_000 * 10**6)
    with pytest.raises(Reverted, match="Unhealthy"):
        market.withdraw("alice", "ETH")
    market.price("ETH", 1_500)
    assert market.health("alice") < 1
    assert market.liquidate("alice", "ETH", "USDC").status
