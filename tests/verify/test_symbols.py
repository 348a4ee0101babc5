"""Symbols: what sympy is asked of an expression, and how long it may look."""

import pytest
import sympy

from gradcompile.verify.symbols import SYMBOLS, is_zero

x, y = sympy.symbols("x y", real=True)


def test_zero_in_each_case_but_only_so_many_cases_deep():
    size, negative_size = (
        [sympy.Piecewise((a * v, v > 0), (-a * v, True)) for v in (x, y)] for a in (1, -1)
    )
    by_cases = sympy.Add(*size, *negative_size)
    assert is_zero(by_cases, cases=2)
    assert not is_zero(by_cases, cases=1)
    assert not is_zero(by_cases + sympy.Piecewise((1, x > 0), (0, True)))


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
