"""A kernel that keeps its last result: called once for the same numbers."""

import numpy as np

from gradcompile.problems.last import Last


def test_the_same_bits_are_computed_once():
    calls = []

    def kernel(x, factor=1.0, shift=0.0):
        calls.append(x.tolist())
        return factor * x.sum() + shift

    last = Last(kernel, {"shift": 0.5})
    assert last([1.0, 2.0]) == last(np.array([1.0, 2.0])) == last((1, 2)) == 3.5
    assert calls == [[1.0, 2.0]]
    assert last([1.0, 2.0], factor=2.0) == 6.5
    assert last([1.0, 3.0], factor=2.0) == 8.5
    assert last([1.0, 2.0]) == 3.5  # the last one alone is kept
    assert len(calls) == 4


def test_zeros_of_both_signs_are_not_the_same():
    last = Last(lambda x: np.copysign(1.0, x[0]), {})
    assert (last([0.0]), last([-0.0])) == (1.0, -1.0)
