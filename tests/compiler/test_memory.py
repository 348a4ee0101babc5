"""What is dropped is freed: compiling functions for ever does not fill the memory with them."""

import gc
import linecache
import pickle
import sys
import weakref

import numpy as np
import pytest
from numba.core import serialize

import gradcompile as gdc
from gradcompile.compiler import code, machine_code
from gradcompile.support import files
from gradcompile.support.recent import Recent


@pytest.fixture(autouse=True)
def own_caches(monkeypatch):
    """Caches of the test's own, so small that a few functions fill them."""
    monkeypatch.setattr(machine_code, "_kept", Recent(1))
    monkeypatch.setattr(code, "_known", Recent(1))
    gc.collect()
    gc.freeze()  # the tests collect often, and what other tests have left is not theirs
    yield
    gc.unfreeze()


def straight(k, **options):
    return gdc.compile(lambda x: gdc.tanh(x[0] * x[1]) + 0.5 * k, name=f"straight{k}", **options)


def rolled(k, **options):
    def function(x):
        return sum(gdc.tanh(x[i] * (i + 0.25)) for i in range(3 + k))

    return gdc.compile(function, roll=True, name=f"rolled{k}", **options)


def batched(k, **options):
    return gdc.compile(
        lambda p, x: gdc.tanh(p[0] * x) + p[1] * k, batched="x", name=f"batched{k}", **options
    )


ARGUMENTS = {
    straight: lambda k: (np.ones(2),),
    rolled: lambda k: (np.ones(3 + k),),
    batched: lambda k: (np.ones(2), np.ones(3)),
}
"""Ways to make a function, and the arguments of the one of a number."""


def used(make, k, **options):
    """A function that was called and looked at."""
    function, args = make(k, **options), ARGUMENTS[make](k)
    function.value_and_grad(*args)
    function.value_and_grad.flat(args[0], **({"x": args[1]} if len(args) > 1 else {}))
    assert function.value_and_grad.python
    assert function.value_and_grad.program
    return function


def modules():
    """The names that emitted modules have in this process."""
    # The collector does not see what machine code holds: what is called goes after its caller.
    for _ in range(4):  # a kernel, the function on flat arrays, the one of the kernel's text
        gc.collect()
    return {name for name in sys.modules if name.startswith("gradcompile.emitted")}


def lines():
    """The texts in memory that tracebacks show."""
    return {name for name in linecache.cache if name.startswith("<gradcompile")}


@pytest.mark.parametrize(
    ("make", "cache"),
    [(straight, True), (batched, True),
     pytest.param(straight, False, marks=pytest.mark.slow),
     pytest.param(rolled, False, marks=pytest.mark.slow),
     pytest.param(rolled, True, marks=pytest.mark.slow),
     pytest.param(batched, False, marks=pytest.mark.slow)],
)  # fmt: skip
def test_what_is_dropped_is_freed(make, cache):
    before, known_lines = modules(), lines()
    functions = [used(make, k, cache=cache) for k in range(2)]
    alive = [weakref.ref(f.value_and_grad._build().target.function) for f in functions]
    assert len(modules() - before) == 2
    assert len(lines() - known_lines) == (0 if cache else 2)
    if cache:
        assert functions[0].value_and_grad.dispatcher
        assert functions[1].verify().ok
    del functions
    limit = 0 if make is straight else machine_code._kept.limit
    assert len(modules() - before) == limit
    assert sum(reference() is not None for reference in alive) == limit
    assert len(lines() - known_lines) == (0 if cache else limit)
    assert len(machine_code._kept) == limit
    assert len(code._known) == (limit if cache else 0)
    machine_code._kept.clear()
    assert modules() == before
    assert lines() == known_lines


def test_a_dispatcher_alone_is_complete():
    dispatcher = used(straight, 7).value_and_grad.dispatcher
    gc.collect()
    value, _ = dispatcher(np.array([1.0, 2.0]))
    again, _ = dispatcher(np.array([1.0, 0.0, 2.0])[::2])  # compiled now, for another type
    assert value == again == pytest.approx(np.tanh(2.0) + 3.5)


def test_a_dispatcher_can_be_pickled():
    dispatcher = used(straight, 8).value_and_grad.dispatcher
    assert pickle.loads(serialize.dumps(dispatcher)) is dispatcher


@pytest.mark.slow
def test_another_process_can_load_a_pickled_dispatcher(run_python, tmp_path):
    content = serialize.dumps(used(straight, 8).value_and_grad.dispatcher)
    (tmp_path / "dispatcher").write_bytes(content)
    printed = run_python(
        "import pickle, numpy\nfrom pathlib import Path\n"
        f"f = pickle.loads(Path({str(tmp_path / 'dispatcher')!r}).read_bytes())\n"
        "print(f(numpy.array([1.0, 2.0]))[0])"
    )
    assert float(printed) == pytest.approx(np.tanh(2.0) + 4.0)


def test_the_next_graph_of_a_structure_finds_the_machine_code():
    first = used(rolled, 1)
    machine = first.value_and_grad._build().machine
    del first
    gc.collect()
    assert used(rolled, 1).value_and_grad._build().machine is machine


def test_text_that_is_loaded_again_is_one_module():
    text = "def f(inputs):\n    return inputs[0]\n"
    first, second = (files.load(text, "loaded", use_cache=False) for _ in range(2))
    assert first is second
    function, name = first.f, first.__name__
    del first, second
    gc.collect()
    assert files.load(text, "loaded", use_cache=False).f is function
    assert sys.modules[name].__name__ == name
    del function
    assert name not in modules()
    assert files.load(text, "loaded", use_cache=False).f(["again"]) == "again"
