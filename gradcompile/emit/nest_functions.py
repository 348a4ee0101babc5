"""Loop nests → functions: what they take, which arrays they make, and what they return.

For a batch the function goes through blocks of rows, and everything it computes is inside of that
loop. In long text every part makes the arrays that it alone uses.
"""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from gradcompile.emit.layout import (
    INPUTS,
    For,
    Function,
    Item,
    Line,
    lines_of,
    names_of,
    with_titles,
)
from gradcompile.emit.nest_arrays import memory, results, views
from gradcompile.emit.nest_names import (
    BATCHES,
    BLOCK_SIZE,
    DATA,
    ROWS,
    START,
    TABLES,
    TOTAL_ROWS,
    WIDTH,
    NestNames,
    arrays_in,
)
from gradcompile.emit.nest_places import expression_tree
from gradcompile.emit.nest_trees import nest_items
from gradcompile.emit.parts import KEPT, crossing, cut_by_length, part_functions
from gradcompile.emit.trees import assign, call, element, float_tree, integer, one_or_tuple
from gradcompile.ir.nests import BLOCK_ROWS, Array, Nest, Place, Rolled
from gradcompile.ir.program import Const

MAX_LINES = 150
"""The most lines of nests in one function."""

LINES_OF_A_PART = 80
"""About as many lines has each function where one is not enough."""


@dataclass(frozen=True)
class NestCode:
    """What loop nests say, before it is arranged in functions.

    Attributes:
        function: the name of its function.
        rolled: what it computes.
        nests: those of both sweeps, in order.
        names: of arrays and indices.
        mean: for a batch, is what is summed up divided by the number of rows?
    """

    function: str
    rolled: Rolled
    nests: tuple[Nest, ...]
    names: NestNames
    mean: bool


@dataclass(frozen=True)
class _Written:
    """A nest, and its statements."""

    nest: Nest
    items: tuple[Item, ...]


def nest_functions(code: NestCode) -> list[Function]:
    """Arrange nests in one function, or in its parts and the one that calls them."""
    items = nest_items(code.nests, code.names)
    written = [_Written(*pair) for pair in zip(code.nests, items, strict=True)]
    lengths = [len(list(lines_of(nest.items))) for nest in written]
    if sum(lengths) > MAX_LINES:
        parts = cut_by_length(written, lengths, LINES_OF_A_PART)
        if len(parts) > 1:
            return _in_parts(code, parts)
    used = code.names.used
    return [_main(code, memory(used, code.names, code.nests), used, _titled(written))]


def _in_parts(code: NestCode, parts: Sequence[Sequence[_Written]]) -> list[Function]:
    """Make a function of each part, and one that calls them.

    What passes from one to another is allocated there: arrays, and `kept` for single numbers.
    """
    rolled, used = code.rolled, code.names.used
    uses = [set(arrays_in(written.nest for written in part)) for part in parts]
    returned = {x.array for x in rolled.outputs if isinstance(x, Place)}
    passed = crossing([*uses, returned], [array for array in used if not array.space])
    shared = [array for array in passed if array.shape]
    kept = {array: place for place, array in enumerate(a for a in passed if not a.shape)}
    names = replace(code.names, kept=kept)
    code = replace(code, names=names)
    bodies = []
    for part, arrays in zip(_rewritten(parts, names), uses, strict=True):
        own = [array for array in used if array in arrays]
        made = memory([array for array in own if array not in shared], names, code.nests)
        body = [*made, *views(own, names), *_titled(part)]
        bodies.append(_with_width(body) if rolled.rows else body)
    functions, calls = part_functions(bodies, code.function, _available(code, shared), names.fresh)
    allocations = memory(shared, names, code.nests)
    if kept:
        function = "zeros" if rolled.rows else "empty"
        allocations.append(Line(assign(KEPT, call(function, integer(len(kept))))))
    return [*functions, _main(code, allocations, (), calls)]


def _rewritten(parts: Sequence[Sequence[_Written]], names: NestNames) -> list[list[_Written]]:
    """Write again, with their places in `kept`, the nests that use single numbers."""

    def uses_numbers(written: _Written) -> bool:
        return any(not array.shape for array in arrays_in([written.nest]))

    changed = [w.nest for part in parts for w in part if uses_numbers(w)]
    items = iter(nest_items(changed, names))
    return [
        [replace(w, items=next(items)) if uses_numbers(w) else w for w in part] for part in parts
    ]


def _titled(part: Iterable[_Written]) -> list[Item]:
    return list(with_titles((written.nest.reverse, written.items) for written in part))


# --- what functions take, make and return --------------------------------------------------------


def _arguments(rolled: Rolled) -> tuple[str, ...]:
    """List what the function takes."""
    given = {
        INPUTS: True,
        BATCHES: bool(rolled.rows),
        DATA: bool(rolled.data),
        TABLES: bool(len(rolled.tables)),
    }
    return tuple(name for name, is_given in given.items() if is_given)


def _available(code: NestCode, shared: Iterable[Array]) -> list[str]:
    """List what a part may take."""
    rolled, names = code.rolled, code.names
    given = [name for name in _arguments(rolled) if name != BATCHES]
    rows = [ROWS, BLOCK_SIZE, START] if rolled.rows else []
    return [*given, *rows, KEPT, *(names.arrays[array] for array in (*names.results, *shared))]


def _main(
    code: NestCode, allocations: Iterable[Item], arrays: Sequence[Array], body: Iterable[Item]
) -> Function:
    """Make the function itself: its signature, what it allocates, views and computes, its result.

    Args:
        code: what the nests say.
        allocations: what makes the arrays that are not returned.
        arrays: those that the body reads and writes.
        body: what is computed, for a batch in each block of rows.
    """
    rolled, names = code.rolled, code.names
    made = [*results(rolled, names), *allocations]
    if rolled.rows:
        items = [*_blocks(code, made, arrays, body)]
    else:
        items = [*made, *views(arrays, names), *body]
    returned = Line(ast.Return(one_or_tuple([_output(code, x) for x in rolled.outputs])))
    return Function(code.function, _arguments(rolled), (*items, returned))


def _blocks(
    code: NestCode, made: Iterable[Item], arrays: Sequence[Array], body: Iterable[Item]
) -> Iterator[Item]:
    """Loop over the blocks of a batch."""
    rolled, names = code.rolled, code.names
    rows = ast.Attribute(element(BATCHES, 0), "shape")
    yield Line(assign(TOTAL_ROWS, ast.Subscript(rows, integer(0))))
    for output in rolled.outputs:
        if isinstance(output, Place) and output.array not in names.kept:
            yield Line(assign(names.arrays[output.array], float_tree(0.0)))
    yield from made
    yield from views([array for array in arrays if array.space != "rows"], names)
    of_rows = views([array for array in arrays if array.space == "rows"], names)
    block = (*_block_of_rows(), *_with_width([*of_rows, *body]))
    starts = call("range", integer(0), ast.Name(TOTAL_ROWS), integer(BLOCK_ROWS))
    yield For(START, starts, block)
    if code.mean:
        yield from (_mean(names.arrays[array], rolled.strict) for array in names.results)


def _block_of_rows() -> Iterator[Line]:
    left = ast.BinOp(ast.Name(TOTAL_ROWS), ast.Sub(), ast.Name(START))
    yield Line(assign(BLOCK_SIZE, call("min", integer(BLOCK_ROWS), left)))
    columns = call("columns", ast.Name(BATCHES), ast.Name(START), ast.Name(BLOCK_SIZE))
    yield Line(assign(ROWS, columns))


def _with_width(body: list[Item]) -> list[Item]:
    """Put before a body how wide the rows are, if it uses that."""
    if WIDTH not in names_of(body):
        return body
    width = ast.Subscript(ast.Attribute(ast.Name(ROWS), "shape"), integer(1))
    return [Line(assign(WIDTH, width)), *body]


def _mean(array: str, strict: bool) -> Line:
    """Divide a total by the number of rows; where it need not be exact, by one division."""
    if strict:
        return Line(ast.AugAssign(ast.Name(array), ast.Div(), ast.Name(TOTAL_ROWS)))
    scale = ast.BinOp(float_tree(1.0), ast.Div(), ast.Name(TOTAL_ROWS))
    return Line(ast.AugAssign(ast.Name(array), ast.Mult(), scale))


def _output(code: NestCode, output: Place | Const | Array) -> ast.expr:
    if isinstance(output, Array):
        return ast.Name(code.names.arrays[output])
    tree = expression_tree(output, code.names, frozenset())
    return ast.BinOp(tree, ast.Div(), ast.Name(TOTAL_ROWS)) if code.mean else tree
