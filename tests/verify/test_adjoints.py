"""`verify()`: right derivatives are proved or confirmed, and every wrong one is refuted."""

import ast
import copy
import functools
import itertools
import random
import re
from collections import Counter

import mpmath
import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.emit.reader import REVERSE
from gradcompile.graph.value import topological
from gradcompile.ops import table
from gradcompile.ops.syntax import ExpressionError, parse
from gradcompile.verify import digits, statements
from gradcompile.verify.adjoints import verify_source
from tests.helpers.engines import NotExact
from tests.helpers.engines import is_smooth as is_smooth_exactly
from tests.helpers.flat import signature_of
from tests.helpers.programs import random_recipe
from tests.helpers.slow import slow_but


def is_smooth(program, at):
    try:
        with mpmath.workdps(50):
            return is_smooth_exactly(program, at)
    except NotExact:
        return False


def compiled(function, **options):
    return gdc.compile(function, cache=False, **options)


def neuron(x1, x2, w1, w2, b):
    return gdc.tanh(x1 * w1 + x2 * w2 + b)


def verdicts(report):
    return {derivative.name: derivative.verdict for derivative in report}


# --- right ones ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report_of_neuron():
    return compiled(neuron).verify()


def test_the_neuron_of_the_lecture_is_proved(report_of_neuron):
    report = report_of_neuron
    assert report.ok
    assert verdicts(report) == dict.fromkeys(["x1", "x2", "w1", "w2", "b"], "proved")


def test_a_report_prints_one_line_a_derivative(report_of_neuron):
    assert str(report_of_neuron).splitlines() == [
        f"d/d{name}: proved" for name in ("x1", "x2", "w1", "w2", "b")
    ]
    assert len(report_of_neuron) == 5


def test_a_refuted_derivative_prints_the_point_and_both_numbers():
    source = compiled(lambda x, y: gdc.sin(x * y)).source.replace("cos(", "sin(")
    source = source.replace("import cos, sin", "import sin")
    report = verify_source(source)
    assert not report.ok
    line = str(report).splitlines()[0]
    assert re.search(r"d/dx: refuted .*at x=[-.\d]+, y=[-.\d]+: [-.\d]+, not [-.\d]+$", line), line


SMOOTH = {
    "polynomial": lambda x, y: 3 * x**2 - 4 * x * y + 5,
    "quotient": lambda x, y: (x / y) ** 3 - 1 / x,
    "exponentials": lambda x, y: gdc.exp(x * y) / (gdc.exp(x) + 1.0),
    "sigmoid": lambda x, y: gdc.log(gdc.sigmoid(x * y)) - gdc.sqrt(x * x + y * y),
    "trigonometric": lambda x, y: gdc.sin(x) * gdc.cos(y) + gdc.tan(x * y),
    "variable exponent": lambda x, y: (x**2 + 1) ** y,
    "special": lambda x, y: gdc.erf(x) * gdc.gelu(y) + gdc.silu(x) - gdc.softplus(y),
    "reused": lambda x, y: gdc.exp(x) * gdc.exp(x) + gdc.exp(x) / y,
    "hyperbolic": lambda x, y: gdc.sinh(x) / gdc.cosh(y) + gdc.asinh(x * y),
    "constant": lambda x, y: x * 0.0 + 3.0 * y,
}


@pytest.mark.parametrize("name", slow_but(SMOOTH.keys() - {"exponentials"}, SMOOTH))
def test_smooth_functions_are_proved(name):
    report = compiled(SMOOTH[name]).verify()
    assert set(verdicts(report).values()) == {"proved"}, report


PIECEWISE = {
    "where": lambda x, y: gdc.where(x > y, gdc.exp(x) * y, gdc.sin(x * y)),
    "maximum": lambda x, y: gdc.maximum(x, y) * gdc.relu(x),
    "abs": lambda x, y: gdc.abs(x - y) / gdc.abs(y),
    "sign": lambda x, y: gdc.sign(x) * y**2,
    "clip": lambda x, y: gdc.clip(x * y, -0.5, 0.5) * x,
    "leaky": lambda x, y: gdc.leaky_relu(x) + gdc.elu(y) * x,
    "floor": lambda x, y: gdc.floor(x) * y + gdc.ceil(y) * x,
    "fmod": lambda x, y: gdc.fmod(x, y) * x,
    "a number as a condition": lambda x, y: gdc.where(x, y * x, y),
    "logic": lambda x, y: gdc.where(gdc.logical_and(x > 0, y > 0), x * y, gdc.logical_not(x) + y),
    "copysign": lambda x, y: gdc.copysign(x, y) * y,
}


@pytest.mark.parametrize("name", PIECEWISE)
def test_piecewise_functions_are_not_refuted(name):
    report = compiled(PIECEWISE[name]).verify()
    assert report.ok, report


AT_KINKS = {
    "relu of relu": lambda x: gdc.relu(gdc.relu(x)),
    "clip of clip": lambda x: gdc.clip(gdc.clip(x, 0, 1), 0, 1) * x,
    "leaky of abs": lambda x: gdc.leaky_relu(abs(x) - x),
    "largest of relus": lambda x, y: gdc.maximum(gdc.relu(x), gdc.relu(y)) * y,
    "sign of relu": lambda x, y: gdc.sign(gdc.relu(x)) * y,
    "choice by relu": lambda x, y: gdc.where(gdc.relu(x), x, y) * y,
    "root of relu": lambda x, y: gdc.sqrt(gdc.relu(x)) + gdc.relu(y) ** 1.5,
    "even power of a negative number": lambda x, y: x ** gdc.maximum(y, 2.0),
}
"""Functions that meet kinks, jumps and edges of domains on whole regions."""

KINKS_BOTH_WAYS = [*itertools.product(AT_KINKS, ["proofs", "numbers"])]


@pytest.mark.parametrize(
    ("name", "by"),
    slow_but(
        {*KINKS_BOTH_WAYS} - {("largest of relus", "proofs"), ("root of relu", "proofs")},
        KINKS_BOTH_WAYS,
    ),
)
def test_right_slopes_at_kinks_are_not_refuted(name, by, monkeypatch):
    if by == "numbers":  # as in a long text
        monkeypatch.setattr(statements, "MAX_STATEMENTS_FOR_SYMPY", 0)

    def function(x, y):
        y = gdc.sin(y) * gdc.cos(y)
        return AT_KINKS[name](*(x, y)[: AT_KINKS[name].__code__.co_argcount]) + y

    report = compiled(function).verify()
    assert report.ok, report


@pytest.mark.parametrize(
    "op", [op for op in table.TABLE.values() if op.kinks], ids=lambda op: op.name
)
def test_operations_with_kinks_are_proved_by_cases(op):
    inputs = [Value(1.0, name) for name in op.operand_names]
    found = verdicts(gdc.compile(op(*inputs), inputs=inputs, cache=False).verify())
    if op.name == "clip":  # sympy looks at a > b, too, which its domain excludes
        assert found.pop("b") == "confirmed"
    assert set(found.values()) == {"proved"}


DOMAINS = {
    "log of a shift": lambda x: gdc.log(x - 5.0),
    "far away": lambda x: gdc.log(x - 30.0),
    "log log": lambda x: gdc.log(gdc.log(x)),
    "arc": lambda x: gdc.asin(x) + gdc.acos(x) * gdc.atanh(x),
    "root of a circle": lambda x: gdc.sqrt(1.0 - x * x),
    "beyond one": lambda x: gdc.acosh(x) * gdc.log(x),
    "small": lambda x: gdc.sqrt(1e-4 - x * x),
    "two domains": lambda x, y: gdc.log(x - 5.0) + gdc.asin(y),
    "opposite signs": lambda x, y: gdc.log(x) * gdc.log(-y),
    "gamma": lambda x: gdc.lgamma(x) * gdc.digamma(x),
}


@pytest.mark.parametrize("name", DOMAINS)
def test_functions_with_a_restricted_domain_are_not_refuted(name):
    report = compiled(DOMAINS[name]).verify()
    assert report.ok, report


@pytest.mark.slow
def test_large_functions_are_confirmed():
    def f(x, y):
        for _ in range(120):
            x, y = gdc.sin(x * y + 0.5), gdc.cos(x - y)
        return x * y

    report = compiled(f).verify()
    assert report.ok
    assert set(verdicts(report).values()) == {"confirmed"}
    assert re.search("to 50 digits at [4-9] points", str(report))


def test_a_polygamma_is_evaluated_at_the_orders_that_emitted_text_computes():
    source = compiled(lambda n, x: gdc.polygamma(n, x) * gdc.sin(x)).source
    refuted = verify_source(source.replace("polygamma(n + 1.0, x)", "polygamma(n + 2.0, x)"))
    assert verdicts(refuted) == {"n": "confirmed", "x": "refuted"}
    of_order = digits.numeric(parse("polygamma(n, x)"))
    two = digits.number(2)
    assert digits.is_sound(of_order({"n": digits.number(170), "x": two}))
    for order in (171, 1e300, -1):
        with pytest.raises(ValueError, match="of an order that emitted text does not compute"):
            of_order({"n": digits.number(order), "x": two})


def test_a_wrong_branch_that_is_rarely_taken_is_not_proved():
    # Beyond the points that are tried; a proof must not overlook what numbers did not see.
    source = compiled(lambda x: gdc.where(x > 1e6, x * x, x)).source
    assert "2.0 * x" in source
    report = verify_source(source.replace("2.0 * x", "3.0 * x"))
    assert verdicts(report)["x"] != "proved"


def test_only_the_chosen_arguments_are_reported():
    function = compiled(lambda w, x, b: gdc.tanh(w * x + b), wrt=["b", "w"])
    assert verdicts(function.verify()) == {"w": "proved", "b": "proved"}


def test_unused_arguments_have_a_proved_derivative_of_zero():
    report = compiled(lambda a, b, c: b * b).verify()
    assert verdicts(report) == dict.fromkeys("abc", "proved")


def test_an_unused_argument_with_a_slope_is_refuted():
    source = compiled(lambda a, b: b * b).source
    assert "(0.0, b_bar)" in source
    assert verify_source(source).ok
    assert not verify_source(source.replace("(0.0, b_bar)", "(1.0, b_bar)")).ok


def test_arrays_have_a_derivative_for_each_element():
    function = compiled(lambda w, x: gdc.tanh(sum(a * b for a, b in zip(w, x, strict=True))))
    function.value_and_grad([0.1, 0.2], np.array([0.3, 0.4]))
    assert verdicts(function.verify()) == dict.fromkeys(["w[0]", "w[1]", "x[0]", "x[1]"], "proved")


def test_long_gradients_are_verified():
    xs = [Value(1.0, f"x{k}") for k in range(25)]
    root = sum((x * x for x in xs), Value(0.0)).sqrt()
    function = gdc.compile(root, inputs=xs, roll=False, cache=False)
    assert "gradient = empty(25)" in function.source
    report = function.verify()
    assert len(report) == 25
    assert report.ok
    wrong = function.source.replace("gradient[7] =", "gradient[8] =", 1)
    with pytest.raises(ExpressionError, match="assigned twice"):
        verify_source(wrong)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * x / 3.0,
        lambda x: gdc.sin(x * 0.1) * 0.3,
        lambda x: x**0.1,
        lambda x: (x + 1.0) ** (1 / 3) / 7.0,
        lambda x: gdc.erf(x / 3.0) * 0.7,
    ],
)
def test_rounding_a_constant_is_no_wrong_rule(function):
    # 2 / 3 is no float. A pass that computes it rounds it; the derivative is right all the same.
    report = compiled(function).verify()
    assert report.ok, report


@pytest.mark.parametrize(("count", "least"), slow_but([(5, 1)], [(5, 1), (30, 9)]))
def test_random_programs_are_never_refuted(count, least):
    refuted, verified = [], 0
    for number in range(count):
        recipe = random_recipe(random.Random(f"verify {number}"), 4)
        root, inputs = recipe.graph((0.4, 0.6, 0.8))
        used = [x for x in inputs if any(x is value for value in topological(root))]
        # At this point the function is smooth, or verification would have to find another one.
        if not used or not is_smooth(recipe.program(), (0.4, 0.6, 0.8)):
            continue
        verified += 1
        report = gdc.compile(root, inputs=used, cache=False).verify()
        if not report.ok:
            refuted.append(f"{recipe}\n{report}")
    assert verified >= least
    assert not refuted, f"{len(refuted)} of {verified}\n" + "\n\n".join(refuted[:5])


# --- wrong rules -----------------------------------------------------------------------------


@pytest.fixture
def with_partial():
    """Replaces one partial of a row for one test."""
    undone = []

    def change(op, index, partial):
        undone.append((op, op.partials))
        partials = (*op.partials[:index], partial, *op.partials[index + 1 :])
        object.__setattr__(op, "partials", partials)  # rows are frozen

    yield change
    for op, partials in reversed(undone):
        object.__setattr__(op, "partials", partials)


WRONG = [
    pytest.param(table.tanh, 0, lambda y, x: 1.0 + y * y, id="tanh, sign"),
    pytest.param(
        table.tanh, 0, lambda y, x: 1.0 - y, id="tanh, not squared", marks=pytest.mark.slow
    ),
    pytest.param(table.mul, 1, lambda y, a, b: b, id="mul, the other operand"),
    pytest.param(table.div, 1, lambda y, a, b: y / b, id="div, sign"),
    pytest.param(table.sin, 0, lambda y, x: table.sin(x), id="sin, not cos"),
    pytest.param(table.sub, 1, lambda y, a, b: 1.0, id="sub, sign"),
    pytest.param(table.sqrt, 0, lambda y, x: 0.5 * y, id="sqrt, product"),
    pytest.param(table.exp, 0, lambda y, x: x, id="exp, operand"),
    pytest.param(table.erf, 0, lambda y, x: 1.128 * table.exp(-(x * x)), id="erf, three digits"),
    pytest.param(table.erf, 0, lambda y, x: 1.12838 * table.exp(-(x * x)), id="erf, six digits"),
    pytest.param(table.maximum, 0, lambda y, a, b: table.where(a > b, 0.0, 1.0), id="maximum"),
    pytest.param(table.relu, 0, lambda y, x: 1.0, id="relu, on one side"),
]


@pytest.mark.parametrize(("op", "index", "partial"), WRONG)
def test_a_wrong_rule_is_refuted(with_partial, op, index, partial):
    def f(x, y):
        operands = (x * y, y + 3.0)[: op.arity]
        return op(*operands) * y

    assert compiled(f).verify().ok
    with_partial(op, index, partial)
    report = compiled(f).verify()
    assert not report.ok
    assert "refuted" in str(report)


def test_a_constant_wrong_by_one_ulp_is_not_proved(with_partial):
    assert verdicts(compiled(lambda x: gdc.erf(x)).verify()) == {"x": "proved"}
    with_partial(table.erf, 0, lambda y, x: 1.1283791670955128 * table.exp(-(x * x)))
    assert verdicts(compiled(lambda x: gdc.erf(x)).verify()) != {"x": "proved"}


def test_only_what_depends_on_the_wrong_rule_is_refuted(with_partial):
    with_partial(table.sin, 0, lambda y, x: -table.cos(x))
    report = compiled(lambda x, y: gdc.sin(x) + y * y).verify()
    assert verdicts(report) == {"x": "refuted", "y": "proved"}


# --- corrupted text --------------------------------------------------------------------------

TEXTS = {
    "neuron": neuron,
    "quotient": lambda x, y: (x / y) ** 3 - 1.0 / (x + 3.0),
    "shared": lambda x, y: gdc.exp(x * y) * gdc.sin(x * y) + x * y,
    "piecewise": lambda x, y: gdc.where(x > y, x * x * y, x - y * y) * gdc.maximum(x, 0.5 * y),
    "roots": lambda x, y: gdc.sqrt(x * x + y * y + 1.0) * gdc.log(x * x + 2.0),
    "sums": lambda x, y: (x + 2.0 * y - 3.0 * x * y) ** 2 + (x - y) ** 2 / 4.0,
}

OTHER_FUNCTION = {
    "sin": "cos", "cos": "sin", "exp": "tanh", "tanh": "exp", "log": "sqrt", "sqrt": "exp",
    "hypot": "maximum", "maximum": "minimum", "log1p": "expm1",
}  # fmt: skip


def mutants(source):
    """The single faults of the reverse sweep: what each is, and what makes the new text."""
    first = [line.strip().startswith(REVERSE) for line in source.splitlines()].index(True) + 1
    tree = ast.parse(source)
    function = tree.body[-1]
    spots = []
    for statement in function.body:
        if statement.lineno > first:
            spots.extend(expressions(statement))
    read = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
    helpers = {"array", "inputs", "float64", "empty", "max", "abs", "sign", *OTHER_FUNCTION}
    names = sorted(read - helpers)
    for number, spot in enumerate(spots):
        for what, replacement in faults(spot, names):
            make = functools.partial(mutant_of, tree, first, number, replacement)
            yield f"{what} in `{ast.unparse(spot)}`", make


def mutant_of(tree, first, number, replacement):
    """The text with another expression in the place of the one of a number."""
    changed = copy.deepcopy(tree)
    target = [
        node
        for statement in changed.body[-1].body
        if statement.lineno > first
        for node in expressions(statement)
    ][number]
    Replace(target, replacement).visit(changed)
    return with_marker(changed)


def expressions(statement):
    nodes = list(ast.walk(statement.value))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    return [node for node in nodes if isinstance(node, ast.expr) and id(node) not in called]


def with_marker(tree):
    """The text again, with the comment that tells the sweeps apart."""
    ast.fix_missing_locations(tree)
    text = ast.unparse(tree).splitlines()
    at = next(i for i, line in enumerate(text) if "_bar" in line.split(" = ")[0])
    return "\n".join([*text[:at], "    # reverse sweep", *text[at:]]) + "\n"


class Replace(ast.NodeTransformer):
    def __init__(self, old, new):
        self.old, self.new = old, new

    def visit(self, node):
        return copy.deepcopy(self.new) if node is self.old else super().visit(node)


def faults(node, names):
    """Single faults of an expression: sign, operand, missing contribution, constant, function."""
    match node:
        case ast.Name(name):
            yield from ((f"operand {other}", ast.Name(other)) for other in names if other != name)
            yield "sign", ast.UnaryOp(ast.USub(), node)
        case ast.Constant(float(value)):
            yield "constant", ast.Constant(value + 1.0)
            yield "constant", ast.Constant(value * 0.5 + 1e-9)
        case ast.BinOp(left, operator, right):
            yield "left operand alone", left
            yield "right operand alone", right
            others = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
            if type(operator) in others:
                yield "operator", ast.BinOp(left, others[type(operator)](), right)
            yield "operands exchanged", ast.BinOp(right, operator, left)
            yield "sign", ast.UnaryOp(ast.USub(), node)
        case ast.UnaryOp(ast.USub(), operand):
            yield "no sign", operand
        case ast.IfExp(test, body, orelse):
            yield "branches exchanged", ast.IfExp(test, orelse, body)
            yield "one branch", body
            yield "other branch", orelse
        case ast.Call(ast.Name(name), arguments) if name in OTHER_FUNCTION:
            yield "function", ast.Call(ast.Name(OTHER_FUNCTION[name]), arguments, [])
        case ast.Tuple([_, ast.Tuple()]):
            pass  # the value and the gradient
        case ast.Tuple(items) if len(items) > 1:
            yield "components exchanged", ast.Tuple([items[1], items[0], *items[2:]])
            yield "component repeated", ast.Tuple([items[0], items[0], *items[2:]])
            yield "component missing", ast.Tuple([ast.Constant(0.0), *items[1:]])


POINTS = [np.random.default_rng(k).uniform(0.1, 1.9, 8) for k in range(6)]
POINTS += [np.random.default_rng(k).uniform(-2.0, 2.0, 8) for k in range(6, 14)]


def gradients(source):
    """The gradients at some points; None where the text does not run."""
    names = {}
    header = "from gradcompile.ieee import *\nfrom numpy import array, empty, float64\n"
    body = source[source.index("def ") :]
    with np.errstate(all="ignore"):
        try:
            exec(header + body, names)
            (function,) = [f for name, f in names.items() if name.endswith("_value_and_grad")]
            arity = function.__code__.co_argcount
            return [np.array(function(*at[:arity])[1]) for at in POINTS]
        except (ValueError, TypeError, ArithmeticError, NameError):
            return None


@pytest.mark.parametrize(
    ("old", "new"), [("v4 if v5 > x", "v4 if v1 > x"), ("if v1 else", "if -v1 else")]
)
def test_a_condition_in_the_place_of_a_number_is_refused(old, new):
    source = compiled(TEXTS["piecewise"]).source
    assert "    v1 = x > y\n" in source
    assert old in source
    with pytest.raises(ExpressionError, match="v1 is a condition in "):
        verify_source(source.replace(old, new, 1))


@pytest.mark.parametrize("name", slow_but(TEXTS.keys() - {"neuron"}, TEXTS))
def test_the_texts_are_right_before_they_are_corrupted(name):
    assert compiled(TEXTS[name]).verify().ok


def changes_the_result(source, mutant):
    a, b = gradients(source), gradients(mutant)
    if b is None:
        return True
    return any(
        not np.allclose(x, y, rtol=1e-9, atol=1e-12, equal_nan=True)
        for x, y in zip(a, b, strict=True)
    )


@functools.cache
def corrupted():
    found = []
    for name, function in TEXTS.items():
        source = gdc.compile(function, name="f", cache=False).source
        found += [(name, source, what, make) for what, make in mutants(source)]
    return found


def drawn(count):
    """So many of them, each kind as often as any other, as far as there are some."""
    everything = list(corrupted())
    random.Random(0).shuffle(everything)
    seen, order = Counter(), []
    for fault in everything:
        kind = fault[2].split(" ")[0]
        order.append((seen[kind], fault))
        seen[kind] += 1
    return [fault for _, fault in sorted(order, key=lambda pair: pair[0])[:count]]


def is_refuted(mutant):
    try:
        return not verify_source(mutant).ok
    except ExpressionError:
        return True


@pytest.mark.parametrize(
    "count", [10, pytest.param(480, marks=pytest.mark.slow)], ids=lambda count: f"{count} faults"
)
def test_every_single_fault_that_changes_the_gradient_is_refuted(count):
    tried, missed, kinds = 0, [], set()
    for name, source, what, make in drawn(count):
        mutant = make()
        if changes_the_result(source, mutant):
            tried += 1
            kinds.add(what.split(" ")[0])
            if not is_refuted(mutant):
                missed.append(f"{name}: {what}\n{mutant}")
    assert not missed, "\n".join(missed[:5])
    assert tried >= 0.8 * count
    assert {"sign", "left", "right", "operand", "constant", "operator", "components"} <= kinds
    assert count < 100 or {"no", "branches", "one", "other", "function"} <= kinds


@pytest.mark.parametrize("count", slow_but([1], [1, 4]))
def test_what_does_not_change_the_gradient_is_not_refuted(count):
    exchanged = [found for found in corrupted() if found[2].startswith("operands exchanged")]
    random.Random(0).shuffle(exchanged)
    made = ((name, source, what, make()) for name, source, what, make in exchanged)
    equal = (found for found in made if not changes_the_result(found[1], found[3]))
    first = list(itertools.islice(equal, count))
    assert len(first) == count
    wrongly = [f"{name}: {what}\n{mutant}" for name, _, what, mutant in first if is_refuted(mutant)]
    assert not wrongly, "\n".join(wrongly)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tanh(", "sin("),
        pytest.param("+ b", "+ 2.0 * b", marks=pytest.mark.slow),
        pytest.param("x1 * w1 + x2", "x1 * w1 - x2", marks=pytest.mark.slow),
        pytest.param("+ b", "+ x1", marks=pytest.mark.slow),
    ],
)
def test_a_fault_in_the_forward_sweep_is_refuted(old, new):
    source = compiled(neuron).source
    assert old in source
    body = source.index('"""\n') + 4  # behind the docstring
    mutant = source[:body] + source[body:].replace(old, new, 1).replace(
        "import tanh", "import sin, tanh"
    )
    assert not verify_source(mutant).ok


def test_a_fault_in_the_order_of_parameters_is_refuted():
    source = compiled(lambda x, w, b: gdc.tanh(x * w + b)).source
    assert "(x, w, b):\n" in source
    mutant = source.replace("(x, w, b):\n", "(b, w, x):\n", 1)
    assert not verify_source(mutant).ok


def test_a_fault_in_what_is_loaded_is_refuted():
    leaves = [Value(0.5, name) for name in "abcd"]
    a, b, c, d = leaves
    f = gdc.compile(gdc.tanh(a * b) + c * d * d, inputs=[leaves], cache=False)
    source = f.source
    assert "[0], " in source
    mutant = source.replace("[0], ", "[1], ", 1)
    by = signature_of(f.value_and_grad).sources()
    assert verify_source(source, by).ok
    assert not verify_source(mutant, by).ok


@pytest.mark.parametrize(
    "corrupt",
    [
        lambda s: s.replace("return", "retrun"),
        lambda s: s.replace("= tanh(", "= unknown("),
        lambda s: s.replace("    return", "    import os\n    return"),
        lambda s: s.replace("    return", "    while True: pass\n    return"),
        lambda s: s.replace("value = ", "x1 = ", 1),
        lambda s: s.replace("value = ", "value = __import__('os').getcwd() or ", 1),
        lambda s: s.replace("return value,", "return"),
        lambda s: "",
        lambda s: s + s[s.index("def ") :],
    ],
)
def test_text_of_another_form_is_an_error_and_is_not_executed(corrupt):
    assert is_refuted(corrupt(compiled(neuron).source))


def test_where_a_function_is_as_good_as_constant_nothing_is_refuted(monkeypatch):
    monkeypatch.setattr(statements, "MAX_STATEMENTS_FOR_SYMPY", 0)  # so that numbers decide
    f = gdc.compile(lambda x: gdc.tanh(20.0 * x + 345.0))  # 1 - tanh(x)**2 is about 1e-300
    assert f.verify().ok
