"""Arrays of loop nests → the lines that make them: views of what is given, and memory."""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import prod

from gradcompile.emit.layout import Line
from gradcompile.emit.nest_names import SCRATCH, TOTAL_ROWS, NestNames
from gradcompile.emit.trees import assign, call, element, integer, one_or_tuple
from gradcompile.ir.nests import BLOCK_ROWS, Array, Nest, Rolled, RowExtent
from gradcompile.loops.memory import arranged


def views(arrays: Iterable[Array], names: NestNames) -> list[Line]:
    """Name the parts of the flat arrays that are given or returned."""
    lines = []
    for array in arrays:
        name, base = names.arrays[array], _base(array, names)
        if base and name != base:
            lines.append(Line(assign(name, _part(array, base))))
    return lines


def _base(array: Array, names: NestNames) -> str:
    """Name the flat array that a view is a part of; "" for an array of its own."""
    if array.space.startswith("output"):
        whole = next(x for x in names.results if x.space == array.space)
        return names.arrays[whole] if array is not whole else ""
    return array.space


def _part(array: Array, base: str) -> ast.expr:
    """Write a part of a flat array, or of one with a row in each column, in its shape."""
    shape = array.shape[:-1] if array.has_rows else array.shape
    if not shape:
        return element(base, array.start)
    bounds = ast.Slice(integer(array.start), integer(array.start + prod(shape)))
    part = ast.Subscript(ast.Name(base), bounds)
    if len(shape) == 1:
        return part
    extents = ast.Tuple(list(map(integer, (*shape, -1) if array.has_rows else shape)))
    return ast.Call(ast.Attribute(part, "reshape"), [extents], [])


def memory(arrays: Sequence[Array], names: NestNames, nests: Sequence[Nest]) -> list[Line]:
    """Allocate arrays that are no views; in a batch, all that have rows are one.

    Args:
        arrays: what to allocate; results and single numbers are left out.
        names: of the arrays.
        nests: all of them, in order.
    """
    own = [array for array in arrays if not array.space and array.shape]
    starts, size = arranged([array for array in own if array.has_rows], nests)
    lines = []
    if starts:
        scratch = call("scratch", integer(size), integer(BLOCK_ROWS))
        lines.append(Line(assign(SCRATCH, scratch)))
    for array, start in starts.items():
        part = _part(replace(array, start=start), SCRATCH)
        lines.append(Line(assign(names.arrays[array], part)))
    for array in own:
        if not array.has_rows:
            lines.append(_allocation(array, names, "empty", integer(BLOCK_ROWS)))
    return lines


def results(rolled: Rolled, names: NestNames) -> list[Line]:
    """Allocate the arrays that are returned; totals over the rows of a batch begin with zeros."""
    lines = []
    for array in names.results:
        function = "zeros" if rolled.rows and not array.has_rows else "empty"
        lines.append(_allocation(array, names, function, ast.Name(TOTAL_ROWS)))
    return lines


def _allocation(array: Array, names: NestNames, function: str, rows: ast.expr) -> Line:
    extents = [rows if isinstance(x, RowExtent) else integer(x) for x in array.shape]
    return Line(assign(names.arrays[array], call(function, one_or_tuple(extents))))
