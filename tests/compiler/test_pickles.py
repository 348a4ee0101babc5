"""Copies and pickles of compiled functions, kernels and gradients; other processes."""

import copy
import functools
import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import joblib
import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import TraceError, Value
from gradcompile.compiler import pickles
from gradcompile.compiler.pickles import Programs
from tests.helpers.slow import slow_but


@gdc.compile
def decorated(x, n=2):
    return x**n


def plain(x, y):
    return x * y


def apply(x, op):
    return op(x)


@gdc.compile(batched="x")
def rows(p, x):
    return p * x


class Nested:
    @staticmethod
    @gdc.compile
    def scale(x):
        return 3 * x


def again(x):
    return pickle.loads(pickle.dumps(x))


@pytest.fixture
def without_cloudpickle(monkeypatch):
    """Functions are not pickled by value."""
    for name in ("cloudpickle", "joblib.externals.cloudpickle"):
        monkeypatch.delitem(sys.modules, name, raising=False)


# --- gradients -----------------------------------------------------------------------------------


def test_gradients():
    gradient = decorated.grad(3.0)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        made = pickle.loads(pickle.dumps(gradient, protocol))
        assert made == gradient
        assert type(made) is type(gradient)
    assert copy.copy(gradient) == copy.deepcopy(gradient) == gradient
    assert gdc.compile(lambda _a, __b: _a * __b)(1.0, 2.0) == 2.0
    private = gdc.compile(lambda _a, b: _a * b).grad(1.0, 2.0)
    assert again(private)._asdict() == private._asdict()


def test_gradients_with_arrays_and_records():
    gradient = gdc.compile(lambda w: w["a"] @ w["a"]).grad({"a": np.arange(3.0)})
    np.testing.assert_array_equal(again(gradient).w["a"], [0.0, 2.0, 4.0])
    np.testing.assert_array_equal(copy.deepcopy(gradient).w["a"], [0.0, 2.0, 4.0])


# --- by reference --------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [decorated, rows, Nested.scale])
def test_a_function_of_a_module_is_pickled_by_reference(function):
    assert again(function) is function
    assert again(function.value_and_grad) is function.value_and_grad
    assert len(pickle.dumps(function)) < 400


def test_a_function_that_the_module_does_not_have_any_more(monkeypatch):
    text = pickle.dumps(decorated)
    monkeypatch.delattr(sys.modules[__name__], "decorated")
    with pytest.raises(ImportError, match=r"refers to 'decorated' of the module .*no compiled"):
        pickle.loads(text)


# --- by what was compiled ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "options", "args"),
    [
        (plain, {}, (2.0, 3.0)),
        (plain, {"wrt": "x", "name": "g", "roll": False}, (2.0, 3.0)),
        (plain, {"batched": "y"}, (2.0, np.arange(4.0))),
        (functools.partial(plain, y=4.0), {}, (2.0,)),
        (np.hypot, {}, (3.0, 4.0)),
        (apply, {}, (3.0, np.tanh)),
    ],
)
def test_what_was_compiled_is_pickled_if_it_can_be(target, options, args):
    f = gdc.compile(target, **options)
    made = again(f)
    assert made.value_and_grad(*args) == f.value_and_grad(*args)
    assert again(f.grad)(*args) == f.grad(*args)
    assert again(f.value)(*args) == f(*args)
    assert made.options == f.options
    assert made.name == f.name


# --- by programs ---------------------------------------------------------------------------------


def test_a_function_in_no_module_is_pickled_by_its_programs(without_cloudpickle):
    def f(x, k=3, d=object()):  # noqa: B008
        return k * (sum(part * part for part in x) if isinstance(x, list) else x * x)

    f = gdc.compile(f)
    f(2.0)
    f([1.0, 2.0])
    made = again(again(f))
    assert made.value_and_grad(2.0) == (12.0, (12.0,))
    assert made.grad([1.0, 2.0]) == ([6.0, 12.0],)
    assert made.value_and_grad.source == f.value_and_grad.source
    assert repr(made).startswith("<CompiledFunction f(x, k=3")
    assert again(f.grad)(5.0) == (30.0,)
    assert made.verify().ok
    for args in ((2.0, 4), ([1.0],), (np.ones(2),)):
        with pytest.raises(TraceError, match="f comes from a pickle that holds its programs alone"):
            made(*args)


def test_programs_of_static_arguments_and_records(without_cloudpickle):
    offset = 5.0
    f = gdc.compile(lambda p, mode: (p["a"] if mode == "a" else p["b"][1]) * offset)
    given = {"a": 1.0, "b": (2.0, 3.0), "note": "text"}
    f(given, "a")
    f(given, "b")
    made = again(f)
    assert made(given, "a") == 5.0
    assert made.grad(given, "b").p == {"a": 0.0, "b": (0.0, 5.0), "note": "text"}
    with pytest.raises(TraceError):
        made(given, "c")


def test_programs_of_rows(without_cloudpickle):
    f = gdc.compile(lambda p, x: gdc.tanh(p * x), batched="x", reduce="sum")
    f(1.0, np.ones(3))
    assert again(f).value_and_grad(2.0, np.ones(5)) == f.value_and_grad(2.0, np.ones(5))


@pytest.mark.parametrize("options", [{}, {"batched": "b"}, {"wrt": "b"}])
def test_graphs_are_pickled_as_programs(options):
    a, b = Value(2.0, label="a"), Value(3.0, label="b")
    f = gdc.compile(a * b + a, **options)
    args = (4.0, np.ones(3) if "batched" in options else 5.0)
    made = again(again(f))
    assert made.value_and_grad(*args) == f.value_and_grad(*args)
    assert made.arguments.function is None


def test_large_programs_roll_again(without_cloudpickle):
    data = np.random.default_rng(0).normal(size=(60, 4))
    f = gdc.compile(lambda w: gdc.mean([gdc.tanh(gdc.dot(w, row)) ** 2 for row in data]))
    w = np.array([0.1, 0.2, 0.3, 0.4])
    value, gradient = f.value_and_grad(w)
    text = pickle.dumps(f)
    assert len(text) < 200_000
    other, slopes = pickle.loads(text).value_and_grad(w)
    assert other == value
    np.testing.assert_array_equal(slopes.w, gradient.w)


def test_a_damaged_pickle_is_refused(without_cloudpickle):
    f = gdc.compile(lambda x: x * x)
    f(2.0)
    source = pickles.source_of(f.arguments)
    assert isinstance(source, Programs)
    for place in (0, len(source.content) // 2, len(source.content) - 1):
        damaged = bytearray(source.content)
        damaged[place] ^= 1
        with pytest.raises(ValueError, match="the pickle of f is damaged: its digest is another"):
            replace(source, content=bytes(damaged)).arguments()


def test_programs_that_cannot_be_pickled(without_cloudpickle):
    f = gdc.compile(lambda x, op: op(x), name="f")
    f(1.0, lambda x: x * x)
    with pytest.raises(pickle.PicklingError, match="f is in no module, so its programs are"):
        pickle.dumps(f)


def test_where_cloudpickle_is_loaded_functions_go_by_value():
    pytest.importorskip("cloudpickle")
    k = 3.0
    f = gdc.compile(lambda x: k * x)
    assert again(f).value_and_grad(2.0) == (6.0, (3.0,))


# --- copies --------------------------------------------------------------------------------------


def test_copies_of_functions_and_kernels_work():
    f = gdc.compile(lambda x: x * x)
    for made in (copy.copy(f), copy.deepcopy(f)):
        assert made(3.0) == 9.0
        assert made.grad(3.0) == (6.0,)
    holder = copy.deepcopy({"f": f, "grad": f.grad, "x": [1.0]})
    assert holder["f"](3.0) == 9.0
    assert holder["grad"](3.0) == (6.0,)
    x = Value(2.0, label="x")
    assert copy.deepcopy(gdc.compile(x * x))(3.0) == 9.0


def test_a_copy_of_an_object_that_compiled_its_own_method():
    class Model:
        def __init__(self):
            self.k = 2.0
            self.f = gdc.compile(self.loss)
            self.grad = self.f.grad

        def loss(self, x):
            return self.k * x

    model = Model()
    other = copy.deepcopy(model)
    other.k = 9.0
    assert [m.f(1.0) for m in (model, other)] == [2.0, 9.0]
    assert other.grad(1.0) == (9.0,)


# --- processes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", slow_but(["fork"], ["fork", "spawn"]))
def test_process_pools(method):
    assert decorated.grad(1.0) == (2.0,)  # a process that forks was used before
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert list(pool.map(decorated.grad, [1.0, 2.0, 3.0])) == [(2.0,), (4.0,), (6.0,)]
    with context.Pool(1) as pool:
        f = gdc.compile(plain)
        assert pool.starmap(f.value_and_grad, [(2.0, 3.0)]) == [(6.0, (3.0, 2.0))]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_after_use():
    f = gdc.compile(lambda p, x: p * x, batched="x", parallel=2, reduce="sum")
    assert f(2.0, np.ones(10)) == 20.0
    process = os.fork()
    if not process:
        right = f.grad(2.0, np.ones(20_000)) == (20_000.0,) and decorated(3.0) == 9.0
        os._exit(0 if right else 1)
    assert os.waitpid(process, 0)[1] == 0


@pytest.mark.slow
def test_joblib():
    k = 3.0
    f = gdc.compile(lambda x: k * x)
    run = joblib.Parallel(n_jobs=2)
    assert run(joblib.delayed(f.grad)(x) for x in (1.0, 2.0)) == [(3.0,), (3.0,)]
    assert run(joblib.delayed(decorated)(x) for x in (1.0, 2.0)) == [1.0, 4.0]


SCRIPT = """
import pickle, sys
import gradcompile as gdc

@gdc.compile
def f(x):
    return 7 * x

f(1.0)
sys.stdout.buffer.write(pickle.dumps([f, f.grad]))
"""


def test_a_function_of_a_script_is_loaded_elsewhere():
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True)
    f, grad = pickle.loads(run.stdout)
    assert f(2.0) == 14.0
    assert grad(2.0) == (7.0,)
