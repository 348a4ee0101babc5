"""Symbols: what sympy is asked of an expression, and how long it may look."""

import pytest
import sympy

from gradcompile.verify.symbols import SYMBOLS, is_zero
from tests.helpers.programs import deadline

x, y = sympy.symbols("x y", real=True)


def test_zero_in_each_case_but_only_so_many_cases_deep():
    size, negative_size = (
        [sympy.Piecewise((a * v, v > 0), (-a * v, True)) for v in (x, y)] for a in (1, -1)
    )
    by_cases = sympy.Add(*size, *negative_size)
    assert is_zero(by_cases, cases=2)
    assert not is_zero(by_cases, cases=1)
    assert not is_zero(by_cases + sympy.Piecewise((1, x > 0), (0, True)))


def test_a_number_is_not_raised_to_the_numerators_of_floats():
    a, b, c = map(sympy.Rational, (8.07131, 1730.63, 233.426))  # Antoine's equation, of water
    power = 10 ** (a - b / (c + x))
    slope = power * sympy.log(10) * (b / (c + x) / (c + x))
    with deadline(60):
        assert is_zero(slope - sympy.diff(power, x))
        assert not is_zero(slope * a - sympy.diff(power, x))


@pytest.mark.parametrize(
    ("otherwise", "one", "expected"),
    [
        (0, 1, x > y),  # a condition that stands as a number
        (0, 2, sympy.Ne(sympy.Piecewise((2, x > y), (0, True)), 0)),
        (3, 1, sympy.Ne(sympy.Piecewise((1, x > y), (3, True)), 0)),
    ],
)
def test_numbers_are_conditions_again(otherwise, one, expected):
    number = sympy.Piecewise((one, x > y), (otherwise, True))
    chosen = SYMBOLS["where"](number, x, y)
    assert chosen == sympy.Piecewise((x, expected), (y, True))
    assert SYMBOLS["where"](x, x, y) == sympy.Piecewise((x, sympy.Ne(x, 0)), (y, True))
