"""Plain arguments: what is taken as it is gives what the general way gives, and nothing else is.

Arguments by name always go the general way, and so does `_general_flat`: they tell what is right.
"""

import itertools
import pickle
import threading

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value, jit
from gradcompile.batch import calls
from gradcompile.compiler.fast_path import is_readable_array
from gradcompile.compiler.kernel import Kernel
from tests.batch.test_batch import BAD, KINDS, REDUCTIONS, X, Y

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
    assert outcome(lambda: kernel(*given.values())) == outcome(lambda: kernel(**given))
    vector, *_ = given.values()
    others = dict(list(given.items())[1:])
    found = outcome(lambda: kernel.flat(vector, **others))
    assert found == outcome(lambda: kernel._general_flat(kernel._build(), vector, others))


@pytest.fixture
def only_fast(monkeypatch):
    """From now on the general way is an error."""

    def start():
        for owner in (Kernel, type(loss.value)):
            for name in ("_general_call", "_general_flat"):
                monkeypatch.setattr(owner, name, lambda *_: pytest.fail("not the fast way"))

    return start


def both_ways(kernel, *args):
    return kernel(*args), kernel.flat(args[0], x=args[1], y=args[2])


@pytest.mark.parametrize("kind", KINDS)
def test_what_machine_code_reads_where_it_lies(kind):
    in_place = {
        "Fortran order", "read-only", "every other row", "from the last to the first",
        "every other column", "transposed", "broadcast",
    }  # fmt: skip
    assert is_readable_array(X)
    assert is_readable_array(pickle.loads(pickle.dumps(X)))  # whose dtype is another object
    assert is_readable_array(KINDS[kind](X)) == (kind in in_place)


# --- rows ----------------------------------------------------------------------------------------


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
    for kernel in (f.value, f.grad, f.value_and_grad) if reduce == "sum" else (f.value_and_grad,):
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
    for _ in range(2):
        assert outcome(lambda: flat(P, x=X)) == (TypeError, "line: missing arguments: ['y']", [])
        assert outcome(lambda: flat(P, x=X, z=Y)) == outcome(lambda: flat(P, x=X))
        _, message, _ = outcome(lambda: flat(P, x=X, y=Y, z=Y))
        assert message == "flat: unexpected arguments ['z']"
        _, message, _ = outcome(lambda: loss.value_and_grad(P, X, Y, Y))
        assert message == "line(p, x, y): too many positional arguments (given: 4 positional)"
        assert flat(P, y=Y, x=X)[0] == flat(P, x=X, y=Y)[0]


def test_the_fast_way_is_taken(only_fast):
    both_ways(loss.value_and_grad, P, X, Y)
    only_fast()
    for count in (1, 3, 300):
        x, y = np.resize(X, (count, 2)), np.resize(Y, count)
        for kind in ("read-only", "Fortran order", "every other row", "from the last to the first"):
            args = KINDS["read-only"](P), KINDS[kind](x), KINDS[kind](y)
            (value, gradient), (found, slopes) = both_ways(loss.value_and_grad, *args)
            assert found == value
            assert slopes.tolist() == gradient.p.tolist()
            assert slopes.flags.writeable
            assert gradient.p.flags.writeable


def test_a_read_only_vector_is_no_reason_to_compile():
    for f, others in ((loss, {"x": X, "y": Y}), (gdc.compile(lambda p: p[0] * p[1]), {})):
        kernel = f.value_and_grad
        kernel(P, **others)
        expected, signatures = kernel.flat(P, **others), list(kernel.dispatcher.signatures)
        for kind in ("read-only", "unaligned"):
            found = kernel.flat(KINDS[kind](P), **others)
            assert found[0] == expected[0]
            assert found[1].tolist() == expected[1].tolist()
        assert kernel.dispatcher.signatures == signatures


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


@pytest.mark.parametrize("wrt", [None, ["b", "w"], ["x", "a"], ["y", "x", "w"]])
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_arguments_in_any_order(reduce, wrt, only_fast):
    f = gdc.compile(mixed, batched=("x", "y"), reduce=reduce, wrt=wrt)
    rng = np.random.default_rng(1)
    args = rng.normal(size=(5, 2, 2)), rng.normal(size=(2, 2)), 1.5, Y, np.float64(0.25)
    names = ("x", "w", "a", "y", "b")
    if wrt is not None:  # it is how arguments are read that differs, not the machine code
        f.arguments.read(args, {})
        build = f.value_and_grad._build()
        build.run = lambda *given: build.target.function(*given, *build.target.constants)
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
        with pytest.raises(TypeError, match=r"^flat: expected the arguments \['a', 'b'\], got"):
            f.value_and_grad.flat(w.ravel(), x=x, y=Y, a=1.5)


def test_a_dict_of_arrays_is_looked_through():
    f = gdc.compile(lambda p, row: p[0] * row["a"] * row["b"][0], batched="row", reduce="sum")
    row = {"a": np.ones(3), "b": np.ones((3, 2))}
    for _ in range(2):
        assert f.value_and_grad(P[:1], row)[1].p.tolist() == [3.0]
        assert f.value_and_grad.flat(P[:1], row=row)[1].tolist() == [3.0]


def test_rows_over_threads(monkeypatch):
    monkeypatch.setattr(calls, "MIN_ROWS_OF_A_THREAD", 10)
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
    for kind in ("Fortran order", "read-only", "every other column"):
        assert outcome(lambda kind=kind: f.value_and_grad(*map(KINDS[kind], args))) == expected


def square(x):
    return x * x if np.ndim(x) == 0 else gdc.dot(x, x)


@pytest.mark.parametrize("roll", [False, True])
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
