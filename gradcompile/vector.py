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
rounded once, so nothing here may be compiled with `reassoc` or `contract`; `jit.py` sees to that,
also for what is inlined into a loop that has these flags.
"""

import functools
import math
import struct
from collections.abc import Callable
from math import copysign, inf, nan

from numpy import float64

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
"""What `jit.py` gives an instruction for; everything else here is compiled from its text."""


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
    """y * 2**k for an integer k, by two factors: rounded once where the result is subnormal."""
    half = _nearest(0.5 * k)
    return y * _two_to(half) * _two_to(k - half)


# --- exponentials --------------------------------------------------------------------------------

LOG2_E = 1.4426950408889634
LN2_HIGH = 6.93147180369123816490e-01  # 32 bits, so that k * LN2_HIGH is exact
LN2_LOW = 1.90821492927058770002e-10


def _exp_tail(r: float) -> float:
    """(exp(r) - 1 - r) / r**2 for |r| <= log(2) / 2."""
    return 0.5000000000000012 + r * (
        0.166666666666667 + r * (
        0.041666666666515376 + r * (
        0.008333333333307194 + r * (
        0.001388888894702813 + r * (
        0.00019841269917405077 + r * (
        2.480148992871512e-05 + r * (
        2.7557216281924127e-06 + r * (
        2.7631285427773474e-07 + r * 2.5117867042589112e-08))))))))  # fmt: skip


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
    """e to the power of x.

    Cody and Waite's reduction to |r| <= log(2) / 2, a polynomial of degree 11 by `tests/remez.py`.

    >>> float(exp(-745.0))
    5e-324
    """
    x = where(x < -746.0, -746.0, where(x > 710.0, 710.0, x))
    k = _nearest(x * LOG2_E)
    return _scaled(_exp_of_rest(x, k), k)


@_public
def expm1(x: float) -> float:
    """exp(x) - 1, with all digits near zero.

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
    """The hyperbolic tangent.

    Below 0.625 the rational function of Cephes, above 1 - 2 / (exp(2x) + 1); one division for both.

    >>> float(tanh(1.0))
    0.7615941559557649
    """
    a = abs(x)
    z = a * a
    small = a < 0.625
    e = _exp_normal(where(a > 22.0, 44.0, a + a))
    above = (-9.64399179425052238628e-1 * z - 9.92877231001918586564e1) * z - 1.61468768441708447952e3
    below = ((z + 1.12811678491632931402e2) * z + 2.23548839060100448583e3) * z + 4.84406305325125486048e3
    fraction = where(small, a * z * above, -2.0) / where(small, below, e + 1.0)
    return copysign(where(small, a, 1.0) + fraction, x)


@_public
def sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)), with all digits in both tails.

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
    """The natural logarithm; -inf at 0, nan below.

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
    """log(1 + x), with all digits near zero.

    The logarithm of the rounded sum u = 1 + x, plus what rounding lost as a part of u.

    >>> float(log1p(1e-300)), float(log1p(-1.0))
    (1e-300, -inf)
    """
    y = where(x == 0.0, x, where(x < inf, _log1p_finite(x), x))
    return where(x > -1.0, y, where(x == -1.0, -inf, nan))


@_public
def softplus(x: float) -> float:
    """log(1 + exp(x)) without overflow, with all digits in both tails.

    >>> float(softplus(0.0)), float(softplus(1000.0))
    (0.6931471805599453, 1000.0)
    """
    t = where(abs(x) > 746.0, -746.0, -abs(x))
    k = _nearest(t * LOG2_E)
    return where(x < 0.0, 0.0, x) + _log1p_finite(_scaled(_exp_of_rest(t, k), k))


# --- special functions and roots -----------------------------------------------------------------


def _erf_tail(z: float) -> float:
    """erf(x) / x - 1 of z = x**2 for |x| <= 1."""
    return 0.12837916709551256 + z * (
        -0.3761263890318352 + z * (
        0.11283791670944185 + z * (
        -0.026866170643111465 + z * (
        0.00522397760611844 + z * (
        -0.0008548325929313305 + z * (
        0.00012055293576889376 + z * (
        -1.4924712302285218e-05 + z * (
        1.644713158008276e-06 + z * (
        -1.6206313859999103e-07 + z * (
        1.3710980952796773e-08 + z * -7.779469688196642e-10))))))))))  # fmt: skip


def _log_erfc(x: float) -> float:
    """-log(1 - erf(x)) for 1 <= x <= 6."""
    return 1.081774401225283e-06 + x * (
        1.128368549076044 + x * (
        0.6366682553354898 + x * (
        0.10263592824911325 + x * (
        -0.01886237670931454 + x * (
        -0.0005878892512212022 + x * (
        0.0021024390208506175 + x * (
        -0.0009226393111245924 + x * (
        0.00023218788341454707 + x * (
        -2.8682775764638486e-05 + x * (
        -3.3749474018175545e-06 + x * (
        2.6106231844062525e-06 + x * (
        -6.753638008448118e-07 + x * (
        1.0643189531266489e-07 + x * (
        -1.07261786502347e-08 + x * (
        6.410648094167579e-10 + x * -1.7403118048320282e-11)))))))))))))))  # fmt: skip


@_public
def erf(x: float) -> float:
    """The error function.

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


FUNCTIONS = ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "erf", "sqrt")
"""Every function that emitted code may import from here."""
