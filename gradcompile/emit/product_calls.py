"""Products of matrices in loop nests → calls of `products.py` on slices of arrays."""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gradcompile.ir.nests import (
    Apply,
    Array,
    Expression,
    Index,
    Loop,
    Place,
    Step,
    Subscript,
    assignments,
    loops,
    places,
)
from gradcompile.ir.program import Const
from gradcompile.ops import table

START = "start"
"""The number of the first row of a block, of which `n` is how many it has."""

WIDTH = "width"
"""How many rows are computed where all results are kept: `n`, and some that are as good as any."""

MatrixOperand = tuple[Place, list[Index]]
"""An element of a matrix, or of a vector, and the indices of its dimensions."""


@dataclass(frozen=True)
class Calls:
    """The text of calls.

    Attributes:
        names: of arrays.
        subscript: what a subscript without slices is written as.
    """

    names: Mapping[Array, str]
    subscript: Callable[[Subscript], ast.expr]

    def of(self, steps: Sequence[Step]) -> tuple[str, int]:
        """The call that does what steps do, and how many of them; "" if there is none.

        Args:
            steps: a step, and the one after it: a product, to which the first may give a start.
        """
        *before, last = steps
        if isinstance(steps[0], Loop) and steps[0].is_product:
            return self._added(steps[0]), 1
        if before and isinstance(last, Loop) and last.is_product:
            return self._computed(steps[0], last), 2
        return "", 1

    def _computed(self, first: Step, loop: Loop) -> str:
        """A product and what it begins with: nothing, or the same for a whole row."""
        k, *_, i = _indices(loop)
        (start, *more), (step,) = list(assignments([first])), list(assignments([loop]))
        if more or start.adds or start.place != step.place or i not in step.place.indices():
            return ""
        if _is_negated(step.value):
            return ""
        if start.value == Const(0.0):
            return self._call("set_product", _factors(loop))
        if isinstance(start.value, Place) and set(start.value.indices()) == {k}:
            return self._call("set_affine", [*_factors(loop), (start.value, [k])])
        return ""

    def _added(self, loop: Loop) -> str:
        """What is added to an array, by loops marked as a product."""
        (step,) = assignments([loop])
        k, *_, i = _indices(loop)
        verb = "subtract" if _is_negated(step.value) else "add"
        term, *others = places(step.value)
        if not others:
            return self._call(f"{verb}_sums", [(step.place, [k]), (term, [k, i])])
        kind = "product" if i in step.place.indices() else "inner_products"
        return self._call(f"{verb}_{kind}", _factors(loop))

    def _call(self, function: str, matrices: Sequence[MatrixOperand]) -> str:
        arrays = [place.array for place, _ in matrices]
        rows = WIDTH if arrays[0].has_rows and not any(map(is_exact, arrays)) else "n"
        found = [self._matrix(*matrix, rows) for matrix in matrices]
        return f"{function}({', '.join(found)})" if all(found) else ""

    def _matrix(self, place: Place, dimensions: list[Index], rows: str) -> str:
        """A part of an array with these dimensions; "" if its elements do not lie so."""
        axes, parts = [], []
        for subscript, extent in zip(place.subscripts, place.array.shape, strict=True):
            index = next((x for x in dimensions if x in subscript.indices()), None)
            if index is None:
                parts.append(ast.unparse(self.subscript(subscript)))
            elif subscript.terms == ((index, 1),) and subscript.table is None:
                axes.append(index)
                parts.append(_slice(place.array, subscript.offset, index, extent, rows))
            else:
                return ""
        name = self.names[place.array]
        part = name if set(parts) == {":"} else f"{name}[{', '.join(parts)}]"
        if axes == dimensions:
            return part
        return f"{part}.T" if axes == dimensions[::-1] else ""


def is_exact(array: Array) -> bool:
    """Has it no elements for rows beyond the last? What is kept has some."""
    return array.space.startswith("output")


def _slice(array: Array, start: int, index: Index, extent: int, rows: str) -> str:
    """What a loop goes through along one dimension."""
    if index.is_row:
        if is_exact(array):
            return f"{START}:{START} + n"
        return ":" if (array.space, rows) == ("rows", WIDTH) else f":{rows}"
    if (start, index.extent) == (0, extent):
        return ":"
    return f"{start}:{start + index.extent}"


def _factors(loop: Loop) -> list[MatrixOperand]:
    """The result of a product and its factors."""
    (step,) = assignments([loop])
    k, m, i = _indices(loop)
    a, b = places(step.value)
    if k not in a.indices():
        a, b = b, a
    if i in step.place.indices():
        return [(step.place, [k, i]), (a, [k, m]), (b, [m, i])]
    return [(step.place, [k, m]), (a, [k, i]), (b, [m, i])]


def _indices(loop: Loop) -> list[Index]:
    return [inner.index for inner in loops([loop])]


def _is_negated(expression: Expression) -> bool:
    return isinstance(expression, Apply) and expression.op is table.neg
