"""Calls of a kernel without rows: the fast one, and when there is none."""

from types import SimpleNamespace

import numpy as np

import gradcompile as gdc
from gradcompile.compiler.calls import PlainCalls
from gradcompile.graph.nested import NUMBER, Structure

ARGUMENTS = {"p": Structure("array", (2,)), "q": NUMBER}
REQUEST = SimpleNamespace(
    slots=range(3),
    traced=SimpleNamespace(arguments=ARGUMENTS, lowered=SimpleNamespace(names=["p0", "p1", "q"])),
)


def test_plain_arguments_are_joined_and_others_are_left_to_the_general_call():
    calls = PlainCalls(REQUEST)
    call = calls.fast_call(np.sum, lambda total: [total], ["p", "q"], [np.ndarray, float])
    assert call((np.array([1.0, 2.0]), 4.0)) == [7.0]
    assert call((np.array([1.0, 2.0, 3.0]), 4.0)) is None
    assert calls.fast_call(np.sum, list, ["p", "q"], [list, float]) is None


def test_flat_takes_a_vector_of_the_right_length_and_nothing_else():
    flat = PlainCalls(REQUEST).fast_flat(np.sum)
    assert flat(np.ones(3), {}) == 3.0
    assert flat(np.ones(4), {}) is None
    assert flat(np.ones(3), {"q": 1.0}) is None


def test_flat_is_called_again_and_again():
    product = gdc.compile(lambda p, q: p * q)
    product.value(1.0, 2.0)
    assert [product.value.flat(np.array([float(k), 2.0])) for k in range(4)] == [0.0, 2.0, 4.0, 6.0]
