"""Calls that are written for their arguments give what the general way gives, errors too.

`_by_any` always goes the general way, and so does the second of the calls on a vector: they tell
what is right.
"""

import gc
import itertools
import pickle
import re
import threading
import weakref
from collections import namedtuple

import numba
import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value, jit
from gradcompile.batch import threads as batch_threads
from gradcompile.batch.arguments import BatchedArguments
from gradcompile.check import check_grad
from gradcompile.compiler import kernel as kernel_module
from gradcompile.compiler.arguments import Arguments
from gradcompile.compiler.kernel import Kernel
from gradcompile.graph.nested import flatten
from tests.batch.test_batch import BAD, KINDS, REDUCTIONS, X, Y
from tests.helpers.slow import slow_but

P = np.array([0.5, -0.25, 0.125])


def line(p, x, y):
    return gdc.tanh(gdc.dot(p[:2], x) + p[2] - y) ** 2


def compiled(reduce="mean", **options):
    return gdc.compile(line, batched=("x", "y"), reduce=reduce, **options)


lines = {reduce: compiled(reduce) for reduce in REDUCTIONS}
loss = lines["mean"]


def outcome(call):
    """What comes of a call, as text that shows every bit; or its error."""
    try:
        result = call()
    except Exception as error:
        return type(error), str(error), getattr(error, "__notes__", [])
    with np.printoptions(floatmode="unique"):
        return repr(result)


def assert_same(kernel, *args):
    """These arguments and plain ones, in turns: by position as by name, flat as in general."""
    names = list(kernel._arguments.signature.parameters)
    for given in (args, (P, X, Y), args, (P, X, Y)):
        assert_same_once(kernel, dict(zip(names, given, strict=True)))


def assert_same_once(kernel, given):
    expected = outcome(lambda: kernel._by_any(**given))
    assert outcome(lambda: kernel(*given.values())) == expected
    assert outcome(lambda: kernel(**given)) == expected
    vector, *_ = given.values()
    others = dict(list(given.items())[1:])
    found = outcome(lambda: kernel.flat(vector, **others))
    if kernel._arguments.newest in kernel._flats:  # else the call went the general way
        _, general = kernel._flats[kernel._arguments.newest]
        assert found == outcome(lambda: general(vector, None, None, others))


@pytest.fixture
def only_fast(monkeypatch):
    """From now on the general way is an error."""

    def start():
        def general(*_):
            raise AssertionError("not the fast way")

        monkeypatch.setattr(Kernel, "_general", general)
        for owner in (Arguments, BatchedArguments):  # calls on a vector ask for that
            monkeypatch.setattr(owner, "require_equal", general)

    return start


def both_ways(kernel, *args):
    return kernel(*args), kernel.flat(args[0], x=args[1], y=args[2])


# numba finds out whether an array is aligned, or finds what it found for another array before.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "unaligned"])
def test_rows_that_machine_code_reads_where_they_lie(kind, only_fast):
    in_place = {
        "Fortran order", "read-only", "every other row", "from the last to the first",
        "every other column", "transposed", "broadcast",
    }  # fmt: skip
    both_ways(loss.value_and_grad, P, X, Y)
    only_fast()
    both_ways(loss.value_and_grad, P, pickle.loads(pickle.dumps(X)), Y)
    if kind in in_place:
        both_ways(loss.value_and_grad, P, KINDS[kind](X), Y)
        return
    with pytest.raises(AssertionError, match="not the fast way"):
        loss.value_and_grad(P, KINDS[kind](X), Y)
    with pytest.raises(AssertionError, match="not the fast way"):
        loss.value_and_grad.flat(P, x=KINDS[kind](X), y=Y)


# --- rows ----------------------------------------------------------------------------------------


def test_bytes_in_another_order_after_an_array_that_is_not_aligned():
    for kind in ("unaligned", "big-endian", "unaligned"):
        assert_same(loss.value_and_grad, P, KINDS[kind](X), Y)
        assert_same(loss.value_and_grad, P, X, KINDS[kind](Y))


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_any_kind(kind, place):
    args = [P, X, Y]
    args[place] = KINDS[kind](args[place])
    assert_same(loss.value_and_grad, *args)


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("count", [0, 1, 2, 241])
def test_any_number_of_rows(reduce, count):
    x, y = np.resize(X, (count, 2)), np.resize(Y, count)
    f = lines[reduce]
    for kernel in (f.value, f.grad, f.value_and_grad) if f is loss else (f.value_and_grad,):
        assert_same(kernel, P, x, y)


@pytest.mark.parametrize("kind", BAD)
def test_bad_rows(kind):
    given, _, message = BAD[kind]
    args = P, given.get("x", X), given.get("y", Y)
    loss.value_and_grad(P, X, Y)
    assert_same(loss.value_and_grad, *args)
    if "p" not in given:
        _, found, _ = outcome(lambda: loss.value_and_grad(*args))
        assert found == message.replace("neuron", "line")


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (X, Y[:3]), (X[:3], Y), (X, Y[:, None]), (X, np.array(1.0)), (np.array(1.0), Y), (Y, X),
        (X[:, :1], Y), (X[0], Y), (X[None], Y), (X[:, None], Y), (X.T, Y), (X[:0], Y), (None, None),
    ],
)  # fmt: skip
def test_rows_of_another_shape(x, y):
    assert_same(compiled().value_and_grad, P, x, y)


@pytest.mark.parametrize("p", [P[:2], P[None], P[0], np.array(1.0), np.zeros(0), [], None])
def test_a_vector_of_another_shape(p):
    assert_same(compiled().value_and_grad, p, X, Y)


def test_names_that_are_wrong():
    flat = loss.value_and_grad.flat
    loss.value_and_grad(P, X, Y)
    for _ in range(2):
        for given in ({"x": X}, {"x": X, "z": Y}, {"x": X, "y": Y, "z": Y}):
            error, message, _ = outcome(lambda given=given: flat(P, **given))
            assert error is TypeError
            assert message == f"flat: expected the arguments ['x', 'y'], got {list(given)}"
        _, message, _ = outcome(lambda: loss.value_and_grad(P, X, Y, Y))
        assert message == "line(p, x, y): too many positional arguments (given: 4 positional)"
        assert flat(P, y=Y, x=X)[0] == flat(P, x=X, y=Y)[0]


def test_the_fast_way_is_taken(only_fast):
    both_ways(loss.value_and_grad, P, X, Y)
    only_fast()
    for count in (1, 3, 300):
        x, y = np.resize(X, (count, 2)), np.resize(Y, count)
        for kind in ("read-only", "Fortran order", "every other row", "from the last to the first"):
            args = P, KINDS[kind](x), KINDS[kind](y)
            (value, gradient), (found, slopes) = both_ways(loss.value_and_grad, *args)
            assert found == value
            assert slopes.tolist() == gradient.p.tolist()
            assert slopes.flags.writeable
            assert gradient.p.flags.writeable


def test_a_read_only_vector_is_no_reason_to_compile():
    for f, others in ((loss, {"x": X, "y": Y}), (gdc.compile(lambda p: p[0] * p[1]), {})):
        kernel = f.value_and_grad
        kernel(P, **others)
        expected, signatures = kernel.flat(P, **others), list(kernel.njit.signatures)
        for kind in ("read-only", "unaligned"):
            found = kernel.flat(KINDS[kind](P), **others)
            assert found[0] == expected[0]
            assert found[1].tolist() == expected[1].tolist()
        assert kernel.njit.signatures == signatures


def test_arguments_are_left_alone():
    args = P.copy(), X.copy(), Y.copy()
    for _ in range(2):
        _, (_, gradient) = both_ways(loss.value_and_grad, *args)
        gradient[:] = 7.0
        loss.value_and_grad(*args)[1].p[:] = 7.0
    for array, before in zip(args, (P, X, Y), strict=True):
        assert array.tolist() == before.tolist()


def test_the_latest_structure():
    def total(p, x):
        return sum(a * x for a in p)

    f = gdc.compile(total, batched="x", reduce="sum", name="total")
    x = np.array([1.0, 2.0])
    for n in (2, 3, 2, 3):
        assert f.value_and_grad(np.ones(n), x)[1].p.tolist() == [3.0] * n
    assert f.value_and_grad.flat(np.ones(3), x=x)[1].tolist() == [3.0] * 3
    f.value_and_grad(np.ones(4), x)
    assert f.value_and_grad.flat(np.ones(4), x=x)[1].tolist() == [3.0] * 4
    with pytest.raises(ValueError, match=r"expected a vector of shape \(4,\), got \(3,\)"):
        f.value_and_grad.flat(np.ones(3), x=x)


def mixed(x, w, a, y, b):
    return (a * (w[0, 0] * x[0, 1] - w[1, 1] * x[1, 0]) + b - y) ** 2


ORDERS = [None, ["b", "w"], ["x", "a"], ["y", "x", "w"]]


@pytest.mark.parametrize(
    ("reduce", "wrt"),
    slow_but([("mean", ORDERS[0])], itertools.product(REDUCTIONS, ORDERS)),
)
def test_arguments_in_any_order(reduce, wrt, only_fast):
    f = gdc.compile(mixed, batched=("x", "y"), reduce=reduce, wrt=wrt)
    rng = np.random.default_rng(1)
    args = rng.normal(size=(5, 2, 2)), rng.normal(size=(2, 2)), 1.5, Y, np.float64(0.25)
    names = ("x", "w", "a", "y", "b")
    expected = outcome(lambda: f.value_and_grad(**dict(zip(names, args, strict=True))))
    f.value_and_grad(*args)
    only_fast()
    assert outcome(lambda: f.value_and_grad(*args)) == expected


def test_flat_with_others_by_name():
    f = gdc.compile(mixed, batched=("x", "y"), wrt="w")
    x, w = np.ones((5, 2, 2)), np.eye(2)
    expected, gradient = f.value_and_grad(x, w, 1.5, Y, 0.25)
    for _ in range(2):
        value, slopes = f.value_and_grad.flat(w.ravel(), x=x, y=Y, a=1.5, b=0.25)
        assert value == expected
        assert slopes.tolist() == gradient.w.ravel().tolist()
        with pytest.raises(TypeError, match=r"^flat: expected .* \['x', 'a', 'y', 'b'\], got"):
            f.value_and_grad.flat(w.ravel(), x=x, y=Y, a=1.5)


def test_a_dict_of_arrays_is_looked_through():
    f = gdc.compile(lambda p, row: p[0] * row["a"] * row["b"][0], batched="row", reduce="sum")
    row = {"a": np.ones(3), "b": np.ones((3, 2))}
    for _ in range(2):
        assert f.value_and_grad(P[:1], row)[1].p.tolist() == [3.0]
        assert f.value_and_grad.flat(P[:1], row=row)[1].tolist() == [3.0]


def test_rows_over_threads(monkeypatch):
    monkeypatch.setattr(batch_threads, "MIN_ROWS_OF_A_THREAD", 10)
    x, y = np.resize(X, (100, 2)), np.resize(Y, 100)
    f = compiled(parallel=3)
    for _ in range(2):
        both = both_ways(f.value_and_grad, P, x, y)
        for value, _ in both:
            assert value == f.value_and_grad(p=P, x=x, y=y)[0]
        assert both[0][0] == pytest.approx(loss(P, x, y), rel=1e-12)
        assert f(P, X, Y) == loss(P, X, Y)


def test_many_threads_call_it():
    kernel = lines["sum"].value_and_grad
    batches = [(np.resize(X, (n, 2)), np.resize(Y, n)) for n in (1, 5, 30, 300)]
    expected = [kernel(p=P, x=x, y=y)[0] for x, y in batches]
    wrong = []

    def work(k):
        for n, (x, y) in itertools.islice(itertools.cycle(enumerate(batches)), k, 400):
            if kernel.flat(P, x=x, y=y)[0] != expected[n] or kernel(P, x, y)[0] != expected[n]:
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# --- without rows --------------------------------------------------------------------------------


def product(w, x):
    return gdc.dot(w[0], x) - gdc.dot(w[1], x)


def test_arrays_without_rows(only_fast):
    f = gdc.compile(product)
    args = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([0.5, -0.5])
    expected = outcome(lambda: f.value_and_grad(w=args[0], x=args[1]))
    f.value_and_grad(*args)
    only_fast()
    assert outcome(lambda: f.value_and_grad(*args)) == expected
    assert outcome(lambda: f.value_and_grad(x=args[1], w=args[0])) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_any_kind_without_rows(kind):
    f = gdc.compile(product)
    args = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([0.5, -0.5])
    f.value_and_grad(*args)
    given = [KINDS[kind](x) for x in args]
    for _ in range(2):
        found = outcome(lambda: f.value_and_grad(*given))
        assert found == outcome(lambda: f.value_and_grad._by_any(*given))
        found = outcome(lambda: f.value_and_grad(args[0], given[1]))
        assert found == outcome(lambda: f.value_and_grad._by_any(args[0], given[1]))


def square(x):
    return x * x if np.ndim(x) == 0 else gdc.dot(x, x)


@pytest.mark.parametrize("roll", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_kinds_of_numbers_in_turns(roll):
    f = gdc.compile(square, roll=roll)
    given = [
        2.0, np.float64(3.0), 4, np.array(5.0), np.ones(2), np.ones(3), np.float32(2.0), [1.0, 2.0],
        np.ones(2, np.float32), np.ones(2, int), np.ones(1), KINDS["unaligned"](np.ones(2)),
    ]  # fmt: skip
    for x in given + given[::-1] + given:
        for kernel in (f.value, f.grad, f.value_and_grad):
            assert outcome(lambda: kernel(x)) == outcome(lambda: kernel(x=x))  # noqa: B023
    assert f(Value(3.0)).data == 9.0


def test_a_vector_without_rows(only_fast):
    f = gdc.compile(product, wrt="w")
    w, x = np.array([[1.0, 2.0], [3.0, 5.0]]), [0.5, -0.5]
    f.value_and_grad(w, x)
    for _ in range(2):
        assert f.value_and_grad.flat(w.ravel(), x=x)[1].tolist() == [0.5, -0.5, -0.5, 0.5]
        with pytest.raises(TypeError, match=r"^flat: expected the arguments \['x'\], got \[\]$"):
            f.value_and_grad.flat(w.ravel())
    g = gdc.compile(product)
    g.value_and_grad(w, np.array(x))
    vector = np.array([*w.ravel(), *x])
    value, _ = g.value_and_grad.flat(vector)
    for p in (vector.tolist(), vector.astype(np.float32), np.repeat(vector, 2)[::2]):
        assert g.value_and_grad.flat(p)[0] == value
    with pytest.raises(ValueError, match=r"^flat: expected a vector of shape \(6,\), got \(5,\)$"):
        g.value_and_grad.flat(vector[:5])
    only_fast()
    assert g.value_and_grad.flat(vector)[0] == value


def test_bad_vectors_are_told_before_anything_is_compiled(monkeypatch):
    f, g = gdc.compile(product), compiled()
    f.arguments.read((np.ones((2, 2)), np.ones(2)), {})
    g.arguments.read((P, X, Y), {})
    monkeypatch.setattr(jit, "jit", lambda *_, **__: pytest.fail("compiled"))
    with pytest.raises(ValueError, match=r"^flat: expected a vector of shape \(6,\), got \(5,\)$"):
        f.value_and_grad.flat(np.ones(5))
    with pytest.raises(ValueError, match=r"^flat: expected a vector of shape \(3,\), got \(5,\)$"):
        g.value_and_grad.flat(np.ones(5), x=X, y=Y)


# --- calls of every kind -------------------------------------------------------------------------

Point = namedtuple("Point", "x y")


def by_numbers(a, b):
    return a * gdc.tanh(b)


def by_name(a, /, b, *, c, d=0.5):
    return a * b - c * d


def by_default(a, b=2.0, c=(1.0, 3.0)):
    return a * b + c[0] * c[1]


def of_list(w, b):
    return gdc.tanh(gdc.dot(w, w)) + b


def of_layers(layers, x):
    for weights, bias in layers:
        x = gdc.tanh(sum(w * x for w in weights) + bias)
    return x


def of_dict(p, x):
    return gdc.dot(p["w"], x) * p["scale"] + sum(p["b"])


def of_points(p, q):
    return (p.x - q.x) ** 2 + (p.y - q.y) * q.y


def of_many(a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r, s):
    return (a + b * c - d * e + f * g - h + i * j - k + m * n - o + p * q) * r - s * s


def of_tree(tree):
    (a, (b,)), others = tree
    return a * b - others["c"] * others["d"][0] * others["d"][1]


def of_arrays(pair, k):
    return gdc.dot(pair[0], pair[1]["y"]) * k


MANY = [0.25 * n for n in range(1, 19)]

CALLS = {
    "numbers": (by_numbers, (0.5, 2.0), {}),
    "numbers by name": (by_numbers, (0.5,), {"b": 2.0}),
    "keyword-only": (by_name, (0.5, 2.0), {"c": 3.0}),
    "no default": (by_name, (0.5,), {"d": 1.5, "c": 3.0, "b": 0.25}),
    "defaults": (by_default, (0.5,), {}),
    "the second default": (by_default, (0.5,), {"c": (4.0, 5.0)}),
    "a list": (of_list, ([0.5, 0.25, -1.0], 2.0), {}),
    "a tuple": (of_list, ((0.5, 0.25, -1.0), 2.0), {}),
    "an array": (of_list, (np.array([0.5, 0.25, -1.0]), 2.0), {}),
    "nested lists": (of_layers, ([([0.5, 0.25], 1.0), ([2.0], -0.5)], 0.75), {}),
    "a dict": (of_dict, ({"w": [0.5, 2.0], "scale": 3.0, "b": (1.0, -1.0)}, [0.5, 0.25]), {}),
    "a dict with an array": (
        of_dict, ({"w": np.ones(2), "scale": 3.0, "b": (1.0, -1.0)}, np.arange(2.0)), {}
    ),
    "namedtuples": (of_points, (Point(0.5, 2.0), Point(-1.0, 0.25)), {}),
    "merged numbers": (of_many, tuple(MANY), {}),
    "merged numbers by name": (
        of_many, tuple(MANY[:9]), dict(zip("jkmnopqrs", MANY[9:], strict=True))
    ),
    "a tree of numbers": (of_tree, (((0.5, (2.0,)), {"c": 3.0, "d": [0.25, -1.0]}),), {}),
    "arrays in containers": (of_arrays, ((np.arange(3.0), {"y": np.ones(3)}), 2.0), {}),
    "nothing in a list": (of_list, ([], 2.0), {}),
    "nothing in an array": (of_list, (np.zeros(0), 2.0), {}),
}  # fmt: skip


def kernels(name):
    function, args, kwargs = CALLS[name]
    f = gdc.compile(function)
    return (f.value, f.grad, f.value_and_grad), args, kwargs


FORMS = ("numbers", "defaults", "a list", "a dict with an array", "nothing in a list")
"""Calls of which the value and the gradient alone are looked at, too."""


def typed(result):
    """A result with the types of everything in it: what Python shows of numbers is not all."""
    if isinstance(result, dict):
        return {key: typed(part) for key, part in result.items()}
    if isinstance(result, list | tuple):
        return type(result), [typed(part) for part in result]
    if isinstance(result, np.ndarray):
        return type(result), result.dtype, result.shape, result.tolist()
    return type(result), repr(result)


@pytest.mark.parametrize("name", CALLS)
def test_written_calls_give_what_the_general_way_gives(name, only_fast):
    every, args, kwargs = kernels(name)
    every = every if name in FORMS else every[2:]
    expected = [typed(kernel._by_any(*args, **kwargs)) for kernel in every]
    f = gdc.compile(CALLS[name][0], roll=False, check_domain=True)
    value, gradient = f.value_and_grad(*args, **kwargs)  # by the interpreter
    for kernel in every:
        kernel(*args, **kwargs)
    if not name.startswith(("defaults", "the second", "keyword-only")):  # a default is not given
        only_fast()
    assert [typed(kernel(*args, **kwargs)) for kernel in every] == expected
    found, slopes = every[-1](*args, **kwargs)
    assert found == pytest.approx(value, rel=1e-13)
    assert flatten(slopes)[0] == pytest.approx(flatten(gradient)[0], rel=1e-12)
    assert slopes._fields == gradient._fields
    assert [flatten(x)[1] for x in slopes] == [flatten(x)[1] for x in gradient]


@pytest.mark.parametrize("name", CALLS)
def test_wrong_calls_are_told_as_in_general(name):
    every, args, kwargs = kernels(name)
    kernel = every[2]
    kernel(*args, **kwargs)
    wrong = [
        ((*args, *MANY), {}),
        ((), {}),
        (args[:-1], {}),
        (args, {**kwargs, "unknown": 1.0}),
        *((replaced(args, k, x), kwargs) for k in range(len(args)) for x in BAD_ARGUMENTS),
    ]

    def told(call):
        """A written call does not know which of its arguments were given by name."""
        result = outcome(call)
        if not isinstance(result, tuple) or not kwargs:
            return result
        error, message, notes = result
        return error, message.partition(" (given: ")[0], notes

    for given, named in wrong:
        expected = told(lambda given=given, named=named: kernel._by_any(*given, **named))
        for _ in range(2):
            assert told(lambda given=given, named=named: kernel(*given, **named)) == expected
    assert typed(kernel(*args, **kwargs)) == typed(kernel._by_any(*args, **kwargs))


BAD_ARGUMENTS = [
    None, "text", b"1", 1j, True, np.True_, object(), {1.0}, [None], ["a"], [1.0, 1j], [True, 1.0],
    np.array(["a"]), np.array([1j, 2.0]), np.array([True]), [[1.0], 2.0], {}, {"w": 1.0},
]  # fmt: skip


def replaced(args, place, argument):
    return (*args[:place], argument, *args[place + 1 :])


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((1.0,), {}, "missing a required argument: 'b' (given: 1 positional)"),
        ((1.0, 2.0, 3.0), {}, "too many positional arguments (given: 3 positional)"),
        ((1.0, 2.0), {"c": 1.0},
         "got an unexpected keyword argument 'c' (given: 2 positional and ['c'])"),
    ],
)  # fmt: skip
def test_what_wrong_calls_are_told(args, kwargs, message):
    f = gdc.compile(by_numbers)
    f(1.0, 2.0)
    for _ in range(2):
        with pytest.raises(TypeError) as caught:
            f.value(*args, **kwargs)
        assert str(caught.value) == f"by_numbers(a, b): {message}"
        # That one is Python's own.
        with pytest.raises(TypeError, match=r"^by_numbers.value\(\) got multiple values .* 'a'$"):
            f.value(1.0, a=1.0)


@pytest.mark.parametrize("kind", [int, np.float32, np.float64, np.int64, np.array])
@pytest.mark.parametrize(
    "name",
    slow_but(
        ["numbers", "a list"], ["numbers", "a list", "a dict", "namedtuples", "merged numbers"]
    ),
)
def test_numbers_of_other_kinds(name, kind):
    every, args, _ = kernels(name)

    def changed(x):
        if isinstance(x, float):
            return kind(4.0 * x)
        if isinstance(x, dict):
            return {key: changed(part) for key, part in x.items()}
        return type(x)(*map(changed, x)) if isinstance(x, Point) else type(x)(map(changed, x))

    for kernel in every:
        kernel(*args)
        given = tuple(map(changed, args))
        assert typed(kernel(*given)) == typed(kernel._by_any(*given))
        assert typed(kernel(*args)) == typed(kernel._by_any(*args))


def test_numbers_of_numpy_stay_in_the_fast_way_inside_of_lists(only_fast):
    f = gdc.compile(of_list)
    expected = f([0.5, 2.0], 1.0)
    only_fast()
    assert f([np.float64(0.5), 2.0], 1.0) == expected


@pytest.mark.parametrize(
    ("count", "limit"), slow_but([(1, 8), (3, 2)], [(3, 2), *((n, 8) for n in (1, 3, 8, 9, 11))])
)
def test_structures_in_turns(count, limit, monkeypatch):
    monkeypatch.setattr(kernel_module, "MAX_WRITTEN", limit)
    f = gdc.compile(of_list, roll=False)
    for _ in range(3):
        for n in range(1, count + 1):
            w = [0.5 / k for k in range(1, n + 1)]
            for given in (w, np.array(w), tuple(w)):
                value, gradient = f.value_and_grad(given, 2.0)
                assert value == pytest.approx(np.tanh(np.dot(w, w)) + 2.0, rel=1e-12)
                slope = 2.0 / np.cosh(np.dot(w, w)) ** 2
                assert type(gradient.w) is type(given)
                assert list(gradient.w) == pytest.approx([slope * x for x in w], rel=1e-12)
    assert f.value_and_grad._written <= limit


def test_what_is_given_is_left_alone_and_what_is_returned_is_new():
    f = gdc.compile(of_list)
    w = np.array([0.5, 0.25])
    first = f.value_and_grad(w, 1.0)[1].w
    kept = first.copy()
    second = f.value_and_grad(2.0 * w, 1.0)[1].w
    assert (first == kept).all()
    assert not np.shares_memory(first, second)
    first[:] = 7.0
    assert w.tolist() == [0.5, 0.25]


def test_a_gradient_that_is_an_argument_is_a_copy():
    f = gdc.compile(lambda x, y: gdc.dot(x, y))
    x, y = np.arange(3.0), np.ones(3)
    gradient = f.grad(x, y)
    assert not np.shares_memory(gradient.x, y)
    gradient.x[:] = 9.0
    assert y.tolist() == [1.0] * 3


# --- graphs --------------------------------------------------------------------------------------


def graph():
    w, b = [Value(0.5 * k) for k in range(1, 4)], Value(1.0)
    return gdc.compile(sum(x * x for x in w) * b, inputs={"w": w, "b": b}, name="graph")


@pytest.mark.parametrize("form", [list, tuple, np.array])
def test_a_graph_takes_any_sequence_and_gives_it_back(form):
    f = graph()
    for _ in range(2):
        for given in (form([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]):
            value, gradient = f.value_and_grad(given, 0.5)
            assert value == 7.0
            assert type(gradient.w) is type(given)
            assert list(gradient.w) == [1.0, 2.0, 3.0]
            assert gradient.b == 14.0


def test_a_graph_of_a_matrix_takes_an_array():
    rows = [[Value(1.0) for _ in range(3)] for _ in range(2)]
    f = gdc.compile(sum(x * x * (k + 1) for k, x in enumerate(itertools.chain(*rows))), {"m": rows})
    m = np.arange(6.0).reshape(2, 3)
    value, gradient = f.value_and_grad(m)
    assert value == sum((k + 1) * k * k for k in range(6))
    assert gradient.m.tolist() == [[0.0, 4.0, 12.0], [24.0, 40.0, 60.0]]
    assert f.value_and_grad(m.tolist()) == (value, (gradient.m.tolist(),))
    assert f.value_and_grad(m)[1].m.tolist() == gradient.m.tolist()


@pytest.mark.parametrize(
    "given", [np.ones(2), np.ones((3, 1)), [1.0, 2.0], 1.0, {"a": 1.0}, np.ones((1, 3))]
)
def test_a_graph_refuses_another_shape(given):
    f = graph()
    f(np.ones(3), 1.0)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^graph: argument 'w': expected .*, got "):
            f.value_and_grad(given, 1.0)


def integers(v):
    return [np.array(v[0], int), np.array(v[1], np.float32)]


MATRICES = {
    "array": lambda v: np.array(v),
    "lists": lambda v: v,
    "tuples": lambda v: tuple(map(tuple, v)),
    "list of arrays": lambda v: [np.array(row) for row in v],
    "array and tuple": lambda v: (np.array(v[0]), tuple(v[1])),
    "list and array": lambda v: [v[0], np.array(v[1])],
    "integers and float32": integers,
    "point": lambda v: [Point(*v[0]), np.array(v[1])],
}


@pytest.mark.parametrize("named", ["array", "lists", "list of arrays", "list and array"])
def test_a_graph_of_a_matrix_takes_it_in_parts_of_any_kind(named):
    leaves = [[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]]
    (a, b), (c, d) = leaves
    f = gdc.compile((a * c + b * d) ** 2, inputs={"m": MATRICES[named](leaves)}, cache=False)
    for form in [*MATRICES.values()] * 2:
        value, (gradient,) = f.value_and_grad(form([[0.0, 1.0], [2.0, 3.0]]))
        assert value == f(form([[0.0, 1.0], [2.0, 3.0]])) == 9.0
        slopes = [[12.0, 18.0], [0.0, 6.0]]
        floats = [np.array(row) for row in slopes] if form is integers else form(slopes)
        assert typed(gradient) == typed(floats)


def named_dict():
    w, m, b = [Value(1.0), Value(2.0)], np.array([[Value(3.0)], [Value(4.0)]]), Value(5.0)
    total = w[0] * w[1] * b + m[0, 0] * m[1, 0]
    return gdc.compile(total, inputs={"p": {"w": w, "deep": [{"m": m}], "b": b}}, name="f")


def test_parts_of_dicts_are_converted_for_a_graph():
    f = named_dict()
    for w, m in itertools.product((list, tuple, np.array), (list, np.array)):
        given = {"w": w([2.0, 3.0]), "deep": ({"m": m([[6.0], [7.0]])},), "b": 4}
        for _ in range(2):
            value, (gradient,) = f.value_and_grad(given)
            assert value == f(given) == 66.0
            expected = {"w": w([12.0, 8.0]), "deep": ({"m": m([[7.0], [6.0]])},), "b": 6.0}
            assert typed(gradient) == typed(expected)
    assert check_grad(f, {"w": np.ones(2), "deep": [{"m": np.ones((2, 1))}], "b": 1.0}).ok


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"w": np.ones(3)},
            "expected p['w'] to be a list of length 2, each a number, got an array of shape (3,)",
        ),
        (
            {"deep": [{"m": [[1.0]]}]},
            "expected p['deep'][0]['m'] to be an array of shape (2, 1), got a list of length 1, "
            "each a list of length 1, each a number",
        ),
        (
            {"deep": [{"m": [1.0, np.ones(1)]}]},
            "expected p['deep'][0]['m'][0] to be an array of shape (1,), got a number",
        ),
        (
            {"deep": []},
            "expected p['deep'] to be a list of length 1, each a dict with keys ['m'], "
            "got a list of length 0",
        ),
        ({"b": np.ones(1)}, "expected p['b'] to be a number, got an array of shape (1,)"),
        (
            {"c": 1.0},
            "expected a dict with keys ['w', 'deep', 'b'], got a dict with keys "
            "['w', 'deep', 'b', 'c']",
        ),
    ],
)
def test_a_graph_names_the_part_that_has_another_shape(changed, message):
    f = named_dict()
    given = {"w": [1.0, 2.0], "deep": [{"m": np.ones((2, 1))}], "b": 1.0}
    f.value_and_grad(given)
    whole = f"f: argument 'p': {message}"
    for _ in range(2):
        with pytest.raises(ValueError, match=f"^{re.escape(whole)}$"):
            f.value_and_grad({**given, **changed})


def stacked(part):
    """Results for each row as one array, with the axis of the rows first."""
    if isinstance(part, np.ndarray):
        return part
    return np.stack([stacked(x) for x in part], axis=1)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_slopes_for_each_row_come_back_in_the_form_that_was_given(count):
    leaves, x = [[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]], Value(1.0)
    (a, b), (c, d) = leaves
    total = (a * c + b * d) * x
    rows = np.arange(1.0, count + 1)
    slopes = [[1.0, 3.0], [0.0, 1.0]]
    for named, form in itertools.product(("array", "lists"), MATRICES.values()):
        inputs = {"m": MATRICES[named](leaves), "x": x}
        f = gdc.compile(total, inputs=inputs, batched="x", reduce=None, wrt="m", name="rows")
        _, (gradient,) = f.value_and_grad(form([[0.0, 1.0], [1.0, 3.0]]), rows)
        assert type(gradient) is type(form(slopes))
        if type(gradient) is not np.ndarray:
            assert list(map(type, gradient)) == list(map(type, form(slopes)))
        assert stacked(gradient).tolist() == (rows[:, None, None] * slopes).tolist()


# --- machine code for other machine code ---------------------------------------------------------


def test_njit_inside_of_other_machine_code():
    f = gdc.compile(lambda x1, x2, w1, w2, b: gdc.tanh(x1 * w1 + x2 * w2 + b), name="neuron")
    at = (0.5, 2.0, -1.0, 0.25, 0.125)
    expected, gradient = f.value_and_grad(*at)
    neuron = f.value_and_grad.njit

    @numba.njit
    def step(x1, x2, w1, w2, b, rate):
        value, (_, _, w1_bar, w2_bar, b_bar) = neuron(x1, x2, w1, w2, b)
        return value, w1 - rate * w1_bar, w2 - rate * w2_bar, b - rate * b_bar

    moved = [p - 0.5 * slope for p, slope in zip(at[2:], gradient[2:], strict=True)]
    assert step(*at, 0.5) == pytest.approx((expected, *moved), rel=1e-13)
    assert neuron(*at) == (expected, tuple(gradient))
    assert f.value.njit(*at) == expected
    assert f.grad.njit(*at) == tuple(gradient)


def test_njit_of_arrays_with_captured_data():
    table = [0.1 * k for k in range(40)]

    def f(w, m):
        return sum(c * gdc.tanh(c * w[k] + m[0, 1]) for k, c in enumerate(table))

    compiled = gdc.compile(f, roll=True)
    w, m = np.linspace(-1.0, 1.0, 40), np.arange(4.0).reshape(2, 2)
    value, gradient = compiled.value_and_grad(w, m)
    function = compiled.value_and_grad.njit
    assert compiled.value_and_grad._build().target.constants

    @numba.njit
    def descend(w, m):
        total = 0.0
        for _ in range(3):
            value, (w_bar, m_bar) = function(w, m)
            total += value
            w, m = w - 0.1 * w_bar, m - 0.1 * m_bar
        return total

    found, (w_bar, m_bar) = function(w, m)
    assert found == value
    assert (w_bar.tolist(), m_bar.tolist()) == (gradient.w.tolist(), gradient.m.tolist())
    total = 0.0
    for _ in range(3):
        value, gradient = compiled.value_and_grad(w, m)
        total += value
        w, m = w - 0.1 * gradient.w, m - 0.1 * gradient.m
    assert descend(np.linspace(-1.0, 1.0, 40), np.arange(4.0).reshape(2, 2)) == pytest.approx(total)


def test_njit_of_rows():
    value, gradient = loss.value_and_grad(P, X, Y)
    found, (p_bar,) = loss.value_and_grad.njit(P, X, Y)
    assert found == value
    assert p_bar.tolist() == gradient.p.tolist()


@pytest.mark.slow
def test_other_machine_code_can_call_what_a_dropped_kernel_had_as_well():
    first, second = compiled(), compiled()
    for f in (first, second):
        f.value_and_grad(P, X, Y)
    machine = first.value_and_grad._build().machine
    assert second.value_and_grad._build().machine is machine
    dropped = weakref.ref(second.value_and_grad)
    del f, second
    gc.collect()
    assert dropped() is None
    flat, _ = first.value_and_grad.dispatcher(P, (X, Y[:, None]))
    assert flat == first.value_and_grad(P, X, Y)[0]


def test_dispatchers_refuse_arrays_of_another_length():
    f = gdc.compile(of_arrays)
    f.value_and_grad((np.arange(3.0), {"y": np.ones(3)}), 2.0)
    dispatcher = f.value_and_grad.dispatcher
    dispatcher(np.ones(7))
    for count in (0, 6, 8):
        with pytest.raises(ValueError, match=r"^expected an array of 7 numbers$"):
            dispatcher(np.ones(count))
    loss.value_and_grad(P, X, Y)
    with pytest.raises(ValueError, match=r"^expected an array of 3 numbers$"):
        loss.value_and_grad.dispatcher(np.ones(4), (X, Y[:, None]))
    for rows in ((X[:, :1], Y[:, None]), (X, Y[:0, None]), (X[:3], Y[:, None])):
        with pytest.raises(ValueError, match=r"^expected matrices of as many rows"):
            loss.value_and_grad.dispatcher(P, rows)


# --- out -----------------------------------------------------------------------------------------


def test_out_is_what_the_gradient_is_put_into():
    f = gdc.compile(product)
    f.value_and_grad(np.eye(2), np.ones(2))
    vector = np.arange(1.0, 7.0)
    value, expected = f.value_and_grad.flat(vector)
    for _ in range(2):
        out = np.full(6, np.nan)
        assert f.value_and_grad.flat(vector, out=out)[0] == value
        assert f.value_and_grad.flat(vector, out=out)[1] is out
        assert out.tolist() == expected.tolist()
        strided = np.full(12, np.nan)
        assert f.grad.flat(vector, out=strided[::2]).tolist() == expected.tolist()
        assert strided[::2].tolist() == expected.tolist()
        assert np.isnan(strided[1::2]).all()


def test_out_with_rows():
    out = np.full(3, np.nan)
    loss.value_and_grad(P, X, Y)
    value, slopes = loss.value_and_grad.flat(P, x=X, y=Y, out=out)
    assert slopes is out
    assert value == loss(P, X, Y)
    assert out.tolist() == loss.grad(P, X, Y).p.tolist()
    by_row = np.empty((len(X), 3))
    kernel = lines[None].value_and_grad
    kernel(P, X, Y)
    assert kernel.flat(P, x=X, y=Y, out=by_row)[1] is by_row
    assert by_row.tolist() == kernel.flat(P, x=X, y=Y)[1].tolist()


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.empty(5), r"^flat: out: expected an array of shape \(6,\), got \(5,\)$"),
        (np.empty((6, 1)), r"^flat: out: expected an array of shape \(6,\), got \(6, 1\)$"),
        (np.empty(6, np.float32), "^flat: out: expected a float64 array that can be written to"),
        (KINDS["read-only"](np.zeros(6)), "^flat: out: expected a float64 array that can be writ"),
        ([0.0] * 6, "^flat: out: expected a float64 array that can be written to, got list$"),
    ],
)
def test_out_that_the_gradient_cannot_be_put_into(out, message):
    f = gdc.compile(product)
    f.value_and_grad(np.eye(2), np.ones(2))
    with pytest.raises(ValueError, match=message):
        f.value_and_grad.flat(np.ones(6), out=out)


def test_out_of_values():
    pair = gdc.compile(lambda x: [x[0] * x[1], x[0]], name="pair")
    pair([1.0, 2.0])
    out = np.full(2, np.nan)
    assert pair.value.flat([3.0, 2.0], out=out) is out
    assert out.tolist() == [6.0, 3.0]
    lines[None](P, X, Y)
    by_row = np.full(len(X), np.nan)
    assert lines[None].value.flat(P, x=X, y=Y, out=by_row) is by_row
    assert by_row.tolist() == lines[None](P, X, Y).tolist()
    with pytest.raises(
        ValueError, match=r"^flat: out: expected an array of shape \(.*,\), got \(2,"
    ):
        lines[None].value.flat(P, x=X, y=Y, out=out)


@pytest.mark.parametrize("out", [np.empty(1), np.empty(6), [0.0]])
def test_out_of_a_value_that_is_a_number(out):
    f = gdc.compile(product)
    f.value_and_grad(np.eye(2), np.ones(2))
    kind = type(out).__name__
    for _ in range(2):
        with pytest.raises(TypeError, match=f"^flat: out: expected None, .* number, got {kind}$"):
            f.value.flat(np.ones(6), out=out)
        assert f.value.flat(np.ones(6)) == f(np.ones((2, 2)), np.ones(2))
    loss(P, X, Y)
    with pytest.raises(TypeError, match=r"^flat: out: expected None, as the value is a number"):
        loss.value.flat(P, x=X, y=Y, out=out)
