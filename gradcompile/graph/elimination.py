"""Linear systems, determinants and Cholesky factors, from operations of the table.

The first two axes of an array are the rows and columns of a matrix; axes that follow are those of a
stack of matrices, which are all treated alike.

Elimination exchanges rows by `where`, so that the largest number of a column becomes its pivot
whatever the numbers will be. Where a formula without gates is good enough, it is taken: for systems
of two rows, and for determinants of two and three.
"""

import functools
from typing import Any

import numpy as np

from gradcompile.ops import table
from gradcompile.support.arrays import AnyArray


def solve(a: AnyArray, b: AnyArray) -> AnyArray:
    """Solve a @ x = b.

    Args:
        a: a square matrix, or a stack of them.
        b: as many rows; one column for each system.
    """
    if len(a) == 2:
        return _solve_2(a, b)
    return _substituted(_eliminated(np.concatenate([a, b], axis=1))[0], b.shape)


def inverse(a: AnyArray) -> AnyArray:
    """Invert a square matrix, or a stack of them."""
    size, stack = len(a), a.shape[2:]
    if size == 2:
        adjugate = np.empty_like(a)
        adjugate[0, 0], adjugate[1, 1] = a[1, 1], a[0, 0]
        adjugate[0, 1], adjugate[1, 0] = table.neg(a[0, 1]), table.neg(a[1, 0])
        return np.asarray(table.div(adjugate, _determinant_2(a)))
    unit = np.eye(size).astype(object).reshape(size, size, *[1] * len(stack))
    return solve(a, np.broadcast_to(unit, a.shape))


def factors_of_determinant(a: AnyArray) -> tuple[list[Any], list[Any]]:
    """List numbers whose product is the determinant of a matrix; those that are 1 or -1 apart."""
    if len(a) == 2:
        return [_determinant_2(a)], []
    if len(a) == 3:
        minors = [_determinant_2(np.delete(a[1:], k, axis=1)) for k in range(3)]
        first, second, third = map(table.mul, a[0], minors)
        return [table.add(table.sub(first, second), third)], []
    triangle, signs = _eliminated(a)
    return [row[0] for row in triangle], signs


def cholesky(a: AnyArray) -> AnyArray:
    """Compute the lower triangular matrix L with L @ L.T = a, from the lower triangle of a."""
    lower = np.full(a.shape, 0.0, dtype=object)
    for i in range(len(a)):
        for j in range(i):
            lower[i, j] = table.div(_less(a[i, j], lower[i, :j], lower[j, :j]), lower[j, j])
        lower[i, i] = table.sqrt(_less(a[i, i], lower[i, :i], lower[i, :i]))
    return lower


def _solve_2(a: AnyArray, b: AnyArray) -> AnyArray:
    """Solve systems of two rows by Cramer's rule."""
    whole = _determinant_2(a)
    found = np.empty(b.shape, dtype=object)
    found[0] = table.div(table.sub(table.mul(a[1, 1], b[0]), table.mul(a[0, 1], b[1])), whole)
    found[1] = table.div(table.sub(table.mul(a[0, 0], b[1]), table.mul(a[1, 0], b[0])), whole)
    return found


def _determinant_2(a: AnyArray) -> Any:
    return table.sub(table.mul(a[0, 0], a[1, 1]), table.mul(a[0, 1], a[1, 0]))


def _eliminated(a: AnyArray) -> tuple[list[AnyArray], list[Any]]:
    """Bring a matrix to triangular form, by exchanges of rows and by subtraction.

    Returns:
        The rows, each from its diagonal on; and a sign for each exchange, -1.0 where it was made.
    """
    triangle, signs, left = [], [], list(a)
    while left:
        pivot, *others = left
        for place, row in enumerate(others):
            larger = table.greater(table.abs_(row[0]), table.abs_(pivot[0]))
            others[place] = table.where(larger, pivot, row)
            pivot = table.where(larger, row, pivot)
            signs.append(table.where(larger, -1.0, 1.0))
        triangle.append(pivot)
        left = [_reduced(row, pivot) for row in others]
    return triangle, signs


def _reduced(row: AnyArray, pivot: AnyArray) -> Any:
    """Subtract the multiple of the pivot's row that makes the first number 0, now left out."""
    return table.sub(row[1:], _product(table.div(row[0], pivot[0]), pivot[1:]))


def _substituted(triangle: list[AnyArray], shape: tuple[int, ...]) -> AnyArray:
    """Solve a triangular system, from its last row on; right sides are behind the matrix."""
    found = np.empty(shape, dtype=object)
    for k, row in reversed(list(enumerate(triangle))):
        known = len(triangle) - k
        found[k] = table.div(_less(row[known:], row[1:known], found[k + 1 :]), row[0])
    return found


def _less(start: Any, left: Any, right: Any) -> Any:
    """Subtract products, in order."""
    return functools.reduce(table.sub, map(_product, left, right), start)


def _product(a: Any, b: Any) -> Any:
    """Multiply; a number that is known to be 0 leaves the other out."""
    return 0.0 if isinstance(a, float) and a == 0.0 else table.mul(a, b)
