"""Scratch memory in machine code: small arrays on the stack, large ones on the heap."""

import numba
import pytest

from gradcompile.blocks import scratch
from gradcompile.jit import register_numba
from gradcompile.jit.scratch import MAX_BYTES_ON_STACK

SMALL, LARGE = 64, MAX_BYTES_ON_STACK // (8 * 240) + 1


def sum_of_views(rows):
    """Write to two views of scratch memory, in a function of two sizes that its text says."""
    register_numba()
    text = f"""
def f(x):
    block = scratch({rows}, 240)
    first = block[0:2]
    last = block[{rows - 1}]
    for i in range(240):
        first[0, i] = x
        first[1, i] = 2.0 * x
        last[i] = i
    return block.shape, first.sum(), last.sum(), block[0].ctypes.data % 64
"""
    names = {"scratch": scratch}
    exec(text, names)
    return numba.njit(names["f"])


@pytest.mark.parametrize("rows", [SMALL, LARGE])
def test_arrays_are_of_the_size_that_was_asked_for(rows):
    f = sum_of_views(rows)
    assert f(0.5) == ((rows, 240), 240 * 1.5, 240 * 239 / 2, 0)


def test_small_arrays_take_nothing_from_the_heap():
    (small,), (large,) = ([*g.inspect_llvm().values()] for g in made(SMALL, LARGE))
    assert "NRT_MemInfo_alloc" not in small
    assert "NRT_MemInfo_alloc" in large


def made(*rows):
    """The functions, compiled."""
    functions = [sum_of_views(count) for count in rows]
    for function in functions:
        function(1.0)
    return functions
