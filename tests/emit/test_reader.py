"""Emitted text read back: its sweeps, its value and its gradient, and what is no such text."""

import ast

import pytest

from gradcompile.emit.reader import read_kernel
from gradcompile.ops.syntax import ExpressionError

LISTED = """
def f(inputs):
    a = inputs[0]
    b = inputs[1]
    # forward sweep
    s, t = a * b, a + b
    # reverse sweep
    s_bar = 2.0 * t
    return s, array([s_bar, b])
"""

FILLED = """
def f(inputs):
    a = inputs[0]
    gradient = empty(2)
    # reverse sweep
    gradient[0] = a_bar = 2.0 * a
    gradient[1] = 1.0
    return a, gradient
"""


def texts(trees):
    return {name: ast.unparse(tree) for name, tree in trees.items()}


def test_a_text_is_read_by_sweeps():
    text = read_kernel(LISTED)
    assert text.inputs == {"a": 0, "b": 1}
    assert texts(text.forward) == {"s": "a * b", "t": "a + b"}
    assert texts(text.reverse) == {"s_bar": "2.0 * t"}
    assert ast.unparse(text.value) == "s"
    assert texts(text.gradient) == {0: "s_bar", 1: "b"}
    assert len(text) == 3


def test_entries_of_the_gradient_may_be_assigned_one_by_one():
    text = read_kernel(FILLED)
    assert text.size == 2
    assert texts(text.reverse) == {"a_bar": "2.0 * a"} or texts(text.gradient)[0] == "2.0 * a"
    assert text.components() == [0, 1]


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("gradient[1] = 1.0", "b = 1.0", "not every one of the 2 gradient entries is assigned"),
        ("gradient[1] = 1.0", "gradient[0] = 1.0", r"gradient\[0\] is assigned twice"),
        ("gradient[1] = 1.0", "a = 1.0", "a is assigned twice"),
        ("gradient[1] = 1.0", "a.b = 1.0", r"unexpected target `a\.b`"),
        ("gradient[1] = 1.0", "print(a)", r"unexpected statement `print\(a\)`"),
        ("return a, gradient", "return a, other", "unexpected gradient `other`"),
        ("def f(inputs):", "class C:", "found none"),
        ("def f(inputs):", "def f(inputs:", "not Python"),
    ],
)
def test_what_emission_never_writes_is_refused(before, after, says):
    assert before in FILLED
    with pytest.raises(ExpressionError, match=says):
        read_kernel(FILLED.replace(before, after))
