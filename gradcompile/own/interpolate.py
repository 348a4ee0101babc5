"""Tables of numbers as functions: piecewise polynomials, whose derivatives are tables as well.

A table is looked up by a function that emitted text calls by its name, so the text is as long for
a thousand knots as for two, and a call halves the knots until it has found its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcompile.ops.opaque import OpaqueOp, opaque_op
from gradcompile.own.custom import CustomNumbers
from gradcompile.support.arrays import FloatArray

KINDS = ("linear", "cubic")

NAMES = ("table", "slope_of_table", "curvature_of_table", "third_derivative_of_table")
"""What emitted text calls a table, and its derivatives."""


def interpolate(xs: Any, ys: Any, kind: str = "linear") -> CustomNumbers:
    """Make a function of a table: of one number, through the points (x, y).

    Between two knots it is a polynomial; at a knot derivatives are those of the piece that begins
    there.

    Args:
        xs: the knots, increasing: a list or a vector.
        ys: the value at each.
        kind: "linear", which is constant beyond the first and the last knot, as `numpy.interp` is;
            or "cubic", the spline of scipy's `CubicSpline`: two derivatives are continuous, the
            third one is at the second and at the last knot but one, and the first and the last
            piece go on beyond the knots.

    Returns:
        A function of numbers, Values and arrays of either, with derivatives in every mode.

    Raises:
        ValueError: the knots do not increase, there are fewer than two, something is not finite, or
            there are not as many values as knots; there is no such kind.
        TypeError: something is no number.

    Example:
        >>> import gradcompile as gdc
        >>> ramp = interpolate([0.0, 1.0, 3.0], [0.0, 10.0, 10.0])
        >>> gdc.compile(lambda x: ramp(x)).value_and_grad(0.25)
        (2.5, Gradient(x=10.0))
    """
    knots, values = (_vector(x, name) for x, name in ((xs, "xs"), (ys, "ys")))
    if len(knots) != len(values):
        raise ValueError(
            f"interpolate: expected as many ys as xs, got {len(knots)} xs and {len(values)} ys"
        )
    if len(knots) < 2:
        raise ValueError(f"interpolate: expected two points or more, got {len(knots)}")
    falls = np.flatnonzero(np.diff(knots) <= 0.0)
    if len(falls):
        k = int(falls[0])
        raise ValueError(
            f"interpolate: expected xs that increase, got {knots[k]:g} and then {knots[k + 1]:g} "
            f"at place {k + 1}"
        )
    if kind not in KINDS:
        raise ValueError(f"interpolate: kind: expected 'linear' or 'cubic', got {kind!r:.60}")
    return _function(_linear(knots, values) if kind == "linear" else _cubic(knots, values), 0)


@dataclass(frozen=True, eq=False)
class _Pieces:
    """A piecewise polynomial: one piece before the first break, one after each.

    Attributes:
        breaks: where a piece ends and the next one begins.
        anchors: for each piece, from where x is counted.
        coefficients: of the powers of x, the lowest first; one column a piece.
        limits: x counts as far as these.
    """

    breaks: FloatArray
    anchors: FloatArray
    coefficients: FloatArray
    limits: tuple[float, float]

    def derivative(self) -> "_Pieces":
        powers = np.arange(1.0, len(self.coefficients))[:, np.newaxis]
        return replace(self, coefficients=self.coefficients[1:] * powers)

    def lookup(self) -> Callable[[float], float]:
        """Make the function of a number; numba compiles it as it is."""
        breaks, anchors, coefficients = self.breaks, self.anchors, self.coefficients
        lowest, highest = self.limits
        count, degree = len(breaks), len(coefficients) - 1

        def table(x: float) -> float:
            if x != x:  # noqa: PLR0124
                return x
            low, high = 0, count
            while low < high:
                middle = (low + high) // 2
                if x >= breaks[middle]:
                    low = middle + 1
                else:
                    high = middle
            distance = min(max(x, lowest), highest) - anchors[low]
            total: float = coefficients[degree, low]
            for k in range(degree - 1, -1, -1):
                total = total * distance + coefficients[k, low]
            return total

        return table


def _function(pieces: _Pieces, order: int) -> CustomNumbers:
    """Make the function with the rule that its slope is the function of the derivative's pieces."""
    op = _operation(pieces, order)
    if len(pieces.coefficients) == 1:
        return CustomNumbers(op, lambda primals, tangents: 0.0 * tangents[0])
    slope = _function(pieces.derivative(), order + 1)
    return CustomNumbers(op, lambda primals, tangents: slope(*primals) * tangents[0])


def _operation(pieces: _Pieces, order: int) -> OpaqueOp:
    return opaque_op(pieces.lookup(), NAMES[order], (_operation, (pieces, order)))


def _vector(x: Any, name: str) -> FloatArray:
    try:
        vector = np.array(x, np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            f"interpolate: {name}: expected a vector of numbers, got {x!r:.60}"
        ) from None
    if vector.ndim != 1:
        raise ValueError(f"interpolate: {name}: expected a vector, got shape {vector.shape}")
    wrong = np.flatnonzero(~np.isfinite(vector))
    if len(wrong):
        k = int(wrong[0])
        raise ValueError(
            f"interpolate: {name}: expected finite numbers, got {vector[k]} at place {k}"
        )
    return vector


def _linear(x: FloatArray, y: FloatArray) -> _Pieces:
    slopes = np.concatenate([[0.0], np.diff(y) / np.diff(x), [0.0]])
    coefficients = np.array([np.append(y[0], y), slopes])
    return _Pieces(x, np.append(x[0], x), coefficients, (float(x[0]), float(x[-1])))


def _cubic(x: FloatArray, y: FloatArray) -> _Pieces:
    steps, curvature = np.diff(x), _curvatures(x, y)
    slopes = np.diff(y) / steps - steps * (2.0 * curvature[:-1] + curvature[1:]) / 6.0
    inner = [y[:-1], slopes, curvature[:-1] / 2.0, np.diff(curvature) / (6.0 * steps)]
    # The first and the last piece go on: each has two columns.
    pieces = np.array([0, *range(len(steps)), len(steps) - 1])
    return _Pieces(x, x[pieces], np.array(inner)[:, pieces], (-np.inf, np.inf))


def _curvatures(x: FloatArray, y: FloatArray) -> FloatArray:
    """Find the second derivatives of the spline at its knots.

    Those between follow from continuous slopes; the first and the last one lie on a line with the
    two beside them, so that the third derivative is continuous there.
    """
    steps = np.diff(x)
    right = 6.0 * np.diff(np.diff(y) / steps)
    if len(right) < 2:  # a line, or a parabola
        return np.full(len(x), right[0] / (3.0 * (x[2] - x[0])) if len(right) else 0.0)
    below, diagonal, above = steps[:-1].copy(), 2.0 * (x[2:] - x[:-2]), steps[1:].copy()
    first, last = steps[0] / steps[1], steps[-1] / steps[-2]
    diagonal[0] += steps[0] * (1.0 + first)
    above[0] -= steps[0] * first
    diagonal[-1] += steps[-1] * (1.0 + last)
    below[-1] -= steps[-1] * last
    inner = _tridiagonal(below, diagonal, above, right)
    start = inner[0] + first * (inner[0] - inner[1])
    end = inner[-1] + last * (inner[-1] - inner[-2])
    return np.concatenate([[start], inner, [end]])


def _tridiagonal(
    below: FloatArray, diagonal: FloatArray, above: FloatArray, right: FloatArray
) -> FloatArray:
    """Solve a tridiagonal system; `below[0]` and `above[-1]` lie outside of it."""
    diagonal, found = diagonal.copy(), right.copy()
    for k in range(1, len(found)):
        factor = below[k] / diagonal[k - 1]
        diagonal[k] -= factor * above[k - 1]
        found[k] -= factor * found[k - 1]
    found[-1] /= diagonal[-1]
    for k in range(len(found) - 2, -1, -1):
        found[k] = (found[k] - above[k] * found[k + 1]) / diagonal[k]
    return found
