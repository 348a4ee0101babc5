"""Batches: the rows that the emitted code of a batched function reads.

A batched argument is a matrix, a row of data in each of its rows. The loops run over some rows at
a time, and read each number of a row at all of them side by side.
"""

from collections.abc import Sequence

from numpy import empty

from gradcompile.support.arrays import FloatArray

ROWS_TURNED_AT_ONCE = 64
"""So few rows that they are still in the fastest cache when their last column is turned."""

ROWS_PER_CACHE_LINE = 8
"""Numbers in a line of the cache, 64 bytes: the widest vectors are read fastest if they are one."""


def columns(batches: Sequence[FloatArray], start: int, count: int) -> FloatArray:
    """Turn some rows of all matrices: one row for each of their columns.

    The last of them is repeated until they fill a line of the cache, so that loops over the columns
    need no other code for a rest.

    Args:
        batches: matrices with equally many rows.
        start: the first of the rows.
        count: how many, at least one.

    Example:
        >>> import numpy as np
        >>> columns((np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0], [6.0]])), 0, 2)[:, :3]
        array([[1., 3., 3.],
               [2., 4., 4.],
               [5., 6., 6.]])
    """
    width = 0
    for batch in batches:
        width += batch.shape[1]
    turned = empty(
        (width, (count + ROWS_PER_CACHE_LINE - 1) // ROWS_PER_CACHE_LINE * ROWS_PER_CACHE_LINE)
    )
    row = 0
    for batch in batches:
        for first in range(0, count, ROWS_TURNED_AT_ONCE):
            for column in range(batch.shape[1]):
                for i in range(first, min(first + ROWS_TURNED_AT_ONCE, count)):
                    turned[row + column, i] = batch[start + i, column]
        for column in range(batch.shape[1]):
            for i in range(count, turned.shape[1]):
                turned[row + column, i] = batch[start + count - 1, column]
        row += batch.shape[1]
    return turned


def scratch(rows: int, width: int) -> FloatArray:
    """Allocate memory for what is computed of a block of rows: nothing is in it yet.

    Args:
        rows: how many arrays there shall be, one for each number that is computed of a row.
        width: how many rows of data a block has. If it is a multiple of `ROWS_PER_CACHE_LINE`,
            every array begins with a line of the cache.

    Example:
        >>> block = scratch(3, 16)
        >>> block.shape, block[1].ctypes.data % 64
        ((3, 16), 0)
    """
    numbers = empty(rows * width + ROWS_PER_CACHE_LINE - 1)
    first = -(numbers.ctypes.data // 8) % ROWS_PER_CACHE_LINE
    return numbers[first : first + rows * width].reshape((rows, width))
