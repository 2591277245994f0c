"""Risk figures of real runs, and of records whose figures are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.risk.figures import RunRecord, record, risk_figures, run_record
from harness.run import run
from harness.scenario import load_scenario

CRASH = Path(__file__).parents[1] / "cli" / "crash.toml"

PLAIN = RunRecord(
    seed=0,
    digest="0x",
    insolvency_usd=0.0,
    insured_usd=0.0,
    bad_debt_usd=0.0,
    liquidated_usd=0.0,
    liquidations=0,
    supplied_usd=1_000_000.0,
    collateral_usd=500_000.0,
    borrowed_usd=300_000.0,
    allowed_usd=400_000.0,
    interest_usd_per_day=100.0,
    violated=(),
)


def test_figures_of_known_records():
    losses = [0.0] * 90 + [50.0] * 5 + [10_000.0 * i for i in range(1, 6)]
    records = [
        replace(PLAIN, insolvency_usd=loss, liquidated_usd=float(i))
        for i, loss in enumerate(losses)
    ]
    found = risk_figures(records)
    assert found.mean_insolvency_usd == pytest.approx((5 * 50 + 150_000) / 100)
    assert found.at(0.95).expected_shortfall.value == pytest.approx(30_000)
    assert found.at(0.95).value_at_risk.value == 50
    assert found.at(0.95).runs == 5
    assert found.at(0.99).expected_shortfall.value == pytest.approx(50_000)
    assert found.at(0.99).runs == 1
    # 1 bp of what is supplied is 100: the five of 50 are not insolvent
    assert found.probability_of_insolvency.value == pytest.approx(0.05)
    assert found.loss_given_insolvency_usd == pytest.approx(30_000)
    assert found.liquidations_at_risk_usd == 94
    assert found.interest_days == pytest.approx(500)
    assert found.borrow_usage == pytest.approx(0.75)
    assert found.capital_efficiency == pytest.approx(0.6)


def test_weights_are_probabilities():
    records = [PLAIN, replace(PLAIN, insolvency_usd=1000.0)]
    found = risk_figures(records, (0.9,), weights=[0.95, 0.05])
    assert found.mean_insolvency_usd == pytest.approx(50)
    assert found.at(0.9).expected_shortfall.value == pytest.approx(500)
    assert found.probability_of_insolvency.value == pytest.approx(0.05)


def test_a_record_holds_the_books_of_the_chain_at_the_start():
    scenario = load_scenario(CRASH, ["asset.ETH.price.shock=[{at_s=60,factor=0.6}]"])
    result = run(scenario, 1)
    found = run_record(scenario, 1)
    assert found == record(scenario, 1, result.world, result.run)
    assert found.digest == result.summary["digest"]
    assert found.liquidations > 0
    assert found.insolvency_usd == result.summary["solvency"]["insolvency_usd"] > 0
    # the scenario opens 4 million of debt against 6 million supplied; sizes are cut to base units
    assert found.borrowed_usd == pytest.approx(4_000_000, abs=1)
    assert found.supplied_usd == pytest.approx(6_000_000 + found.collateral_usd, rel=1e-9)
    assert found.allowed_usd == pytest.approx(0.8 * found.collateral_usd, rel=1e-9)
    assert found.violated == ()


def test_interest_a_day_is_what_the_market_charges():
    scenario = load_scenario(
        "calm", ["clock.blocks=25", "clock.seconds_per_block=3600", "asset.ETH.price.sigma=0"]
    )
    result = run(scenario, 3)
    place = result.world.venues["aave"].assets.index("DAI")
    first, last = (result.run.blocks[i].venues["aave"].states[place] for i in (0, -1))
    seconds = result.run.blocks[-1].timestamp - result.run.blocks[0].timestamp
    charged = first.total_debt * (last.borrow_index - first.borrow_index) / first.borrow_index
    a_day = charged / 10**18 * 86_400 / seconds
    # the rate follows utilisation, which interest moves by less than a part in a thousand a day
    assert record(scenario, 3, result.world, result.run).interest_usd_per_day == pytest.approx(
        a_day, rel=2e-3
    )
    assert a_day > 0
