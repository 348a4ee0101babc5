"""Threads that trace, verify, compile and check domains at once do not disturb each other."""

import math
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import mpmath
import pytest

import gradcompile as gdc

THREADS = 16
OPERATIONS = (gdc.sin, gdc.exp, gdc.tanh, gdc.atan, gdc.sigmoid, gdc.softplus, gdc.erf, gdc.cos)


@pytest.fixture(autouse=True)
def eager_switches():
    """Threads take turns as often as the interpreter lets them."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def function(number):
    """A function of its own for each thread, with a logarithm that can leave its domain."""
    operation, other = OPERATIONS[number % 8], OPERATIONS[(number + 3) % 8]

    def f(x, y):
        for k in range(2 + number % 5):
            x = operation(x + 0.125 * k) - y * number
            y = other(y * 0.5) + gdc.stop_gradient(x) * x
        return gdc.log(x * x - y) + gdc.sqrt(y * y + 1.0)

    return f


def clipped(number):
    """A function with a derivative that sympy does not prove: the digits decide."""
    return lambda x, y: gdc.clip(x, number / 8, y) * gdc.stop_gradient(x * y) + gdc.sin(x / 3)


def traced(number):
    """What a trace gives, and what `check_domain` says."""
    f = gdc.compile(function(number), check_domain=True, cache=False, name=f"f{number}")
    found = []
    for at in ((0.5, -3.0), (0.25, 8.0), (2.0, 1.0)):
        try:
            found.append(repr(f(*at)))
        except FloatingPointError as error:
            found.append(str(error))
    return [f.value.source, str(f.value.program), *found]


def verified(number):
    """What verification finds, as text, as a table, and in sympy's words."""
    f = gdc.compile(clipped(number), cache=False, name=f"g{number}")
    report = f.verify()
    return [str(report), report.table(), *(check.derivative for check in report.statements)]


def compiled(number):
    """What machine code gives."""
    f = gdc.compile(function(number), cache=False, name=f"h{number}")
    return [repr(f.value_and_grad(0.5, -3.0))]


def at_once(work):
    """The results of `work` for each number, each in a thread of its own, started together."""
    barrier = threading.Barrier(THREADS)

    def run(number):
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def everything(number):
    """All of it, each thread beginning with something else."""
    return in_turns(number, [traced, verified, compiled])


def some(number):
    """A share of it: each thread traces, two of them verify, two compile."""
    other = {0: [compiled], 1: [verified]}.get(number % 8, [])
    return in_turns(number, [traced, *other])


def in_turns(number, steps):
    """The results of some steps, of which each thread takes another one first."""
    first = number % len(steps)
    found = {step: step(number) for step in (*steps[first:], *steps[:first])}
    return [found[step] for step in steps]


@pytest.mark.parametrize("work", [some, pytest.param(everything, marks=pytest.mark.slow)])
def test_sixteen_threads_trace_verify_and_compile_as_one_does(work):
    precision = mpmath.mp.prec
    alone = [work(number) for number in range(THREADS)]
    assert any("is nan" in text for found in alone for texts in found for text in texts)
    assert any("confirmed" in texts[0] for found in alone for texts in found)
    assert at_once(work) == alone
    assert mpmath.mp.prec == precision


def test_traces_keep_their_lines_apart():
    alone = [traced(number) for number in range(THREADS)]
    assert at_once(traced) == alone


def test_a_trace_inside_of_another_leaves_its_lines():
    inner = gdc.compile(lambda x: x * x)

    def f(x):
        y = gdc.log(x)
        return y * inner(3.0)

    checked = gdc.compile(f, check_domain=True)
    assert checked(1.0) == 0.0
    with pytest.raises(FloatingPointError, match=r"y = gdc\.log\(x\)"):
        checked(-1.0)


@pytest.mark.slow
def test_verification_does_not_depend_on_the_digits_of_others():
    expected = str(gdc.compile(clipped(1), cache=False).verify())
    stop = threading.Event()

    def disturb():
        while not stop.is_set():
            with mpmath.workdps(7):
                assert math.isclose(mpmath.sqrt(2), 1.414213, rel_tol=1e-5)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        assert str(gdc.compile(clipped(1), cache=False).verify()) == expected
    finally:
        stop.set()
        thread.join()
