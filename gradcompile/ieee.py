"""Python's `math` with IEEE-754 results where `math` would raise.

Emitted code imports its functions from here. Under CPython each one computes with the C library's
`math` function and returns a `numpy.float64`, so that the arithmetic that follows is IEEE-754 too
(`1 / 0` is inf, `inf - inf` is nan). Under numba the same names stand for the same C functions
(`jit.py` registers them), so both engines agree to the last bit.

    >>> from gradcompile.ieee import exp, log
    >>> float(exp(1000.0)), float(log(0.0))
    (inf, -inf)
"""

import math
from collections.abc import Callable
from math import inf, nan, pi

import numpy as np
from numpy import float64

MATH = (
    "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sqrt", "cbrt",
    "sin", "cos", "tan", "asin", "acos", "atan", "atan2",
    "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
    "erf", "erfc", "lgamma", "copysign",
)  # fmt: skip
"""Functions taken from `math`, made total."""

NUMPY = ("floor", "ceil", "fmod", "hypot")
"""Functions taken from numpy: `math` gives integers for some, and has its own hypot."""

COMPUTED = ("logaddexp", "softplus", "digamma", "polygamma")
"""Functions written out below, of several operations each."""

WRITTEN = ("maximum", "minimum", "sign", "stop_gradient", *COMPUTED)
"""All functions written out below; numba compiles the very same text."""

FUNCTIONS = MATH + NUMPY + WRITTEN
"""Every function that emitted code may import from here."""


def _total(name: str) -> Callable[..., float64]:
    direct = getattr(math, name)
    # numpy has no erf, erfc, lgamma; the first two never raise, the last only where it is inf.
    ieee = getattr(np, name, lambda *operands: inf)

    def function(*operands: float) -> float64:
        try:
            return float64(direct(*operands))
        except (ValueError, OverflowError):
            return quiet(*operands)

    def quiet(*operands: float) -> float64:
        # numpy answers nan or inf where math raises, after a warning that nobody needs here.
        with np.errstate(all="ignore"):
            return float64(ieee(*operands))

    if name in NUMPY:
        function = quiet

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`{name}` of the C library, with the IEEE-754 result for every operand."
    return function


exp, exp2, expm1, log, log1p, log2, log10, sqrt, cbrt = map(_total, MATH[:9])
sin, cos, tan, asin, acos, atan, atan2 = map(_total, MATH[9:16])
sinh, cosh, tanh, asinh, acosh, atanh = map(_total, MATH[16:22])
erf, erfc, lgamma, copysign = map(_total, MATH[22:])
floor, ceil, fmod, hypot = map(_total, NUMPY)


def maximum(a: float, b: float) -> float:
    """The larger of two numbers; nan if either is nan."""
    return a if a > b or a != a else b  # noqa: PLR0124


def minimum(a: float, b: float) -> float:
    """The smaller of two numbers; nan if either is nan."""
    return a if a < b or a != a else b  # noqa: PLR0124


def sign(x: float) -> float:
    """-1, 0 or 1 with the sign of `x`; nan for nan."""
    return x if x == 0.0 or x != x else copysign(1.0, x)  # noqa: PLR0124


def stop_gradient(x: float) -> float:
    """`x`; derivatives take it for a constant."""
    return x


def logaddexp(a: float, b: float) -> float:
    """log(exp(a) + exp(b)) without overflow."""
    high = maximum(a, b)
    if not -inf < high < inf:
        return high
    return high + log1p(exp(-abs(a - b)))


def softplus(x: float) -> float:
    """log(1 + exp(x)) without overflow."""
    return maximum(x, 0.0) + log1p(exp(-abs(x)))


def digamma(x: float) -> float:
    """The derivative of log(gamma(x)); nan at the poles 0, -1, -2, ...

    Asymptotic series (Abramowitz and Stegun, 6.3.18) from x = 10 on, reached by the recurrence
    6.3.5, with the reflection 6.3.7 for negative x. The error is below 5e-16 * max(1, |result|)
    for x > 0.
    """
    result = 0.0 * x
    if x <= 0.0:
        if x == floor(x):
            return nan
        # Near 0 from below, x - floor(x) would round to 1.
        result = -pi / tan(pi * (x if x > -0.5 else x - floor(x)))
        x = 1.0 - x
    while x < 10.0:
        result -= 1.0 / x
        x += 1.0
    r = 1.0 / (x * x)
    series = 1 / 132 - r * (691 / 32760 - r / 12)
    series = 1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r * series)))
    return result + log(x) - 0.5 / x - r * series


BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
"""The Bernoulli numbers B2, B4, ..., B16."""


def polygamma(n: float, x: float) -> float:
    """The n-th derivative of digamma; nan at its poles and below x = -1000.

    The order n is one of 0, 1, 2, ..., 170; for any other the result is nan.

    Asymptotic series (Abramowitz and Stegun, 6.4.11) from x = 10 + n on, reached by the recurrence
    6.4.6. The relative error is below 2e-15 for x > 0 and n <= 4.
    """
    if n == 0.0:
        return digamma(x)
    if not 0.0 < n <= 170.0 or n != floor(n):
        return nan
    if x < -1000.0 or (x <= 0.0 and x == floor(x)):
        return nan
    # Powers by products, which overflow to inf where ** would raise for plain floats.
    factorial = 1.0  # (n - 1)!
    for i in range(1, int(n)):
        factorial *= i
    shifted = 0.0
    while x < 10.0 + n:
        power = 1.0 / x
        for _ in range(int(n)):
            power /= x
        shifted += power
        x += 1.0
    term = factorial
    for _ in range(int(n)):
        term /= x
    total = term + 0.5 * term * n / x + factorial * n * shifted
    for k in range(len(BERNOULLI)):
        term *= (2 * k + n) * (2 * k + 1 + n) / ((2 * k + 1) * (2 * k + 2)) / (x * x)
        total += BERNOULLI[k] * term
    return float64(total if n % 2.0 == 1.0 else -total)
