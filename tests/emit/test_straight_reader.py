"""Texts of any kernel without loops, read back: statements, and each number that is returned."""

import ast

import pytest

from gradcompile.emit.straight_reader import read_straight, renamed
from gradcompile.ops.syntax import ExpressionError
from tests.helpers.flat import emit_flat
from tests.helpers.lowering import program_of

TEXT = """
def f(x, w):
    values = empty((2, 2))
    zeros_2 = zeros(3)
    a = w[0, 1]
    v1 = values[0, 1] = x * a
    v2 = v1
    values[0, 0] = values[1, 0] = v2 + 1.0
    values[1, 1] = -2.0
    zeros_2[1] = sin(v1)
    return v2, (array([a, v1]), (values, zeros_2))
"""


def read(source):
    text = read_straight(source)
    statements = {name: ast.unparse(tree) for name, tree in text.statements.items()}
    return statements, [ast.unparse(tree) for tree in text.results]


def test_each_number_is_read_in_the_order_in_which_it_is_returned():
    statements, results = read(TEXT)
    assert statements == {
        "v1": "x * w[0, 1]", "values[0, 0]": "v1 + 1.0", "zeros_2[1]": "sin(v1)",
    }  # fmt: skip
    assert results == [
        "v1", "w[0, 1]", "v1", "values[0, 0]", "v1", "values[0, 0]", "-2.0",
        "0.0", "zeros_2[1]", "0.0",
    ]  # fmt: skip


def test_text_in_parts_says_the_same():
    program = program_of(lambda x, y: (x * y + x) * (x * y - y) / (x + 3.0 * y), "x", "y")
    assert read(emit_flat(program, limit=2)) == read(emit_flat(program, limit=100))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("v2 = v1", "v2 = v3", "v3 is read before it is assigned"),
        ("v1 = values[0, 1]", "v1 = values[0, 0]", r"values\[0, 0\] is assigned twice"),
        ("values[1, 1] = -2.0", "b = 1.0", r"values\[1, 1\] is not assigned"),
        ("v2 = v1", "v2 = x < 1.0", "v2 is a condition"),
        ("v2 = v1", "for k in w: pass", "unexpected statement"),
        ("def f(x, w)", "def f(x", "not Python"),
    ],
)
def test_other_text_is_refused(before, after, message):
    with pytest.raises(ExpressionError, match=message):
        read_straight(TEXT.replace(before, after))


def test_what_a_text_computes_may_be_called_otherwise():
    text = read_straight("def f(x):\n    v1 = sin(x)\n    v2 = sin(v1)\n    return v2 * x, inf\n")
    other = renamed(text, {"v1": "a", "x": "y"})
    assert {name: ast.unparse(tree) for name, tree in other.statements.items()} == {
        "a": "sin(x)", "v2": "sin(a)",
    }  # fmt: skip
    assert [ast.unparse(tree) for tree in other.results] == ["v2 * x", "inf"]
    assert ast.unparse(text.statements["v2"]) == "sin(v1)"
