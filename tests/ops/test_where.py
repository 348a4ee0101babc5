"""The branch of `where` that is not taken stays out of value, gradient and second derivative.

For every case the branches are written down a second time, as mpmath functions with the condition
under which each is taken. mpmath differentiates the one that is taken at a point, and every engine
has to agree, whatever nan and inf the others are.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import mpmath
import numpy as np
import pytest
from mpmath import acosh, atanh, exp, log, sin, sqrt

import gradcompile as gdc
from gradcompile import Value
from gradcompile.autodiff.reverse import reverse
from gradcompile.ir.interpret import interpret
from gradcompile.ir.program import verify_program
from gradcompile.passes import run_passes
from tests.helpers.engines import flat, machine, python, same
from tests.helpers.slow import slow_but

POINTS = (0.0, -0.0, -2.0, -0.5, 0.75, 1.5, 3.0, 7.0)


@dataclass(frozen=True)
class Case:
    """A function, and what it is: conditions and mpmath functions; the first that holds counts."""

    function: Callable
    pieces: tuple[tuple[Callable, Callable], ...]
    points: tuple[float, ...] = POINTS

    def exact(self, x):
        """The value, the slope and the second derivative of the branch taken."""
        taken = next(piece for condition, piece in self.pieces if condition(x))
        with mpmath.workdps(40):
            return [mpmath.diff(taken, mpmath.mpf(x), order) for order in range(3)]


def positive(x):
    return x > 0


def otherwise(x):
    return True


def constant(number):
    return lambda x: mpmath.mpf(number)


def identity(x):
    return x


def sinc(x):
    return sin(x) / x


LOG_OR_ZERO = ((positive, log), (otherwise, constant(0)))
SINC = ((lambda x: x != 0, sinc), (otherwise, constant(1)))


def shared_under_two_conditions(x):
    t = gdc.log(x)
    return gdc.where(x > 1, t, 0) + gdc.where(x > 2, t * t, 0)


def shared_inside_and_outside(x):
    t = gdc.log(x)
    return gdc.where(x > 1, t * t, 0) + t


def shared_by_both_branches(x):
    root = gdc.sqrt(x)
    return gdc.where(x > 0, gdc.where(x > 2, root, 2 * root), 0.5 * x)


def long_way_down(x):
    t = 1 / x
    u = gdc.sqrt(t) * gdc.log(t)
    return gdc.where(x > 0, gdc.exp(-u) + u * u, x)


def exact_long_way_down(x):
    u = sqrt(1 / x) * log(1 / x)
    return exp(-u) + u * u


def condition_with_a_branch(x):
    inner = gdc.where(x > 0, gdc.log(x), -1)
    return gdc.where(inner > 0, gdc.sqrt(inner), 0)


def sum_of_roots(x):
    return x + sum(gdc.where(x > k, gdc.sqrt(x - k), 0) for k in range(3))


def exact_sum_of_roots(count):
    return lambda x: x + sum(sqrt(x - k) for k in range(count))


CASES = {
    "log": Case(lambda x: gdc.where(x > 0, gdc.log(x), 0), LOG_OR_ZERO),
    "log, by numpy": Case(lambda x: gdc.where(np.greater(x, 0.0), np.log(x), 0), LOG_OR_ZERO),
    "log, turned round": Case(lambda x: gdc.where(x <= 0, 0, gdc.log(x)), LOG_OR_ZERO),
    "sinc": Case(lambda x: gdc.where(x != 0, gdc.sin(x) / x, 1), SINC),
    "sinc, turned round": Case(lambda x: gdc.where(x == 0, 1, gdc.sin(x) / x), SINC),
    "a number as condition": Case(lambda x: gdc.where(x, gdc.sin(x) / x, 1), SINC),
    "reciprocal": Case(
        lambda x: gdc.where(abs(x) > 0, x**-1, x),
        ((lambda x: x != 0, lambda x: 1 / x), (otherwise, identity)),
    ),
    "power": Case(
        lambda x: gdc.where(x > 0, x**x, 1),
        ((positive, lambda x: x**x), (otherwise, constant(1))),
    ),
    "overflow": Case(
        lambda x: gdc.where(x < 2, gdc.exp(1e3 * x) * x, x),
        ((lambda x: x < 2, lambda x: exp(1000 * x) * x), (otherwise, identity)),
        (0.0, -0.5, 3.0, 7.0),
    ),
    "and": Case(
        lambda x: gdc.where((x > 0) & (x < 5), gdc.log(x) * gdc.log(5 - x), 0),
        ((lambda x: 0 < x < 5, lambda x: log(x) * log(5 - x)), (otherwise, constant(0))),
    ),
    "logical_and": Case(
        lambda x: gdc.where(gdc.logical_and(x > -1, x < 1), gdc.atanh(x), 0),
        ((lambda x: -1 < x < 1, atanh), (otherwise, constant(0))),
    ),
    "or": Case(
        lambda x: gdc.where((x < -1) | (x > 1), gdc.acosh(abs(x)), x * x),
        ((lambda x: abs(x) > 1, lambda x: acosh(abs(x))), (otherwise, lambda x: x * x)),
    ),
    "not": Case(
        lambda x: gdc.where(~(x > 0), x, gdc.sqrt(x) * gdc.log(x)),
        ((positive, lambda x: sqrt(x) * log(x)), (otherwise, identity)),
    ),
    "and, or, not": Case(
        lambda x: gdc.where(~((x < -1) | ((x > -0.6) & (x < 0.1))), gdc.rsqrt((x + 1) * x), 3),
        ((lambda x: x > 0.1, lambda x: 1 / sqrt((x + 1) * x)), (otherwise, constant(3))),
    ),
    "nested in the other branch": Case(
        lambda x: gdc.where(x > 0, gdc.log(x), gdc.where(x < -1, gdc.sqrt(-1 - x), x)),
        ((positive, log), (lambda x: x < -1, lambda x: sqrt(-1 - x)), (otherwise, identity)),
    ),
    "nested in the branch": Case(
        lambda x: gdc.where(x > 0, gdc.where(x > 1, gdc.sqrt(x - 1), gdc.log(x)), -x),
        (
            (lambda x: x > 1, lambda x: sqrt(x - 1)),
            (positive, log),
            (otherwise, lambda x: -x),
        ),
    ),
    "a condition with a branch": Case(
        condition_with_a_branch,
        ((lambda x: x > 1, lambda x: sqrt(log(x))), (otherwise, constant(0))),
    ),
    "inside of a product": Case(
        lambda x: gdc.sin(x) * gdc.where(x > 0, gdc.log(x) * gdc.sqrt(x), 2) ** 2,
        (
            (positive, lambda x: sin(x) * log(x) ** 2 * x),
            (otherwise, lambda x: 4 * sin(x)),
        ),
    ),
    "shared under two conditions": Case(
        shared_under_two_conditions,
        (
            (lambda x: x > 2, lambda x: log(x) + log(x) ** 2),
            (lambda x: x > 1, log),
            (otherwise, constant(0)),
        ),
    ),
    "shared by both branches": Case(
        shared_by_both_branches,
        (
            (lambda x: x > 2, sqrt),
            (positive, lambda x: 2 * sqrt(x)),
            (otherwise, lambda x: x / 2),
        ),
    ),
    "shared inside and outside": Case(
        shared_inside_and_outside,
        ((lambda x: x > 1, lambda x: log(x) + log(x) ** 2), (otherwise, log)),
        (0.75, 1.5, 3.0, 7.0),
    ),
    "a long way down": Case(
        long_way_down, ((positive, exact_long_way_down), (otherwise, identity))
    ),
    "a sum in a loop": Case(
        sum_of_roots,
        (
            (lambda x: x > 2, exact_sum_of_roots(3)),
            (lambda x: x > 1, exact_sum_of_roots(2)),
            (positive, exact_sum_of_roots(1)),
            (otherwise, identity),
        ),
    ),
    "constant conditions": Case(
        lambda x: gdc.where(0.0, gdc.log(x), x) + gdc.where(2.0, x, 1 / x),
        ((otherwise, lambda x: 2 * x),),
    ),
    "the same twice": Case(
        lambda x: gdc.where(x > 0, gdc.log(x), 0) * gdc.where(x > 0, gdc.log(x), 0),
        ((positive, lambda x: log(x) ** 2), (otherwise, constant(0))),
    ),
}


def programs(function):
    """Programs for the value and the gradient, and for the gradient and the second derivative."""
    value = gdc.compile(function, cache=False).value.program
    first = run_passes(reverse(value, [0]), verify_program)
    slope = replace(first, outputs=first.outputs[1])
    return first, run_passes(reverse(slope, [0]), verify_program)


@pytest.fixture(scope="module")
def compiled():
    return {name: programs(case.function) for name, case in CASES.items()}


def close(found, exact):
    return abs(found - exact) <= 1e-12 * max(1, abs(exact))


@pytest.mark.parametrize("name", CASES)
def test_the_branch_not_taken_stays_out(name, compiled):
    case = CASES[name]
    for x in case.points:
        value, slope, second = case.exact(x)
        for program, expected in zip(
            compiled[name], ((value, slope), (slope, second)), strict=True
        ):
            found = flat(interpret(program, [x]))
            assert all(map(close, found, expected)), (x, found, expected)
            assert same(python(program)([x]), found), x


@pytest.mark.parametrize("name", CASES)
def test_the_branch_not_taken_stays_out_of_eager_gradients(name):
    case = CASES[name]
    for number in case.points:
        value, slope, _ = case.exact(number)
        x = Value(number)
        y = case.function(x)
        y.backward()
        assert close(y.data, value), number
        assert close(x.grad, slope), number


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(list(CASES)[k : k + 3], marks=[pytest.mark.slow] if k else [])
        for k in range(0, len(CASES), 3)
    ],
)
def test_the_branch_not_taken_stays_out_of_machine_code(names, compiled):
    cases = [CASES[name] for name in names]
    pairs = [compiled[name] for name in names]
    run = machine([program for pair in pairs for program in pair])
    for k in range(max(len(case.points) for case in cases)):
        points = [case.points[k % len(case.points)] for case in cases]
        results = iter(run([(x,) for x in points for _ in range(2)]))
        for pair, x in zip(pairs, points, strict=True):
            for program in pair:
                assert same(next(results), flat(interpret(program, [x]))), (names, x)


# --- through the public functions ----------------------------------------------------------------


def test_log_and_sinc_through_the_public_functions(every_engine):
    f = gdc.compile(
        lambda x: gdc.where(x > 0, gdc.log(x), 0) + gdc.where(x != 0, gdc.sin(x) / x, 1)
    )
    assert f.value_and_grad(0.0) == (1.0, (0.0,))
    value, (slope,) = f.value_and_grad(-2.0)
    assert value == pytest.approx(math.sin(2.0) / 2.0)
    assert slope == pytest.approx(math.cos(2.0) / -2.0 + math.sin(2.0) / 4.0)
    for x in POINTS:
        assert len({str(found) for found in every_engine(f, [x]).values()}) == 1
    assert f.verify().ok


def ratio(x, y):
    return gdc.where(y != 0, x / y, x * x)


def distance(x, y):
    total = x * x + y * y
    return gdc.where(total > 0, gdc.sqrt(total), 0)


def entropy(x, y):
    return -sum(gdc.where(p > 0, p * gdc.log(p), 0) for p in (x, y))


@pytest.mark.parametrize(
    ("function", "at", "value", "gradient"),
    [
        (ratio, (3.0, 0.0), 9.0, [6.0, 0.0]),
        (ratio, (3.0, 2.0), 1.5, [0.5, -0.75]),
        (ratio, (0.0, 0.0), 0.0, [0.0, 0.0]),
        (distance, (0.0, 0.0), 0.0, [0.0, 0.0]),
        (distance, (3.0, -4.0), 5.0, [0.6, -0.8]),
        pytest.param(entropy, (0.0, 1.0), 0.0, [0.0, -1.0], marks=pytest.mark.slow),
        pytest.param(entropy, (0.0, 0.0), 0.0, [0.0, 0.0], marks=pytest.mark.slow),
    ],
)
def test_two_inputs(function, at, value, gradient, every_engine):
    f = gdc.compile(function)
    f.value_and_grad(*at)
    x, y = map(Value, at)
    function(x, y).backward()
    found = {**every_engine(f, at), "eager": (function(x, y).data, [x.grad, y.grad])}
    for engine, result in found.items():
        assert result == (pytest.approx(value), pytest.approx(gradient)), engine


def test_what_is_taken_is_not_hidden(every_engine):
    f = gdc.compile(lambda x: gdc.where(x >= 0, gdc.log(x), x))
    f.value_and_grad(1.0)
    for value, (slope,) in every_engine(f, [0.0]).values():
        assert (value, slope) == (-math.inf, math.inf)
    for value, (slope,) in every_engine(f, [math.nan]).values():
        assert math.isnan(value)
        assert slope == 1.0  # nan >= 0 is false: the other branch is taken
    g = gdc.compile(lambda x: gdc.where(x > -3, gdc.log(x), x))
    g.value_and_grad(1.0)
    for value, (slope,) in every_engine(g, [-2.0]).values():
        assert math.isnan(value)
        assert slope == -0.5


# --- gates: where their slope is zero, nothing passes --------------------------------------------

BELOW_ZERO = {
    "log(relu(x))": (lambda x: gdc.log(gdc.relu(x)), -math.inf),
    "sqrt(relu(x))": (lambda x: gdc.sqrt(gdc.relu(x)), 0.0),
    "1 / relu(x)": (lambda x: 1 / gdc.relu(x), math.inf),
    "log(maximum(x, 0))": (lambda x: gdc.log(gdc.maximum(x, 0)), -math.inf),
    "log(maximum(0, x))": (lambda x: gdc.log(gdc.maximum(0, x)), -math.inf),
    "sqrt(-minimum(-x, 0))": (lambda x: gdc.sqrt(-gdc.minimum(-x, 0)), 0.0),
    "log(clip(x, 0, 1))": (lambda x: gdc.log(gdc.clip(x, 0, 1)), -math.inf),
    "rsqrt(clip(-x, -2, 0))": (lambda x: gdc.rsqrt(gdc.clip(-x, -2, 0)), math.inf),
    "log(where(x > 0, x, 0))": (lambda x: gdc.log(gdc.where(x > 0, x, 0)), -math.inf),
    "relu(log(-x)) + 0.5": (lambda x: gdc.relu(gdc.log(-x)) + 0.5, 0.5),
    "maximum(log(-x), 3)": (lambda x: gdc.maximum(gdc.log(-x), 3), 3.0),
    "clip(-log(-x), 1, 2)": (lambda x: gdc.clip(-gdc.log(-x), 1, 2), 1.0),
}
"""Functions of x whose slope at x = -1 is 0, by a gate; and their value there."""


@pytest.fixture(scope="module")
def gates():
    pairs = {name: programs(function) for name, (function, _) in BELOW_ZERO.items()}
    results = machine([program for pair in pairs.values() for program in pair])(
        [(-1.0,)] * 2 * len(pairs)
    )
    return {
        name: (pair, results[2 * k : 2 * k + 2]) for k, (name, pair) in enumerate(pairs.items())
    }


@pytest.mark.parametrize("name", BELOW_ZERO)
def test_nothing_passes_a_closed_gate(name, gates):
    function, value = BELOW_ZERO[name]
    pair, from_machine = gates[name]
    for program, expected, found in zip(
        pair, ([value, 0.0], [0.0, 0.0]), from_machine, strict=True
    ):
        assert flat(interpret(program, [-1.0])) == expected
        assert python(program)([-1.0]) == expected
        assert found == expected
    x = Value(-1.0)
    y = function(x)
    y.backward()
    assert (y.data, x.grad) == (value, 0.0)


# --- gates: what stands behind a closed one does not count ---------------------------------------

BEHIND = {
    "a product with inf (google/jax#2630)": (lambda x: gdc.where(x > 0, x, x * math.inf), 1.0, 1.0),
    "a sum with nan": (lambda x: gdc.where(x > 0, x, gdc.exp(x + math.nan)), 1.0, 1.0),
    "maximum of log (ml-explore/mlx#3668)": (lambda x: gdc.maximum(gdc.log(x), -100.0), 0.0, 0.0),
    "relu of log (ml-explore/mlx#3668)": (lambda x: gdc.relu(gdc.log(x)), 0.0, 0.0),
    "minimum of a pole": (lambda x: gdc.minimum(1 / x, 5.0), 0.0, 0.0),
    "minimum, turned round": (lambda x: gdc.minimum(5.0, 1 / x) + x, 0.0, 1.0),
    "clip of log": (lambda x: gdc.clip(gdc.log(x), -1.0, 1.0), 0.0, 0.0),
    "a bound of clip": (lambda x: gdc.clip(x, gdc.log(x), 1.0), 0.0, 1.0),
    "the upper bound of clip": (lambda x: gdc.clip(x, -1.0, 1 / x), 0.0, 1.0),
    "relu of a product with inf": (lambda x: gdc.relu(x * -math.inf), 1.0, 0.0),
    "relu of a product with what is inf": (lambda x: gdc.relu(x * gdc.log(x - 1)), 1.0, 0.0),
    "relu of what overflows": (lambda x: gdc.relu(-gdc.exp(1000 * x)), 1.0, 0.0),
    "the slope of leaky_relu": (lambda x: gdc.leaky_relu(1 + x, gdc.log(x)), 0.0, 1.0),
    "the factor of elu": (lambda x: gdc.elu(1 + x, gdc.log(x)), 0.0, 1.0),
    "the value of heaviside at 0": (lambda x: x + gdc.heaviside(1 + x, gdc.log(x)), 0.0, 1.0),
    "0 times a logarithm": (lambda x: x + gdc.xlogy(0.0, gdc.sqrt(x)), 0.0, 1.0),
    "two gates": (lambda x: gdc.relu(gdc.sqrt(gdc.relu(gdc.log(x))) - 1), 0.0, 0.0),
    "inside and outside": (
        lambda x: gdc.maximum(gdc.log(x), 1.0) * gdc.maximum(x * gdc.log(x), 2.0), 1.0, 0.0
    ),
    "shared by two gates": (
        lambda x: gdc.relu(gdc.log(x)) + gdc.maximum(gdc.log(x), -1.0), 0.0, 0.0
    ),
    "a tie": (lambda x: gdc.maximum(gdc.sqrt(x), x), 1.0, 0.75),
}  # fmt: skip
"""Functions of x, a point, and the slope there: what a gate blocks contributes nothing to it."""


@pytest.fixture(scope="module")
def behind():
    pairs = {name: programs(function) for name, (function, _, _) in BEHIND.items()}
    points = [(x,) for _, x, _ in BEHIND.values() for _ in range(2)]
    results = machine([program for pair in pairs.values() for program in pair])(points)
    return {
        name: (pair, results[2 * k : 2 * k + 2]) for k, (name, pair) in enumerate(pairs.items())
    }


@pytest.mark.parametrize("name", BEHIND)
def test_nothing_behind_a_closed_gate_counts(name, behind):
    function, at, slope = BEHIND[name]
    pair, from_machine = behind[name]
    for program, found in zip(pair, from_machine, strict=True):
        assert same(found, flat(interpret(program, [at])))
        assert same(found, python(program)([at]))
        assert math.isfinite(found[1])
    assert from_machine[0][1] == slope
    x = Value(at)
    function(x).backward()
    assert x.grad == slope


@pytest.mark.parametrize("name", slow_but(list(BEHIND)[:3], BEHIND))
def test_nothing_behind_a_closed_gate_counts_in_a_batch(name):
    function, at, slope = BEHIND[name]
    # In a batch the gates are each row's own; the slope is that of the factor of all rows.
    rows = gdc.compile(lambda w, x: function(w * x), batched="x", reduce="sum", cache=False)
    kernel = rows.value_and_grad
    kernel._arguments.read((1.0, np.array([at] * 3)), {})
    with np.errstate(all="ignore"):
        _, (of_factor,) = kernel.python(np.float64(1.0), np.array([at] * 3))
    assert of_factor == 3 * slope * at


def test_there_is_no_guard_where_nothing_behind_can_be_infinite():
    def network(w, x, y):
        hidden = gdc.relu(gdc.relu(w[0] * x + w[1]) * w[2] + gdc.tanh(w[3] * x / 3.0))
        return gdc.relu(1 - y * hidden) ** 2 + gdc.clip(gdc.sigmoid(w[0] * x), 0.01, 0.99)

    f = gdc.compile(network, roll=False, cache=False)
    f.value_and_grad._arguments.read(([0.5, 0.25, -1.0, 2.0], 1.5, 1.0), {})
    # Each gate chooses once, clip between two bounds.
    assert f.value_and_grad.source.count(" if ") == 5


def test_conditions_of_guards_are_no_tautologies():
    def shared(x, c):
        t = 1 / x
        chosen = gdc.where(c, t * t, 3.0) + gdc.where(c, 2.0, gdc.log(t))
        return chosen + gdc.where(x > 2, gdc.exp(t), 1.0)

    f = gdc.compile(shared, cache=False)
    f.value_and_grad._arguments.read((1.0, 0.0), {})
    assert " or " not in f.value_and_grad.source


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (lambda x: gdc.relu(x), 0.0),
        (lambda x: abs(x), 0.0),
        (lambda x: gdc.maximum(x, 0), 0.5),
        (lambda x: gdc.minimum(0, x), 0.5),
        (lambda x: gdc.maximum(x, -x), 0.0),
        (lambda x: gdc.clip(x, 0, 1), 1.0),
        (lambda x: gdc.clip(x, -1, 0), 1.0),
        (lambda x: gdc.where(x > 0, x, 0), 0.0),
        (lambda x: gdc.where(x >= 0, x, 0), 1.0),
    ],
)
def test_at_a_kink_the_slope_is_the_one_of_the_table(function, slope):
    first, _ = programs(function)
    x = Value(0.0)
    function(x).backward()
    assert x.grad == flat(interpret(first, [0.0]))[1] == python(first)([0.0])[1] == slope
