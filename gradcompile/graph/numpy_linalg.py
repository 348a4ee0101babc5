"""numpy.linalg of arrays of Values: its functions, their parameters, and what they refuse."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gradcompile.graph.elimination import cholesky, factors_of_determinant, inverse, solve
from gradcompile.graph.norms import norm
from gradcompile.graph.users import stop
from gradcompile.ops import table
from gradcompile.ops.operators import Operators
from gradcompile.support.arrays import AnyArray

ELIMINATED, FACTORED = 8, 16
"""The most rows of a matrix to be eliminated, and of one to be factored by Cholesky's method.

Their gradients have some 2,000 lines, and numba takes half a minute to a minute for these.
"""


class SlogdetResult(NamedTuple):
    """The sign of a determinant, and the logarithm of its size."""

    sign: Any
    logabsdet: Any


def _solve(a: Any, b: Any) -> Any:
    matrix, right = _square(a, "solve", ELIMINATED), np.asarray(b, dtype=object)
    columns = right[:, np.newaxis] if right.ndim == 1 else right
    if not right.ndim or columns.shape[-2] != len(matrix):
        raise ValueError(
            "linalg.solve: expected a matrix of shape (n, n) and n right sides, or rows of them, "
            f"got shapes {np.shape(a)} and {right.shape}"
        )
    found = _last(solve(*_alike(matrix, _first(columns))))
    return found[..., 0] if right.ndim == 1 else found


def _inv(a: Any) -> Any:
    return _last(inverse(_square(a, "inv", ELIMINATED)))


def _det(a: Any) -> Any:
    factors, signs = factors_of_determinant(_square(a, "det", ELIMINATED))
    return functools.reduce(table.mul, factors + signs)


def _slogdet(a: Any) -> SlogdetResult:
    factors, signs = factors_of_determinant(_square(a, "slogdet", ELIMINATED))
    signs = [*map(table.sign, factors), *signs]
    sizes = [table.log(table.abs_(x)) for x in factors]
    return SlogdetResult(functools.reduce(table.mul, signs), functools.reduce(table.add, sizes))


def _cholesky(a: Any, /, *, upper: bool = False) -> Any:
    matrix = _square(a, "cholesky", FACTORED)
    if upper:
        return _last(cholesky(matrix.swapaxes(0, 1)).swapaxes(0, 1))
    return _last(cholesky(matrix))


LINALG: dict[Any, Callable[..., Any]] = {
    np.linalg.solve: _solve,
    np.linalg.inv: _inv,
    np.linalg.det: _det,
    np.linalg.slogdet: _slogdet,
    np.linalg.cholesky: _cholesky,
    np.linalg.norm: norm,
}
"""What is computed instead of a function of numpy.linalg."""


# --- matrices in, matrices out ---------------------------------------------------------------


def _square(a: Any, user: str, most: int) -> AnyArray:
    """Take a square matrix, or a stack of them: rows and columns become the first axes.

    Raises:
        LinAlgError: they are not square, or there are no rows.
        TraceError: they are traced, and so large that text and compile time would be, too.
    """
    array = np.asarray(a, dtype=object)
    size = array.shape[-1] if array.ndim else 0
    if array.ndim < 2 or array.shape[-2] != size or not size:
        raise np.linalg.LinAlgError(
            f"linalg.{user}: expected a square matrix, got shape {array.shape}"
        )
    kinds = set(map(type, array.ravel().tolist())) if size > most else set()
    if any(issubclass(kind, Operators) for kind in kinds):
        stop(
            f"linalg.{user}: a traced matrix of {size} rows is too large, for {most} rows make "
            "some 2,000 lines of a gradient, which compile in half a minute to a minute",
            f"solve by blocks of at most {most} rows",
        )
    return _first(array)


def _alike(a: AnyArray, b: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Repeat matrices, so that two stacks are of the same shape."""
    stack = np.broadcast_shapes(a.shape[2:], b.shape[2:])
    return _stacked(a, stack), _stacked(b, stack)


def _stacked(a: AnyArray, stack: tuple[int, ...]) -> AnyArray:
    missing = (1,) * (len(stack) - (a.ndim - 2))
    return np.broadcast_to(a.reshape(*a.shape[:2], *missing, *a.shape[2:]), (*a.shape[:2], *stack))


def _first(a: AnyArray) -> AnyArray:
    return np.moveaxis(a, (-2, -1), (0, 1))


def _last(a: AnyArray) -> AnyArray:
    return np.moveaxis(a, (0, 1), (-2, -1))
