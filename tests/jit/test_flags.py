"""Which liberties LLVM has: the order of sums in loops, unless they are strict; nan and inf never.

Each test has the power to fail: the loops are long enough for vector code, and what a wrong flag
would do to them is another number.
"""

import math

import numpy as np
import pytest
from llvmlite import binding as llvm

import gradcompile as gdc
from gradcompile.ir.interpret import interpret
from tests.helpers.slow import slow_but

SIZE = 200
inf, nan = math.inf, math.nan


def multiply_add(a, b, c):
    return [x * y + z for x, y, z in zip(a, b, c, strict=True)]


def inner_product(a, b):
    return [sum((x * y for x, y in zip(a, b, strict=True)), 0.0)]


def choices(a, b):
    larger = [gdc.maximum(x, y) for x, y in zip(a, b, strict=True)]
    is_nan = [gdc.where(gdc.not_equal(x, x), 1.0, 0.0) for x in a]
    is_infinite = [gdc.where(gdc.equal(gdc.abs(x), inf), 1.0, 0.0) for x in b]
    return [*larger, *is_nan, *is_infinite]


def machine_and_interpreter(function, *arrays, **options):
    """What the rolled machine code of a function gives, and what its program does."""
    f = gdc.compile(function, roll=True, name=function.__name__, **options)
    f(*(array.tolist() for array in arrays))
    flat = np.concatenate(arrays)
    assert "for i in range(" in f.value.source
    return np.array(f.value.dispatcher(flat)), np.array(
        interpret(f.value.program, flat.tolist())[0]
    )


@pytest.mark.parametrize("cache", slow_but([True], [True, False]))
def test_strict_loops_round_each_operation_also_after_others_were_compiled(
    cache, monkeypatch, tmp_path
):
    monkeypatch.setenv("GRADCOMPILE_CACHE_DIR", str(tmp_path))
    arrays = np.random.default_rng(0).uniform(-1.0, 1.0, (3, SIZE))
    fast, expected = machine_and_interpreter(multiply_add, *arrays, cache=cache)
    strict, program = machine_and_interpreter(multiply_add, *arrays, cache=cache, strict=True)
    assert len(list(tmp_path.glob("*.py"))) == cache, (
        "both have one text, and one name in the cache"
    )
    assert expected.tolist() == program.tolist() == strict.tolist()
    assert fast == pytest.approx(expected, abs=1e-15)
    if llvm.get_host_cpu_features().get("fma"):
        assert (fast != expected).sum() > SIZE / 20, "the flags make no difference here"


def test_strict_sums_keep_their_order():
    arrays = np.random.default_rng(1).uniform(-1.0, 1.0, (2, SIZE))
    strict, expected = machine_and_interpreter(inner_product, *arrays, cache=False, strict=True)
    fast, _ = machine_and_interpreter(inner_product, *arrays, cache=False)
    assert strict.tolist() == expected.tolist()
    assert fast == pytest.approx(expected, abs=1e-13)
    assert fast.tolist() != expected.tolist(), "the flags make no difference here"


def special_numbers():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1.0, 1.0, (2, 64))
    for array, step, number in ((a, 5, nan), (b, 7, nan), (a, 9, inf), (b, 11, -inf)):
        array[step - 1 :: step] = number
    return a, b


def test_loops_honour_nan_and_inf():
    found, expected = machine_and_interpreter(choices, *special_numbers())
    assert np.array_equal(found, expected, equal_nan=True)
    assert set(found[64:128]) == set(found[128:]) == {0.0, 1.0}
    assert np.isnan(found[:64]).any()


def test_loops_over_rows_honour_nan_and_inf():
    a, b = special_numbers()

    @gdc.compile(batched=("a", "b"), reduce=None)
    def chosen(a, b):
        return gdc.where(gdc.not_equal(a, a), 1.0, 0.0) * 2.0 + gdc.maximum(a, b)

    expected = [float(gdc.maximum(x, y)) + 2.0 * (x != x) for x, y in zip(a, b, strict=True)]
    assert np.array_equal(chosen(a, b), expected, equal_nan=True)

    @gdc.compile(batched=("a", "b"), reduce=None)
    def is_special(a, b):
        return gdc.where(gdc.not_equal(a, a), 1.0, 0.0) + gdc.where(gdc.equal(b, -inf), 2.0, 0.0)

    expected = [(x != x) + 2.0 * (y == -inf) for x, y in zip(a, b, strict=True)]
    assert is_special(a, b).tolist() == expected
