"""Roots of residuals, against closed forms, mpmath's roots and jax's implicit derivatives."""

import math
from dataclasses import dataclass

import mpmath
import numba
import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.autodiff.reverse import reverse
from gradcompile.graph.replay import replay
from gradcompile.own.slopes import MAX_ORDER
from gradcompile.passes import run_passes
from tests.helpers.lowering import program_of
from tests.own.derivatives import derivatives

cube_root = gdc.implicit(lambda y, x: y * y * y - x, start=lambda x: 1.0 + x / 3.0)

kepler = gdc.implicit(
    lambda anomaly, mean, e: anomaly - e * gdc.sin(anomaly) - mean, start=lambda mean, e: mean
)

crossing = gdc.implicit(
    lambda y, a, b: [y[0] ** 2 + y[1] - a, y[0] * y[1] - b], start=[1.0, 1.3], steps=9
)
"""Of a parabola and a hyperbola."""


def test_against_a_closed_form():
    f = gdc.compile(lambda x: cube_root(x) * x)
    assert f(8.0) == pytest.approx(16.0, rel=1e-15)
    assert f.grad(8.0).x == pytest.approx(2.0 + 8.0 / 12.0, rel=1e-14)


def test_derivatives_of_higher_order():
    found = derivatives(cube_root, 0.7, MAX_ORDER)
    with mpmath.workdps(60):
        expected = [float(mpmath.diff(mpmath.cbrt, 0.7, n)) for n in range(1, MAX_ORDER + 1)]
    assert found == pytest.approx(expected, rel=1e-11)


def test_against_differences_of_roots():
    f = gdc.compile(lambda mean, e: gdc.cos(kepler(mean, e)))

    def exact(mean, e):
        return mpmath.cos(mpmath.findroot(lambda y: y - e * mpmath.sin(y) - mean, mean))

    at = (1.0, 0.3)
    with mpmath.workdps(50):
        expected = [float(mpmath.diff(exact, at, orders)) for orders in ((1, 0), (0, 1))]
    assert [*f.grad(*at)] == pytest.approx(expected, rel=1e-13)


@pytest.mark.peers
def test_against_jax():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy

    def root(a, b):
        def residual(y):
            return jnp.stack([y[0] ** 2 + y[1] - a, y[0] * y[1] - b])

        def newton(f, y):
            for _ in range(12):
                y = y - jnp.linalg.solve(jax.jacfwd(f)(y), f(y))
            return y

        def linear(g, y):
            return jnp.linalg.solve(jax.jacfwd(g)(y), y)

        return jax.lax.custom_root(residual, jnp.array([1.0, 1.3]), newton, linear)

    expected = jax.grad(lambda a, b: root(a, b)[0] * root(a, b)[1] ** 2, (0, 1))
    f = gdc.compile(lambda a, b: crossing(a, b)[0] * crossing(a, b)[1] ** 2)
    assert [*f.grad(3.5, 2.0)] == pytest.approx([float(x) for x in expected(3.5, 2.0)], rel=1e-12)
    assert f.verify().ok


def test_numbers_and_values():
    assert kepler(1.0, 0.0) == 1.0
    assert cube_root(27.0) == pytest.approx(3.0, rel=1e-15)
    x = Value(8.0)
    cube_root(x).backward()
    assert x.grad == pytest.approx(1.0 / 12.0, rel=1e-14)


def test_a_root_of_any_structure():
    @dataclass
    class Point:
        x: object
        y: object

    circle = gdc.implicit(
        lambda p, r, angle: {"on": p.x**2 + p.y**2 - r * r, "at": p.y - p.x * gdc.tan(angle)},
        start=lambda r, angle: Point(r, r * 0.5),
    )
    f = gdc.compile(lambda r, angle: circle(r, angle).x)
    assert f(2.0, 0.6) == pytest.approx(2.0 * math.cos(0.6), rel=1e-14)
    expected = [math.cos(0.6), -2.0 * math.sin(0.6)]
    assert [*f.grad(2.0, 0.6)] == pytest.approx(expected, rel=1e-13)


def test_a_solver_of_ones_own():
    def halving(x):
        low, high = 0.0, x + 1.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            is_below = middle * middle * middle < x
            low, high = gdc.where(is_below, middle, low), gdc.where(is_below, high, middle)
        return 0.5 * (low + high)

    own = gdc.implicit(lambda y, x: y * y * y - x, start=halving, steps=1)
    f = gdc.compile(lambda x: own(x))
    value, (slope,) = f.value_and_grad(8.0)
    assert value == pytest.approx(2.0, rel=1e-15)
    assert slope == pytest.approx(1.0 / 12.0, rel=1e-15)
    assert derivatives(own, 0.7, 2)[1] == pytest.approx(-2 / 9 * 0.7 ** (-5 / 3), rel=1e-12)


def test_a_solver_that_numba_compiled():
    @numba.njit
    def solver(x):
        y = 1.0
        while abs(y * y * y - x) > 1e-12 * abs(x):
            y -= (y * y * y - x) / (3.0 * y * y)
        return y

    own = gdc.implicit(lambda y, x: y * y * y - x, start=solver, steps=2)
    f = gdc.compile(lambda x: own(x) * x)
    value, (slope,) = f.value_and_grad(8.0)
    assert (value, slope) == pytest.approx((16.0, 2.0 + 8.0 / 12.0), rel=1e-14)
    assert own(8.0) == pytest.approx(2.0, rel=1e-15)
    assert f.verify().ok


@pytest.mark.parametrize("steps", [2, 4])
def test_its_slopes_are_proved_wherever_the_steps_end(steps):
    own = gdc.implicit(lambda y, x: y * y * y - x, start=1.0, steps=steps)
    f = gdc.compile(lambda x: own(x) * x)
    assert "stop_gradient" in f.source
    assert "with_slope" not in f.source
    assert f.verify().ok


@pytest.mark.slow
def test_rows():
    f = gdc.compile(lambda e, mean: kepler(mean, e), batched="mean", reduce="sum")
    mean = np.linspace(0.1, 3.0, 23)
    roots = np.array([kepler(float(x), 0.3) for x in mean])
    expected = (np.sin(roots) / (1.0 - 0.3 * np.cos(roots))).sum()
    assert f.grad(0.3, mean).e == pytest.approx(expected, rel=1e-12)


def test_a_singular_slope_is_not_finite():
    own = gdc.implicit(lambda y, x: y * y - x, start=0.0, steps=1)
    value, (slope,) = gdc.compile(lambda x: own(x)).value_and_grad(4.0)
    assert not math.isfinite(value)
    assert not math.isfinite(slope)


@pytest.mark.slow
def test_in_loops():
    f = gdc.compile(lambda e, mean: gdc.sum([kepler(mean[k], e) for k in range(60)]))
    mean = np.linspace(0.1, 3.0, 60)
    roots = np.array([kepler(float(x), 0.3) for x in mean])
    slopes = 1.0 / (1.0 - 0.3 * np.cos(roots))
    gradient = f.grad(0.3, mean)
    assert gradient.e == pytest.approx((np.sin(roots) * slopes).sum(), rel=1e-12)
    assert gradient.mean == pytest.approx(slopes, rel=1e-12)
    assert len(f.source.splitlines()) < 60
    assert "stop_gradient(stop_gradient(" not in f.source


@pytest.mark.slow
def test_second_derivatives_are_those_of_the_text_of_the_first():
    slope = reverse(run_passes(program_of(cube_root, "x")), [0], keep_value=False)
    f = gdc.compile(lambda x: replay(slope, [x])[0])
    value, (second,) = f.value_and_grad(2.0)
    assert (value, second) == pytest.approx((2 ** (-2 / 3) / 3, -2 / 9 * 2 ** (-5 / 3)))
    assert f.verify().ok


# --- what is wrong is said -----------------------------------------------------------------------


def test_as_many_equations_as_the_root_has_numbers():
    own = gdc.implicit(lambda y, x: [y - x, y + x], start=1.0)
    with pytest.raises(ValueError, match="expected 1 numbers, as many as the root has, got 2"):
        own(1.0)


def test_steps():
    with pytest.raises(ValueError, match=r"steps: expected 1 or more, got 0"):
        gdc.implicit(lambda y, x: y - x, start=1.0, steps=0)
    with pytest.raises(TypeError, match=r"steps: expected an int, got float 2.5"):
        gdc.implicit(lambda y, x: y - x, start=1.0, steps=2.5)
    with pytest.raises(TypeError, match=r"residual: expected a function, got float"):
        gdc.implicit(1.0, start=1.0)


def test_a_residual_of_the_arguments_alone():
    own = gdc.implicit(lambda y, x: 1.0, start=1.0)
    with pytest.raises(ValueError, match="the residual does not depend on the root"):
        own(1.0)
    assert gdc.implicit(lambda y, x: y, start=1.0)(3.0) == 0.0


def test_what_a_residual_or_a_rule_reads_is_an_argument():
    def outer(x, a):
        return gdc.implicit(lambda y, x: y * y - a * x, start=1.0)(x)

    with pytest.raises(gdc.TraceError, match="a traced value that is not among its arguments"):
        gdc.compile(outer)(1.0, 2.0)

    def scaled(x, a):
        return gdc.custom(gdc.exp, jvp=lambda p, t: a * t[0])(x)

    with pytest.raises(gdc.TraceError, match="a traced value that is not among its arguments"):
        gdc.compile(scaled)(1.0, 2.0)
