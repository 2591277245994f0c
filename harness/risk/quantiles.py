"""Intervals for a quantile from order statistics: no assumption about the distribution.

Source: H. A. David, H. N. Nagaraja, Order Statistics (3rd ed., 2003), section 7.1: the chance that
the l-th and the u-th of n values lie on both sides of the q-quantile is the chance that a binomial
(n, q) lies in [l, u - 1].
"""

from __future__ import annotations

import math


def quantile_ranks(count: int, share: float, level: float = 0.95) -> tuple[int | None, int | None]:
    """Ranks (from 1) of the values that bound a quantile with at least this confidence.

    Each side is missed with a chance of at most (1 - level)/2; None where there are too few values
    for a bound on that side.

    count: how many values there are
    share: the quantile, strictly between 0 and 1
    """
    tail = (1 - level) / 2
    low = high = None
    below = 0.0  # chance of fewer than `rank` values below the quantile
    for rank in range(1, count + 1):
        ways = math.lgamma(count + 1) - math.lgamma(rank) - math.lgamma(count - rank + 2)
        odds = (rank - 1) * math.log(share) + (count - rank + 1) * math.log1p(-share)
        below += math.exp(ways + odds)
        if below <= tail:
            low = rank
        if 1 - below <= tail and high is None:
            high = rank
    return low, high
