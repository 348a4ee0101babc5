"""Derivatives of a text along directions, by differences of numbers of many digits."""

from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gradcompile.ops.syntax import ExpressionCode
from gradcompile.verify import digits
from gradcompile.verify.claims import Claims, Entry, Weights, result, result_number
from gradcompile.verify.points import POINTS, Adjoint, Point, Points

MAX_EVALUATIONS = 100_000
"""The most statements that are evaluated for differences, beyond those at the first points."""

MIN_POINTS_AT_SCALES = 2
"""Points of different sizes that are among the first ones."""

STEP = digits.number(10) ** -100
"""The step of the differences: with 300 digits they are right to about 100."""

NOISE = digits.number(10) ** -60
"""Where rounding makes more than this of a slope, it tells nothing."""


class Surroundings:
    """A point, and what forward statements are close to it; what `stop_gradient` gives is held."""

    def __init__(self, claims: Claims, point: Point) -> None:
        self.point = point
        self._claims = claims
        self._codes = _held(claims, point)
        self._slopes: dict[tuple[Any, ...], Mapping[int, Adjoint | None]] = {}

    def expected(self, entry: Entry) -> Adjoint | None:
        """Sum up what an entry claims to be; None if that has no slope here."""
        names = self.point.names
        slopes: Mapping[int, Adjoint | None]
        if entry.inputs is None:
            values = {number: names[result(number)] for number in entry.outputs}
            slopes = {number: Adjoint(x, x) for number, x in values.items()}
        else:
            slopes = self._along(entry.inputs)
        total = Adjoint(digits.number(0), digits.number(0))
        for number, weight in entry.outputs.items():
            if number not in slopes:
                continue  # it does not depend on these inputs
            slope = slopes[number]
            if slope is None:
                return None
            factor = digits.number(1) if weight is None else names[weight]
            total = total.plus(slope.times(factor, factor))
        return total

    def _along(self, inputs: Weights) -> Mapping[int, Adjoint | None]:
        key = tuple(inputs.items())
        if key not in self._slopes:
            self._slopes[key] = self._differences(inputs)
        return self._slopes[key]

    def _differences(self, inputs: Weights) -> Mapping[int, Adjoint | None]:
        """Take the slopes on both sides of the results that depend on inputs; None for no slope."""
        downstream = self._claims.downstream(inputs)
        results = {x: number for x in downstream if (number := result_number(x)) is not None}
        middle = self.point.names
        sides: list[Mapping[str, Any]] = []
        for step in (STEP, -STEP):
            try:
                sides.append(self._moved(inputs, step))
            except digits.NO_REAL_VALUE:  # at the edge of the domain
                return dict.fromkeys(results.values())
        size = max(abs(side[name]) for side in sides for name in (*inputs, *downstream))
        slopes = {}
        for name, number in results.items():
            rises = [side[name] - middle[name] for side in sides]
            slopes[number] = _range([rises[0] / STEP, -rises[1] / STEP], size)
        return slopes

    def _moved(self, inputs: Weights, step: Any) -> Mapping[str, Any]:
        # A direction may be one of thousands, and little depends on it.
        names = ChainMap({}, self.point.names)
        for name, weight in inputs.items():
            names[name] += step if weight is None else step * self.point.names[weight]
        for name in self._claims.downstream(inputs):
            names[name] = self._codes[name](names)
        return names


def _range(ends: Sequence[Any], size: Any) -> Adjoint | None:
    noise = size * digits.ROUNDING / STEP
    if not all(map(digits.is_sound, (*ends, noise))) or noise > NOISE:
        return None
    return Adjoint(min(ends) - noise, max(ends) + noise)


def _held(claims: Claims, point: Point) -> Mapping[str, ExpressionCode]:
    codes = claims.statements.codes
    held = {name: digits.held(codes[name]) for name in claims.statements.primals}
    for name, code in held.items():
        if code is not codes[name]:
            code(point.names)
    return held


def telling(points: Points, cost: int) -> Iterator[Point]:
    """Choose the points to compare at, those first that may tell more.

    Args:
        points: of the text.
        cost: how many statements are evaluated for the differences at a point.
    """
    first = of_all_sides(points.near)
    scales = points.at_scales
    yield from first[:POINTS]
    yield from scales[:MIN_POINTS_AT_SCALES]
    later = [point for point in points.near if point not in first]
    others = [*first[POINTS:], *scales[MIN_POINTS_AT_SCALES:], *later]
    yield from others[: MAX_EVALUATIONS // max(1, cost)]


def of_all_sides(points: Sequence[Point]) -> list[Point]:
    """Choose the first few of some points, and those where conditions are met otherwise."""
    sides = [tuple(point.sides.items()) for point in points]
    return [x for k, x in enumerate(points) if k < POINTS or sides[k] not in sides[:k]]
