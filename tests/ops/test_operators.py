"""Python's operators and functions on Values: the meaning of numbers, with slopes of the table."""

import itertools
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.ir.interpret import interpret
from tests.helpers.flat import flat

NUMBERS = (0.1, 0.5, 1.0, 2.5, 3.0, 7.25, 1e-3, 1e9, 5e-324)
PAIRS = [
    (s * a, t * b)
    for a, b in itertools.product(NUMBERS, repeat=2)
    for s, t in itertools.product((1, -1), repeat=2)
]


def both(function, *at):
    """The result of a function of Values: eager and traced, which must be the same."""
    eager = function(*map(Value, at))
    eager = [x.data for x in (eager if isinstance(eager, tuple) else (eager,))]
    compiled = gdc.compile(lambda *x: function(*x), name="f", cache=False)
    traced = compiled.arguments.read(at, {}).traced.program
    assert flat(interpret(traced, at)) == eager
    return eager


@pytest.mark.parametrize(
    "function",
    [lambda a, b: a % b, lambda a, b: a // b, divmod],
    ids=["remainder", "floor division", "divmod"],
)
def test_division_is_that_of_python(function):
    for a, b in PAIRS:
        expected = function(a, b)
        expected = list(expected) if isinstance(expected, tuple) else [expected]
        found = function(Value(a), Value(b))
        found = [x.data for x in (found if isinstance(found, tuple) else (found,))]
        assert found == expected, (a, b)
        assert [math.copysign(1, x) for x in found] == [math.copysign(1, x) for x in expected]
    for a, b in PAIRS[::31]:
        assert both(function, a, b) == both(lambda x, b=b: function(x, b), a)
        assert both(function, a, b) == both(lambda y, a=a: function(a, y), b)


def test_a_floor_division_rounds_down_before_it_rounds():
    assert (Value(1.0) // 0.1).data == 1.0 // 0.1 == 9.0
    assert math.floor(1.0 / 0.1) == 10


@pytest.mark.parametrize("function", [math.floor, math.ceil, math.trunc, round, abs, np.trunc])
@pytest.mark.parametrize("at", [0.5, 1.5, 2.5, -0.5, -1.5, -2.6, 3.0, 1e300, -0.0])
def test_rounding_is_that_of_python(function, at):
    assert both(function, at) == [function(at)]


@pytest.mark.parametrize("digits", [None, 0, 1, 2, 5, -1, -2])
@pytest.mark.parametrize("at", [3.14159, -271.828, 1234.5, 0.05, 1.115, 2.675])
def test_rounding_to_decimals_is_that_of_numpy(digits, at):
    assert both(lambda x: round(x, digits), at) == [np.round(at, digits or 0)]


def test_slopes_are_those_of_the_table():
    a, b = Value(-7.5), Value(2.0)
    (a % b).backward()
    assert (a.grad, b.grad) == (1.0, 4.0)  # a + 4 b
    for function in (math.floor, math.ceil, math.trunc, round, lambda x: round(x, 1)):
        x = Value(2.6)
        (function(x) * x).backward()
        assert x.grad == function(2.6)
    a, b = Value(-7.5), Value(2.0)
    (a // b * a).backward()
    assert (a.grad, b.grad) == (-4.0, 0.0)
    quotient, rest = divmod(Value(7.5, "x"), 2.0)
    assert (quotient.data, rest.data) == (3.0, 1.5)


ONES = {
    "bool": True, "numpy's bool": np.True_, "int": 1, "Fraction": Fraction(1),
    "Decimal": Decimal(1),
    "numpy's int": np.int16(1), "numpy's float": np.float32(1),
}  # fmt: skip


@pytest.mark.parametrize("name", ONES)
def test_a_number_is_a_number(name):
    one = ONES[name]
    for function in (
        lambda x: x * one, lambda x: one * x, lambda x: x / one, lambda x: (x - one) + one,
        lambda x: one + x - one, lambda x: x**one, lambda x: gdc.where(x > one, x, x * one),
    ):  # fmt: skip
        assert both(function, 2.5) == [2.5]
    assert Value(one).data == 1.0


def test_fractions_are_rounded_once():
    assert both(lambda x: x * Fraction(1, 3), 2.0) == [2.0 * (1 / 3)]
    assert both(lambda x: x + Decimal("0.1"), 0.0) == [0.1]
    assert both(lambda x: Fraction(10**400) - x, 1.0) == [math.inf]


def test_arrays_of_numbers_of_all_kinds():
    def mixed(x):
        items = np.array([1, Fraction(1, 2), True, x, np.float32(2)], dtype=object)
        return (items * x).sum() + gdc.sum(gdc.exp(items)) + np.maximum(items * x, 1.0).max()

    def of_numbers(x):
        items = np.array([1, 0.5, 1, x, 2])
        return (items * x).sum() + np.exp(items).sum() + np.maximum(items * x, 1.0).max()

    compiled = gdc.compile(mixed, cache=False)
    program = compiled.arguments.read((1.5,), {}).traced.program
    assert flat(interpret(program, [1.5])) == pytest.approx([of_numbers(1.5)], rel=1e-15)
