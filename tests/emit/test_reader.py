"""Emitted text read back: its sweeps, its value and its gradient, and what is no such text."""

import ast

import pytest

from gradcompile.emit.reader import read_kernel
from gradcompile.ops.syntax import ExpressionError

LISTED = """
def f(x):
    a, b = x[0], x[1]
    s, t = a * b, a + b
    # reverse sweep, from s_bar = 1.0
    s_bar = 2.0 * t
    return s, (array([s_bar, b]),)
"""

FILLED = """
def f(x):
    x_bar = empty(4)
    s = x[0] * x[3]
    # reverse sweep, from s_bar = 1.0
    x_bar[0] = 2.0 * x[3]
    x_bar[1:3] = 0.0
    a_bar = x_bar[3] = 2.0 * x[0]
    return s, (x_bar,)
"""


def texts(trees):
    return {name: ast.unparse(tree) for name, tree in trees.items()}


def test_a_text_is_read_by_sweeps():
    text = read_kernel(LISTED)
    assert text.parameters == ["x"]
    assert text.loaded == {"a": "x[0]", "b": "x[1]"}
    assert text.inputs == ["a", "b"]
    assert texts(text.forward) == {"s": "a * b", "t": "a + b"}
    assert texts(text.reverse) == {"s_bar": "2.0 * t"}
    assert ast.unparse(text.value) == "s"
    assert texts(text.gradient) == {0: "s_bar", 1: "b"}
    assert text.differentiated() == ["a", "b"]
    assert len(text) == 3


def test_elements_of_a_gradient_may_be_assigned_one_by_one_and_stretches_of_zeros_at_once():
    text = read_kernel(FILLED)
    assert text.shapes == {"x_bar": (4,)}
    assert text.inputs == ["x[0]", "x[3]"]
    assert texts(text.reverse) == {
        "x_bar[0]": "2.0 * x[3]", "x_bar[1]": "0.0", "x_bar[2]": "0.0",
        "a_bar": "2.0 * x[0]", "x_bar[3]": "a_bar",
    }  # fmt: skip
    assert texts(text.gradient) == {0: "x_bar[0]", 1: "x_bar[1]", 2: "x_bar[2]", 3: "a_bar"}
    assert text.components() == [0, 1, 2, 3]
    assert text.differentiated() == ["x[0]", "x[1]", "x[2]", "x[3]"]


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("x_bar[0] =", "b =", r"x_bar\[0\] is not assigned"),
        ("x_bar[1:3]", "x_bar[1:2]", r"x_bar\[2\] is not assigned"),
        ("x_bar[0] =", "x_bar[3] =", r"x_bar\[3\] is assigned twice"),
        ("x_bar[1:3]", "x_bar[0:3]", r"x_bar\[0\] is assigned twice"),
        ("a_bar =", "s =", "s is assigned twice"),
        ("a_bar =", "x =", "x is assigned twice"),
        ("a_bar =", "a.b =", r"unexpected target `a\.b`"),
        ("x_bar[1:3] = 0.0", "print(s)", r"unexpected statement `print\(s\)`"),
        ("return s, (x_bar,)", "return s, x_bar", r"unexpected statement `return \(s, x_bar\)`"),
        ("(x_bar,)", "(s * x_bar,)", r"unexpected gradient `s \* x_bar`"),
        ("def f(x):", "class C:", "found none"),
        ("def f(x):", "def f(x:", "not Python"),
    ],
)
def test_what_emission_never_writes_is_refused(before, after, says):
    assert before in FILLED
    with pytest.raises(ExpressionError, match=says):
        read_kernel(FILLED.replace(before, after))
