"""`check_domain=True` says where nan and inf come from; without it, nothing ever raises.

And what is no operand at all is refused by the operation it was given to.
"""

import inspect
import itertools
import math
import operator

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.ops import functions
from gradcompile.ops.table import TABLE
from tests.helpers.slow import slow_but

# --- where nan and inf come from -----------------------------------------------------------------


def logarithm(x):
    shifted = x - 2
    y = gdc.log(shifted)  # this one
    y.label = "growth"
    return 3 * y


def division(x):
    t = x * x
    return t + 1 / (t - 4)  # this one


def called(x):
    return helper(x) + 1


def helper(x):
    return gdc.acos(x)  # this one


def in_a_list(x):
    return sum(gdc.log(item) for item in (3 - x, 1.5 - x, 1 - x))  # this one


def of_numpy(x):
    v = np.array([x, 2 * x])
    return np.sum(np.sqrt(1 - v))  # this one


def rewritten(x):
    return gdc.log(1 - x)  # this one


def overflow(x):
    return 1 / gdc.exp(500 * x)  # this one


def power(x):
    return (1 - x) ** 2.5  # this one


FORWARD = {
    logarithm: "`log(x)` is nan at x = -1.0 in 'growth'",
    division: "`a / b` is inf at a = 1.0, b = 0.0",
    called: "`acos(x)` is nan at x = 2.0",
    in_a_list: "`log(x)` is nan at x = -0.5",
    of_numpy: "`sqrt(x)` is nan at x = -1.0",
    rewritten: "`log1p(x)` is nan at x = -2.0",
    overflow: "`exp(x)` is inf at x = 1000.0",
    power: "`a ** b` is nan at a = -1.0, b = 2.5",
}
"""What is said about each function at x = 1 (`logarithm`) or x = 2."""


def place(function):
    """`file, line N: code` of the line that is marked in a function, or in the one it calls."""
    lines, first = inspect.getsourcelines(function)
    for number, line in enumerate(lines, first):
        if line.rstrip().endswith("# this one"):
            return f"{__file__}, line {number}: `{line.strip()}`"
    return place(helper)


@pytest.mark.parametrize("kernel", ["value", "value_and_grad"])
@pytest.mark.parametrize("function", FORWARD)
def test_the_operation_the_label_and_the_line(function, kernel):
    f = gdc.compile(function, check_domain=True)
    with pytest.raises(FloatingPointError) as caught:
        getattr(f, kernel)(1.0 if function is logarithm else 2.0)
    assert str(caught.value) == f"{FORWARD[function]}; {place(function)}"


def root(x, y):
    return y * gdc.sqrt(x)  # this one


def distance(x, y):
    total = x * x + y * y
    return (total + 0 * x) ** 0.75  # this one


def cube_root(x, y):
    return gdc.cbrt(x) + y  # this one


@pytest.mark.parametrize("function", [root, distance, cube_root])
def test_in_the_reverse_sweep(function):
    f = gdc.compile(function, check_domain=True)
    assert f(0.0, 0.0) == 0.0
    for kernel in (f.grad, f.value_and_grad):
        with pytest.raises(FloatingPointError, match=r"\(in the reverse sweep\)") as caught:
            kernel(0.0, 0.0 if function is distance else 1.0)
        assert str(caught.value).endswith(f"; {place(function)}")
    assert all(map(math.isfinite, f.value_and_grad(1.0, 2.0)[1]))


def test_in_tangents_and_derivatives():
    f = gdc.compile(lambda x: gdc.sqrt(x), check_domain=True)
    with pytest.raises(FloatingPointError, match=r"\(in the tangents\)"):
        f.jvp((0.0,), (1.0,))
    g = gdc.compile(lambda x: [gdc.sqrt(x)], check_domain=True, mode="forward")
    with pytest.raises(FloatingPointError, match=r"\(in the derivatives\)"):
        g.jacobian(0.0)


def test_the_adjoint_has_the_name_of_its_value():
    f = gdc.compile(lambda x: gdc.sqrt(x), check_domain=True)
    with pytest.raises(FloatingPointError, match="'x_bar'"):
        f.grad(0.0)


def test_a_graph_has_labels_and_no_lines():
    x = Value(4.0, label="x")
    y = gdc.log(x - 3)
    y.label = "y; import os"
    f = gdc.compile(y * y, check_domain=True)
    assert f(4.0) == 0.0
    with pytest.raises(FloatingPointError) as caught:
        f(2.0)
    assert str(caught.value) == "`log(x)` is nan at x = -1.0 in 'y; import os'"


def test_the_first_of_several_is_named():
    def f(x):
        a = gdc.log(x)
        a.label = "first"
        b = gdc.sqrt(a)
        b.label = "second"
        return a + b

    with pytest.raises(FloatingPointError, match="'first'"):
        gdc.compile(f, check_domain=True)(-1.0)


def test_nan_and_inf_that_come_in_are_the_users_business():
    f = gdc.compile(lambda x, y: gdc.exp(x) * gdc.log(y), check_domain=True)
    assert f(math.inf, 2.0) == math.inf
    assert math.isnan(f(math.nan, 2.0))
    assert f.value_and_grad(math.inf, 2.0)[0] == math.inf
    with pytest.raises(FloatingPointError, match=r"`log\(x\)` is -inf at x = 0.0"):
        f(math.inf, 0.0)


def test_results_are_those_of_machine_code():
    def f(w, x):
        return {"y": gdc.tanh(functions.dot(w, x)), "z": [gdc.exp(x[0]), w[1]]}

    checked, fast = gdc.compile(f, check_domain=True), gdc.compile(f)
    args = ([0.5, -0.25], np.array([3.0, 4.0]))
    assert checked(*args) == fast(*args)

    def g(w, x):
        return gdc.log(functions.norm(w)) * gdc.cos(x[1]) / x[0]

    checked, fast = gdc.compile(g, check_domain=True, wrt="w"), gdc.compile(g, wrt="w")
    assert checked(*args) == fast(*args)
    (value, grads), (expected, others) = checked.value_and_grad(*args), fast.value_and_grad(*args)
    assert (value, grads.w) == (expected, others.w)
    assert isinstance(checked(*args), float)
    assert isinstance(grads.w[0], float)


def test_only_who_asks_is_told():
    f = gdc.compile(logarithm)
    assert math.isnan(f(1.0))
    assert f.value_and_grad(1.0)[1] == (-3.0,)
    with pytest.raises(FloatingPointError):
        gdc.compile(check_domain=True)(logarithm)(1.0)


# --- outside of the domain nothing raises --------------------------------------------------------
# For each operation alone, `test_ops.py` and `test_bad_input.py` tell; here they follow each other.

OUTSIDE = (-1e308, -1000.0, -2.5, -1.0, -0.0, 0.0, 1.0, 710.0, 1e308, math.inf, -math.inf, math.nan)

CHAINS = {
    "roots": lambda x, y: gdc.sqrt(x) * gdc.rsqrt(y) + gdc.cbrt(x * y) + (x**y) ** 0.5,
    "logarithms": lambda x, y: gdc.log(x) / gdc.log2(y) + gdc.log10(gdc.log1p(x)),
    "inverses": lambda x, y: gdc.asin(x) + gdc.acos(y) * gdc.acosh(x) + gdc.atanh(y) / gdc.tan(x),
    "exponentials": lambda x, y: gdc.exp(x) - gdc.expm1(y) + gdc.cosh(x) * gdc.sinh(y) / x,
    "gamma": lambda x, y: gdc.lgamma(x) * gdc.digamma(y) + gdc.fmod(x, y) / gdc.floor(y),
    "gates": lambda x, y: gdc.maximum(gdc.log(x), y) + gdc.relu(1 / y) * gdc.clip(x / y, x, y),
}


@pytest.mark.parametrize("name", slow_but(list(CHAINS)[:3], CHAINS))
def test_outside_of_its_domain_nothing_raises(name, every_engine):
    f = gdc.compile(CHAINS[name])
    f.value_and_grad(0.5, 0.5)
    for at in itertools.product(OUTSIDE, repeat=2):
        found = every_engine(f, at)
        assert len(set(map(str, found.values()))) == 1, found
        x, y = map(Value, at)
        CHAINS[name](x, y).backward()
        assert type(x.grad) is type(y.grad) is float


# --- what is no operand --------------------------------------------------------------------------

NO_NUMBERS = (
    "1", b"1", 1j, np.complex128(1.0), None, object(), {1.0}, {"a": 1.0},
)  # fmt: skip

OPERATORS = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv,
    "pow": operator.pow, "greater": operator.gt, "less_equal": operator.le,
}  # fmt: skip


def kind(x):
    return type(x).__name__


@pytest.mark.parametrize("bad", NO_NUMBERS, ids=kind)
@pytest.mark.parametrize("name", OPERATORS)
def test_operators_refuse_what_is_no_number(name, bad):
    apply = OPERATORS[name]
    # Python turns comparisons round, and names the operator itself for None.
    turned = {"greater": "less", "less_equal": "greater_equal"}.get(name, name)
    foreign = bad is None or isinstance(bad, set | dict) or type(bad) is object
    names = kind(bad) if foreign else rf"^({name}|{turned}): expected a real number"
    for function in (lambda x: apply(x, bad), lambda x: apply(bad, x)):
        with pytest.raises(TypeError, match=names):
            function(Value(1.0))
        with pytest.raises(TypeError, match=names):
            gdc.compile(function)(1.0)


@pytest.mark.parametrize("bad", NO_NUMBERS, ids=kind)
@pytest.mark.parametrize("name", ["tanh", "maximum", "clip", "where", "log", "pow"])
def test_functions_refuse_what_is_no_number(name, bad):
    op = TABLE[name]
    for good in (1.0, Value(1.0)):
        for place in range(op.arity):
            operands = [good] * op.arity
            operands[place] = bad
            with pytest.raises(TypeError, match=rf"^{name}: expected a real number"):
                op(*operands)
            with pytest.raises(TypeError, match=rf"^{name}: expected a real number"):
                op(*operands[:place], [bad], *operands[place + 1 :])


def test_conditions_may_be_truth_values():
    x = Value(3.0)
    assert gdc.where(True, x, 2.0).data == 3.0
    assert gdc.where(np.False_, x, 2.0).data == 2.0
    assert gdc.logical_and(x > 2, True).data == 1.0
    assert gdc.compile(lambda x: gdc.where(True, x, 0))(3.0) == 3.0
    with pytest.raises(TypeError, match=r"^where: "):
        gdc.where("yes", x, 2.0)


STATIC = (str, bytes, bool, np.bool_, type(None))
"""By themselves, and in a dict; see `test_static.py`."""


@pytest.mark.parametrize("bad", [x for x in NO_NUMBERS if not isinstance(x, dict)], ids=kind)
@pytest.mark.parametrize("check_domain", [False, True])
def test_calls_refuse_what_is_no_number(check_domain, bad):
    f = gdc.compile(lambda x, y: x * y, name="scale", check_domain=check_domain)
    for kernel in (f, f.value, f.grad, f.value_and_grad):
        named = [] if isinstance(bad, STATIC) else [bad, {"k": bad}, np.array(bad)]
        items = [] if bad is None else [[bad]]
        for y in (*named, *items, np.array([bad], dtype=object)):
            with pytest.raises(TypeError, match=r"^scale: argument 'y': expected"):
                kernel(1.0, y)
            with pytest.raises(TypeError, match=r"^scale: argument 'y': expected"):
                kernel(y=y, x=1.0)


PAIRS = [
    (np.ones(2), np.ones(3)),
    (np.ones((2, 3)), np.ones(2)),
    ([1.0, 2.0], [1.0, 2.0, 3.0]),
    (np.array([Value(1.0), Value(2.0)]), np.ones(3)),
    ([Value(1.0)] * 4, np.ones((2, 3))),
]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_shapes_that_do_not_match_name_the_operation(a, b):
    for op in TABLE.values():
        if op.arity == 2:
            with pytest.raises(ValueError, match=rf"^{op.name}: operands of shapes .* and "):
                op(a, b)
    with pytest.raises(ValueError, match=r"^where: operands of shapes .* and "):
        gdc.where(a, b, 0.0)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("dot", ([1.0, 2.0], [1.0])),
        ("dot", ([[1.0]], [[1.0]])),
        ("matmul", ([[1.0, 2.0]], [[1.0, 2.0]])),
        ("matmul", (1.0, [1.0])),
        ("sum", ([[1.0], [1.0, 2.0]],)),
        ("prod", ([1.0], 1)),
        ("mean", ([],)),
        ("norm", ([[1.0], 1.0],)),
        ("logsumexp", ([[1.0], [2.0]], 2)),
        ("softmax", (1.0,)),
        ("log_softmax", ([[1.0], []],)),
        ("cross_entropy", ([1.0, 2.0], 2)),
        ("cross_entropy", ([1.0, 2.0], [1.0])),
    ],
)
def test_vectors_that_do_not_match_name_the_function(name, args):
    with pytest.raises(ValueError, match=name):
        getattr(functions, name)(*args)


@pytest.mark.parametrize("bad", ["1", 1j, None], ids=kind)
@pytest.mark.parametrize(
    "name", ["dot", "sum", "prod", "mean", "norm", "logsumexp", "softmax", "log_softmax",
             "cross_entropy", "matmul"]
)  # fmt: skip
def test_vectors_refuse_what_is_no_number(name, bad):
    for vector in ([1.0, bad], [Value(1.0), bad], np.array([1.0, bad], dtype=object)):
        args = (vector, [1.0, 2.0]) if name in ("dot", "matmul", "cross_entropy") else (vector,)
        with pytest.raises(TypeError, match=rf"^{name}: expected a real number"):
            getattr(functions, name)(*args)
