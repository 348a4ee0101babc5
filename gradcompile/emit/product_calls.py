"""Products of matrices in loop nests → calls of `products.py` on slices of arrays."""

import ast
from collections.abc import Sequence

from gradcompile.emit.nest_names import BLOCK_SIZE, START, WIDTH, NestNames
from gradcompile.emit.nest_places import subscript_tree
from gradcompile.emit.trees import call, integer
from gradcompile.ir.nests import (
    Apply,
    Array,
    Expression,
    Index,
    Loop,
    Place,
    Step,
    assignments,
    loops,
    places,
)
from gradcompile.ir.program import Const
from gradcompile.ops import table

MatrixOperand = tuple[Place, list[Index]]
"""An element of a matrix, or of a vector, and the indices of its dimensions."""

Product = tuple[str, list[MatrixOperand]]
"""A function of `products.py` and what it is called with."""


def product_call(steps: Sequence[Step], names: NestNames) -> tuple[ast.Call | None, int]:
    """Write the call that does what steps do, if there is one, and say how many of them.

    Args:
        steps: a step, and the one after it: a product, to which the first may give a start.
        names: of arrays and indices.
    """
    *before, last = steps
    product, count = None, 1
    if isinstance(steps[0], Loop) and steps[0].is_product:
        product = _added(steps[0])
    elif before and isinstance(last, Loop) and last.is_product:
        product, count = _computed(steps[0], last), 2
    return None if product is None else _call(product, names), count


def is_exact(array: Array) -> bool:
    """Has it no elements for rows beyond the last? What is kept has some."""
    return array.space.startswith("output")


def _computed(first: Step, loop: Loop) -> Product | None:
    """Find a product and what it begins with: nothing, or the same for a whole row."""
    k, *_, i = _indices(loop)
    (start, *more), (step,) = list(assignments([first])), list(assignments([loop]))
    if more or start.adds or start.place != step.place or i not in step.place.indices():
        return None
    if _is_negated(step.value):
        return None
    if start.value == Const(0.0):
        return "set_product", _factors(loop)
    if isinstance(start.value, Place) and set(start.value.indices()) == {k}:
        return "set_affine", [*_factors(loop), (start.value, [k])]
    return None


def _added(loop: Loop) -> Product:
    """Find what is added to an array, by loops marked as a product."""
    (step,) = assignments([loop])
    k, *_, i = _indices(loop)
    verb = "subtract" if _is_negated(step.value) else "add"
    term, *others = places(step.value)
    if not others:
        return f"{verb}_sums", [(step.place, [k]), (term, [k, i])]
    kind = "product" if i in step.place.indices() else "inner_products"
    return f"{verb}_{kind}", _factors(loop)


def _call(product: Product, names: NestNames) -> ast.Call | None:
    function, matrices = product
    arrays = [place.array for place, _ in matrices]
    kept = arrays[0].has_rows and not any(map(is_exact, arrays))
    rows = names.own[WIDTH if kept else BLOCK_SIZE]
    trees = [_matrix(*matrix, rows, names) for matrix in matrices]
    arguments = [tree for tree in trees if tree is not None]
    return call(function, *arguments) if len(arguments) == len(trees) else None


def _matrix(place: Place, dimensions: list[Index], rows: str, names: NestNames) -> ast.expr | None:
    """Write a part of an array with these dimensions; None if its elements do not lie so."""
    axes: list[Index] = []
    parts: list[ast.expr] = []
    whole = True
    for subscript, extent in zip(place.subscripts, place.array.shape, strict=True):
        index = next((x for x in dimensions if x in subscript.indices()), None)
        if index is None:
            parts.append(subscript_tree(subscript, names))
            whole = False
        elif subscript.terms == ((index, 1),) and subscript.table is None:
            bounds = _slice(place.array, subscript.offset, index, extent, rows, names)
            axes.append(index)
            parts.append(bounds)
            whole = whole and bounds.upper is None
        else:
            return None
    part: ast.expr = ast.Name(names.arrays[place.array])
    if not whole:
        part = ast.Subscript(part, parts[0] if len(parts) == 1 else ast.Tuple(parts))
    if axes == dimensions:
        return part
    return ast.Attribute(part, "T") if axes == dimensions[::-1] else None


def _slice(
    array: Array, start: int, index: Index, extent: int, rows: str, names: NestNames
) -> ast.Slice:
    """Write what a loop goes through along one dimension."""
    if index.is_row:
        if is_exact(array):
            first, count = ast.Name(names.own[START]), ast.Name(names.own[BLOCK_SIZE])
            return ast.Slice(first, ast.BinOp(first, ast.Add(), count))
        return (
            ast.Slice()
            if (array.space, rows) == ("rows", names.own[WIDTH])
            else ast.Slice(None, ast.Name(rows))
        )
    if (start, index.extent) == (0, extent):
        return ast.Slice()
    return ast.Slice(integer(start), integer(start + index.extent))


def _factors(loop: Loop) -> list[MatrixOperand]:
    """Find the result of a product and its factors."""
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
