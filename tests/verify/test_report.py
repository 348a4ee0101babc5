"""The report of `verify()`: as lines, as a table, in a notebook."""

import html.parser
import re

import pytest
import sympy

import gradcompile as gdc
from gradcompile import Value
from gradcompile.verify.adjoints import verify_source
from gradcompile.verify.report import TABLE_WIDTH, Check, Derivative, Report

x, y = sympy.symbols("x y", real=True)

PROVED = Check("x", ("v1 = x * y",), "x_bar = v1_bar * y", sympy.Symbol("v1_bar") * y, "proved")
CONFIRMED = Check(
    "y", ("v1 = x * y", "v2 = sin(y)"), "y_bar = v1_bar * x + v2_bar * cos(y)",
    None, "confirmed", "to 50 digits at 3 points",
)  # fmt: skip
REFUTED = Check(
    "v1", ("return v1 * v1",), "v1_bar = 3.0 * v1", 2 * x, "refuted", "at x=1.5: 4.5, not 3.0"
)
GOOD = Report([Derivative("x", "proved")], [PROVED])


@pytest.fixture(scope="module")
def kernel():
    f = gdc.compile(lambda x, y: gdc.tanh(x * y) + gdc.where(x > 0, gdc.exp(y), x), cache=False)
    return f.source, f.verify()


@pytest.fixture(scope="module")
def refuted(kernel):
    source, _ = kernel
    wrong = source.replace("v1_bar = 1.0 - ", "v1_bar = 1.0 + ")
    assert wrong != source
    return verify_source(wrong)


# --- ok, and printing ----------------------------------------------------------------------------


def test_ok_is_what_is_not_refuted():
    assert Report().ok
    assert GOOD.ok
    assert Report([Derivative("x", "confirmed", "to 50 digits")], [PROVED, CONFIRMED]).ok
    assert not Report([Derivative("x", "refuted")], [PROVED]).ok
    # A statement that nothing depends on may be wrong with all derivatives right.
    assert not Report([Derivative("x", "proved")], [PROVED, REFUTED]).ok


def test_as_a_sequence_of_derivatives(kernel):
    _, report = kernel
    assert report.ok
    assert len(report) == 2
    assert [(d.name, d.verdict, d.detail) for d in report] == [
        ("x", "proved", ""),
        ("y", "proved", ""),
    ]
    assert report.derivatives == list(report)


def test_printing_is_a_line_for_each_derivative(kernel, refuted):
    _, report = kernel
    assert str(report) == "d/dx: proved\nd/dy: proved"
    assert (
        str(CONFIRMED) == "y_bar = v1_bar * x + v2_bar * cos(y): confirmed to 50 digits at 3 points"
    )
    assert str(PROVED) == "x_bar = v1_bar * y: proved"
    assert str(Report()) == ""
    lines = str(refuted).splitlines()
    assert len(lines) == 2
    for name, line in zip("xy", lines, strict=True):
        assert line.startswith(f"d/d{name}: refuted by `v1_bar = 1.0 + v2 * v2` at x=")
        assert ", not " in line


def test_a_refuted_statement_spoils_what_depends_on_it(refuted):
    assert not refuted.ok
    verdicts = {check.name: check.verdict for check in refuted.statements}
    assert verdicts["v1"] == "refuted"
    assert verdicts["x"] == verdicts["y"] == "proved"  # they are right, given v1_bar
    assert {d.verdict for d in refuted} == {"refuted"}


# --- statements ----------------------------------------------------------------------------------


def test_statements_name_what_they_are_made_of(kernel):
    source, report = kernel
    by_name = {check.name: check for check in report.statements}
    assert by_name["v1"].forward == ("v2 = tanh(v1)",)
    assert by_name["v1"].adjoint in source
    assert {"v1 = x * y", "v4 = exp(y)"} == set(by_name["y"].forward)
    assert by_name["v1"].derivative == r"1 - \tanh^{2}{\left(v_{1} \right)}"
    assert PROVED.derivative == r"\bar{v_{1}} y"
    assert CONFIRMED.derivative == ""  # a text too long for sympy


def test_a_long_text_has_no_formulas():
    inputs = [Value(0.1 * k, f"x{k}") for k in range(3)]
    total = inputs[0]
    for k in range(150):
        total = gdc.sin(total) * inputs[k % 3] + 0.5
    report = gdc.compile(total, inputs=inputs, cache=False).verify()
    assert report.ok
    assert {check.derivative for check in report.statements} == {""}
    assert {check.verdict for check in report.statements} == {"confirmed"}
    assert re.search(r"confirmed to 50 digits at (\d|1[0-5]) points", str(report))
    assert "to 50 digits" in report.table()
    assert "confirmed" in report._repr_html_()


# --- the table in a terminal ---------------------------------------------------------------------


def test_the_table_has_a_row_for_each_statement(kernel):
    _, report = kernel
    table = report.table()
    first = table.splitlines()[1]
    for title in ("forward", "derivative", "adjoint", "verdict"):
        assert title in first
    assert "v2 = tanh(v1)" in table
    assert "1 - tanh(v1)**2" in table
    assert "v1_bar = 1.0 - v2 * v2" in table
    assert table.count("proved") == len(report.statements)
    assert max(map(len, table.splitlines())) <= TABLE_WIDTH
    assert not table.endswith("\n")
    assert "\x1b" not in table  # no colours: it may go to a file


def test_the_table_shows_why_something_is_refuted(refuted):
    table = " ".join(refuted.table().split())
    assert "refuted" in table
    assert "x=" in table


def test_brackets_are_no_markup_in_the_table():
    check = Check("x", ("[bold]v1[/bold] = x[0]",), "x_bar = [red]1", x, "proved", "[/]")
    table = Report([], [check]).table()
    assert "[bold]v1[/bold] = x[0]" in table
    assert "[red]1" in table
    assert "[/]" in table


def test_a_table_of_nothing_has_its_titles():
    assert "adjoint" in Report().table()


# --- in a notebook -------------------------------------------------------------------------------


class Reader(html.parser.HTMLParser):
    """Counts tags, checks that they are closed in order, and collects the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_a_notebook_shows_formulas_and_verdicts(kernel):
    _, report = kernel
    read = Reader(report._repr_html_())
    assert read.tags.count("tr") == 1 + len(report.statements)
    assert read.tags.count("th") == 4
    assert r"$\displaystyle 1 - \tanh^{2}{\left(v_{1} \right)}$" in read.text
    assert r"\begin{cases} 1 & \text{for}" in read.text  # `&amp;` in the source
    assert "v3 = x > 0.0" in read.text
    assert read.text.count("proved") == len(report.statements)
    assert set(read.tags) == {"table", "thead", "tbody", "tr", "th", "td", "code", "br", "span",
                              "small"}  # fmt: skip


def test_verdicts_have_their_colours(refuted):
    text = refuted._repr_html_()
    assert "#cf222e" in text
    assert "#1a7f37" in text
    assert "#0550ae" in Report([], [CONFIRMED])._repr_html_()
    assert "4.5, not 3.0" in Report([], [REFUTED])._repr_html_()


def test_no_formula_no_dollars():
    assert "$" not in Report([], [CONFIRMED])._repr_html_()


LABELS = ["<script>alert(1)</script>", "$x$ & </table>", '" onload="x', "[bold]", "\\end{cases}"]


def test_labels_are_text_in_notebooks():
    leaves = [Value(k + 1.0, label=label) for k, label in enumerate(LABELS)]
    total = leaves[0]
    for leaf in leaves[1:]:
        total = total * leaf + leaves[0]
        total.label = f"<b>{leaf.label}"
    report = gdc.compile(total, inputs=leaves, cache=False).verify()
    assert report.ok
    read = Reader(report._repr_html_())
    assert not {"script", "b"} & set(read.tags)
    assert read.tags.count("table") == 1


def test_what_is_no_label_is_text_too():
    evil = "<img src=x onerror=alert(1)>"
    check = Check(evil, (evil, evil), evil, sympy.Symbol("<u>x</u>"), "refuted", evil)
    text = Report([Derivative(evil, "refuted", evil)], [check])._repr_html_()
    read = Reader(text)
    assert not {"img", "u"} & set(read.tags)
    assert read.text.count(evil) == 4


# --- the report of a build --------------------------------------------------------------------


def test_a_build_reports_its_stages_and_its_loops():
    xs = [Value(0.1 * k) for k in range(40)]
    root = sum((x * 0.3 + k * 0.7).tanh() for k, x in enumerate(xs))
    report = gdc.compile(root, inputs={"x": xs}, roll=True, cache=False).report()
    passes = {"capture", "fold", "simplify", "cse", "dce", "reverse", "roll"}
    assert {"lower", *passes, "emit", "numba"} <= set(report.seconds)
    assert report.rolled["nests"] >= 1
    assert report.rolled["members"] >= 40
    assert "loop nests" in str(report)
    straight = gdc.compile(lambda x: x * x).report()
    assert straight.rolled is None
    assert "straight-line" in str(straight)
    assert straight.seconds["trace"] >= 0.0


def test_a_large_compilation_shows_its_progress(capsys):
    xs = [Value(0.1 * k) for k in range(300)]
    root = sum((x * x + 1.0).log() for x in xs)
    function = gdc.compile(root, inputs={"x": xs}, progress=True, cache=False)
    assert "compile:" not in capsys.readouterr().err
    function.value_and_grad.source  # noqa: B018
    assert "compile:" in capsys.readouterr().err
    small = gdc.compile(xs[0] * xs[1], inputs=xs[:2], progress=True, cache=False)
    small.value_and_grad.source  # noqa: B018
    assert "compile:" not in capsys.readouterr().err
