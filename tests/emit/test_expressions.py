"""Expressions of rows with operands put in: what prints well, and what CPython would do."""

import ast

import pytest

from gradcompile.emit.expressions import instantiate, may_be_python_float


def tree(text):
    return ast.parse(text, mode="eval").body


def put_in(template, plain=(), **operands):
    trees = {name: tree(text) for name, text in operands.items()}
    return ast.unparse(instantiate(tree(template), trees, frozenset(plain)))


@pytest.mark.parametrize(
    ("template", "operands", "expected"),
    [
        ("-x", {"x": "-a"}, "a"),
        ("-x", {"x": "a + b"}, "-(a + b)"),
        ("-x", {"x": "not a"}, "-(not a)"),
        ("x * y", {"x": "1.0", "y": "a"}, "a"),
        ("x * y", {"x": "a", "y": "1.0"}, "a"),
        ("x * y", {"x": "2.0", "y": "a"}, "2.0 * a"),
        ("a if x else b", {"x": "float64(c < d)"}, "a if c < d else b"),
        ("a if x else b", {"x": "float64(bool(c) and d < e)"}, "a if c and d < e else b"),
        ("float64(not x)", {"x": "float64(not bool(a))"}, "float64(not not bool(a))"),
        ("bool(x)", {"x": "float64(c < d)"}, "c < d"),
        ("bool(x)", {"x": "c"}, "bool(c)"),
    ],
)
def test_operands_are_put_in(template, operands, expected):
    assert put_in(template, **operands) == expected


def test_conditions_are_no_numbers_that_have_to_be_made_conditions():
    template, operands = tree("bool(c) and bool(d)"), {"c": tree("a"), "d": tree("b")}
    text = ast.unparse(instantiate(template, operands, frozenset(), frozenset("a")))
    assert text == "a and bool(b)"


def test_plain_numbers_are_divided_as_numpys():
    assert put_in("x / y", x="1.0", y="a", plain="a") == "1.0 / float64(a)"
    assert put_in("x / y", x="1.0", y="a") == "1.0 / a"
    assert put_in("x ** y", x="a", y="inf", plain="a") == "a ** float64(inf)"


@pytest.mark.parametrize(
    ("text", "may_be"),
    [
        ("a", False),
        ("p", True),
        ("nan", True),
        ("a + p", False),
        ("p - 1.0", True),
        ("-p", True),
        ("a if p else p", True),
        ("max(a, p)", True),
        ("max(a, b)", False),
        ("sin(p)", False),
        ("maximum(p, 1.0)", False),
        ("p < 1.0", False),
    ],
)
def test_what_may_be_a_plain_number(text, may_be):
    assert may_be_python_float(tree(text), {"p"}) == may_be
