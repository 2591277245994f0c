"""Value at risk and expected shortfall against direct computation and closed forms."""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import rng
from harness.risk.tail import expected_shortfall, proportion, tail, value_at_risk

LOSSES = st.lists(st.integers(0, 10**9), min_size=1, max_size=60)
LEVELS = st.sampled_from([Fraction(1, 2), Fraction(9, 10), Fraction(19, 20), Fraction(99, 100)])


def integral(losses: list[int], weights: list[int], level: Fraction) -> Fraction:
    """1/(1-a) times the integral of VaR_u from a to 1, step by step in exact fractions."""
    total, reached, area = sum(weights), Fraction(0), Fraction(0)
    for loss, weight in sorted(zip(losses, weights, strict=True)):
        start, reached = reached, reached + Fraction(weight, total)
        area += loss * max(Fraction(0), reached - max(start, level))
    return area / (1 - level)


def quantile(losses: list[int], weights: list[int], level: Fraction) -> int:
    """The least x of {x : F(x) >= a} by definition."""
    total = sum(weights)
    for candidate in sorted(losses):
        below = sum(w for x, w in zip(losses, weights, strict=True) if x <= candidate)
        if Fraction(below, total) >= level:
            return candidate
    raise AssertionError


@given(LOSSES, LEVELS)
def test_expected_shortfall_is_the_integral_of_value_at_risk(losses, level):
    found = expected_shortfall(losses, float(level))
    # the level itself is a float: its error is blown up by 1/(1 - a)
    assert found == pytest.approx(float(integral(losses, [1] * len(losses), level)), rel=1e-9)
    assert value_at_risk(losses, float(level)) == quantile(losses, [1] * len(losses), level)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 50)), min_size=1, max_size=40))
def test_a_weight_of_n_is_n_runs(pairs):
    losses, weights = [x for x, _ in pairs], [w for _, w in pairs]
    repeated = [x for x, w in pairs for _ in range(w)]
    for level in (0.9, 0.99):
        assert expected_shortfall(losses, level, weights) == pytest.approx(
            expected_shortfall(repeated, level), rel=1e-9
        )
        assert value_at_risk(losses, level, weights) == value_at_risk(repeated, level)


def test_the_run_that_straddles_the_level_counts_in_part():
    # ten runs, the worst 15%: the worst in full, half of the second worst
    assert expected_shortfall(range(1, 11), 0.85) == pytest.approx((10 + 9 / 2) / 1.5)
    assert tail([float(x) for x in range(1, 11)], 0.85).runs == 2


def test_a_normal_sample_has_the_normal_distributions_tail():
    seed, count, level = 11, 40_000, 0.99
    print("seed", seed)
    sample = rng.normals(rng.stream(seed, "test/tail"), count).tolist()
    normal = NormalDist()
    quantile_ = normal.inv_cdf(level)
    shortfall = normal.pdf(quantile_) / (1 - level)
    # standard errors: sqrt(a(1-a)/n)/density, and sd of the excess over sqrt of 400 tail runs
    assert value_at_risk(sample, level) == pytest.approx(quantile_, abs=4 * 0.0187)
    assert expected_shortfall(sample, level) == pytest.approx(shortfall, abs=4 * 0.028)


@pytest.mark.slow
def test_the_bootstrap_interval_covers_as_often_as_it_says():
    level, truth = 0.9, NormalDist().pdf(NormalDist().inv_cdf(0.9)) / 0.1
    covered = 0
    for seed in range(40):
        sample = rng.normals(rng.stream(seed, "test/coverage"), 200).tolist()
        found = tail(sample, level, name=str(seed)).expected_shortfall
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
    # 95% nominal; the percentile interval of a tail mean of 20 runs is known to cover less:
    # below 80% of 40 would be 4 standard errors under 95%
    assert covered >= 32


def test_strata_keep_their_shares_when_resampled():
    losses, strata = [0.0] * 10 + [100.0] * 10, [0] * 10 + [1] * 10
    apart = tail(losses, 0.5, strata=strata).expected_shortfall
    assert tuple(apart) == pytest.approx((100.0, 100.0, 100.0))
    together = tail(losses, 0.5).expected_shortfall
    assert together.low is not None
    assert together.low < 100


def test_what_never_happened_may_still_happen():
    never = proportion([False] * 100)
    assert never.value == 0
    # Wilson at 0 of n: z^2 / (n + z^2)
    assert never.high == pytest.approx(1.96**2 / (100 + 1.96**2), rel=1e-3)
    half = proportion([True, False] * 50)
    assert (half.low, half.high) == (
        pytest.approx(0.4038, abs=1e-4),
        pytest.approx(0.5962, abs=1e-4),
    )


@pytest.mark.parametrize("level", [0, 1, -0.1, math.nan])
def test_a_level_lies_between_0_and_1(level):
    with pytest.raises(ValueError, match="between 0 and 1"):
        expected_shortfall([1.0], level)


def test_no_runs_have_no_tail():
    with pytest.raises(ValueError, match="no values"):
        tail([], 0.9)
