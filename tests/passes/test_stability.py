"""Stability rules: what users write in the textbook's form comes out right.

`test_passes.py` proves each rule. Here their errors are measured, in units in the last place (ulp)
against numbers of 700 digits: as many as 1 + exp(-1000) needs, and more. Then whole functions go
through the compiler and every engine.
"""

import ast
import copy
import itertools
import math
import random

import mpmath
import numpy as np
import pytest
import sympy

import gradcompile as gdc
from gradcompile import Value
from gradcompile.autodiff.reverse import reverse
from gradcompile.graph.lower import lower
from gradcompile.ir.interpret import interpret
from gradcompile.ops import functions
from gradcompile.ops.syntax import code, evaluate, parse
from gradcompile.ops.table import TABLE
from gradcompile.passes import run_passes
from gradcompile.passes.rules import CONSTANTS, IDENTITIES, STABILITY, Rule
from gradcompile.verify.digits import algebra
from gradcompile.verify.symbols import SYMBOLS, is_zero
from tests.helpers import oracles
from tests.helpers.flat import flat
from tests.helpers.slow import slow_but
from tests.passes.test_passes import proved

DIGITS = 700

RULES = [pytest.param(rule, id=rule.pattern) for rule in STABILITY]

# --- zeros and poles ---------------------------------------------------------------------------

TO_THE_RIGHT = "log(1.0 - x)"
"""Its rule gives -0 at 0, as log1p(-x) does: the limit from the right, where written it is 0."""

POLES = ("{}", "1.0 / ({})", "log({})", "sqrt({})")


@pytest.mark.parametrize("pole", POLES)
@pytest.mark.parametrize(
    "rule",
    [rule for rule in (*IDENTITIES, *STABILITY) if rule.pattern != TO_THE_RIGHT],
    ids=lambda rule: rule.pattern,
)
def test_no_rule_turns_a_pole_round(rule, pole):
    names = [name for name in rule.variables if name != "k"]
    inputs = [Value(1.0) for _ in names]
    scope = {**CONSTANTS, "k": 3.0, **dict(zip(names, inputs, strict=True))}
    root = evaluate(parse(pole.format(rule.pattern)), scope, TABLE)
    written = lower([root], inputs, names, "f").program
    wrt = range(len(inputs))
    before, after = reverse(written, wrt), run_passes(reverse(run_passes(written), wrt))
    for at in itertools.product((0.0, 1.0, -1.0, 2.0, 0.5), repeat=len(inputs)):
        results = [flat(interpret(program, at)) for program in (before, after)]
        for a, b in zip(*results, strict=True):
            assert a == b or not (math.isinf(a) and math.isinf(b)), at
        a, b = results[0][0], results[1][0]
        assert a != 0.0 or b != 0.0 or math.copysign(1.0, a) <= math.copysign(1.0, b), at


def test_the_slope_at_a_pole_has_the_sign_of_the_one_that_was_written(every_engine):
    f = gdc.compile(lambda x: gdc.log(1 - gdc.exp(x)))
    f.value_and_grad(-1.0)
    assert set(map(str, every_engine(f, [0.0]).values())) == {str((-math.inf, [-math.inf]))}


# --- errors in ulp -------------------------------------------------------------------------------


def ulps(found, exact, smallest=0.0):
    """The error of a float in ulp of the exact number, or of `smallest` if that is larger."""
    if math.isnan(found):
        return math.inf
    nearest = float(exact)
    if math.isinf(found) or math.isinf(nearest):
        return 0.0 if found == nearest else math.inf
    return float(abs(mpmath.mpf(found) - exact) / math.ulp(max(abs(nearest), smallest)))


def errors(before, after, exact, points, smallest=0.0):
    """For each point at which the exact number is real: the errors of two functions."""
    found = []
    with mpmath.workdps(DIGITS):
        for at in points:
            try:
                number = exact(*map(mpmath.mpf, at))
            except (ArithmeticError, ValueError):
                continue
            if isinstance(number, mpmath.mpf) and not mpmath.isnan(number):
                pair = ulps(before(*at), number, smallest), ulps(after(*at), number, smallest)
                found.append((*pair, at))
    assert len(found) > len(points) / 4
    return found


def in_range(gain, count, seed):
    rng = random.Random(f"{seed}")
    return [tuple(rng.uniform(*ends) for ends in gain) for _ in range(count)]


def anywhere(arity, count, seed):
    """Points that are normal, moderate, of every size down to 1e-12, and of every size at all."""
    rng = random.Random(f"{seed}")
    draws = (
        lambda: rng.gauss(0.0, 1.0),
        lambda: rng.uniform(-30.0, 30.0),
        lambda: rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-12.0, 2.0),
        lambda: rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-300.0, 300.0),
    )
    return [tuple(rng.choice(draws)() for _ in range(arity)) for _ in range(count)]


def side(text, variables, functions=TABLE, number=float):
    """One side of a rule as a function of its variables' values."""
    expression = code(parse(text), functions, number)
    constants = {name: number(x) for name, x in CONSTANTS.items()}
    return lambda *at: expression({**constants, **dict(zip(variables, at, strict=True))})


def sides(rule):
    """Both sides of a rule over floats, and its pattern over numbers of many digits."""
    names = rule.variables
    functions, _ = algebra(mpmath.mp)
    exact = side(rule.pattern, names, functions, mpmath.mpf)
    return side(rule.pattern, names), side(rule.replacement, names), exact


SUM_OF_EXPS = "log(exp(x) + exp(y))"
"""It goes through 0 where exp(x) + exp(y) is 1; beside such points both sides have no digit right,
and only their absolute error means something."""


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_reduces_the_error_where_it_says_so(rule):
    gain = rule.gain or ((1e-3, 1e3),) * len(rule.variables)
    found = errors(*sides(rule), in_range(gain, 100, rule.pattern))
    before, after = (max(error[k] for error in found) for k in (0, 1))
    assert after <= 3.0
    if rule.gain:
        assert after < before / 100
    else:
        # They promise no digits: they are faster, or bring the form that other rules know.
        assert after <= before + 1.0


@pytest.mark.parametrize("count", slow_but([25], [25, 100, 1000]))
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_never_adds_more_than_two_ulp(rule, count):
    smallest = 1.0 if rule.pattern == SUM_OF_EXPS else 0.0
    points = anywhere(len(rule.variables), count, rule.pattern)
    for before, after, at in errors(*sides(rule), points, smallest):
        assert after <= before + 2.0, at


@pytest.mark.parametrize("step", slow_but([1.0], [1.0, 0.25]))
def test_one_minus_the_square_of_tanh_is_better_in_every_interval(step):
    # Single points prove little here: in one of many thousands, the errors of the pattern cancel
    # as if by magic. So what is compared is the largest error in each short interval.
    (rule,) = (rule for rule in STABILITY if rule.pattern == "1.0 - square(tanh(x))")
    before, after, _ = sides(rule)

    def exact(x):
        return 1 / mpmath.cosh(x) ** 2

    rng = random.Random(0)
    with mpmath.workdps(40):
        for low in np.arange(0.0, 6.0, step):
            worst = [0.0, 0.0]
            for x in (rng.uniform(low, low + 0.25) for _ in range(400)):
                number = exact(mpmath.mpf(x))
                worst = [
                    max(w, ulps(f(x), number)) for w, f in zip(worst, (before, after), strict=True)
                ]
            assert worst[1] <= worst[0] + 2.0, low
            assert worst[1] <= 8.0, low


# --- sums of any length, which no rule can be written for ----------------------------------------


def log_of_exps(x):
    return gdc.log(sum(gdc.exp(item) for item in x[1:]) + gdc.exp(x[0]))


def log_of_softmax(x):
    exps = [item.exp() for item in x]
    return (exps[1] / sum(exps)).log()


def exact_log_of_exps(*x):
    return mpmath.log(sum(map(mpmath.exp, x)))


def exact_log_of_softmax(*x):
    return x[1] - exact_log_of_exps(*x)


LOGARITHMS = {
    "log(exp(x1) + exp(x2) + ...)": (log_of_exps, exact_log_of_exps),
    "log(exp(x1) / (exp(x1) + exp(x2) + ...))": (log_of_softmax, exact_log_of_softmax),
}


def programs(function, arity):
    """The program as written, and after the passes."""
    inputs = [Value(1.0, f"x{k}") for k in range(arity)]
    written = lower([function(inputs)], inputs, [x.label for x in inputs], "f").program
    return written, run_passes(written)


def running(program):
    return lambda *at: interpret(program, at)[0]


@pytest.mark.parametrize("arity", [2, 3, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", LOGARITHMS)
def test_a_logarithm_of_exps_of_any_length_is_proved(name, arity):
    function, _ = LOGARITHMS[name]
    written, changed = programs(function, arity)
    if arity > 2 or function is log_of_softmax:  # the logarithm of two has a rule of its own
        assert any(note.startswith(name) for note in changed.notes)
    # Whatever is taken out of the sum, the sum is the same; so it stands for any number.
    taken_out = sympy.Symbol("m", real=True)
    functions = {**SYMBOLS, "stop_gradient": lambda x: taken_out}
    algebra = oracles.Algebra(functions, oracles.SYMBOLS.number)
    at = [sympy.Symbol(f"x{k}", real=True) for k in range(arity)]
    (before,), (after,) = (algebra.run(program, at) for program in (written, changed))
    # Both are logarithms of real numbers, equal if their exponentials are.
    assert is_zero(sympy.exp(before) - sympy.expand(sympy.exp(after)))
    for x in at:
        assert is_zero(sympy.diff(before, x) - sympy.diff(after, x))


@pytest.mark.parametrize("arity", slow_but([2], [2, 3, 5]))
@pytest.mark.parametrize("name", LOGARITHMS)
def test_a_logarithm_of_exps_of_any_length_gains_digits(name, arity):
    function, exact = LOGARITHMS[name]
    before, after = map(running, programs(function, arity))
    gain = ((710.0, 1e4),) * arity
    found = errors(before, after, exact, in_range(gain, 30, name), 1.0)
    assert min(error[0] for error in found) == math.inf
    assert max(error[1] for error in found) <= 2.0
    for worse, better, at in errors(before, after, exact, anywhere(arity, 100, name), 1.0):
        assert better <= worse + 2.0, at


def test_infinite_terms_are_not_taken_out():
    _, changed = programs(log_of_exps, 3)
    value = running(changed)
    assert value(-math.inf, -math.inf, -math.inf) == -math.inf
    assert value(1.0, math.inf, 2.0) == math.inf
    assert value(-math.inf, 3.0, -math.inf) == 3.0
    assert math.isnan(value(1.0, math.nan, 2.0))


LARGE = (1000.0, -1000.0, 999.0)


def test_the_logarithm_of_exps_of_differences_does_not_overflow():
    # A difference by any value is an exponent like others; only a value that was taken out, which
    # is the operand of stop_gradient, says that the sum is safe already.
    def f(x):
        return log_of_exps([item - x[3] for item in x[:3]])

    written, changed = programs(f, 4)
    assert any(note.startswith("log(exp(x1) + exp(x2) + ...)") for note in changed.notes)
    assert running(written)(*LARGE, 0.0) == math.inf
    assert running(changed)(*LARGE, 0.0) == pytest.approx(1000.0 + math.log1p(math.exp(-1.0)))


def test_a_logarithm_of_exps_that_is_shifted_already_stays():
    written, changed = programs(gdc.logsumexp, 3)
    assert not changed.notes
    assert str(changed) == str(written)


def softmax_with_shifts(x):
    """The logarithm of the second weight of three, each with a number of its own taken out."""
    weights = [gdc.exp(x[k] - gdc.stop_gradient(x[3 + k])) for k in range(3)]
    return gdc.log(weights[1] / (weights[0] + weights[1] + weights[2]))


@pytest.mark.parametrize("shifts", [(0.5, 0.5, 0.5), (0.5, 0.25, 0.5), (3.0, 0.25, -2.0)])
def test_shifts_that_differ_do_not_cancel(shifts):
    at = (1.0, 2.0, 0.5, *shifts)
    written, changed = programs(softmax_with_shifts, 6)
    assert any(note.startswith("log(exp(x1) / (exp(x1)") for note in changed.notes)
    assert running(changed)(*at) == pytest.approx(running(written)(*at), rel=1e-14)


def test_a_shift_that_all_terms_share_cancels():
    def f(x):
        shift = gdc.stop_gradient(x[3])
        weights = [gdc.exp(item - shift) for item in x[:3]]
        return gdc.log(weights[1] / (weights[0] + weights[1] + weights[2]))

    _, changed = programs(f, 4)
    assert running(changed)(*LARGE, 1e4) == pytest.approx(-2000.0 - math.log1p(math.exp(-1.0)))
    assert all(changed.inputs[3] not in i.operands for i in changed.instructions), changed


# --- a wrong rule is found -----------------------------------------------------------------------

FUNCTIONS = {
    "log1p": "expm1", "expm1": "log1p", "softplus": "sigmoid", "sigmoid": "tanh",
    "tanh": "sigmoid", "hypot": "logaddexp", "logaddexp": "hypot", "sqrt": "cbrt",
    "rsqrt": "reciprocal",
}  # fmt: skip
"""For each function that replacements use, another one."""


def faults(text):
    """The expression with each of its parts made wrong, one at a time."""
    tree = parse(text)
    for index in range(len(list(ast.walk(tree)))):
        changed = copy.deepcopy(tree)
        node = list(ast.walk(changed))[index]
        match node:
            case ast.Call(ast.Name(name)) if name != "where":
                node.func = ast.Name(FUNCTIONS.get(name, "exp"))
            case ast.Constant(value):
                node.value = value + 0.5
            case ast.BinOp():
                node.op = ast.Div() if isinstance(node.op, ast.Mult) else ast.Sub()
            case ast.UnaryOp():
                node.op = ast.UAdd()
        yield ast.unparse(changed)
    yield f"-({text})"


def differ(rule, wrong):
    """Is the wrong replacement another function at all? A threshold may stand anywhere."""
    right = side(rule.replacement, rule.variables)
    points = anywhere(len(rule.variables), 50, rule.pattern)
    changed = side(wrong, rule.variables)
    return any(abs(right(*at) - changed(*at)) > 1e-9 for at in points)


SLOWLY_REFUTED = ("1.0 - square(tanh(x))", "expm1(x) / (1.0 + exp(x))")


@pytest.mark.parametrize(
    ("rule", "count"),
    slow_but(
        [(rule, 1) for rule in STABILITY if rule.pattern not in SLOWLY_REFUTED],
        itertools.product(STABILITY, (1, 4)),
    ),
    ids=lambda x: getattr(x, "pattern", None),
)
def test_a_wrong_rule_is_not_proved(rule, count):
    wrong = [text for text in faults(rule.replacement) if differ(rule, text)]
    assert wrong
    for text in random.Random(0).sample(wrong, min(len(wrong), count)):
        assert not proved(Rule(rule.pattern, text, "")), text


# --- through the whole compiler ------------------------------------------------------------------


def operations(function):
    return [instruction.op.name for instruction in function.value.program.instructions]


WRITTEN = {
    "log(1 + x)": (lambda x: gdc.log(1 + x), ["log1p"]),
    "log(x + 1)": (lambda x: (x + 1).log(), ["log1p"]),
    "log(1 - x)": (lambda x: gdc.log(1 - x), ["neg", "log1p"]),
    "exp(x) - 1": (lambda x: gdc.exp(x) - 1, ["expm1"]),
    "-1 + exp(x)": (lambda x: -1 + gdc.exp(x), ["expm1"]),
    "1 - exp(-x)": (lambda x: 1 - gdc.exp(-x), ["neg", "expm1", "sub"]),
    "log(exp(x))": (lambda x: gdc.log(gdc.exp(3 * x)), ["mul"]),
    "log(1 + exp(x))": (lambda x: gdc.log(1 + gdc.exp(x)), ["softplus"]),
    "log(exp(x) + 1)": (lambda x: gdc.log(gdc.exp(x) + 1), ["softplus"]),
    "log(exp(x) + exp(y))": (lambda x, y: gdc.log(gdc.exp(x) + gdc.exp(y)), ["logaddexp"]),
    "1 / (1 + exp(-x))": (lambda x: 1 / (1 + gdc.exp(-x)), ["sigmoid"]),
    "exp(x) / (1 + exp(x))": (lambda x: gdc.exp(x) / (1 + gdc.exp(x)), ["sigmoid"]),
    "1 - sigmoid(x)": (lambda x: 1 - 1 / (1 + gdc.exp(-x)), ["neg", "sigmoid"]),
    "log(sigmoid(x))": (lambda x: gdc.log(gdc.sigmoid(x)), ["neg", "softplus", "neg"]),
    "log(1 / (1 + exp(-x)))": (
        lambda x: gdc.log(1 / (1 + gdc.exp(-x))),
        ["neg", "softplus", "neg"],
    ),
    "tanh": (lambda x: (gdc.exp(2 * x) - 1) / (gdc.exp(2 * x) + 1), ["tanh"]),
    "sqrt(x**2 + y**2)": (lambda x, y: gdc.sqrt(x**2 + y**2), ["hypot"]),
    "(x * x + y * y)**0.5": (lambda x, y: (x * x + y * y) ** 0.5, ["hypot"]),
    "x**0.5": (lambda x: x**0.5, ["sqrt"]),
    "x**-0.5": (lambda x: x**-0.5, ["rsqrt"]),
    "x**2": (lambda x: x**2, ["square"]),
    "x**-1": (lambda x: x**-1, ["reciprocal"]),
}
"""What users write, and the operations that are left of it."""


@pytest.mark.parametrize("name", WRITTEN)
def test_what_users_write_is_recognised(name):
    written, left = WRITTEN[name]
    f = gdc.compile(written, cache=False)
    assert operations(f) == left
    assert f.verify().ok


def test_labels_do_not_hide_a_form_that_is_known():
    x = Value(0.7, label="x")
    e = (2 * x).exp()
    e.label = "e"
    above, below = e - 1, e + 1
    above.label, below.label = "above", "below"
    f = gdc.compile(above / below, cache=False)
    assert f.value_and_grad(355.0) == (1.0, (0.0,))
    assert "tanh" in operations(f)


def test_explain_names_the_rules_that_fired():
    tanh = gdc.compile(WRITTEN["tanh"][0], cache=False)
    text = tanh.explain()
    for rule in STABILITY:
        fired = rule.pattern in ("exp(x) - 1.0", "expm1(x) / (1.0 + exp(x))")
        assert (f"{rule.pattern} → {rule.replacement} ({rule.reason}): 1×" in text) == fired
    softmax = gdc.compile(lambda z: -gdc.log(gdc.exp(z[1]) / sum(map(gdc.exp, z))), cache=False)
    softmax.value_and_grad._build(softmax.arguments.read(([0.0, 0.0, 0.0],), {}).traced)
    assert "log(exp(x1) / (exp(x1) + exp(x2) + ...)) → " in softmax.explain()
    assert gdc.compile(lambda x: gdc.sin(x), cache=False).explain().count("→") == 1  # 1.0 * cos(x)


# The lecture writes tanh with exp, and so do its readers.


@pytest.fixture(scope="module")
def lecture_tanh():
    def tanh(n):
        e = (2 * n).exp()
        return (e - 1) / (e + 1)

    return gdc.compile(tanh)


def dense_grid():
    sizes = [10.0 ** (k / 20) for k in range(-17 * 20, 52)]
    grid = [0.0, *sizes, *(-x for x in sizes), *(k / 64 for k in range(-64 * 25, 64 * 25))]
    return [x for x in grid if -800.0 <= x <= 355.0] + [355.0, -800.0, 1e-17, 5e-324]


def test_the_tanh_of_the_lecture_is_right_everywhere(lecture_tanh, every_engine):
    assert lecture_tanh(355.0) == 1.0
    assert lecture_tanh.value_and_grad(355.0) == (1.0, (0.0,))
    assert "1.0 - value * value" in lecture_tanh.source
    for x in dense_grid():
        with mpmath.workdps(50):
            exact = mpmath.tanh(mpmath.mpf(x))
            slope = 1 / mpmath.cosh(mpmath.mpf(x)) ** 2
        found = every_engine(lecture_tanh, [x])
        assert len(set(map(str, found.values()))) == 1, x
        value, (gradient,) = found["machine code"]
        assert ulps(value, exact) <= 4.0, x
        # The slope is that of the op table, 1 - y * y: its error is that of y near 1.
        assert abs(gradient - slope) <= 4.0 * math.ulp(0.5), x


def test_what_the_rule_for_tanh_is_good_for():
    e = (2 * Value(355.0)).exp()
    assert math.isnan(((e - 1) / (e + 1)).data)
    e = (2 * Value(1e-17)).exp()
    assert ((e - 1) / (e + 1)).data == 0.0


# Softmax cross-entropy as one first writes it.

LOGITS = ([1000.0, -1000.0, 0.0], [-1000.0, 1000.0, 0.0], [1.0, 2.0, 3.0], [0.0, 0.0, 0.0],
          [-800.0, -800.5, -900.0], [710.0, 709.0, 711.0])  # fmt: skip


def cross_entropy_by_probability(z, target):
    exps = [logit.exp() for logit in z]
    total = sum(exps)
    return -(exps[target] / total).log()


def cross_entropy_by_logsumexp(z, target):
    return gdc.log(sum(gdc.exp(logit) for logit in z)) - z[target]


def cross_entropy_by_numpy(z, target):
    z = np.array(z, dtype=object)
    probabilities = np.exp(z) / np.sum(np.exp(z))
    return -np.log(probabilities[target])


def cross_entropy_of_all(z, target):
    goal = [1.0 if k == target else 0.0 for k in range(len(z))]
    total = functions.sum(gdc.exp(z))
    return -functions.sum(
        [t * gdc.log(gdc.exp(logit) / total) for t, logit in zip(goal, z, strict=True)]
    )


def cross_entropy_by_softmax(z, target):
    return -gdc.log(gdc.softmax(z)[target])


CROSS_ENTROPIES = [
    cross_entropy_by_probability, cross_entropy_by_logsumexp, cross_entropy_by_numpy,
    cross_entropy_of_all, cross_entropy_by_softmax,
]  # fmt: skip


@pytest.mark.parametrize("target", [1, *(pytest.param(k, marks=pytest.mark.slow) for k in (0, 2))])
@pytest.mark.parametrize("written", CROSS_ENTROPIES)
def test_cross_entropy_of_large_logits_is_finite(written, target, every_engine):
    f = gdc.compile(lambda z: written(z, target), name="loss")
    for z in LOGITS:
        f.value_and_grad(z)
        with mpmath.workdps(DIGITS):
            exps = [mpmath.exp(x) for x in z]
            total = sum(exps)
            exact = mpmath.log(total) - z[target]
            slopes = [e / total - (k == target) for k, e in enumerate(exps)]
        for engine, (value, gradient) in every_engine(f, z).items():
            assert abs(value - exact) <= 4 * math.ulp(max(1.0, *map(abs, z))), (engine, z)
            for found, slope in zip(gradient, slopes, strict=True):
                assert abs(found - slope) <= 1e-12, (engine, z)


def test_a_sum_over_rows_of_logits_stays_finite(every_engine):
    def loss(rows):
        total = 0.0
        for z in rows:
            total = total + cross_entropy_by_logsumexp(z, 0)
        return total / len(rows)

    f = gdc.compile(loss)
    value, grads = f.value_and_grad(LOGITS)
    assert math.isfinite(value)
    assert np.isfinite(np.array(grads.rows)).all()
    assert np.allclose(np.sum(grads.rows, axis=1), 0.0, atol=1e-15)
