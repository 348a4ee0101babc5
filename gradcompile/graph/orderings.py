"""How two numbers may be ordered, as far as the comparisons on a way tell."""

import ast
from collections.abc import Iterator
from functools import cache

from gradcompile.ops.op import Op

SAMPLES = {"<": (0.0, 1.0), "=": (0.0, 0.0), ">": (1.0, 0.0)}
"""Two numbers of each order; nan is of none."""

TURNED = {"<": ">", ">": "<", "=": "=", "nan": "nan"}

NUMBERS = frozenset(SAMPLES)
"""The orders of two numbers of which none is nan."""

ANY = NUMBERS | {"nan"}


@cache
def _comparison(op: Op) -> ast.cmpop | None:
    match op.template:
        case ast.Call(args=[ast.Compare(ops=[comparison])]):
            return comparison
    return None


def is_comparison(op: Op) -> bool:
    """Tell whether an operation compares its operands, by `<` or the like."""
    return _comparison(op) is not None


class Orderings:
    """What the comparisons on a way leave of the order of numbers, each known by a number.

    Example:
        >>> from gradcompile.ops import table
        >>> orderings = Orderings()
        >>> orderings.note(table.less, 1, 2, True)
        >>> orderings.note(table.less, 2, 3, True)
        >>> orderings.truth(table.greater_equal, 2, 1), orderings.truth(table.less, 3, 1)
        (True, False)
    """

    def __init__(self) -> None:
        self._left: dict[tuple[int, int], frozenset[str]] = {}

    @property
    def are_of_nan(self) -> bool:
        """Tell whether there are two numbers that cannot be ordered: only nan is left."""
        return frozenset({"nan"}) in self._left.values()

    @property
    def are_tied(self) -> bool:
        """Tell whether there are two numbers that have to be equal, or nan."""
        return any(left <= {"=", "nan"} for left in self._left.values())

    def truth(self, op: Op, a: int, b: int) -> bool | None:
        """Tell whether a comparison holds; None if it may or may not."""
        truths = {_holds(op, order) for order in self._between(a, b)}
        return truths.pop() if len(truths) == 1 else None

    def note(self, op: Op, a: int, b: int, truth: bool) -> None:
        """Note that a comparison holds, or does not, and what follows for other numbers."""
        waiting = [(a, b, frozenset(x for x in ANY if _holds(op, x) is truth))]
        while waiting:
            a, b, orders = waiting.pop()
            known = self._between(a, b)
            if known <= orders and (a, b) in self._left:
                continue
            left = self._left[a, b] = known & orders
            self._left[b, a] = frozenset(TURNED[order] for order in left)
            if left <= NUMBERS:
                waiting += self._beyond(a, b, left)
                waiting += self._beyond(b, a, self._left[b, a])

    def _between(self, a: int, b: int) -> frozenset[str]:
        return self._left.get((a, b), frozenset({"=", "nan"}) if a == b else ANY)

    def _beyond(
        self, a: int, b: int, left: frozenset[str]
    ) -> Iterator[tuple[int, int, frozenset[str]]]:
        """Yield the orders of `a` and all numbers whose order with `b` is known."""
        for (start, c), right in tuple(self._left.items()):
            if start == b and c not in (a, b) and right <= NUMBERS:
                both = (left | right) - {"="}
                if len(both) == 1:
                    is_strict = "=" not in left or "=" not in right
                    yield a, c, both if is_strict else both | {"="}
                elif not both:
                    yield a, c, frozenset("=")


def _holds(op: Op, order: str) -> bool:
    # To compare nan raises a flag of the processor, of which numpy warns whose loop asks for this.
    if order == "nan":
        return isinstance(_comparison(op), ast.NotEq)
    return bool(op.evaluate(*SAMPLES[order]))
