"""Composite functions: values, gradients, shapes, and what they refuse."""

import itertools
import math
import random
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import mpmath
import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.autodiff.reverse import reverse
from gradcompile.check import check_grad
from gradcompile.graph.value import topological
from gradcompile.ir.interpret import interpret
from gradcompile.ops import functions, table
from gradcompile.passes import run_passes
from gradcompile.verify.slopes import numerical_slopes

# --- the formulas, in numbers of 50 digits -------------------------------------------------------


def exact_dot(a, b):
    return mpmath.fsum(x * y for x, y in zip(a, b, strict=True))


def exact_logsumexp(x):
    return mpmath.log(mpmath.fsum(map(mpmath.exp, x)))


def exact_softmax(x):
    return [mpmath.exp(item - exact_logsumexp(x)) for item in x]


EXACT = {
    "sum": mpmath.fsum,
    "prod": mpmath.fprod,
    "mean": lambda x: mpmath.fsum(x) / len(x),
    "norm": lambda x: mpmath.sqrt(mpmath.fsum(item * item for item in x)),
    "logsumexp": exact_logsumexp,
    "softmax": exact_softmax,
    "log_softmax": lambda x: [item - exact_logsumexp(x) for item in x],
}
"""The functions of one vector."""

SCALAR = [name for name in EXACT if "softmax" not in name]


def vectors(count=6):
    rng = random.Random(0)
    for size in range(1, count + 1):
        scale = rng.choice((0.1, 1.0, 20.0))
        yield [rng.uniform(-scale, scale) for _ in range(size)]


def close(given, exact):
    """Equal to 14 digits, or to 14 digits of 1."""
    with mpmath.workdps(50):
        given, exact = np.ravel([given]).tolist(), np.ravel([exact]).tolist()
        return len(given) == len(exact) and all(
            abs(mpmath.mpf(a) - b) <= 1e-14 * max(1, abs(b))
            for a, b in zip(given, exact, strict=True)
        )


def values(numbers):
    return [Value(x) for x in numbers]


@pytest.mark.parametrize("name", EXACT)
def test_values_are_those_of_the_formula(name):
    function = getattr(functions, name)
    for x in vectors():
        with mpmath.workdps(50):
            exact = EXACT[name](list(map(mpmath.mpf, x)))
        assert close(function(x), exact), x


def test_values_of_two_vectors():
    for x in vectors():
        y = [math.sin(item + 1.0) for item in x]
        weights = functions.softmax(y).tolist()
        with mpmath.workdps(50):
            a, b, p = (list(map(mpmath.mpf, each)) for each in (x, y, weights))
            by_vector = exact_dot(p, [exact_logsumexp(a) - item for item in a])
            by_index = exact_logsumexp(a) - a[-1]
        assert close(functions.dot(x, y), exact_dot(a, b))
        assert close(functions.cross_entropy(x, weights), by_vector)
        assert close(functions.cross_entropy(x, len(x) - 1), by_index)


SHAPES = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((1, 1), (1, 1)),
          ((2, 0), (0, 3)), ((0, 2), (2, 3)), ((0,), (0,)), ((2, 3), (3, 0))]  # fmt: skip


@pytest.mark.parametrize(("left", "right"), SHAPES)
def test_matmul_is_that_of_numpy(left, right):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=left), rng.normal(size=right)
    product = functions.matmul(a, b)
    np.testing.assert_allclose(product, a @ b, rtol=1e-14, atol=1e-14)
    assert np.shape(product) == np.shape(a @ b)
    assert type(product) is float or product.dtype == np.float64


@pytest.mark.parametrize("name", ["sum", "prod", "mean"])
@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 3, 4), (3, 0), (1,)])
def test_axes_are_those_of_numpy(name, shape):
    x = np.random.default_rng(0).normal(size=shape)
    for axis in [None, *range(-x.ndim, x.ndim)]:
        if name == "mean" and (x.size if axis is None else x.shape[axis]) == 0:
            continue
        given, expected = getattr(functions, name)(x, axis), getattr(np, name)(x, axis)
        np.testing.assert_allclose(given, expected, rtol=1e-13)
        assert np.shape(given) == np.shape(expected)
        assert type(given) is float or given.dtype == np.float64


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_axes_of_softmax(axis):
    x = np.random.default_rng(0).normal(size=(3, 4))
    logs, weights = functions.log_softmax(x, axis), functions.softmax(x, axis)
    totals = functions.logsumexp(x, axis)
    assert weights.shape == logs.shape == x.shape
    np.testing.assert_allclose(weights.sum(axis), 1.0, rtol=1e-14)
    np.testing.assert_allclose(np.exp(logs), weights, rtol=1e-14)
    np.testing.assert_allclose(np.log(np.exp(x).sum(axis)), totals, rtol=1e-14)
    np.testing.assert_array_equal(functions.softmax(x), functions.softmax(x, axis=1))
    assert close(functions.logsumexp(x), math.log(np.exp(x).sum()))


EMPTY = {"dot": 0.0, "sum": 0.0, "prod": 1.0, "norm": 0.0, "logsumexp": -math.inf, "matmul": 0.0}


@pytest.mark.parametrize("name", EMPTY)
def test_of_nothing(name):
    operands = [[], []] if name in ("dot", "matmul") else [[]]
    result = getattr(functions, name)(*operands)
    assert type(result) is float
    assert result == EMPTY[name]


def test_of_nothing_more():
    assert functions.softmax([]).shape == functions.log_softmax([]).shape == (0,)
    with pytest.raises(ValueError, match="mean: there is nothing to average"):
        functions.mean([])
    with pytest.raises(ValueError, match="mean"):
        functions.mean(np.ones((0, 3)), axis=0)


# --- numbers, Values and traced values -----------------------------------------------------------

POINT = [0.5, -1.25, 2.0]
WEIGHTS = [0.2, 0.5, 0.3]

ONE_RESULT = {
    **{name: getattr(functions, name) for name in SCALAR},
    "dot": lambda x: functions.dot(x, WEIGHTS),
    "softmax": lambda x: functions.softmax(x)[1],
    "log_softmax": lambda x: functions.log_softmax(x)[1],
    "by index": lambda x: functions.cross_entropy(x, 2),
    "by probabilities": lambda x: functions.cross_entropy(x, WEIGHTS),
    "matmul": lambda x: functions.norm(functions.matmul([x, WEIGHTS], [[1.0, x[0]]] * 3)),
    "logits": lambda x: functions.cross_entropy([1.0, 0.0, x[2]], functions.softmax(x)),
}
"""Functions of a vector of three, each with one result."""


def traced(function, at):
    """The program of a function of one vector."""
    compiled = gdc.compile(lambda x: function(x), name="f")
    return compiled.arguments.read((at,), {}).traced.program


@pytest.mark.parametrize("name", ONE_RESULT)
def test_numbers_values_and_traces_agree_to_the_last_bit(name):
    function = ONE_RESULT[name]
    number = function(POINT)
    assert type(number) in (float, np.float64)
    assert function(values(POINT)).data == number
    assert interpret(traced(function, POINT), POINT) == [number]


def eager_gradient(function, at):
    x = values(at)
    function(x).backward()
    return [item.grad for item in x]


def compiled_gradient(function, at):
    program = reverse(run_passes(traced(function, at)), range(len(at)), keep_value=False)
    return interpret(run_passes(program), at)[0]


@pytest.mark.parametrize("name", ONE_RESULT)
@pytest.mark.parametrize("at", [POINT, [20.0, -0.5, 20.5], [-1e-3, 1e-3, 0.0]], ids=str)
def test_gradients(name, at):
    function = ONE_RESULT[name]
    slopes = numerical_slopes(traced(function, at), np.array(at), np.arange(len(at)))
    for gradient in (eager_gradient(function, at), compiled_gradient(function, at)):
        np.testing.assert_allclose(gradient, slopes.values, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "norm", "logsumexp", "softmax"])
def test_second_derivatives(name):
    function = ONE_RESULT[name]
    gradient = reverse(traced(function, POINT), range(3), keep_value=False)
    for component in gradient.outputs[0]:
        slope = replace(gradient, outputs=(component,))
        given = interpret(reverse(slope, range(3), keep_value=False), POINT)[0]
        expected = numerical_slopes(slope, np.array(POINT), np.arange(3)).values
        np.testing.assert_allclose(given, expected, rtol=1e-9, atol=1e-9)


def kinds(numbers, kind):
    return {
        "list": lambda: values(numbers),
        "tuple": lambda: tuple(values(numbers)),
        "array": lambda: np.array(values(numbers)),
        "mixed": lambda: [numbers[0], Value(numbers[1]), np.float64(numbers[2])],
        "scalars": lambda: [np.array(x) for x in numbers[:2]] + [Value(numbers[2])],
        "numpy": lambda: np.array(numbers),
        "single": lambda: np.array(numbers, np.float32),
        "plain": lambda: tuple(numbers),
    }[kind]()


def number(x):
    return x.data if isinstance(x, Value) else x


KINDS = ("list", "tuple", "array", "mixed", "scalars", "numpy", "single", "plain")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ONE_RESULT)
def test_arguments_of_any_kind(name, kind):
    function = ONE_RESULT[name]
    result = function(kinds(POINT, kind))
    assert number(result) == function(POINT)


def test_two_arguments_of_any_kind():
    other = [0.25, 1.5, -3.0]
    dot, total = functions.dot(POINT, other), functions.sum([POINT, other])
    for a, b in itertools.product(KINDS, KINDS):
        x, y = kinds(POINT, a), kinds(other, b)
        assert number(functions.dot(x, y)) == dot
        assert number(functions.sum([x, y])) == total


def test_results_of_values_are_object_arrays():
    x = values(POINT)
    for result in (
        functions.softmax(x),
        functions.log_softmax(x),
        functions.sum([x, POINT], axis=0),
        functions.matmul([x, POINT], POINT),
    ):
        assert result.dtype == object
        assert isinstance(result[0], Value)
    assert functions.softmax(POINT).dtype == np.float64


# --- what is built ---------------------------------------------------------------------------


def operations(root):
    found = [value.op.name for value in topological(root) if value.op is not None]
    return sorted(found)


def test_sums_and_products_start_with_their_first_item():
    x = values([1.0, 2.0, 3.0])
    assert functions.sum(x[:1]) is functions.prod(x[:1]) is x[0]
    assert operations(functions.sum(x)) == ["add", "add"]
    assert operations(functions.prod(x)) == ["mul", "mul"]
    assert operations(functions.dot(x, x)) == ["add", "add", "mul", "mul", "mul"]
    assert operations(functions.matmul([x], [[1.0], [2.0], [3.0]])[0, 0]) == operations(
        functions.dot(x, x)
    )


def test_folds_go_from_left_to_right():
    x = [1e16, 1.0, -1e16, 1.0]
    assert functions.sum(x) == ((x[0] + x[1]) + x[2]) + x[3] == 1.0
    assert functions.dot(x, [1.0] * 4) == 1.0
    total = functions.sum(values(x))
    assert total.operands[1].data == x[-1]
    assert total.operands[0].operands[1].data == x[-2]


def test_no_code_for_the_slope_of_the_maximum():
    program = reverse(run_passes(traced(functions.logsumexp, POINT)), range(3), keep_value=False)
    counts = [instruction.op.name for instruction in program.instructions]
    assert counts.count("maximum") == 2
    assert counts.count("where") == 1  # an infinite maximum
    assert not {"greater", "equal", "logical_and"} & set(counts)


def test_long_sums_need_no_recursion():
    x = values([1.0] * 20_000)
    total = functions.dot(x, x)
    total.backward()
    assert total.data == 20_000.0
    assert x[0].grad == x[-1].grad == 2.0


# --- numbers where the formula, taken literally, fails -------------------------------------------

EXTREME = [1000.0, -1000.0, 0.0]


def test_extreme_logits_are_finite():
    assert functions.logsumexp(EXTREME) == 1000.0
    assert functions.softmax(EXTREME).tolist() == [1.0, 0.0, 0.0]
    assert functions.log_softmax(EXTREME).tolist() == [0.0, -2000.0, -1000.0]
    assert [functions.cross_entropy(EXTREME, index) for index in range(3)] == [0.0, 2000.0, 1000.0]


@pytest.mark.parametrize("gradient", [eager_gradient, compiled_gradient])
def test_extreme_logits_have_finite_gradients(gradient):
    assert gradient(functions.logsumexp, EXTREME) == [1.0, 0.0, 0.0]
    for index in range(3):
        expected = [1.0, 0.0, 0.0]
        expected[index] -= 1.0
        assert gradient(lambda x, i=index: functions.cross_entropy(x, i), EXTREME) == expected
        assert np.isfinite(gradient(lambda x, i=index: functions.softmax(x)[i], EXTREME)).all()
        assert np.isfinite(gradient(lambda x, i=index: functions.log_softmax(x)[i], EXTREME)).all()


@pytest.mark.parametrize("gradient", [eager_gradient, compiled_gradient])
def test_the_gradient_of_logsumexp_is_softmax(gradient):
    for x in vectors():
        np.testing.assert_allclose(
            gradient(functions.logsumexp, x), functions.softmax(x), rtol=1e-15, atol=1e-300
        )


@pytest.mark.parametrize("gradient", [eager_gradient, compiled_gradient])
def test_ties_of_the_maximum_share_the_slope(gradient):
    assert gradient(functions.logsumexp, [3.0, 3.0, 3.0, 3.0]) == [0.25] * 4


def test_infinite_items():
    inf, nan = math.inf, math.nan
    assert functions.logsumexp([-inf, -inf, -inf]) == -inf
    assert functions.logsumexp([inf, 1.0, -inf]) == inf
    assert functions.logsumexp([-inf, 2.0]) == 2.0
    assert math.isnan(functions.logsumexp([nan, 1.0]))
    assert functions.softmax([-inf, 2.0]).tolist() == [0.0, 1.0]
    assert functions.log_softmax([-inf, 2.0]).tolist() == [-inf, 0.0]
    assert functions.norm([inf, 1.0]) == inf
    assert math.isnan(functions.norm([nan, 1.0]))


@pytest.mark.parametrize("gradient", [eager_gradient, compiled_gradient])
def test_an_item_of_minus_infinity_gets_no_gradient(gradient):
    at = [-math.inf, 2.0, 2.0]
    assert gradient(functions.logsumexp, at) == [0.0, 0.5, 0.5]
    assert gradient(lambda x: functions.cross_entropy(x, 1), at) == [0.0, -0.5, 0.5]


MASKED = [-math.inf, 0.0, 0.0]
"""Logits of which one is masked: its class cannot be."""


@pytest.mark.parametrize("target", [[0.0, 1.0, 0.0], 1])
def test_a_masked_logit_is_left_out_of_the_cross_entropy(target, every_engine):
    assert functions.cross_entropy(MASKED, target) == math.log(2.0)
    assert eager_gradient(lambda x: functions.cross_entropy(x, target), MASKED) == [0.0, -0.5, 0.5]
    f = gdc.compile(lambda x, y, z: gdc.cross_entropy([x, y, z], target))
    f.value_and_grad(*MASKED)
    for found in every_engine(f, MASKED).values():
        assert found == (math.log(2.0), [0.0, -0.5, 0.5])


def test_a_masked_logit_is_left_out_whatever_the_probabilities_are_computed_from(every_engine):
    f = gdc.compile(lambda x, p: gdc.cross_entropy([x, 0.0, 1.0], [p, 1.0 - p, 0.0]))
    f.value_and_grad(1.0, 0.5)
    total = math.log(1.0 + math.exp(1.0))
    for value, slopes in every_engine(f, [-math.inf, 0.0]).values():
        assert value == pytest.approx(total, rel=1e-15)
        assert slopes[0] == 0.0
    # The class counts as soon as its probability is not 0, and its logit as soon as it is finite.
    assert f(-math.inf, 0.25) == math.inf
    assert f.grad(-3.0, 0.0).p == pytest.approx(3.0, rel=1e-12)
    assert math.isnan(f(math.nan, 0.0))


@pytest.mark.parametrize("gradient", [eager_gradient, compiled_gradient])
def test_the_norm_has_slope_0_at_the_origin(gradient):
    assert gradient(functions.norm, [0.0, -0.0, 0.0]) == [0.0, 0.0, 0.0]
    assert gradient(functions.norm, [1e-200, 0.0]) == [0.0, 0.0]  # as if it were the origin
    assert gradient(functions.norm, [-2.0]) == [-1.0]


def test_products_with_zeros_have_slopes():
    for gradient in (eager_gradient, compiled_gradient):
        assert gradient(functions.prod, [2.0, 0.0, 3.0]) == [0.0, 6.0, 0.0]
        assert gradient(functions.prod, [0.0, 0.0, 3.0]) == [0.0, 0.0, 0.0]


# --- a class that is an input of the function ----------------------------------------------------


def test_a_traced_class_chooses():
    program = gdc.compile(functions.cross_entropy).arguments.read((POINT, 1.0), {}).traced.program
    both = run_passes(reverse(run_passes(program), range(4)))
    for index in range(3):
        value, gradient = interpret(both, [*POINT, float(index)])
        assert value == pytest.approx(functions.cross_entropy(POINT, index), rel=1e-15)
        expected = eager_gradient(lambda x, i=index: functions.cross_entropy(x, i), POINT)
        np.testing.assert_allclose(gradient, [*expected, 0.0], rtol=1e-15)


@pytest.mark.parametrize("index", [-1.0, 3.0, 1.5, math.nan, math.inf])
def test_a_traced_class_that_does_not_exist_gives_nan(index):
    program = gdc.compile(functions.cross_entropy).arguments.read((POINT, 1.0), {}).traced.program
    assert math.isnan(interpret(run_passes(program), [*POINT, index])[0])
    assert math.isnan(functions.cross_entropy(POINT, Value(index)).data)


@pytest.mark.parametrize("index", [1, 1.0, np.int64(1), np.float64(1), Value(1.0)])
def test_a_class_is_any_number_that_is_an_index(index):
    assert number(functions.cross_entropy(POINT, index)) == functions.cross_entropy(POINT, 1)


@pytest.mark.parametrize("index", [3, -1, 1.5, math.nan])
def test_no_such_class(index):
    with pytest.raises(ValueError, match=r"cross_entropy: there is no class .* of 3"):
        functions.cross_entropy(POINT, index)


# --- machine code --------------------------------------------------------------------------------


def test_compiled_by_numba():
    @gdc.compile
    def loss(w, x, target):
        return functions.cross_entropy(functions.matmul(w, x), target) + functions.norm(w) ** 2

    w, x = np.random.default_rng(0).normal(size=(3, 2)), [0.5, -2.0]
    report = check_grad(loss, w, x, [0.1, 0.2, 0.7])
    # Not stable, but written down by somebody else.
    expected = -np.dot([0.1, 0.2, 0.7], np.log(np.exp(w @ x) / np.exp(w @ x).sum()))
    assert loss(w, x, [0.1, 0.2, 0.7]) == pytest.approx(expected + (w * w).sum(), rel=1e-14)
    assert {component.verdict for component in report.components} == {"agrees"}


# --- bad input -----------------------------------------------------------------------------------

TWO = ("dot", "matmul", "cross_entropy")


@pytest.mark.parametrize("name", [*EXACT, *TWO])
@pytest.mark.parametrize("item", ["1", b"1", 1j, np.complex128(1), None, {}, object], ids=repr)
def test_what_is_no_real_number(name, item):
    operands = [[1.0, item], [1.0, 2.0]] if name in TWO else [[1.0, item]]
    with pytest.raises(TypeError, match=f"^{name}: expected a real number"):
        getattr(functions, name)(*operands)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("one", [True, np.True_, Fraction(1), Decimal(1), np.int8(1)], ids=repr)
def test_every_real_number_is_a_number(name, one):
    function = getattr(functions, name)
    assert np.array_equal(function([2.5, one]), function([2.5, 1.0]))
    assert np.array_equal(function(np.array([one, one])), function([1.0, 1.0]))


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize(
    "x",
    ["word", None, np.array(["a"]), np.array([1j]), {"a": 1.0}, iter([1.0])],
    ids=lambda x: type(x).__name__,
)
def test_what_is_no_list_of_real_numbers(name, x):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: "):
        getattr(functions, name)(x)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize(
    "x", [[[1.0, 2.0], [3.0]], [1.0, [2.0]], [np.ones((2, 3)), np.ones((2, 4))]], ids=str
)
def test_ragged_lists(name, x):
    with pytest.raises(ValueError, match=f"^{name}: the lists or arrays inside .* differ"):
        getattr(functions, name)(x)


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "logsumexp", "softmax", "log_softmax"])
def test_axes_that_do_not_exist(name):
    function = getattr(functions, name)
    with pytest.raises(ValueError, match=f"^{name}: axis 2 is out of bounds"):
        function([[1.0]], axis=2)
    for axis in (True, 0.0, "0", (0,)):
        with pytest.raises(TypeError, match=f"^{name}: expected an int as axis"):
            function([[1.0]], axis=axis)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("dot", [(2,), (3,)]), ("dot", [(2, 2), (2, 2)]), ("dot", [(), ()]), ("dot", [(1,), ()]),
        ("matmul", [(2, 3), (2,)]), ("matmul", [(), (2,)]), ("matmul", [(2,), (3, 2)]),
        ("matmul", [(1, 2, 3), (3,)]), ("cross_entropy", [(3,), (2,)]),
        ("cross_entropy", [(2, 2), ()]), ("cross_entropy", [(), ()]),
    ],
)  # fmt: skip
def test_shapes_that_do_not_match(name, shapes):
    with pytest.raises(ValueError, match=f"^{name}: expected .* got shapes ") as error:
        getattr(functions, name)(*map(np.ones, shapes))
    assert str(shapes[0]) in str(error.value)
    assert str(shapes[1]) in str(error.value)


def test_the_softmax_of_a_number():
    with pytest.raises(ValueError, match="softmax: axis -1 is out of bounds"):
        functions.softmax(1.0)


def test_they_are_no_rows_of_the_table():
    names = [name for name, member in vars(functions).items() if callable(member)]
    public = [name for name in names if not name.startswith("_") and name not in ("Any", "Operand")]
    assert set(public) >= {*EXACT, "dot", "cross_entropy", "matmul"}
    assert not set(public) & set(table.TABLE)
