"""What Python calls: arguments are looked at and borrowed, small results are numpy's own."""

import gc
import sys

import numba
import numpy as np
import pytest
from numba import types
from numba.core.errors import TypingError

from gradcompile.jit import entry
from gradcompile.jit.boxing import MAX_COPIED
from gradcompile.jit.pipelines import pipeline
from gradcompile.jit.wrapper import ROWS, Expected

VECTOR = types.Array(types.float64, 1, "C")
MATRIX = types.Array(types.float64, 2, "C")
ROWS_OF_VECTORS = types.Array(types.float64, 2, "A", readonly=True)
ROWS_OF_NUMBERS = types.Array(types.float64, 1, "A", readonly=True)


def compiled(function, *arguments, **options):
    """A dispatcher; each argument is given as numba's type, and the extents of an array."""
    known = Expected(tuple(extents for _, extents in arguments), "expected other arguments")
    dispatcher = numba.njit(function, pipeline_class=pipeline(False, known), **options)
    dispatcher.compile(tuple(kind for kind, _ in arguments))
    return dispatcher


FIVE, NUMBER = (VECTOR, (5,)), (types.float64, None)


def repeated(x, count):
    n = int(count)
    whole = np.empty(n)
    for i in range(n):
        whole[i] = x[i % len(x)]
    return x[0], (whole, np.full((2, n), 3.0), n)


@pytest.mark.parametrize("n", [1, 7, MAX_COPIED // 2, MAX_COPIED, MAX_COPIED + 1])
def test_arrays_of_any_length_are_returned(n):
    x = np.arange(5.0)
    value, (whole, matrix, count) = compiled(repeated, FIVE, NUMBER)(x, float(n))
    assert (value, count) == (0.0, n)
    np.testing.assert_array_equal(whole, x[np.arange(n) % 5])
    np.testing.assert_array_equal(matrix, np.full((2, n), 3.0))
    assert (whole.dtype, whole.shape, matrix.shape) == (np.float64, (n,), (2, n))
    assert whole.flags.writeable
    assert whole.flags.aligned


@pytest.mark.parametrize("nogil", [False, True])
def test_references_to_arguments_are_given_back(nogil):
    function = compiled(repeated, FIVE, NUMBER, nogil=nogil)
    x = np.arange(5.0)
    function(x, 3.0)
    before = sys.getrefcount(x)
    results = [function(x, n) for n in (3.0, 3000.0) for _ in range(100)]
    assert sys.getrefcount(x) == before
    del results


def test_results_are_freed():
    function = compiled(repeated, FIVE, NUMBER)
    x = np.arange(5.0)
    _, (small, _, _) = function(x, 3.0)
    assert small.base is None  # it owns its memory
    before = len(gc.get_objects())
    for _ in range(100):
        function(x, 3.0)
    assert len(gc.get_objects()) <= before + 5


def test_an_argument_may_be_the_result():
    same = compiled(lambda x: x, (VECTOR, (3,)))
    x = np.arange(3.0)
    y = same(x)
    del x
    np.testing.assert_array_equal(y, [0.0, 1.0, 2.0])


def test_rows_are_read_with_their_strides():
    total = compiled(lambda x: x[0, 1] + x[1, 0], (ROWS_OF_VECTORS, (ROWS, 2)))
    x = np.arange(12.0).reshape(3, 4)
    x.flags.writeable = False
    run = entry(total)
    assert run(x[:, 1:3]) == 2.0 + 5.0
    assert run(x[::2, ::-2]) == 1.0 + 11.0
    assert run(x.T[:, 1:]) == 8.0 + 5.0


def refused():
    x, m = np.ones(2), np.ones((2, 3))
    matrix = np.ones((3, 2))
    yield from (([1.0, 1.0], m, 1.0), (None, m, 1.0), (m, x, 1.0), (x, matrix, 1.0))
    yield from ((np.ones(3), m, 1.0), (np.float64(1.0), m, 1.0), (np.ones(()), m, 1.0))
    yield from ((x.astype(kind), m, 1.0) for kind in (np.float32, np.int64, ">f8", "m8[s]", object))
    yield from ((x, matrix.T, 1.0), (np.ones(4)[::2], m, 1.0), (np.ones((1, 2)), m, 1.0))
    unaligned = np.zeros(17, np.uint8)[1:].view(np.float64)
    yield (unaligned, m, 1.0)
    yield (x.view(type("Other", (np.ndarray,), {})), m, 1.0)
    yield from ((x, m, y) for y in (1, True, None, "1.0", np.float32(1.0), 1j, x))
    yield from ((x, m), (), (x, m, 1.0, 1.0))


def test_what_does_not_fit_is_refused():
    parameters = (VECTOR, (2,)), (MATRIX, (2, 3)), NUMBER
    run = entry(compiled(lambda x, m, y: x[0] + m[1, 2] + y, *parameters))
    for args in refused():
        with pytest.raises(TypeError):
            run(*args)
    x, m = np.ones(2), np.ones((2, 3))
    assert run(x, m, 1.0) == run(x, m, np.float64(1.0)) == 3.0


def test_all_rows_are_as_many():
    rows = (ROWS_OF_VECTORS, (ROWS, 2)), (ROWS_OF_NUMBERS, (ROWS,))
    run = entry(compiled(lambda x, y: x[0, 1] + y[0] + len(x), *rows))
    for n in (1, 7):
        assert run(np.ones((n, 2)), np.ones(n)) == 2.0 + n
        with pytest.raises(TypeError, match="expected other arguments"):
            run(np.ones((n, 2)), np.ones(n + 1))


def test_a_dispatcher_says_what_is_expected():
    total = compiled(lambda x: x[0], FIVE)
    with pytest.raises(TypeError, match="expected other arguments"):
        total(np.ones(4))
    for other in (np.ones((5, 1)), np.ones(5, np.float32), np.ones(5, np.int64), 1.0, 1):
        with pytest.raises(TypingError, match="expected other arguments"):
            total(other)
    square = compiled(lambda x: x * x, NUMBER)
    with pytest.raises(TypingError, match="expected other arguments"):
        square(3 * 10**9)  # as an integer, its square is negative


def test_what_lies_otherwise_is_compiled_for():
    total = compiled(lambda x: x[0] + x[4], FIVE)
    assert total(np.arange(10.0)[::2]) == 8.0
    x = np.arange(5.0)
    x.flags.writeable = False
    assert total(x) == 4.0
    called = numba.njit(lambda x: total(x[:5]) + total(x[::2]))
    assert called(np.arange(9.0)) == 12.0


def test_errors_of_machine_code_are_raised():
    def refuse(x):
        if x[0] > 0.0:
            raise ValueError("too large")
        return x[0]

    run = compiled(refuse, (VECTOR, (1,)), nogil=True)
    with pytest.raises(ValueError, match="too large"):
        run(np.ones(1))
    assert run(np.zeros(1)) == 0.0
