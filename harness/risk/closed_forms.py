"""Bounds on liquidation parameters in closed form, each with the assumptions it needs.

LTV is debt / collateral value, thresholds and bonuses are shares (0.83, 0.05); amounts of one
formula are all in one unit. A simulation stands beside these, not in place of them: where the two
differ, one of the assumptions named here does not hold in the market at hand.
"""

from __future__ import annotations

import math

__all__ = [
    "branching_ratio",
    "critical_depth",
    "depth_coupled_bound",
    "finite_fall",
    "health_after",
    "is_toxic_step",
    "liquidation_fall",
    "liquidation_rise",
    "loss_fall",
    "loss_rise",
    "sellable_within_bonus",
    "smart_ltv",
    "smart_ltv_cap",
    "threshold_for_jump",
    "toxic_bound",
]


def toxic_bound(bonus: float) -> float:
    """The LTV above which a liquidation lowers the health factor: 1 / (1 + b).

    As a bound on the liquidation threshold: at or above it every liquidation is toxic. Constant
    price, no dust rule. Source: Warmuz, Chaudhary, Pinna, arXiv 2212.07306 (2022).
    """
    return 1 / (1 + bonus)


def health_after(health: float, threshold: float, bonus: float, repaid_share: float) -> float:
    """The health factor after a pass that repays a share f of the debt, at a constant price.

    HF' = (HF - f k) / (1 - f) with k = threshold x (1 + b): k is the fixed point.
    """
    return (health - repaid_share * threshold * (1 + bonus)) / (1 - repaid_share)


def depth_coupled_bound(bonus: float, collateral: float, reserve: float) -> float:
    """The LTV above which liquidating lowers the health factor when it moves its own oracle.

    All seized collateral is sold into a constant-product pool whose spot is the oracle:
    1 / ((1 + b)(1 + 2 c / y)), c the borrower's collateral value, y the pool's reserve of the
    quote, both in one unit; infinitesimal step. Source: Warmuz et al., arXiv 2212.07306.
    """
    return 1 / ((1 + bonus) * (1 + 2 * collateral / reserve))


def is_toxic_step(
    ltv: float, bonus: float, repaid_share: float, collateral: float, reserve: float
) -> bool:
    """Whether a finite step that repays a share f leaves a higher LTV than before.

    1 - (1 + b) f l < (1 - f) (1 + (1 + b) f l c / y)^2, as in :func:`depth_coupled_bound`: the
    collateral left, at the price after the sale, against the debt left.
    """
    seized = (1 + bonus) * repaid_share * ltv
    return 1 - seized < (1 - repaid_share) * (1 + seized * collateral / reserve) ** 2


def liquidation_fall(health: float) -> float:
    """The fall of the collateral's price at which liquidation begins: 1 - 1 / HF."""
    return 1 - 1 / health


def loss_fall(ltv: float, bonus: float) -> float:
    """The fall in one jump beyond which a liquidation leaves bad debt: 1 - (1 + b) LTV."""
    return 1 - (1 + bonus) * ltv


def liquidation_rise(health: float) -> float:
    """The rise of the debt's price at which liquidation begins: HF - 1."""
    return health - 1


def loss_rise(ltv: float, bonus: float) -> float:
    """The rise of the debt's price beyond which a liquidation leaves bad debt."""
    return 1 / ((1 + bonus) * ltv) - 1


def threshold_for_jump(fall: float, bonus: float) -> float:
    """The liquidation threshold that leaves no bad debt after a fall in one jump.

    A position just above its threshold before the jump has the LTV of the threshold: the bound is
    (1 - fall) / (1 + b), :func:`loss_fall` solved for it. No price impact, full liquidation.
    """
    return (1 - fall) / (1 + bonus)


def smart_ltv(
    liquidity: float, cap: float, volatility: float, bonus: float, *, confidence: float = 3.0
) -> float:
    """SmartLTV: exp(-c sigma / sqrt(l / d)) - beta.

    l: what can be sold within the bonus; d: the supply cap, in the same unit; sigma: volatility
    over the horizon of the check; c: how many of them must be survived. Source: Risk-DAO,
    SmartLTV (2023).
    """
    return math.exp(-confidence * volatility / math.sqrt(liquidity / cap)) - bonus


def smart_ltv_cap(
    liquidity: float, ltv: float, volatility: float, bonus: float, *, confidence: float = 3.0
) -> float:
    """The supply cap at which :func:`smart_ltv` allows this LTV: l (ln(1/(LTV+b)) / (c sigma))^2.

    0 where LTV + bonus is 1 or more; no cap is small enough.
    """
    if ltv + bonus >= 1:
        return 0.0
    return liquidity * (-math.log(ltv + bonus) / (confidence * volatility)) ** 2


def sellable_within_bonus(reserve: float, bonus: float) -> float:
    """What can be sold into a constant product before its spot is lower by the bonus.

    Selling a share s of the base reserve takes the spot to 1 / (1 + s)^2, so within 1 / (1 + b)
    it is reserve x (sqrt(1 + b) - 1), in the reserve's unit; no fee, no recovery.
    """
    return reserve * (math.sqrt(1 + bonus) - 1)


def branching_ratio(k: float, density: float, reserve: float, *, fee: float = 0.0) -> float:
    """Liquidations caused by one, for a small shock: n = (2 - phi) k G / x.

    k = threshold x (1 + b); G: collateral units for each unit of log price that cross the
    threshold; x: the pool's base reserve after the shock. Pool spot is the oracle, positions are
    closed in full, all seized units are sold, no arbitrage.
    """
    return (2 - fee) * k * density / reserve


def critical_depth(k: float, density: float, *, fee: float = 0.0) -> float:
    """The base reserve at which :func:`branching_ratio` is 1."""
    return (2 - fee) * k * density


def finite_fall(k: float, density: float, reserve: float, shock: float) -> float | None:
    """The log fall s at which a cascade comes to rest after a log shock, on a pool without fee.

    The first root of exp(-(s - delta)/2) = 1 - (k G / x) exp(delta) (1 - exp(-s)), x the base
    reserve after the shock, found by bisection between points of a fine scan; None if the cascade
    does not stop within a log fall of 5.
    """
    scale = k * density / reserve * math.exp(shock)

    def gap(fall: float) -> float:
        return 1 - scale * (1 - math.exp(-fall)) - math.exp(-(fall - shock) / 2)

    step, low = 1e-4, shock
    while gap(low + step) < 0:
        low += step
        if low > 5:
            return None
    high = low + step
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if gap(middle) < 0 else (low, middle)
    return high
