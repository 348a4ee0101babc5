"""Threads that compile at the same time do not disturb each other."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import jit
from gradcompile.compiler import machine_code
from tests.helpers.flat import python_of
from tests.helpers.slow import slow_but

THREADS = 8


@pytest.fixture(autouse=True)
def frequent_switches():
    """Threads take turns much more often than usual."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def at_once(work, count=THREADS):
    """What `work(k)` gives in threads that start together."""
    barrier = threading.Barrier(count)

    def run(k):
        barrier.wait()
        return work(k)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.fixture
def compilations(monkeypatch):
    """The names of the functions that became machine code."""
    names, jit_of_numba = [], jit.jit

    def counted(function, *args, **kwargs):
        names.append(function.__name__)
        return jit_of_numba(function, *args, **kwargs)

    monkeypatch.setattr(jit, "jit", counted)
    return names


@pytest.mark.parametrize("roll", slow_but([True], [False, True]))
def test_a_kernel_is_compiled_once(roll, compilations):
    def once(x):
        return sum(gdc.tanh(x[i] * 0.75) for i in range(9))

    f = gdc.compile(once, roll=roll, cache=False)
    results = at_once(lambda _: f.value_and_grad(np.ones(9)))
    assert {value for value, _ in results} == {f(np.ones(9))}
    assert compilations == ["once_value_and_grad", "once"]
    assert len(f.arguments.traces) == len(f.value_and_grad._builds) == 1


def test_a_batched_kernel_is_compiled_once(compilations):
    f = gdc.compile(lambda p, x: gdc.tanh(p * x), batched="x", cache=False, name="rows")
    x = np.arange(4.0)
    results = at_once(lambda k: f.value_and_grad(2.0, x) if k % 2 else f.value_and_grad(p=2.0, x=x))
    assert [value for value, _ in results] == [pytest.approx(np.tanh(2.0 * x).mean())] * THREADS
    assert compilations == ["rows_value_and_grad"]


def test_what_it_shows_is_the_same_object():
    f = gdc.compile(lambda x, y: gdc.exp(x) * y, cache=False)
    build = f.value_and_grad._build()
    for look in (lambda _: build.program, lambda _: build.code, lambda _: build.machine):
        assert len({id(found) for found in at_once(look)}) == 1


@pytest.mark.slow
def test_different_functions_at_the_same_time():
    def work(k):
        def different(x):
            return sum(gdc.sin(x[i] * (k + 1.5)) for i in range(3 + k))

        x = np.linspace(0.1, 1.0, 3 + k)
        checked = gdc.compile(different, cache=False, check_domain=k % 2 == 0)
        rolled = gdc.compile(different, cache=False, roll=True)
        rolled.arguments.read((x,), {})
        value, slopes = python_of(rolled.value_and_grad)(x)
        assert value == pytest.approx(np.sin(x * (k + 1.5)).sum(), rel=1e-12)
        assert slopes == pytest.approx((k + 1.5) * np.cos(x * (k + 1.5)), rel=1e-12)
        found, gradient = checked.value_and_grad(x)
        assert found == pytest.approx(value, rel=1e-12)
        assert gradient.x == pytest.approx(slopes, rel=1e-12)
        return rolled.verify().ok

    assert all(at_once(work))


def test_kernels_of_one_structure_at_the_same_time():
    machine_code._kept.clear()

    def work(k):
        f = gdc.compile(lambda x: sum(gdc.tanh(a * a) for a in x), roll=True, name="alike")
        value, _ = f.value_and_grad([0.5] * 10)
        assert value == pytest.approx(10.0 * np.tanh(0.25))
        return f.value_and_grad._build().machine

    machines = at_once(work)
    assert all(machine is machines[0] for machine in machines)


FIRST_CALLS = """
import threading
import gradcompile as gdc

values, barrier = [], threading.Barrier(6)

def work(k):
    f = gdc.compile(lambda x: gdc.tanh(gdc.sin(x) * gdc.erf(x)) + k, cache=False)
    barrier.wait()
    values.append(f(1.0) - k)

threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(values), max(values) - min(values) < 1e-12)
"""


@pytest.mark.slow
def test_the_first_calls_of_a_process(run_python):
    assert run_python(FIRST_CALLS) == "6 True\n"
