"""Closed forms against their published check values, each other, and step-by-step computation."""

from __future__ import annotations

import math

import pytest

from harness.risk import closed_forms as forms
from harness.risk.open_interest import (
    largest_open_interest,
    manipulation_profit,
    manipulation_rule,
)


def test_smart_ltv_has_the_published_value():
    found = forms.smart_ltv(liquidity=1_000_000, cap=200_000, volatility=0.10, bonus=0.05)
    assert found == pytest.approx(0.82444657, abs=5e-9)
    cap = forms.smart_ltv_cap(1_000_000, ltv=found, volatility=0.10, bonus=0.05)
    assert cap == pytest.approx(200_000)
    assert forms.smart_ltv_cap(1e6, ltv=0.96, volatility=0.1, bonus=0.05) == 0


def test_loss_frontiers_have_the_published_values():
    health = 0.95 / (11 / 12)  # 12x leverage: debt is 11/12 of the collateral
    assert forms.liquidation_fall(health) == pytest.approx(0.0351, abs=5e-5)
    assert forms.loss_fall(11 / 12, 0.01) == pytest.approx(0.0742, abs=5e-5)


def test_below_the_toxic_bound_liquidation_heals_and_above_it_harms():
    threshold, bonus = 0.8, 0.1
    k = threshold * (1 + bonus)
    for health in (0.97, 0.89):
        assert forms.health_after(health, threshold, bonus, 0.5) > health
    walk = [0.87]
    while len(walk) < 6:
        walk.append(forms.health_after(walk[-1], threshold, bonus, 0.5))
    assert [round(x, 2) for x in walk] == [0.87, 0.86, 0.84, 0.80, 0.72, 0.56]
    assert forms.health_after(k, threshold, bonus, 0.5) == pytest.approx(k)
    # the same bound as an LTV: health k is an LTV of 1/(1 + b)
    assert threshold / k == pytest.approx(forms.toxic_bound(bonus))


def _ltv_after(ltv: float, bonus: float, share: float, collateral: float, reserve: float) -> float:
    """A liquidation step by step: seize, sell on x y = k, value what is left at the new spot."""
    debt, seized = ltv * collateral, (1 + bonus) * share * ltv * collateral
    base = reserve  # start price 1
    spot = (reserve * base / (base + seized)) / (base + seized)
    return debt * (1 - share) / ((collateral - seized) * spot)


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_a_finite_step_is_toxic_where_the_ltv_rises(share):
    bonus, collateral, reserve = 0.05, 1.0, 4.0
    outcomes = set()
    for step in range(40, 96):
        ltv = step / 100
        rises = _ltv_after(ltv, bonus, share, collateral, reserve) > ltv
        assert forms.is_toxic_step(ltv, bonus, share, collateral, reserve) == rises
        outcomes.add(rises)
    assert outcomes == {True, False}


def test_the_infinitesimal_step_is_the_limit_of_finite_ones():
    bonus, collateral, reserve = 0.05, 1.0, 8.0
    bound = forms.depth_coupled_bound(bonus, collateral, reserve)
    for ltv, toxic in ((bound - 1e-3, False), (bound + 1e-3, True)):
        assert forms.is_toxic_step(ltv, bonus, 1e-6, collateral, reserve) is toxic
    assert forms.depth_coupled_bound(bonus, 1.0, 1e12) == pytest.approx(forms.toxic_bound(bonus))


def test_a_threshold_for_a_jump_is_the_loss_frontier_turned_round():
    bound = forms.threshold_for_jump(0.3, 0.05)
    assert forms.loss_fall(bound, 0.05) == pytest.approx(0.3)
    assert forms.loss_rise(bound, 0.05) == pytest.approx(1 / 0.7 - 1)
    assert forms.liquidation_rise(1.25) == pytest.approx(0.25)


def test_a_cascade_is_critical_where_the_branching_ratio_is_1():
    depth = forms.critical_depth(0.88, 100_000)
    assert forms.branching_ratio(0.88, 100_000, depth) == pytest.approx(1)
    assert forms.branching_ratio(0.88, 100_000, depth, fee=0.003) == pytest.approx(0.9985)
    assert forms.finite_fall(0.88, 100_000, 352_000, 0.02) == pytest.approx(0.0402, abs=5e-5)
    assert forms.finite_fall(0.88, 100_000, 1e12, 0.02) == pytest.approx(0.02, abs=1e-3)
    assert forms.finite_fall(0.88, 400_000, 352_000, 0.02) is None


def test_selling_what_the_bonus_allows_costs_the_bonus():
    reserve, bonus = 1000.0, 0.08
    sold = forms.sellable_within_bonus(reserve, bonus)
    spot = reserve * reserve / (reserve + sold) ** 2
    assert spot == pytest.approx(1000 / 1000 / (1 + bonus) * 1)


def test_no_push_within_the_manipulators_means_pays_at_the_safe_open_interest():
    vault, capital, reserve = 2e6, 5e6, 1e7
    bound = manipulation_rule(vault, capital, reserve)
    gains = [manipulation_profit(bound, capital * i / 997, reserve) for i in range(1, 998)]
    assert max(gains) <= 0.10 * vault * 1.0001
    more = [manipulation_profit(bound * 1.02, capital * i / 997, reserve) for i in range(1, 998)]
    assert max(more) > 0.10 * vault


def test_the_cost_of_a_push_is_what_a_round_trip_at_the_old_price_loses():
    capital, reserve = 3.0, 10.0
    bought = reserve - reserve * reserve / (reserve + capital)  # start price 1
    assert manipulation_profit(0.0, capital, reserve) == pytest.approx(bought - capital)


def test_the_least_rule_binds():
    found = largest_open_interest(
        vault=1e6, move=0.4, capital=1e5, reserve=5e7, whole=1e9, share=0.05
    )
    assert found.move_usd == pytest.approx(750_000)
    assert found.largest_usd == min(found.move_usd, found.manipulation_usd, found.share_usd)
    assert found.binds == "move"
    assert not math.isnan(found.manipulation_usd)
    with pytest.raises(ValueError, match="move"):
        largest_open_interest(vault=1e6, move=0, capital=1, reserve=1, whole=1)
