"""Crises are drawn by seed and weighted; the same run meets the same crisis whatever is changed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.audit.draws import crisis, draws, overrides, stresses
from harness.errors import ScenarioError
from harness.risk.tail import expected_shortfall, value_at_risk
from harness.scenario import load_scenario, parse_scenario

MARKET = Path(__file__).parent / "market.toml"


def test_the_draws_have_the_distribution_that_is_stated():
    scenario = load_scenario(MARKET, ["audit.runs=2000"])
    (stress,) = stresses(scenario)
    found = draws(scenario, stress, 2000, 5)
    weights, moves = [d.weight for d in found], [d.move for d in found]
    assert sum(weights) == pytest.approx(1)
    mean = sum(w * m for w, m in zip(weights, moves, strict=True))
    # severities are spread evenly: an error of a step of the largest stratum, .9 in 500 runs
    assert mean == pytest.approx(0.15, abs=0.05 / 250)
    for level in (0.9, 0.99):
        quantile = 0.10 - 0.05 * math.log(1 - level)
        assert value_at_risk(moves, level, weights) == pytest.approx(quantile, abs=1e-3)
        # an exponential's mean excess over any quantile is its mean; the last of 800 even steps
        # of the tail may be cut short: .05 ln 800 / 800 and a little more
        shortfall = expected_shortfall(moves, level, weights)
        assert shortfall == pytest.approx(quantile + 0.05, abs=0.002)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95, 0.99, 0.999])
def test_no_stratum_takes_runs_for_a_probability_that_is_rounding(level):
    """At 0.9 the first of three strata would lie between 0 and 2e-16."""
    scenario = load_scenario(MARKET, [f"audit.level={level}"])
    (stress,) = stresses(scenario)
    found = draws(scenario, stress, 40, 0)
    assert min(draw.weight for draw in found) > 1e-5
    assert sum(draw.weight for draw in found) == pytest.approx(1)


def test_few_draws_are_among_many():
    scenario = load_scenario(MARKET)
    (stress,) = stresses(scenario)
    few, many = (draws(scenario, stress, count, 0) for count in (10, 40))
    assert {(d.seed, d.shocks) for d in few} < {(d.seed, d.shocks) for d in many}
    assert {d.stratum for d in few} == {0, 1, 2}


def test_overrides_make_the_crisis():
    scenario = load_scenario(MARKET, ["asset.ETH.price.shock=[{at_s=300, factor=0.99}]"])
    (stress,) = stresses(scenario)
    for draw in draws(scenario, stress, 10, 3):
        again = load_scenario(
            MARKET,
            ["asset.ETH.price.shock=[{at_s=300, factor=0.99}]", *overrides(scenario, draw)],
        )
        assert again == crisis(scenario, draw)
        assert len(again.asset("ETH").price.shocks) == 2


def test_by_default_crises_are_a_downturn_and_a_broken_correlation():
    text = MARKET.read_text("utf-8").split("[[audit.stress]]")[0]
    downturn, broken = stresses(parse_scenario(text))
    assert (downturn.kind, downturn.assets) == ("downturn", ("ETH",))
    assert (broken.kind, broken.assets) == ("broken-correlation", ("USDC",))
    scenario = parse_scenario(text)
    factors = {
        symbol: shock.factor
        for draw in draws(scenario, broken, 60, 0)
        for symbol, shock in draw.shocks
    }
    assert set(factors) == {"USDC"}
    (replayed,) = stresses(load_scenario("black-thursday"))
    assert replayed.kind == "as-is"


@pytest.mark.parametrize(
    ("stress", "message"),
    [
        ('{name="a", kind="downturn", assets=["BTC"]}', "assets = 'BTC': one of ETH, USDC"),
        ('{name="a", kind="downturn", ramp_s=[60, 0]}', "ramp_s[1] = 0: >= 60"),
        ('{name="a", kind="rally"}', "kind = 'rally': one of downturn"),
    ],
)
def test_a_crisis_that_cannot_be_is_refused(stress, message):
    with pytest.raises(ScenarioError) as caught:
        stresses(load_scenario(MARKET, [f"audit.stress=[{stress}]"]))
    assert message in str(caught.value)
