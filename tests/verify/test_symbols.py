"""Symbols: what sympy is asked of an expression, and how long it may look."""

import sympy

from gradcompile.verify.symbols import is_zero

x, y = sympy.symbols("x y", real=True)


def test_zero_in_each_case_but_only_so_many_cases_deep():
    size, negative_size = (
        [sympy.Piecewise((a * v, v > 0), (-a * v, True)) for v in (x, y)] for a in (1, -1)
    )
    by_cases = sympy.Add(*size, *negative_size)
    assert is_zero(by_cases, cases=2)
    assert not is_zero(by_cases, cases=1)
    assert not is_zero(by_cases + sympy.Piecewise((1, x > 0), (0, True)))
