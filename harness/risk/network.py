"""How connected venues are, from their positions alone: what can be known before a run.

Overlap and indirect exposure: R. Cont, E. Schaanning, Fire sales, indirect contagion and systemic
stress testing (2017): Omega_ij = sum over assets of Pi_i Pi_j / depth, loss_i = sum_j over what j
sells. Vulnerability and systemicness: R. Greenwood, A. Landier, D. Thesmar, Vulnerable banks,
Journal of Financial Economics 115 (2015), equations 4 to 9. Clearing vectors: L. Eisenberg, T. Noe,
Systemic risk in financial systems, Management Science 47 (2001); with costs of default,
L. C. G. Rogers, L. A. M. Veraart, Failure and rescue in an interbank network, Management Science 59
(2013). Rows are venues (or firms), columns assets; values in USD, moves as fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_STEPS = 100_000


def overlaps(holdings: ArrayLike, depths: ArrayLike) -> Floats:
    """Liquidity-weighted overlaps: what a USD-for-USD sale of j's holdings would cost i.

    Args:
        holdings: value held, by venue and asset.
        depths: of each asset, the USD that move its price by 100% to first order.

    Raises:
        ValueError: a depth is not above 0, or there is not one for each asset.

    """
    held, depth = _holdings(holdings, depths)
    omega: Floats = (held / depth) @ held.T
    return omega


def indirect_losses(holdings: ArrayLike, depths: ArrayLike, sold: ArrayLike) -> Floats:
    """What i loses on its holdings by what j sells: element [i, j], in USD.

    Args:
        holdings: value held, by venue and asset.
        depths: see `overlaps`.
        sold: value sold, by venue and asset; with the share Gamma_j of j's holdings, the losses
            are Omega_ij Gamma_j.

    """
    held, depth = _holdings(holdings, depths)
    losses: Floats = (held / depth) @ np.asarray(sold, dtype=np.float64).T
    return losses


def sale_share(assets: float, equity: float, sellable: float, most: float, target: float) -> float:
    """The share of its sellable holdings that a fund sells: none up to the leverage ``most``, then
    as much as brings leverage back to ``target``, at most all.

    Raises:
        ValueError: the target is above the trigger.

    """
    if target > most:
        raise ValueError(f"target leverage {target:g} is above the trigger {most:g}")
    if assets <= most * equity or sellable <= 0:
        return 0.0
    return min(1.0, (assets - target * max(0.0, equity)) / sellable)


@dataclass(frozen=True)
class Vulnerability:
    """First-round deleveraging after a shock, as Greenwood, Landier and Thesmar measure it.

    Attributes:
        aggregate: losses by fire sales over all equity.
        systemicness: of each venue, its part of that.
        asset_systemicness: of each asset, its part of that.
        indirect: of each venue, losses by everybody's fire sales over its own equity.
        losses: [i, j] what i loses by j's sales, USD.

    """

    aggregate: float
    systemicness: Floats
    asset_systemicness: Floats
    indirect: Floats
    losses: Floats


def vulnerability(
    holdings: ArrayLike, equity: ArrayLike, depths: ArrayLike, shock: ArrayLike
) -> Vulnerability:
    """Venues that lose by a shock sell in proportion to holdings until leverage is as before.

    Args:
        holdings: value held, by venue and asset.
        equity: of each venue, above 0.
        depths: see `overlaps`.
        shock: relative price change of each asset; losses are counted as positive.

    Raises:
        ValueError: an equity is not above 0.

    """
    held, depth = _holdings(holdings, depths)
    own = np.asarray(equity, dtype=np.float64)
    if (own <= 0).any():
        raise ValueError("equity must be above 0")
    total = held.sum(axis=1)
    weights = np.divide(held, total[:, None], out=np.zeros_like(held), where=total[:, None] > 0)
    leverage = (total - own) / own
    loss = -(held @ np.asarray(shock, dtype=np.float64))
    sales = weights * (leverage * loss)[:, None]
    by_asset = sales.sum(axis=0) * held.sum(axis=0) / depth
    losses = (held / depth) @ sales.T
    return Vulnerability(
        aggregate=float(losses.sum() / own.sum()),
        systemicness=losses.sum(axis=0) / own.sum(),
        asset_systemicness=by_asset / own.sum(),
        indirect=losses.sum(axis=1) / own,
        losses=losses,
    )


class Debts(NamedTuple):
    """Who owes whom how much: an element for each debt; firms by their numbers."""

    debtors: NDArray[np.intp]
    creditors: NDArray[np.intp]
    amounts: Floats

    @classmethod
    def of(cls, liabilities: ArrayLike) -> Debts:
        """The debts of a matrix, [i, j] what i owes j."""
        owed = np.asarray(liabilities, dtype=np.float64)
        debtors, creditors = np.nonzero(owed)
        return cls(debtors, creditors, owed[debtors, creditors])


def clearing_vector(
    liabilities: ArrayLike | Debts,
    external: ArrayLike,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    which: Literal["greatest", "least"] = "greatest",
    tolerance: float = 1e-12,
) -> Floats:
    """What each firm pays in all: everything it owes, or what is left of it.

    p = pbar where external + received >= pbar, else alpha external + beta received. The payments
    that solve this form a lattice with a greatest and a least element, which may differ; monotone
    iteration from all owed, or from nothing, leads there.

    Args:
        liabilities: [i, j] what i owes j, diagonal 0; or, for thousands of firms, each debt.
        external: what each firm has beside what it is owed.
        alpha: share of ``external`` that default leaves, above 0; 1 and 1 is Eisenberg-Noe.
        beta: share of what is received that default leaves.
        which: the greatest solution, or the least.
        tolerance: relative change at which the iteration ends.

    Raises:
        ValueError: a negative entry, a debt to oneself, a share out of range, or no convergence.

    """
    debts = liabilities if isinstance(liabilities, Debts) else Debts.of(liabilities)
    debtors, creditors, amounts = debts
    cash = np.asarray(external, dtype=np.float64)
    if (amounts < 0).any() or (cash < 0).any() or (debtors == creditors).any():
        raise ValueError("liabilities and external assets must be 0 or more, none to oneself")
    if not (0 < alpha <= 1 and 0 < beta <= 1):
        raise ValueError(f"alpha {alpha:g} and beta {beta:g} must be above 0 and at most 1")
    size = len(cash)
    due: Floats = np.bincount(debtors, weights=amounts, minlength=size).astype(np.float64)
    owing = due[debtors]
    shares = np.divide(amounts, owing, out=np.zeros_like(owing), where=owing > 0)
    paid: Floats = due.copy() if which == "greatest" else np.zeros_like(due)
    for _ in range(_STEPS):
        received = np.bincount(creditors, weights=shares * paid[debtors], minlength=size)
        solvent = cash + received >= due * (1 - tolerance)
        after: Floats = np.where(solvent, due, alpha * cash + beta * received)
        # monotone in exact arithmetic: rounding must not turn it round
        after = np.minimum(after, paid) if which == "greatest" else np.maximum(after, paid)
        if np.max(np.abs(after - paid), initial=0.0) <= tolerance * max(1.0, float(due.max())):
            return after
        paid = after
    raise ValueError(f"no clearing vector within {_STEPS} steps")


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's: the correlation of ranks, equal values having their mean rank; None where either
    side does not vary or there are fewer than two values."""
    if len(first) != len(second):
        raise ValueError(f"{len(first)} values against {len(second)}")
    if len(first) < 2:
        return None
    one, other = _ranks(first), _ranks(second)
    one, other = one - one.mean(), other - other.mean()
    spread = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / spread if spread > 0 else None


def _ranks(values: Sequence[float]) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    _, inverse, counts = np.unique(array, return_inverse=True, return_counts=True)
    last = np.cumsum(counts).astype(np.float64)
    ranks: Floats = (last - (counts - 1) / 2)[inverse]
    return ranks


def _holdings(holdings: ArrayLike, depths: ArrayLike) -> tuple[Floats, Floats]:
    held = np.asarray(holdings, dtype=np.float64)
    depth = np.asarray(depths, dtype=np.float64)
    if held.ndim != 2 or depth.shape != (held.shape[1],) or (depth <= 0).any():
        raise ValueError("one depth above 0 for each asset")
    return held, depth
