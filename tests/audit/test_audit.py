"""The audit finds a planted unsafe parameter, and what it suggests passes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.audit.draws import crisis
from harness.audit.result import AuditResult
from harness.audit.verdict import audit
from harness.risk.tail import expected_shortfall
from harness.run import run
from harness.scenario import load_scenario

pytestmark = pytest.mark.slow  # hundreds of runs

MARKET = Path(__file__).parent / "market.toml"
UNSAFE = "venue.market.asset.ETH.liquidation_bonus_bps=4000"


@pytest.fixture(scope="module")
def safe() -> AuditResult:
    return audit(load_scenario(MARKET))


@pytest.fixture(scope="module")
def unsafe() -> AuditResult:
    return audit(load_scenario(MARKET, [UNSAFE]))


def test_a_market_within_the_appetite_passes(safe):
    assert safe.verdict == "pass"
    assert safe.suggestion is None
    assert sum(each.evaluation.liquidations for each in safe.classes) > 0
    assert all(found.present_passes for found in safe.ranges)
    for found in safe.ranges:
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.lever.value <= found.high


def test_expected_shortfall_is_that_of_the_trials(safe):
    for each in safe.as_json()["classes"]:
        losses = [trial["insolvency_usd"] for trial in each["trials"]]
        weights = [trial["weight"] for trial in each["trials"]]
        tails = {t["level"]: t["expected_shortfall_usd"][0] for t in each["figures"]["tails"]}
        for level, told in tails.items():
            assert told == pytest.approx(expected_shortfall(losses, level, weights))


def test_a_planted_unsafe_bonus_is_found_and_the_change_passes(unsafe):
    assert unsafe.verdict == "fail"
    found = unsafe.suggestion
    assert found is not None
    assert found.passes
    (bonus,) = [r for r in unsafe.ranges if r.lever.kind == "bonus"]
    assert not bonus.present_passes
    assert bonus.high is not None
    assert bonus.high < 4000
    # the planted parameter is what needs the smallest change or a change of it passes too
    changed = f"venue.market.asset.ETH.liquidation_bonus_bps={int(bonus.high)}"
    again = load_scenario(MARKET, [changed])
    for each in audit(again).classes:
        assert each.evaluation.passes


def test_the_cap_that_passes_is_rerun_too(unsafe):
    assert unsafe.cap is not None
    assert unsafe.cap.lever.kind in ("supply-cap", "borrow-cap")
    assert unsafe.cap.value < unsafe.cap.lever.value
    assert unsafe.cap.passes
    (found,) = unsafe.cap.classes
    before, after = unsafe.classes[0].evaluation.figures, found.evaluation.figures
    assert before is not None
    assert after is not None
    assert after.borrowed_usd < before.borrowed_usd


def test_the_suggestion_is_rerun_by_the_scenario_it_comes_with(unsafe):
    assert unsafe.suggestion is not None
    for each in unsafe.suggestion.classes:
        draw, made = each.evaluation.draws[-1], each.evaluation.records[-1]
        again = run(crisis(unsafe.suggestion.scenario, draw), draw.seed)
        assert again.summary["digest"] == made.digest
        assert again.summary["solvency"]["insolvency_usd"] == made.insolvency_usd


def test_a_worst_run_is_repeated_by_its_command(unsafe):
    worst = unsafe.worst[0]
    assert worst.insolvency_usd > 0
    again = run(load_scenario(MARKET, [UNSAFE, *worst.overrides]), worst.seed)
    assert again.summary["digest"] == worst.digest
    assert again.summary["solvency"]["insolvency_usd"] == worst.insolvency_usd


def test_worse_health_and_less_depth_are_not_better(unsafe):
    (weak, _), (normal_thin, normal) = unsafe.health_by_depth
    assert weak is not None
    assert normal is not None
    assert normal_thin is not None
    assert weak >= normal_thin
    assert unsafe.relaxations[0].share == pytest.approx(normal)


def test_closed_forms_stand_beside_the_bounds(safe):
    forms = {bound.form: bound for bound in safe.bounds}
    toxic = forms["toxic bound, 1/(1+b)"]
    assert toxic.closed_form == pytest.approx(10_000 / 1.05)
    jump = next(bound for bound in safe.bounds if "loss frontier" in bound.form)
    # a crisis at 99% is a log fall of .1 + .05 ln 100
    assert jump.closed_form == pytest.approx(10_000 * 0.9048374 * 0.01**0.05 / 1.05, rel=1e-6)
    assert jump.simulated is not None
    assert jump.difference == pytest.approx(jump.simulated / jump.closed_form - 1)


def test_crises_too_mild_to_liquidate_prove_nothing():
    mild = '[{name="mild", kind="downturn", threshold=0.001, mean_excess=0.001}]'
    found = audit(load_scenario(MARKET, [f"audit.stress={mild}"]))
    assert found.verdict == "vacuous"


def test_the_same_audit_gives_the_same_object(safe):
    again = audit(load_scenario(MARKET))
    assert json.dumps(again.as_json(), allow_nan=False) == json.dumps(safe.as_json())
