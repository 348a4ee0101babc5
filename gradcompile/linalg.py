"""Linear algebra of small matrices: of numbers, of Values, and in traced functions.

The functions are those of `numpy.linalg`, with its parameters, and also take lists of lists. Of
numbers numpy computes them; of Values and traced values they are built from operations of the op
table, so that every derivative follows. Inside of a traced function `np.linalg.solve` and the
others may be written as well.

    >>> import gradcompile as gdc
    >>> f = gdc.compile(lambda a, b: gdc.linalg.solve([[0.0, a], [1.0, 1.0]], [b, 3.0])[0])
    >>> f.value_and_grad(2.0, 4.0)
    (1.0, Gradient(a=1.0, b=-0.5))

A singular matrix is an error for numpy. Compiled code raises none: there are inf and nan in the
result, by IEEE arithmetic. Matrices that are eliminated have at most 8 rows, and those that are
factored by Cholesky's method at most 16; beyond, text and compile time would be too long.
"""

from typing import Any

import numpy as np

from gradcompile.ops.functions import objects_of
from gradcompile.ops.op import array_of
from gradcompile.support.arrays import AnyArray

__all__ = ["cholesky", "det", "inv", "norm", "slogdet", "solve", "trace"]


def solve(a: Any, b: Any) -> Any:
    """Solve a @ x = b.

    Rows are exchanged as numpy's are, so that the pivot is the largest number of its column. Two
    equations are solved by Cramer's rule, whose determinant is 0 or inf where the product of two
    numbers is; below about 1e-162, and from about 1e154 on.

    Args:
        a: a square matrix, or a stack of them.
        b: a vector, or a matrix whose columns are the right sides.

    Returns:
        An array of the shape of `b`.

    Raises:
        LinAlgError: a matrix is not square, or is one of numbers and singular.
        ValueError: `b` has another number of rows.
        TraceError: a traced matrix has more than 8 rows.

    Example:
        >>> solve([[0.0, 1.0], [2.0, 0.0]], [3.0, 4.0])
        array([2., 3.])
    """
    return np.linalg.solve(_array(a, "solve"), _array(b, "solve"))


def inv(a: Any) -> Any:
    """Invert a matrix: `solve(a, b)` with the unit matrix as b.

    Args:
        a: a square matrix, or a stack of them.

    Raises:
        LinAlgError: a matrix is not square, or is one of numbers and singular.
        TraceError: a traced matrix has more than 8 rows.

    Example:
        >>> inv([[0.0, 1.0], [2.0, 0.0]])
        array([[0. , 0.5],
               [1. , 0. ]])
    """
    return np.linalg.inv(_array(a, "inv"))


def det(a: Any) -> Any:
    """Compute a determinant.

    Up to three rows it is the sum of all products, and its gradient is right for singular matrices
    as well. Beyond, it is the product of pivots; if one before the last is 0, there is nan.

    Args:
        a: a square matrix, or a stack of them.

    Raises:
        LinAlgError: a matrix is not square.
        TraceError: a traced matrix has more than 8 rows.

    Example:
        >>> print(det([[2.0, 1.0], [0.0, 3.0]]))
        6.0
    """
    return np.linalg.det(_array(a, "det"))


def slogdet(a: Any) -> Any:
    """Compute the sign of a determinant and the logarithm of its absolute value.

    Args:
        a: a square matrix, or a stack of them.

    Returns:
        A namedtuple of `sign` and `logabsdet`.

    Raises:
        LinAlgError: a matrix is not square.
        TraceError: a traced matrix has more than 8 rows.

    Example:
        >>> sign, size = slogdet([[0.0, 1.0], [2.0, 0.0]])
        >>> print(sign, np.exp(size))
        -1.0 2.0
    """
    return np.linalg.slogdet(_array(a, "slogdet"))


def cholesky(a: Any, *, upper: bool = False) -> Any:
    """Factor a symmetric, positive definite matrix: L @ L.T = a, with a lower triangular L.

    Only one triangle of the matrix is read, and derivatives are by the numbers of that triangle.
    If it is not positive definite, numpy raises an error, and compiled code gives nan.

    Args:
        a: a matrix, or a stack of them.
        upper: whether to read the upper triangle, and to give the transpose of L.

    Raises:
        LinAlgError: a matrix is not square, or is one of numbers and not positive definite.
        TraceError: a traced matrix has more than 16 rows.

    Example:
        >>> cholesky([[4.0, 2.0], [2.0, 5.0]])
        array([[2., 0.],
               [1., 2.]])
    """
    return np.linalg.cholesky(_array(a, "cholesky"), upper=upper)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Compute the norm of vectors or matrices.

    The slope at the vector of zeros is 0, like that of `hypot` and `gradcompile.norm`. Squares are
    not scaled: the result is inf from about 1e154 on, and 0 below about 1e-162.

    Args:
        x: an array of any shape.
        ord: which norm, as in numpy; None for the square root of the sum of all squares. Those of
            singular values, 2, -2 and "nuc" of a matrix, are there for numbers only.
        axis: an axis for vectors, two for matrices; None for the whole array.
        keepdims: whether an axis that is summed away stays as one of length 1.

    Raises:
        ValueError: there is no such axis, or no such norm.
        TraceError: it is a norm of singular values, of traced ones.

    Example:
        >>> print(norm([3.0, 4.0]), norm([3.0, 4.0], 1))
        5.0 7.0
    """
    return np.linalg.norm(_array(x, "norm"), ord, axis, keepdims)


def trace(a: Any, offset: int = 0) -> Any:
    """Add up a diagonal.

    Args:
        a: a matrix, or a stack of them.
        offset: which diagonal; 0 for the main one, positive numbers for those above.

    Raises:
        ValueError: `a` has less than two dimensions.

    Example:
        >>> print(trace([[1.0, 2.0], [3.0, 4.0]]))
        5.0
    """
    array = _array(a, "trace")
    if array.ndim < 2:
        raise ValueError(f"linalg.trace: expected a matrix, got shape {array.shape}")
    return np.linalg.trace(array, offset=offset)


def _array(x: Any, user: str) -> AnyArray:
    """Make an array of numbers, which numpy takes, or one of Values, which answers numpy."""
    return array_of(objects_of(x, f"linalg.{user}"))
