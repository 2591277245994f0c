"""Every parameter an audit moves: what the change does, and to whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.audit.bounds import bounds
from harness.audit.lever import Lever
from harness.audit.levers import levers
from harness.audit.perp_levers import open_interest
from harness.audit.pressure import factors, health_by_depth, relaxations, scale_depth
from harness.audit.ranges import SafeRange, candidate
from harness.audit.trials import Evaluator
from harness.risk.figures import run_record
from harness.run import set_up
from harness.scenario import PerpExchange, PooledLending, Scenario, Traders, load_scenario
from harness.traders import build_traders

ROOT = Path(__file__).parents[2]
MARKET = Path(__file__).parent / "market.toml"
PERP = ROOT / "scripts" / "audits" / "eth-perp.toml"


def by_kind(scenario: Scenario) -> dict[str, Lever]:
    return {lever.kind: lever for lever in levers(scenario, 0)}


def books(scenario: Scenario) -> tuple[float, float, float]:
    """Collateral and debt at the start in tokens, and the mean health factor on chain."""
    record = run_record(scenario, 0)
    health = record.collateral_usd * _threshold(scenario) / record.borrowed_usd
    return record.collateral_usd, record.borrowed_usd, health


def _threshold(scenario: Scenario) -> float:
    return scenario.venue_as(PooledLending, "market").asset("ETH").liquidation_threshold_bps / 1e4


def test_a_market_has_all_its_parameters():
    assert set(by_kind(load_scenario(MARKET))) == {
        *("ltv", "threshold", "bonus", "close-factor", "supply-cap", "borrow-cap"),
        *("heartbeat", "deviation"),
    }


def test_holders_keep_health_factors_when_the_threshold_moves():
    scenario = load_scenario(MARKET)
    _, debt, health = books(scenario)
    made = candidate(scenario, by_kind(scenario)["threshold"], 5000)
    listed = made.venue_as(PooledLending, "market").asset("ETH")
    assert (listed.liquidation_threshold_bps, listed.ltv_bps) == (5000, 4500)
    _, debt_after, health_after = books(made)
    assert debt_after == pytest.approx(debt)
    assert health_after == pytest.approx(health, rel=1e-6)


def test_holders_keep_their_use_when_the_ltv_moves():
    scenario = load_scenario(MARKET)
    collateral, debt, health = books(scenario)
    made = candidate(scenario, by_kind(scenario)["ltv"], 5000)
    collateral_after, debt_after, health_after = books(made)
    assert debt_after == pytest.approx(debt)
    assert health_after == pytest.approx(health * 6000 / 5000, rel=1e-6)
    assert collateral_after * 5000 == pytest.approx(collateral * 6000, rel=1e-6)


@pytest.mark.parametrize(("kind", "value"), [("supply-cap", 300.0), ("borrow-cap", 2e6)])
def test_the_market_is_filled_up_to_a_cap(kind, value):
    scenario = load_scenario(MARKET)
    lever = by_kind(scenario)[kind]
    collateral, debt, health = books(scenario)
    collateral_after, debt_after, health_after = books(candidate(scenario, lever, value))
    assert debt_after / debt == pytest.approx(value / lever.value, rel=1e-4)
    assert collateral_after / collateral == pytest.approx(value / lever.value, rel=1e-4)
    assert health_after == pytest.approx(health, rel=1e-6)
    if kind == "borrow-cap":
        assert debt_after == pytest.approx(value, rel=1e-4)


def test_every_parameter_can_be_set_at_both_ends():
    for scenario in (load_scenario(MARKET), load_scenario(PERP)):
        for lever in levers(scenario, 0):
            for share in (0.0, 0.5, 1.0):
                set_up(candidate(scenario, lever, lever.at(share)), 0)
            assert lever.low <= lever.value <= lever.high


def test_traders_keep_the_share_of_leverage_when_margins_move():
    scenario = load_scenario(PERP)
    made = candidate(scenario, by_kind(scenario)["initial-margin"], 1000)
    market = made.venue_as(PerpExchange, "perps").market("ETH")
    assert [(t.initial_bps, t.call_bps, t.maintenance_bps) for t in market.tiers] == [
        (1000, 700, 500)
    ] * 2
    before, after = (
        next(p for p in s.populations if isinstance(p, Traders)).leverage for s in (scenario, made)
    )
    assert after.median == before.median / 2
    assert open_interest(made, 0)["perps", "ETH"] == pytest.approx(
        open_interest(scenario, 0)["perps", "ETH"] / 2, rel=1e-6
    )


def test_open_interest_is_what_traders_open():
    scenario = load_scenario(PERP)
    lever = by_kind(scenario)["open-interest"]
    made = candidate(scenario, lever, lever.value * 2)
    assert open_interest(made, 0)["perps", "ETH"] == pytest.approx(lever.value * 2, rel=1e-5)
    prices = {"ETH": 2000 * 10**8, "USDC": 10**8}
    longs = sum(
        size
        for trader in build_traders(scenario, 0, prices)["perps"]
        for each in trader.accounts
        for _, size in each.positions
        if size > 0
    )
    assert lever.value == pytest.approx(longs / 1e18, rel=1e-5)


def test_a_record_of_an_exchange_holds_vault_fund_and_traders():
    scenario = load_scenario(PERP, ["clock.blocks=3"])
    found = run_record(scenario, 0)
    # the vault's equity moves a little with the fees and skew of opening
    assert found.supplied_usd == pytest.approx(20_500_000, rel=1e-3)
    assert found.collateral_usd == pytest.approx(14_000_000, rel=1e-2)
    assert 1 < found.borrowed_usd / found.collateral_usd < 18
    # twenty times leverage is allowed at the initial margin of 5%
    assert found.allowed_usd / found.collateral_usd == pytest.approx(20, rel=0.02)


def test_the_three_rules_stand_beside_the_open_interest():
    scenario = load_scenario(PERP)
    lever = by_kind(scenario)["open-interest"]
    found = bounds(scenario, 0, [SafeRange(lever, (), True, lever.low, lever.value, True, False)])
    assert len(found) == 3
    least = min(found, key=lambda bound: bound.closed_form)
    assert "(the least)" in least.form
    for bound in found:
        assert bound.difference == pytest.approx(lever.value / bound.closed_form - 1)


def test_relaxing_depth_scales_pools_and_the_market_outside():
    scenario = load_scenario(PERP)
    made = scale_depth(scenario, 3.0)
    external = made.asset("ETH").external
    assert external is not None
    assert external.depth_2pct_usd == pytest.approx(3 * 18_400_000)
    assert made.asset("USDC") == scenario.asset("USDC")
    assert {factor.name for factor in factors(scenario)} >= {
        "open interest of ETH",
        "insurance fund",
        "depth",
        "health factors",
    }


def test_maps_and_relaxations_need_what_they_say():
    scenario = load_scenario(MARKET)
    evaluator = Evaluator(None, None)
    assert relaxations(scenario, (), evaluator)[0].share is None  # no draws, nothing known
    assert len(health_by_depth(scenario, (), evaluator)) == len(scenario.audit.health)
    assert evaluator.runs == 0


def test_parameters_of_several_markets_are_told_apart():
    """Five venues with CRV as collateral, and three close factors."""
    scenario = load_scenario("five-venue-founder")
    found = levers(scenario, 0)
    assert len({lever.name for lever in found}) == len(found)
    assert {"LTV of CRV in llama", "close factor in small", "LLTV of silo"} <= {
        lever.name for lever in found
    }
    moved = factors(scenario)
    assert len({factor.name for factor in moved}) == len(moved)
