"""The special functions that `ieee.py` computes itself are as accurate as their docstrings say.

`pytest tests/test_ieee.py -rP -k accurate` prints the largest errors and where they are.
"""

import inspect
import itertools
import math
import random

import mpmath
import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import ieee
from gradcompile.ops.table import TABLE
from tests.helpers.slow import slow_but

COUNT = 1_000
"""Points of each kind in the fast tests; there are four kinds."""


def points(count):
    """Positive numbers: about the zeros of lgamma and digamma, below where series begin, any."""
    rng = random.Random(count)
    near_zeros = [rng.uniform(1.0, 2.5) for _ in range(count)]
    recurrence = [rng.uniform(0.0, 15.0) for _ in range(count)]
    moderate = [10.0 ** rng.uniform(-5.0, 5.0) for _ in range(count)]
    any_size = [10.0 ** rng.uniform(-300.0, 300.0) for _ in range(count)]
    return [*near_zeros, *recurrence, *moderate, *any_size]


def worst(function, exact, ats, absolute):
    """The largest error, relative or below 1 absolute, and where it is."""
    largest, where = 0.0, None
    with mpmath.workdps(30):
        for x in ats:
            result, truth = float(function(x)), exact(mpmath.mpf(x))
            size = max(abs(truth), absolute)
            if size > 1e300 or size < 1e-300:  # over- or underflow says nothing of accuracy
                continue
            error = float(abs(result - truth) / size)
            if not error <= largest:
                largest, where = error, x
    return largest, where


def assert_accurate(name, count):
    """Is the error of a function below what its docstring says?"""
    for function, exact, ats, absolute, bound in CLAIMS[name](points(count)):
        error, where = worst(function, exact, ats, absolute)
        print(f"{name}: {error:.2e} at {where}, below {bound}")
        assert f"below {bound}" in inspect.getdoc(getattr(ieee, name)).replace("\n", " ")
        assert error < float(bound)
        assert error > float(bound) / 8, "the docstring claims too little"


def digamma_claim(ats):
    yield ieee.digamma, mpmath.digamma, ats, 1.0, "2e-15"


def lgamma_claim(ats):
    def exact(x):
        return mpmath.re(mpmath.loggamma(x))

    negative = [-x for x in ats if x < 1e5]
    yield ieee.lgamma, exact, [*ats, *negative], 1.0, "4e-15"


def polygamma_claim(ats):
    for n in range(1, 5):
        share = ats[n - 1 :: 4]
        yield (
            lambda x, n=n: ieee.polygamma(float(n), x),
            lambda x, n=n: mpmath.polygamma(n, x),
            share,
            0.0,
            "2e-15",
        )


def betaln_claim(ats):
    def exact(a):
        return mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)

    for b in (0.2, 6.5):  # of mpmath's 30 digits enough are left
        share = [x for x in ats if 1e-10 < x < 1e10][:: len(ats) // 400 + 1]
        yield lambda a, b=b: ieee.betaln(a, b), exact, share, 1.0, "8e-15"


def normal_tail(x):
    """The probability of a standard normal variable below x."""
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def ndtr_claim(ats):
    yield ieee.ndtr, normal_tail, [s * x for x in ats if x < 37.0 for s in (1, -1)], 0.0, "1e-15"


def log_ndtr_claim(ats):
    def exact(x):
        return mpmath.log(normal_tail(x)) if x < 0 else mpmath.log1p(-normal_tail(-x))

    shares = [s * x for x in ats if x < 1e4 for s in (1, -1)]
    yield ieee.log_ndtr, exact, shares, 0.0, "1e-15"


def quantile(p):
    """The normal quantile of a probability below 0.5, by Newton's method on its logarithm."""
    y = -mpmath.sqrt(-2 * mpmath.log(2 * p))
    for _ in range(100):
        below = normal_tail(y)
        step = (mpmath.log(below) - mpmath.log(p)) * below / mpmath.npdf(y)
        y -= step
        if abs(step) <= abs(y) * mpmath.mpf(10) ** -28:
            break
    return y


def ndtri_claim(ats):
    ps = [p for p in ats if p < 0.5]
    yield ieee.ndtri, quantile, ps[:: len(ps) // 300 + 1], 0.0, "1e-15"
    upper = [1.0 - p for p in ps if p > 1e-16]
    yield ieee.ndtri, lambda p: -quantile(1 - p), upper[:: len(upper) // 300 + 1], 0.0, "1e-15"


def erfinv_claim(ats):
    xs = [x for x in ats if x < 1.0]
    xs += [1.0 - x for x in xs if x > 1e-16]
    yield ieee.erfinv, mpmath.erfinv, xs[:: len(xs) // 300 + 1], 0.0, "1e-15"


def erfcx_claim(ats):
    def exact(x):
        return mpmath.exp(x * x) * mpmath.erfc(x)

    shares = [s * x for x in ats if x < 100.0 for s in (1, -1)]
    yield ieee.erfcx, exact, shares, 0.0, "1e-15"


def sinc_claim(ats):
    yield ieee.sinc, mpmath.sincpi, [x for x in ats if x < 1e5], 0.0, "1e-15"


CLAIMS = {
    "digamma": digamma_claim,
    "lgamma": lgamma_claim,
    "polygamma": polygamma_claim,
    "betaln": betaln_claim,
    "ndtr": ndtr_claim,
    "log_ndtr": log_ndtr_claim,
    "ndtri": ndtri_claim,
    "erfinv": erfinv_claim,
    "erfcx": erfcx_claim,
    "sinc": sinc_claim,
}


@pytest.mark.parametrize("count", slow_but([300], [300, COUNT]))
@pytest.mark.parametrize("name", CLAIMS)
def test_accurate(name, count):
    assert_accurate(name, count)


@pytest.mark.slow
@pytest.mark.parametrize("name", CLAIMS)
def test_accurate_densely(name):
    assert_accurate(name, 30_000)


def test_lgamma_is_that_of_cpython():
    for x in points(200):
        for at in (x, -x):
            try:
                expected = math.lgamma(at)
            except (OverflowError, ValueError):
                expected = math.inf
            assert float(ieee.lgamma(at)) == expected, at


def test_errors_of_an_ulp_or_two_are_measured():
    error, where = worst(lambda x: math.exp(x) * (1.0 + 2.0**-50), mpmath.exp, [1.0, 2.0], 0.0)
    assert 0.5e-15 < error < 1.5e-15
    assert where in (1.0, 2.0)
    assert worst(lambda x: math.nan, mpmath.exp, [1.0], 0.0)[1] == 1.0


SPECIAL = (0.0, -0.0, 1.5, -1.5, 2.0, -2.0, math.inf, -math.inf, math.nan, 1e300, 1e-320)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", ieee.FUNCTIONS)
def test_results_for_plain_floats_are_numpys(name):
    # Emitted text relies on it: with them 1.0 / 0.0 is inf, and raises nothing.
    op = TABLE[name]
    for at in itertools.product(SPECIAL, repeat=op.arity):
        assert type(getattr(ieee, name)(*at)) is np.float64, at


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(-1, -1, -1), (-1, 0, 0), (1, 1, 1), (1, -1, 1)],
)
def test_logaddexp_at_infinity(a, b, expected):
    for signs in ((a, b), (b, a)):
        result = ieee.logaddexp(*(sign * math.inf if sign else 2.0 for sign in signs))
        assert result == (expected * math.inf if expected else 2.0)


@pytest.mark.parametrize(("a", "expected"), [(-1.5, 1.5), (0.0, 0.0), (-math.inf, math.inf)])
@pytest.mark.parametrize("b", [math.nan, -math.nan, math.inf - math.inf])
def test_copysign_takes_a_nan_for_positive(a, b, expected):
    f = gdc.compile(lambda a, b: gdc.copysign(a, b), name="f")
    results = [ieee.copysign(a, b), f(a, b), f.value.python(a, b), gdc.copysign(a, b)]
    assert results == [expected] * 4
    assert all(math.copysign(1.0, result) == 1.0 for result in results)
