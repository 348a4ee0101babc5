"""Expressions as text: read, evaluated over the table, and refused with a sentence."""

import ast
import math

import pytest

from gradcompile.ops.syntax import ExpressionError, code, evaluate, parse, shorten
from gradcompile.ops.table import TABLE

FUNCTIONS = dict(TABLE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + 2 * b ** 2 - a / b", 1.0 + 2.0 * 9.0 - 1.0 / 3.0),
        ("-a + +b", 2.0),
        ("a < b", 1.0),
        ("a > b or b > a", 1.0),
        ("a < b and b > 0 and a == 1 and b != 3", 0.0),
        ("a < b and b > 0 and a == 1", 1.0),
        ("not a", 0.0),
        ("a if a > b else exp(b)", math.exp(3.0)),
        ("maximum(a, b)", 3.0),
    ],
)
def test_expressions_are_evaluated(text, expected):
    assert evaluate(parse(text), {"a": 1.0, "b": 3.0}, FUNCTIONS) == pytest.approx(expected)


def test_names_are_those_that_are_read_in_order():
    assert code(parse("b * a + b"), FUNCTIONS).reads == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the expression is empty"),
        ("a +", "cannot read 'a \\+'"),
        ("a < b < c", "`a < b < c` is not allowed"),
        ("tanhh(a)", "unknown function 'tanhh'; is 'tanh' meant\\?"),
        ("a.b", "`a.b` is not allowed"),
        ("c + a", "unknown name 'c'"),
    ],
)
def test_what_is_no_expression_is_refused(text, says):
    with pytest.raises(ExpressionError, match=says):
        evaluate(parse(text), {"a": 1.0}, FUNCTIONS)


def test_deep_expressions_need_no_recursion():
    tree = ast.Name("a")
    for _ in range(5_000):
        tree = ast.UnaryOp(ast.USub(), tree)
    assert evaluate(tree, {"a": 2.0}, FUNCTIONS) == 2.0


def test_long_texts_are_cut():
    assert shorten("x" * 60) == "x" * 60
    assert shorten("x" * 61) == "x" * 57 + "..."
