"""Composite functions: sums, norms, softmaxes and products of vectors and matrices.

Their arguments are numbers, `Value`s and traced values, alone or in lists, tuples and arrays,
nested and mixed in any way. Each function is built from operations of the table, so it needs no
rule of its own. Sums and products are folded from the left, in order, and start with their first
item: a traced `dot(w, x)` is the expression `w0 * x0 + w1 * x1`, and numbers are computed by the
very operations that the compiled function has.

A single result is a float or a Value; several are an array, of dtype float64 where all of them are
numbers and of dtype object elsewhere.

    >>> import gradcompile as gdc
    >>> from gradcompile.ops.functions import dot
    >>> neuron = gdc.compile(lambda w, x: gdc.tanh(dot(w, x)))
    >>> print(gdc.compile(dot).value([1.0, 2.0], [3.0, 4.0]))
    11.0
"""

import functools
import math
from typing import Any

import numpy as np

from gradcompile.ops import table
from gradcompile.ops.op import Op, array_of, as_float
from gradcompile.ops.operators import Operators
from gradcompile.support.arrays import AnyArray, require_unmasked


def dot(a: Any, b: Any) -> Any:
    """Compute the inner product `a[0] * b[0] + a[1] * b[1] + ...`; 0.0 for empty vectors.

    Args:
        a: a vector.
        b: a vector of the same length.

    Raises:
        ValueError: they are not two vectors of one length.
        TypeError: an item is neither a real number nor a Value.

    Example:
        >>> dot([1.0, 2.0], [3.0, 4.0])
        11.0
    """
    left, right = objects_of(a, "dot"), objects_of(b, "dot")
    if left.ndim != 1 or left.shape != right.shape:
        raise ValueError(
            f"dot: expected two vectors of one length, got shapes {left.shape} and {right.shape}"
        )
    return _result(_inner(left, right))


def sum(x: Any, axis: int | None = None) -> Any:
    """Add up all items, or those along an axis; 0.0 where there are none.

    Args:
        x: a nested list or an array of any shape.
        axis: the axis that is summed away; None for all.

    Raises:
        ValueError: there is no such axis, or the lists in `x` differ in length.
        TypeError: an item is neither a real number nor a Value.

    Example:
        >>> sum([[1.0, 2.0], [3.0, 4.0]]), sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
        (10.0, array([4., 6.]))
    """
    return _result(_fold(table.add, _rows(x, axis, "sum"), 0.0))


def prod(x: Any, axis: int | None = None) -> Any:
    """Multiply all items, or those along an axis; 1.0 where there are none.

    Args:
        x: a nested list or an array of any shape.
        axis: the axis along which to multiply; None for all.

    Raises:
        ValueError: there is no such axis, or the lists in `x` differ in length.
        TypeError: an item is neither a real number nor a Value.

    Example:
        >>> prod([2.0, 3.0, 4.0])
        24.0
    """
    return _result(_fold(table.mul, _rows(x, axis, "prod"), 1.0))


def mean(x: Any, axis: int | None = None) -> Any:
    """Average all items, or those along an axis: their sum, divided by how many they are.

    Args:
        x: a nested list or an array of any shape.
        axis: the axis that is averaged away; None for all.

    Raises:
        ValueError: there is nothing to average, there is no such axis, or the lists in `x` differ
            in length.
        TypeError: an item is neither a real number nor a Value.

    Example:
        >>> mean([1.0, 2.0, 6.0])
        3.0
    """
    rows = _rows(x, axis, "mean")
    if len(rows) == 0:
        raise ValueError("mean: there is nothing to average")
    return _result(table.div(_fold(table.add, rows, 0.0), float(len(rows))))


def norm(x: Any) -> Any:
    """Compute the Euclidean norm, the square root of the sum of all squares.

    It is that of `numpy.linalg.norm`. Squares are not scaled, so the result is inf from about 1e154
    on, and 0 below about 1e-162. Its gradient, x / norm(x), is taken to be 0 where the sum of
    squares is 0, and never nan there; this is the one subgradient that favours no direction.
    `hypot` has neither limit.

    Args:
        x: a nested list or an array of any shape.

    Raises:
        ValueError: the lists in `x` differ in length.
        TypeError: an item is neither a real number nor a Value.

    Example:
        >>> norm([3.0, 4.0])
        5.0
        >>> from gradcompile import Value
        >>> x = [Value(0.0), Value(0.0)]
        >>> norm(x).backward()
        >>> [item.grad for item in x]
        [0.0, 0.0]
    """
    total = _fold(table.add, table.square(_rows(x, None, "norm")), 0.0)
    # The branch that is not taken keeps the infinite slope of the root out of the gradient.
    return _result(table.where(table.equal(total, 0.0), 0.0, table.sqrt(total)))


def logsumexp(x: Any, axis: int | None = None) -> Any:
    """Compute log(exp(x[0]) + exp(x[1]) + ...) without overflow; -inf where there are no items.

    The largest item is taken out of the sum: max + log(sum(exp(x - max))). Derivatives take it for
    a constant, for it cancels: the gradient is exactly `softmax(x)`. An infinite maximum is not
    taken out, so the result is inf where an item is, and -inf where all are.
    (Blanchard, Higham and Higham, Accurately computing the log-sum-exp and softmax functions, IMA
    Journal of Numerical Analysis 41, 2021.)

    Args:
        x: a nested list or an array of any shape.
        axis: the axis that is summed away; None for all.

    Raises:
        ValueError: there is no such axis, or the lists in `x` differ in length.
        TypeError: an item is neither a real number nor a Value.

    Example:
        >>> logsumexp([1000.0, 1000.0])
        1000.6931471805599
    """
    rows = _rows(x, axis, "logsumexp")
    shift = shift_of(rows)
    return _result(table.add(shift, _log_total(table.sub(rows, shift))))


def softmax(x: Any, axis: int = -1) -> Any:
    """Compute exp(x) / sum(exp(x)) along an axis, without overflow.

    Args:
        x: a list or an array of one or more dimensions.
        axis: the axis along which the results sum to 1.

    Returns:
        An array of the shape of `x`.

    Raises:
        ValueError: there is no such axis, or the lists in `x` differ in length.
        TypeError: an item is neither a real number nor a Value.

    Example:
        >>> softmax([1000.0, -1000.0, 1000.0])
        array([0.5, 0. , 0.5])
    """
    rows = _rows(x, axis, "softmax")
    weights = table.exp(table.sub(rows, shift_of(rows)))
    probabilities = table.div(weights, _fold(table.add, weights, 0.0))
    return _result(np.moveaxis(probabilities, 0, axis))


def log_softmax(x: Any, axis: int = -1) -> Any:
    """Compute the logarithm of `softmax(x)`, finite where the probability is too small for a float.

    Args:
        x: a list or an array of one or more dimensions.
        axis: the axis along which the probabilities sum to 1.

    Returns:
        An array of the shape of `x`.

    Raises:
        ValueError: there is no such axis, or the lists in `x` differ in length.
        TypeError: an item is neither a real number nor a Value.

    Example:
        >>> log_softmax([1000.0, -1000.0, 0.0])
        array([    0., -2000., -1000.])
    """
    rows = _rows(x, axis, "log_softmax")
    shifted = table.sub(rows, shift_of(rows))
    return _result(np.moveaxis(table.sub(shifted, _log_total(shifted)), 0, axis))


def cross_entropy(logits: Any, target: Any) -> Any:
    """Measure how badly `softmax(logits)` predicts: -sum(target * log_softmax(logits)).

    Args:
        logits: a vector, one item a class.
        target: the index of the class, from 0 on, or a vector of probabilities. An index may be
            an input of the function that is compiled; one that is no index then gives nan.

    Raises:
        ValueError: `logits` is no vector; `target` is no index of it, or has another shape.
        TypeError: an item is neither a real number nor a Value.

    Example:
        >>> cross_entropy([1000.0, -1000.0, 0.0], 1), cross_entropy([0.0, 0.0], [0.5, 0.5])
        (2000.0, 0.6931471805599453)
    """
    rows, goal = objects_of(logits, "cross_entropy"), objects_of(target, "cross_entropy")
    if rows.ndim != 1 or goal.shape not in ((), rows.shape):
        raise ValueError(
            "cross_entropy: expected a vector of logits, and an index or a vector of that length, "
            f"got shapes {rows.shape} and {goal.shape}"
        )
    shifted = table.sub(rows, shift_of(rows))
    if goal.ndim == 0:
        return _result(table.sub(_log_total(shifted), _chosen(shifted, goal[()])))
    terms = table.mul(goal, table.sub(_log_total(shifted), shifted))
    return _result(_fold(table.add, table.where(_left_out(goal, shifted), 0.0, terms), 0.0))


def matmul(a: Any, b: Any) -> Any:
    """Multiply matrices and vectors, as numpy's `a @ b`.

    Args:
        a: a matrix of shape (m, n), or a vector of length n.
        b: a matrix of shape (n, p), or a vector of length n.

    Returns:
        An array of shape (m, p); without the dimension that a vector lacks.

    Raises:
        ValueError: the shapes do not match, or there are not one or two dimensions.
        TypeError: an item is neither a real number nor a Value.

    Example:
        >>> matmul([[1.0, 2.0], [3.0, 4.0]], [5.0, 6.0])
        array([17., 39.])
    """
    left, right = objects_of(a, "matmul"), objects_of(b, "matmul")
    sizes = {left.ndim, right.ndim}
    if not sizes <= {1, 2} or left.shape[-1] != right.shape[0]:
        raise ValueError(
            "matmul: expected (m, n) and (n, p), or vectors of length n, "
            f"got shapes {left.shape} and {right.shape}"
        )
    rows = left if left.ndim == 2 else left[np.newaxis]
    columns = right.T if right.ndim == 2 else right[np.newaxis]
    products = np.empty((len(rows), len(columns)), dtype=object)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            products[i, j] = _inner(row, column)
    return _result(products.reshape(left.shape[:-1] + right.shape[1:]))


# --- arrays in, arrays out -------------------------------------------------------------------


def objects_of(x: Any, user: str) -> AnyArray:
    """Make an array of objects, floats and operands.

    Args:
        x: a number, an operand, or a nested list or an array of them.
        user: begins the message of an error.

    Raises:
        ValueError: the lists in `x` differ in length.
        TypeError: an item is neither a real number nor a Value.
    """
    require_unmasked(user, *(x if isinstance(x, list | tuple) else (x,)))
    try:
        array = np.array(x, dtype=object)
    except ValueError:  # numpy cannot tell the shape
        raise _ragged(user) from None
    kinds = set(map(type, array.ravel().tolist()))
    if not all(kind is float or issubclass(kind, Operators) for kind in kinds):
        for position, item in enumerate(array.flat):
            array.flat[position] = _item(item, user)
    return array


def _item(item: Any, user: str) -> Any:
    if isinstance(item, np.ndarray) and item.ndim == 0:
        item = item[()]
    if isinstance(item, list | tuple | np.ndarray):
        raise _ragged(user)
    return item if isinstance(item, Operators) else as_float(item, user)


def _ragged(user: str) -> ValueError:
    return ValueError(f"{user}: the lists or arrays inside the argument differ in length")


def _result(x: Any) -> Any:
    """Make what the user gets: of numbers a float or a float64 array."""
    if isinstance(x, np.ndarray) and x.ndim:
        return array_of(x)
    item = x[()] if isinstance(x, np.ndarray) else x
    return item if isinstance(item, Operators) else float(item)


def _rows(x: Any, axis: int | None, user: str) -> AnyArray:
    """Move the axis to reduce to the front; one long row of items if it is None."""
    array = objects_of(x, user)
    if axis is None:
        return array.ravel()
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
        raise TypeError(f"{user}: expected an int as axis, got {type(axis).__name__} {axis!r:.60}")
    # numpy's error is a ValueError that says which axes there are.
    return np.moveaxis(array, np.lib.array_utils.normalize_axis_index(axis, array.ndim, user), 0)


# --- what the functions share ----------------------------------------------------------------


def _fold(op: Op, rows: Any, empty: float) -> Any:
    """Apply `op` over the rows, from the left and in order; `empty` where there are none."""
    rows = np.asarray(rows, dtype=object)
    return functools.reduce(op, rows) if len(rows) else np.full(rows.shape[1:], empty, object)[()]


def _inner(a: AnyArray, b: AnyArray) -> Any:
    return _fold(table.add, table.mul(a, b), 0.0)


def shift_of(rows: Any) -> Any:
    """Find what to subtract before exp, so that it never overflows.

    It is the largest item, or 0 if that is infinite. The slope by it is 0, whatever it is, for it
    is added again after the logarithm: so derivatives take it for a constant.
    """
    largest = _fold(table.maximum, rows, -math.inf)
    finite = table.less(table.abs_(largest), math.inf)
    return table.stop_gradient(table.where(finite, largest, 0.0))


def _left_out(goal: AnyArray, logits: AnyArray) -> Any:
    """Tell which classes a cross-entropy leaves out: of probability 0, with a logit of -inf.

    A probability that is known to be 0 leaves its class out whatever the logit; one that is not
    known has a slope by it.
    """
    is_zero = table.equal(goal, 0.0)
    if is_zero.dtype == np.float64:
        return is_zero
    return table.logical_and(is_zero, table.equal(logits, -math.inf))


def _log_total(shifted: AnyArray) -> Any:
    return table.log(_fold(table.add, table.exp(shifted), 0.0))


def _chosen(items: AnyArray, index: Any) -> Any:
    """Look up an item; an index that is not known yet leaves one term of a sum, or makes nan."""
    count = len(items)
    if not isinstance(index, Operators):
        if not (index.is_integer() and 0 <= index < count):
            raise ValueError(f"cross_entropy: there is no class {index:g} of {count}")
        return items[int(index)]
    terms = table.where(table.equal(index, np.arange(float(count))), items, 0.0)
    exists = table.equal(index, table.clip(table.floor(index), 0.0, count - 1.0))
    return table.add(_fold(table.add, terms, 0.0), table.where(exists, 0.0, math.nan))
