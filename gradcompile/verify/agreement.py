"""Numbers that a text gives, compared at points with what they should be."""

from collections.abc import Iterable
from typing import Any

from gradcompile.verify import digits
from gradcompile.verify.digits import DIGITS
from gradcompile.verify.points import Adjoint, Point

UNDEFINED = "no point found at which the function is finite"


def compare(found: Iterable[tuple[Point, Any, Adjoint | None]]) -> tuple[str, str]:
    """Compare numbers with what they should be.

    Args:
        found: points, each with the number that the text gives there and what it should be; None
            where nothing can be said.

    Returns:
        The verdict, "confirmed" or "refuted", and its detail.
    """
    decided = 0
    for point, given, expected in found:
        if expected is None:
            continue
        nearest = expected.nearest(given)
        if digits.agreeing_digits(given, nearest, expected.scale) < DIGITS:
            return "refuted", "{}: {}, not {}".format(point, *digits.unlike(given, nearest))
        decided += 1
    if not decided:
        return "refuted", UNDEFINED
    return "confirmed", f"to {DIGITS} digits at {decided} points"
