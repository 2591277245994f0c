"""Intervals by resampling: what several seeds say of a figure, and how surely.

Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13: the percentile
interval of the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from harness import rng

RESAMPLES = 10_000


class Interval(NamedTuple):
    """A mean with its bounds; the bounds are None where one value says nothing about spread."""

    mean: float
    low: float | None
    high: float | None


def bootstrap_mean(values: Sequence[float], level: float = 0.95, *, name: str = "") -> Interval:
    """The mean and its percentile bootstrap interval.

    values: one for each seed; for a comparison, the paired differences
    level: share of resampled means inside the interval
    name: keys the resampling, which is the same every time

    Raises ValueError if there is no value.
    """
    if not values:
        raise ValueError("no values")
    sample = np.asarray(values, dtype=np.float64)
    mean = float(sample.sum() / len(sample))
    if len(sample) < 2:
        return Interval(mean, None, None)
    uniform = rng.uniforms(rng.stream(0, f"bootstrap/{name}", len(sample)), RESAMPLES * len(sample))
    chosen = (uniform * len(sample)).astype(np.intp).reshape(RESAMPLES, len(sample))
    means = np.sort(sample[chosen].sum(axis=1) / len(sample))
    tail = (1 - level) / 2
    low = means[int(np.floor(tail * RESAMPLES))]
    high = means[min(RESAMPLES - 1, int(np.ceil((1 - tail) * RESAMPLES)) - 1)]
    return Interval(mean, float(low), float(high))
