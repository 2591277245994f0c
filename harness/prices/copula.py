"""Joint falls: correlated normal moves given the tail dependence of a Student copula.

A multivariate t has z / sqrt(W / nu) with one chi-squared W for all, so that in a bad block
everything is extreme together; each margin is then brought back to a normal, which leaves every
asset's own distribution as it was. The coefficient of tail dependence of two assets of correlation
rho is 2 T_{nu+1}(-sqrt((nu + 1)(1 - rho)/(1 + rho))), where a Gaussian copula has none.

Sources: A. McNeil, R. Frey, P. Embrechts, Quantitative Risk Management (2005), 5.3; the
distribution function for even nu: Abramowitz and Stegun, 26.7.4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness import portable, rng

Array = NDArray[np.float64]

_EDGE = 2.0**-53


def tail_scale(seed: int, name: str, blocks: int, degrees: int) -> Array:
    """sqrt(nu / W) of each block: W is -2 times the sum of nu/2 logs of uniforms, nu even."""
    total = np.zeros(blocks)
    for part in range(degrees // 2):
        total = total + portable.log(rng.uniforms(rng.stream(seed, f"tail/{name}", part), blocks))
    return np.sqrt(degrees / (-2.0 * total))


def student_cdf(t: Array, degrees: int) -> Array:
    """Distribution function of Student's t for an even number of degrees of freedom."""
    square = degrees / (t * t + degrees)  # cos^2 of arctan(t / sqrt(nu))
    sine = t / np.sqrt(t * t + degrees)
    term = np.ones_like(t)
    series = np.ones_like(t)
    for k in range(1, degrees // 2):
        term = term * square * (2 * k - 1) / (2 * k)
        series = series + term
    half: Array = 0.5 * (1.0 + sine * series)
    return half


def with_tails(normal: Array, scale: Array, degrees: int) -> Array:
    """Normal numbers whose copula is Student's: those of one block share its scale."""
    share = student_cdf(normal * scale, degrees)
    return portable.normal_quantile(np.clip(share, _EDGE, 1.0 - _EDGE))
