"""Tables as functions, against numpy's and scipy's."""

import math
import pickle

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value
from tests.own.derivatives import derivatives

X = [0.0, 1.0, 3.0, 3.5, 7.0]
Y = [0.0, 10.0, 12.0, -1.0, 2.0]


def table(count):
    rng = np.random.default_rng(count)
    x = np.cumsum(rng.uniform(0.5, 1.5, count)) - 0.5 * count
    return x, np.sin(x) + 0.1 * rng.normal(size=count)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 40])
def test_against_numpy_and_scipy(count):
    interpolation = pytest.importorskip("scipy.interpolate")
    x, y = table(count)
    at = np.linspace(x[0] - 1.0, x[-1] + 1.0, 203)
    assert gdc.interpolate(x, y)(at) == pytest.approx(np.interp(at, x, y), rel=1e-13, abs=1e-13)
    spline = interpolation.CubicSpline(x, y)
    own = gdc.interpolate(x, y, "cubic")
    assert own(at) == pytest.approx(spline(at), rel=1e-10, abs=1e-10)
    f = gdc.compile(lambda x: own(x))
    assert [f.grad(t).x for t in at[::7]] == pytest.approx(spline(at[::7], 1), rel=1e-9, abs=1e-9)


def test_derivatives_of_every_order():
    interpolation = pytest.importorskip("scipy.interpolate")
    spline, own = interpolation.CubicSpline(X, Y), gdc.interpolate(X, Y, kind="cubic")
    expected = [float(spline(2.2, n)) for n in (1, 2, 3)] + [0.0]
    assert derivatives(own, 2.2, 4) == pytest.approx(expected, rel=1e-12)
    assert derivatives(gdc.interpolate(X, Y), 2.2, 2) == [1.0, 0.0]


@pytest.mark.parametrize("kind", ["linear", "cubic"])
def test_at_knots_and_beyond(kind):
    own = gdc.interpolate(X, Y, kind)
    assert [own(x) for x in X] == pytest.approx(Y, abs=1e-13)
    assert math.isnan(own(math.nan))
    f = gdc.compile(lambda x: own(x))
    for engine in (f.value_and_grad, f.value_and_grad.python):
        (value, (slope,)), (at_nan, _) = engine(7.0), engine(math.nan)
        assert value == pytest.approx(2.0)
        assert bool(slope == 0.0) is (kind == "linear")
        assert math.isnan(at_nan)


def test_beyond_the_knots_a_linear_table_is_constant():
    f = gdc.compile(lambda x: own(x))
    own = gdc.interpolate(X, Y)
    found = [f.value_and_grad(x) for x in (-5.0, 0.0, 9.0, math.inf, -math.inf)]
    values = [(0.0, (0.0,)), (0.0, (10.0,)), (2.0, (0.0,)), (2.0, (0.0,)), (0.0, (0.0,))]
    assert found == values


def test_the_text_of_many_knots_is_short():
    x, y = table(1000)
    own = gdc.interpolate(x, y, "cubic")
    f = gdc.compile(lambda a, b: own(a * b) * b)
    f.grad(0.5, 0.3)
    assert len(f.source.splitlines()) < 20
    assert f.verify().ok


def test_rows_and_arrays():
    own = gdc.interpolate(X, Y)
    f = gdc.compile(lambda w, x: own(w * x), batched="x", reduce="sum")
    x = np.linspace(-1.0, 4.0, 101) + 1e-3
    inside = np.interp(2.0 * x, X, Y)
    assert f(2.0, x) == pytest.approx(inside.sum(), rel=1e-12)
    g = gdc.compile(lambda x: own(x).sum())
    assert g.grad(np.array([0.5, 2.0, 9.0])).x.tolist() == [10.0, 1.0, 0.0]


def test_it_pickles():
    own = gdc.interpolate(X, Y, kind="cubic")
    f = gdc.compile(lambda x: own(x) * x)
    assert pickle.loads(pickle.dumps((f, f.grad(2.2))))[0].grad(2.2) == f.grad(2.2)


def test_values():
    x = Value(0.5)
    gdc.interpolate(X, Y)(x).backward()
    assert x.grad == 10.0


@pytest.mark.parametrize(
    ("xs", "ys", "says"),
    [
        ([0.0, 1.0, 1.0], [0.0, 1.0, 2.0], r"increase, got 1 and then 1 at place 2"),
        ([1.0, 0.0], [0.0, 1.0], r"increase, got 1 and then 0 at place 1"),
        ([0.0, 1.0], [0.0], r"as many ys as xs, got 2 xs and 1 ys"),
        ([0.0], [0.0], r"two points or more, got 1"),
        ([0.0, math.nan], [0.0, 1.0], r"xs: expected finite numbers, got nan at place 1"),
        ([0.0, 1.0], [math.inf, 1.0], r"ys: expected finite numbers, got inf at place 0"),
        ([[0.0, 1.0]], [0.0, 1.0], r"xs: expected a vector, got shape \(1, 2\)"),
    ],
)
def test_what_is_no_table(xs, ys, says):
    with pytest.raises(ValueError, match=says):
        gdc.interpolate(xs, ys)


def test_what_is_no_number_or_kind():
    with pytest.raises(TypeError, match=r"ys: expected a vector of numbers"):
        gdc.interpolate([0.0, 1.0], ["a", "b"])
    with pytest.raises(ValueError, match=r"kind: expected 'linear' or 'cubic', got 'quadratic'"):
        gdc.interpolate(X, Y, kind="quadratic")
