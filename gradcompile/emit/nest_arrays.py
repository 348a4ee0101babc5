"""Arrays of loop nests → the lines that make them: views of what is given, and memory."""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import prod

from gradcompile.emit.layout import Line
from gradcompile.emit.nest_names import (
    BLOCK_SIZE,
    DATA,
    SCRATCH,
    START,
    TABLES,
    TOTAL_ROWS,
    NestNames,
    parameter_of,
)
from gradcompile.emit.trees import assign, call, integer, one_or_tuple
from gradcompile.ir.nests import BLOCK_ROWS, Array, Nest, Rolled, RowExtent
from gradcompile.ir.signature import Bundle, Signature
from gradcompile.loops.memory import arranged

MAX_SCRATCH = 4096
"""How many numbers, 32 KiB, a function keeps in scratch memory: on its stack, in machine code."""


def views(arrays: Iterable[Array], names: NestNames, rolled: Rolled) -> list[Line]:
    """Name the parts of arrays that are given or returned."""
    signature = rolled.signature
    assert signature is not None
    lines: list[Line] = []
    for array in arrays:
        name = names.arrays[array]
        if array.space == "inputs":
            if parameter_of(array, signature) is None:
                lines += _of_inputs(array, name, signature)
        elif array.space in (DATA, TABLES):
            if name != names.own[array.space]:
                lines.append(Line(assign(name, _part(array, ast.Name(names.own[array.space])))))
        elif array.space.startswith("output"):
            whole = next(x for x in names.results if x.space == array.space)
            if array is not whole:
                base = _vector(ast.Name(names.arrays[whole]), whole.shape)
                lines.append(Line(assign(name, _part(array, base, _height_or_size(whole)))))
    return lines


def _of_inputs(array: Array, name: str, signature: Signature) -> list[Line]:
    """Name a part of a parameter; or make an array of what lies in several."""
    stop = array.start + array.size
    groups = [x for x in signature.parameters if not x.is_row]
    for group in groups:
        if group.start <= array.start and stop <= group.stop and group.shape is not None:
            base = _vector(ast.Name(group.name), group.shape)
            inside = replace(array, start=array.start - group.start)
            return [Line(assign(name, _part(inside, base, group.size)))]
    lines = [Line(assign(name, call("empty", one_or_tuple([*map(integer, array.shape)]))))]
    vector = ast.Name(name)
    if len(array.shape) > 1:
        flat = f"{name}_flat"
        lines.append(Line(assign(flat, _vector(vector, array.shape))))
        vector = ast.Name(flat)
    for group in sorted(groups, key=lambda group: group.start):
        start, end = max(group.start, array.start), min(group.stop, stop)
        if start < end:
            inside = replace(array, shape=(end - start,), start=start - group.start)
            part: ast.expr = ast.Name(group.name)
            if group.shape is not None:
                part = _part(inside, _vector(part, group.shape), group.size)
            at: ast.expr = integer(start - array.start)
            if group.shape is not None:
                at = ast.Slice(at, integer(end - array.start))
            lines.append(Line(assign(ast.Subscript(vector, at), part)))
    return lines


def row_blocks(arrays: Iterable[Array], names: NestNames, rolled: Rolled) -> list[Line]:
    """Turn the rows of a block: each parameter of rows becomes an array with a row in a column."""
    signature = rolled.signature
    assert signature is not None
    lines = []
    for group in signature.parameters:
        start = group.start - rolled.inputs
        own = [
            x for x in arrays
            if x.space == "rows" and start <= x.start and x.start + _height(x) <= start + group.size
        ]  # fmt: skip
        if not group.is_row or not own:
            continue
        given = (group.name, names.own[START], names.own[BLOCK_SIZE])
        memory = call("scratch", integer(group.size * BLOCK_ROWS))
        block = call("columns", *map(ast.Name, given), memory)
        local = [replace(x, start=x.start - start) for x in own]
        if len(own) == 1 and _height(own[0]) == group.size:
            whole_block = _block_part(local[0], block, group)
            lines.append(Line(assign(names.arrays[own[0]], whole_block), may_break=True))
            continue
        whole = f"{group.name}_columns"
        lines.append(Line(assign(whole, block), may_break=True))
        for array, part in zip(own, local, strict=True):
            base = ast.Name(whole)
            lines.append(Line(assign(names.arrays[array], _part(part, base))))
    return lines


def _block_part(array: Array, block: ast.expr, group: Bundle) -> ast.expr:
    """All rows of a block in the shape of an array."""
    if len(array.shape) == 1:
        return ast.Subscript(block, integer(0))
    if len(array.shape) == 2:
        return block
    extents = ast.Tuple(list(map(integer, (*array.shape[:-1], -1))))
    return ast.Call(ast.Attribute(block, "reshape"), [extents], [])


def _height(array: Array) -> int:
    return prod(array.shape[:-1])


def _height_or_size(array: Array) -> int:
    return _height(array) if array.has_rows else array.size


def _vector(tree: ast.expr, shape: Sequence[int]) -> ast.expr:
    """Write an array as a vector of all its numbers; one with rows keeps these as its columns."""
    has_rows = isinstance(shape[-1], RowExtent)
    inner = shape[:-1] if has_rows else shape
    if len(inner) == 1:
        return tree
    size = integer(prod(inner))
    extents: ast.expr = ast.Tuple([size, integer(-1)]) if has_rows else size
    return ast.Call(ast.Attribute(tree, "reshape"), [extents], [])


def _part(array: Array, base: ast.expr, size: int = -1) -> ast.expr:
    """Write a part of a vector, or of one with a row in each column, in its shape.

    Args:
        array: the part.
        base: the vector.
        size: how many numbers it has, if that is known.
    """
    shape = array.shape[:-1] if array.has_rows else array.shape
    if not shape:
        return ast.Subscript(base, integer(array.start))
    bounds = ast.Slice(integer(array.start), integer(array.start + prod(shape)))
    part = base if prod(shape) == size else ast.Subscript(base, bounds)
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
        lines.append(_scratch(names.own[SCRATCH], size, BLOCK_ROWS))
    for array, start in starts.items():
        part = _part(replace(array, start=start), ast.Name(names.own[SCRATCH]))
        lines.append(Line(assign(names.arrays[array], part)))
    lasting = [array for array in own if not array.has_rows]
    if sum(array.size for array in lasting) <= MAX_SCRATCH:
        lines += [_scratch(names.arrays[array], *array.shape) for array in lasting]
    else:
        lines += [_allocation(array, names, "empty", integer(BLOCK_ROWS)) for array in lasting]
    return lines


def _scratch(name: str, *extents: int) -> Line:
    return Line(assign(name, call("scratch", *map(integer, extents))))


def results(rolled: Rolled, names: NestNames) -> list[Line]:
    """Allocate the arrays that are returned; totals over the rows of a batch begin with zeros."""
    lines = []
    for array in names.results:
        function = "zeros" if rolled.rows and not array.has_rows else "empty"
        lines.append(_allocation(array, names, function, ast.Name(names.own[TOTAL_ROWS])))
    return lines


def _allocation(array: Array, names: NestNames, function: str, rows: ast.expr) -> Line:
    extents = [rows if isinstance(x, RowExtent) else integer(x) for x in array.shape]
    return Line(assign(names.arrays[array], call(function, one_or_tuple(extents))))
