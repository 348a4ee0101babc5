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

NUMPY = ("floor", "ceil", "trunc", "rint", "fmod", "hypot")
"""Functions taken from numpy: `math` gives integers for some, and has its own hypot."""

COMPUTED = (
    "logaddexp", "softplus", "lgamma", "digamma", "polygamma", "betaln",
    "remainder", "floor_divide", "sinc", "sinc_slope", "xlogy", "xlog1py", "entr", "logit",
    "erfcx", "ndtr", "log_ndtr", "ndtri", "erfinv",
)  # fmt: skip
"""Functions written out below, of several operations each."""

HELPERS = ("_sinpi", "_cospi", "_exp_of_square", "_ratio", "_quantile", "_stirling")
"""What only these functions call."""

EXACT = ("ndtr", "_exp_of_square")
"""Of all these, what adds up roundings: machine code must keep its order."""

WRITTEN = ("maximum", "minimum", "sign", "copysign", "heaviside", "stop_gradient", *COMPUTED)
"""All functions written out below; numba compiles the very same text."""

FUNCTIONS = MATH + NUMPY + WRITTEN
"""Every function that emitted code may import from here."""


def _total(name: str) -> Callable[..., float64]:
    direct = getattr(math, name, None) or getattr(np, name)
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
floor, ceil, trunc, rint, fmod, hypot = map(_total, NUMPY)


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
    """|a| with the sign of b; |a| for a nan b, whose sign means nothing."""
    return _copysign(a, b if b == b else 1.0)  # noqa: PLR0124


def heaviside(x: float, h: float) -> float:
    """0 for negative `x`, 1 for positive, `h` for 0; nan for nan."""
    if x == 0.0:
        return float64(h)
    return float64(x > 0.0) if x == x else float64(x)  # noqa: PLR0124


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
    """The derivative of log(gamma(x)); -inf at 0, inf at -0, and nan at the poles -1, -2, ...

    Asymptotic series (Abramowitz and Stegun, 6.3.18) from x = 10 on, reached by the recurrence
    6.3.5, with the reflection 6.3.7 for negative x. The error is below 2e-15 * max(1, |result|)
    for x > 0.
    """
    result = 0.0
    if x <= 0.0:
        if x == 0.0:
            return copysign(inf, -x)
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
    if x == 0.0:
        return float64(inf) if n % 2.0 == 1.0 else copysign(inf, -x)
    if x < -1000.0 or (x < 0.0 and x == floor(x)):
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


HALF_LOG_2PI = 0.91893853320467274178032973640561764


def betaln(a: float, b: float) -> float:
    """log(|beta(a, b)|), the logarithm of gamma(a) * gamma(b) / gamma(a + b).

    For large operands by the differences of Stirling's series, in which nothing large cancels
    (DiDonato and Morris, ACM Transactions on Mathematical Software 18, 1992). The error is below
    8e-15 * max(1, |result|) for positive operands. It is inf at the poles, but for those where
    gamma(a + b) has one, too, and an operand is a positive integer: there it is the limit along it.
    """
    low, high = minimum(a, b), maximum(a, b)
    if low <= 0.0 and low == floor(low):
        if high > 0.0 and high == floor(high) and low + high <= 0.0:
            return lgamma(1.0 - low - high) + lgamma(high) - lgamma(1.0 - low)
        return float64(inf)
    if not (low > 0.0 and 10.0 <= high < inf):
        return lgamma(low) + lgamma(high) - lgamma(low + high)
    part = low / high
    if low < 10.0:
        rest = _stirling(high) - _stirling(low + high)
        total = low - low * log(low + high) - (high - 0.5) * log1p(part) + rest
        return lgamma(low) + total
    rest = _stirling(low) + _stirling(high) - _stirling(low + high)
    small = (low - 0.5) * log(part / (1.0 + part)) - high * log1p(part)
    return float64(HALF_LOG_2PI - 0.5 * log(high) + small + rest)


def _stirling(x: float) -> float:
    """What Stirling's formula leaves of log(gamma(x)), for x >= 10."""
    r = 1.0 / x / x
    series = 1 / 1260 - r * (1 / 1680 - r * (1 / 1188 - r * (691 / 360360 - r / 156)))
    return float64((1 / 12 - r * (1 / 360 - r * series)) / x)


def remainder(a: float, b: float) -> float:
    """What is left of a division that is rounded down: Python's a % b; nan for b = 0."""
    rest = fmod(a, b)
    if rest == 0.0:
        return copysign(0.0, b)
    return rest + b if (rest < 0.0) != (b < 0.0) and rest == rest else rest  # noqa: PLR0124


def floor_divide(a: float, b: float) -> float:
    """A division that is rounded down before it is rounded to a float: Python's a // b."""
    if b == 0.0:
        return float64(a) / b
    rest = fmod(a, b)
    quotient = (a - rest) / b
    if rest != 0.0 and (rest < 0.0) != (b < 0.0):
        quotient -= 1.0
    if quotient == 0.0:
        return copysign(0.0, a / b)
    whole = floor(quotient)
    return whole + 1.0 if quotient - whole > 0.5 else whole


def sinc(x: float) -> float:
    """sin(pi * x) / (pi * x), and 1 for x = 0. The relative error is below 1e-15."""
    size = abs(x)
    return float64(1.0) if size < 1e-9 else _sinpi(size) / (pi * size)


def sinc_slope(x: float) -> float:
    """The derivative of sinc(x), by its series where the formula would cancel."""
    size = abs(x)
    if not size < 0.5:
        return (_cospi(size) - sinc(size)) / x
    y = pi * size * (pi * size)
    term, total = -1 / 3, 0.0
    for k in range(1, 11):
        total += term
        term *= -y / ((2 * k + 3) * 2 * k)
    return float64(pi * pi * x * total)


def _cospi(x: float) -> float:
    """cos(pi * x) for x >= 0, without the rounding of pi * x."""
    y = fmod(x, 2.0)
    n = floor(2.0 * y + 0.5)
    if n == 0.0:
        return cos(pi * y)
    if n == 1.0:
        return sin(pi * (0.5 - y))
    if n == 2.0:
        return -cos(pi * (1.0 - y))
    if n == 3.0:
        return sin(pi * (y - 1.5))
    return cos(pi * (y - 2.0))


def xlogy(a: float, b: float) -> float:
    """Multiply a * log(b); 0 for a = 0, whatever the logarithm is."""
    return float64(0.0) if a == 0.0 and b == b else a * log(b)  # noqa: PLR0124


def xlog1py(a: float, b: float) -> float:
    """Multiply a * log(1 + b); 0 for a = 0, whatever the logarithm is."""
    return float64(0.0) if a == 0.0 and b == b else a * log1p(b)  # noqa: PLR0124


def entr(x: float) -> float:
    """-x * log(x), and 0 for x = 0; -inf for negative x."""
    if x == 0.0:
        return float64(0.0)
    return float64(-inf) if x < 0.0 else -x * log(x)


def logit(x: float) -> float:
    """log(x / (1 - x)), without the loss of digits near x = 0.5."""
    if 0.3 < x < 0.7:
        twice = 2.0 * (x - 0.5)
        return log1p(twice) - log1p(-twice)
    return log(float64(x) / (1.0 - x)) if x != 1.0 else float64(inf)


# --- the normal distribution -----------------------------------------------------------------

SQRT_HALF = 0.70710678118654752440
SQRT_HALF_HIGH = 0.7071067690849304  # of 26 bits
SQRT_HALF_LOW = 1.2101617152815436e-08
SQRT_HALF_REST = -4.833646656726457e-17


def _exp_of_square(x: float, factor: float) -> float:
    """exp(factor * x**2) for a factor of few bits and |x| < 1e8, without the rounding of x**2."""
    high = floor(x * 1048576.0) / 1048576.0
    low = x - high
    return exp(factor * high * high) * exp(factor * low * (x + high))


def erfcx(x: float) -> float:
    """exp(x**2) * erfc(x), also where that is 0 times infinity.

    From x = 25 on by the asymptotic series (Abramowitz and Stegun, 7.1.23). The relative error is
    below 1e-15.
    """
    if x < 25.0:
        return _exp_of_square(x, 1.0) * erfc(x) if x > -27.0 else float64(inf)
    r = 0.5 / (x * x)
    series = 1.0 - 7.0 * r * (1.0 - 9.0 * r * (1.0 - 11.0 * r * (1.0 - 13.0 * r)))
    return float64((1.0 - r * (1.0 - 3.0 * r * (1.0 - 5.0 * r * series))) / x / sqrt(pi))


def ndtr(x: float) -> float:
    """The probability of a standard normal variable below x: erfc(-x / sqrt(2)) / 2.

    In the left tail erfc is steep, so what the rounding of x / sqrt(2) left away is put in again.
    The relative error is below 1e-15.
    """
    z = -x * SQRT_HALF
    if not 1.0 < z < 28.0:
        return 0.5 * erfc(z)
    high = floor(x * 1048576.0) / 1048576.0
    low = x - high
    rest = high * SQRT_HALF_LOW + low * SQRT_HALF_HIGH + (low * SQRT_HALF_LOW + x * SQRT_HALF_REST)
    error = (high * SQRT_HALF_HIGH + z) + rest
    return 0.5 * erfc(z) * (1.0 + error * (2.0 * z + 1.0 / z))


def log_ndtr(x: float) -> float:
    """log(ndtr(x)), also where ndtr(x) is too small or too close to 1 for a float.

    The relative error is below 1e-15.
    """
    if x > 0.0:
        return log1p(-ndtr(-x))
    return log(ndtr(x)) if x > -5.0 else log(0.5 * erfcx(-x * SQRT_HALF)) - 0.5 * x * x


QUANTILE_MIDDLE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
     4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
     1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
     2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
     4.2313330701600911252e1, 1.0),
)  # fmt: skip
QUANTILE_TAIL = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
     1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
     4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
     1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
     2.05319162663775882187e0, 1.0),
)  # fmt: skip
QUANTILE_FAR = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
     2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
     5.46378491116411436990e0, 6.65790464350110377720e0),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
     7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
     5.99832206555887937690e-1, 1.0),
)  # fmt: skip


def ndtri(p: float) -> float:
    """The number below which a standard normal variable is with probability p; the inverse of ndtr.

    nan for what is no probability. The relative error is below 1e-15.
    """
    return _quantile(p - 0.5, minimum(p, 1.0 - p))


def erfinv(x: float) -> float:
    """The inverse of erf; nan outside of [-1, 1]. The relative error is below 1e-15."""
    return SQRT_HALF * _quantile(0.5 * x, 0.5 * (1.0 - abs(x)))


def _quantile(q: float, tail: float) -> float:
    """The normal quantile of the probability 0.5 + q, where `tail` is what is beyond it.

    By rational functions (Wichura's AS 241, Applied Statistics 37, 1988).
    """
    if not tail > 0.0:
        return copysign(inf, q) if tail == 0.0 else float64(nan)
    if abs(q) <= 0.425:
        return q * _ratio(QUANTILE_MIDDLE[0], QUANTILE_MIDDLE[1], 0.180625 - q * q)
    r = sqrt(-log(tail))
    if r <= 5.0:
        return copysign(_ratio(QUANTILE_TAIL[0], QUANTILE_TAIL[1], r - 1.6), q)
    return copysign(_ratio(QUANTILE_FAR[0], QUANTILE_FAR[1], r - 5.0), q)


def _ratio(above: tuple[float, ...], below: tuple[float, ...], x: float) -> float:
    """The ratio of two polynomials of one degree, coefficients of high powers first."""
    top, bottom = 0.0, 0.0
    for i in range(len(above)):
        top = top * x + above[i]
        bottom = bottom * x + below[i]
    return float64(top / bottom)
