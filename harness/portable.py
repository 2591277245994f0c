"""Elementary functions that give the same bits on every machine.

``exp``, ``log`` and the normal distribution of a platform's library differ in the last digit from
machine to machine, and a digit is enough to change a price after rounding and with it the digest
of a run. These are built from ``+ - * /``, square roots, comparisons and scaling by powers of two,
which IEEE 754 defines exactly. Accuracy: a few units in the last place (tested).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["exp", "log", "normal_cdf", "normal_quantile"]

Array = NDArray[np.float64]

# ln 2 in two parts, the first with trailing zeros, so that k * _LN2_HIGH is exact (fdlibm).
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_INVERSE_LN2 = 1.44269504088896338700

# Rational approximations of the inverse normal distribution: Wichura (1988), algorithm AS 241,
# PPND16, relative accuracy about 1e-16.
_CENTRE = (
    (
        3.3871328727963666080e0,
        1.3314166789178437745e2,
        1.9715909503065514427e3,
        1.3731693765509461125e4,
        4.5921953931549871457e4,
        6.7265770927008700853e4,
        3.3430575583588128105e4,
        2.5090809287301226727e3,
    ),
    (
        1.0,
        4.2313330701600911252e1,
        6.8718700749205790830e2,
        5.3941960214247511077e3,
        2.1213794301586595867e4,
        3.9307895800092710610e4,
        2.8729085735721942674e4,
        5.2264952788528545610e3,
    ),
)
_SHOULDER = (
    (
        1.42343711074968357734e0,
        4.63033784615654529590e0,
        5.76949722146069140550e0,
        3.64784832476320460504e0,
        1.27045825245236838258e0,
        2.41780725177450611770e-1,
        2.27238449892691845833e-2,
        7.74545014278341407640e-4,
    ),
    (
        1.0,
        2.05319162663775882187e0,
        1.67638483018380384940e0,
        6.89767334985100004550e-1,
        1.48103976427480074590e-1,
        1.51986665636164571966e-2,
        5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ),
)
_TAIL = (
    (
        6.65790464350110377720e0,
        5.46378491116411436990e0,
        1.78482653991729133580e0,
        2.96560571828504891230e-1,
        2.65321895265761230930e-2,
        1.24266094738807843860e-3,
        2.71155556874348757815e-5,
        2.01033439929228813265e-7,
    ),
    (
        1.0,
        5.99832206555887937690e-1,
        1.36929880922735805310e-1,
        1.48753612908506148525e-2,
        7.86869131145613259100e-4,
        1.84631831751005468180e-5,
        1.42151175831644588870e-7,
        2.04426310338993978564e-15,
    ),
)


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    value = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = value * x + coefficient
    return value


def exp(x: Array) -> Array:
    """e**x for x within [-700, 700]: x = k ln 2 + r, Taylor series of r in |r| <= 0.35."""
    k = np.floor(x * _INVERSE_LN2 + 0.5)
    rest = (x - k * _LN2_HIGH) - k * _LN2_LOW
    term = np.ones_like(x)
    terms = [term]
    for n in range(1, 15):
        term = term * rest / n
        terms.append(term)
    total = np.zeros_like(x)
    for term in reversed(terms):
        total = total + term
    return np.ldexp(total, k.astype(np.int64))


def log(x: Array) -> Array:
    """Natural logarithm of x > 0: x = 2**k m, log m = 2 artanh((m - 1)/(m + 1))."""
    mantissa, exponent = np.frexp(x)
    low = mantissa < 0.70710678118654752440
    mantissa = np.where(low, mantissa * 2.0, mantissa)
    k = (exponent - low).astype(np.float64)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    square = s * s
    series = np.zeros_like(x)
    for n in range(23, 0, -2):
        series = series * square + 2.0 / n
    return k * _LN2_HIGH + (s * series + k * _LN2_LOW)


def normal_quantile(p: Array) -> Array:
    """The x below which a standard normal variable falls with probability p, 0 < p < 1."""
    q = p - 0.5
    r = 0.180625 - q * q
    central = q * _polynomial(_CENTRE[0], r) / _polynomial(_CENTRE[1], r)
    outer = np.sqrt(-log(np.where(q < 0.0, p, 1.0 - p)))
    shoulder = _polynomial(_SHOULDER[0], outer - 1.6) / _polynomial(_SHOULDER[1], outer - 1.6)
    tail = _polynomial(_TAIL[0], outer - 5.0) / _polynomial(_TAIL[1], outer - 5.0)
    wing = np.where(outer <= 5.0, shoulder, tail)
    return np.where(np.abs(q) <= 0.425, central, np.where(q < 0.0, -wing, wing))


def normal_cdf(x: Array) -> Array:
    """Probability that a standard normal variable falls below x.

    The complementary error function by its continued fraction outside |x| < 3 and by the Taylor
    series of the distribution function inside (Marsaglia 2004, Evaluating the Normal
    Distribution); absolute error below 1e-15.
    """
    inner = np.clip(x, -3.0, 3.0)
    square = inner * inner
    term = inner
    total = inner
    for n in range(3, 121, 2):
        term = term * square / n
        total = total + term
    density = exp(-0.5 * square) / 2.50662827463100050242
    central = 0.5 + total * density
    outer = np.clip(np.abs(x), 3.0, 37.0)
    fraction = outer
    for n in range(60, 0, -1):
        fraction = outer + n / fraction
    wing = exp(-0.5 * outer * outer) / 2.50662827463100050242 / fraction
    return np.where(np.abs(x) < 3.0, central, np.where(x < 0.0, wing, 1.0 - wing))
