"""Numerical slopes: as exact as they say, at every operation and at hard places."""

import math

import mpmath
import numpy as np
import pytest

import gradcompile as gdc
from gradcompile.ir.program import Instruction, Program, Var
from gradcompile.ops import functions, table
from gradcompile.verify import slopes
from gradcompile.verify.slopes import numerical_slopes, rounding_errors
from tests.helpers.oracles import meaning, samples

DIFFERENTIABLE = [op for op in table.TABLE.values() if any(op.partials)]


def single(op):
    """The program of one operation, none of its operands a constant."""
    inputs = tuple(Var(name) for name in op.operand_names)
    result = Var("y")
    return Program(op.name, inputs, (Instruction(result, op, inputs),), (result,))


# --- every operation -----------------------------------------------------------------------------


@pytest.mark.parametrize("op", table.TABLE.values(), ids=lambda op: op.name)
def test_operations_on_arrays_are_those_on_floats(op):
    points = np.array([*samples(op, 20), *samples(op, 20, seed=1)] or [[1.5]])
    (result,) = slopes._run(single(op), points.T, slopes.REAL)
    expected = [op.evaluate(*point) for point in points.tolist()]
    np.testing.assert_allclose(result, expected, rtol=1e-15, atol=1e-300)


@pytest.mark.parametrize("op", table.TABLE.values(), ids=lambda op: op.name)
def test_operations_on_arrays_of_odd_numbers(op):
    odd = [0.0, -0.0, 1.0, -1.5, 1e300, -1e300, 5e-324, math.inf, -math.inf, math.nan]
    points = np.array([odd[k:] + odd[:k] for k in range(op.arity)])
    with np.errstate(all="ignore"):
        (result,) = slopes._run(single(op), points, slopes.REAL)
    expected = [op.evaluate(*point) for point in points.T.tolist()]
    np.testing.assert_allclose(result, expected, rtol=1e-14)


def exact_slope(op, point, index):
    function = meaning(op)

    def along(x):
        at = list(map(mpmath.mpf, point))
        at[index] = x
        return function(*at)

    with mpmath.workdps(50):
        return float(mpmath.diff(along, mpmath.mpf(point[index])))


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_slopes_of_every_operation(op):
    for point in samples(op, 6):
        slots = np.array([k for k, partial in enumerate(op.partials) if partial])
        method, values, errors = numerical_slopes(single(op), np.array(point), slots)
        digits = 1e-12 if method == "complex step" else 1e-7
        for index, value, error in zip(slots.tolist(), values, errors, strict=True):
            exact = exact_slope(op, point, index)
            assert abs(value - exact) <= error + 1e-15 * abs(exact), point
            assert error <= digits * max(1.0, abs(exact)), point


REAL = (
    "max", "min", "abs", "if", "sign", "erf", "gamma", "fmod", "remainder", "xlog", "entr", "logit",
    "sinc", "ndtr", "betaln", "heaviside",
)  # fmt: skip
"""What appears in the expressions of operations that have no complex form here."""


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_the_method_fits_the_operation(op):
    point = np.array(samples(op, 1)[0])
    method = numerical_slopes(single(op), point, np.arange(op.arity)).method
    real = any(text in op.expression for text in REAL)
    assert method == ("central differences" if real else "complex step")


# --- hard places ---------------------------------------------------------------------------------


def slopes_of(function, *at):
    """The numerical slopes of a function of numbers."""
    program = gdc.compile(function).arguments.read(at, {}).traced.program
    return numerical_slopes(program, np.array(at), np.arange(len(at)))


SMOOTH = {
    "a large argument": (lambda x: gdc.exp(abs(x)), 700.0, math.exp(700.0)),
    "a tiny argument": (lambda x: gdc.log(abs(x)), 1e-12, 1e12),
    "a tiny argument in a large sum": (lambda x: gdc.sin(abs(x)) + 1.0, 1e-3, math.cos(1e-3)),
    "a tiny result": (lambda x: 1e-200 * abs(x), 1.0, 1e-200),
    "a huge result": (lambda x: 1e200 * abs(x), 1.0, 1e200),
    "a fast oscillation": (lambda x: abs(gdc.sin(1e6 * x)), 1.0, -1e6 * math.cos(1e6)),
    "a kink close by": (gdc.relu, 1e-9, 1.0),
    "a jump close by": (lambda x: gdc.floor(x) + x, 2.0 + 1e-6, 1.0),
    "a root": (lambda x: abs(x) ** 0.5, 1e-300, 5e149),
    "a flat end": (gdc.erf, 30.0, 0.0),
    "a power of a negative number": (lambda x: x**3, -2.0, 12.0),
    "nothing": (lambda x: x * 0.0, 3.0, 0.0),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_slopes_of_many_sizes(name):
    function, at, exact = SMOOTH[name]
    _, (value,), (error,) = slopes_of(function, at)
    assert abs(value - exact) <= error + 1e-15 * abs(exact)
    assert error <= 1e-4 * (abs(exact) or 1e-8)


HARD = {
    "cancellation": (lambda x: (1e16 + abs(x)) - 1e16, 1.3, 1.0),
    "too fast an oscillation": (lambda x: abs(gdc.sin(1e15 * x)), 1.0, 1e15),
    "a jump": (gdc.floor, 2.0, 0.0),
    "a jump at 0": (lambda x: gdc.sign(x) + x, 0.0, 1.0),
    "an infinite slope": (gdc.cbrt, 0.0, math.inf),
    "the edge of a domain": (gdc.sqrt, 0.0, math.inf),
    "outside of a domain": (gdc.log, -1.0, -1.0),
    "a pole": (lambda x: 1.0 / x, 0.0, -math.inf),
    "nan": (lambda x: x * math.nan, 1.0, math.nan),
}


@pytest.mark.parametrize("name", HARD)
def test_what_cannot_be_known_is_not_claimed(name):
    function, at, slope = HARD[name]
    _, (value,), (error,) = slopes_of(function, at)
    assert error == math.inf or abs(value - slope) <= error


@pytest.mark.parametrize(
    ("function", "at", "left", "right"),
    [
        (gdc.relu, 0.0, 0.0, 1.0),
        (abs, 0.0, -1.0, 1.0),
        (lambda x: gdc.maximum(x, 3.0 - 2.0 * x), 1.0, -2.0, 1.0),
        (lambda x: gdc.clip(x, 0.0, 1.0) * 1e6, 1.0, 1e6, 0.0),
    ],
)
def test_at_a_kink_the_error_spans_both_slopes(function, at, left, right):
    _, (value,), (error,) = slopes_of(function, at)
    low, high = sorted((left, right))
    assert value - error <= low + 1e-6 * abs(low)
    assert value + error >= high - 1e-6 * abs(high)
    assert error <= 1.01 * (high - low)


@pytest.mark.parametrize(
    ("function", "at", "exact"),
    [
        (lambda x: gdc.where(x != 0.0, gdc.sin(x) / x, 1.0), 0.0, 0.0),
        (lambda x: gdc.where(x > 0.0, gdc.log(x), 0.0), -1.0, 0.0),
        (lambda x: gdc.relu(x) * x, 0.0, 0.0),
        (lambda x: gdc.where(x > 1.0, x, x * x), 0.5, 1.0),
    ],
)
def test_branches_that_join_smoothly_are_no_kinks(function, at, exact):
    _, (value,), (error,) = slopes_of(function, at)
    assert abs(value - exact) <= error <= 1e-9


def test_rounding_errors_show_cancellation():
    program = gdc.compile(lambda x: (1e8 + x) - 1e8).arguments.read((1.0,), {}).traced.program
    (error,) = rounding_errors(program, np.array([1.0]))
    assert 1e-9 < error < 1e-5
    assert 0.0 < rounding_errors(single(table.exp), np.array([1.0]))[0] < 1e-13


def test_large_programs_are_run_in_parts(monkeypatch):
    x = np.linspace(-1.0, 1.0, 50)
    program = gdc.compile(lambda x: functions.logsumexp(x)).arguments.read((x,), {}).traced.program
    whole = numerical_slopes(program, x, np.arange(50))
    monkeypatch.setattr(slopes, "MAX_NUMBERS_KEPT", 500)
    parts = numerical_slopes(program, x, np.arange(50))
    np.testing.assert_array_equal(whole.values, parts.values)
    np.testing.assert_allclose(whole.values, functions.softmax(x), rtol=1e-14)


def test_a_deep_program_needs_no_recursion():
    inputs, y = (Var("x"),), Var("x")
    instructions = [Instruction(y := Var(), table.sin, (inputs[0],))]
    for _ in range(5_000):
        instructions.append(Instruction(new := Var(), table.sin, (y,)))
        y = new
    program = Program("deep", inputs, tuple(instructions), (y,))
    slope, angle = 1.0, 1.0
    for _ in instructions:
        slope, angle = slope * math.cos(angle), math.sin(angle)
    values = numerical_slopes(program, np.array([1.0]), np.array([0])).values
    np.testing.assert_allclose(values, [slope], rtol=1e-9)


def test_no_inputs():
    method, values, errors = numerical_slopes(single(table.sin), np.array([1.0]), np.array([], int))
    assert len(values) == len(errors) == 0
    assert method == "complex step"
    assert len(numerical_slopes(single(table.relu), np.array([1.0]), np.array([], int)).values) == 0


@pytest.mark.parametrize(("order", "powers"), [(1, [1, 2, 3]), (2, [2, 4, 6])])
def test_extrapolation_takes_out_the_powers_with_which_the_error_begins(order, powers):
    steps = slopes.RATIO ** -np.arange(2.0, 7.0)[:, np.newaxis]
    quotients = 3.0 + sum(steps**power for power in powers)
    assert abs(quotients[-1, 0] - 3.0) > 1e-8
    best, error = slopes._extrapolate(quotients, np.zeros_like(steps), order)
    assert best[0] == pytest.approx(3.0, abs=1e-13)
    assert error[0] < 1e-8
