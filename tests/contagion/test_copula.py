"""Joint falls under a Student copula: the margins stay, the tails move together."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import ScenarioError
from harness.prices import build_paths
from harness.prices.copula import student_cdf
from harness.scenario import (
    Asset,
    Clock,
    Correlation,
    JumpDiffusionPrice,
    Scenario,
    checked,
)

SEED = 4
BLOCKS = 200_000


def moves(degrees: int) -> np.ndarray:
    """Log moves of two assets of correlation one half, in units of their volatility."""
    scenario = checked(
        Scenario(
            name="joint",
            clock=Clock(BLOCKS, 60, 1_700_000_000),
            assets=tuple(
                Asset(name, JumpDiffusionPrice(sigma=0.1), 18, 1e5, None, None)
                for name in ("ETH", "BTC")
            ),
            correlations=(
                Correlation(("ETH", "BTC"), ((1.0, 0.5), (0.5, 1.0)), tail_degrees=degrees),
            ),
            expect="quiet",
        )
    )
    paths = build_paths(scenario, SEED)
    steps = np.diff(np.log(np.array([paths[name] for name in ("ETH", "BTC")], dtype=float)))
    return steps / (0.1 * np.sqrt(60 / (365 * 86_400)))


@pytest.mark.parametrize(
    ("degrees", "t", "p"), [(2, 1.0, 0.788675134594813), (4, -2.131846786326649, 0.05)]
)
def test_distribution_function_is_students(degrees, t, p):
    # nu = 2: 1/2 + t / (2 sqrt(2 + t^2)); nu = 4: the tabled 5% point
    assert student_cdf(np.array([t]), degrees)[0] == pytest.approx(p, abs=1e-12)


def test_margins_stay_normal_while_the_worst_blocks_coincide():
    plain, tailed = moves(0), moves(2)
    for each in (*plain, *tailed):
        assert abs(each.mean()) < 0.02
        assert abs(each.std() - 1) < 0.02
        # excess kurtosis of a normal, within five standard errors (sqrt(24 / n) = .011)
        assert abs(((each / each.std()) ** 4).mean() - 3) < 0.06
    level = -3.0902  # the thousandth part: 200 blocks of each asset
    together = [
        float(((one < level) & (other < level)).sum() / (one < level).sum())
        for one, other in (plain, tailed)
    ]
    # limit for nu = 2, rho = 1/2: 2 T_3(-1) = .391; a Gaussian copula at this level: about .06
    assert together[0] < 0.15
    assert abs(together[1] - 0.391) < 0.12  # 3.5 standard errors of 200 blocks


def test_degrees_are_even():
    scenario = Scenario(
        name="joint",
        clock=Clock(2, 60, 1_700_000_000),
        assets=tuple(
            Asset(name, JumpDiffusionPrice(sigma=0.1), 18, 1e5, None, None)
            for name in ("ETH", "BTC")
        ),
        correlations=(Correlation(("ETH", "BTC"), (), (0.5, 0.5), tail_degrees=3),),
        expect="quiet",
    )
    with pytest.raises(ScenarioError, match="tail_degrees"):
        checked(scenario)
