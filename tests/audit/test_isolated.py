"""An audit of an isolated market: its LLTV is what may change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.audit.feedback import feedback
from harness.audit.levers import levers
from harness.audit.ranges import candidate
from harness.audit.verdict import audit
from harness.audit.words import assumptions
from harness.errors import ScenarioError
from harness.population import build_population
from harness.prices import build_paths
from harness.scenario import IsolatedLending, Pool, Scenario, parse_scenario

MARKET = Path(__file__).parent / "market.toml"
POOLED = """kind = "pooled-lending"
name = "market"

[[venue.asset]]
symbol = "ETH"
ltv_bps = 6000
liquidation_threshold_bps = 6500
liquidation_bonus_bps = 500

[[venue.asset]]
symbol = "USDC"
supplied = 2_000_000
"""
ISOLATED = """kind = "isolated-lending"
name = "market"
collateral = "ETH"
debt = "USDC"
lltv_bps = {lltv}
supplied = 2_000_000
"""


def isolated(lltv: int, *changes: str) -> Scenario:
    """The small market as an isolated one."""
    text = MARKET.read_text("utf-8")
    assert POOLED in text
    text = text.replace(POOLED, ISOLATED.format(lltv=lltv))
    return parse_scenario(text, changes)


def test_its_parameters_are_the_lltv_and_the_feed() -> None:
    scenario = isolated(7700)
    found = {lever.kind: lever for lever in levers(scenario, 0)}
    assert set(found) == {"lltv", "heartbeat", "deviation"}
    assert found["lltv"].path == "venue.market.lltv_bps"
    changed = candidate(scenario, found["lltv"], 8600)
    (market,) = changed.venues_of(IsolatedLending)
    assert market.lltv_bps == 8600
    assert market.bonus < scenario.venues_of(IsolatedLending)[0].bonus
    for each in (scenario, changed):
        start = {symbol: int(path[0]) for symbol, path in build_paths(each, 0).items()}
        lltv = each.venues_of(IsolatedLending)[0].lltv_bps / 10_000
        health = [
            p.supplied[0][1] / 10**18 * start["ETH"] / 10**8 * lltv / (p.borrowed[0][1] / 10**6)
            for p in build_population(each, 0, start)
        ]
        if each is scenario:
            before = health
    assert health == pytest.approx(before, rel=1e-3)
    (told,) = feedback(scenario, 0)
    assert told.k == pytest.approx(0.77 * (1 + 0.0741), rel=1e-3)


@pytest.mark.slow
def test_a_tight_market_fails_and_a_lower_lltv_passes() -> None:
    unsafe = audit(isolated(9400, "audit.steps=1", "audit.health=[1.0]", "audit.depth=[1.0]"))
    assert unsafe.verdict == "fail"
    found = unsafe.suggestion
    assert found is not None
    assert found.lever.kind == "lltv"
    assert found.value < 9400
    assert found.passes
    assert any("isolated market" in text for text in assumptions(unsafe))


def test_what_is_no_market_is_refused_by_name() -> None:
    scenario = isolated(7700)
    with pytest.raises(ScenarioError, match="a lending venue with collateral"):
        audit(replace(scenario, venues=scenario.venues_of(Pool)))
