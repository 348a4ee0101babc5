"""Statements of a text: who reads whom, and where it says each adjoint."""

from gradcompile.emit.reader import read_kernel
from gradcompile.verify.statements import Statements

TEXT = """
def f(inputs):
    a = inputs[0]
    b = inputs[1]
    # forward sweep
    s = a * b if a > b else b
    value = sin(s) + s * s
    # reverse sweep
    s_bar = cos(s) + 2.0 * s  # value = sin(s) + s * s
    a_bar = s_bar * (b if a > b else 0.0)  # s = a * b if a > b else b
    return value, array([a_bar, s_bar * (a if a > b else 1.0)])
"""


def statements():
    return Statements.of(read_kernel(TEXT), {"a": 0, "b": 1})


def test_adjoints_are_where_the_text_says_them():
    found = statements()
    assert found.claim("s") == "s_bar"
    assert found.claim("b") == "gradient[1]"
    assert found.claim("value") is None
    assert found.users["s"] == ["value"]
    assert found.users["a"] == ["s"]


def test_what_decides_are_conditions_of_those_who_read_it_and_of_its_own_adjoint():
    decide, adjoints = statements().deciding("b")
    assert decide == ["s", "gradient[1]"]
    assert adjoints == ["s_bar", "gradient[1]"]
    assert statements().deciding("s")[0] == []
