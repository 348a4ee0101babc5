"""Python's `math` with IEEE-754 results where `math` would raise.

Emitted code imports its functions from here. Under CPython each one computes with the C library's
`math` function and returns a `numpy.float64`, so that the arithmetic that follows is IEEE-754 too
(`1 / 0` is inf, `inf - inf` is nan). Under numba the same names stand for the same C functions
(`jit/` registers them), so both engines agree to the last bit.

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
    "erf", "erfc",
)  # fmt: skip
"""Functions taken from `math`, made total."""

NUMPY = ("floor", "ceil", "fmod", "hypot")
"""Functions taken from numpy: `math` gives integers for some, and has its own hypot."""

COMPUTED = ("logaddexp", "softplus", "lgamma", "digamma", "polygamma")
"""Functions written out below, of several operations each."""

WRITTEN = ("maximum", "minimum", "sign", "copysign", "stop_gradient", *COMPUTED)
"""All functions written out below; numba compiles the very same text."""

FUNCTIONS = MATH + NUMPY + WRITTEN
"""Every function that emitted code may import from here."""


def _total(name: str) -> Callable[..., float64]:
    direct = getattr(math, name)
    ieee = getattr(np, name, direct)  # numpy has no erf and erfc, which never raise

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
erf, erfc = map(_total, MATH[22:])
_copysign = _total("copysign")
floor, ceil, fmod, hypot = map(_total, NUMPY)


def maximum(a: float, b: float) -> float:
    """The larger of two numbers; nan if either is nan."""
    return float64(a if a > b or a != a else b)  # noqa: PLR0124


def minimum(a: float, b: float) -> float:
    """The smaller of two numbers; nan if either is nan."""
    return float64(a if a < b or a != a else b)  # noqa: PLR0124


def sign(x: float) -> float:
    """-1, 0 or 1 with the sign of `x`; nan for nan."""
    return float64(x if x == 0.0 or x != x else copysign(1.0, x))  # noqa: PLR0124


def copysign(a: float, b: float) -> float:
    """|a| with the sign of b; nan for a nan b, whose sign means nothing."""
    return _copysign(a, b) if b == b else float64(b)  # noqa: PLR0124


def stop_gradient(x: float) -> float:
    """`x`; derivatives take it for a constant."""
    return float64(x)


def logaddexp(a: float, b: float) -> float:
    """log(exp(a) + exp(b)) without overflow."""
    high = maximum(a, b)
    if not -inf < high < inf:
        return high
    return high + log1p(exp(-abs(a - b)))


def softplus(x: float) -> float:
    """log(1 + exp(x)) without overflow."""
    return maximum(x, 0.0) + log1p(exp(-abs(x)))


LANCZOS = 6.024680040776729583740234375
LANCZOS_ABOVE = (
    23531376880.410759688572007674451636754734846804940,
    42919803642.649098768957899047001988850926355848959,
    35711959237.355668049440185451547166705960488635843,
    17921034426.037209699919755754458931112671403265390,
    6039542586.3520280050642916443072979210699388420708,
    1439720407.3117216736632230727949123939715485786372,
    248874557.86205415651146038641322942321632125127801,
    31426415.585400194380614231628318205362874684987640,
    2876370.6289353724412254090516208496135991145378768,
    186056.26539522349504029498971604569928220784236328,
    8071.6720023658162106380029022722506138218516325024,
    210.82427775157934587250973392071336271166969580291,
    2.5066282746310002701649081771338373386264310793408,
)
LANCZOS_BELOW = (
    0.0, 39916800.0, 120543840.0, 150917976.0, 105258076.0, 45995730.0, 13339535.0, 2637558.0,
    357423.0, 32670.0, 1925.0, 66.0, 1.0,
)  # fmt: skip


def lgamma(x: float) -> float:
    """log(|gamma(x)|), exactly as CPython's `math.lgamma` computes it; inf at the poles.

    Lanczos' approximation (SIAM Journal on Numerical Analysis B 1, 1964) with the coefficients of
    Boost and CPython, and the reflection formula for negative x. The C library has another one,
    so that numba's own would differ from CPython's in the last digits. The error is below
    4e-15 * max(1, |result|).
    """
    if x != x or abs(x) == inf:  # noqa: PLR0124
        return float64(abs(x))
    if x == floor(x) and x <= 2.0:
        return float64(inf if x <= 0.0 else 0.0)
    size = abs(x)
    if size < 1e-20:
        return -log(size)
    above, below = 0.0, 0.0
    for i in range(len(LANCZOS_ABOVE)):
        if size < 5.0:
            above = above * size + LANCZOS_ABOVE[12 - i]
            below = below * size + LANCZOS_BELOW[12 - i]
        else:
            above = above / size + LANCZOS_ABOVE[i]
            below = below / size + LANCZOS_BELOW[i]
    result = log(above / below) - LANCZOS
    result += (size - 0.5) * (log(size + LANCZOS - 0.5) - 1.0)
    if x < 0.0:
        result = log(pi) - log(abs(_sinpi(size))) - log(size) - result
    return result


def _sinpi(x: float) -> float:
    """sin(pi * x) for x >= 0, without the rounding of pi * x."""
    y = fmod(x, 2.0)
    n = floor(2.0 * y + 0.5)
    if n == 0.0:
        return sin(pi * y)
    if n == 1.0:
        return cos(pi * (y - 0.5))
    if n == 2.0:
        return sin(pi * (1.0 - y))
    if n == 3.0:
        return -cos(pi * (y - 1.5))
    return sin(pi * (y - 2.0))


def digamma(x: float) -> float:
    """The derivative of log(gamma(x)); nan at the poles 0, -1, -2, ...

    Asymptotic series (Abramowitz and Stegun, 6.3.18) from x = 10 on, reached by the recurrence
    6.3.5, with the reflection 6.3.7 for negative x. The error is below 2e-15 * max(1, |result|)
    for x > 0.
    """
    result = 0.0
    if x <= 0.0:
        if x == floor(x):
            return float64(nan)
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
        return float64(nan)
    if x < -1000.0 or (x <= 0.0 and x == floor(x)):
        return float64(nan)
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
