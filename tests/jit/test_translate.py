"""Straight-line text as LLVM text: the same bits as numba's own way, for all that text may say."""

import gc
import random
from textwrap import dedent

import numba
import numpy as np
import pytest
from numba.core.runtime import _nrt_python as _nrt
from numba.core.runtime.nrt import rtsys

import gradcompile as gdc
from gradcompile.emit.straight import emit
from gradcompile.ir.signature import Bundle, Signature, flat_signature
from gradcompile.jit import jit, type_of
from gradcompile.jit.instructions import RefusedError
from gradcompile.jit.linked import BUILTINS, StraightSource
from gradcompile.jit.translate import Translation, translate
from gradcompile.ops.table import TABLE
from tests.helpers.engines import Subject, executed, machine, same
from tests.helpers.flat import flat
from tests.helpers.programs import SPECIAL, Recipe, Step, random_points, random_recipe
from tests.helpers.slow import slow_but

FEW = ("pow", "tanh", "maximum", "relu", "logical_and")


def is_translated(source, signature):
    kinds = [type_of(bundle) for bundle in signature.parameters]
    return StraightSource(executed(source), source, signature.parameters).linked(kinds) is not None


def subject_of(name):
    """An operation of all inputs, times another number, with its gradient."""
    arity = TABLE[name].arity
    return Subject(Recipe((Step(name, tuple(range(arity))), Step("mul", (3, 0)))))


def special_points(name):
    """Points that are made of nothing but the numbers that engines differ on."""
    rng = random.Random(name)
    return [tuple(rng.choice(SPECIAL) for _ in range(3)) for _ in range(200)]


def both(programs):
    signature = flat_signature(programs[0])
    assert is_translated(emit(programs[0], signature, "f"), signature)
    return machine(programs), machine(programs, translated=False)


@pytest.mark.parametrize("name", slow_but(FEW, TABLE))
def test_every_operation_gives_the_bits_that_it_gives_by_numba(name):
    ours, numbas = both([subject_of(name).gradient])
    for at in special_points(name):
        assert same(ours([at])[0], numbas([at])[0]), at


@pytest.mark.parametrize("batch", slow_but([0], range(50)))
def test_random_programs_give_the_bits_that_they_give_by_numba(batch):
    rngs = [random.Random(f"translated {batch} {number}") for number in range(40 if batch else 4)]
    subjects = [Subject(random_recipe(rng, 9)) for rng in rngs]
    ours, numbas = both([subject.gradient for subject in subjects])
    for at in zip(*(random_points(rng, 3, 5) for rng in rngs), strict=True):
        for one, other in zip(ours(at), numbas(at), strict=True):
            assert same(one, other)


@pytest.mark.parametrize("limit", slow_but([5], [1, 2, 5]))
def test_parts_give_the_bits_of_one_function(limit):
    rng = random.Random("translated parts")
    for _ in range(2):
        program = Subject(random_recipe(rng, 12)).gradient
        signature = flat_signature(program)
        sources = [emit(program, signature, "f"), emit(program, signature, "f", limit=limit)]
        assert all(is_translated(source, signature) for source in sources)
        whole, parts = (
            jit(executed(source), signature, source=source, use_cache=False) for source in sources
        )
        for at in random_points(rng):
            given = np.array(at)
            assert same(flat(whole(given)), flat(parts(given)))


# --- what is given and returned --------------------------------------------------------------


def compiled(text, signature):
    source = dedent(text)
    assert is_translated(source, signature)
    return jit(executed(source), signature, source=source, use_cache=False)


X = Bundle("x", None, 0)
MATRIX = Bundle("m", (2, 3), 1)


def test_arrays_are_given_and_returned():
    f = compiled(
        """
        from numpy import array, empty, zeros
        def f(x, m):
            found = empty((3, 2))
            nothing = zeros(2)
            listed = x * m[1, 2]
            v = found[2, 1] = m[0, 1] + listed
            found[0, 0] = found[0, 1] = found[1, 0] = found[1, 1] = x
            found[2, 0] = found[2, 1] * 2.0
            return v, (found, array([listed, -0.0, v])), nothing, found
        """,
        Signature((X, MATRIX), (Bundle("v", None, 0),), None),
    )
    m = np.arange(6.0).reshape(2, 3)
    for _ in range(3):
        v, (found, listed), nothing, again = f(2.0, m)
        assert v == 11.0
        assert found.tolist() == again.tolist() == [[2.0, 2.0], [2.0, 2.0], [22.0, 11.0]]
        assert listed.tolist() == [10.0, 0.0, 11.0]
        assert np.signbit(listed[1])
        assert nothing.tolist() == [0.0, 0.0]


def test_what_is_kept_and_too_large_for_the_stack_is_given_back():
    size = 2**15
    f = compiled(
        f"""
        from numpy import empty
        def f_1(x, kept):
            kept[{size - 1}] = x + 1.0
        def f(x):
            kept = empty({size})
            f_1(x, kept)
            return kept[{size - 1}]
        """,
        Signature((X,), (Bundle("v", None, 0),), None),
    )
    _nrt.memsys_enable_stats()
    try:
        before = rtsys.get_allocation_stats()
        assert [f(float(k)) for k in range(100)] == [k + 1.0 for k in range(100)]
        after = rtsys.get_allocation_stats()
    finally:
        _nrt.memsys_disable_stats()
    assert after.alloc - before.alloc == after.free - before.free == 100


def test_a_stretch_is_filled():
    f = compiled(
        """
        from numpy import empty
        def f(x):
            g = empty(5)
            g[0] = g[4] = x
            g[1:4] = 0.0
            return x, (g,)
        """,
        Signature((X,), (Bundle("v", None, 0),), None),
    )
    assert f(3.0)[1][0].tolist() == [3.0, 0.0, 0.0, 0.0, 3.0]


@pytest.mark.parametrize(
    "body",
    [
        "    for k in range(3):\n        x = x + 1.0\n    return x",
        "    return x + 1",
        "    return x % 2.0",
        "    return 1.0 < x < 2.0",
        "    return x > 1.0",
        "    return unknown(x)",
        "    return print(x)",
        "    return other",
        "    return x[0]",
        "    x += 1.0\n    return x",
        "    return (x > 1.0) + 1.0",
        "    g = empty(2)\n    g[2] = x\n    return g",
        "    g = empty(x)\n    return g",
        "    return [x]",
        "    import os\n    return x",
    ],
)
def test_what_the_grammar_has_not_is_refused(body):
    source = f"from numpy import empty\ndef f(x):\n{body}\n"
    signature = Signature((X,), (Bundle("v", None, 0),), None)
    assert not is_translated(source, signature)


def test_a_text_is_translated_line_by_line():
    text = "def f(x):\n    c = x > 0.0\n    return log(x) if c else x\n"
    known = {**BUILTINS, "log": gdc.ieee.log}
    found = translate(text, "f", {"x": None}, known).functions["f"]
    assert "fcmp ogt double" in found
    assert "phi double" in found  # the logarithm is computed where it is asked for
    with pytest.raises(RefusedError, match="parameters"):
        translate(text, "f", {"y": None}, known)


# --- as a part of numba ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tanh", "run", "code_", "größe", "numbers"])
def test_parameters_may_have_any_name(name):
    source = f"def f({name}, b):\n    return {name} * b - 1.0\n"
    signature = Signature((Bundle(name, None, 0), Bundle("b", None, 1)), (X,), None)
    assert is_translated(source, signature)
    assert jit(executed(source), signature, source=source, use_cache=False)(0.5, 3.0) == 0.5


@pytest.mark.parametrize("name", ["tanh", "exp", "sin"])
def test_a_function_may_be_called_like_one_of_c(name):
    source = (
        f"from gradcompile.ieee import {name} as called\ndef {name}(x):\n    return called(x)\n"
    )
    names = {}
    exec(compile(source, "<emitted>", "exec"), names)
    signature = Signature((X,), (Bundle("v", None, 0),), None)
    found = jit(names[name], signature, source=source, use_cache=False)(0.5)
    assert found == getattr(gdc.ieee, name)(0.5)


def test_it_is_called_from_machine_code():
    kernel = gdc.compile(lambda x, y: (x * y).tanh() + y, cache=False).value_and_grad
    inner = kernel.njit

    @numba.njit
    def total(n):
        found = 0.0
        for k in range(n):
            value, (by_x, _) = inner(0.1 * k, 2.0)
            found += value + by_x
        return found

    expected = sum(kernel(0.1 * k, 2.0)[0] + kernel(0.1 * k, 2.0)[1].x for k in range(5))
    assert total(5) == pytest.approx(expected, rel=1e-15)


def test_other_kinds_of_arrays_are_compiled_by_numba():
    kernel = gdc.compile(lambda x: x[0] * x[1], cache=False).value
    inner = numba.njit(lambda f, x: f(x[::2]))
    kernel(np.array([3.0, 5.0]))
    assert inner(kernel.njit, np.array([3.0, 4.0, 5.0])) == 15.0


def test_what_is_dropped_is_freed():
    def count():
        gc.collect()
        return sum(type(x) is Translation for x in gc.get_objects())

    before = count()
    kernel = gdc.compile(lambda x, y: (x * y).sin(), cache=False).value
    kernel(1.0, 2.0)
    del kernel
    assert count() <= before


def test_its_code_can_be_looked_at():
    kernel = gdc.compile(lambda x, y: (x * y).exp(), cache=False).value_and_grad
    kernel(1.0, 2.0)
    assert "fmul double" in kernel.llvm()
    assert "exp" in kernel.asm()
