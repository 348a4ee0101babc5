"""Arguments that are no data: defaults that are left out, and what is static."""

import enum
import functools
import math
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile.compiler.kernel import Kernel

WEIGHTS = np.array([1.0, 2.0])


class Kind(enum.Enum):
    SQUARE = 1
    CUBE = 2


class Count(enum.IntEnum):
    TWO = 2
    THREE = 3


def power(x, n=3, mode="square", op=None, offset=0.5):
    y = x
    for _ in range(n - 1):
        y = y * x
    y = y if op is None else op(y)
    return y + offset if mode == "square" else -y


# --- defaults ------------------------------------------------------------------------------------


def test_a_default_that_is_left_out_keeps_its_value_and_is_no_input():
    f = gdc.compile(power)
    for _ in range(3):
        assert f.value_and_grad(2.0) == (8.5, (12.0,))
        assert f.grad(2.0)._fields == ("x",)
    assert f.value.source.splitlines()[0] == "def power(x):"


def test_a_number_that_is_given_for_a_default_is_data():
    f = gdc.compile(power)
    assert f.grad(2.0, offset=1.0)._asdict() == {"x": 12.0, "offset": 1.0}
    assert f.value(2.0) == 8.5
    assert f.value(2.0, offset=-1.0) == 7.0


def test_any_object_may_be_a_default():
    table, nothing = [3.0, 4.0], object()

    def f(x, w=WEIGHTS, table=table, k=nothing, low=float("-inf"), xs=(1, 2)):
        assert k is nothing
        return x * w[1] + table[xs[0]] + max(low, 0.0)

    assert gdc.compile(f).value_and_grad(3.0) == (10.0, (2.0,))


def test_a_loop_of_functions_with_a_default_for_each():
    ops = (gdc.sin, gdc.tanh, math.floor and (lambda x: x * x))
    compiled = [gdc.compile(lambda x, op=op: op(x)) for op in ops]
    assert [f(2.0) for f in compiled] == [math.sin(2.0), math.tanh(2.0), 4.0]


@pytest.mark.parametrize("wrt", ["offset", ["x", "offset"]])
def test_a_default_that_is_differentiated_by_is_data(wrt):
    f = gdc.compile(power, wrt=wrt)
    assert f.grad(2.0).offset == 1.0
    assert f(2.0) == f(2.0, offset=0.5) == 8.5


def test_a_batched_default_is_data():
    f = gdc.compile(lambda p, x=WEIGHTS: p * x, batched="x", reduce="sum")
    assert f.value_and_grad(2.0) == (6.0, (3.0,))


def test_what_needs_no_arguments_leaves_defaults_out():
    f = gdc.compile(power)
    assert "def power_value_and_grad(x):" in f.source
    assert f.verify().ok
    assert gdc.check_grad(f, 2.0).ok
    np.testing.assert_array_equal(f.grad.flat([2.0]), [12.0])
    np.testing.assert_array_equal(f.grad.dispatcher(np.array([2.0])), [12.0])
    assert gdc.compile(lambda *, x, n=2, **rest: x**n).source


def test_a_function_that_has_defaults_alone():
    def f(w=0.5, mode="a"):
        return 2 * w if mode == "a" else w

    compiled = gdc.compile(f)
    assert "def f_value_and_grad(w):" in compiled.source
    assert compiled.grad(3.0) == (2.0,)
    with pytest.raises(TypeError, match="f: no argument was given, and a default that is left out"):
        gdc.compile(f)()
    assert gdc.compile(f, wrt="w").value_and_grad() == (1.0, (2.0,))


def test_advice_for_what_could_be_static():
    with pytest.raises(TypeError, match=r"f: argument 'd': .* object .*>; if .* by static='d'"):
        gdc.compile(lambda x, d: x)(2.0, object())
    with pytest.raises(TypeError, match=r"f: argument 'x': expected numbers .* got complex 1j$"):
        gdc.compile(lambda x: x)(1j)


def test_several_arguments_and_the_rest():
    f = gdc.compile(lambda x, n=2, *rest, k=3, **named: x**n * k + sum(rest) + named.get("z", 0))
    assert f(3.0) == 27.0
    assert f.grad(3.0, k=2.0, z=1.0, mode="a") == (12.0, (), 9.0, {"z": 1.0, "mode": "a"})
    assert gdc.compile(lambda x, *rest: x + sum(rest)).grad(1.0, 2.0) == (1.0, (1.0,))


def test_a_flat_call_may_tell_which_static_arguments_are_meant():
    f = gdc.compile(lambda x, k, n, mode="a": k * x**n * (1 if mode == "a" else 2), wrt="x",
                    static="n")  # fmt: skip
    f(1.0, 1.0, 2)
    f(1.0, 1.0, 3, mode="b")
    for _ in range(2):
        np.testing.assert_array_equal(f.grad.flat([2.0], k=5.0), [20.0])  # mode is "a" by default
        np.testing.assert_array_equal(f.grad.flat([2.0], k=5.0, n=2), [20.0])
        np.testing.assert_array_equal(f.grad.flat([2.0], k=5.0, mode="b"), [120.0])
    with pytest.raises(TypeError, match="has not been called with n = 4 yet; call it so once"):
        f.grad.flat([2.0], k=5.0, n=4)
    with pytest.raises(TypeError, match=r"flat: expected the arguments \['k'\], got \['q'\]"):
        f.grad.flat([2.0], q=5.0)


def test_a_flat_call_leaves_defaults_out():
    f = gdc.compile(lambda x, k=2.0, n=2: k * x[0] ** n + x[1], wrt="x", static="n")
    f([3.0, 1.0], 5.0, n=3)
    with pytest.raises(TypeError, match="not been called with the default of k, the default of n"):
        f.value.flat([3.0, 1.0])
    assert f([3.0, 1.0]) == 19.0
    assert f.value.flat([3.0, 1.0]) == 19.0
    assert f.value.flat([3.0, 1.0], k=5.0, n=3) == 136.0


# --- static by themselves ------------------------------------------------------------------------


def apply(x, how):
    if how is None:
        return x
    if callable(how) and not isinstance(how, type):
        return how(x)
    return x * {"a": 2, b"b": 3, True: 4, False: 5, Kind.CUBE: 6, Count.TWO: 7, float: 8}[how]


@pytest.mark.parametrize(
    ("how", "value"),
    [
        (None, 1.0), ("a", 2.0), (b"b", 3.0), (True, 4.0), (False, 5.0), (np.True_, 4.0),
        (Kind.CUBE, 6.0), (float, 8.0), (gdc.sin, math.sin(1.0)), (lambda x: x + x, 2.0),
        (functools.partial(gdc.maximum, 3.0), 3.0),
    ],
)  # fmt: skip
def test_what_is_static_by_itself(how, value):
    f = gdc.compile(apply)
    for _ in range(2):
        assert f(1.0, how) == f(x=1.0, how=how) == value
        assert f.grad(1.0, how)._fields == ("x",)


def test_an_integer_enum_is_static():
    f = gdc.compile(lambda x, n: sum(x for _ in range(n)))
    assert f.grad(1.0, Count.TWO) == (2.0,)
    assert f.grad(1.0, Count.THREE) == (3.0,)


def test_a_range_and_a_module_are_static():
    assert gdc.compile(lambda x, r: sum(x * k for k in r))(2.0, range(3)) == 6.0
    assert gdc.compile(lambda x, xp: xp.tanh(x))(0.5, gdc) == math.tanh(0.5)


def test_each_static_value_has_its_own_program():
    f = gdc.compile(apply)
    order = ["a", None, True, "a", False, True, None, "a"]
    assert [f(1.0, how) for how in order] == [2.0, 1.0, 4.0, 2.0, 5.0, 4.0, 1.0, 2.0]
    assert len(f.arguments.traces) == 4


def test_static_and_data_in_turns():
    f = gdc.compile(lambda x, k=None: x * 2 if k is None else x * k)
    assert [f(3.0), f(3.0, 5.0), f(3.0, None), f(3.0, k=5.0), f(3.0)] == [6.0, 15.0, 6.0, 15.0, 6.0]


def test_an_array_of_bools_is_data():
    f = gdc.compile(lambda x, mask: gdc.dot(x, mask))
    value, gradient = f.value_and_grad(np.array([2.0, 3.0]), np.array([True, False]))
    assert value == 2.0
    np.testing.assert_array_equal(gradient.mask, [2.0, 3.0])
    g = gdc.compile(lambda p, x, on: gdc.where(on, p * x, 0.0), batched=("x", "on"), reduce="sum")
    assert g(2.0, np.ones(3), np.array([True, False, True])) == 4.0


# --- static by name ------------------------------------------------------------------------------


def times(x, n):
    assert isinstance(n, int)
    return sum(x for _ in range(n))


@pytest.mark.parametrize("static", ["n", ("n",), ["n"]])
def test_static_names(static):
    f = gdc.compile(times, static=static)
    assert [f(2.0, n) for n in (1, 3, 3, 1)] == [2.0, 6.0, 6.0, 2.0]
    assert f.grad(2.0, n=4) == (4.0,)
    assert f.wrt == ("x",)


def test_a_static_shape_and_a_frozen_object():
    f = gdc.compile(lambda x, shape: np.sum(np.full(shape, x)), static="shape")
    assert f.grad(1.0, (2, 3)) == (6.0,)
    assert f.grad(1.0, (3, 3)) == (9.0,)


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (1, 1.0), ((1, 2), (1, 2.0)), (0.0, -0.0), ("1", b"1")]
)
def test_equal_values_of_other_types_are_other_values(one, other):
    f = gdc.compile(lambda x, k: x if repr(k) == repr(one) else -x, static="k")
    for _ in range(2):
        assert f(1.0, one) == 1.0
        assert f(1.0, other) == -1.0


@dataclass(frozen=True)
class Config:
    k: float
    unseen: float = field(default=1.0, compare=False)


class Alike:
    """A function with a number, which its `==` does not compare."""

    def __init__(self, k):
        self.k = k

    def __call__(self, x):
        return self.k * x

    def __eq__(self, other):
        return isinstance(other, Alike)

    def __hash__(self):
        return 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (range(0, 3, 2), range(0, 4, 2)), (np.float64(0.0), np.float64(-0.0)),
        (complex(0, 0.0), complex(0, -0.0)), (Config(1), Config(True)), (Config(0.0), Config(-0.0)),
        (Config(1.0, 2.0), Config(1.0, 3.0)), (frozenset({1}), frozenset({1.0})),
        (Decimal("1.0"), Decimal("1.00")),
    ],
)  # fmt: skip
def test_equal_things_that_code_can_tell_apart(one, other):
    told = []

    def f(x, k):
        told.append(k)
        return x * len(told)

    compiled = gdc.compile(f, static="k")
    for _ in range(2):
        assert [compiled(1.0, k) for k in (one, other, one)] == [1.0, 2.0, 1.0]
    assert told[0] is one
    assert told[1] is other


def test_a_callable_object_is_itself_with_the_attributes_it_has_now():
    f = gdc.compile(lambda x, op: op(x))
    one, other = Alike(2.0), Alike(3.0)
    for _ in range(2):
        assert [f(1.0, one), f(1.0, other), f(1.0, one)] == [2.0, 3.0, 2.0]
    one.k = 5.0
    assert [f(1.0, one), f(1.0, one), f(1.0, other)] == [5.0, 5.0, 3.0]


def test_what_is_static_must_be_hashable():
    f = gdc.compile(times, static="n")
    with pytest.raises(TypeError, match=r"times: argument 'n': what is static must be hashable, "):
        f(2.0, [3])
    f(2.0, 3)
    with pytest.raises(TypeError, match=r"hashable, got ndarray"):
        f(2.0, np.array([3]))


def test_names_that_cannot_be_static():
    x = gdc.Value(2.0, label="x")
    with pytest.raises(ValueError, match="static: 'q' is not an argument; the arguments are"):
        gdc.compile(times, static="q")
    with pytest.raises(ValueError, match="wrt: 'n' is static"):
        gdc.compile(times, static="n", wrt=["x", "n"])
    with pytest.raises(ValueError, match="static: 'x' is batched"):
        gdc.compile(times, static="x", batched="x")
    with pytest.raises(ValueError, match="static: a graph takes numbers alone"):
        gdc.compile(x * x, static="x")
    with pytest.raises(TypeError, match="static: expected names of arguments, got int 3"):
        gdc.compile(times, static=3)


def test_a_static_argument_that_is_differentiated_by():
    f = gdc.compile(apply, wrt=["x", "how"])
    with pytest.raises(TypeError, match="argument 'how': expected numbers"):
        f.grad(1.0, "a")


def test_static_arguments_of_a_batched_function():
    f = gdc.compile(
        lambda p, x, n, mode="sum": p * x**n if mode == "sum" else p + x,
        batched="x", static="n", reduce="sum",
    )  # fmt: skip
    rows = np.arange(4.0)
    assert f.value_and_grad(2.0, rows, 2) == (28.0, (14.0,))
    assert f.value_and_grad(2.0, rows, 3) == (72.0, (36.0,))
    assert f(2.0, rows, 3, mode="other") == 14.0


def test_static_arguments_of_a_checked_function():
    f = gdc.compile(apply, check_domain=True)
    assert f.value_and_grad(1.0, "a") == (2.0, (2.0,))


# --- what may be compiled ------------------------------------------------------------------------


def test_what_a_partial_binds_is_no_input():
    f = gdc.compile(functools.partial(lambda x, k: x * k, k=2.0))
    assert f.value_and_grad(3.0) == (6.0, (2.0,))
    assert f.grad(3.0)._fields == ("x",)
    g = gdc.compile(functools.partial(lambda k, mode, x: x * k * len(mode), 2.0, "ab"))
    assert g.value_and_grad(3.0) == (12.0, (4.0,))


def test_numpys_functions():
    assert gdc.compile(np.sin).value_and_grad(0.0) == (0.0, (1.0,))
    assert gdc.compile(np.hypot).grad(3.0, 4.0) == (0.6, 0.8)


def test_a_callable_object():
    class Scale:
        def __init__(self, k):
            self.k = k

        def __call__(self, x, n=2):
            return self.k * x**n

    assert gdc.compile(Scale(3.0)).value_and_grad(2.0) == (12.0, (12.0,))


def test_a_function_whose_arguments_python_does_not_tell():
    with pytest.raises(TypeError, match=r"compile: Python does not tell the arguments of max; "):
        gdc.compile(max)


def test_an_argument_called_self():
    f = gdc.compile(lambda self, x: self * x)
    for _ in range(2):
        assert f(self=3.0, x=2.0) == 6.0
        assert f.grad(3.0, x=2.0)._asdict() == {"self": 2.0, "x": 3.0}


# --- calls are written ---------------------------------------------------------------------------


def test_written_calls_compare_what_is_static(monkeypatch):
    @dataclass(frozen=True)
    class Key:
        x: int

    f = gdc.compile(lambda x, a, b, n=2: x * (3 if a == "a" else 5) + n, static="b")
    calls = [("a", 3), ("b", (1, 2)), ("a", 2.5), ("".join(["a", "c"]), Key(1))]
    expected = [f(2.0, *call) for call in calls]

    def general(*_):
        raise AssertionError("not the written way")

    monkeypatch.setattr(Kernel, "_general", general)
    again = [("a", 3), ("b", (1, 2)), ("a", 2.5), ("".join(["a", "c"]), Key(1))]
    assert [f(2.0, *call) for call in again] == expected
    with pytest.raises(AssertionError):
        f(2.0, "a", True)
