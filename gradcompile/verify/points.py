"""The points at which a text is evaluated: where they lie, and what adjoints should be there."""

import ast
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

from gradcompile.emit.reader import KernelText
from gradcompile.verify import digits
from gradcompile.verify.statements import RETURNED, Statements

POINTS = 3
"""Random points at which every adjoint is compared."""

POINTS_WITH_CONDITIONS = 24
"""Points for a text with conditions: each side of each of them should be seen."""

POINTS_NEAR_A_RANGE = 8
"""More of them for each range around a constant of such a text."""

MAX_POINTS_OF_LONG_TEXT = 300
"""The most points for a text of which sympy is not asked."""

MAX_EVALUATIONS = 400_000
"""The most statements of such a text that are evaluated at all its points together."""

TRIES_PER_POINT = 20
"""How often a point is looked for, for each that is wanted."""

RANGES = ((-2.0, 2.0), (0.1, 2.0), (-0.9, 0.9), (1.0, 20.0), (-60.0, 60.0))
"""Where to look for points: many functions are defined in one of these only."""

SCALES = (40.0, 1e3, 6.0, 0.05, 1e5, 1e-3)
"""Sizes of the inputs at more points: a periodic function or an inverse has many branches, and a
wrong slope may be right on the one where most points lie, as 1 is for asin(sin(x))."""

LEAST_OF_SCALE = 0.3
"""Points of a scale are at least this part of it from 0."""

MIN_POINTS_AT_SCALES = 2
"""Points at such scales for a long text."""

MAX_EVALUATIONS_AT_SCALES = 5_000
"""The most statements that are evaluated at more of them together."""

TRIES_PER_SCALE = 6

HALVINGS = 16
"""How close two points on both sides of a condition come: by 2**-16 of their distance."""

MAX_CONSTANTS = 8
"""The most constants around which points are looked for."""


class Adjoint(NamedTuple):
    """What an adjoint should be: a number, up to the small error of differences.

    At a kink it is a range, for any slope between those on both sides may have been chosen.
    """

    low: Any
    high: Any
    scale: Any = 0
    """The sum of the sizes of what was added up."""

    def nearest(self, x: Any) -> Any:
        """Give `x` itself if it is in the range; else the end that is nearer, if it is real."""
        return min(max(x, self.low), self.high) if digits.is_sound(x) else self.low

    def plus(self, other: "Adjoint") -> "Adjoint":
        """Add another one."""
        return Adjoint(self.low + other.low, self.high + other.high, self.scale + other.scale)

    def times(self, low: Any, high: Any) -> "Adjoint":
        """Multiply with each slope of a range."""
        ends = [self.low * low, self.low * high, self.high * low, self.high * high]
        return Adjoint(min(ends), max(ends), max(map(abs, ends)))


class Point:
    """A point, what the text computes there, and what the adjoints should be.

    Attributes:
        at: the inputs.
        names: what each name of the text is.
        sides: for each statement with conditions, which of them hold.
    """

    def __init__(self, statements: Statements, at: dict[str, Any], cautious: bool = False) -> None:
        self.at = at
        self.names = {**digits.CONSTANTS, **at}
        for name, code in (statements.cautious if cautious else statements.codes).items():
            self.names[name] = code(self.names)
        self.sides = {
            name: tuple(bool(condition(self.names)) for condition in conditions)
            for name, conditions in statements.conditions.items()
        }
        self._statements = statements

    def expected(self, name: str) -> Adjoint | None:
        """Sum up the contributions to the adjoint of a value; None if one has no slope here.

        Where the text names the adjoint of a user, that one is taken.
        """
        return self._sum(name, self._unclaimed)

    @cached_property
    def _unclaimed(self) -> dict[str, Adjoint | None]:
        """The adjoints that the text has no statement for, users first."""
        one = digits.number(1)
        adjoints: dict[str, Adjoint | None] = {RETURNED: Adjoint(one, one)}
        for name in self._statements.unclaimed:
            adjoints[name] = self._sum(name, adjoints)
        return adjoints

    def _sum(self, name: str, unclaimed: Mapping[str, Adjoint | None]) -> Adjoint | None:
        total = Adjoint(digits.number(0), digits.number(0))
        for user in self._statements.users.get(name, ()):
            adjoint = unclaimed[user] if user in unclaimed else self._claimed(user)
            slopes = digits.slopes(self._statements.codes[user], self.names, name)
            if slopes == (0, 0):
                continue  # of a condition, say, whose own adjoint is infinite where one choice is
            if adjoint is None or slopes is None:
                return None
            total = total.plus(adjoint.times(*slopes))
        return total

    def _claimed(self, user: str) -> Adjoint | None:
        adjoint = self.names[self._statements.adjoints[user]]
        return Adjoint(adjoint, adjoint) if digits.is_sound(adjoint) else None

    def __str__(self) -> str:
        return "at " + ", ".join(f"{n}={digits.short(x)}" for n, x in list(self.at.items())[:6])


@dataclass(frozen=True)
class Points:
    """The points at which a text is compared, made when they are first needed; always the same."""

    statements: Statements

    @cached_property
    def random(self) -> list[Point]:
        """Random points, more of them where there are conditions."""
        return list(_random_points(self.statements))

    @cached_property
    def near(self) -> list[Point]:
        """Random points, and for a short text borders."""
        borders = _boundaries(self.statements, self.random) if self.statements.is_short else ()
        return [*self.random, *borders]

    @cached_property
    def at_scales(self) -> list[Point]:
        """Points of different sizes."""
        return list(_points_at_scales(self.statements))


def point_at(statements: Statements, at: dict[str, Any], cautious: bool = False) -> Point | None:
    """Evaluate a text at a point; None where its function is not defined.

    Args:
        statements: of the text.
        at: a number for each input.
        cautious: give None also where numbers are so large or small that digits may be lost.
    """
    try:
        point = Point(statements, at, cautious)
    except digits.NO_REAL_VALUE:
        return None
    return point if all(digits.is_sound(point.names[name]) for name in statements.primals) else None


def _random_points(statements: Statements) -> Iterator[Point]:
    rng = random.Random(0)
    found = 0
    branches = bool(statements.conditions)
    near = _near_constants(statements.text) if branches else []
    wanted = POINTS_WITH_CONDITIONS + POINTS_NEAR_A_RANGE * len(near) if branches else POINTS
    if not statements.is_short:
        most = max(POINTS, MAX_EVALUATIONS // len(statements))
        wanted = min(wanted, MAX_POINTS_OF_LONG_TEXT, most)
    for attempt in range(TRIES_PER_POINT * wanted):
        # By turns all inputs from one range, which many functions need, and each from its own.
        one = RANGES[attempt % len(RANGES)]
        own = near or RANGES
        choices = ([one], own, [*near, *RANGES], own)[attempt % 4 if branches else 0]
        each = {name: rng.choice(choices) for name in statements.text.inputs}
        at = {name: rng.uniform(*limits) for name, limits in each.items()}
        point = point_at(statements, _precise(at))
        if point is not None:
            yield point
            found += 1
        if found == wanted:
            return


def _points_at_scales(statements: Statements) -> Iterator[Point]:
    """Look for points of different sizes; some functions are defined at few of them."""
    inputs = list(statements.text.inputs)
    most = max(MIN_POINTS_AT_SCALES, MAX_EVALUATIONS_AT_SCALES // max(1, len(statements)))
    # All sizes, then all with other signs: what changes at a place does so on one side of 0.
    sizes = [(LEAST_OF_SCALE * scale, scale) for scale in SCALES]
    near = _near_constants(statements.text)
    places = [*product((1, -1), enumerate(sizes)), *product((1,), enumerate(near))]
    for sign, (seed, limits) in places[:most]:
        signs, rng = random.Random(seed), random.Random(2 * seed + (sign > 0))
        for attempt in range(TRIES_PER_SCALE):
            # By turns all inputs are of this size, and one of them: others may bear less.
            alone = inputs[(seed + attempt // 2) % len(inputs)] if attempt % 2 else None
            moved = {name for name in inputs if alone in (None, name)}
            at = {
                name: sign * signs.choice((1, -1)) * rng.uniform(*limits)
                if name in moved
                else rng.uniform(*rng.choice(RANGES))
                for name in inputs
            }
            point = point_at(statements, _precise(at), cautious=True)
            if point is not None:
                yield point
                break


def _precise(at: Mapping[str, float]) -> dict[str, Any]:
    return {name: digits.number(x) for name, x in at.items()}


def _near_constants(text: KernelText) -> list[tuple[float, float]]:
    """List ranges around the constants of a text, where its conditions may change."""
    trees = [*text.forward.values(), *text.reverse.values(), text.value, *text.gradient.values()]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    sizes = {abs(x.value) for x in nodes if isinstance(x, ast.Constant) and type(x.value) is float}
    chosen = sorted(c for c in sizes if 1e-6 < c < 1e6 and c not in (0.5, 1.0, 2.0))
    ranges = []
    for c in chosen[:MAX_CONSTANTS]:
        ranges += [(-2 * c, 2 * c), (c - 2, c + 2), (-c - 2, -c + 2)]
    return ranges


def _boundaries(statements: Statements, points: Sequence[Point]) -> Iterator[Point]:
    """Find two points for each condition, close to each other, on both sides of where it changes.

    A region between two conditions may be too narrow for random points; its borders are not.
    """
    for statement, conditions in statements.conditions.items():
        for k in range(len(conditions)):
            yes = next((point for point in points if point.sides[statement][k]), None)
            no = next((point for point in points if not point.sides[statement][k]), None)
            if yes is not None and no is not None:
                yield from _closer(statements, yes, no, (statement, k))


def _closer(
    statements: Statements, yes: Point, no: Point, condition: tuple[str, int]
) -> tuple[Point, Point]:
    """Find two points on either side of a condition, on the line between two others."""
    statement, k = condition
    for _ in range(HALVINGS):
        at = {name: (x + no.at[name]) / 2 for name, x in yes.at.items()}
        middle = point_at(statements, at)
        if middle is None:
            break
        if middle.sides[statement][k]:
            yes = middle
        else:
            no = middle
    return yes, no
