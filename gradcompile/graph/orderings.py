"""Which ways only nan goes: those on which comparisons of the same two numbers contradict."""

import ast
from functools import cache

from gradcompile.ops.op import Op

SAMPLES = {-1: (0.0, 1.0), 0: (0.0, 0.0), 1: (1.0, 0.0)}
"""Two numbers of each order: less, equal and greater."""


@cache
def is_comparison(op: Op) -> bool:
    """Tell whether an operation compares its operands, by `<` or the like."""
    tree = op.template
    return isinstance(tree, ast.Call) and isinstance(tree.args[0], ast.Compare)


class Orderings:
    """What the comparisons on a way leave of the order of two numbers, each known by a number.

    Example:
        >>> from gradcompile.ops import table
        >>> orderings = Orderings()
        >>> orderings.narrow(table.less, 1, 2, False), orderings.narrow(table.greater, 2, 1, True)
        (True, False)
    """

    def __init__(self) -> None:
        self._left: dict[tuple[int, int], set[int]] = {}

    def narrow(self, op: Op, a: int, b: int, truth: bool) -> bool:
        """Note whether a comparison holds, and tell whether any order is left but that of nan."""
        is_turned = a > b
        pair = (b, a) if is_turned else (a, b)
        left = self._left.setdefault(pair, {0} if a == b else {-1, 0, 1})
        for order in tuple(left):
            x, y = SAMPLES[-order if is_turned else order]
            if bool(op.evaluate(x, y)) is not truth:
                left.remove(order)
        return bool(left)
