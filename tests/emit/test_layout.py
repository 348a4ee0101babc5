"""The text of a module: what stands beside, above and between statements, and what is imported."""

import ast

import pytest

import gradcompile as gdc
from gradcompile.emit import nest_functions
from gradcompile.emit.layout import (
    MAX_COMMENT_COLUMN,
    MAX_LINE,
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
from gradcompile.emit.wrapping import MAX_COMMENT, MAX_WIDTH, comment_lines, statement_lines
from gradcompile.ir.sweeps import FORWARD_SWEEP, REVERSE_SWEEP, TANGENTS, Sweep


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


def test_an_adjoint_says_which_statements_it_differentiates():
    y, z = line("y = sin(x)"), line("z = cos(x)")
    text = list(lines_of([line("x_bar = y_bar * cos(x)", y), line("b = c", y, z)]))
    assert text == [
        "x_bar = y_bar * cos(x)  # y = sin(x)",
        "b = c                   # y = sin(x), z = cos(x)",
    ]


def test_where_statements_are_too_many_to_be_quoted_all_are_named():
    forward = [line(f"y{k} = x + {'1 + ' * 6}1") for k in range(6)]
    assert list(lines_of([line("a = b", *forward)])) == ["a = b  # y0, y1, y2, y3, y4, y5"]


def test_a_comment_that_does_not_fit_names_the_statement():
    long = line(f"y = {'x * ' * 20}x")
    wide = line(f"b = {' + '.join(['c'] * 18)}", long)
    assert list(lines_of([wide])) == [f"{wide.code[0]}  # y"]
    assert wide.has_room_for_comment
    assert not line(f"b = {'c' * (MAX_LINE - 9)}", long).has_room_for_comment


def test_comments_begin_no_further_than_a_column():
    y = line("y = x")
    short, long = lines_of([line("a = b", y), line(f"a = {'b' * MAX_COMMENT_COLUMN}", y)])
    assert short.index("#") == MAX_COMMENT_COLUMN + 2
    assert long.index("#") > MAX_COMMENT_COLUMN + 2


def wrapped(code):
    (tree,) = ast.parse(code).body
    start, _, text = code.partition(" = ")
    return list(statement_lines(f"{start} = ", text, tree.value))


def test_a_wide_sum_is_broken_before_its_operators():
    a, b = "a * " * 10 + "a", "b * " * 10 + "b"
    code = f"x = {a} - {b} + (c if d else e)"
    assert len(code) > MAX_WIDTH
    broken = ["x = (", f"    {a}", f"    - {b} + (c if d else e)", ")"]
    assert wrapped(code) == broken
    assert list(lines_of([line(code, may_break=True)])) == broken
    assert list(lines_of([line(code)])) == [code]


LONG = "a_name_of_some_length"


@pytest.mark.parametrize(
    "code",
    [
        f"x = {' * '.join([LONG] * 6)}",
        f"x = {' / '.join([LONG] * 6)}",
        f"x = exp({' + '.join([LONG] * 6)})",
        f"x = exp(({' + '.join([LONG] * 6)}) / 3.0)",
        f"x = ({' - '.join([LONG] * 5)}) * ({' + '.join([LONG] * 5)})",
        f"x = a - ({' - '.join([LONG] * 5)}) - (b - {LONG})",
        f"x = -({' + '.join([LONG] * 3)}) * (a + b)",
        f"x = {LONG} * {LONG} if {LONG} > {LONG} else {LONG} * {LONG} * {LONG}",
        f"x = ({LONG} if {LONG} else a) if ({LONG} if {LONG} else b) else {LONG} if {LONG} else c",
        f"x = {LONG}[{LONG}, 0] * {LONG}[1, 2] + {LONG}[3, 4] * {LONG}[5, 6]",
    ],
)
def test_a_broken_statement_says_the_same(code):
    lines = wrapped(code)
    assert len(lines) > 1
    assert ast.unparse(ast.parse("\n".join(lines))) == ast.unparse(ast.parse(code))
    assert max(map(len, lines)) <= MAX_WIDTH
    assert not any(text.endswith((" +", " -", " *", " /")) for text in lines)


def test_what_cannot_be_broken_stays_as_it_is():
    code = f"x = {'y' * 100}"
    assert wrapped(code) == [code]


def test_formulas_are_broken_before_operators_and_not_inside_of_subscripts():
    text = " + ".join(f"w[{k}, i] * x[{k}, j, i]" for k in range(10))
    lines = comment_lines(f"y[i] = {text}")
    assert max(map(len, lines)) <= MAX_COMMENT
    assert [x.lstrip("# ")[0] for x in lines[1:]] == ["+"] * (len(lines) - 1)
    assert all(x.count("[") == x.count("]") for x in lines)


def test_loops_and_comments_are_indented():
    loop = For("i", ast.parse("range(3)", mode="eval").body, (Comment("a"), line("x[i] = y")))
    assert list(lines_of([loop])) == ["for i in range(3):", "    # a", "    x[i] = y"]


def test_a_title_stands_where_each_sweep_begins_but_the_first():
    reverse, tangents = Sweep(1, REVERSE_SWEEP), Sweep(2, TANGENTS)
    sweeps = [FORWARD_SWEEP, FORWARD_SWEEP, reverse, tangents, tangents]
    lines = ["a = b", "c = d", "e = f", "g = h", "i = j"]
    steps = [(sweep, [line(code)]) for sweep, code in zip(sweeps, lines, strict=True)]
    expected = [*lines[:2], "# reverse sweep, from c_bar = 1.0", lines[2], "# tangents", *lines[3:]]
    assert list(lines_of(with_titles(steps, "c_bar = 1.0"))) == expected
    assert "# reverse sweep" in list(lines_of(with_titles(steps, "")))


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
    function = Function("f", ("x",), body, "first", "what it does")
    assert module_text([function], {"exp"}) == (
        "from gradcompile.ieee import sin\n"
        "from gradcompile.vector import exp\n"
        "from math import nan\n"
        "from numpy import empty\n"
        "\n\n"
        "# first\n"
        "def f(x):\n"
        '    """what it does"""\n'
        "    y = exp(x) + sin(x)\n"
        "    a = empty(3)\n"
        "    return y, nan\n"
    )


def test_an_array_called_width_is_not_the_width_of_rows(monkeypatch):
    monkeypatch.setattr(nest_functions, "MAX_LINES", 1)
    monkeypatch.setattr(nest_functions, "LINES_OF_A_PART", 1)
    xs = [gdc.Value(0.1 * k) for k in range(20)]
    hs = [x.sin() for x in xs]
    for k, h in enumerate(hs):
        h.label = f"width[{k}]"
    total = sum(hs, gdc.Value(0.0))
    root = sum((h * total for h in hs), gdc.Value(0.0))
    source = gdc.compile(root, inputs={"p": xs}, roll=True, cache=False).source
    assert "_2(" in source
    assert "width[" in source
    assert "shape" not in source


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            f"return value, ({', '.join(f'alpha_{k}_bar' for k in range(7))})",
            [
                "return value, (",
                "    alpha_0_bar, alpha_1_bar, alpha_2_bar, alpha_3_bar, alpha_4_bar,",
                "    alpha_5_bar, alpha_6_bar",
                ")",
            ],
        ),
        (
            f"return ({', '.join(f'alpha_{k}_bar' for k in range(6))})",
            [
                "return (",
                "    alpha_0_bar, alpha_1_bar, alpha_2_bar, alpha_3_bar, alpha_4_bar,",
                "    alpha_5_bar",
                ")",
            ],
        ),
        (
            f"return value, (array([{', '.join(f'alpha_{k}_bar' for k in range(6))}]),)",
            [
                "return value, (",
                "    array([",
                "        alpha_0_bar, alpha_1_bar, alpha_2_bar, alpha_3_bar, alpha_4_bar,",
                "        alpha_5_bar",
                "    ]),",
                ")",
            ],
        ),
    ],
)
def test_what_is_returned_is_broken_after_commas(code, expected):
    written = line(code, may_break=True).code
    assert list(written) == expected
    assert ast.dump(ast.parse(code)) == ast.dump(ast.parse("\n".join(written)))
    assert max(map(len, written)) <= MAX_WIDTH
