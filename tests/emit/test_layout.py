"""The text of a module: what stands beside, above and between statements, and what is imported."""

import ast

import pytest

import gradcompile as gdc
from gradcompile.emit import nest_functions
from gradcompile.emit.layout import (
    MAX_COMMENT_COLUMN,
    MAX_LINE,
    MAX_SUM,
    Comment,
    For,
    Function,
    Line,
    lines_of,
    module_text,
    names_of,
    with_titles,
)
from gradcompile.emit.parts import part_functions


def line(code, *differentiates, may_break=False):
    (tree,) = ast.parse(code).body
    return Line(tree, differentiates, may_break)


@pytest.mark.parametrize(
    "code",
    [
        "a = b * (c + d)", "a = b[3] = c", "a, b = c[0], c[1]", "a[i, j] += b", "a -= b[1:2].T",
        "a /= n", "f(a, b)", "return a, b", "return a",
    ],
)  # fmt: skip
def test_a_statement_is_written_as_it_is_read(code):
    assert list(lines_of([line(code)])) == [code]


def test_an_adjoint_says_which_statement_it_differentiates():
    y, z = line("y = sin(x)"), line("z = cos(x)")
    text = list(lines_of([line("x_bar = y_bar * cos(x)", y), line("b = c", y, z)]))
    assert text == ["x_bar = y_bar * cos(x)  # y = sin(x)", "b = c                   # y, z"]


def test_many_statements_are_not_all_named():
    forward = [line(f"y{k} = x") for k in range(6)]
    assert list(lines_of([line("a = b", *forward)])) == ["a = b  # y0, y1, y2, y3 and 2 more"]


def test_a_comment_that_does_not_fit_names_the_statement_or_goes():
    long = line(f"y = {'x * ' * 20}x")
    wide = line(f"b = {' + '.join(['c'] * 20)}", long)
    assert list(lines_of([wide])) == [f"{wide.code[0]}  # y"]
    widest = line(f"b = {'c' * (MAX_LINE - 9)}", long)
    assert list(lines_of([widest])) == [widest.code[0]]


def test_comments_begin_no_further_than_a_column():
    y = line("y = x")
    short, long = lines_of([line("a = b", y), line(f"a = {'b' * MAX_COMMENT_COLUMN}", y)])
    assert short.index("#") == MAX_COMMENT_COLUMN + 2
    assert long.index("#") > MAX_COMMENT_COLUMN + 2


def test_a_wide_sum_has_a_line_for_each_term():
    a, b = "a * " * 10 + "a", "b * " * 10 + "b"
    code = f"x = {a} - {b} + (c if d else e)"
    assert len(code) > MAX_SUM
    broken = ["x = (", f"    {a}", f"    - {b}", "    + (c if d else e)", ")"]
    assert list(lines_of([line(code, may_break=True)])) == broken
    assert list(lines_of([line(code)])) == [code]
    assert ast.unparse(ast.parse("\n".join(broken))) == code


def test_loops_and_comments_are_indented():
    loop = For("i", ast.parse("range(3)", mode="eval").body, (Comment("a"), line("x[i] = y")))
    assert list(lines_of([loop])) == ["for i in range(3):", "    # a", "    x[i] = y"]


def test_a_title_stands_where_a_sweep_begins():
    steps = [(False, [line("a = b")]), (False, [line("c = d")]), (True, [line("e = f")])]
    expected = ["# forward sweep", "a = b", "c = d", "# reverse sweep", "e = f"]
    assert list(lines_of(with_titles(steps))) == expected


def test_names_are_those_of_the_code_and_not_of_comments():
    loop = For("i", ast.Name("rounds"), (Comment("sum_k(hidden)"), line("x[i] = a.T")))
    assert names_of([loop, line("y = z")]) == {"i", "rounds", "x", "a", "y", "z"}


def test_a_part_takes_what_it_uses_in_the_order_that_is_given():
    bodies = [[line("a[0] = b[1].T")], [line("c = 1.0")]]
    functions, calls = part_functions(bodies, "f", ("T", "b", "a"), lambda name: name)
    assert [function.arguments for function in functions] == [("b", "a"), ()]
    assert list(lines_of(calls)) == ["f_1(b, a)", "f_2()"]


def test_what_is_imported_is_what_is_used():
    body = (line("y = exp(x) + sin(x)"), line("a = empty(3)"), line("return y, nan"))
    text = module_text([Function("f", ("x",), body, "first")], "a summary", {"exp"})
    assert text == (
        "# a summary\n"
        "from gradcompile.ieee import sin\n"
        "from gradcompile.vector import exp\n"
        "from math import nan\n"
        "from numpy import empty\n"
        "\n\n"
        "# first\n"
        "def f(x):\n"
        "    y = exp(x) + sin(x)\n"
        "    a = empty(3)\n"
        "    return y, nan\n"
    )


def test_an_array_called_width_is_not_the_width_of_rows(monkeypatch):
    monkeypatch.setattr(nest_functions, "MAX_LINES", 1)
    monkeypatch.setattr(nest_functions, "LINES_OF_A_PART", 1)
    xs = [gdc.Value(0.1 * k, f"width[{k}]") for k in range(20)]
    hs = [x.sin() for x in xs]
    total = sum(hs, gdc.Value(0.0))
    root = sum((h * total for h in hs), gdc.Value(0.0))
    source = gdc.compile(root, inputs={"p": xs}, roll=True, cache=False).source
    assert "_2(" in source
    assert "width[" in source
    assert "shape" not in source
