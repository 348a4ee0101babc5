"""Elementary functions without branches, which LLVM turns into vector code inside loops.

A call of the C library costs 7 to 25 ns in every round of a loop. Here the same functions are
arithmetic alone: an argument reduction, a polynomial, and `where`, which computes both sides and
takes one. So a loop over them becomes a loop over 2, 4 or 8 numbers at a time. Emitted code imports
them by name; CPython runs this very text, and numba compiles it, with equal bits in both:

    >>> from gradcompile.vector import exp, log, tanh
    >>> float(exp(1.0)), float(log(0.0)), float(tanh(-0.0))
    (2.718281828459045, -inf, -0.0)

Every function is total, as those of `ieee.py` are: no number raises. Errors are given in ulp (units
in the last place of the result), as measured by `tests/test_vector.py` against mpmath; the sources
of the formulas are in docs/vector-math.md. The error bounds hold as long as every operation is
rounded once, so nothing here may be compiled with `reassoc` or `contract`; `jit/` sees to that,
also for what is inlined into a loop that has these flags.
"""

import functools
import math
import struct
from collections.abc import Callable
from math import copysign, inf, nan

from numpy import array, float64

# --- what machine code has instructions for ------------------------------------------------------


def bits(x: float) -> int:
    """The 64 bits of a number, as an integer: a bit cast in machine code.

    >>> hex(bits(1.0))
    '0x3ff0000000000000'
    """
    (n,) = struct.unpack("<q", struct.pack("<d", x))
    return int(n)


def from_bits(n: int) -> float:
    """The number with these bits, of which the lowest 64 count: a bit cast in machine code.

    >>> from_bits(0x3FF << 52)
    1.0
    """
    (x,) = struct.unpack("<d", struct.pack("<Q", n & 0xFFFF_FFFF_FFFF_FFFF))
    return float(x)


def where(c: bool, a: float, b: float) -> float:
    """`a` if `c` else `b`, both computed: a select in machine code, never a branch.

    >>> where(True, 1.0, 2.0)
    1.0
    """
    return a if c else b


INTRINSIC = ("bits", "from_bits", "where")
"""What `jit/meanings.py` has an instruction for."""


def _public(function: Callable[..., float]) -> Callable[..., float64]:
    """What CPython calls: plain floats inside, which never warn, and a `float64` outside.

    The arithmetic of the caller has IEEE-754 results then, as with the functions of `ieee.py`.
    Machine code has float64 everywhere and is made of the function itself.
    """

    @functools.wraps(function)
    def total(*operands: float) -> float64:
        return float64(function(*map(float, operands)))

    return total


# --- integers in the low bits of a float ---------------------------------------------------------

MAGIC = 6755399441055744.0
"""1.5 * 2**52: numbers of this size have no fraction, so adding it rounds to an integer."""

BIASED = MAGIC + 1023.0
"""The same with an exponent's bias: the low bits of BIASED + k are the exponent of 2**k."""


def _nearest(x: float) -> float:
    """The nearest integer, of two the even one, for |x| < 2**51."""
    return (x + MAGIC) - MAGIC


def _two_to(k: float) -> float:
    """2**k for an integer k between -1022 and 1023, and 0 for -1023."""
    return from_bits(bits(k + BIASED) << 52)


def _scaled(y: float, k: float) -> float:
    """Y * 2**k for an integer k, by two factors: rounded once where the result is subnormal."""
    half = _nearest(0.5 * k)
    return y * _two_to(half) * _two_to(k - half)


# --- exponentials --------------------------------------------------------------------------------

LOG2_E = 1.4426950408889634
LN2_HIGH = 6.93147180369123816490e-01  # 32 bits, so that k * LN2_HIGH is exact
LN2_LOW = 1.90821492927058770002e-10


def _exp_tail(r: float) -> float:
    """(exp(r) - 1 - r) / r**2 for |r| <= log(2) / 2."""
    w = r * r
    even = 0.5000000000000012 + w * (
        0.041666666666515376 + w * (
        0.001388888894702813 + w * (
        2.480148992871512e-05 + w * 2.7631285427773474e-07)))  # fmt: skip
    odd = 0.166666666666667 + w * (
        0.008333333333307194 + w * (
        0.00019841269917405077 + w * (
        2.7557216281924127e-06 + w * 2.5117867042589112e-08)))  # fmt: skip
    return even + r * odd


def _exp_of_rest(x: float, k: float) -> float:
    """exp(x - k * log(2)), where k is the integer nearest to x / log(2)."""
    high = x - k * LN2_HIGH
    low = k * LN2_LOW
    r = high - low
    return 1.0 + (r + (((high - r) - low) + r * r * _exp_tail(r)))


def _exp_normal(x: float) -> float:
    """exp(x) for |x| < 708."""
    k = _nearest(x * LOG2_E)
    return _exp_of_rest(x, k) * _two_to(k)


@_public
def exp(x: float) -> float:
    """E to the power of x, to 1 ulp.

    Cody and Waite's reduction to |r| <= log(2) / 2, a polynomial of degree 11 by `tests/remez.py`.

    >>> float(exp(-745.0))
    5e-324
    """
    x = where(x < -746.0, -746.0, where(x > 710.0, 710.0, x))
    k = _nearest(x * LOG2_E)
    return _scaled(_exp_of_rest(x, k), k)


@_public
def expm1(x: float) -> float:
    """exp(x) - 1, to 1.5 ulp, also near zero.

    The reduction of `exp`; the sum 2**k * (1 - 2**-k + r + ...) keeps what its largest terms lose.

    >>> float(expm1(1e-300))
    1e-300
    """
    t = where(x < -40.0, -40.0, where(x > 710.0, 710.0, x))
    k = _nearest(t * LOG2_E)
    high = t - k * LN2_HIGH
    low = k * LN2_LOW
    r = high - low
    one = 1.0 - _two_to(where(k > 1000.0, -1000.0, -k))
    total = one + r
    rest = (r - (total - one)) + (((high - r) - low) + r * r * _exp_tail(r))
    return where(x == 0.0, x, _scaled(total + rest, k))


@_public
def tanh(x: float) -> float:
    """The hyperbolic tangent, to 1.5 ulp.

    Below 0.625 the rational function of Cephes, above 1 - 2 / (exp(2x) + 1); one division for both.

    >>> float(tanh(1.0))
    0.7615941559557649
    """
    a = abs(x)
    z = a * a
    small = a < 0.625
    e = _exp_normal(where(a > 22.0, 44.0, a + a))
    above = (
        -9.64399179425052238628e-1 * z - 9.92877231001918586564e1
    ) * z - 1.61468768441708447952e3
    below = (
        (z + 1.12811678491632931402e2) * z + 2.23548839060100448583e3
    ) * z + 4.84406305325125486048e3
    fraction = where(small, a * z * above, -2.0) / where(small, below, e + 1.0)
    return copysign(where(small, a, 1.0) + fraction, x)


@_public
def sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)), to 2 ulp, in both tails.

    By exp(-|x|), so that nothing overflows; what the rounded sum 1 + exp(-|x|) lost is put back.

    >>> float(sigmoid(-745.0))
    5e-324
    """
    t = where(abs(x) > 746.0, -746.0, -abs(x))
    k = _nearest(t * LOG2_E)
    e = _scaled(_exp_of_rest(t, k), k)
    total = 1.0 + e
    lost = e - (total - 1.0)
    y = where(x < 0.0, e, 1.0) / total
    return y - y * (lost * where(x < 0.0, 1.0 - y, y))


# --- logarithms ----------------------------------------------------------------------------------

ONE = 0x3FF0_0000_0000_0000
SQRT_HALF = 0x3FE6_A09E_0000_0000
MANTISSA = 0x000F_FFFF_FFFF_FFFF
TWO_TO_52 = 4503599627370496.0
EXPONENT = 0x4330_0000_0000_0000  # the bits of 2**52: a small integer in its low bits is added


def _log_normal(x: float, k: float, c: float) -> float:
    """log(x * 2**k) + c for a normal x > 0 and a small c.

    x is 2**k * m with m between sqrt(1/2) and sqrt(2); log(m) by the series in (m - 1) / (m + 1).
    """
    i = bits(x) + (ONE - SQRT_HALF)
    k = (from_bits((i >> 52 & 0x7FF) | EXPONENT) - (TWO_TO_52 + 1023.0)) + k
    f = from_bits((i & MANTISSA) + SQRT_HALF) - 1.0
    s = f / (2.0 + f)
    z = s * s
    series = z * (6.666666666666735130e-01 + z * (
        3.999999999940941908e-01 + z * (
        2.857142874366239149e-01 + z * (
        2.222219843214978396e-01 + z * (
        1.818357216161805012e-01 + z * (
        1.531383769920937332e-01 + z * 1.479819860511658591e-01))))))  # fmt: skip
    half = 0.5 * f * f
    return k * LN2_HIGH - ((half - (s * (half + series) + (k * LN2_LOW + c))) - f)


@_public
def log(x: float) -> float:
    """The natural logarithm, to 1 ulp; -inf at 0, nan below.

    The formula and the coefficients of fdlibm's `e_log.c`.

    >>> float(log(5e-324))
    -744.4400719213812
    """
    tiny = x < 2.2250738585072014e-308
    y = _log_normal(where(tiny, x * 18014398509481984.0, x), where(tiny, -54.0, 0.0), 0.0)
    return where(x > 0.0, where(x < inf, y, x), where(x == 0.0, -inf, nan))


def _log1p_finite(x: float) -> float:
    """log(1 + x) for -1 < x < inf; the sign of zero is lost."""
    u = 1.0 + x
    v = u - 1.0
    lost = (1.0 - (u - v)) + (x - v)
    u = where(x > -1.0, u, 1.0)
    return _log_normal(u, 0.0, lost / u)


@_public
def log1p(x: float) -> float:
    """log(1 + x), to 1 ulp, also near zero.

    The logarithm of the rounded sum u = 1 + x, plus what rounding lost as a part of u.

    >>> float(log1p(1e-300)), float(log1p(-1.0))
    (1e-300, -inf)
    """
    y = where(x == 0.0, x, where(x < inf, _log1p_finite(x), x))
    return where(x > -1.0, y, where(x == -1.0, -inf, nan))


@_public
def softplus(x: float) -> float:
    """log(1 + exp(x)) without overflow, to 2 ulp, in both tails.

    max(x, 0) + log1p(exp(-|x|)).

    >>> float(softplus(0.0)), float(softplus(1000.0))
    (0.6931471805599453, 1000.0)
    """
    t = where(abs(x) > 746.0, -746.0, -abs(x))
    k = _nearest(t * LOG2_E)
    return where(x < 0.0, 0.0, x) + _log1p_finite(_scaled(_exp_of_rest(t, k), k))


# --- powers --------------------------------------------------------------------------------------


def _high(x: float) -> float:
    """The upper half of a number: products of two such halves are exact."""
    return from_bits(bits(x) & ~0xFFFF_FFFF)


def _pow_positive(a: float, y: float) -> float:
    """a**y for finite a > 0 and |y| <= 2**64: 2**(y * log2(a)), the exponent as a sum of two.

    fdlibm's `e_pow.c`, each branch a `where`; its last step is the polynomial of `exp`.
    """
    tiny = a < 2.2250738585072014e-308
    i = bits(where(tiny, a * 18014398509481984.0, a))
    m = from_bits((i & MANTISSA) | ONE)
    n = from_bits((i >> 52 & 0x7FF) | EXPONENT) - where(tiny, 54.0 + 1023.0, 1023.0) - TWO_TO_52
    # log2(a) = n + log2(base) + log2(m / base), with the last one small.
    base = where(m < 1.2247448713915890, 1.0, where(m < 1.7320508075688772, 1.5, 1.0))
    n = n + where(m < 1.7320508075688772, 0.0, 1.0)
    m = where(m < 1.7320508075688772, m, 0.5 * m)
    base_high = where(base > 1.25, 5.84962487220764160156e-01, 0.0)
    base_low = where(base > 1.25, 1.35003920212974897128e-08, 0.0)
    # s = (m - base) / (m + base) as a sum of two
    u, v = m - base, 1.0 / (m + base)
    s = u * v
    s_high = _high(s)
    t_high = _high(m + base)
    t_low = m - (t_high - base)
    s_low = v * ((u - s_high * t_high) - s_high * t_low)
    # log(m / base) = 2 s + 2/3 s**3 + ..., here times 3 / 2 and without one factor of s
    z = s * s
    w = z * z
    even = 5.99999999999994648725e-01 + w * (
        3.33333329818377432918e-01 + w * 2.30660745775561754067e-01)  # fmt: skip
    odd = 4.28571428578550184252e-01 + w * (
        2.72728123808534006489e-01 + w * 2.06975017800338417784e-01)  # fmt: skip
    series = w * (even + z * odd) + s_low * (s_high + s)
    z = s_high * s_high
    t_high = _high(3.0 + z + series)
    t_low = series - ((t_high - 3.0) - z)
    u = s_high * t_high
    v = s_low * t_high + t_low * s
    p_high = _high(u + v)
    p_low = v - (p_high - u)
    # times 2 / (3 log(2)), as a sum of two, and plus the rest of log2(a)
    z_high = 9.61796700954437255859e-01 * p_high
    z_low = -7.02846165095275826516e-09 * p_high + p_low * 9.61796693925975554329e-01 + base_low
    t_high = _high(((z_high + z_low) + base_high) + n)
    t_low = z_low - (((t_high - n) - base_high) - z_high)
    y_high = _high(y)
    p_low = (y - y_high) * t_high + y * t_low
    p_high = y_high * t_high
    return _exp2_sum(p_high, p_low)


def _exp2_sum(high: float, low: float) -> float:
    """2**(high + low), where |low| is much smaller."""
    total = high + low
    low = where(abs(total) < 1200.0, low, 0.0)
    high = where(total < -1200.0, -1200.0, where(total > 1200.0, 1200.0, high))
    k = _nearest(high + low)
    high = high - k
    t = _high(low + high)
    u = t * 6.93147182464599609375e-01
    v = (low - (t - high)) * 6.93147180559945286227e-01 + t * -1.90465429995776804525e-09
    r = u + v
    return _scaled(1.0 + (r + ((v - (r - u)) + r * r * _exp_tail(r))), k)


@_public
def pow(x: float, y: float) -> float:
    """X to the power of y, to 1 ulp, with the special cases of annex F of C99.

    So 0**0 is 1, and a root of a negative number is nan. The formulas of fdlibm's `e_pow.c`.

    >>> float(pow(-2.0, 3.0)), float(pow(0.0, 0.0)), float(pow(-1.0, 0.5))
    (-8.0, 1.0, nan)
    """
    a, b = abs(x), abs(y)
    limited = where(y > 1.8446744073709552e19, 1.8446744073709552e19, y)
    limited = where(y < -1.8446744073709552e19, -1.8446744073709552e19, limited)
    power = _pow_positive(where(a < inf, a, 1.0), limited)
    power = where(a == 0.0, where(y > 0.0, 0.0, inf), power)
    power = where(a == inf, where(y > 0.0, inf, 0.0), power)
    # Of a large number all digits are before the point; then it is even.
    fraction = where(b < TWO_TO_52, b - ((b + TWO_TO_52) - TWO_TO_52), 0.0)
    half = 0.5 * b
    odd = where(b < 2.0 * TWO_TO_52, half - ((half + TWO_TO_52) - TWO_TO_52), 0.0)
    sign = where(fraction == 0.0, where(odd == 0.0, 1.0, copysign(1.0, x)), 1.0)
    root = where(x < 0.0, where(a < inf, fraction, 0.0), 0.0)
    power = where(root == 0.0, sign * power, nan)
    power = where(x == x, where(y == y, power, nan), nan)  # noqa: PLR0124
    return where(y == 0.0, 1.0, where(x == 1.0, 1.0, power))


# --- sine and cosine -----------------------------------------------------------------------------

MAX_NEAR_ANGLE = 1647099.0
"""2**20 quarter turns; from here on the reduction needs more of pi."""

TWO_OVER_PI = 0.6366197723675814
TWO_OVER_PI_DIGITS = array([
    0xA2F983, 0x6E4E44, 0x1529FC, 0x2757D1, 0xF534DD, 0xC0DB62, 0x95993C, 0x439041,
    0xFE5163, 0xABDEBB, 0xC561B7, 0x246E3A, 0x424DD2, 0xE00649, 0x2EEA09, 0xD1921C,
    0xFE1DEB, 0x1CB129, 0xA73EE8, 0x8235F5, 0x2EBB44, 0x84E99C, 0x7026B4, 0x5F7E41,
    0x3991D6, 0x398353, 0x39F49C, 0x845F8B, 0xBDF928, 0x3B1FF8, 0x97FFDE, 0x05980F,
    0xEF2F11, 0x8B5A0A, 0x6D1F6D, 0x367ECF, 0x27CB09, 0xB74F46, 0x3F669E, 0x5FEA2D,
    0x7527BA, 0xC7EBE5, 0xF17B3D, 0x0739F7, 0x8A5292, 0xEA6BFB, 0x5FB11F, 0x8D5D08,
    0x560330, 0x46FC7B, 0x6BABF0, 0xCFBC20,
])  # fmt: skip
"""2 / pi in digits of 24 bits."""


def _lost(total: float, a: float, b: float) -> float:
    """What rounding lost in total = a + b, exactly (Knuth's two-sum)."""
    c = total - a
    return (a - (total - c)) + (b - c)


def _sine(r: float, rest: float, quarter: int) -> float:
    """sin(r + rest + quarter * pi / 2) for |r| <= pi / 4 and a rest that is lost in r.

    The polynomials of fdlibm's `k_sin.c` and `k_cos.c`.
    """
    z = r * r
    w = z * z
    odd = (8.33333333332248946124e-03 + z * -1.98412698298579493134e-04) + w * (
        (2.75573137070700676789e-06 + z * -2.50507602534068634195e-08)
        + w * 1.58969099521155010221e-10
    )
    v = z * r
    sine = r - ((z * (0.5 * rest - v * odd) - rest) - v * -1.66666666666666324348e-01)
    even = z * (4.16666666666666019037e-02 + z * -1.38888888888741095749e-03) + (w * z) * (
        (2.48015872894767294178e-05 + z * -2.75573143513906633035e-07)
        + w * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)
    )
    half = 0.5 * z
    one = 1.0 - half
    cosine = one + (((1.0 - one) - half) + (z * even - r * rest))
    y = where(quarter & 1 == 0, sine, cosine)
    return from_bits(bits(y) ^ ((quarter & 2) << 62))


def _sine_near(x: float, turns: int) -> float:
    """sin(x + turns * pi / 2) for |x| <= MAX_NEAR_ANGLE; the sign of zero is lost.

    Cody and Waite's reduction with pi / 2 in three parts of 33 bits and a rest: products of a part
    with a number of 20 bits are exact.
    """
    t = x * TWO_OVER_PI + MAGIC
    n = t - MAGIC
    a = x - n * 1.57079632673412561417e00
    b = n * -6.07710050630396597660e-11
    c = n * -2.02226624871116645580e-21
    r = a + b
    q = r + c
    rest = (_lost(q, r, c) + n * -8.47842766036889956997e-32) + _lost(r, a, b)
    r = q + rest
    return _sine(r, (q - r) + rest, bits(t) + turns)


def _sine_far(x: float, turns: int) -> float:
    """sin(x + turns * pi / 2) for finite |x| > MAX_NEAR_ANGLE, by the reduction of Payne and Hanek.

    x * 2 / pi is multiplied as in school, in digits of 24 bits, leaving out digits that only add
    multiples of 4. Digits are between -2**23 and 2**23, so the first one rounds to the nearest.
    """
    n = bits(x)
    place = (n >> 52 & 0x7FF) - (1075 - 48)
    shift, first = place % 24, place // 24 - 3
    whole = (n & MANTISSA) | (1 << 52)
    a = (whole & 0xFFFFFF) << shift
    b = ((whole >> 24 & 0xFFFFFF) << shift) + (a >> 24)
    c = ((whole >> 48) << shift) + (b >> 24)
    carry, digit, high, low = 0, 0, 0.0, 0.0
    for k in range(first + 9, first - 1, -1):
        high, low = high / 16777216.0, low / 16777216.0
        total = carry + (a & 0xFFFFFF) * _digit(k) + (b & 0xFFFFFF) * _digit(k + 1)
        total += c * _digit(k + 2)
        digit = ((total + 0x800000) & 0xFFFFFF) - 0x800000
        carry = (total - digit) >> 24
        if k > first:
            before = high
            high = before + digit
            low += _lost(high, before, float(digit))
    # times pi / 2, as a sum of two
    half = _high(high)
    product = high * 1.5707963267948966
    lost = ((half * 1.570796012878418 - product) + half * 3.13916478589249e-07) + (
        (high - half) * 1.570796012878418 + (high - half) * 3.13916478589249e-07
    )
    rest = lost + (high * 6.123233995736766e-17 + low * 1.5707963267948966)
    r = product + rest
    rest = (product - r) + rest
    if x < 0.0:
        return _sine(-r, -rest, turns - digit)
    return _sine(r, rest, turns + digit)


def _digit(k: int) -> int:
    return int(TWO_OVER_PI_DIGITS[k]) if k >= 0 else 0


def sin_far(x: float) -> float:
    """The sine of |x| > MAX_NEAR_ANGLE."""
    return _sine_far(x, 0) if abs(x) < inf else nan


def cos_far(x: float) -> float:
    """The cosine of |x| > MAX_NEAR_ANGLE."""
    return _sine_far(x, 1) if abs(x) < inf else nan


def sin_or(x: float, y: float) -> float:
    """`y`, or the sine of x where |x| is above MAX_NEAR_ANGLE.

    The one branch here. Machine code takes it once for all numbers of a vector
    (`jit/rare_calls.py`), so it costs next to nothing.
    """
    return sin_far(x) if abs(x) > MAX_NEAR_ANGLE else y


def cos_or(x: float, y: float) -> float:
    """`y`, or the cosine of x where |x| is above MAX_NEAR_ANGLE."""
    return cos_far(x) if abs(x) > MAX_NEAR_ANGLE else y


RARE = {"sin_or": "sin_far", "cos_or": "cos_far"}
"""What `jit/meanings.py` makes a rare call of, and the function that is called."""


@_public
def sin(x: float) -> float:
    """The sine, to 0.8 ulp, also of the largest numbers.

    Cody and Waite's reduction up to MAX_NEAR_ANGLE and that of Payne and Hanek beyond, where each
    number takes some 40 ns; the polynomials of fdlibm.

    >>> float(sin(0.5)), float(sin(1e300))
    (0.479425538604203, -0.8178819121159085)
    """
    return sin_or(x, where(x == 0.0, x, _sine_near(x, 0)))


@_public
def cos(x: float) -> float:
    """The cosine, to 0.8 ulp, also of the largest numbers; the method is that of `sin`.

    >>> float(cos(0.5)), float(cos(1e300))
    (0.8775825618903728, -0.5753861119575491)
    """
    return cos_or(x, _sine_near(x, 1))


# --- special functions and roots -----------------------------------------------------------------


def _erf_tail(z: float) -> float:
    """erf(x) / x - 1 of z = x**2 for |x| <= 1."""
    w = z * z
    even = 0.12837916709551256 + w * (
        0.11283791670944185 + w * (
        0.00522397760611844 + w * (
        0.00012055293576889376 + w * (
        1.644713158008276e-06 + w * 1.3710980952796773e-08))))  # fmt: skip
    odd = -0.3761263890318352 + w * (
        -0.026866170643111465 + w * (
        -0.0008548325929313305 + w * (
        -1.4924712302285218e-05 + w * (
        -1.6206313859999103e-07 + w * -7.779469688196642e-10))))  # fmt: skip
    return even + z * odd


def _log_erfc(x: float) -> float:
    """-log(1 - erf(x)) for 1 <= x <= 6."""
    w = x * x
    even = 1.081774401225283e-06 + w * (
        0.6366682553354898 + w * (
        -0.01886237670931454 + w * (
        0.0021024390208506175 + w * (
        0.00023218788341454707 + w * (
        -3.3749474018175545e-06 + w * (
        -6.753638008448118e-07 + w * (
        -1.07261786502347e-08 + w * -1.7403118048320282e-11)))))))  # fmt: skip
    odd = 1.128368549076044 + w * (
        0.10263592824911325 + w * (
        -0.0005878892512212022 + w * (
        -0.0009226393111245924 + w * (
        -2.8682775764638486e-05 + w * (
        2.6106231844062525e-06 + w * (
        1.0643189531266489e-07 + w * 6.410648094167579e-10))))))  # fmt: skip
    return even + x * odd


@_public
def erf(x: float) -> float:
    """The error function, to 1.5 ulp.

    Below 1 an odd polynomial, above 1 - exp(-p(x)); both polynomials by `tests/remez.py`.

    >>> float(erf(0.5))
    0.5204998778130465
    """
    a = abs(x)
    near = a + a * _erf_tail(a * a)
    far = 1.0 - _exp_normal(-_log_erfc(where(a > 6.0, 6.0, a)))
    return copysign(where(a < 1.0, near, far), x)


@_public
def sqrt(x: float) -> float:
    """The square root, correctly rounded; nan below zero.

    >>> float(sqrt(-0.0)), float(sqrt(-1.0))
    (-0.0, nan)
    """
    return math.sqrt(where(x < 0.0, nan, x))


FUNCTIONS = (
    "exp", "expm1", "log", "log1p", "pow", "sqrt",
    "tanh", "sigmoid", "softplus", "erf", "sin", "cos",
)  # fmt: skip
"""Every function that emitted code may import from here."""
