"""Norms of vectors and matrices of Values, as those of numpy.linalg.norm.

The slope of a norm at the vector of zeros is 0, like that of `hypot` and of `gdc.norm`: the one
subgradient that favours no direction.
"""

import math
from typing import Any

import numpy as np

from gradcompile.graph.users import stop
from gradcompile.ops import table


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Compute the norm of vectors or matrices.

    Args:
        x: an array.
        ord: which norm; None for the square root of the sum of all squares.
        axis: an axis for vectors, two for matrices; None for the whole array.
        keepdims: whether an axis that is summed away stays as one of length 1.

    Raises:
        ValueError: there is no such axis, or no such norm.
        TraceError: it is a norm of singular values.
    """
    along = range(np.ndim(x)) if axis is None else axis
    axes = np.lib.array_utils.normalize_axis_tuple(along, np.ndim(x), "linalg.norm")
    options: dict[str, Any] = {"axis": axes, "keepdims": keepdims}
    if ord is None or (len(axes) == 2 and ord in ("fro", "f")):
        return _root(np.sum(table.square(x), **options), 2.0)
    if len(axes) == 1 and isinstance(ord, int | float | np.number):
        return _vector_norm(x, float(ord), options)
    if len(axes) == 2 and ord in (1, -1, math.inf, -math.inf):
        summed, compared = axes if abs(ord) == 1 else reversed(axes)
        sums = np.sum(table.abs_(x), axis=summed, keepdims=True)
        largest = (np.max if ord > 0 else np.min)(sums, axis=compared, keepdims=True)
        return largest if keepdims else np.squeeze(largest, axis=axes)
    if len(axes) == 2 and ord in (2, -2, "nuc"):
        stop(
            f"linalg.norm: a matrix norm with ord={ord!r} has no traced form, for it is one of "
            "singular values",
            "take 'fro', 1, -1, np.inf or -np.inf",
        )
    kind = {1: "a vector", 2: "a matrix"}.get(len(axes), f"an array of {len(axes)} dimensions")
    raise ValueError(f"linalg.norm: there is no norm of {kind} with ord={ord!r}")


def _vector_norm(x: Any, ord: float, options: dict[str, Any]) -> Any:
    if abs(ord) == math.inf:
        return (np.max if ord > 0 else np.min)(table.abs_(x), **options)
    if ord == 0:
        return np.sum(table.not_equal(x, 0.0), **options)
    if ord == 1:
        return np.sum(table.abs_(x), **options)
    powers = table.square(x) if ord == 2 else table.pow_(table.abs_(x), ord)
    return _root(np.sum(powers, **options), ord)


def _root(total: Any, ord: float) -> Any:
    """Take a root; one of 0 is 0, so that its infinite slope does not count."""
    root = table.sqrt(total) if ord == 2 else table.pow_(total, 1.0 / ord)
    return root if ord < 0 else table.where(table.equal(total, 0.0), 0.0, root)
