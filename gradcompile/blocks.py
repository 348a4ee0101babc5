"""Batches: what the emitted code of a batched function reads its rows from.

A batched argument is an array, with a row of data in each of its rows. The loops run over some rows
at a time, and read each number of a row at all of them side by side.
"""

from numpy import empty

from gradcompile.support.arrays import FloatArray

ROWS_PER_CACHE_LINE = 8
"""Numbers in a line of the cache, 64 bytes: the widest vectors are read fastest if they are one."""


def columns(rows: FloatArray, start: int, count: int, memory: FloatArray) -> FloatArray:
    """Turn some rows of data: one row for each number that a row of data has.

    The last of several is repeated until they fill a line of the cache, so that loops over the
    columns need no other code for a rest.

    Args:
        rows: an array with a row of data in each row, of one dimension or more.
        start: the first of the rows.
        count: how many, at least one.
        memory: a vector that the result lies in: of as many numbers as it has, or more.

    Example:
        >>> import numpy as np
        >>> columns(np.array([[1.0, 2.0], [3.0, 4.0]]), 0, 2, scratch(2 * 8))[:, :3]
        array([[1., 3., 3.],
               [2., 4., 4.]])
    """
    return COLUMNS[min(rows.ndim, 3)](rows, start, count, memory)


def columns_of_numbers(rows: FloatArray, start: int, count: int, memory: FloatArray) -> FloatArray:
    """Do what `columns` does for an array with one number for each row."""
    width = -(-count // ROWS_PER_CACHE_LINE) * ROWS_PER_CACHE_LINE if count > 1 else 1
    turned = memory[:width].reshape((1, width))
    for i in range(count):
        turned[0, i] = rows[start + i]
    for i in range(count, turned.shape[1]):
        turned[0, i] = rows[start + count - 1]
    return turned


def columns_of_vectors(rows: FloatArray, start: int, count: int, memory: FloatArray) -> FloatArray:
    """Do what `columns` does for a matrix."""
    width = -(-count // ROWS_PER_CACHE_LINE) * ROWS_PER_CACHE_LINE if count > 1 else 1
    turned = memory[: rows.shape[1] * width].reshape((rows.shape[1], width))
    some = rows[start : start + count]
    # As many rows at a time as are known when this is compiled, so that it becomes vector code.
    for first in range(0, count - ROWS_PER_CACHE_LINE + 1, ROWS_PER_CACHE_LINE):
        for column in range(rows.shape[1]):
            for i in range(ROWS_PER_CACHE_LINE):
                turned[column, first + i] = some[first + i, column]
    for column in range(rows.shape[1]):
        for i in range(count // ROWS_PER_CACHE_LINE * ROWS_PER_CACHE_LINE, turned.shape[1]):
            turned[column, i] = some[min(i, count - 1), column]
    return turned


def columns_of_arrays(rows: FloatArray, start: int, count: int, memory: FloatArray) -> FloatArray:
    """Do what `columns` does for an array of more dimensions."""
    width = -(-count // ROWS_PER_CACHE_LINE) * ROWS_PER_CACHE_LINE if count > 1 else 1
    size = rows.size // rows.shape[0]
    turned = memory[: size * width].reshape((size, width))
    for i in range(turned.shape[1]):
        for column, x in enumerate(rows[start + min(i, count - 1)].flat):
            turned[column, i] = x
    return turned


COLUMNS = {1: columns_of_numbers, 2: columns_of_vectors, 3: columns_of_arrays}
"""What `columns` does, by the dimensions of the array; three stand for more."""


def divide(totals: FloatArray, count: int) -> None:
    """Divide all numbers of an array by a number of rows, by one division and products with it.

    Args:
        totals: the array, in which the results are.
        count: by what to divide.

    Example:
        >>> import numpy as np
        >>> totals = np.array([1.0, 6.0])
        >>> divide(totals, 2)
        >>> totals
        array([0.5, 3. ])
    """
    factor = 1.0 / count
    flat = totals.reshape(totals.size)
    for i in range(flat.size):
        flat[i] *= factor


def scratch(*shape: int) -> FloatArray:
    """Make an array for what does not leave the function: nothing is in it yet.

    It begins with a line of the cache. In machine code it lies on the stack, unless it is large.

    Args:
        shape: its extents.

    Example:
        >>> h = scratch(3, 16)
        >>> h.shape, h.ctypes.data % 64
        ((3, 16), 0)
    """
    return on_heap(shape)


def on_heap(shape: tuple[int, ...]) -> FloatArray:
    """Make an array of which nothing is in yet, from the start of a line of the cache."""
    size = 1
    for extent in shape:
        size *= extent
    numbers = empty(size + ROWS_PER_CACHE_LINE - 1)
    first = -(numbers.ctypes.data // 8) % ROWS_PER_CACHE_LINE
    return numbers[first : first + size].reshape(shape)
