"""Statements of a text: who reads whom, and where it says each adjoint."""

from gradcompile.emit.reader import read_kernel
from gradcompile.verify.statements import Statements

TEXT = """
def f(a, x):
    x_bar = empty(1)
    s = a * x[0] if a > x[0] else x[0]
    value = sin(s) + s * s
    # reverse sweep, from value_bar = 1.0
    s_bar = cos(s) + 2.0 * s  # value = sin(s) + s * s
    # s = a * x[0] if a > x[0] else x[0]
    a_bar = s_bar * (x[0] if a > x[0] else 0.0)
    x_bar[0] = s_bar * (a if a > x[0] else 1.0)
    return value, (a_bar, x_bar)
"""


def statements():
    return Statements.of(read_kernel(TEXT), {"a": 0, "x[0]": 1})


def test_adjoints_are_where_the_text_says_them():
    found = statements()
    assert found.claim("s") == "s_bar"
    assert found.claim("x[0]") == "x_bar[0]"
    assert found.claim("value") is None
    assert found.users["s"] == ["value"]
    assert found.users["a"] == ["s"]


def test_what_decides_are_conditions_of_those_who_read_it_and_of_its_own_adjoint():
    decide, adjoints = statements().deciding("x[0]")
    assert decide == ["s", "x_bar[0]"]
    assert adjoints == ["s_bar", "x_bar[0]"]
    assert statements().deciding("s")[0] == []
