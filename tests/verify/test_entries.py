"""Entries of Jacobians, Hessians and products: right ones are proved or confirmed."""

import random
import time

import mpmath
import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.graph.lower import lower
from gradcompile.ops import table
from gradcompile.ops.syntax import ExpressionError
from gradcompile.passes import run_passes
from gradcompile.verify.adjoints import verify_source
from gradcompile.verify.agreement import UNDEFINED
from gradcompile.verify.claims import Entry
from gradcompile.verify.entries import chained, verify_entries, verify_zeros
from tests.helpers.derivatives import KINDS, hessian, hvp, jacobian
from tests.helpers.engines import NotExact, is_smooth
from tests.helpers.lowering import program_of
from tests.helpers.oracles import COUNTS
from tests.helpers.pollu import SPECIES, pollu
from tests.helpers.programs import random_recipe
from tests.helpers.slow import slow_but


def program_of_list(function, count):
    inputs = [Value(1.0, f"x{k}") for k in range(count)]
    return run_passes(lower(function(inputs), inputs, [x.label for x in inputs], "f").program)


def verdicts(report):
    return {derivative.verdict for derivative in report}


def one(base, text, *, by="x", **options):
    """The line about a text of one derivative."""
    entry = Entry(f"d/d{by}", {0: None}, {by: None})
    return str(verify_entries(f"def g(x, y): return {text}", base, [entry], **options))


# --- right ones ------------------------------------------------------------------------------


def test_every_entry_of_the_jacobian_of_pollu_is_proved():
    report = jacobian(program_of_list(pollu, SPECIES)).verify()
    assert len(report) == SPECIES**2
    assert verdicts(report) == {"proved"}


HESSIANS = {
    "polynomial": lambda x, y: x**3 * y**2 - 2 * x * y + x,
    "neuron": lambda x, y, z: gdc.tanh(x * y + z),
    "quotient": lambda x, y: gdc.sin(x) / (y * y + 2),
    "logsumexp": lambda x, y: gdc.log(gdc.exp(x) + gdc.exp(2 * y)),
    "where": lambda x, y: gdc.where(x > y, x * x * y, y * y * gdc.sin(x)) + gdc.relu(x) * y,
    "leaky": lambda x, y: gdc.leaky_relu(x - y) * gdc.elu(x * y),
}


@pytest.mark.parametrize("name", HESSIANS)
def test_hessians_of_short_texts_are_proved(name):
    function = HESSIANS[name]
    names = [f"x{k}" for k in range(function.__code__.co_argcount)]
    report = hessian(program_of(function, *names)).verify()
    assert len(report) == len(names) ** 2
    assert verdicts(report) == {"proved"}


@pytest.mark.parametrize(
    "op",
    slow_but([table.mul, table.tanh, table.where], table.TABLE.values()),
    ids=lambda op: op.name,
)
def test_first_and_second_derivatives_of_every_operation_are_right(op):
    free = [name for name in op.operand_names if (op.name, name) not in COUNTS]
    inputs = {name: Value(1.0, f"x_{name}") for name in free}
    result = op(*[inputs.get(name, 2.0) for name in op.operand_names])
    labels = [x.label for x in inputs.values()]
    program = lower([result], list(inputs.values()), labels, "f").program
    for kind in ("jacobian", "hessian"):
        report = KINDS[kind](program).verify()
        assert report.ok, report


@pytest.mark.parametrize(
    ("first", "count"), slow_but([(0, 2)], [(0, 2), *((first, 50) for first in range(2, 152, 50))])
)
def test_random_programs_are_not_refuted(first, count):
    refuted = []
    at = (0.4, 0.6, 0.8)
    for number in range(first, first + count):
        recipe = random_recipe(random.Random(f"entries {number}"), 4)
        program = recipe.program()
        try:
            with mpmath.workdps(50):
                smooth = is_smooth(program, at)
        except NotExact:
            smooth = False
        # At this point the function is smooth, or verification would have to find another one.
        for kind in KINDS if smooth else ():
            report = KINDS[kind](program).verify()
            if not report.ok:
                refuted.append(f"{number}, {kind}\n{recipe}\n{report}")
    assert not refuted, "\n\n".join(refuted[:5])


KINKS = {
    "relu of relu": lambda x, y: gdc.relu(gdc.relu(x)) * y,
    "largest of relus": lambda x, y: gdc.maximum(gdc.relu(x), gdc.relu(y)) * y,
    "sign of relu": lambda x, y: gdc.sign(gdc.relu(x)) * y * y,
    "root of relu": lambda x, y: gdc.sqrt(gdc.relu(x)) * y + gdc.relu(y) ** 1.5,
    "floor": lambda x, y: gdc.floor(x) * y * y + gdc.fmod(x, y),
    "held": lambda x, y: gdc.stop_gradient(x * y) * x * x * y,
}  # fmt: skip


@pytest.mark.parametrize("kind", ["jacobian", "hessian", "hvp"])
@pytest.mark.parametrize("name", KINKS)
def test_functions_with_kinks_on_whole_regions_are_not_refuted(name, kind):
    report = KINDS[kind](program_of(KINKS[name], "x0", "x1")).verify()
    assert report.ok, report


@pytest.mark.slow
def test_what_is_too_long_for_sympy_is_confirmed_in_seconds():
    def chain(x):
        parts = [
            gdc.tanh(a * b + c) - gdc.sin(c) * a for a, b, c in zip(x, x[1:], x[2:], strict=False)
        ]
        return [sum(part * part for part in parts)]

    made = hvp(program_of_list(chain, 30))
    start = time.perf_counter()
    report = made.verify()
    assert time.perf_counter() - start < 10.0
    assert verdicts(report) == {"confirmed"}


# --- what entries may say --------------------------------------------------------------------

TWO = "def f(x, y):\n    v1 = sin(x)\n    return v1 * y, array([x * y, 2.0])\n"


def test_a_report_prints_a_line_an_entry():
    entries = [Entry(f"d values[{k}]/dx", {k: None}, {"x": None}) for k in range(3)]
    report = verify_entries("def g(x, y): return cos(x) * y, (y, 1.0)", TWO, entries)
    lines = str(report).splitlines()
    assert lines[:2] == ["d values[0]/dx: proved", "d values[1]/dx: proved"]
    assert lines[2].startswith("d values[2]/dx: refuted at x=")
    assert lines[2].endswith(": 1.0, not 0.0")
    assert "return v1 * y" in report.table()
    assert "cos(x) * y" in report.table()


def test_an_entry_may_be_a_sum_with_weights_over_outputs_and_inputs():
    entry = Entry("sum", {0: None, 1: "u[1]"}, {"x": "t", "y": None})
    right = "t * (cos(x) * y) + sin(x) + u[1] * (y * t + x)"
    assert str(verify_entries(f"def g(x, y, t, u): return {right}", TWO, [entry])) == "sum: proved"
    wrong = right.replace("u[1] * (y", "u[0] * (y")
    assert not verify_entries(f"def g(x, y, t, u): return {wrong}", TWO, [entry]).ok


def test_results_that_are_not_differentiated_are_compared_as_well():
    entries = [Entry("value", {1: None}, None), Entry("d/dy", {1: None}, {"y": None})]
    assert verify_entries("def g(x, y): return y * x, x", TWO, entries).ok
    report = verify_entries("def g(x, y): return y * y, x", TWO, entries)
    assert [x.verdict for x in report] == ["refuted", "proved"]


def test_results_before_the_entries_are_left_out():
    entry = Entry("d/dy", {1: None}, {"y": None})
    assert verify_entries("def g(x, y): return 7.0, 8.0, x", TWO, [entry], start=2).ok


def test_names_of_one_text_are_not_those_of_the_other():
    base = "def f(x):\n    p = x * x\n    return p * x\n"
    text = "def g(x, p):\n    v = x * x\n    return 3.0 * v * p\n"
    assert verify_entries(text, base, [Entry("along p", {0: None}, {"x": "p"})]).ok


def test_the_names_of_the_entries_are_handed_on():
    seen = []

    def progress(names):
        for name in names:
            seen.append(name)
            yield name

    assert one("def f(x): return x * x", "x + x", progress=progress) == "d/dx: proved"
    assert seen == ["d/dx"]


@pytest.mark.parametrize(
    ("text", "entry", "message"),
    [
        (
            "return x, y",
            Entry("", {0: None}, {"x": None}),
            "expected 1 entries in the text, found 2",
        ),
        ("return x", Entry("", {3: None}, {"x": None}), "differentiated has no result 3"),
        ("return x", Entry("", {0: None}, {"z": None}), "z is no parameter of the text"),
        ("return x", Entry("", {0: "u[0]"}, {"x": None}), r"u\[0\] is no parameter of the text"),
    ],
)
def test_entries_that_the_texts_do_not_have_are_an_error(text, entry, message):
    with pytest.raises(ExpressionError, match=message):
        verify_entries(f"def g(x, y): {text}", TWO, [entry])


def test_an_entry_that_is_never_decided_is_refuted():
    assert one("def f(x): return log(-1.0 - x * x)", "x * 7.0") == f"d/dx: refuted {UNDEFINED}"


# --- wrong ones ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "right", "wrong"),
    [
        ("x * x if x > 30.0 else x", "2.0 * x if x > 30.0 else 1.0", "x if x > 30.0 else 1.0"),
        ("relu(x - 50.0) * x", "(2.0 * x - 50.0) * (x > 50.0)", "(2.0 * x - 50.0) * (x > 51.0)"),
        ("exp(x) * 1e-9", "1e-9 * exp(x)", "1e-9"),
        ("asin(sin(x))", "cos(x) / sqrt(1.0 - sin(x) * sin(x))", "1.0"),
        ("0.3333333333333333 * x", "0.3333333333333333", "0.3333333333333334"),
    ],
)
def test_what_is_wrong_in_few_places_is_refuted(function, right, wrong):
    base = f"def f(x): return {function}"
    right, wrong = (text.replace("(x >", "float64(x >") for text in (right, wrong))
    assert "refuted" not in one(base, right)
    assert "refuted" in one(base, wrong)


def test_a_tie_that_is_none_is_refuted():
    # The maximum equals one of its operands wherever that is the larger one.
    base = "def f(x, y):\n    v = maximum(x, y)\n    return v * v\n"
    right = "def g(x, y):\n    v = maximum(x, y)\n    return {} * (v + v)\n"
    entry = [Entry("d/dx", {0: None}, {"x": None})]
    slope = "(1.0 if x > y else (0.5 if {} == y else 0.0))"
    assert verify_entries(right.format(slope.format("x")), base, entry).ok
    assert not verify_entries(right.format(slope.format("v")), base, entry).ok


def test_derivatives_outside_of_a_structure_are_found():
    names, inputs = ["a", "b", "c"], ["x", "y"]
    full = {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert len(verify_zeros(TWO, names, inputs, full)) == 0
    report = verify_zeros(TWO, names, inputs, full - {(1, 0)})
    assert [x.name for x in report] == ["d b/dx"]
    assert not report.ok
    cancelled = "def f(x, y): return x * y - x * y + y"
    assert str(verify_zeros(cancelled, ["f"], inputs, {(0, 1)})) == "d f/dx: proved"


# --- second derivatives ----------------------------------------------------------------------

GRADIENT = """
def f(x, y):
    v1 = x * x
    # reverse sweep, from value_bar = 1.0
    v1_bar = y
    x_bar = v1_bar * (2.0 * x)
    y_bar = v1
    return v1 * y, (x_bar, y_bar)
"""

HESSIAN = "def g(x, y): return 2.0 * y, 2.0 * x, 2.0 * x, 0.0"

SECOND = [
    Entry(f"d²/d{a} d{b}", {k: None}, {b: None}) for k, a in ((1, "x"), (2, "y")) for b in "xy"
]


def second(gradient):
    """The verdict on second derivatives, with that on the gradient that they are derivatives of."""
    first = verify_source(gradient)
    report = verify_entries(HESSIAN, gradient, SECOND)
    return chained(report, SECOND, dict(enumerate(first, 1)))


def test_second_derivatives_are_as_good_as_the_gradient():
    assert str(second(GRADIENT)).splitlines() == [f"{entry.name}: proved" for entry in SECOND]
    wrong = second(GRADIENT.replace("2.0 * x", "2.0 * x + 3.0"))
    assert [x.verdict for x in wrong] == ["refuted", "refuted", "proved", "proved"]
    assert "d/dx: refuted at" in str(wrong)
