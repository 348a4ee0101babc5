"""numpy's functions of arrays of Values, where numpy's own would ask a Value for a number.

Each has the meaning and the parameters of numpy's, and is built from the op table. What is in
neither dict is computed by numpy.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gradcompile.graph.numpy_linalg import LINALG
from gradcompile.graph.users import stop
from gradcompile.ops import table
from gradcompile.support.arrays import AnyArray

# --- choosing --------------------------------------------------------------------------------


def _where(condition: Any, *branches: Any) -> Any:
    if len(branches) != 2:
        stop("np.where of a condition alone asks for positions", POSITION)
    mask = np.asarray(condition)
    if mask.dtype != object:  # known, so nothing is computed
        return np.where(mask, _objects(branches[0]), _objects(branches[1]))
    return table.where(condition, *branches)


def _select(conditions: Sequence[Any], choices: Sequence[Any], default: Any = 0.0) -> Any:
    result = default
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        result = _where(condition, choice, result)
    return result


def _piecewise(x: Any, conditions: Any, pieces: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
    if not isinstance(conditions, list | tuple):
        conditions = [conditions]
    results = [piece(x, *args, **kwargs) if callable(piece) else piece for piece in pieces]
    result = results.pop() if len(results) == len(conditions) + 1 else 0.0
    for condition, piece in zip(conditions, results, strict=True):
        result = _where(condition, piece, result)
    return result


def _copyto(place: Any, values: Any, casting: str = "same_kind", where: Any = True) -> None:
    if place.dtype != object:
        stop("np.copyto: there is no place for traced values", "make the array with dtype=object")
    place[...] = _where(where, values, np.array(place))


def _like(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make an array for floats one for traced values, which are floats; others as numpy does."""

    def like(a: Any, *args: Any, dtype: Any = None, **kwargs: Any) -> Any:
        kind = np.dtype(object if dtype is None else dtype)
        kind = np.dtype(object) if kind.kind == "f" else kind
        made = function._implementation  # type: ignore[attr-defined]
        return made(np.asarray(a), *args, dtype=kind, **kwargs)

    return like


def _nan_to_num(
    x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    largest = float(np.finfo(np.float64).max)
    high, low = largest if posinf is None else posinf, -largest if neginf is None else neginf
    finite = table.where(
        table.equal(x, math.inf), high, table.where(table.equal(x, -math.inf), low, x)
    )
    result = table.where(table.not_equal(x, x), nan, finite)
    if copy or not np.ndim(x):
        return result
    x[...] = result
    return x


def _interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    if period is not None:
        stop("np.interp with a period has no traced form", "take x % period before")
    places, values = _objects(xp), _objects(fp)
    result = table.where(table.equal(x, places[-1]), values[-1], math.nan)  # nan for nan
    end = values[-1] if right is None else right
    result = table.where(table.greater(x, places[-1]), end, result)
    for k in reversed(range(len(places) - 1)):
        step = table.sub(places[k + 1], places[k])
        slope = table.div(table.sub(values[k + 1], values[k]), step)
        line = table.add(values[k], table.mul(slope, table.sub(x, places[k])))
        result = table.where(table.less(x, places[k + 1]), line, result)
    return table.where(table.less(x, places[0]), values[0] if left is None else left, result)


# --- order -----------------------------------------------------------------------------------


def sort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> AnyArray:
    """Sort along an axis by a network of comparisons, nan last.

    Args:
        a: an array.
        axis: None for all elements in one row.
        kind: of the algorithm; there is one.
        order: of fields; there are none.
        stable: whether equal numbers keep their order, which nobody can tell.
    """
    return _sorted(a, axis, _nan_last)


def _sorted(a: Any, axis: int | None, ordered: Callable[[Any, Any], tuple[Any, Any]]) -> AnyArray:
    """Sort by Batcher's odd-even merge sort, of an operation that puts two in order."""
    array = _objects(a)
    front = array.ravel() if axis is None else np.moveaxis(array, axis, 0)
    rows = list(front)
    for i, j in _network(len(rows)):
        rows[i], rows[j] = ordered(rows[i], rows[j])
    result = np.empty(front.shape, dtype=object)
    for place, row in enumerate(rows):
        result[place] = row
    return result if axis is None else np.moveaxis(result, 0, axis)


def _nan_last(a: Any, b: Any) -> tuple[Any, Any]:
    swapped = table.logical_or(table.greater(a, b), table.not_equal(a, a))
    return table.where(swapped, b, a), table.where(swapped, a, b)


def _nan_everywhere(a: Any, b: Any) -> tuple[Any, Any]:
    return table.minimum(a, b), table.maximum(a, b)


def _network(count: int) -> Iterator[tuple[int, int]]:
    """Yield the places to be compared, one pair after the other (Knuth, 5.2.2, algorithm M)."""
    p = 1
    while p < count:
        k = p
        while k:
            for j in range(k % p, count - k, 2 * k):
                for i in range(j, min(j + k, count - k)):
                    if i // (2 * p) == (i + k) // (2 * p):
                        yield i, i + k
            k //= 2
        p *= 2


def _partition(
    a: Any, kth: Any, axis: int | None = -1, kind: Any = None, order: Any = None
) -> AnyArray:
    return sort(a, axis)


def _median(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: bool = False
) -> Any:
    return _quantile(a, 0.5, axis, out, keepdims=keepdims)


def _percentile(a: Any, q: Any, *args: Any, **kwargs: Any) -> Any:
    return _quantile(a, np.asarray(q) / 100.0, *args, **kwargs)


def _quantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
) -> Any:
    if method != "linear" or out is not None:
        stop("quantiles are traced with method='linear' and without out", "leave them out")
    array = _objects(a)
    axes = np.lib.array_utils.normalize_axis_tuple(
        range(array.ndim) if axis is None else axis, array.ndim
    )
    front = np.moveaxis(array, axes, range(len(axes)))
    # One nan makes every quantile nan, as in numpy.
    rows = _sorted(front.reshape(-1, *front.shape[len(axes) :]), 0, _nan_everywhere)
    found = np.empty((*np.shape(q), *rows.shape[1:]), dtype=object)
    for place, part in np.ndenumerate(np.asarray(q, np.float64)):
        found[place] = _between(rows, float(part) * (len(rows) - 1))
    if keepdims:
        found = np.expand_dims(found, tuple(np.ndim(q) + k for k in axes))
    return found


def _between(rows: AnyArray, position: float) -> Any:
    low, part = int(position), position % 1.0
    if part == 0.0:
        return rows[low]
    if part == 0.5:
        return table.mul(table.add(rows[low], rows[low + 1]), 0.5)
    return table.add(rows[low], table.mul(table.sub(rows[low + 1], rows[low]), part))


# --- conditions ------------------------------------------------------------------------------


def _count_nonzero(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.sum(table.not_equal(a, 0.0), axis=axis, keepdims=keepdims)


def _isclose(
    a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    error = table.abs_(table.sub(a, b))
    bound = table.add(table.mul(table.abs_(b), rtol), atol)
    near = table.logical_and(table.less_equal(error, bound), table.less(error, math.inf))
    near = table.logical_or(near, table.equal(a, b))
    if equal_nan:
        both = table.logical_and(table.not_equal(a, a), table.not_equal(b, b))
        near = table.logical_or(near, both)
    return near


def _allclose(*args: Any, **kwargs: Any) -> Any:
    return np.all(_isclose(*args, **kwargs))


def _array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    if np.shape(a1) != np.shape(a2):
        return False
    return np.all(table.equal(a1, a2))


# --- what leaves nan out ---------------------------------------------------------------------


def _without_nan(function: Callable[..., Any], fill: float) -> Callable[..., Any]:
    def without_nan(a: Any, *args: Any, **kwargs: Any) -> Any:
        return function(table.where(table.not_equal(a, a), fill, a), *args, **kwargs)

    return without_nan


def mean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any,
) -> Any:
    """Average the elements for which a traced condition holds, as numpy's `mean`."""
    _require_no_out(out)
    total, known = _total(a, where, axis, keepdims)
    return table.div(total, known)


def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0.0,
    keepdims: bool = False,
    *,
    where: Any,
) -> Any:
    """Compute the variance of the elements for which a traced condition holds, as numpy's `var`."""
    _require_no_out(out)
    centred = table.sub(a, mean(a, axis, keepdims=True, where=where))
    total, known = _total(table.square(centred), where, axis, keepdims)
    return table.div(total, table.sub(known, float(ddof)))


def _total(a: Any, where: Any, axis: Any, keepdims: bool) -> tuple[Any, Any]:
    """Add up the elements for which a condition holds, and count them."""
    chosen = np.broadcast_to(_objects(where), np.shape(a))
    kept = _objects(table.where(chosen, a, 0.0))
    return tuple(np.sum(x, axis=axis, keepdims=keepdims) for x in (kept, chosen))


def _require_no_out(out: Any) -> None:
    if out is not None:
        stop("where= with a traced condition is traced without out=", "use what is returned")


def _nanmean(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return mean(a, axis, keepdims=keepdims, where=table.equal(a, a))


def _nanvar(a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    return var(a, axis, ddof=ddof, keepdims=keepdims, where=table.equal(a, a))


def _nanstd(a: Any, axis: Any = None, **kwargs: Any) -> Any:
    return table.sqrt(_nanvar(a, axis, **kwargs))


def _nanmax(a: Any, axis: Any = None, **kwargs: Any) -> Any:
    return np.fmax.reduce(a, axis=axis, **kwargs)


def _nanmin(a: Any, axis: Any = None, **kwargs: Any) -> Any:
    return np.fmin.reduce(a, axis=axis, **kwargs)


# --- differences and moments -----------------------------------------------------------------


def _gradient(f: Any, *spacing: Any, axis: Any = None, edge_order: int = 1) -> Any:
    array = _objects(f)
    axes = range(array.ndim) if axis is None else np.atleast_1d(axis)
    steps = list(spacing) or [1.0]
    steps = steps * len(axes) if len(steps) == 1 else steps
    if edge_order != 1:
        stop("np.gradient is traced with edge_order=1", ADVICE)
    results = [_slopes(array, h, int(k)) for k, h in zip(axes, steps, strict=True)]
    return results[0] if len(results) == 1 else tuple(results)


def _slopes(f: AnyArray, spacing: Any, axis: int) -> AnyArray:
    """Take central differences of second order, and one-sided ones at the ends."""
    rows = np.moveaxis(f, axis, 0)
    count = len(rows)
    h = np.diff(spacing) if np.ndim(spacing) else np.full(count - 1, spacing, np.float64)
    h = h.reshape(-1, *[1] * (rows.ndim - 1))
    rise = (rows[1:] - rows[:-1]) / h
    total = h[1:] + h[:-1]
    inner = (rise[:-1] * h[1:] + rise[1:] * h[:-1]) / total
    return np.moveaxis(np.concatenate([rise[:1], inner, rise[-1:]]), 0, axis)


def _cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None
) -> Any:
    rows = np.atleast_2d(_objects(m))
    rows = rows if rowvar or np.ndim(m) == 1 else rows.T
    if y is not None:
        other = np.atleast_2d(_objects(y))
        rows = np.concatenate([rows, other if rowvar or np.ndim(y) == 1 else other.T])
    count = rows.shape[1] - ((0 if bias else 1) if ddof is None else ddof)
    centred = rows - rows.mean(axis=1, keepdims=True)
    return np.squeeze(centred @ centred.T / float(count))


def _corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Any:
    covariances = _objects(_cov(x, y, rowvar))
    if covariances.ndim == 0:
        return table.div(covariances[()], covariances[()])
    deviations = table.sqrt(np.diagonal(covariances))
    return covariances / deviations[:, np.newaxis] / deviations[np.newaxis, :]


def _unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: float = 2 * math.pi) -> Any:
    rows = np.moveaxis(_objects(p), axis, 0)
    step, half = rows[1:] - rows[:-1], period / 2.0
    least = half if discont is None else max(discont, half)
    near = table.sub(table.remainder(table.add(step, half), period), half)
    at_edge = table.logical_and(table.equal(near, -half), table.greater(step, 0.0))
    near = table.where(at_edge, half, near)
    turns = table.where(table.less(table.abs_(step), least), 0.0, table.sub(near, step))
    rest = rows[1:] + np.cumsum(_objects(turns), axis=0)
    return np.moveaxis(np.concatenate([rows[:1], rest]), 0, axis)


def _objects(x: Any) -> AnyArray:
    return np.asarray(x, dtype=object)


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: _where,
    np.select: _select,
    np.piecewise: _piecewise,
    np.copyto: _copyto,
    np.nan_to_num: _nan_to_num,
    np.zeros_like: _like(np.zeros_like),
    np.ones_like: _like(np.ones_like),
    np.full_like: _like(np.full_like),
    np.empty_like: _like(np.empty_like),
    np.interp: _interp,
    np.sort: sort,
    np.partition: _partition,
    np.median: _median,
    np.percentile: _percentile,
    np.quantile: _quantile,
    np.count_nonzero: _count_nonzero,
    np.isclose: _isclose,
    np.allclose: _allclose,
    np.array_equal: _array_equal,
    np.nansum: _without_nan(np.sum, 0.0),
    np.nanprod: _without_nan(np.prod, 1.0),
    np.nancumsum: _without_nan(np.cumsum, 0.0),
    np.nancumprod: _without_nan(np.cumprod, 1.0),
    np.nanmean: _nanmean,
    np.nanvar: _nanvar,
    np.nanstd: _nanstd,
    np.nanmax: _nanmax,
    np.nanmin: _nanmin,
    np.gradient: _gradient,
    np.cov: _cov,
    np.corrcoef: _corrcoef,
    np.unwrap: _unwrap,
    np.sinc: table.sinc,
    **LINALG,
}
"""What is computed instead of numpy's function."""

POSITION = "compute with the values, by np.where, np.max, np.min or np.sort"

POSITIONS = frozenset({
    np.argmax, np.argmin, np.argsort, np.argpartition, np.nanargmax, np.nanargmin, np.nonzero,
    np.argwhere, np.flatnonzero, np.searchsorted, np.digitize, np.lexsort, np.unique,
    np.unique_values, np.histogram, np.bincount, np.isin,
})  # fmt: skip
"""What depends on where values lie."""

ADVICE = "build it from sums, products and np.where"

UNTRACED: dict[Any, str] = {
    np.roots: ADVICE,
    np.polymul: "use np.convolve, which multiplies polynomials",
    np.polydiv: ADVICE,
    np.i0: ADVICE,
    np.linalg.qr: "write it out: loops over rows and columns are traced",
    np.nanmedian: "use np.median where nothing is nan",
    np.nanquantile: "use np.quantile where nothing is nan",
    np.nanpercentile: "use np.percentile where nothing is nan",
    np.sort_complex: "use np.sort",
    np.putmask: "use np.copyto(x, values, where=mask)",
    np.place: "use np.copyto(x, values, where=mask)",
}
"""What numpy computes by asking values for numbers, with advice."""

_ADVICE = {
    "numpy.linalg": "there are solve, inv, det, slogdet, cholesky and norm, and loops are traced",
    "numpy.fft": "multiply by its matrices, np.fft.fft(np.eye(n)).real and .imag",
}


def advice_for(function: Any) -> str:
    """Say what to write instead of a function of numpy's that has no traced form."""
    return _ADVICE.get(function.__module__, ADVICE)
