"""What Python calls: arguments are borrowed, small results are numpy's own, errors are raised."""

import gc
import sys

import numba
import numpy as np
import pytest
from numba import types

from gradcompile.jit import entry
from gradcompile.jit.boxing import MAX_COPIED
from gradcompile.jit.pipelines import BorrowedArrays

VECTOR = types.Array(types.float64, 1, "C")
ROWS = types.Array(types.float64, 2, "A", readonly=True)


def compiled(function, *kinds, **options):
    dispatcher = numba.njit(function, pipeline_class=BorrowedArrays, **options)
    dispatcher.compile(kinds)
    return dispatcher


def repeated(x, n):
    whole = np.empty(n)
    for i in range(n):
        whole[i] = x[i % len(x)]
    return x[0], (whole, np.full((2, n), 3.0), n)


@pytest.mark.parametrize("n", [1, 7, MAX_COPIED // 2, MAX_COPIED, MAX_COPIED + 1])
def test_arrays_of_any_length_are_returned(n):
    x = np.arange(5.0)
    value, (whole, matrix, count) = compiled(repeated, VECTOR, types.intp)(x, n)
    assert (value, count) == (0.0, n)
    np.testing.assert_array_equal(whole, x[np.arange(n) % 5])
    np.testing.assert_array_equal(matrix, np.full((2, n), 3.0))
    assert (whole.dtype, whole.shape, matrix.shape) == (np.float64, (n,), (2, n))
    assert whole.flags.writeable
    assert whole.flags.aligned


@pytest.mark.parametrize("nogil", [False, True])
def test_references_to_arguments_are_given_back(nogil):
    function = compiled(repeated, VECTOR, types.intp, nogil=nogil)
    x = np.arange(5.0)
    function(x, 3)
    before = sys.getrefcount(x)
    results = [function(x, n) for n in (3, 3000) for _ in range(100)]
    assert sys.getrefcount(x) == before
    del results


def test_results_are_freed():
    function = compiled(repeated, VECTOR, types.intp)
    x = np.arange(5.0)
    _, (small, _, _) = function(x, 3)
    assert small.base is None  # it owns its memory
    before = len(gc.get_objects())
    for _ in range(100):
        function(x, 3)
    assert len(gc.get_objects()) <= before + 5


def test_an_argument_may_be_the_result():
    same = compiled(lambda x: x, VECTOR)
    x = np.arange(3.0)
    y = same(x)
    del x
    np.testing.assert_array_equal(y, [0.0, 1.0, 2.0])


def test_arrays_are_read_with_their_strides():
    total = compiled(lambda x: x[0, 1] + x[1, 0], ROWS)
    x = np.arange(12.0).reshape(3, 4)
    assert total(x) == 5.0
    x.flags.writeable = False
    assert entry(total)(x.T) == 5.0
    assert total(x[::2, ::-2]) == 1.0 + 11.0


def test_what_is_not_of_the_type_is_refused():
    run = entry(compiled(lambda x, y: x[0] + y, VECTOR, types.float64))
    x = np.ones(2)
    assert run(x, 1.0) == 2.0
    for args in (([1.0], 1.0), (None, 1.0), (np.ones(2, np.float32), 1.0), (x, "one"), (x,), ()):
        with pytest.raises((TypeError, ValueError)):
            run(*args)


def test_errors_of_machine_code_are_raised():
    def refuse(x):
        if x[0] > 0.0:
            raise ValueError("too large")
        return x[0]

    run = compiled(refuse, VECTOR, nogil=True)
    with pytest.raises(ValueError, match="too large"):
        run(np.ones(1))
    assert run(np.zeros(1)) == 0.0
