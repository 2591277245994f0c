"""A breaker that halts liquidation, judged on the insolvency it leaves, paired over seeds.

The breaker pauses the market for an hour once its price has fallen 15% within one. Where a pool
takes what liquidators sell and the price keeps falling, the hour costs solvency; where their own
sales into a thin pool are the fall, it saves it. The third case, a straight fall on a thin pool,
was not known beforehand and is reported as it comes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.experiments.compare import BASELINE, Comparison, compare
from harness.experiments.pool import local_executor
from harness.scenario import load_scenario

SCENARIO = str(Path(__file__).parent / "breaker.toml")
SEEDS = range(1, 6)

STRAIGHT = "asset.ETH.price={process='constant', shock=[{at_s=600, factor=0.6, ramp_s=3000}]}"
SPIKE = (
    "asset.ETH.price={process='constant', shock=["
    "{at_s=600, factor=0.78, ramp_s=120}, {at_s=900, factor=1.282, ramp_s=120}]}"
)
DEEP = (
    "venue.eth-usdc.base_reserve=200_000",
    "asset.ETH.external.depth_2pct_usd=200e6",
    "asset.ETH.feed={kind='push', deviation_bps=10}",
    "agent.arbitrageur.capital_usd=1e8",
)
THIN = ("asset.ETH.external.depth_2pct_usd=300_000",)


def judged(*changes: str) -> Comparison:
    """The scenario with and without the breaker, over the seeds."""
    scenario = load_scenario(SCENARIO, list(changes))
    with local_executor(2 * len(SEEDS)) as executor:
        comparison = compare(scenario, ["price-breaker"], SEEDS, executor=executor)
    assert comparison.sound
    assert not any(trial.vacuous for trial in comparison.trials)
    level = comparison.levels
    change = comparison.differences["price-breaker"]["insolvency_usd"]
    print(
        f"insolvency {level[BASELINE]['insolvency_usd']} as it is, "
        f"{level['price-breaker']['insolvency_usd']} with the breaker: {change}"
    )
    return comparison


@pytest.mark.slow
def test_a_straight_fall_on_a_deep_pool_is_worse_with_the_breaker() -> None:
    change = judged(*DEEP, STRAIGHT).differences["price-breaker"]["insolvency_usd"]
    assert change is not None
    assert change.low is not None
    assert change.low > 0


@pytest.mark.slow
def test_a_spike_on_a_thin_pool_is_better_with_the_breaker() -> None:
    change = judged(*THIN, SPIKE).differences["price-breaker"]["insolvency_usd"]
    assert change is not None
    assert change.high is not None
    assert change.high < 0


@pytest.mark.slow
def test_a_straight_fall_on_a_thin_pool_is_reported_as_it_comes() -> None:
    """Both levels and the paired difference are there and agree; the sign is not asked for."""
    comparison = judged(*THIN, STRAIGHT)
    change = comparison.differences["price-breaker"]["insolvency_usd"]
    with_, without = (
        comparison.levels[name]["insolvency_usd"] for name in ("price-breaker", BASELINE)
    )
    assert change is not None
    assert with_ is not None
    assert without is not None
    assert change.mean == pytest.approx(with_.mean - without.mean)
